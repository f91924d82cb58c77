"""The closed list of alarm rules. A new rule is one file, one line in each of the three lists here, one runbook."""

from collections.abc import Mapping
from typing import Final, assert_never

from fairwatt.core.alarms.model import AlarmCode, Finding
from fairwatt.core.alarms.picture import Picture
from fairwatt.core.alarms.rules.cover_open import CoverOpen
from fairwatt.core.alarms.rules.harmonics import Harmonics
from fairwatt.core.alarms.rules.leak import Leak
from fairwatt.core.alarms.rules.low_battery import LowBattery
from fairwatt.core.alarms.rules.magnetic_field import MagneticField
from fairwatt.core.alarms.rules.meter_fault import MeterFault
from fairwatt.core.alarms.rules.neutral_mismatch import NeutralMismatch
from fairwatt.core.alarms.rules.overload import Overload
from fairwatt.core.alarms.rules.overvoltage import Overvoltage
from fairwatt.core.alarms.rules.phase_unbalance import PhaseUnbalance
from fairwatt.core.alarms.rules.residual_current import ResidualCurrent
from fairwatt.core.alarms.rules.reverse_flow import ReverseFlow
from fairwatt.core.alarms.rules.surge import Surge
from fairwatt.core.alarms.rules.suspect_load import SuspectLoad
from fairwatt.core.alarms.rules.terminal_cover_open import TerminalCoverOpen
from fairwatt.core.alarms.rules.terminal_temperature import TerminalTemperature
from fairwatt.core.alarms.rules.undervoltage import Undervoltage
from fairwatt.core.alarms.rules.use_while_open import UseWhileOpen
from fairwatt.core.alarms.rules.valve_fault import ValveFault

Rule = (
    Overload
    | Surge
    | PhaseUnbalance
    | Overvoltage
    | Undervoltage
    | NeutralMismatch
    | SuspectLoad
    | CoverOpen
    | TerminalCoverOpen
    | MagneticField
    | ReverseFlow
    | UseWhileOpen
    | TerminalTemperature
    | ResidualCurrent
    | Harmonics
    | Leak
    | LowBattery
    | ValveFault
    | MeterFault
)
RULES: Final[Mapping[AlarmCode, type[Rule]]] = {
    rule.code: rule
    for rule in (
        Overload,
        Surge,
        PhaseUnbalance,
        Overvoltage,
        Undervoltage,
        NeutralMismatch,
        SuspectLoad,
        CoverOpen,
        TerminalCoverOpen,
        MagneticField,
        ReverseFlow,
        UseWhileOpen,
        TerminalTemperature,
        ResidualCurrent,
        Harmonics,
        Leak,
        LowBattery,
        ValveFault,
        MeterFault,
    )
}


def judge(
    *, rule: Rule, now: Picture, before: Picture | None, raised: bool, memory: int | None, minute: int
) -> Finding | None:
    """Ask one rule about one picture; ``None`` means that it was not measured, which never raises anything."""
    match rule:
        case (
            Overload()
            | PhaseUnbalance()
            | Overvoltage()
            | Undervoltage()
            | TerminalTemperature()
            | ResidualCurrent()
            | Harmonics()
        ):
            return rule.judge(now=now, raised=raised)
        case NeutralMismatch() | ReverseFlow() | Leak() | LowBattery() | ValveFault() | MeterFault():
            return rule.judge(now=now)
        case CoverOpen() | TerminalCoverOpen() | MagneticField() | UseWhileOpen():
            return rule.judge(now=now, memory=memory)
        case Surge():
            return rule.judge(now=now, before=before)
        case SuspectLoad():
            return rule.judge(now=now, before=before, memory=memory, minute=minute)
        case _:
            assert_never(rule)

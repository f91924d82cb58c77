"""What a simulated meter notices by itself as time passes: covers, magnets, bad voltage, overload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fairwatt.drivers.contract import MeterEventKind

from .events import SimEvent
from .faults import FaultKind

if TYPE_CHECKING:
    from .meter import SimMeter

_FROM_FAULTS: Final = {
    FaultKind.POWER_FAIL: MeterEventKind.POWER_FAIL,
    FaultKind.COVER_OPEN: MeterEventKind.COVER_OPEN,
    FaultKind.TERMINAL_COVER_OPEN: MeterEventKind.TERMINAL_COVER_OPEN,
    FaultKind.MAGNETIC_FIELD: MeterEventKind.MAGNETIC_FIELD,
}
OVERVOLTAGE_DV: Final = 2_640  # 120 % of 220 V
UNDERVOLTAGE_DV: Final = 1_716  # 78 %
_BY_PHASE: Final = (
    MeterEventKind.OVERVOLTAGE,
    MeterEventKind.UNDERVOLTAGE,
    MeterEventKind.REVERSE_FLOW,
    MeterEventKind.OVERLOAD,
)


def notice(meter: SimMeter, *, now_us: int) -> None:
    """Record what has begun or ended since the meter last looked."""
    for fault_kind, kind in _FROM_FAULTS.items():
        _from_fault(meter, fault_kind, kind, now_us)
    for phase in range(len(meter.phases)):
        goes_on = phase_conditions(meter, phase)
        for kind in _BY_PHASE:
            _record(meter, kind, goes_on=kind in goes_on, phase=phase, now_us=now_us)
    _guard_power(meter, now_us)


def phase_conditions(meter: SimMeter, phase: int) -> set[MeterEventKind]:
    """What is wrong with one phase now."""
    one = meter.phases[phase]
    flows = meter.flows
    limit_w = meter.power_limit_w
    found = set()
    if one.voltage_dv > OVERVOLTAGE_DV:
        found.add(MeterEventKind.OVERVOLTAGE)
    if one.voltage_dv < UNDERVOLTAGE_DV:
        found.add(MeterEventKind.UNDERVOLTAGE)
    if flows and one.load_w < 0:
        found.add(MeterEventKind.REVERSE_FLOW)
    if flows and limit_w is not None and one.load_w * len(meter.phases) > limit_w:
        found.add(MeterEventKind.OVERLOAD)
    return found


def _from_fault(meter: SimMeter, fault_kind: FaultKind, kind: MeterEventKind, now_us: int) -> None:
    """Record a fault's span: it begins when the fault does, even where the meter was asked only later."""
    for fault in meter.faults.of(fault_kind):
        if fault in meter.noticed:
            if meter.events.goes_on(kind) and now_us >= fault.until_us:
                meter.events.end(kind, at_us=meter.own_clock(fault.until_us))
        elif fault.from_us <= now_us:
            meter.noticed.add(fault)
            begun_us = meter.own_clock(fault.from_us or now_us)  # a fault "since ever" begins when it is seen
            ended_us = meter.own_clock(fault.until_us) if now_us >= fault.until_us else None
            meter.events.note(kind, SimEvent(begun_us, ended_us))


def _record(meter: SimMeter, kind: MeterEventKind, *, goes_on: bool, phase: int, now_us: int) -> None:
    was = meter.events.goes_on(kind, phase=phase)
    if goes_on and not was:
        meter.events.note(kind, SimEvent(meter.own_clock(now_us), phase=phase))
    elif was and not goes_on:
        meter.events.end(kind, at_us=meter.own_clock(now_us), phase=phase)


def _guard_power(meter: SimMeter, now_us: int) -> None:
    """Trip by itself when the load stays above the limit for `limit_delay_us`."""
    limit_w = meter.power_limit_w
    if limit_w is None or not meter.relay_closed or meter.keeps_power or meter.load_w <= limit_w:
        meter.over_since_us = None
        return
    if meter.over_since_us is None:
        meter.over_since_us = now_us
    if now_us - meter.over_since_us >= meter.limit_delay_us:
        meter.own_trips += 1
        meter.over_since_us = None
        meter.move(closed=False, now_us=now_us)

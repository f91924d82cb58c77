"""The words of alarms: codes, how grave, how power comes back after a protective cut."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

Evidence = tuple[tuple[str, int], ...]


class AlarmError(ValueError):
    """An alarm policy or a kept state cannot be used as written; nobody is cut and nobody is told by it."""


class AlarmCode(StrEnum):
    """What can be wrong at a meter. The value is stored, shown and looked up in docs/runbooks/safety.md."""

    OVERLOAD = "overload"
    SURGE = "surge"
    PHASE_UNBALANCE = "phase_unbalance"
    OVERVOLTAGE = "overvoltage"
    UNDERVOLTAGE = "undervoltage"
    NEUTRAL_MISMATCH = "neutral_mismatch"
    SUSPECT_LOAD = "suspect_load"
    COVER_OPEN = "cover_open"
    TERMINAL_COVER_OPEN = "terminal_cover_open"
    MAGNETIC_FIELD = "magnetic_field"
    REVERSE_FLOW = "reverse_flow"
    USE_WHILE_OPEN = "use_while_open"
    TERMINAL_TEMPERATURE = "terminal_temperature"
    RESIDUAL_CURRENT = "residual_current"
    HARMONICS = "harmonics"
    LEAK = "leak"
    LOW_BATTERY = "low_battery"
    VALVE_FAULT = "valve_fault"
    METER_FAULT = "meter_fault"


class Severity(StrEnum):
    """How soon a person is needed: at the next round, today, now."""

    NOTICE = "notice"
    WARNING = "warning"
    DANGER = "danger"


class Restores(StrEnum):
    """How power comes back after a protective cut; what stands later is stricter and wins."""

    TIMED = "timed"
    WHEN_CLEAR = "when_clear"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule sees in one picture. ``memory`` is handed back to it with the next one."""

    bad: bool
    evidence: Evidence = ()
    memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What every rule has: whether it cuts, and how long a thing must last to be raised and to be over."""

    code: ClassVar[AlarmCode]
    severity: ClassVar[Severity] = Severity.WARNING
    restores: ClassVar[Restores] = Restores.PERSON

    protects: bool = False
    raise_after_us: int = 0
    clear_after_us: int = 60_000_000

    def __post_init__(self) -> None:
        if self.raise_after_us < 0 or self.clear_after_us < 0:
            raise AlarmError(f"{self.code}: a delay cannot be negative")

    def _above(self, *, over: str, back: str) -> None:
        """Refuse a hysteresis that would flap: it must be over on the safe side of where it began."""
        if not 0 <= getattr(self, back) <= getattr(self, over):
            raise AlarmError(f"{self.code}: {back} must lie between zero and {over}")

"""A terminal that glows: a loose screw, before it becomes a fire."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, AlarmError, Finding, Restores, Severity, Timed
from fairwatt.core.alarms.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalTemperature(Timed):
    """Terminals hotter than ``limit_dc`` tenths of a degree. Cut, and a person tightens the screw first."""

    code: ClassVar[AlarmCode] = AlarmCode.TERMINAL_TEMPERATURE
    severity: ClassVar[Severity] = Severity.DANGER
    restores: ClassVar[Restores] = Restores.PERSON

    limit_dc: int = 850
    back_dc: int = 650
    protects: bool = True
    raise_after_us: int = 30_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        if self.back_dc > self.limit_dc:
            raise AlarmError("terminal_temperature: back_dc must not lie above limit_dc")

    def judge(self, *, now: Picture, raised: bool) -> Finding | None:
        """Compare with the limit, or with the lower bound once raised."""
        if now.terminal_temperature_dc is None:
            return None
        bad = now.terminal_temperature_dc > (self.back_dc if raised else self.limit_dc)
        return Finding(bad, (("temperature_dc", now.terminal_temperature_dc), ("limit_dc", self.limit_dc)))

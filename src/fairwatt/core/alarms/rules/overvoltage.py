"""Voltage that harms appliances, most often a broken neutral."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, Finding, Restores, Severity, Timed
from fairwatt.core.alarms.picture import Picture, known


@dataclass(frozen=True, slots=True, kw_only=True)
class Overvoltage(Timed):
    """A phase above ``limit_dv``. Measured before the relay, so power returns when it is over."""

    code: ClassVar[AlarmCode] = AlarmCode.OVERVOLTAGE
    severity: ClassVar[Severity] = Severity.DANGER
    restores: ClassVar[Restores] = Restores.WHEN_CLEAR

    limit_dv: int = 2_640
    back_dv: int = 2_500
    protects: bool = True
    raise_after_us: int = 10_000_000
    clear_after_us: int = 120_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        self._above(over="limit_dv", back="back_dv")

    def judge(self, *, now: Picture, raised: bool) -> Finding | None:
        """Look at the highest phase."""
        voltages = known(now.voltages_dv)
        if not voltages:
            return None
        highest = max(voltages)
        bad = highest > (self.back_dv if raised else self.limit_dv)
        return Finding(bad, (("voltage_dv", highest), ("limit_dv", self.limit_dv)))

"""Voltage so low that motors stall and burn."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, AlarmError, Finding, Restores, Timed
from fairwatt.core.alarms.picture import Picture, known


@dataclass(frozen=True, slots=True, kw_only=True)
class Undervoltage(Timed):
    """A phase below ``limit_dv``; over again above ``back_dv``. Below ``outage_dv`` there is no grid at all,
    which is another matter and is not told of a home."""

    code: ClassVar[AlarmCode] = AlarmCode.UNDERVOLTAGE
    restores: ClassVar[Restores] = Restores.WHEN_CLEAR

    limit_dv: int = 1_760
    back_dv: int = 1_870
    outage_dv: int = 500
    raise_after_us: int = 30_000_000
    clear_after_us: int = 120_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        if not 0 <= self.outage_dv < self.limit_dv <= self.back_dv:
            raise AlarmError("undervoltage: outage_dv < limit_dv <= back_dv")

    def judge(self, *, now: Picture, raised: bool) -> Finding | None:
        """Look at the lowest phase that has voltage."""
        voltages = [voltage for voltage in known(now.voltages_dv) if voltage >= self.outage_dv]
        if not voltages:
            return None
        lowest = min(voltages)
        bad = lowest < (self.back_dv if raised else self.limit_dv)
        return Finding(bad, (("voltage_dv", lowest), ("limit_dv", self.limit_dv)))

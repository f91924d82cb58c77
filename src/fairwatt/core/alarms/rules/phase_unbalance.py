"""One phase carries much more than another."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, AlarmError, Finding, Timed
from fairwatt.core.alarms.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseUnbalance(Timed):
    """The weakest of several phases is more than ``limit_pct`` below the strongest, which carries something."""

    code: ClassVar[AlarmCode] = AlarmCode.PHASE_UNBALANCE

    limit_pct: int = 60
    back_pct: int = 50
    from_ma: int = 10_000
    raise_after_us: int = 600_000_000
    clear_after_us: int = 600_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        self._above(over="limit_pct", back="back_pct")
        if not 0 < self.limit_pct < 100 or self.from_ma <= 0:
            raise AlarmError("phase_unbalance: the limit lies inside 1-99 per cent, the current above zero")

    def judge(self, *, now: Picture, raised: bool) -> Finding | None:
        """Compare the currents of all phases; one that is not measured makes the answer unknown."""
        if len(now.currents_ma) < 2 or None in now.currents_ma:
            return None
        currents = [abs(current or 0) for current in now.currents_ma]
        strongest, weakest = max(currents), min(currents)
        percent = (strongest - weakest) * 100 // strongest if strongest else 0
        bad = strongest >= self.from_ma and percent > (self.back_pct if raised else self.limit_pct)
        return Finding(bad, (("strongest_ma", strongest), ("weakest_ma", weakest), ("percent", percent)))

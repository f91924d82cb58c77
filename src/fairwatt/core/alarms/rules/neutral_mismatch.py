"""What goes in does not come back through the meter: a neutral borrowed from elsewhere, or a bypass."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, AlarmError, Finding, Timed
from fairwatt.core.alarms.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class NeutralMismatch(Timed):
    """Phase and neutral current of a single-phase meter differ by ``limit_ma`` and by ``limit_pct`` of the larger."""

    code: ClassVar[AlarmCode] = AlarmCode.NEUTRAL_MISMATCH

    limit_ma: int = 500
    limit_pct: int = 10
    raise_after_us: int = 300_000_000
    clear_after_us: int = 600_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        if self.limit_ma <= 0 or not 0 < self.limit_pct <= 100:
            raise AlarmError("neutral_mismatch: current above zero, per cent inside 1-100")

    def judge(self, *, now: Picture) -> Finding | None:
        """Compare the two currents; with several phases the neutral carries their difference by right."""
        if len(now.currents_ma) != 1 or now.currents_ma[0] is None or now.neutral_current_ma is None:
            return None
        phase, neutral = abs(now.currents_ma[0]), abs(now.neutral_current_ma)
        apart = abs(phase - neutral)
        bad = apart >= self.limit_ma and apart * 100 >= max(phase, neutral) * self.limit_pct
        return Finding(bad, (("phase_ma", phase), ("neutral_ma", neutral)))

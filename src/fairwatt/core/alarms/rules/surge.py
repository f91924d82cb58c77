"""Power that jumps by more than a home can switch on at once."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, AlarmError, Finding, Timed
from fairwatt.core.alarms.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge(Timed):
    """A rise of at least ``step_w`` between two pictures no further apart than ``within_us``."""

    code: ClassVar[AlarmCode] = AlarmCode.SURGE

    step_w: int
    within_us: int = 180_000_000
    clear_after_us: int = 600_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        if self.step_w <= 0 or self.within_us <= 0:
            raise AlarmError("surge: step and span must be above zero")

    def judge(self, *, now: Picture, before: Picture | None) -> Finding | None:
        """Compare with the picture before; without one there is no rise to speak of."""
        if before is None or now.total_w is None or before.total_w is None:
            return None
        if now.at_us - before.at_us > self.within_us:
            return None
        step_w = now.total_w - before.total_w
        # Power returning to a whole home is no surge: the relay closed in between.
        bad = step_w >= self.step_w and before.relay_closed is not False
        return Finding(bad, (("step_w", step_w), ("limit_w", self.step_w)))

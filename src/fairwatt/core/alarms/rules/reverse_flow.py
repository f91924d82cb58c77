"""Energy flows out of a home that has no leave to feed in: a meter wired backward, or a hidden source."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, AlarmError, Finding, Timed
from fairwatt.core.alarms.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseFlow(Timed):
    """Power below minus ``limit_w``, of the whole meter or of one phase."""

    code: ClassVar[AlarmCode] = AlarmCode.REVERSE_FLOW

    limit_w: int = 50
    raise_after_us: int = 60_000_000
    clear_after_us: int = 600_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        if self.limit_w < 0:
            raise AlarmError("reverse_flow: the limit is written as a positive power")

    def judge(self, *, now: Picture) -> Finding | None:
        """Look at the total and at each phase that is measured."""
        powers = [power for power in (now.total_w, *now.powers_w) if power is not None]
        if not powers:
            return None
        return Finding(min(powers) < -self.limit_w, (("power_w", min(powers)), ("limit_w", -self.limit_w)))

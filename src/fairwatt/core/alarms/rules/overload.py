"""More power than the connection may carry, for longer than a start-up takes."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, AlarmError, Finding, Restores, Severity, Timed
from fairwatt.core.alarms.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload(Timed):
    """Above ``limit_w``. Cut, and tried again after ``restore_after_us``, ``tries`` times; then a person comes.

    Tries are forgotten after ``tries_reset_us`` with power and without a cut.
    """

    code: ClassVar[AlarmCode] = AlarmCode.OVERLOAD
    severity: ClassVar[Severity] = Severity.DANGER
    restores: ClassVar[Restores] = Restores.TIMED

    limit_w: int
    back_pct: int = 90
    protects: bool = True
    raise_after_us: int = 30_000_000
    restore_after_us: int = 300_000_000
    tries: int = 3
    tries_reset_us: int = 3_600_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        if not 0 < self.back_pct <= 100:
            raise AlarmError("overload: back_pct is the part of the limit below which it is over")
        if self.limit_w <= 0 or self.restore_after_us <= 0 or self.tries < 0 or self.tries_reset_us < 0:
            raise AlarmError("overload: limit and wait must be above zero, tries not below")

    def judge(self, *, now: Picture, raised: bool) -> Finding | None:
        """Compare the total power with the limit, or with the lower bound once raised."""
        power_w = now.total_w
        if power_w is None:
            return None
        over = abs(power_w) > (self.limit_w * self.back_pct // 100 if raised else self.limit_w)
        return Finding(over, (("power_w", power_w), ("limit_w", self.limit_w)))

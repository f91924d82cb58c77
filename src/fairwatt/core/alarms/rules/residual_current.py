"""Current that leaves by a way it should not: through damp walls, or through somebody."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, Finding, Restores, Severity, Timed
from fairwatt.core.alarms.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualCurrent(Timed):
    """More than ``limit_ma`` leaks. This guards against fire; people are guarded by the breaker in the home."""

    code: ClassVar[AlarmCode] = AlarmCode.RESIDUAL_CURRENT
    severity: ClassVar[Severity] = Severity.DANGER
    restores: ClassVar[Restores] = Restores.PERSON

    limit_ma: int = 300
    back_ma: int = 150
    protects: bool = True

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        self._above(over="limit_ma", back="back_ma")

    def judge(self, *, now: Picture, raised: bool) -> Finding | None:
        """Compare with the limit, or with the lower bound once raised."""
        if now.residual_current_ma is None:
            return None
        bad = abs(now.residual_current_ma) > (self.back_ma if raised else self.limit_ma)
        return Finding(bad, (("residual_ma", now.residual_current_ma), ("limit_ma", self.limit_ma)))

"""How many homes may lose power within an hour before a person must say that this is meant.

One wrong price or one wrong list can empty every wallet at once. So cuts are counted, whoever ordered them: a
decision on credit, a gateway that was alone, a person. What goes beyond the limit is not done but asked.
"""

from dataclasses import dataclass
from typing import Final

from fairwatt.core.units import US_PER_MINUTE

WINDOW_US: Final = 60 * US_PER_MINUTE
METERS: Final = 20
SHARE: Final = 100
"""One meter in so many: one per cent."""


@dataclass(frozen=True, slots=True)
class MassCuts:
    """What a poster remembers: cuts by (instant, meter key), since when it holds back, until when it may not."""

    recent: tuple[tuple[int, int], ...] = ()
    held_since_us: int | None = None
    allowed_until_us: int = 0

    def counted(self, *, now_us: int) -> frozenset[int]:
        """Meters that lost power within the last hour."""
        return frozenset(key for at_us, key in self.recent if at_us > now_us - WINDOW_US)

    def noted(self, keys: frozenset[int], *, now_us: int) -> "MassCuts":
        """The same with more cuts, without those that are an hour old."""
        kept = tuple((at_us, key) for at_us, key in self.recent if at_us > now_us - WINDOW_US)
        known = {key for _, key in kept}
        fresh = tuple((now_us, key) for key in sorted(keys - known))
        return MassCuts((*kept, *fresh), self.held_since_us, self.allowed_until_us)


def credit_limit(*, meters: int) -> int:
    """Cuts an hour that credit alone may decide: 20, or one in a hundred where that is more.

    A building of three hundred homes has a handful on an ordinary morning; one of fifty would be asked every day
    if a single home were one too many.
    """
    return max(METERS, meters // SHARE)


def order_limit(*, meters: int) -> int:
    """Cuts an hour that one person may order: 20 or one in a hundred, whichever is less; one is always meant."""
    return max(1, min(METERS, meters // SHARE))

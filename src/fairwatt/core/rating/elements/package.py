"""A price for a day or an event, with some use included."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from fairwatt.core.rating.elements.base import TariffError, check_price
from fairwatt.core.rating.elements.periods import EVERY_DAY, Days
from fairwatt.core.rating.elements.standing_charge import MAX_PER_DAY_MICRO
from fairwatt.core.spans import Span


@dataclass(frozen=True, slots=True)
class Package:
    """``price_micro`` falls due when a chosen day or event begins; use beyond ``included_wh`` has its own price.

    Inside it use has no other energy price but the levies of elements beside the first one. Events are spans
    of time in order; without events it is for days.
    """

    price_micro: int
    included_wh: int
    beyond_micro: int
    name: str = "package"
    days: Days = EVERY_DAY
    events: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        check_price(self.beyond_micro, of=f"package {self.name!r}")
        if abs(self.price_micro) > MAX_PER_DAY_MICRO:
            raise TariffError(f"package {self.name!r}: the price is out of range")
        if self.included_wh < 0:
            raise TariffError(f"package {self.name!r}: less than nothing is included")
        self.days.check(of=f"package {self.name!r}")
        if any(event.end_us <= event.start_us for event in self.events):
            raise TariffError(f"package {self.name!r}: an event ends before it begins")
        if any(later.start_us < earlier.end_us for earlier, later in pairwise(self.events)):
            raise TariffError(f"package {self.name!r}: events overlap or are not in order")

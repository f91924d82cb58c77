"""Everything that is charged by use, boiled down to one row of numbers for a stretch of time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fairwatt.core.rating.elements.base import check_price
from fairwatt.core.rating.shares import fine_price


@dataclass(frozen=True, slots=True)
class Part:
    """One element's price of a unit in a stretch: its own bounds and a price for each of its blocks.

    ``period`` is the index of its period, -1 in a package.
    """

    element: str
    period: int
    bounds_wh: tuple[int, ...]
    prices_micro: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UnitRate:
    """What a unit costs in a stretch, by block: the sum over the parts, and the taxes on it.

    ``fine_tax`` is in millionths of a micro-unit per kWh. ``priced`` is false where a market price is missing;
    nothing may be charged there.
    """

    bounds_wh: tuple[int, ...]
    prices_micro: tuple[int, ...]
    fine_tax: tuple[int, ...]
    parts: tuple[Part, ...]
    priced: bool = True


def unit_rate(*, parts: tuple[Part, ...], taxed: dict[str, Fraction], priced: bool) -> UnitRate:
    """Lay the blocks of all parts over each other. ``taxed`` is the combined share on each element."""
    bounds = tuple(sorted({bound for part in parts for bound in part.bounds_wh if bound > 0}))
    prices, taxes = [], []
    for start in (0, *bounds):
        of_parts = [_price_from(part, start) for part in parts]
        check_price(sum(of_parts), of="all unit prices together")
        prices.append(sum(of_parts))
        taxes.append(
            sum(
                fine_price(price_micro=price, share=taxed[part.element])
                for part, price in zip(parts, of_parts, strict=True)
            )
        )
    return UnitRate(bounds, tuple(prices), tuple(taxes), parts, priced)


def _price_from(part: Part, start_wh: int) -> int:
    """The price of use that begins at a count."""
    return part.prices_micro[sum(bound <= start_wh for bound in part.bounds_wh)]

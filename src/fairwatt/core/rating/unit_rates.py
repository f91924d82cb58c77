"""Everything that is charged by use, boiled down to one row of numbers for a stretch of time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fairwatt.core.rating.elements.base import check_price
from fairwatt.core.rating.model import NoTariff
from fairwatt.core.rating.shares import fine_price
from fairwatt.core.spans import to_datetime
from fairwatt.core.units import WH_PER_KWH


class UnknownPrice(NoTariff):
    """Use or a purchase reached a block whose price the tariff does not know; nothing is charged or sold."""


@dataclass(frozen=True, slots=True)
class Part:
    """One element's price of a unit in a stretch: its own bounds and a price for each of its blocks.

    ``period`` is the index of its period, -1 in a package; a price that is ``None`` is not known.
    """

    element: str
    period: int
    bounds_wh: tuple[int, ...]
    prices_micro: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class UnitRate:
    """What a unit costs in a stretch, by block: the sum over the parts, and the taxes on it.

    ``fine_tax`` is in millionths of a micro-unit per kWh. ``priced`` is false where a market price is missing;
    nothing may be charged there. In the blocks that are ``unknown`` no use may be charged.
    """

    bounds_wh: tuple[int, ...]
    prices_micro: tuple[int, ...]
    fine_tax: tuple[int, ...]
    parts: tuple[Part, ...]
    priced: bool = True
    unknown: tuple[int, ...] = ()


def unit_rate(*, parts: tuple[Part, ...], taxed: dict[str, Fraction], priced: bool) -> UnitRate:
    """Lay the blocks of all parts over each other. ``taxed`` is the combined share on each element."""
    bounds = tuple(sorted({bound for part in parts for bound in part.bounds_wh if bound > 0}))
    prices, taxes, unknown = [], [], []
    for block, start in enumerate((0, *bounds)):
        known = [_price_from(part, start) for part in parts]
        if not known or None in known:
            unknown.append(block)
        of_parts = [price or 0 for price in known]
        check_price(sum(of_parts), of="all unit prices together")
        prices.append(sum(of_parts))
        taxes.append(
            sum(
                fine_price(price_micro=price, share=taxed[part.element])
                for part, price in zip(parts, of_parts, strict=True)
            )
        )
    return UnitRate(bounds, tuple(prices), tuple(taxes), parts, priced, tuple(unknown))


def unknown_price(*, rate: UnitRate, block: int, at_us: int) -> UnknownPrice:
    """Make the error of use, or of a purchase, that reaches a block whose price is not known."""
    start_wh = (0, *rate.bounds_wh)[block]
    names = ", ".join(repr(part.element) for part in rate.parts if _price_from(part, start_wh) is None)
    what = (
        f"the price of {names} is written as unknown" if names else "the tariff has charges only and no price"
    )
    whole, part = divmod(start_wh, WH_PER_KWH)
    above = f" above {whole}.{part:03d}".rstrip("0").rstrip(".") + " units" if start_wh else ""
    return UnknownPrice(
        f"{what} for use{above} at {to_datetime(at_us):%Y-%m-%d %H:%M} UTC; nothing is charged and supply stays on, "
        "enter the price and publish it"
    )


def _price_from(part: Part, start_wh: int) -> int | None:
    """The price of use that begins at a count."""
    return part.prices_micro[sum(bound <= start_wh for bound in part.bounds_wh)]

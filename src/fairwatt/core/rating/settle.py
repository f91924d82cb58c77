"""What is known only when a window closes: whole bands, minimum and demand charges, rebates; and all taxes.

Use is charged in time order at the prices known at the moment; ``settle_window`` says what the rule makes of
the whole window, and the difference is one visible line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import assert_never

from fairwatt.core.rating.elements.base import MILLI, PPM, RATE
from fairwatt.core.rating.elements.demand_charge import DemandCharge
from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks
from fairwatt.core.rating.elements.minimum_charge import MinimumCharge
from fairwatt.core.rating.elements.package import Package
from fairwatt.core.rating.elements.rebate import Rebate
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.elements.use_charge import UseCharge
from fairwatt.core.rating.elements.vending_charge import VendingCharge
from fairwatt.core.rating.model import TariffVersion
from fairwatt.core.rating.shares import lies_on
from fairwatt.core.rating.unit_rates import UnitRate
from fairwatt.core.units import NANO_PER_MICRO


@dataclass(frozen=True, slots=True)
class Cell:
    """Where use fell: version, price row, block of it, counting window, and the month that is settled."""

    version: int
    rate: UnitRate
    block: int
    window_us: int
    settle_us: int

    @property
    def from_wh(self) -> int:
        """The count at which the block begins."""
        return (0, *self.rate.bounds_wh)[self.block]


@dataclass(frozen=True, slots=True)
class WindowUse:
    """A window that closed, or its part in a bill: what each element charged, in micro-units, and what was used.

    ``charged`` holds energy, packages and standing charges by name; ``earlier`` what elements of the same names
    came to in the window under versions before this one. ``highest_w`` is the highest power that each demand
    charge measured.
    """

    charged: Mapping[str, Fraction]
    energy_wh: int
    days: int
    highest_w: Mapping[str, int]
    closed: bool
    earlier: Mapping[str, Fraction] = field(default_factory=dict)


def settle_window(*, version: TariffVersion, use: WindowUse) -> dict[str, Fraction]:
    """Return the exact amount of every element of a version over one window, in micro-units, in order.

    Elements that settle at the end of the window have none while it is open.
    """
    amounts: dict[str, Fraction] = {}
    for index, element in enumerate(version.elements):
        match element:
            case EnergyBlocks() | Package() | StandingCharge():
                amounts[element.name] = use.charged.get(element.name, Fraction(0))
            case Tax():
                base = _sum(amounts, lies_on(version, index, element.on))
                rate = Fraction(element.rate_e10, RATE)
                amounts[element.name] = Fraction(0) if element.included else rate * base
            case MinimumCharge():
                names = lies_on(version, index, element.on)
                base = _sum(amounts, names) + _sum(use.earlier, names)
                short = element.least_micro(days=use.days) - base
                amounts[element.name] = max(short, Fraction(0)) if use.closed else Fraction(0)
            case DemandCharge():
                highest_w = use.highest_w.get(element.name, 0)
                price = Fraction(element.billed_w(highest_w) * element.micro_per_kw, MILLI)
                price *= use.days if element.per_day else 1
                amounts[element.name] = price if use.closed else Fraction(0)
            case UseCharge():
                part = Fraction(*element.amount_of(energy_wh=use.energy_wh, days=use.days))
                amounts[element.name] = part if use.closed else Fraction(0)
            case Rebate():
                names = lies_on(version, index, element.on)
                base = _sum(amounts, names) + _sum(use.earlier, names)
                amounts[element.name] = -_rebated(element, base, use.energy_wh) if use.closed else Fraction(0)
            case VendingCharge():
                continue
            case _:
                assert_never(element)
    return amounts


def included_taxes(*, version: TariffVersion, amounts: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Return what of the amounts is a tax that lies in the prices: gross x rate / (1 + rate)."""
    found = {}
    for index, element in enumerate(version.elements):
        if isinstance(element, Tax) and element.included:
            gross = _sum(amounts, lies_on(version, index, element.on))
            found[element.name] = gross * element.rate_e10 / (RATE + element.rate_e10)
    return found


def true_up(
    *, energy: EnergyBlocks, cells: Iterable[tuple[Cell, int]], before_wh: int, total_wh: int, days: int
) -> Fraction:
    """Return what the rule of a whole band asks beyond what was charged in time order, in micro-units.

    ``cells`` are the uses of one counting window under one version, ``before_wh`` what the window held before
    them; that part is priced again too where the element has one period.
    """
    case = energy.case_of(total_wh, days=days)
    bounds = energy.scaled(case.bounds_wh, days=days)
    nano = 0
    for cell, wh in cells:
        part = next((p for p in cell.rate.parts if p.element == energy.name), None)
        if part is None or cell.from_wh < energy.free_wh:
            continue
        charged = part.prices_micro[sum(bound <= cell.from_wh for bound in part.bounds_wh)]
        assert charged is not None, "no use is charged at a price that is not known"
        final = case.prices_micro[part.period][sum(bound <= cell.from_wh for bound in bounds)]
        nano += wh * (final - charged)
    if before_wh and len(energy.periods) == 1:
        provisional = energy.scaled(energy.bounds_wh, days=days)
        nano += _priced(before_wh, energy.free_wh, bounds, case.prices_micro[0])
        nano -= _priced(before_wh, energy.free_wh, provisional, energy.periods[0].prices_micro)
    return Fraction(nano, NANO_PER_MICRO)


def _priced(wh: int, free_wh: int, bounds: tuple[int, ...], prices: tuple[int | None, ...]) -> int:
    edges = [0, *bounds, max(wh, *bounds, 0) if bounds else wh]
    total = 0
    for price, (low, high) in zip(prices, pairwise(edges), strict=True):
        total += (price or 0) * max(0, min(wh, high) - max(low, free_wh))
    return total


def _rebated(rebate: Rebate, base: Fraction, energy_wh: int) -> Fraction:
    if base <= 0:
        return Fraction(0)
    if not rebate.cases:
        return min(Fraction(rebate.amount_micro), base)
    case = rebate.case_of(energy_wh)
    if case is None:
        return Fraction(0)
    back = base * case.rate_ppm / PPM
    return back if case.cap_micro is None else min(back, Fraction(case.cap_micro))


def _sum(amounts: Mapping[str, Fraction], names: Iterable[str]) -> Fraction:
    return sum((amounts.get(name, Fraction(0)) for name in names), Fraction(0))

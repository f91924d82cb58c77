"""What a purchase buys: charges that fall due at the till, then energy, block after block. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from fairwatt.core.rating.elements.base import PPM, month_of
from fairwatt.core.rating.elements.vending_charge import VendingCharge
from fairwatt.core.rating.model import Schedule, TariffVersion
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.shares import FINE_PER_KWH, share_on, shares
from fairwatt.core.rating.unit_rates import UnknownPrice, unknown_price
from fairwatt.core.spans import date_start, local_date
from fairwatt.core.units import NANO_PER_MICRO


class BeyondKnownPrices(UnknownPrice):
    """A payment would buy energy whose price is not known; ``sold_wh`` is the most that can be bought."""

    def __init__(self, why: str, *, sold_wh: Fraction) -> None:
        super().__init__(f"{why}; at most {sold_wh.__floor__()} Wh can be sold now, take less money")
        self.sold_wh = sold_wh


class NothingToBuy(ValueError):
    """The price at the till is zero or below, so no amount of energy answers to the money."""


@dataclass(frozen=True, slots=True)
class TillState:
    """What the till remembers of an account: the month, what was bought, paid and collected in it, arrears."""

    month_us: int = 0
    bought_wh: int = 0
    paid_micro: int = 0
    collected_micro: Mapping[str, Fraction] = field(default_factory=dict)
    arrears_micro: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """What a payment comes to: parts by name with the taxes on them, money left for energy, and the energy.

    ``energy_wh`` is what the units work out to, in whole Wh rounded down; ``exact_wh`` is unrounded.
    """

    paid_micro: int
    parts: Mapping[str, Fraction]
    energy_micro: Fraction
    exact_wh: Fraction
    after: TillState

    @property
    def energy_wh(self) -> int:
        """The energy sold, in whole Wh."""
        return self.exact_wh.__floor__()


def quote(
    *,
    schedule: Schedule,
    at_us: int,
    paid_micro: int,
    state: TillState,
    owed_standing_micro: Fraction = Fraction(0),
) -> Quote:
    """Say what a payment buys at an instant, under prices of one account (``Schedule.for_account``).

    ``owed_standing_micro`` are standing charges that have not been paid yet; they go first. A version of charges
    only sells no energy, and leaves the money for it. Raises ``NoTariff``, and ``BeyondKnownPrices`` when the money
    buys more than what has a price.
    """
    version = schedule.versions[schedule.version_index_at(at_us=at_us)]
    state = _this_month(schedule, version, at_us, state)
    left = Fraction(paid_micro)
    parts: dict[str, Fraction] = {}
    if owed_standing_micro:
        parts["standing"] = min(left, owed_standing_micro)
        left -= parts["standing"]
    collected = dict(state.collected_micro)
    arrears = Fraction(state.arrears_micro)
    for charge in (e for e in version.elements if isinstance(e, VendingCharge)):
        gross = 1 + share_on(version, charge.name)
        taken = min(left, _due(charge, gross, paid_micro, state, arrears))
        parts[charge.name] = taken
        left -= taken
        if charge.kind == "per_month":
            collected[charge.name] = collected.get(charge.name, Fraction(0)) + taken
        if charge.kind == "arrears_percent":
            arrears -= taken
    wh = _units(schedule, version, at_us, state.bought_wh, left)
    after = replace(
        state,
        bought_wh=state.bought_wh + wh.__floor__(),
        paid_micro=state.paid_micro + paid_micro,
        collected_micro=collected,
        arrears_micro=arrears.__ceil__(),
    )
    return Quote(paid_micro, parts, left, wh, after)


def payment_for(
    *,
    schedule: Schedule,
    at_us: int,
    energy_wh: int,
    state: TillState,
    owed_standing_micro: Fraction = Fraction(0),
) -> int:
    """Return the least payment, in micro-units, that buys at least so much energy; the way back of ``quote``."""
    low, high = 0, 1_000_000
    while _buys(schedule, at_us, high, state, owed_standing_micro, energy_wh) < energy_wh:
        low, high = high, high * 2
        if high > 10**18:
            raise NothingToBuy("no payment buys that much energy under this tariff")
    while low < high:
        middle = (low + high) // 2
        if _buys(schedule, at_us, middle, state, owed_standing_micro, energy_wh) >= energy_wh:
            high = middle
        else:
            low = middle + 1
    return low


def tax_parts(*, version: TariffVersion, name: str, gross_micro: Fraction) -> dict[str, Fraction]:
    """Split a part of a quote into the charge itself and each tax on it."""
    rates = {tax: mine.get(name, Fraction(0)) for tax, mine in shares(version).items()}
    net = gross_micro / (1 + sum(rates.values(), Fraction(0)))
    return {name: net, **{tax: net * rate for tax, rate in rates.items() if rate}}


def _buys(
    schedule: Schedule,
    at_us: int,
    paid_micro: int,
    state: TillState,
    owed_micro: Fraction,
    energy_wh: int,
) -> Fraction:
    try:
        return quote(
            schedule=schedule, at_us=at_us, paid_micro=paid_micro, state=state, owed_standing_micro=owed_micro
        ).exact_wh
    except BeyondKnownPrices as beyond:
        if beyond.sold_wh < energy_wh:
            raise
        return beyond.sold_wh


def _this_month(schedule: Schedule, version: TariffVersion, at_us: int, state: TillState) -> TillState:
    """The state in the month of the purchase; what another month collected or bought does not count."""
    day = local_date(zone=schedule.zone, at_us=at_us)
    month_us = date_start(zone=schedule.zone, day=month_of(day, start_day=version.month_start_day)[0])
    if state.month_us == month_us:
        return state
    bought = state.bought_wh if state.month_us == 0 else 0
    return TillState(month_us=month_us, bought_wh=bought, arrears_micro=state.arrears_micro)


def _due(
    charge: VendingCharge, gross: Fraction, paid_micro: int, state: TillState, arrears: Fraction
) -> Fraction:
    """What a charge asks of a payment, taxes on it included."""
    match charge.kind:
        case "per_purchase":
            return charge.amount_micro * gross
        case "percent":
            return Fraction(paid_micro * charge.rate_ppm, PPM) * gross
        case "arrears_percent":
            return min(arrears, Fraction(paid_micro * charge.rate_ppm, PPM))
        case "per_month":
            open_micro = charge.amount_micro * gross - state.collected_micro.get(charge.name, Fraction(0))
            if state.paid_micro + paid_micro < charge.split_below_micro:
                return min(open_micro, Fraction(paid_micro * charge.split_ppm, PPM))
            return max(Fraction(0), open_micro)


def _units(
    schedule: Schedule, version: TariffVersion, at_us: int, bought_wh: int, money: Fraction
) -> Fraction:
    """The energy that money buys at the prices of the instant, from a count on, taxes included."""
    if not version.energies and not version.packages:
        return Fraction(0)
    table = SegmentTable(schedule=schedule)
    first, _ = table.locate(start_us=at_us, end_us=at_us + 1)
    rate = table.rate[first]
    count, bought = Fraction(bought_wh), Fraction(0)
    edges: list[int | None] = [*rate.bounds_wh, None]
    for block, (bound, price, fine) in enumerate(zip(edges, rate.prices_micro, rate.fine_tax, strict=True)):
        if bound is not None and count >= bound:
            continue
        if block in rate.unknown:
            if money < 1:  # micro-units are the least money: what is left buys nothing
                break
            raise BeyondKnownPrices(str(unknown_price(rate=rate, block=block, at_us=at_us)), sold_wh=bought)
        per_wh = (price + Fraction(fine, FINE_PER_KWH)) / NANO_PER_MICRO
        room = None if bound is None else bound - count
        if per_wh <= 0:
            if room is None:
                raise NothingToBuy(
                    "energy costs nothing at this moment, so no amount of it answers to the money"
                )
            count, bought = count + room, bought + room
            continue
        taken = money / per_wh
        if room is not None and taken >= room:
            taken = room
        count, bought, money = count + taken, bought + taken, money - taken * per_wh
        if money == 0:
            break
    return bought

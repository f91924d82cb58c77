"""Today's prices of a tariff: which one is in force now, and how much energy an amount buys."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fairwatt.core.rating.live import as_live
from fairwatt.core.rating.model import NoTariff, Schedule, TariffVersion
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import local_datetime
from fairwatt.core.units import BP, Unit
from fairwatt.store.models import TariffPublication

SLOT_MINUTES: Final = 30
SLOTS_A_DAY: Final = 48


@dataclass(frozen=True, kw_only=True)
class Band:
    """A stretch of today with one price: wall-clock minutes, the period's name, micro-units per kWh.

    `dearest` marks the highest price of a day that has more than one.
    """

    start_min: int
    end_min: int
    name: str
    price_micro: int
    dearest: bool


@dataclass(frozen=True, kw_only=True)
class PriceAt:
    """The price of one instant: period, block (from 1) and how far the block reaches (`None`: no end)."""

    period: str
    price_micro: int
    block: int
    blocks: int
    bound_wh: int | None


def published_schedule(*, plan_id: int) -> Schedule | None:
    """The newest publication of a plan, or `None` before its first."""
    newest = TariffPublication.objects.filter(plan_id=plan_id).order_by("-id").first()
    return None if newest is None else _parsed(newest.text)


def unit_of(*, schedule: Schedule | None) -> Unit:
    """What a home's use is counted in on its pages; kWh before it has a tariff."""
    return "kWh" if schedule is None else schedule.unit


@lru_cache(maxsize=64)
def _parsed(text: str) -> Schedule:
    return as_live(parse_schedule(text))


def version_at(*, schedule: Schedule, at_us: int) -> TariffVersion | None:
    """The version in force at an instant; `None` before the first and when the last has ended."""
    try:
        return schedule.versions[schedule.version_index_at(at_us=at_us)]
    except NoTariff:
        return None


def bands_of_day(*, schedule: Schedule, at_us: int, counter_wh: int) -> tuple[Band, ...]:
    """The price bands of the local day of `at_us`, at the block that use has reached; none where one is unknown."""
    version = version_at(schedule=schedule, at_us=at_us)
    if version is None:
        return ()
    local = local_datetime(zone=schedule.zone, at_us=at_us)
    block = bisect_right(version.energy.bounds_wh, counter_wh)
    plan = schedule.day_plan(version=version, day=local.date())
    known = [version.energy.periods[index].prices_micro[block] for _, _, index in plan]
    prices = [price for price in known if price is not None]
    if len(prices) < len(known):
        return ()
    highest = max(prices) if len(set(prices)) > 1 else None
    return tuple(
        Band(
            start_min=start,
            end_min=end,
            name=version.energy.periods[index].name,
            price_micro=price,
            dearest=price == highest,
        )
        for (start, end, index), price in zip(plan, prices, strict=True)
    )


def price_at(*, schedule: Schedule, version_number: int, at_us: int, counter_wh: int) -> PriceAt | None:
    """What a kWh cost at an instant under a version; `None` when the schedule has no such version or price."""
    version = next((v for v in schedule.versions if v.number == version_number), None)
    if version is None:
        return None
    local = local_datetime(zone=schedule.zone, at_us=at_us)
    minute = local.hour * 60 + local.minute
    plan = schedule.day_plan(version=version, day=local.date())
    period = version.energy.periods[next(index for start, end, index in plan if start <= minute < end)]
    bounds = version.energy.bounds_wh
    block = bisect_right(bounds, counter_wh)
    price = period.prices_micro[block]
    if price is None:
        return None
    return PriceAt(
        period=period.name,
        price_micro=price,
        block=block + 1,
        blocks=len(bounds) + 1,
        bound_wh=bounds[block] if block < len(bounds) else None,
    )


def energy_for(
    *, schedule: Schedule, at_us: int, counter_wh: int, available_micro: int, slots_wh: Sequence[int]
) -> int | None:
    """Watt-hours that an amount buys at today's prices, block after block.

    The periods of the day are weighted by when this home uses energy: `slots_wh` is its use per half hour of
    the day (all zero weighs every half hour alike). Standing charges are left out. `None` without a tariff, at
    prices of zero and below, and where the amount reaches a block whose price is not known.
    """
    version = version_at(schedule=schedule, at_us=at_us)
    if version is None:
        return None
    left, counter, bought = max(0, available_micro), counter_wh, 0
    bounds = version.energy.bounds_wh
    for block in range(bisect_right(bounds, counter), len(bounds) + 1):
        price = _mean_price(schedule, version, at_us, block, slots_wh)
        if price is None or price <= 0:
            return None
        affordable = left * 1000 // price
        room = bounds[block] - counter if block < len(bounds) else affordable
        taken = min(room, affordable)
        bought, counter, left = bought + taken, counter + taken, left - taken * price // 1000
        if taken == affordable:
            break
    return bought


def _mean_price(
    schedule: Schedule, version: TariffVersion, at_us: int, block: int, slots_wh: Sequence[int]
) -> int | None:
    local = local_datetime(zone=schedule.zone, at_us=at_us)
    plan = schedule.day_plan(version=version, day=local.date())
    weights = [max(0, wh) for wh in slots_wh[:SLOTS_A_DAY]]
    if sum(weights) == 0:
        weights = [1] * SLOTS_A_DAY
    total = 0
    for slot, weight in enumerate(weights):
        minute = slot * SLOT_MINUTES
        index = next(index for start, end, index in plan if start <= minute < end)
        price = version.energy.periods[index].prices_micro[block]
        if price is None:
            return None
        total += weight * price
    return total * (BP + version.energy_tax_bp) // (BP * sum(weights))

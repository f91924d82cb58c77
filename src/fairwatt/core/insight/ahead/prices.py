"""A tariff over the days to come: what each half hour costs by block, where counting windows begin, what falls due."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np

from fairwatt.core.insight.ahead.use import DAYS_AHEAD, DAYS_BACK, Ints
from fairwatt.core.rating.elements.periods import WEEKEND, WORKDAY, Calendar, kind_of
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.shares import FINE
from fairwatt.core.rating.unit_rates import UnitRate
from fairwatt.core.spans import Span, date_start, local_date
from fairwatt.core.units import INT64_MAX, US_PER_MINUTE

SLOTS: Final = 48
_SLOT_US: Final = 30 * US_PER_MINUTE
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6
_FINE_PER_KWH: Final = 1_000_000
_BEFORE: Final = 28
"""Days before today whose mean stands in for prices that are not known yet (a market's, of the day after tomorrow)."""


@dataclass(frozen=True, slots=True)
class Days:
    """The local days a forecast looks at: today is the first ahead, yesterday the newest behind."""

    zone: str
    today: date
    starts_us: tuple[int, ...]
    """beginnings of the days ahead, and the end of the last"""
    back_us: tuple[int, ...]
    """beginnings of the days behind, oldest first, and the beginning of today"""


def days_around(*, zone: str, at_us: int) -> Days:
    """The days ahead and behind of an instant."""
    today = local_date(zone=zone, at_us=at_us)
    ahead = (date_start(zone=zone, day=today + timedelta(days=n)) for n in range(DAYS_AHEAD + 1))
    back = (date_start(zone=zone, day=today - timedelta(days=n)) for n in range(DAYS_BACK, -1, -1))
    return Days(zone, today, tuple(ahead), tuple(back))


def kinds_around(*, days: Days, calendar: Calendar) -> tuple[Ints, Ints]:
    """Weekdays of the days behind and ahead; a holiday of the tariff is lived like a Sunday."""
    known = calendar.lookup()

    def kind(day: date) -> int:
        said = kind_of(day, known=known).type
        if said == WORKDAY:
            return min(day.weekday(), _FRIDAY)
        return max(day.weekday(), _SATURDAY) if said == WEEKEND else _SUNDAY

    back = [kind(days.today - timedelta(days=n)) for n in range(DAYS_BACK, 0, -1)]
    ahead = [kind(days.today + timedelta(days=n)) for n in range(DAYS_AHEAD)]
    return np.array(back, dtype=np.int64), np.array(ahead, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class PricesAhead:
    """Prices with their taxes, micro-units per kWh: ``price[plan of the day, block, half hour]``.

    ``bounds`` are the blocks of each day in Wh of its counting window, ``window_day`` the day ahead on which that
    begins (0 also for the one that runs already). ``first_micro`` falls due as a day begins, ``last_micro`` as it ends.
    ``guessed_from`` is the first day some price of which is a mean of known ones, ``None`` where all are known.
    """

    price: Ints
    plan_of: Ints
    bounds: Ints
    window_day: Ints
    window_us: int
    first_micro: Ints
    last_micro: Ints
    kinds_back: Ints
    kinds_ahead: Ints
    guessed_from: int | None


def prices_ahead(*, schedule: Schedule, days: Days) -> PricesAhead:
    """Unroll a schedule over the days ahead. Raises ``NoTariff`` where none is in force today.

    A tariff that ends goes on as it is: what follows it is not known. What closing a month settles is not in it.
    """
    last = schedule.versions[-1]
    if last.until_us is not None:
        schedule = replace(schedule, versions=(*schedule.versions[:-1], replace(last, until_us=None)))
    schedule.version_index_at(at_us=days.starts_us[0])
    since_us = max(days.back_us[-_BEFORE - 1], schedule.versions[0].effective_us)
    table = SegmentTable(schedule=schedule, span=Span(since_us, days.starts_us[-1]))
    rates = [_rates(table, start) for start in days.starts_us[:-1]]
    unpriced = [n for n, row in enumerate(rates) if any(_missing(rate) for rate in row)]
    blocks = max(len(rate.bounds_wh) for row in rates for rate in row) + 1
    known = [_rates(table, start) for start in days.back_us[-_BEFORE - 1 : -1] if start >= since_us]
    stand_in = _mean_of([*known, *rates], blocks) if unpriced else None
    numbers: dict[tuple[int, ...], int] = {}
    price: list[list[list[int]]] = []
    plan_of: list[int] = []
    for row in rates:
        key = tuple(id(rate) for rate in row)
        if key not in numbers:
            numbers[key] = len(price)
            price.append(_row(row, blocks, stand_in))
        plan_of.append(numbers[key])
    windows = [table.window_us[_at(table, start)] for start in days.starts_us[:-1]]
    back, ahead = kinds_around(days=days, calendar=schedule.calendar)
    fixed = [_fixed(table, a, b) for a, b in zip(days.starts_us, days.starts_us[1:], strict=False)]
    return PricesAhead(
        price=np.array(price, dtype=np.int64),
        plan_of=np.array(plan_of, dtype=np.int64),
        bounds=np.array([_bounds(row[0], blocks) for row in rates], dtype=np.int64),
        window_day=np.array([windows.index(window) for window in windows], dtype=np.int64),
        window_us=windows[0],
        first_micro=np.array([first for first, _ in fixed], dtype=np.int64),
        last_micro=np.array([end for _, end in fixed], dtype=np.int64),
        kinds_back=back,
        kinds_ahead=ahead,
        guessed_from=unpriced[0] if unpriced else None,
    )


def _at(table: SegmentTable, at_us: int) -> int:
    return bisect_right(table.starts_us, at_us) - 1


def _rates(table: SegmentTable, start_us: int) -> list[UnitRate]:
    return [table.rate[_at(table, start_us + n * _SLOT_US)] for n in range(SLOTS)]


def _missing(rate: UnitRate) -> bool:
    return not rate.priced or bool(rate.unknown)


def _row(rates: Sequence[UnitRate], blocks: int, stand_in: Ints | None) -> list[list[int]]:
    """(blocks, half hours) of one day; what is not known is the mean of what was."""
    # An event within a day has an own count of what it includes; what is used in it is taken to be beyond that.
    inside = [rate.bounds_wh == rates[0].bounds_wh for rate in rates]
    made = [
        [_price(rate, block if same else blocks) for rate, same in zip(rates, inside, strict=True)]
        for block in range(blocks)
    ]
    for slot, rate in enumerate(rates):
        if stand_in is not None and _missing(rate):
            for block in range(blocks):
                if not rate.priced or block in rate.unknown:
                    made[block][slot] = int(stand_in[block, slot])
    return made


def _price(rate: UnitRate, block: int) -> int:
    at = min(block, len(rate.prices_micro) - 1)
    return rate.prices_micro[at] + rate.fine_tax[at] // _FINE_PER_KWH


def _mean_of(rows: Sequence[Sequence[UnitRate]], blocks: int) -> Ints:
    """Of every half hour and block, the mean of the days on which its price is known; else of the dearest known."""
    total = np.zeros((blocks, SLOTS), dtype=np.int64)
    count = np.zeros((blocks, SLOTS), dtype=np.int64)
    for row in rows:
        for slot, rate in enumerate(row):
            for block in range(blocks):
                if rate.priced and block not in rate.unknown:
                    total[block, slot] += _price(rate, block)
                    count[block, slot] += 1
    mean: Ints = total // np.maximum(count, 1)
    return np.where(count > 0, mean, mean.max())


def _bounds(rate: UnitRate, blocks: int) -> list[int]:
    return [*rate.bounds_wh, *[INT64_MAX] * (blocks - 1 - len(rate.bounds_wh))]


def _fixed(table: SegmentTable, start_us: int, end_us: int) -> tuple[int, int]:
    """What falls due inside a day, and at the midnight that ends it; with taxes."""
    inside, fine = table.standing_between(start_us=start_us, end_us=end_us - 1)
    ending, ending_fine = table.standing_between(start_us=end_us - 1, end_us=end_us)
    return inside + fine // FINE, ending + ending_fine // FINE

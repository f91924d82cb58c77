"""London homes of 2013 day by day: what each was forecast on every morning, and what it then came to pay."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from fairwatt.core.insight.ahead.cost import cost_ahead
from fairwatt.core.insight.ahead.look import tenths_of
from fairwatt.core.insight.ahead.picks import picks
from fairwatt.core.insight.ahead.prices import SLOTS, days_around, prices_ahead
from fairwatt.core.insight.ahead.use import DAYS_AHEAD, DAYS_BACK, UNKNOWN, Ints, use_ahead
from fairwatt.core.insight.ahead.widening import Widening, widened
from fairwatt.core.insight.past_use import PastUse, of_intervals
from fairwatt.core.insight.try_tariff import try_tariff
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import Span, date_start, month_start
from fairwatt.core.units import US_PER_DAY

DATA = Path(__file__).parent / "data" / "london_2013_days.csv.gz"
ZONE = "Etc/UTC"
NEW_YEAR = date(2013, 1, 1)
YEAR = 365
_AT_ONCE = 64
TARIFF = """
fairwatt_tariff: 1
name: {name}
currency: GBP
zone: Etc/UTC
versions:
  - effective: 2012-01-01
    elements:
{elements}
"""
FLAT = TARIFF.format(name="London 2013, standard", elements='      - energy: {price: "0.14228"}')
TIERED = TARIFF.format(
    name="three blocks a month and a standing charge",
    elements="""      - energy: {counter: month, blocks_kwh: [150, 400], prices: ["0.10", "0.16", "0.26"]}
      - standing: {per_day: "0.24"}""",
)


def homes() -> Ints:
    """Wh of every day of 2013: (homes, 365)."""
    with gzip.open(DATA, "rt") as file:
        return np.array([[int(wh) for wh in row.split(",")[1:]] for row in file], dtype=np.int64)


def start_us(day: int) -> int:
    """The beginning of a day of the year."""
    return date_start(zone=ZONE, day=NEW_YEAR + timedelta(days=day))


@dataclass(frozen=True, kw_only=True)
class Year:
    """(days, homes, days ahead), running totals as forecast on the morning of each day; ``paid`` what a day came to.

    ``low``, ``mid`` and ``high`` are all that will be charged; ``due`` of it is by the calendar. ``spike``, (days,
    homes, 2), is what one in twenty exceeds in one day and in two. Days before ``first`` have no forecast.
    """

    first: int
    paid: Ints
    low: Ints
    mid: Ints
    high: Ints
    due: Ints
    spike: Ints

    def widened(self, *, day: int, home: int, by: Widening, history: int = DAYS_BACK) -> tuple[Ints, Ints]:
        """The range of one morning, as a wallet is told it."""
        due = self.due[day]
        low, high = widened(
            low=self.low[day, home][None] - due,
            mid=self.mid[day, home][None] - due,
            high=self.high[day, home][None] - due,
            history=history,
            by=by,
        )
        return low[0] + due, high[0] + due

    def total(self) -> Ints:
        """What each home had paid by the beginning of each day: (homes, 366)."""
        return np.pad(np.cumsum(self.paid, axis=1), ((0, 0), (1, 0)))


def look(*, tariff: str, history: int = DAYS_BACK, every: int = 1) -> Year:
    """Forecast every home on every (or every n-th) morning of the year by what was known until then."""
    use = homes()
    schedule = parse_schedule(tariff)
    shape = (YEAR + 1, use.shape[0], DAYS_AHEAD)
    low, mid, high = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    due = np.zeros((YEAR + 1, DAYS_AHEAD), dtype=np.int64)
    spike = np.zeros((YEAR + 1, use.shape[0], 2), dtype=np.int64)
    even = np.ones((_AT_ONCE, 2, SLOTS), dtype=np.int64)
    for day in range(DAYS_BACK, YEAR + 1, every):
        prices = prices_ahead(schedule=schedule, days=days_around(zone=ZONE, at_us=start_us(day)))
        drawn = picks(seed=day, draws=DAYS_AHEAD)
        past = use[:, day - DAYS_BACK : day].copy()
        past[:, : DAYS_BACK - history] = UNKNOWN
        month = (month_start(zone=ZONE, at_us=start_us(day)) - start_us(0)) // US_PER_DAY
        counter = use[:, month:day].sum(axis=1)
        due[day] = np.cumsum(prices.first_micro + prices.last_micro)
        for begin in range(0, use.shape[0], _AT_ONCE):
            some = slice(begin, begin + _AT_ONCE)
            ahead = use_ahead(
                energy_wh=past[some], kinds=prices.kinds_back, kinds_ahead=prices.kinds_ahead, drawn=drawn
            )
            costs = cost_ahead(
                use_wh=ahead, prices=prices, shape=even[: ahead.shape[0]], counter_wh=counter[some]
            )
            tenths = tenths_of(costs)
            spike[day, some] = costs[:, :2, -10]
            for into, values in ((low, tenths.low), (mid, tenths.mid), (high, tenths.high)):
                into[day, some] = values + due[day]
    return Year(first=DAYS_BACK, paid=paid(schedule, use), low=low, mid=mid, high=high, due=due, spike=spike)


def paid(schedule: Schedule, use: Ints) -> Ints:
    """What the rating core charges for every day: the truth, worked out by other code than the forecast's."""
    count = use.shape[0]
    edges = np.array([start_us(day) for day in range(YEAR + 1)], dtype=np.int64)
    span = Span(start_us(0), start_us(YEAR))
    past: PastUse = of_intervals(
        home=np.repeat(np.arange(count, dtype=np.int64), YEAR),
        start_at=np.tile(edges[:-1], count),
        end_at=np.tile(edges[1:], count),
        energy_wh=use.ravel(),
        span=span,
        homes=tuple(map(str, range(count))),
    )
    return try_tariff(schedule=schedule, use=past, span=span).rows.reshape(count, YEAR)

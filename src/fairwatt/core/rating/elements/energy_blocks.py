"""Price per unit of use, by block of use (tier) and by time of use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Final, Literal, get_args

from fairwatt.core.rating.elements.base import (
    MAX_ENERGY_WH,
    MAX_PRICE_MICRO,
    MILLI,
    MINUTES_PER_DAY,
    DoublyPriced,
    PriceOutOfRange,
    TariffError,
    UnpricedInstant,
    half_up,
)
from fairwatt.core.rating.elements.market_price import MarketPrice
from fairwatt.core.rating.elements.periods import (
    DateRange,
    DayKind,
    DayPlan,
    Period,
    check_every_day,
    natural_type,
    plan_day,
)

__all__ = [
    "COUNTERS",
    "MAX_ENERGY_WH",
    "MAX_PRICE_MICRO",
    "MINUTES_PER_DAY",
    "Case",
    "Counter",
    "DayPlan",
    "DoublyPriced",
    "EnergyBlocks",
    "Extra",
    "Period",
    "PriceOutOfRange",
    "SeasonBounds",
    "TariffError",
    "UnpricedInstant",
]

Counter = Literal["none", "day", "month", "year", "bill", "purchase_month"]
COUNTERS: Final[tuple[str, ...]] = get_args(Counter)
AVERAGE: Final = "average"
"""The account's parameter that tells the average of its last three windows, in Wh."""


@dataclass(frozen=True, slots=True)
class Extra:
    """Raises every bound for a large household: ``wh`` for each beyond ``at_milli``, or once from there on."""

    parameter: str
    each: bool
    at_milli: int
    wh: int

    def raised_wh(self, value_milli: int) -> int:
        """How much a household of this size adds."""
        if self.each:
            return max(0, value_milli - self.at_milli) * self.wh // MILLI
        return self.wh if value_milli >= self.at_milli else 0


@dataclass(frozen=True, slots=True)
class SeasonBounds:
    """The bounds that count on some dates of the year."""

    dates: tuple[DateRange, ...]
    bounds_wh: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A price list for windows whose total is at most ``upto_wh`` (``None``: any). ``prices_micro[p][b]``."""

    upto_wh: int | None
    bounds_wh: tuple[int, ...]
    prices_micro: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class EnergyBlocks:
    """Energy price by block of cumulative use and by period.

    ``counter`` is the local window after which use counts from zero again (``none``: never, and then there
    are no blocks). ``bounds_wh`` are the rising upper bounds of all blocks but the last, counted over all
    periods together; ``()`` is a flat price. With ``per_days`` they hold for so many days and are scaled to
    the days of the window. ``cases`` choose a price list by the total of the window; then bounds and prices
    are those charged while the total is not known. Raises ``UnpricedInstant`` or ``DoublyPriced`` unless
    exactly one period prices every minute of every kind of day.
    """

    counter: Counter
    bounds_wh: tuple[int, ...]
    periods: tuple[Period, ...]
    name: str = "energy"
    start_day: int = 1
    start_date: tuple[int, int] = (1, 1)
    per_days: int = 0
    block_unit_wh: int = 1
    by_season: tuple[SeasonBounds, ...] = ()
    extra: tuple[Extra, ...] = ()
    raised_wh: int = 0
    free_wh: int = 0
    cases: tuple[Case, ...] = ()
    decide_by: Literal["total", "average"] = "total"
    market: MarketPrice | None = None
    clock_min: int | None = None
    day_types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.counter not in COUNTERS:
            raise TariffError(f"counter {self.counter!r} is none of {', '.join(COUNTERS)}")
        if (self.bounds_wh or self.free_wh) and self.counter == "none":
            raise TariffError("blocks need a counter: say whether use counts per month or per year")
        for bounds in (self.bounds_wh, *(season.bounds_wh for season in self.by_season)):
            _check_rising(bounds)
            if len(bounds) != len(self.bounds_wh):
                raise TariffError("every season needs the same number of blocks")
        if self.market is not None and self.bounds_wh:
            raise TariffError("a market price has no blocks; put a second energy element beside it")
        blocks = len(self.bounds_wh) + 1
        for period in self.periods:
            if len(period.prices_micro) != blocks:
                raise TariffError(
                    f"period {period.name!r} has {len(period.prices_micro)} prices for {blocks} blocks"
                )
        check_every_day(self.periods, day_types=self.day_types)

    @classmethod
    def flat(cls, *, price_micro: int) -> EnergyBlocks:
        """One price for every watt-hour at every time, in micro-units per kWh."""
        always = Period("all", ((0, MINUTES_PER_DAY),), None, None, (price_micro,))
        return cls("none", (), (always,))

    @property
    def counts(self) -> bool:
        """Whether its price depends on the use of a window."""
        return bool(self.bounds_wh or self.free_wh or self.cases)

    def day_plan(self, *, month: int, weekday: int, day: int = 1, day_type: str | None = None) -> DayPlan:
        """List ``(start_min, end_min, period index)`` over such a local day, in order, without gaps."""
        return plan_day(self.periods, DayKind(month, day, weekday, day_type or natural_type(weekday)))

    def scaled(self, bounds_wh: tuple[int, ...], *, days: int) -> tuple[int, ...]:
        """Bounds of a window of so many days: pro-rated, rounded to the unit, raised for the household."""
        if self.per_days:
            bounds_wh = tuple(self._rounded(bound * days, self.per_days) for bound in bounds_wh)
        return tuple(bound + self.raised_wh for bound in bounds_wh)

    def window_bounds(self, days: list[date]) -> tuple[int, ...]:
        """The bounds of a window that has these local dates."""
        if not self.by_season:
            return self.scaled(self.bounds_wh, days=len(days))
        if not self.per_days:
            return self.scaled(self._season_bounds(days[0]), days=1)
        sums = [sum(column) for column in zip(*map(self._season_bounds, days), strict=True)]
        return tuple(self._rounded(total, self.per_days) + self.raised_wh for total in sums)

    def for_account(self, parameters: Mapping[str, int]) -> EnergyBlocks:
        """The same prices for one account: bounds raised for the household, the list chosen by its average."""
        raised = sum(e.raised_wh(parameters[e.parameter]) for e in self.extra if e.each)
        for name in {e.parameter for e in self.extra if not e.each}:
            steps = [e for e in self.extra if e.parameter == name and not e.each]
            reached = [e for e in steps if parameters[name] >= e.at_milli]
            raised += max(reached, key=lambda e: e.at_milli).wh if reached else 0
        made = replace(self, raised_wh=self.raised_wh + raised, extra=())
        if self.decide_by != AVERAGE or AVERAGE not in parameters:
            return made
        return made.with_case(made.case_of(parameters[AVERAGE], days=self.per_days or 1))

    def case_of(self, total_wh: int, *, days: int) -> Case:
        """The price list for a total."""
        for case in self.cases:
            if case.upto_wh is None or total_wh <= self.scaled((case.upto_wh,), days=days)[0]:
                return case
        raise AssertionError("the last case has no bound")

    def with_case(self, case: Case) -> EnergyBlocks:
        """The element with one price list for all totals."""
        periods = tuple(
            replace(period, prices_micro=prices)
            for period, prices in zip(self.periods, case.prices_micro, strict=True)
        )
        return replace(self, bounds_wh=case.bounds_wh, periods=periods, cases=())

    def _season_bounds(self, day: date) -> tuple[int, ...]:
        for season in self.by_season:
            if any(dates.holds((day.month, day.day)) for dates in season.dates):
                return season.bounds_wh
        raise TariffError(f"no season has blocks for {day.month:02d}-{day.day:02d}")

    def _rounded(self, numerator: int, denominator: int) -> int:
        return half_up(numerator, denominator * self.block_unit_wh) * self.block_unit_wh


def provisional(cases: tuple[Case, ...]) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Bounds and prices charged while a window's total is not known: each unit at the list reached so far."""
    uptos = [case.upto_wh for case in cases]
    if any(a is None or (b is not None and b <= a) for a, b in pairwise(uptos)) or uptos[-1] is not None:
        raise TariffError("cases need a rising `upto`, and the last case none")
    # The bounds of every list are kept, so that use can be priced again by any of them when the total is known.
    edges = {upto for upto in uptos if upto is not None}
    for case in cases:
        _check_rising(case.bounds_wh)
        edges |= set(case.bounds_wh)
    bounds = tuple(sorted(edges))
    prices = []
    for period in range(len(cases[0].prices_micro)):
        row = []
        for start in (0, *bounds):
            case = next(c for c in cases if c.upto_wh is None or start < c.upto_wh)
            row.append(case.prices_micro[period][sum(b <= start for b in case.bounds_wh)])
        prices.append(tuple(row))
    return bounds, tuple(prices)


def _check_rising(bounds: tuple[int, ...]) -> None:
    if any(b <= a for a, b in pairwise((0, *bounds))):
        raise TariffError(f"block bounds must rise from above zero: {bounds}")

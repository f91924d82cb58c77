"""Which days and hours a price is for: months, dates, weekdays, day types, and what beats what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from fairwatt.core.rating.elements.base import (
    MINUTES_PER_DAY,
    DoublyPriced,
    TariffError,
    UnpricedInstant,
    check_price,
)

WEEKDAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORKDAY: Final = "workday"
WEEKEND: Final = "weekend"
ALL: Final = "all"

DayPlan = tuple[tuple[int, int, int], ...]
MonthDay = tuple[int, int]


class DayKind(NamedTuple):
    """All that a period may ask of a local day."""

    month: int
    day: int
    weekday: int
    type: str


class DateRange(NamedTuple):
    """Dates of every year from ``first`` to ``last`` (month, day), both included, also over new year."""

    first: MonthDay
    last: MonthDay

    def holds(self, month_day: MonthDay) -> bool:
        """Say whether a date lies in it."""
        if self.first <= self.last:
            return self.first <= month_day <= self.last
        return month_day >= self.first or month_day <= self.last


@dataclass(frozen=True, slots=True)
class Days:
    """A choice of local days; what is ``None`` is not asked."""

    months: frozenset[int] | None = None
    weekdays: frozenset[int] | None = None
    dates: tuple[DateRange, ...] | None = None
    types: frozenset[str] | None = None

    def hold(self, kind: DayKind) -> bool:
        """Say whether such a day is chosen."""
        return (
            (self.months is None or kind.month in self.months)
            and (self.weekdays is None or kind.weekday in self.weekdays)
            and (self.dates is None or any(dates.holds((kind.month, kind.day)) for dates in self.dates))
            and (self.types is None or kind.type in self.types)
        )

    def check(self, *, of: str) -> None:
        """Refuse months and weekdays that no calendar has; raises ``TariffError``."""
        if self.months is not None and not self.months <= frozenset(range(1, 13)):
            raise TariffError(f"{of}: months run from 1 to 12")
        if self.weekdays is not None and not self.weekdays <= frozenset(range(7)):
            raise TariffError(f"{of}: weekdays run from 0 (Monday) to 6")


EVERY_DAY: Final = Days()


@dataclass(frozen=True, slots=True)
class Calendar:
    """Dates with a type of their own; all others are workdays (Monday to Friday) or weekend."""

    dated: tuple[tuple[date, str], ...] = ()
    yearly: tuple[tuple[MonthDay, str], ...] = ()

    @property
    def types(self) -> tuple[str, ...]:
        """The types that its dates have."""
        return tuple(sorted({said for _, said in self.dated} | {said for _, said in self.yearly}))

    def lookup(self) -> dict[object, str]:
        """Everything by date and by (month, day), for ``kind_of``."""
        return {**dict(self.yearly), **dict(self.dated)}


NO_CALENDAR: Final = Calendar()


def kind_of(day: date, *, known: dict[object, str]) -> DayKind:
    """Say what a periods sees in a date; ``known`` comes from ``Calendar.lookup``."""
    said = known.get(day) or known.get((day.month, day.day)) or natural_type(day.weekday())
    return DayKind(day.month, day.day, day.weekday(), said)


def natural_type(weekday: int) -> str:
    """The type of a weekday that no calendar mentions."""
    return WORKDAY if weekday < 5 else WEEKEND


@dataclass(frozen=True, slots=True)
class Period:
    """A named part of the local week and year with one price per block.

    ``windows`` are wall-clock minutes of the local day, end excluded, 0 to 1440. ``months`` (1-12),
    ``weekdays`` (0 = Monday), ``dates`` and ``types`` restrict it; ``None`` means all. Where it meets a
    period named in ``over`` it wins; ``otherwise`` takes what no other period takes. Prices are micro-units
    per kWh and may be negative; ``None`` is one that the source does not tell. With a market price, ``add_micro``
    comes on top of it, and ``coefficient_ppm`` stands for the element's.
    """

    name: str
    windows: tuple[tuple[int, int], ...]
    months: frozenset[int] | None
    weekdays: frozenset[int] | None
    prices_micro: tuple[int | None, ...]
    dates: tuple[DateRange, ...] | None = None
    types: frozenset[str] | None = None
    over: frozenset[str] = frozenset()
    otherwise: bool = False
    add_micro: int = 0
    coefficient_ppm: int | None = None

    def __post_init__(self) -> None:
        for start, end in self.windows:
            if not 0 <= start < end <= MINUTES_PER_DAY:
                raise TariffError(f"period {self.name!r}: window {start}-{end} is not inside one day")
        self.days.check(of=f"period {self.name!r}")
        for price in (*self.prices_micro, self.add_micro):
            if price is not None:
                check_price(price, of=f"period {self.name!r}")

    @property
    def days(self) -> Days:
        """The days it is for."""
        return Days(self.months, self.weekdays, self.dates, self.types)

    def applies_on(self, *, month: int, weekday: int) -> bool:
        """Say whether the period prices anything on such a day."""
        return (self.months is None or month in self.months) and (
            self.weekdays is None or weekday in self.weekdays
        )

    def covers(self, minute: int) -> bool:
        """Say whether a minute of a day lies in its hours."""
        return any(start <= minute < end for start, end in self.windows)


def plan_day(periods: Sequence[Period], kind: DayKind) -> DayPlan:
    """List ``(start_min, end_min, period index)`` over such a local day, in order, without gaps.

    Raises ``UnpricedInstant`` or ``DoublyPriced`` unless exactly one period is left for every minute.
    """
    present = [index for index, period in enumerate(periods) if period.days.hold(kind)]
    edges = {0, MINUTES_PER_DAY}
    for index in present:
        for window in periods[index].windows:
            edges.update(window)
    plan: list[tuple[int, int, int]] = []
    ordered = sorted(edges)
    for start, end in pairwise(ordered):
        index = _winner(periods, [i for i in present if periods[i].covers(start)], kind, start)
        if plan and plan[-1][2] == index:
            plan[-1] = (plan[-1][0], end, index)
        else:
            plan.append((start, end, index))
    return tuple(plan)


def check_every_day(periods: Sequence[Period], *, day_types: Iterable[str]) -> None:
    """Plan one day of every kind; raises as ``plan_day`` does."""
    asked = any(period.types is not None for period in periods)
    extra = [said for said in day_types if said not in {WORKDAY, WEEKEND}] if asked else []
    for month, day in _telling_dates(periods):
        for weekday in range(7):
            natural = natural_type(weekday)
            types = [natural, *extra, *([WORKDAY, WEEKEND] if asked else [])]
            for said in dict.fromkeys(types):
                plan_day(periods, DayKind(month, day, weekday, said))


def _telling_dates(periods: Sequence[Period]) -> list[MonthDay]:
    """The dates of a year between which no period begins or ends."""
    found = {(month, 1) for month in range(1, 13)}
    for period in periods:
        for dates in period.dates or ():
            after = date(2024, *dates.last) + timedelta(days=1)
            found |= {dates.first, (after.month, after.day)}
    return sorted(found)


def _winner(periods: Sequence[Period], present: list[int], kind: DayKind, minute: int) -> int:
    named = [i for i in present if not periods[i].otherwise]
    rivals = named or present
    if len(rivals) > 1:
        beaten = {name for i in rivals for name in periods[i].over}
        left = [i for i in rivals if periods[i].name not in beaten]
        if ALL in beaten:
            left = [i for i in left if ALL in periods[i].over]
        rivals = left if len(left) == 1 else rivals
    if not rivals:
        raise UnpricedInstant(f"no period prices {_when(kind, minute, periods)}; the day has a gap")
    if len(rivals) > 1:
        raise DoublyPriced(
            f"{periods[rivals[-1]].name!r} prices {_when(kind, minute, periods)}, "
            f"which another period prices too ({periods[rivals[0]].name!r}); cut one of them, "
            "or say which is `over` the other"
        )
    return rivals[0]


def _when(kind: DayKind, minute: int, periods: Sequence[Period]) -> str:
    clock = f"{minute // 60:02d}:{minute % 60:02d}"
    day = f" from {kind.month:02d}-{kind.day:02d}" if any(p.dates for p in periods) else ""
    said = "" if kind.type == natural_type(kind.weekday) else f" of type {kind.type!r}"
    return f"minute {minute} ({clock}) of a {WEEKDAY_NAMES[kind.weekday]}{said} in month {kind.month}{day}"

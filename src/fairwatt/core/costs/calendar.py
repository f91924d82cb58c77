"""When a recurring fee falls due and which days it is for. Dates are local; spans of days are half-open."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from fairwatt.core.costs.apportion import largest_remainder

RUNS_MAX: Final = 1_200
"""Runs of one fee that are listed at most: a hundred years of months."""


class Every(StrEnum):
    """How often a fee comes back."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ONCE = "once"


class CalendarError(ValueError):
    """A calendar no fee can have; nothing was charged."""


_MONTHS: Final = {Every.MONTH: 1, Every.QUARTER: 3, Every.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Calendar:
    """Periods that begin on a day of the month (its last day where the month is shorter).

    Quarters and years begin in `month`. `advance`: due when the period begins, otherwise when it is over.
    """

    every: Every
    day: int = 1
    month: int = 1
    advance: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.day <= 31 or not 1 <= self.month <= 12:
            raise CalendarError(f"day {self.day} of month {self.month} is in no calendar")


@dataclass(frozen=True, slots=True)
class Run:
    """One fall due: the days [first, end) it is for, inside the period [whole_first, whole_end)."""

    due: date
    first: date
    end: date
    whole_first: date
    whole_end: date

    @property
    def days(self) -> int:
        """Days charged."""
        return (self.end - self.first).days

    @property
    def whole_days(self) -> int:
        """Days of the whole period."""
        return (self.whole_end - self.whole_first).days


def runs(*, calendar: Calendar, first: date, end: date | None, through: date) -> Iterator[Run]:
    """List the runs of a fee that is owed from `first` to before `end`, due on or before `through`, in order."""
    if end is not None and end <= first:
        return
    if calendar.every is Every.ONCE:
        if first <= through:
            yield Run(first, first, first + timedelta(days=1), first, first + timedelta(days=1))
        return
    months = _MONTHS[calendar.every]
    start = _period_start(calendar, first, months)
    for _ in range(RUNS_MAX):
        over = _anchor(calendar, start.year, start.month + months)
        begins, ends = max(start, first), over if end is None else min(over, end)
        if begins >= ends:
            return
        due = begins if calendar.advance else ends
        if due > through:
            return
        yield Run(due, begins, ends, start, over)
        start = over


def next_run(*, calendar: Calendar, first: date, end: date | None, after: date) -> Run | None:
    """Return the first run due after a date, or None when the fee has ended."""
    far = date(min(after.year + 3, date.max.year), 1, 1)
    return next(
        (run for run in runs(calendar=calendar, first=first, end=end, through=far) if run.due > after), None
    )


def split_by_days(*, amount_micro: int, days: Sequence[int], whole_days: int) -> list[int]:
    """Share an amount for a whole period over stays by their days, exactly.

    Days of the period that belong to no stay keep their part, so the stays never pay more than their days.
    """
    outside = whole_days - sum(days)
    if outside < 0 or min(days, default=0) < 0:
        raise CalendarError(f"stays of {list(days)} days do not fit into a period of {whole_days} days")
    parts = largest_remainder(total_micro=amount_micro, weights=[*days, outside], divisor=whole_days)
    return [floor + residue for floor, residue in parts[:-1]]


def _period_start(calendar: Calendar, day: date, months: int) -> date:
    """The beginning of the period that contains a day."""
    offset = (day.month - calendar.month) % months if months > 1 else 0
    start = _anchor(calendar, day.year, day.month - offset)
    return start if start <= day else _anchor(calendar, day.year, day.month - offset - months)


def _anchor(calendar: Calendar, year: int, month: int) -> date:
    years, index = divmod(month - 1, 12)
    year, month = year + years, index + 1
    return date(year, month, min(calendar.day, monthrange(year, month)[1]))

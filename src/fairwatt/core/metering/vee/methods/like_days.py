"""The average of like days: weekdays for a weekday, days off for a day off (California VEE: the last three)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from fairwatt.core.metering.vee.model import Series, Status
from fairwatt.core.spans import Span, date_start, next_day_start

DAYS: Final = 3
REACH_DAYS: Final = 35
"""Five weeks."""


def fill(series: Series, hole: Span) -> list[int] | None:
    """For each interval of a hole the rounded mean of the same time on three like days; None without three.

    Days before the hole come first, the nearest of them; where there are too few, days after it. A day with an
    outage, with a hole or with a value that is itself an estimate says nothing about others.
    """
    step_us, zone = series.case.step_us, series.case.zone
    averages: dict[date, list[int] | None] = {}
    filled = []
    for at_us in range(hole.start_us, hole.end_us, step_us):
        day, off = series.like(at_us)
        if day not in averages:
            averages[day] = _average(series, day, off)
        usual = averages[day]
        if usual is None:
            return None
        slot = (at_us - date_start(zone=zone, day=day)) // step_us
        filled.append(usual[min(slot, len(usual) - 1)])
    return filled


def _average(series: Series, day: date, off: bool) -> list[int] | None:
    like = []
    for other in _near(day):
        start_us = date_start(zone=series.case.zone, day=other)
        if series.like(start_us)[1] == off and (values := _measured(series, start_us)) is not None:
            like.append(values)
            if len(like) == DAYS:
                # A day of 23 or 25 hours among them: compare what all of them have.
                return [(2 * sum(slot) + DAYS) // (2 * DAYS) for slot in zip(*like, strict=False)]
    return None


def _near(day: date) -> Iterator[date]:
    for back in range(1, REACH_DAYS + 1):
        yield day - timedelta(days=back)
    for ahead in range(1, REACH_DAYS + 1):
        yield day + timedelta(days=ahead)


def _measured(series: Series, start_us: int) -> list[int] | None:
    day = Span(start_us, next_day_start(zone=series.case.zone, at_us=start_us))
    if any(out.start_us < day.end_us and out.end_us > day.start_us for out in series.case.outages):
        return None
    instants = range(day.start_us, day.end_us, series.case.step_us)
    if any(series.status.get(at_us) is not Status.ACTUAL for at_us in instants):
        return None
    return [series.wh[at_us] for at_us in instants]

"""Days against like days: is one far above or below what this meter does?"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median_low
from typing import Final

from fairwatt.core.metering.vee.model import Series
from fairwatt.core.spans import Span

DAYS_MIN: Final = 7
"""With fewer whole days nobody can say what is usual."""


def whole_days(series: Series) -> Iterator[tuple[Span, int]]:
    """The days without a hole and what was used on each."""
    step_us = series.case.step_us
    for day in series.days():
        known = series.of(day)
        if len(known) * step_us == day.end_us - day.start_us:
            yield day, sum(wh for _, wh in known)


def unusual_days(series: Series) -> Iterator[tuple[Span, int, int]]:
    """Each whole day with its use and the middling use of the meter; nothing for a short history."""
    days = list(whole_days(series))
    if len(days) < DAYS_MIN:
        return
    usual_wh = median_low([wh for _, wh in days])
    for day, wh in days:
        yield day, wh, usual_wh

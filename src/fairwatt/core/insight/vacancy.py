"""Is somebody living there? Days of hardly any use, against what this home itself is used to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median_low
from typing import Final

LOW_PER_CENT: Final = 20
"""A day below this share of the home's middling day is a low day: a fridge and clocks, nobody cooking."""
RUN_DAYS_MIN: Final = 7
"""Shorter absences are a trip, not a vacancy."""
HISTORY_DAYS_MIN: Final = 28
"""With fewer known days nobody can say what the home is used to."""


@dataclass(frozen=True, slots=True)
class DayUse:
    """What one local day used; None when the day is not known whole."""

    day: date
    wh: int | None


@dataclass(frozen=True, slots=True)
class Absence:
    """Days in a row without the usual use: first and last (included), how many of them are known, and their use."""

    first: date
    last: date
    days: int
    used_wh: int


@dataclass(frozen=True, slots=True)
class Ghost:
    """Use in a unit that nobody is said to live in."""

    days: int
    used_wh: int
    first: date
    last: date


class HistoryTooShort(ValueError):
    """Too few whole days are known to say what the home is used to; nothing is claimed about it."""


def usual_wh(*, days: Sequence[DayUse]) -> int:
    """The middling use of a whole day. Raises HistoryTooShort below four weeks of known days."""
    known = [day.wh for day in days if day.wh is not None]
    if len(known) < HISTORY_DAYS_MIN:
        raise HistoryTooShort(
            f"Only {len(known)} whole days are known and {HISTORY_DAYS_MIN} are needed to say what is usual here. "
            "Nothing is claimed; look again later."
        )
    return median_low(known)


def absences(*, days: Sequence[DayUse], run_days_min: int = RUN_DAYS_MIN) -> list[Absence]:
    """The stretches of `run_days_min` and more low days in a row, in order; `days` in order of date.

    A day that is not known neither ends a stretch nor counts in it. A finding for reports and for a person: it moves
    no money and cuts nobody. Raises HistoryTooShort.
    """
    usual = usual_wh(days=days)
    return [
        Absence(run[0].day, run[-1].day, len(run), sum(day.wh or 0 for day in run))
        for run in _runs(days, usual)
        if len(run) >= run_days_min
    ]


def ghost_use(*, days: Sequence[DayUse], above_wh: int = 0) -> Ghost | None:
    """What a unit used on days it stood vacant, where a day used more than `above_wh`; None when it used nothing.

    `days` are the days of vacancy only. Ghost use is a lamp left on, a worker, a squatter or a crossed meter: somebody
    should look.
    """
    used = [day for day in days if day.wh is not None and day.wh > above_wh]
    if not used:
        return None
    return Ghost(len(used), sum(day.wh or 0 for day in used), used[0].day, used[-1].day)


def _runs(days: Sequence[DayUse], usual: int) -> Iterator[list[DayUse]]:
    run: list[DayUse] = []
    for day in days:
        if day.wh is None:
            continue
        if day.wh * 100 < usual * LOW_PER_CENT:
            run.append(day)
        elif run:
            yield run
            run = []
    if run:
        yield run

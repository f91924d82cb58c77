"""Vacancy from the load: real absences are found, and nobody who lives frugally is called away."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest

from fairwatt.core.insight.vacancy import Absence, DayUse, Ghost, HistoryTooShort, absences, ghost_use

DAILY = Path(__file__).parents[1] / "data" / "sgsc_absences_daily.csv"
FIRST = date(2013, 1, 1)


def days(*wh: int | None) -> list[DayUse]:
    return [DayUse(FIRST + timedelta(days=n), use) for n, use in enumerate(wh)]


def real() -> dict[str, list[DayUse]]:
    homes: dict[str, list[DayUse]] = {}
    with DAILY.open(newline="") as file:
        for row in csv.DictReader(file):
            use = DayUse(date.fromisoformat(row["day"]), int(row["wh"]) if row["wh"] else None)
            homes.setdefault(row["home"], []).append(use)
    return homes


def test_the_real_absences_of_three_australian_homes_are_found() -> None:
    found = {home: absences(days=use) for home, use in real().items()}

    long = {home: max(runs, key=lambda run: run.days) for home, runs in found.items() if runs}
    assert set(long) == {"10006704", "10017554", "10017994"}, (
        "the other seven homes are never away for a week"
    )
    assert (long["10017994"].first, long["10017994"].days) == (date(2013, 2, 6), 50)
    assert (long["10017554"].first, long["10017554"].days) == (date(2012, 9, 23), 16)
    away = found["10006704"]
    assert (away[0].first, away[-1].last, sum(run.days for run in away)) == (
        date(2012, 10, 9),
        date(2013, 1, 2),
        84,
    )


def test_a_frugal_home_is_not_vacant() -> None:
    assert absences(days=days(*[300, 310, 290] * 40)) == []


def test_an_unknown_day_neither_ends_an_absence_nor_counts() -> None:
    use = [9_000] * 30 + [100] * 4 + [None] + [100] * 4 + [9_000] * 5

    assert absences(days=days(*use)) == [
        Absence(FIRST + timedelta(days=30), FIRST + timedelta(days=38), 8, 800)
    ]


def test_a_trip_of_days_is_no_vacancy() -> None:
    assert absences(days=days(*[9_000] * 30, *[100] * 6, *[9_000] * 5)) == []


def test_a_short_history_claims_nothing() -> None:
    with pytest.raises(HistoryTooShort, match="Only 27 whole days"):
        absences(days=days(*[9_000] * 27, None))


def test_use_in_a_vacant_unit_is_ghost_use() -> None:
    assert ghost_use(days=days(0, 40, None, 2_000, 0), above_wh=100) == Ghost(
        1, 2_000, FIRST + timedelta(days=3), FIRST + timedelta(days=3)
    )
    assert ghost_use(days=days(0, None, 0)) is None

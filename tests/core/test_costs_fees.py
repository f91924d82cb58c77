"""Fees fall due by their calendar, cost their days, and stand behind energy."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.costs.calendar import Calendar, CalendarError, Every, next_run, runs, split_by_days
from fairwatt.core.costs.taking import (
    Arrear,
    FeePolicy,
    FeePolicyError,
    energy_reserve,
    recovers,
    takes,
)

DATES = st.dates(date(2020, 1, 1), date(2030, 12, 31))
CALENDARS = st.builds(
    Calendar,
    every=st.sampled_from([Every.MONTH, Every.QUARTER, Every.YEAR]),
    day=st.integers(1, 31),
    month=st.integers(1, 12),
    advance=st.booleans(),
)
MONEY = st.integers(0, 10**12)


@given(calendar=CALENDARS, first=DATES)
def test_periods_follow_each_other_without_gap_or_overlap(calendar: Calendar, first: date) -> None:
    listed = list(runs(calendar=calendar, first=first, end=None, through=first + timedelta(days=1_500)))
    assert listed[0].first == first
    for one, after in pairwise(listed):
        assert (one.end, one.whole_end) == (after.first, after.whole_first)
        assert one.due < after.due
    for run in listed:
        assert run.whole_first <= run.first < run.end <= run.whole_end
        assert run.due == (run.first if calendar.advance else run.end)


@given(calendar=CALENDARS, first=DATES, days=st.integers(1, 900))
def test_a_fee_that_ends_is_owed_for_each_day_once(calendar: Calendar, first: date, days: int) -> None:
    end = first + timedelta(days=days)
    listed = list(runs(calendar=calendar, first=first, end=end, through=end + timedelta(days=800)))
    assert sum(run.days for run in listed) == days
    assert listed[-1].end == end


def test_a_month_that_begins_on_the_31st_begins_on_the_last_day_of_shorter_ones() -> None:
    calendar = Calendar(Every.MONTH, day=31, advance=True)
    listed = list(runs(calendar=calendar, first=date(2027, 1, 31), end=None, through=date(2027, 5, 1)))
    assert [run.due for run in listed] == [
        date(2027, 1, 31),
        date(2027, 2, 28),
        date(2027, 3, 31),
        date(2027, 4, 30),
    ]


def test_quarters_and_years_begin_in_their_month() -> None:
    quarter = Calendar(Every.QUARTER, day=15, month=2)
    assert [
        r.due for r in runs(calendar=quarter, first=date(2026, 3, 1), end=None, through=date(2026, 12, 31))
    ] == [
        date(2026, 5, 15),
        date(2026, 8, 15),
        date(2026, 11, 15),
    ]
    year = Calendar(Every.YEAR, day=1, month=4, advance=True)
    found = next_run(calendar=year, first=date(2025, 4, 1), end=None, after=date(2026, 4, 1))
    assert found is not None and (found.due, found.whole_days) == (date(2027, 4, 1), 366)


def test_a_fee_of_once_is_due_once() -> None:
    once = Calendar(Every.ONCE)
    listed = list(runs(calendar=once, first=date(2026, 5, 9), end=None, through=date(2030, 1, 1)))
    assert [run.due for run in listed] == [date(2026, 5, 9)]
    assert not list(runs(calendar=once, first=date(2026, 5, 9), end=None, through=date(2026, 5, 8)))
    assert next_run(calendar=once, first=date(2026, 5, 9), end=None, after=date(2026, 5, 9)) is None


def test_a_day_no_calendar_has_is_refused() -> None:
    with pytest.raises(CalendarError):
        Calendar(Every.MONTH, day=32)


@given(amount=MONEY, days=st.lists(st.integers(0, 40), min_size=1, max_size=6), spare=st.integers(0, 40))
def test_stays_share_a_period_exactly(amount: int, days: list[int], spare: int) -> None:
    whole = sum(days) + spare
    if not whole:
        return
    parts = split_by_days(amount_micro=amount, days=days, whole_days=whole)
    assert sum(parts) <= amount
    assert spare or sum(parts) == amount
    for part, stayed in zip(parts, days, strict=True):
        assert abs(part * whole - amount * stayed) < whole


def test_stays_longer_than_the_period_are_refused() -> None:
    with pytest.raises(CalendarError, match="do not fit"):
        split_by_days(amount_micro=1, days=[20, 20], whole_days=31)


@given(
    owed=MONEY,
    available=st.integers(-(10**12), 10**12),
    reserve_money=MONEY,
    days=st.integers(0, 60),
    low=MONEY,
    mean=MONEY,
    silent=st.integers(0, 30),
)
def test_a_fee_never_reaches_into_the_reserve(
    owed: int, available: int, reserve_money: int, days: int, low: int, mean: int, silent: int
) -> None:
    policy = FeePolicy(reserve_micro=reserve_money, reserve_days=days)
    reserve = energy_reserve(policy=policy, low_micro=low, mean_day_micro=mean, silent_days=silent)
    taken = takes(policy=policy, owed_micro=owed, available_micro=available, reserve_micro=reserve)
    assert reserve is not None
    assert 0 <= taken <= owed
    assert not taken or available - taken >= max(reserve_money, low, 1, mean * (days + silent))
    assert taken == owed or available - taken <= reserve, "what the reserve does not need, the fee may have"


def test_a_fee_takes_the_last_penny_only_where_a_law_is_named() -> None:
    hard = FeePolicy(fees_may_cut=True, legal_reference="Housing Act s. 9")
    assert takes(policy=hard, owed_micro=9_000, available_micro=10, reserve_micro=5_000) == 9_000
    with pytest.raises(FeePolicyError, match="name the law"):
        FeePolicy(fees_may_cut=True, legal_reference=" ")


def test_nothing_is_taken_where_nobody_knows_what_a_day_costs() -> None:
    policy = FeePolicy()
    reserve = energy_reserve(policy=policy, low_micro=5, mean_day_micro=None)
    assert takes(policy=policy, owed_micro=9, available_micro=10**9, reserve_micro=reserve) == 0
    assert not recovers(
        policy=policy,
        arrears=[Arrear(1, 1, 9)],
        topped_up_micro=10**9,
        available_micro=10**9,
        reserve_micro=reserve,
    )


@pytest.mark.parametrize("wrong", [{"reserve_micro": -1}, {"reserve_days": 400}, {"recovery_bp": 10_001}])
def test_a_rule_for_fees_that_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(FeePolicyError):
        FeePolicy(**wrong)  # type: ignore[arg-type]


ARREARS = st.lists(
    st.builds(Arrear, entry=st.integers(1, 10**6), priority=st.integers(0, 9), open_micro=MONEY),
    max_size=8,
    unique_by=lambda one: one.entry,
)


@given(
    arrears=ARREARS,
    paid=MONEY,
    available=st.integers(-(10**12), 2 * 10**12),
    cap=st.integers(0, 10_000),
    reserve=MONEY,
)
def test_arrears_never_take_more_than_the_cap_or_the_reserve(
    arrears: list[Arrear], paid: int, available: int, cap: int, reserve: int
) -> None:
    taken = recovers(
        policy=FeePolicy(recovery_bp=cap),
        arrears=arrears,
        topped_up_micro=paid,
        available_micro=available,
        reserve_micro=reserve,
    )
    total = sum(amount for _, amount in taken)
    assert total <= paid * cap // 10_000
    assert not total or available - total >= reserve
    owed = {one.entry: one.open_micro for one in arrears}
    assert all(0 < amount <= owed[entry] for entry, amount in taken)


def test_arrears_are_paid_by_priority_then_age() -> None:
    arrears = [Arrear(7, 50, 300), Arrear(3, 50, 300), Arrear(9, 10, 300)]
    taken = recovers(
        policy=FeePolicy(recovery_bp=10_000),
        arrears=arrears,
        topped_up_micro=700,
        available_micro=10_000,
        reserve_micro=0,
    )
    assert taken == [(9, 300), (3, 300), (7, 100)]

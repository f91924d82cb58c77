"""A top-up is split exactly, debt alone never empties a wallet, and the least payment is the least that restores."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.credit.owing import (
    Debt,
    DebtError,
    DebtPlan,
    instalment,
    least_to_restore,
    split_top_up,
)
from fairwatt.core.units import MICRO

MINOR = 10_000
AMOUNTS = st.integers(0, 100 * MICRO)
PLANS = st.builds(
    DebtPlan,
    daily_micro=AMOUNTS,
    weekly_micro=AMOUNTS,
    weekday=st.integers(0, 6),
    share_bp=st.integers(1, 10_000),
    week_cap_micro=st.none() | AMOUNTS,
)
DEBTS = st.lists(
    st.builds(Debt, st.integers(1, 99), st.integers(1, 100 * MICRO), PLANS, AMOUNTS, st.booleans()),
    max_size=3,
    unique_by=lambda debt: debt.debt,
)


@given(AMOUNTS, AMOUNTS, DEBTS)
def test_a_split_adds_up_and_emergency_credit_comes_first(paid: int, lent: int, debts: list[Debt]) -> None:
    split = split_top_up(paid_micro=paid, emergency_owed_micro=lent, debts=debts)
    assert split.emergency_micro + split.debt_micro + split.credit_micro == paid
    assert split.emergency_micro == min(paid, lent)
    assert split.credit_micro >= 0
    by_number = {debt.debt: debt for debt in debts}
    for number, amount in split.debts:
        debt = by_number[number]
        assert 0 < amount <= debt.owed_micro and not debt.paused
        if debt.plan.week_cap_micro is not None:
            assert amount + debt.taken_this_week_micro <= debt.plan.week_cap_micro


@given(st.integers(-60 * MICRO, 5), AMOUNTS, DEBTS)
def test_the_least_payment_restores_and_one_unit_less_does_not(
    available: int, lent: int, debts: list[Debt]
) -> None:
    def after(minor: int) -> int:
        split = split_top_up(paid_micro=minor * MINOR, emergency_owed_micro=lent, debts=debts)
        return available + split.credit_micro

    least = least_to_restore(
        available_micro=available, emergency_owed_micro=lent, debts=debts, minor_micro=MINOR
    )
    if available > 0:
        assert least == 0
    elif least is not None:
        assert after(least) > 0 >= after(least - 1)


@given(AMOUNTS, AMOUNTS, DEBTS)
def test_time_leaves_what_energy_needs(available: int, reserve: int, debts: list[Debt]) -> None:
    for debt in debts:
        taken = instalment(debt=debt, day=date(2026, 3, 4), available_micro=available, reserve_micro=reserve)
        assert 0 <= taken <= debt.owed_micro
        assert not taken or available - taken >= max(1, reserve)


def test_the_weekly_rate_falls_due_on_its_weekday() -> None:
    debt = Debt(1, 90, DebtPlan(daily_micro=1, weekly_micro=5, weekday=2))
    taken = [
        instalment(debt=debt, day=date(2026, 3, day), available_micro=99, reserve_micro=0)
        for day in (3, 4, 5)
    ]
    assert taken == [1, 6, 1]


@pytest.mark.parametrize(
    "plan", [{}, {"daily_micro": -1}, {"daily_micro": 1, "weekday": 7}, {"share_bp": 10_001}]
)
def test_a_plan_that_recovers_nothing_or_too_much_is_refused(plan: dict[str, int]) -> None:
    with pytest.raises(DebtError):
        DebtPlan(**plan)

"""How true a meter counts: exact errors, the narrower limit, and no verdict where the registers are too coarse."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.metering.accuracy import (
    CLASS_LIMIT_PER_MILLE,
    CheckImpossible,
    Due,
    UnknownClass,
    Verdict,
    check_meter,
    due,
    limit_of,
)

DAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("tested_wh", "accuracy_class", "verdict"),
    [
        (10_100, "1", Verdict.PASS),
        (10_101, "1", Verdict.FAIL),
        (9_900, "B", Verdict.PASS),
        (9_899, "B", Verdict.FAIL),
        (10_150, "2", Verdict.FAIL),
        (10_051, "0.5S", Verdict.FAIL),
        (10_000, "0.2", Verdict.PASS),
    ],
)
def test_the_narrower_of_class_and_house_limit_decides(
    tested_wh: int, accuracy_class: str, verdict: Verdict
) -> None:
    result = check_meter(
        reference_wh=10_000,
        tested_wh=tested_wh,
        accuracy_class=accuracy_class,
        reference_step_wh=0,
        tested_step_wh=0,
    )
    assert result.verdict is verdict
    assert result.error_per_mille == Fraction(tested_wh - 10_000, 10)


def test_a_test_too_short_for_its_registers_says_nothing() -> None:
    def verdict(energy_wh: int) -> Verdict:
        return check_meter(
            reference_wh=energy_wh,
            tested_wh=energy_wh,
            accuracy_class="1",
            reference_step_wh=1,
            tested_step_wh=10,
        ).verdict

    assert [verdict(wh) for wh in (1, 100, 1_000, 2_000)] == ["unsure", "unsure", "unsure", "pass"]


@given(
    reference=st.integers(1, 10**7),
    tested=st.integers(0, 10**7),
    steps=st.tuples(st.integers(0, 100), st.integers(0, 100)),
    accuracy_class=st.sampled_from(sorted(CLASS_LIMIT_PER_MILLE)),
)
def test_no_verdict_is_given_that_one_step_of_a_register_could_turn(
    reference: int, tested: int, steps: tuple[int, int], accuracy_class: str
) -> None:
    def judged(at: int, to: int, *, exact: bool) -> Verdict:
        kept = (0, 0) if exact else steps
        return check_meter(
            reference_wh=at,
            tested_wh=to,
            accuracy_class=accuracy_class,
            reference_step_wh=kept[0],
            tested_step_wh=kept[1],
        ).verdict

    said = judged(reference, tested, exact=False)
    if said is not Verdict.UNSURE:
        for at in (reference - steps[0], reference, reference + steps[0]):
            for to in (max(0, tested - steps[1]), tested, tested + steps[1]):
                assert judged(at, to, exact=True) is said


def test_what_makes_no_test_or_no_class_is_refused() -> None:
    with pytest.raises(CheckImpossible, match="forward"):
        check_meter(reference_wh=0, tested_wh=1, accuracy_class="1", reference_step_wh=1, tested_step_wh=1)
    with pytest.raises(UnknownClass, match="one of 0"):
        limit_of(accuracy_class="gold")


def test_a_certificate_is_due_ninety_days_before_it_ends_and_holds_on_its_last_day() -> None:
    def stands(days: int) -> Due:
        return due(expires_on=DAY + timedelta(days=days), today=DAY)

    assert [stands(days) for days in (91, 90, 0, -1)] == [Due.VALID, Due.SOON, Due.SOON, Due.EXPIRED]
    assert due(expires_on=None, today=DAY) is Due.NONE

"""How much goes back, and through which states: no more than was paid or is unspent, never a part of a fen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.ledger.refunds import (
    HELD,
    NEXT,
    Bound,
    IllegalRefundStep,
    RefundState,
    advance_refund,
    refund_room,
    shortfall_minor,
)

FEN = 10_000


def test_refund_room_says_what_bounds_it() -> None:
    about = {"asked_minor": 5000, "minor_micro": FEN}
    assert refund_room(payment_left_minor=5000, unspent_micro=31_209_999, **about).amount_minor == 3120
    assert refund_room(payment_left_minor=5000, unspent_micro=31_209_999, **about).bound is Bound.UNSPENT
    assert refund_room(payment_left_minor=1000, unspent_micro=31_200_000, **about).bound is Bound.PAYMENT
    assert refund_room(payment_left_minor=None, unspent_micro=50_000_000, **about).bound is Bound.ASKED


@given(
    st.integers(1, 10**9),
    st.none() | st.integers(-(10**6), 10**9),
    st.integers(-(10**15), 10**15),
    st.sampled_from([1, 1_000, 10_000, 1_000_000]),
)
def test_refund_room_never_exceeds_anything(
    asked: int, left: int | None, unspent: int, minor_micro: int
) -> None:
    amount = refund_room(
        asked_minor=asked, payment_left_minor=left, unspent_micro=unspent, minor_micro=minor_micro
    ).amount_minor
    assert 0 <= amount <= asked
    assert left is None or amount <= max(0, left)
    assert amount * minor_micro <= max(0, unspent)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**8))
def test_refund_shortfall_brings_the_wallet_back_above_zero_or_gives_all(available: int, held: int) -> None:
    short = shortfall_minor(available_micro=available, amount_minor=held, minor_micro=FEN)
    assert 0 <= short <= held
    assert short == held or available + short * FEN >= 0
    assert not short or available + (short - 1) * FEN < 0


def test_refund_states_that_hold_money_end_only_by_paying_or_giving_back() -> None:
    assert {to for state in HELD for to in NEXT[state]} - HELD == {
        RefundState.SUCCEEDED,
        RefundState.FAILED,
        RefundState.WITHDRAWN,
    }
    assert NEXT[RefundState.SUCCEEDED] == {RefundState.ABNORMAL}, (
        "what came back is owed, and no wallet's again"
    )
    with pytest.raises(IllegalRefundStep, match="it is final"):
        advance_refund(RefundState.WITHDRAWN, RefundState.SUCCEEDED)
    with pytest.raises(IllegalRefundStep):
        advance_refund(RefundState.REQUESTED, RefundState.SUBMITTED)

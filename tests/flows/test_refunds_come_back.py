"""Refunds that were over go on: the payer's bank sends one back, a provider pays what it had given up."""

from __future__ import annotations

import pytest

from support.refunds import Office
from support.street import HOUR_US, NOON_US
from support.till import HandClock, at

FOUR = 4_000_000


@pytest.fixture(autouse=True)
def noon(clock: HandClock) -> None:
    """Every case begins at the hour its home was opened."""
    clock.us = NOON_US + HOUR_US


@at("wechat", "stripe")
def test_what_was_paid_and_came_back_from_the_bank_is_owed_again_and_paid_out_at_the_window(
    office: Office,
) -> None:
    office.paid()
    refund = office.agreed(400)
    office.recall()
    for _ in range(3):
        office.go(after_s=3)
    assert (office.row(refund).state, office.row(refund).paid_by) == ("succeeded", "source")
    before = office.till.balance()
    clearing = f"clearing:{office.till.shop.dialect}"
    office.becomes("abnormal")
    office.go(after_s=40)
    assert office.row(refund).state == "abnormal"
    assert (office.account("payable:refunds"), office.account(clearing)) == (FOUR, -10_000_000)
    office.answer(refund, "paid_out", office.asker)
    office.answer(refund, "confirm")
    office.till.post()
    assert (office.row(refund).state, office.row(refund).paid_by) == ("succeeded", "window")
    assert (office.account("payable:refunds"), office.account("clearing:window")) == (0, FOUR)
    assert office.till.balance() == before, "the home's credit was never touched again"


@at("wechat", "stripe")
def test_what_was_given_up_and_paid_in_the_end_is_asked_about_and_leaves_the_wallet_again(
    office: Office,
) -> None:
    """The refund is over when its provider says that it paid: its word is not taken for an old one."""
    refund = office.bounced()
    office.becomes("closed")
    office.go(after_s=40)
    assert office.row(refund).state == "failed"
    before = office.till.balance()
    office.becomes("done")
    office.go(after_s=40)
    assert (office.row(refund).state, office.row(refund).paid_by) == ("succeeded", "source")
    assert office.till.balance() == before - FOUR
    office.agree()

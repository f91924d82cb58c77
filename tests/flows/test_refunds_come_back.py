"""Refunds that were over go on: the payer's bank sends one back, a provider pays what it had given up."""

from __future__ import annotations

from typing import Any

import pytest

from support.house import as_role
from support.moves import ask as move
from support.moves import follow
from support.refunds import Office
from support.street import HOUR_US, NOON_US
from support.till import HandClock, at

FOUR = 4_000_000


@pytest.fixture(autouse=True)
def noon(clock: HandClock) -> None:
    """Every case begins at the hour its home was opened."""
    clock.us = NOON_US + HOUR_US


def paid_back(office: Office) -> int:
    """A refund of 4.00 that its provider paid."""
    office.paid()
    refund = office.agreed(400)
    office.recall()
    for _ in range(3):
        office.go(after_s=3)
    assert (office.row(refund).state, office.row(refund).paid_by) == ("succeeded", "source")
    return refund


def turns(office: Office, *states: Any) -> None:
    """The provider changes its mind, and is asked each time."""
    for state in states:
        office.becomes(state)
        office.go(after_s=40)


@at("wechat", "stripe")
def test_what_was_paid_and_came_back_from_the_bank_is_owed_again_and_paid_out_at_the_window(
    office: Office,
) -> None:
    refund = paid_back(office)
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


@at("wechat", "stripe")
def test_what_came_back_and_is_paid_after_all_is_owed_no_more(office: Office) -> None:
    """The same word a second time, after another one, is a word of its own: nobody pays it at the window as well."""
    refund = paid_back(office)
    turns(office, "abnormal", "done")
    assert (office.row(refund).state, office.row(refund).paid_by) == ("succeeded", "source")
    assert office.account("payable:refunds") == 0
    asked = office.row(refund).asks
    for _ in range(5):
        office.go(after_s=61)
    assert office.row(refund).asks == asked, "what is settled is asked about no more"
    turns(office, "abnormal")
    assert (office.row(refund).state, office.account("payable:refunds")) == ("abnormal", FOUR)
    turns(office, "closed")
    assert office.row(refund).state == "failed"
    turns(office, "done")
    assert office.row(refund).state == "succeeded"
    assert office.account("payable:refunds") == 0
    office.agree()


@at("wechat", "stripe")
def test_a_hint_about_what_waits_for_the_window_is_answered_once(office: Office) -> None:
    refund = office.bounced()
    turns(office, "abnormal")
    asked = office.row(refund).asks
    for _ in range(5):
        office.go(after_s=61)
    assert office.row(refund).asks == asked


@at("stripe")
def test_what_comes_back_of_a_payment_that_was_charged_back_is_the_homes(office: Office) -> None:
    """The payer has had all of it: by the dispute. What the bank sends back beside it is owed to nobody twice."""
    refund, till = paid_back(office), office.till
    (paid,) = till.world.books.payments(till.shop)
    till.world.chargeback(paid, status="lost")
    till.deliver_due()
    office.go(after_s=61)
    before = till.balance()
    turns(office, "abnormal")
    assert not office.desk.events("fact.refused")
    assert (office.row(refund).state, till.balance()) == ("failed", before + FOUR)
    assert office.account("payable:refunds") == 0


@at("wechat")
def test_what_was_rounded_off_of_it_is_owed_again_too_and_rounded_once(office: Office) -> None:
    till = office.till
    office.paid()
    office.use(3_330)
    left, old = till.balance(), office.desk.street.wallets[0]
    move(office.desk, "out", wallet=old, at_us=till.clock.us, now_us=till.clock.us, settle="source")
    follow(office.desk, now_us=till.clock.us)
    refund = office.agreed(left // 10_000)
    for _ in range(2):
        office.go(after_s=3)
    rounded = office.account("rounding")
    assert rounded > 0 == office.account("payable:refunds")
    turns(office, "abnormal")
    assert (office.account("rounding"), office.account("payable:refunds")) == (0, left)
    office.answer(refund, "paid_out", office.asker)
    office.answer(refund, "confirm")
    till.post()
    assert (office.account("rounding"), office.account("payable:refunds")) == (rounded, 0)


@at("wechat")
def test_a_late_no_to_an_attempt_says_nothing_of_what_another_one_paid(office: Office) -> None:
    """A process that hung writes down that its own attempt was refused, after another one's was paid."""
    from fairwatt.flows import collect_refunds

    till = office.till
    office.paid()
    refund = office.agreed(400)
    office.recall()
    with as_role("collector"):
        taken = collect_refunds.take_refund(refund_id=refund, now_us=till.clock.us, origin="http://x")
    assert taken is not None
    till.clock.us += 31_000_000
    for _ in range(3):
        office.go(after_s=3)
    assert office.row(refund).state == "succeeded"
    about: Any = {"provider": "wechat", "reason": "FREQUENCY_LIMITED", "now_us": till.clock.us}
    said = collect_refunds.refused_word(ask=taken.ask, **about)
    with as_role("collector"):
        collect_refunds.note_refund(refund_id=refund, said=said, now_us=till.clock.us)
    till.post()
    assert (office.row(refund).state, office.account("payable:refunds")) == ("succeeded", 0)
    office.agree()

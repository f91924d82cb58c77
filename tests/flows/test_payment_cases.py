"""The ways in which payments go wrong, each for every provider it can happen at: real platforms, collector and poster.

Numbers are those of the table in docs/guides/payments.md. Nothing is credited twice, and nothing that was paid is lost.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.house import as_role
from support.till import Dead, Till, at, dies, suspense

ALL = ("wechat", "alipay", "stripe", "mpesa")
SIGNED = ("wechat", "alipay", "stripe")
CLOSABLE = ("wechat", "alipay", "stripe")
MINUTE_US = 60_000_000


@at(*ALL)
def test_case_00_a_payment_is_credited(till: Till) -> None:
    ref, order = till.made()
    assert till.intent(ref).state == "pending"
    assert till.intent(ref).payer == "", "who paid is not kept once the provider was asked"
    till.world.pay(order)
    till.settle(ref)
    assert (till.intent(ref).state, till.balance()) == ("credited", 10_000_000)


@at(*ALL)
def test_case_01_duplicate_callbacks_at_once(till: Till) -> None:
    ref, order = till.made()
    till.world.pay(order)
    sending = till.world.due()[0]
    report = sending.make()

    def deliver(_: int) -> bool:
        return _delivered_by_a_thread(till, report)

    with as_role("web"), ThreadPoolExecutor(6) as callers:
        assert all(callers.map(deliver, range(12)))
    sending.tries = 99
    till.told(ref)
    for _ in range(2):
        till.post()
        assert till.balance() == 10_000_000
    assert suspense(till) == 0


def _delivered_by_a_thread(till: Till, report: Any) -> bool:
    from django.db import connection

    try:
        return till.deliver_here(report)
    finally:
        connection.close()


@at(*ALL)
def test_case_02_callback_before_the_answer_to_create_is_stored(till: Till) -> None:
    from fairwatt.flows import collecting

    ref = till.start()
    kept = collecting.note_action
    try:
        # The collector dies between the provider's answer and its own note of it; the payer is faster than its restart.
        collecting.note_action = dies
        with pytest.raises(Dead):
            till.ask()
    finally:
        collecting.note_action = kept
    till.world.pay(till.order(ref))
    till.deliver_due()
    till.ask(after_s=31)
    till.told(ref)
    till.post()
    if till.dialect == "mpesa":
        # The number of the push is lost, and M-Pesa has no other question: the bill decides.
        assert till.balance() == 0
        return
    assert (till.intent(ref).state, till.balance()) == ("credited", 10_000_000)


@at(*ALL)
def test_case_03_the_way_back_credits_nothing(till: Till) -> None:
    ref, _ = till.made()
    till.ask(after_s=5)
    till.post()
    assert (till.intent(ref).state, till.balance()) == ("pending", 0)


@at(*ALL)
def test_case_04_never_any_callback(till: Till) -> None:
    ref, order = till.made()
    till.world.pay(order)
    till.world.sendings.clear()
    till.ask(after_s=6)
    till.post()
    assert (till.intent(ref).state, till.balance()) == ("credited", 10_000_000)


@at("wechat", "alipay", "stripe")
@pytest.mark.parametrize("settled", [999, 1001])
def test_case_05_another_amount_than_asked_for(till: Till, settled: int) -> None:
    ref, order = till.made()
    till.world.books.pay(order, settle_minor=settled)
    till.settle(ref)
    assert (till.intent(ref).state, till.balance()) == ("review", 0)
    assert suspense(till) == settled * 10_000


@at("wechat", "stripe")
def test_case_06_another_currency_is_never_counted_in_ours(till: Till) -> None:
    ref, order = till.made()
    till.world.books.pay(order, currency="JPY")
    till.settle(ref)
    assert (till.intent(ref).state, till.balance(), suspense(till)) == ("review", 0, 0)


@at(*CLOSABLE)
def test_case_07_late_success(till: Till) -> None:
    ref, order = till.made()
    till.ask(after_s=2 * 3600 + 60)
    assert till.intent(ref).state == "expired"
    till.world.pay(order, anyway=True)
    till.settle(ref)
    assert (till.intent(ref).state, till.balance()) == ("credited", 10_000_000)


@at(*CLOSABLE)
def test_case_07_closing_loses_the_race(till: Till) -> None:
    ref, order = till.made()
    till.world.pay(order)
    till.world.sendings.clear()
    till.ask(after_s=2 * 3600 + 60)
    till.post()
    assert (till.intent(ref).state, till.balance()) == ("credited", 10_000_000)


@at(*SIGNED)
def test_case_08_double_pay_credits_both(till: Till) -> None:
    ref, order = till.made()
    till.world.pay(order)
    till.settle(ref)
    again = till.world.pay(order, anyway=True)
    report = till.world.platforms[till.dialect].report(again)
    if till.dialect == "stripe":
        # A session takes one payment, and Stripe's own word stays the first one: a second webhook changes nothing.
        assert till.deliver(report)
        till.told(ref)
        till.post()
        assert till.balance() == 10_000_000
        return
    assert till.deliver(report)
    till.post()
    assert till.balance() == 20_000_000
    assert "paid_twice" in [event.reason for event in till.desk.events("payment.credited")]


@at(*ALL)
def test_case_09_timeout_on_create_makes_no_second_order(till: Till) -> None:
    till.world.faults.set(http="cut")
    ref = till.start()
    till.ask()
    assert (till.intent(ref).state, till.intent(ref).trouble) == ("created", "no_answer")
    made = [one for one in till.world.books.orders.values() if one.our_ref == ref]
    till.world.faults.set(http="")
    till.ask(after_s=5)
    after = [one for one in till.world.books.orders.values() if one.our_ref == ref]
    if till.dialect == "mpesa":
        assert len(after) <= 1, "a push is never repeated by itself"
        return
    assert len(made) == len(after) == 1
    assert till.intent(ref).state == "pending"

"""A provider's payment that two people placed goes back as any other one: disputed, or refunded to its source."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from support.cash import ticket
from support.house import as_role
from support.refunds import Office
from support.street import HOUR_US, NOON_US
from support.till import CURRENCY, HandClock, Till, at, suspense


@pytest.fixture(autouse=True)
def noon(clock: HandClock) -> None:
    """Every case begins at the hour its home was opened."""
    clock.us = NOON_US + HOUR_US


@pytest.fixture(autouse=True)
def second_home(till: Till) -> None:
    """The home that a payment may belong to."""
    till.desk.home()


def _waiting(till: Till) -> Any:
    """The payment that waits in suspense."""
    from fairwatt.store import facts, money_wishes

    book = till.desk.street.book
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book)
        (one,) = money_wishes.in_suspense(cursor=cursor, book=book, currency=CURRENCY[till.dialect])
    return one


def _misplaced(office: Office) -> tuple[str, Any]:
    """Another amount was paid than ordered: it lies in suspense. (our reference, the payment at the platform)"""
    till = office.till
    ref, order = till.made(1000)
    till.world.faults.set(wrong_amount=1000)
    try:
        payment = till.world.pay(order)
    finally:
        till.world.faults.set(wrong_amount=0)
    till.settle(ref)
    assert payment.settled_minor != 1000
    assert (till.intent(ref).state, suspense(till)) == ("review", payment.settled_minor * 10_000)
    return ref, payment


def _claim(office: Office, *, home: int = 0) -> int:
    """Two people place it; the payment as refunds know it."""
    from fairwatt.flows.two_people import answer_wish, ask_claim
    from fairwatt.store.models import Paid

    about: dict[str, Any] = {"book_id": office.book.pk, "now_us": office.till.clock.us}
    with as_role("web"):
        wish = ask_claim(
            of=_waiting(office.till).of,
            wallet_id=office.desk.street.wallets[home],
            words="the bank's slip shows it",
            user_id=office.asker.pk,
            ticket=ticket(),
            **about,
        )
        answer_wish(wish_id=wish, step="approve", words="", user_id=office.approver.pk, **about)
    office.till.post()
    assert suspense(office.till) == 0
    return int(Paid.objects.get(wallet=office.desk.street.wallets[home]).fact)


def _of(office: Office, home: int) -> int:
    return int(office.desk.balance(office.desk.street.homes[home]))


@at("stripe")
@pytest.mark.parametrize("home", [0, 1])
@pytest.mark.parametrize("ends", ["won", "lost"])
def test_a_claimed_payment_that_is_disputed_leaves_the_home_it_was_claimed_for(
    office: Office, home: int, ends: str
) -> None:
    till = office.till
    ref, payment = _misplaced(office)
    _claim(office, home=home)
    credit = payment.settled_minor * 10_000
    assert _of(office, home) == credit
    till.world.chargeback(payment, status="needs_response")
    till.deliver_due(times=2)
    office.go()
    assert _of(office, home) == 0
    assert till.intent(ref).state == ("closed" if home else "chargeback"), "an order tells of its own home"
    till.clock.us += 1_000_000
    till.world.chargeback(payment, status=ends)
    till.deliver_due(times=2)
    office.go()
    office.go(after_s=61)
    assert _of(office, home) == (credit if ends == "won" else 0)
    assert till.intent(ref).state == ("closed" if home else "credited" if ends == "won" else "chargeback")
    assert [_of(office, other) for other in (0, 1) if other != home] == [0]


@at("stripe")
def test_a_payment_that_was_disputed_while_it_waited_is_taken_back_once_it_is_placed(office: Office) -> None:
    till = office.till
    ref, payment = _misplaced(office)
    till.world.chargeback(payment)
    till.deliver_due()
    office.go()
    _claim(office)
    office.go(after_s=61)
    assert (till.balance(), till.intent(ref).state) == (0, "chargeback")
    office.agree()


@at("wechat", "stripe")
def test_a_claimed_payment_goes_back_to_its_source_as_much_as_was_paid_there(office: Office) -> None:
    ref, payment = _misplaced(office)
    fact = _claim(office)
    paid_minor = payment.settled_minor
    assert office.look(payment=fact).most_minor == paid_minor
    with pytest.raises(Exception, match="At most"):
        office.ask(paid_minor + 1, payment=fact)
    refund = office.agreed(paid_minor, payment=fact)
    office.recall()
    for _ in range(2):
        office.go(after_s=3)
    assert (office.row(refund).state, office.row(refund).paid_by) == ("succeeded", "source")
    assert (payment.refunded_minor, office.till.balance()) == (paid_minor, 0)
    assert office.till.intent(ref).state == "refunded"
    office.agree()

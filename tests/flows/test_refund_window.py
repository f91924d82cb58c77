"""A refund that bounced is paid out at the window while its provider pays it all the same: the books tell of both."""

from __future__ import annotations

from typing import Any

import pytest

from support.cash import Drawer
from support.refunds import Office
from support.street import HOUR_US, NOON_US
from support.till import HandClock, Till, at, suspense

FOUR = 4_000_000


@pytest.fixture(autouse=True)
def noon(clock: HandClock) -> None:
    """Every case begins at the hour its home was opened."""
    clock.us = NOON_US + HOUR_US


@pytest.fixture
def office(till: Till) -> Office:
    return Office(till)


def _bounced(office: Office) -> int:
    """A refund of 4.00 that the provider could not pay."""
    till = office.till
    office.paid()
    till.world.faults.set(refund_abnormal=True)
    try:
        refund = office.agreed(400)
        office.recall()
        for _ in range(3):
            office.go(after_s=3)
    finally:
        till.world.faults.set(refund_abnormal=False)
    assert office.row(refund).state == "abnormal"
    return refund


def _settled_there(office: Office) -> None:
    """The accountant settles it in the provider's own back office; its report makes us ask."""
    (payment,) = office.till.world.books.payments(office.till.shop)
    (refund,) = payment.refunds
    refund.state = "done"
    office.till.world.books.heard(refund)
    office.till.deliver_due()
    office.till.ask(after_s=3)


def _paid_both_ways(office: Office, refund: int) -> None:
    row: Any = office.row(refund)
    assert (row.state, row.paid_by) == ("succeeded", "both")
    (event,) = office.desk.events("refund.paid_twice")
    assert event.evidence == {"refund": refund, "amount_micro": FOUR}
    assert (office.account("payable:refunds"), suspense(office.till)) == (0, -FOUR)
    office.agree()


@at("wechat")
@pytest.mark.parametrize("waits", [False, True])
def test_the_provider_pays_before_the_second_person_saw_the_window_pay(office: Office, waits: bool) -> None:
    """The word of the second person comes after the provider's, or waits for its poster behind that."""
    refund = _bounced(office)
    office.answer(refund, "paid_out", office.asker)
    _settled_there(office)
    if not waits:
        office.till.post()
        assert (office.row(refund).state, office.row(refund).paid_by) == ("succeeded", "source")
        with pytest.raises(Exception, match="alone"):
            office.answer(refund, "confirm", office.asker)
    office.answer(refund, "confirm")
    office.till.post()
    _paid_both_ways(office, refund)
    assert office.account("clearing:window") == FOUR
    with pytest.raises(Exception, match="gone on"):
        office.answer(refund, "confirm")


@at("wechat")
def test_the_provider_pays_after_two_people_saw_the_window_pay(office: Office) -> None:
    refund = _bounced(office)
    office.answer(refund, "paid_out", office.asker)
    office.answer(refund, "confirm")
    office.till.post()
    _settled_there(office)
    office.till.post()
    _paid_both_ways(office, refund)


@at("wechat")
def test_what_went_out_of_a_drawer_all_the_same_is_missed_by_no_count(office: Office) -> None:
    drawer = Drawer(office.desk, now_us=office.till.clock.us)
    shift = drawer.open(100_00)
    refund = _bounced(office)
    office.answer(refund, "paid_out", drawer.cashier)
    _settled_there(office)
    office.till.post()
    office.answer(refund, "confirm")
    office.till.post()
    _paid_both_ways(office, refund)
    drawer.now_us = office.till.clock.us
    counted = drawer.count(shift, 96_00).result
    assert (counted["expected_minor"], counted["over_minor"]) == (96_00, 0)


@at("wechat")
def test_what_the_provider_paid_is_confirmed_by_nobody_where_the_window_paid_nothing(office: Office) -> None:
    refund = _bounced(office)
    _settled_there(office)
    office.till.post()
    for answer in ("paid_out", "confirm"):
        with pytest.raises(Exception, match="gone on"):
            office.answer(refund, answer, office.asker)
    assert office.row(refund).paid_by == "source"
    assert not office.desk.events("refund.paid_twice")
    office.agree()

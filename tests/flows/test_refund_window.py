"""A refund that bounced is paid out at the window while its provider pays it all the same: the books tell of both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.test import Client
from django.urls import reverse

from support.cash import Drawer
from support.house import as_role
from support.moment import held_before
from support.refunds import Office
from support.street import HOUR_US, NOON_US
from support.till import HandClock, Till, at, suspense

FOUR = 4_000_000


@pytest.fixture(autouse=True)
def noon(clock: HandClock) -> None:
    """Every case begins at the hour its home was opened."""
    clock.us = NOON_US + HOUR_US


def _settled_there(office: Office) -> None:
    """The accountant settles it in the provider's own back office; its report makes us ask."""
    office.becomes("done")


def _listed(office: Office) -> dict[str, list[int]]:
    """{group: its refunds} of the list of refunds, which counts on today's page what waits."""
    from fairwatt.web.console import queries

    page = _page(office, "refunds")
    with as_role("web"):
        today = queries.today(book=office.book, now_us=office.till.clock.us)
    sections = re.findall(r'id="g-([a-z]+)"(.*?)</section>', page, re.DOTALL)
    groups = {key: [int(one) for one in re.findall(r"/refunds/(\d+)/", rows)] for key, rows in sections}
    waits = [rows for key, rows in groups.items() if key not in ("moving", "over")]
    assert today.refunds == sum(len(rows) for rows in waits)
    return groups


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
    refund = office.bounced()
    office.answer(refund, "paid_out", office.asker)
    _settled_there(office)
    if not waits:
        office.till.post()
        assert (office.row(refund).state, office.row(refund).paid_by) == ("succeeded", "source")
        assert _listed(office) == {"confirm": [refund]}, "the cash is in the books by the second person only"
        with pytest.raises(Exception, match="alone"):
            office.answer(refund, "confirm", office.asker)
    office.answer(refund, "confirm")
    office.till.post()
    _paid_both_ways(office, refund)
    assert office.account("clearing:window") == FOUR
    assert _listed(office) == {"over": [refund]}
    with pytest.raises(Exception, match="gone on"):
        office.answer(refund, "confirm")


@at("wechat")
def test_the_provider_pays_after_two_people_saw_the_window_pay(office: Office) -> None:
    refund = office.bounced()
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
    refund = office.bounced()
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
    refund = office.bounced()
    _settled_there(office)
    office.till.post()
    for answer in ("paid_out", "confirm"):
        with pytest.raises(Exception, match="gone on"):
            office.answer(refund, answer, office.asker)
    assert office.row(refund).paid_by == "source"
    assert not office.desk.events("refund.paid_twice")
    office.agree()


@at("wechat", "stripe")
@pytest.mark.parametrize("waits", [False, True])
def test_what_a_provider_gives_up_after_the_cash_went_out_stays_owed_until_it_is_confirmed(
    office: Office, waits: bool
) -> None:
    """Given back to the wallet by then, it would be there and in the payer's hand."""
    drawer = Drawer(office.desk, now_us=office.till.clock.us)
    shift = drawer.open(100_00)
    refund = office.bounced()
    before = office.till.balance()
    office.answer(refund, "paid_out", drawer.cashier)
    office.becomes("closed")
    if not waits:
        office.till.post()
        assert (office.row(refund).state, office.account("payable:refunds")) == ("abnormal", FOUR)
    office.answer(refund, "confirm")
    office.till.post()
    row: Any = office.row(refund)
    assert (row.state, row.paid_by) == ("succeeded", "window")
    assert (office.till.balance(), office.account("payable:refunds")) == (before, 0)
    drawer.now_us = office.till.clock.us
    counted = drawer.count(shift, 96_00).result
    assert (counted["expected_minor"], counted["over_minor"]) == (96_00, 0)
    office.agree()


@at("wechat")
@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_a_provider_that_gives_up_and_pays_in_the_end_is_in_the_books_beside_the_window(
    office: Office, when: str
) -> None:
    """Closed and then settled all the same: before the window's second person, around it, or after."""
    refund = office.bounced()
    office.answer(refund, "paid_out", office.asker)

    def confirm() -> None:
        office.answer(refund, "confirm")
        office.till.post()

    if when == "before":
        confirm()
    office.becomes("closed")
    office.till.post()
    if when == "between":
        confirm()
    _settled_there(office)
    office.till.post()
    if when == "after":
        confirm()
    _paid_both_ways(office, refund)
    assert office.account("clearing:window") == FOUR


@at("wechat")
def test_nobody_pays_out_what_its_provider_gave_up(office: Office) -> None:
    """It is credit again by then: paid out as well, it would be given twice."""
    before = office.till.balance()
    refund = office.bounced()
    office.becomes("closed")
    office.till.post()
    with pytest.raises(Exception, match="gone on"):
        office.answer(refund, "paid_out", office.asker)
    assert (office.row(refund).state, office.account("payable:refunds")) == ("failed", 0)
    assert office.till.balance() == before + 10_000_000
    office.agree()


@at("wechat")
def test_who_pays_out_while_the_provider_gives_up_is_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page said that it waits at the window; the poster was a moment faster."""
    from fairwatt.flows import ask_refund

    refund = office.bounced()
    office.becomes("closed")
    with as_role("web"):
        book = office.book

        def pay() -> None:
            about = {"book": book, "refund_id": refund, "user_id": office.asker.pk}
            ask_refund.answer_refund(answer="paid_out", now_us=office.till.clock.us, **about)

        with held_before(monkeypatch, ask_refund, "_note", pay) as held:
            with as_role("poster"):
                office.till.post()
            held.finish()
    assert office.row(refund).state == "failed"
    assert ["gone on" in str(one) for one in held.raised] == [True], "nobody may pay cash for it now"
    office.agree()


@at("wechat", "stripe")
def test_a_word_that_no_keys_let_be_believed_is_shown_and_posted_once_they_are_back(office: Office) -> None:
    till = office.till
    office.paid()
    refund = office.agreed(400)
    office.recall()
    for _ in range(2):
        till.ask(after_s=3)
    with keys_away(till):
        till.post()
        assert office.row(refund).state == "submitted"
        assert _listed(office) == {"stuck": [refund]}
        assert "Put the keys in again" in _page(office, "refund", refund)
        assert "Put the keys in again" in _page(office, "refunds")
        office.go(after_s=300)
        assert len(office.desk.events("fact.refused")) == 1, "nobody is asked without end"
    office.go(after_s=3_600)
    row: Any = office.row(refund)
    assert (row.state, row.paid_by, row.ask_us) == ("succeeded", "source", None)
    assert _listed(office) == {"over": [refund]}
    till.ask(after_s=7_200)
    till.post()
    office.agree()


@at("wechat")
@pytest.mark.parametrize("first", ["window", "back office"])
def test_what_the_window_and_the_back_office_both_gave_back_is_posted_twice_and_owed_once(
    office: Office, first: str
) -> None:
    """Cash for a payment, and somebody at the provider's own back office who gives back all of that payment."""
    till, ref = office.till, office.paid()
    (part,) = office.look().parts
    refund = office.agreed(1000, way="window", payment=part.payment)
    office.recall()
    office.answer(refund, "paid_out", office.asker)

    def window() -> None:
        office.answer(refund, "confirm")
        till.post()

    def back_office() -> None:
        till.world.give_back(till.order(ref).payments[0], amount_minor=1000)
        till.deliver_due(times=2)
        for _ in range(2):
            office.go(after_s=40)

    for deed in (window, back_office) if first == "window" else (back_office, window):
        deed()
    assert office.states() == ["succeeded", "succeeded"]
    assert not office.desk.events("fact.refused")
    assert (office.account("payable:refunds"), office.account("clearing:window")) == (0, 10_000_000)
    assert till.balance() == -10_000_000, "one of them was too much: the home owes it"
    assert till.intent(ref).state == "refunded"
    office.agree()


@at("wechat")
@pytest.mark.parametrize("float_minor", [100_00, 5_00])
def test_a_drawer_counted_before_the_second_person_came_lost_nothing(
    office: Office, float_minor: int
) -> None:
    """Two refunds were paid out by one cashier; where the drawer held one only, the other came out of the safe."""
    drawer = Drawer(office.desk, now_us=office.till.clock.us)
    shift = drawer.open(float_minor)
    office.paid()
    refunds = [office.agreed(400, way="window") for _ in range(2)]
    office.recall()
    for refund in refunds:
        office.answer(refund, "paid_out", drawer.cashier)
    drawer.now_us = office.till.clock.us
    safe = FOUR if float_minor == 5_00 else 0
    left = float_minor - 800 + safe // 10_000
    counted = drawer.count(shift, left).result
    assert (counted["expected_minor"], counted["over_minor"]) == (left, 0)
    following = drawer.open(50_00)
    office.till.clock.us = drawer.now_us
    for refund in refunds:
        assert office.row(refund).state == "submitted", "it is owed until a second person says where it is"
        office.answer(refund, "confirm")
    office.till.post()
    assert office.states() == ["succeeded", "succeeded"]
    assert (office.account("clearing:cash"), office.account("clearing:window")) == (2 * FOUR - safe, safe)
    drawer.now_us = office.till.clock.us
    assert drawer.count(following, 50_00).result["over_minor"] == 0, "nothing of it is the next day's"
    office.agree()


@at("wechat")
def test_who_paid_out_and_left_meanwhile_is_confirmed_all_the_same(office: Office) -> None:
    """What a cashier handed out is gone, whoever works here by the time a second person says so."""
    drawer = Drawer(office.desk, now_us=office.till.clock.us)
    drawer.open(100_00)
    office.paid()
    refund = office.agreed(400, way="window")
    office.recall()
    office.answer(refund, "paid_out", drawer.cashier)
    with as_role("migrate"):
        drawer.cashier.is_active = False
        drawer.cashier.save()
    office.answer(refund, "confirm")
    office.till.post()
    assert office.states() == ["succeeded"]
    assert office.account("clearing:cash") == FOUR
    office.agree()


@contextmanager
def keys_away(till: Till) -> Iterator[None]:
    """The poster finds no keys in force for any account, as after a restore without them."""
    kept, till.reading = till.reading, X25519PrivateKey.generate()
    try:
        yield
    finally:
        till.reading = kept


def _page(office: Office, name: str, *about: int) -> str:
    client = Client(SERVER_NAME="localhost")
    with as_role("web"):
        client.force_login(office.asker, backend="allauth.account.auth_backends.AuthenticationBackend")
        found = client.get(reverse(f"console:{name}", args=[office.book.slug, *about]))
    assert found.status_code == 200
    return found.content.decode()

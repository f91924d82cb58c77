"""What takes two people: a payment taken back after its shift (case 26), transfers, money claimed (case 24)."""

from __future__ import annotations

from typing import Any, cast

import pytest

from support.cash import Drawer, person_of, ticket
from support.desk import Desk
from support.house import as_role
from support.refunds import Office
from support.street import NOON_US, reading
from support.till import HandClock

STATEMENT = """date,amount,bank_ref,text,payer
2013-07-01,25.00,B1,rent {first} thanks,Lin Mei
2013-07-01,40.00,B2,electricity please,Somebody
"""


@pytest.fixture
def drawer(desk: Desk) -> Drawer:
    desk.home()
    desk.home()
    return Drawer(desk)


def test_cash_is_taken_back_after_the_shift_by_two_people_and_never_what_is_spent(drawer: Drawer) -> None:
    from django.db import DatabaseError, connection, transaction

    from fairwatt.flows.cash_desk import pay_back_cash
    from fairwatt.flows.desk import NotAllowed
    from fairwatt.flows.two_people import CannotWish

    desk, meter = drawer.desk, drawer.desk.street.homes[0]
    shift = drawer.open(0)
    drawer.answer(drawer.take(30_00))
    drawer.count(shift, 30_00)
    desk.read(meter, drawer.now_us, 1_000)
    with pytest.raises(CannotWish, match="left of this payment"):
        drawer.void(1, 30_01)
    whole = drawer.agree(drawer.void(1, 30_00))
    assert whole and drawer.answer(whole).result["code"] == "spent", "use is not given back"
    wish = drawer.void(1, 20_00)
    for person in (drawer.cashier, person_of(desk, "other", "operator")):
        with pytest.raises(NotAllowed):
            drawer.agree(wish, who=person)
    with as_role("web"), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
                       [str(drawer.book)])  # fmt: skip
        cursor.execute("INSERT INTO money_step (wish, book, step, author, at_us) VALUES (%s, %s, 'approve', %s, 1)",
                       [wish, drawer.book, drawer.cashier.pk])  # fmt: skip
    before = desk.balance(meter)
    void = drawer.agree(wish)
    assert void is not None and drawer.answer(void).state == "posted", desk.fact(void).result
    assert desk.balance(meter) == before - 20_000_000
    paper = drawer.read("receipt_of", number=1)
    assert (paper.amount_micro, paper.void_micro) == (30_000_000, 20_000_000)
    assert drawer.journal("payable:voids") == 20_000_000

    again = drawer.open(0)
    with as_role("web"):
        out = pay_back_cash(
            book_id=drawer.book, void_id=void, user_id=drawer.cashier.pk, now_us=drawer.now_us
        )
    assert drawer.answer(out).result["code"] == "drawer_too_low"
    drawer.answer(drawer.take(50_00, home=1))
    with as_role("web"):
        facts = {
            pay_back_cash(book_id=drawer.book, void_id=void, user_id=drawer.cashier.pk, now_us=drawer.now_us)
            for _ in range(2)
        }
    drawer.post()
    assert sorted(desk.fact(one).state for one in facts) in (["posted"], ["posted", "refused"])
    assert drawer.journal("payable:voids") == 0
    assert drawer.count(again, 30_00).result["over_minor"] == 0


def test_a_wish_that_came_true_meanwhile_takes_nothing_twice(drawer: Drawer) -> None:
    """Two wishes for the same payment, both agreed to before the poster sees either; and a spent credit."""
    desk, meter = drawer.desk, drawer.desk.street.homes[0]
    drawer.open(0)
    drawer.answer(drawer.take(30_00))
    both = [drawer.agree(drawer.void(1, 20_00, "not_received")) for _ in range(2)]
    drawer.post()
    states = sorted(desk.fact(one).state for one in both if one)
    assert states == ["posted", "refused"] and desk.balance(meter) == 10_000_000
    assert drawer.journal("cash:over-short") == 20_000_000
    last = drawer.agree(drawer.void(1, 10_00, "not_received"))
    desk.read(meter, drawer.now_us, 5_000)
    assert last and drawer.answer(last).result["code"] == "spent"


def test_a_transfer_waits_for_a_second_person_and_what_names_no_home_is_claimed_by_two(
    drawer: Drawer,
) -> None:
    from fairwatt.core.account_numbers import account_number
    from fairwatt.flows.bank_statement import enter_all, look_at, read_statement
    from fairwatt.flows.two_people import CannotWish, ask_claim
    from fairwatt.store.models import Book

    desk, street = drawer.desk, drawer.desk.street
    book = Book.objects.get(pk=drawer.book)
    first = account_number(wallet=street.wallets[0])
    rows = read_statement(data=STATEMENT.format(first=first).encode(), name="july.csv")
    with as_role("web"):
        seen = look_at(book=book, rows=rows, now_us=drawer.now_us)
        assert [(one.home, one.error) for one in seen] == [("0001", None), ("", None)]
        bad = [{**rows[0], "amount": "-3"}, {**rows[1], "date": "2099-01-01"}, {**rows[1], "bank_ref": ""}]
        assert all(one.error for one in look_at(book=book, rows=bad, now_us=drawer.now_us))
        with pytest.raises(CannotWish, match="Row 2"):
            enter_all(book_id=drawer.book, rows=bad, user_id=drawer.cashier.pk, now_us=1, entropy=bytes(16))
        wishes = [
            enter_all(
                book_id=drawer.book,
                rows=rows,
                user_id=drawer.cashier.pk,
                now_us=drawer.now_us,
                entropy=bytes([n]) * 16,
            )
            for n in (1, 2)
        ]
    assert wishes[0] == wishes[1], "the same rows again are the same transfers"
    for day in ("20130701", "2013-W27-1"):
        with as_role("web"):
            (again,) = look_at(book=book, rows=[{**rows[0], "date": day}], now_us=drawer.now_us)
        assert again.known and not again.error, "however its day is written"
    drawer.agree(wishes[0][0], step="refuse")
    with as_role("web"):
        wishes[0] = enter_all(
            book_id=drawer.book, rows=rows, user_id=drawer.cashier.pk, now_us=drawer.now_us, entropy=bytes(16)
        )
    assert wishes[0][0] > max(wishes[1]) and wishes[0][1] == wishes[1][1], "what was refused may come again"
    drawer.post()
    assert desk.balance(street.homes[0]) == 0, "one person's word moves nothing"
    for wish in wishes[0]:
        drawer.agree(wish)
    drawer.post()
    assert desk.balance(street.homes[0]) == 25_000_000
    assert drawer.journal("suspense") == 40_000_000 and drawer.journal("clearing:transfer") == -65_000_000

    (waiting,) = drawer.read("in_suspense", currency="GBP")
    with as_role("web"):
        claims = [
            ask_claim(
                book_id=drawer.book,
                of=waiting.of,
                wallet_id=street.wallets[1],
                words="she brought the bank's slip",
                user_id=drawer.cashier.pk,
                ticket=ticket(),
                now_us=drawer.now_us,
            )
            for _ in range(2)
        ]
    facts = [drawer.agree(one) for one in claims]
    drawer.post()
    assert sorted(desk.fact(one).state for one in facts if one) == ["posted", "refused"]
    assert desk.balance(street.homes[1]) == 40_000_000 and drawer.journal("suspense") == 0
    assert [one.provider for one in drawer.read("receipts")] == ["transfer", "transfer"]


def test_money_for_the_wrong_home_goes_to_the_right_one_and_both_receipts_tell(drawer: Drawer) -> None:
    """Case 24 after the fact: taken back into suspense, claimed for the right home; the first receipt is marked."""
    from fairwatt.flows.two_people import ask_claim

    desk, street = drawer.desk, drawer.desk.street
    shift = drawer.open(0)
    drawer.answer(drawer.take(30_00))
    fact = drawer.agree(drawer.void(1, 30_00, "suspense"))
    assert fact and drawer.answer(fact).state == "posted"
    with as_role("web"):
        claim = ask_claim(
            book_id=drawer.book,
            of=fact,
            wallet_id=street.wallets[1],
            words="room 2, not 1",
            user_id=drawer.cashier.pk,
            ticket=ticket(),
            now_us=drawer.now_us,
        )
    drawer.agree(claim)
    drawer.post()
    assert [desk.balance(home) for home in street.homes] == [0, 30_000_000]
    new, old = drawer.read("receipts")
    assert (old.void_micro, new.void_micro, new.wallet) == (30_000_000, 0, street.wallets[1])
    assert drawer.count(shift, 30_00).result["over_minor"] == 0


def test_money_of_a_provider_that_nobody_could_place_is_claimed_too(drawer: Drawer) -> None:
    """The platform reports another amount than was asked for: in suspense, until two people place it."""
    from fairwatt.flows.receive_payment import receive_callback
    from fairwatt.flows.start_top_up import start_top_up
    from fairwatt.flows.two_people import ask_claim
    from fairwatt.store.models import PaymentIntent

    desk, street = drawer.desk, drawer.desk.street
    with as_role("web"):
        started = start_top_up(
            wallet_id=street.wallets[0], amount_minor=10_00, provider="sandbox", user_id=None, now_us=NOON_US
        )
        headers, body = street.callback(our_ref=started.our_ref, amount_minor=9_00, now_us=NOON_US)
        provider = street.poster().providers["sandbox"]  # type: ignore[attr-defined]
        receive_callback(provider=provider, headers=headers, body=body, now_us=NOON_US)
    drawer.post()
    (waiting,) = drawer.read("in_suspense", currency="GBP")
    with as_role("web"):
        claim = ask_claim(
            book_id=drawer.book,
            of=waiting.of,
            wallet_id=street.wallets[0],
            words="a coupon",
            user_id=drawer.cashier.pk,
            ticket=ticket(),
            now_us=drawer.now_us,
        )
    drawer.agree(claim)
    drawer.post()
    assert desk.balance(street.homes[0]) == 9_000_000
    assert PaymentIntent.objects.get(our_ref=started.our_ref).state == "credited"
    desk.post(street.readings(reading(street.homes[0], drawer.now_us, 10)), now_us=drawer.now_us)


def test_what_came_by_card_leaves_no_drawer_as_cash(drawer: Drawer) -> None:
    from fairwatt.flows.cash_desk import pay_back_cash

    shift = drawer.open(100_00)
    drawer.answer(drawer.take(30_00, tender="terminal", slip="S1"))
    void = drawer.agree(drawer.void(1, 20_00))
    assert void and drawer.answer(void).state == "posted"
    assert not drawer.read("to_hand_out")
    with as_role("web"):
        out = pay_back_cash(
            book_id=drawer.book, void_id=void, user_id=drawer.cashier.pk, now_us=drawer.now_us
        )
    assert drawer.answer(out).result["code"] == "nothing_owed"
    assert drawer.count(shift, 100_00, slips_minor=30_00).result["over_minor"] == 0


def test_what_somebody_asked_who_left_is_asked_again_by_another(drawer: Drawer) -> None:
    from fairwatt.flows.two_people import CannotWish

    drawer.open(0)
    drawer.answer(drawer.take(30_00))
    wish = drawer.void(1, 20_00)
    with as_role("migrate"):
        drawer.cashier.is_active = False
        drawer.cashier.save()
    with pytest.raises(CannotWish, match="works here no more"):
        drawer.agree(wish)
    assert drawer.agree(wish, step="refuse") is None
    drawer.cashier = person_of(drawer.desk, "other", "operator")
    again = drawer.agree(drawer.void(1, 20_00))
    assert again and drawer.answer(again).state == "posted"


class Poster:
    """The part of a till that a refund of cash needs: the poster and a clock."""

    def __init__(self, desk: Desk, now_us: int) -> None:
        self.desk, self.clock = desk, HandClock(now_us)

    def post(self) -> None:
        self.desk.post(now_us=self.clock.us)


def test_what_was_taken_back_is_not_refunded_too_and_a_refund_leaves_the_drawer(drawer: Drawer) -> None:
    from fairwatt.flows.ask_refund import RefundImpossible
    from fairwatt.store.models import PaymentIntent

    desk = drawer.desk
    shift = drawer.open(0)
    paid = drawer.take(30_00)
    drawer.answer(paid)
    void = drawer.agree(drawer.void(1, 20_00, "not_received"))
    assert void and drawer.answer(void).state == "posted"
    assert PaymentIntent.objects.get(provider="cash", book=drawer.book).state == "part_refunded"
    office: Any = Office(till=cast("Any", Poster(desk, drawer.now_us)))
    with pytest.raises(RefundImpossible):
        office.ask(10_01, way="window", payment=paid)
    refund = office.agreed(10_00, way="window", payment=paid)
    office.recall()
    assert office.row(refund).state == "submitted", office.row(refund).code
    office.answer(refund, "paid_out", drawer.cashier)
    office.answer(refund, "confirm")
    office.till.post()
    assert (office.row(refund).state, office.row(refund).paid_by) == ("succeeded", "window")
    drawer.now_us = office.till.clock.us
    assert drawer.count(shift, 0).result["expected_minor"] == 20_00, "ten went out, twenty were never there"
    assert drawer.journal("cash:over-short") == 0 == drawer.journal("payable:refunds")

"""Cash at the window: credited once, receipted without a hole, counted blind. The rest: test_two_people.py."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.cash import Drawer, person_of, ticket
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, NOON_US


@pytest.fixture
def drawer(desk: Desk) -> Drawer:
    desk.home()
    desk.home()
    return Drawer(desk)


def test_cash_is_credit_at_once_pressed_twice_or_not_and_power_returns(drawer: Drawer) -> None:
    desk, meter = drawer.desk, drawer.desk.street.homes[0]
    desk.pay(meter, 1_00, now_us=NOON_US)
    desk.read(meter, drawer.now_us, 0)
    drawer.now_us += DAY_US
    desk.read(meter, drawer.now_us, 20_000)
    drawer.now_us += DAY_US // 2
    desk.read(meter, drawer.now_us, 20_100)
    drawer.now_us += 60_000_000
    desk.read(meter, drawer.now_us, 20_100, closed=False)
    before, form = desk.balance(meter), ticket()
    assert before < 0 and "balance_empty" in [order.reason for order in desk.orders()]
    drawer.open()
    (fact,) = {drawer.take(50_00, ticket=form), drawer.take(50_00, ticket=form)}
    assert drawer.answer(fact).result["outcome"] == "credited"
    assert desk.balance(meter) == before + 50_000_000 and drawer.journal("clearing:cash") == -50_000_000
    assert desk.orders()[-1].fact == fact and desk.orders()[-1].relay == 1, "power returns with the credit"
    from fairwatt.flows.cash_desk import CannotTake

    with pytest.raises(CannotTake, match="took a payment already"):
        drawer.take(60_00, ticket=form)
    (event,) = [one for one in desk.events("payment.credited") if "cashier" in one.evidence]
    assert event.evidence["cashier"] == drawer.cashier.pk


def test_two_cashiers_at_once_get_each_number_once_and_leave_none_out(drawer: Drawer) -> None:
    gate = Drawer(drawer.desk, name="Gate", cashier=person_of(drawer.desk, "second", "operator"))
    drawer.open()
    gate.now_us = drawer.now_us
    gate.open()
    with as_role("web"), ThreadPoolExecutor(2) as threads:
        work = [
            threads.submit(one.take_here, n * 100, home=home)
            for n in range(1, 9)
            for home, one in enumerate((drawer, gate))
        ]
        facts = {one.result(30) for one in work}
    assert len(facts) == 16
    drawer.now_us = gate.now_us
    drawer.post()
    receipts = drawer.read("receipts", limit=100)
    assert [one.number for one in receipts] == list(range(16, 0, -1))
    assert {one.fact for one in receipts} == facts and len({one.code for one in receipts}) == 16
    assert {one.cashier for one in receipts} == {drawer.cashier.pk, gate.cashier.pk}


def test_the_database_itself_leaves_no_number_out_and_gives_none_twice(drawer: Drawer) -> None:
    from django.db import DatabaseError, IntegrityError, connection, transaction

    from fairwatt.store.cash_desk import NewReceipt, number_receipt

    drawer.open()
    drawer.answer(drawer.take(5_00))
    wallet = drawer.desk.street.wallets[0]

    def number(fact: int) -> int:
        with transaction.atomic(), connection.cursor() as cursor:
            new = NewReceipt(fact, wallet, 1, "cash", "x", "secret")
            given = number_receipt(cursor=cursor, book=drawer.book, batch=1, new=new, now_us=1)
            cursor.execute("SELECT pg_sleep(0.3)")
            raise Undone(given)

    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(number, -n) for n in (1, 2)]
        for one in both:
            # The second waits for the first at the key, and what is undone leaves its number to the next.
            with pytest.raises(Undone, match="2"):
                one.result(20)
        threads.map(lambda _: connection.close(), range(2))
    row = "INSERT INTO receipt (book, number, fact, wallet, amount_micro, provider, reference, code, at_us, batch) "
    with connection.cursor() as cursor:
        for taken in (1, 3):
            with pytest.raises(IntegrityError), transaction.atomic():
                cursor.execute(
                    row + "VALUES (%s, %s, -3, %s, 1, 'cash', '', %s, 1, 1)",
                    [drawer.book, taken, wallet, "0" * 20],
                )
        with pytest.raises(DatabaseError), transaction.atomic():
            cursor.execute("DELETE FROM receipt WHERE book = %s", [drawer.book])


class Undone(Exception):
    """The transaction that numbered a receipt fails after it."""


def test_a_closed_shift_takes_nothing_more_and_says_what_was_over_or_short(drawer: Drawer) -> None:
    shift = drawer.open(100_00)
    drawer.answer(drawer.take(30_00))
    drawer.answer(drawer.take(12_00, home=1, tender="terminal", slip="000123"))
    late = drawer.take(7_00)
    waiting = drawer.now_us
    assert drawer.count(shift, 132_00, slips_minor=12_00).result["over_minor"] == -5_00
    assert drawer.desk.fact(late).state == "posted", "what was taken before the count is in it"
    assert drawer.journal("cash:over-short") == -5_000_000
    assert drawer.journal("clearing:terminal") == -12_000_000
    from fairwatt.flows.cash_desk import CannotTake

    with pytest.raises(CannotTake, match="no open shift"):
        drawer.take(1_00)
    forged = _forge(drawer, shift=shift, amount_minor=1_00, now_us=waiting)
    assert drawer.answer(forged).result["code"] == "no_open_shift"
    (done,) = drawer.read("shifts")
    assert (done.expected_minor, done.counted_minor, done.takings) == (137_00, 132_00, 3)


def test_nobody_credits_beyond_what_a_desk_was_commissioned_for(drawer: Drawer) -> None:
    """A page that lies is bounded: by the desk, its day, its cashier, the intent, and a slip that is used once."""
    from fairwatt.flows.cash_desk import CannotTake
    from fairwatt.flows.desk import NotAllowed
    from fairwatt.flows.start_top_up import TopUpRefused

    drawer.day_minor = 600_00
    drawer.__post_init__()
    shift = drawer.open()
    with pytest.raises(CannotTake, match="at most at once"):
        drawer.take(500_01)
    for nothing in (0, -1):
        with pytest.raises(CannotTake, match="above zero"):
            drawer.take(nothing)
    with pytest.raises(NotAllowed, match="Operators take money"):
        drawer.take(1_00, who=drawer.manager)
    drawer.answer(drawer.take(400_00, tender="terminal", slip="77"))
    with pytest.raises(CannotTake, match="a day"):
        drawer.take(200_01)
    with pytest.raises(CannotTake, match="entered in this shift before"):
        drawer.take(1_00, tender="terminal", slip="77")
    for wrong in (
        {"amount_minor": 500_01},
        {"amount_minor": 300_00},
        {"amount_minor": 1_00, "cashier": drawer.manager.pk},
        {"amount_minor": 1_00, "intent_minor": 2_00},
    ):
        forged = drawer.answer(_forge(drawer, shift=shift, now_us=drawer.now_us, **wrong))
        assert forged.state == "refused", wrong
    from support.credit import document, rule

    top_up = document('top_up: {most: "20"}')
    rule(drawer.desk.street, drawer.manager, body=top_up, role="migrate", now_us=drawer.now_us)
    with pytest.raises(TopUpRefused, match="most that may be paid at once"):
        drawer.take(20_01)


def _forge(drawer: Drawer, *, shift: int, amount_minor: int, now_us: int, **lies: Any) -> int:
    """A fact and its intent as a page would write them that asks no flow."""
    from django.db import connection, transaction

    from fairwatt.store import facts
    from fairwatt.store.models import PaymentIntent

    wallet, ref = drawer.desk.street.wallets[0], ticket()
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        PaymentIntent.objects.create(
            book_id=drawer.book,
            wallet_id=wallet,
            our_ref=ref,
            provider="cash",
            amount_minor=lies.get("intent_minor", amount_minor),
            currency="GBP",
            created_us=now_us,
        )
        payload = {
            "provider": "cash",
            "our_ref": ref,
            "shift": shift,
            "cashier": lies.get("cashier", drawer.cashier.pk),
            "amount_minor": amount_minor,
            "slip": "",
        }
        fact, _ = facts.add(
            cursor=cursor,
            book=drawer.book,
            kind="payment",
            natural_key=ref,
            wallet=wallet,
            payload=payload,
            raw=b"",
            now_us=now_us,
        )
    return fact


@pytest.fixture
def long_day(drawer: Drawer) -> Iterator[Drawer]:
    drawer.day_minor = 10**9
    drawer.__post_init__()
    yield drawer


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    float_minor=st.integers(0, 300_00),
    taken=st.lists(st.tuples(st.sampled_from(["cash", "terminal"]), st.integers(1, 90_00)), max_size=6),
    counted=st.integers(0, 900_00),
)
def test_what_a_count_expects_is_the_float_and_every_taking(
    long_day: Drawer, float_minor: int, taken: list[tuple[str, int]], counted: int
) -> None:
    shift = long_day.open(float_minor)
    for n, (tender, amount) in enumerate(taken):
        long_day.take(amount, tender=tender, slip=str(n) if tender == "terminal" else "")
    result = long_day.count(shift, counted).result
    cash = sum(amount for tender, amount in taken if tender == "cash")
    assert result["expected_minor"] == float_minor + cash
    assert result["over_minor"] == counted - float_minor - cash


def test_an_account_number_with_a_wrong_digit_offers_nobodys_home(drawer: Drawer) -> None:
    """Case 24 at the window: the check digits refuse, and what is found is said aloud by name and room."""
    from fairwatt.core.account_numbers import NotAnAccount, account_number
    from fairwatt.flows.cash_desk import find_homes
    from fairwatt.store.models import Book, Tenancy, User

    book = Book.objects.get(pk=drawer.book)
    with as_role("migrate"):
        lin = User.objects.create_user(f"lin-{book.slug}", None, "x", first_name="Lin", last_name="Mei")
        Tenancy.objects.create(wallet_id=drawer.desk.street.wallets[1], user=lin, start_us=NOON_US)

    def found(text: str) -> list[tuple[str, tuple[str, ...]]]:
        with as_role("web"):
            return [(one.home, one.people) for one in find_homes(book=book, text=text, now_us=drawer.now_us)]

    number = account_number(wallet=drawer.desk.street.wallets[1])
    assert found(number) == found("lin mei") == found("0002") == [("0002", ("Lin Mei",))]
    wrong = number[:-3] + str((int(number[-3]) + 1) % 10) + number[-2:]
    with pytest.raises(NotAnAccount, match="a digit is wrong"):
        found(wrong)
    assert found("9999") == []

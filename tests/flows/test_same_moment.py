"""Two people act on the same thing at the same moment: one of them is first, and the other is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from fairwatt.store import facts
from support.credit import document, person, rule
from support.desk import Desk
from support.house import as_role
from support.lets import emptied, let, publish_packages, state_of, tick
from support.moment import WAIT_S, held_before
from support.moves import clerk_of
from support.refunds import Office
from support.street import HOUR_US, NOON_US
from support.till import HandClock, at

BEGIN_US, END_US = NOON_US + 2 * HOUR_US, NOON_US + 7 * HOUR_US


@pytest.fixture(autouse=True)
def noon(clock: HandClock) -> None:
    clock.us = NOON_US + HOUR_US


def test_a_let_is_taken_back_or_begins_and_never_both(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while it began, it would have an account that no clock ever closes."""
    from fairwatt.flows import change_let

    meter = desk.home()
    publish_packages(desk)
    desk.read(meter, NOON_US + HOUR_US, 1_000)
    unit, _ = emptied(desk, now_us=NOON_US + HOUR_US)
    number = let(desk, unit, begin_us=BEGIN_US, end_us=END_US, now_us=NOON_US + HOUR_US)
    clerk = clerk_of(desk).pk
    desk.read(meter, BEGIN_US, 1_200)

    def cancel() -> None:
        about = {"book_id": desk.street.book, "let_id": number, "words": "", "user_id": clerk}
        change_let.cancel_let(now_us=BEGIN_US, **about)

    with as_role("web"):
        holding = held_before(monkeypatch, change_let.lets, "add_word", cancel)
        held = holding.__enter__()
    try:
        tick_once(desk, now_us=BEGIN_US)
    finally:
        holding.__exit__(None, None, None)
    tick(desk, now_us=BEGIN_US + 1_000_000)
    stands = state_of(desk, number)
    assert held.raised == []
    assert (stands.cancelled_us, stands.wallet) == (BEGIN_US, None)


def tick_once(desk: Desk, *, now_us: int) -> None:
    """The clock and the poster once; what cannot be done now waits."""
    from fairwatt.flows.posting.flushing import CacheFlusher
    from fairwatt.flows.posting.loading import load_book
    from fairwatt.flows.raise_due import raise_due

    flusher = CacheFlusher(state=desk.state)
    flusher.catch_up()
    flusher.flush(state=desk.state)
    raise_due(book_id=desk.street.book, now_us=now_us)
    if desk.post(now_us=now_us).reload:
        desk.state = load_book(book=desk.street.book, now_us=now_us)


@at("alipay")
def test_two_small_wishes_at_once_are_no_more_than_one(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What residents take back by themselves in a day is bounded, in whatever order their browsers come."""
    from fairwatt.flows import ask_refund
    from fairwatt.store.models import Wallet

    till = office.till
    office.paid()
    user = wishing(office, limit=300)
    office.flush()

    def wish() -> list[int]:
        wallet = Wallet.objects.select_related("book").get(pk=office.desk.street.wallets[0])
        return ask_refund.wish_refund(wallet=wallet, user_id=user.pk, amount_minor=200, now_us=till.clock.us)

    with as_role("web"), held_before(monkeypatch, ask_refund.refunds, "auto_minor", wish) as held:
        (second,) = wish()
        # The poster begins while the first is not written yet, and waits for that payment's row.
        threading.Timer(1.0, held.go.set).start()
        with as_role("poster"):
            till.post()
        held.finish()
        assert held.raised == []
    till.post()
    rows = sorted(office.row(one).state for one in (second - 1, second))
    assert rows == ["approved", "requested"], rows


@at("alipay")
@pytest.mark.parametrize("first", ["paid_out", "withdraw"])
def test_what_the_window_paid_is_not_taken_back_as_well(
    office: Office, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Paid out and withdrawn, the money would be in a hand and in the wallet."""
    from fairwatt.flows import ask_refund
    from fairwatt.store.models import RefundAnswer

    office.paid()
    refund = office.agreed(200, way="window")
    office.recall()
    office.till.post()
    assert (office.row(refund).state, office.row(refund).way) == ("submitted", "window")
    then = "withdraw" if first == "paid_out" else "paid_out"
    with as_role("web"):
        book = office.book

        def say(answer: str, who: Any) -> Callable[[], None]:
            about = {"book": book, "refund_id": refund, "user_id": who.pk, "now_us": office.till.clock.us}
            return lambda: ask_refund.answer_refund(answer=answer, **about)

        with held_before(monkeypatch, ask_refund, "_note", say(first, office.asker)) as held:
            other = begun(say(then, office.approver))
            other.join(1)
            with as_role("poster"):
                office.till.post()
            held.finish()
            other.join(WAIT_S)
    office.till.post()
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=office.desk.street.book)
        given = set(RefundAnswer.objects.filter(refund=refund).values_list("answer", flat=True))
    paid, back = "paid_out" in given, office.row(refund).state == "withdrawn"
    assert (paid, back) in ((True, False), (False, True)), (given, office.row(refund).state)


def test_a_file_of_moves_pressed_twice_is_asked_for_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the house keeps of it says that one person did it once."""
    from fairwatt.flows import move_batch

    desk.read(desk.home(), NOON_US + HOUR_US, 500)
    desk.open(now_us=NOON_US + HOUR_US)
    rows, clerk = [{"home": "0001", "move": "out"}], clerk_of(desk).pk

    def ask() -> None:
        about = {"book_id": desk.street.book, "rows": rows, "user_id": clerk, "entropy": b"0123456789"}
        move_batch.ask_all(now_us=NOON_US + HOUR_US + 1, **about)

    with as_role("web"), held_before(monkeypatch, move_batch, "look_at", ask) as held:
        other = begun(ask)
        other.join(1)
        held.finish()
        other.join(WAIT_S)
    assert held.raised == []
    assert len(desk.events("desk.moves_asked")) == 1


def test_a_rule_is_agreed_to_or_refused_and_never_both(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two administrators answer at once: the second is told that nobody is asked any more."""
    from fairwatt.flows import credit_rules

    desk.home()
    ann, bob = person(desk.street, "ann"), person(desk.street, "bob")
    written = rule(desk.street, ann, body=document("friendly: {hours: []}"))

    def say(step: str, who: Any) -> Callable[[], Any]:
        about = {"book_id": desk.street.book, "rule_id": written.rule, "words": "", "now_us": NOON_US}
        return lambda: credit_rules.step_rule(step=step, user_id=who.pk, **about)

    with as_role("web"), held_before(monkeypatch, credit_rules, "_note", say("approve", bob)) as held:
        other = begun(say("refuse", ann))
        other.join(1)
        held.finish()
        other.join(WAIT_S)
    assert held.raised == []
    assert [event.evidence["step"] for event in desk.events("desk.credit_step")] == ["approve"]


def test_two_lists_of_old_debts_at_once_bring_a_debt_over_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both saw that it is new: its home would pay it back twice."""
    from fairwatt.flows.postpaid import opening_debts

    desk.home()
    ann, bob = person(desk.street, "ann"), person(desk.street, "bob")
    row = opening_debts.DebtRow(line=2, home="0001", amount_minor=120_50, share_bp=2_000, reference="bill 88")
    found: list[str] = []

    def bring() -> None:
        about = {"book_id": desk.street.book, "rows": [row], "apply": True, "now_us": NOON_US}
        found.extend(
            one.state for one in opening_debts.bring_debts(user_id=ann.pk, agreed_by=bob.pk, **about)
        )

    with as_role("migrate"), held_before(monkeypatch, opening_debts, "_bring", bring) as held:
        other = begun(bring)
        other.join(1)
        held.finish()
        other.join(WAIT_S)
    assert held.raised == []
    assert sorted(found) == ["known", "new"]
    assert [event.evidence["debts"] for event in desk.events("desk.debts_brought")] == [1]


def begun(deed: Callable[[], object]) -> threading.Thread:
    """Somebody who does it beside; being refused is an answer too."""
    from fairwatt.core.refusal import Refusal

    def run() -> None:
        try:
            deed()
        except Refusal:
            pass
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wishing(office: Office, *, limit: int) -> Any:
    """A resident of the home, and what the supplier lets residents take back by themselves."""
    from fairwatt.store.models import Tenancy, User

    with as_role("migrate"), transaction.atomic(), connection.cursor() as cursor:
        user = User.objects.create_user(f"lin-{office.book.slug}", None, "x")
        Tenancy.objects.create(user=user, wallet_id=office.desk.street.wallets[0], start_us=0)
        cursor.execute("SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
                       [str(office.book.pk)])  # fmt: skip
        cursor.execute(
            "INSERT INTO refund_policy (book, auto_minor, author, at_us) VALUES (%s, %s, 'x', 0)",
            [office.book.pk, limit],
        )
    return user

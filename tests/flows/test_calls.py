"""A report of a payment waits for nobody, and whoever waits for it is called at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from support.house import as_role
from support.moment import held_before
from support.till import Till, at, token_of

SOON_S = 5.0


@pytest.fixture
def ear() -> Iterator[psycopg.Connection[Any]]:
    """What the poster and the collector hear by."""
    made = connection.get_connection_params()
    about = {name: made[name] for name in ("host", "port", "dbname", "user", "password")}
    with psycopg.connect(**about, autocommit=True) as listening:
        listening.execute("LISTEN fact")
        listening.execute("LISTEN collect")
        yield listening


def heard(ear: psycopg.Connection[Any], *, within_s: float = SOON_S) -> list[tuple[str, str]]:
    """The next calls, or none that came in time."""
    return [(one.channel, one.payload) for one in ear.notifies(timeout=within_s, stop_after=1)]


@at("wechat")
def test_a_report_does_not_wait_for_the_question_about_the_same_order(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows import collecting

    ref, order = till.made()
    till.world.pay(order)
    number = till.intent(ref).pk
    collector = till.collector()

    def ask() -> None:
        collector.ask(intent_id=number, hinted=True)

    with as_role("collector"):
        holding = held_before(monkeypatch, collecting, "hear_queried", ask)
        held = holding.__enter__()
    try:
        with as_role("web"), connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
            try:
                assert till.deliver_here(till.world.due()[0].make())
            finally:
                cursor.execute("RESET lock_timeout")
    finally:
        holding.__exit__(None, None, None)
    till.post()
    assert held.raised == []
    assert (till.intent(ref).state, till.balance()) == ("credited", 10_000_000)


@at("wechat", "stripe")
def test_who_waits_for_a_report_is_called_after_its_commit(
    till: Till, ear: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the bell: the transaction itself calls nobody, for who calls inside of one makes the others wait."""
    from fairwatt.flows import receive_payment
    from fairwatt.web.pay.bell import Bell

    ref, order = till.made()
    till.world.pay(order)
    while heard(ear, within_s=0.2):
        pass
    sending = till.world.due()[0].make()
    token, hint = token_of(sending)
    merchant = till.merchants().by_token(token=token, provider=till.dialect)
    about: dict[str, Any] = {"headers": sending.headers, "body": sending.body, "hint_ref": hint}
    with as_role("web"):
        for time in ("first", "again"):
            received = receive_payment.receive_callback(
                provider=merchant.provider,
                now_us=till.clock.us,
                account=merchant.account,
                call_after=True,
                **about,
            )
            assert heard(ear, within_s=0.3) == []
            # Whoever stored a hint may have died before he called, and only the provider says it again.
            calls = time == "first" or till.dialect == "stripe"
            assert bool(received.calls) == calls
            Bell().ring(received.calls)
            intent = till.intent(ref)
            expected = {"wechat": ("fact", str(intent.book_id)), "stripe": ("collect", str(intent.pk))}
            assert heard(ear, within_s=SOON_S if calls else 0.3) == (
                [expected[till.dialect]] if calls else []
            )


@pytest.mark.parametrize(
    "trouble", [OperationalError("the database is away"), RuntimeError("no database one")]
)
def test_a_bell_rings_once_its_trouble_is_over(
    house: object,
    ear: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: Exception,
) -> None:
    """No exception ends its thread, for nobody would begin it again; each is written down."""
    from fairwatt.store import calls
    from fairwatt.web.pay.bell import Bell

    real, away = calls.call, iter([True, True])

    def call(**about: Any) -> None:
        if next(away, False):
            raise trouble
        real(**about)

    monkeypatch.setattr(calls, "call", call)
    with as_role("web"):
        Bell().ring([calls.collector(intent=7)])
        assert heard(ear) == [("collect", "7")]
    assert [one.message for one in caplog.records if one.name == "fairwatt.web.pay.bell"] == [
        "callback.call_waits"
    ] * 2


@at("wechat", "stripe")
def test_who_does_not_ring_is_rung_for_by_the_database(till: Till, ear: psycopg.Connection[Any]) -> None:
    ref, order = till.made()
    till.world.pay(order)
    while heard(ear, within_s=0.2):
        pass
    till.deliver_due()
    intent = till.intent(ref)
    expected = {"wechat": ("fact", str(intent.book_id)), "stripe": ("collect", str(intent.pk))}
    assert heard(ear) == [expected[till.dialect]]


@at("alipay")
def test_what_nobody_can_answer_for_keeps_nobody_elses_refund_waiting(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.collector import refunds

    monkeypatch.setattr(refunds, "AT_ONCE", 1)
    for settled in (False, True):
        ref, order = till.made()
        paid = till.world.pay(order)
        if settled:
            till.settle(ref)
        till.world.sendings.clear()
        till.world.books.refund(paid, refund_ref=f"r{settled}", amount_minor=200, state="done")
        till.deliver_due()
    with as_role("collector"):
        at_work = till.collector().refunds
        asked = [at_work.due(), at_work.due(), at_work.due()]
    assert [len(some) for some in asked] == [1, 1, 0]

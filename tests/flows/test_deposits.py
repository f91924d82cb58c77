"""A deposit is nobody's credit: no use takes it, the month's pack shows it, and the end of the account sets it free."""

from __future__ import annotations

import os
from typing import Any

import pytest

from support.costs import flush
from support.desk import Desk
from support.house import as_role
from support.moves import ask, clerk_of, follow
from support.street import HOUR_US, NOON_US

NOW_US = NOON_US + 2 * HOUR_US


@pytest.fixture
def meter(desk: Desk) -> int:
    home = desk.home()
    desk.pay(home, 100_00, now_us=NOON_US)
    desk.read(home, NOON_US + HOUR_US, 1_000)
    return home


def kept(desk: Desk, wallet: int, amount_minor: int, **changes: Any) -> int:
    from fairwatt.flows.keep_deposit import DepositAsked, set_deposit_aside

    asked = DepositAsked(
        wallet_id=wallet, amount_minor=amount_minor, words="keys", ticket=os.urandom(16).hex()
    )
    with as_role("web"):
        about: dict[str, Any] = {"asked": asked, "user_id": clerk_of(desk).pk, "now_us": NOW_US, **changes}
        fact = set_deposit_aside(book_id=desk.street.book, **about)
        assert set_deposit_aside(book_id=desk.street.book, **about) == fact, "twice is once"
    follow(desk, now_us=NOW_US)
    return fact


def accounts(desk: Desk) -> dict[str, int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account, sum(amount_micro)::bigint FROM journal WHERE book = %s GROUP BY account",
            [desk.street.book],
        )
        return dict(cursor.fetchall())


def test_credit_set_aside_is_no_credit_and_comes_back_with_the_rest_at_the_end(
    desk: Desk, meter: int
) -> None:
    from fairwatt.flows.keep_deposit import DepositImpossible, deposits_of
    from fairwatt.flows.move_home import MoveAsked, preview_move
    from fairwatt.store.models import Book, RefundWish, Wallet

    (old,) = desk.street.wallets
    before = desk.balance(meter)
    kept(desk, old, 60_00)
    assert desk.balance(meter) == before - 60_000_000
    assert accounts(desk)["deposit:residents"] == 60_000_000
    book = Book.objects.get(pk=desk.street.book)
    assert [(one.wallet, one.held_micro) for one in deposits_of(book=book)] == [(old, 60_000_000)]
    assert desk.fact(kept(desk, old, 60_00)).result["code"] == "deposit_beyond_credit"
    flush(desk, NOW_US)
    with pytest.raises(DepositImpossible, match="less credit"):
        kept(desk, old, 60_00)

    unit = Wallet.objects.get(pk=old).unit_id
    asked = MoveAsked(kind="out", unit_id=unit, at_us=NOON_US + HOUR_US)
    with as_role("web"):
        seen = preview_move(book=book, asked=asked, now_us=NOW_US)
    assert (seen.deposit_micro, seen.left_micro) == (60_000_000, before)
    ask(desk, "out", wallet=old, at_us=NOON_US + HOUR_US, now_us=NOW_US)
    follow(desk, now_us=NOW_US)
    assert RefundWish.objects.get(wallet=old).amount_micro == before
    assert accounts(desk).get("deposit:residents", 0) == 0 == desk.balance(meter)
    assert [event.evidence["amount_micro"] for event in desk.events("deposit.")] == [60_000_000] * 2


def test_a_deposit_pays_the_debt_of_who_leaves_and_goes_along_with_who_only_moves(
    desk: Desk, meter: int
) -> None:
    from fairwatt.store.models import RefundWish, Wallet

    (old,) = desk.street.wallets
    kept(desk, old, 90_00)
    used_us = NOON_US + 5 * HOUR_US
    desk.read(meter, used_us, 61_000)
    debt = desk.balance(meter)
    assert debt < 0, "no use took the deposit"
    ask(desk, "out", wallet=old, at_us=used_us, now_us=used_us)
    follow(desk, now_us=used_us)
    assert RefundWish.objects.get(wallet=old).amount_micro == 90_000_000 + debt

    other = desk.home()
    desk.pay(other, 50_00, now_us=used_us)
    desk.read(other, used_us + HOUR_US, 500)
    second, at_us = desk.street.wallets[1], used_us + HOUR_US
    from fairwatt.flows.keep_deposit import deposits_of
    from fairwatt.store.models import Book, Installation

    kept(desk, second, 20_00, now_us=at_us)
    empty = Wallet.objects.get(pk=old).unit_id
    owner = Installation.objects.get(unit=empty, closed_us__isnull=True).wallet_id
    fact = ask(desk, "transfer", wallet=second, at_us=at_us, now_us=at_us, to_unit=empty, to_wallet=owner)
    follow(desk, now_us=at_us)
    there = desk.fact(fact).result["to_account"]
    held = deposits_of(book=Book.objects.get(pk=desk.street.book))
    assert [(one.wallet, one.held_micro) for one in held] == [(there, 20_000_000)]
    assert accounts(desk)["deposit:residents"] == 20_000_000


def test_a_deposit_from_an_earlier_time_takes_two_people_and_the_month_shows_whose_it_is(
    desk: Desk, meter: int
) -> None:
    from fairwatt.flows.keep_deposit import DepositAsked, declare_deposit
    from fairwatt.flows.two_people import answer_wish
    from fairwatt.reports.asking import Ask
    from fairwatt.reports.document import opened
    from fairwatt.reports.registry import REPORTS

    (wallet,) = desk.street.wallets
    clerk, admin = clerk_of(desk).pk, clerk_of(desk, "admin").pk
    asked = DepositAsked(
        wallet_id=wallet, amount_minor=300_00, words="lease of 2011", ticket=os.urandom(16).hex()
    )
    about: dict[str, Any] = {"book_id": desk.street.book, "now_us": NOW_US}
    with as_role("web"):
        wish = declare_deposit(asked=asked, user_id=clerk, **about)
        answer: dict[str, Any] = {"wish_id": wish, "step": "approve", "words": "seen", **about}
        with pytest.raises(ValueError, match="administrator"):
            answer_wish(user_id=clerk, **answer)
        answer_wish(user_id=admin, **answer)
    before = desk.balance(meter)
    follow(desk, now_us=NOW_US)
    assert desk.balance(meter) == before
    assert (accounts(desk)["deposit:residents"], accounts(desk)["opening"]) == (300_000_000, -300_000_000)
    ask_for = Ask(book=desk.street.book, start_us=NOON_US, end_us=NOW_US + HOUR_US, now_us=NOW_US + HOUR_US)
    with as_role("web"), opened(report=REPORTS["month-end"], ask=ask_for) as document:
        tables = {table.name: [tuple(row) for row in table.rows] for table in document.contents.tables}
    assert [row[-1] for row in tables["deposits_by_home"]] == [300_000_000]
    assert ("deposit:residents", "deposit:residents", 300_000_000) in tables["deposits"]


def test_a_deposit_taken_by_mistake_is_credit_again_by_two_people(desk: Desk, meter: int) -> None:
    from fairwatt.flows.keep_deposit import DepositAsked, DepositImpossible, free_deposit
    from fairwatt.flows.two_people import answer_wish

    (wallet,) = desk.street.wallets
    clerk, admin = clerk_of(desk).pk, clerk_of(desk, "admin").pk
    kept(desk, wallet, 60_00)
    before = desk.balance(meter)

    def wished(amount_minor: int) -> int:
        asked = DepositAsked(
            wallet_id=wallet, amount_minor=amount_minor, words="was for credit", ticket=os.urandom(16).hex()
        )
        with as_role("web"):
            return free_deposit(book_id=desk.street.book, asked=asked, user_id=clerk, now_us=NOW_US)

    with pytest.raises(DepositImpossible, match="so much"):
        wished(60_01)
    both = [wished(60_00), wished(60_00)]
    follow(desk, now_us=NOW_US)
    assert desk.balance(meter) == before, "one person's word moves nothing"
    facts = []
    for wish in both:
        with as_role("web"):
            facts.append(
                answer_wish(
                    book_id=desk.street.book,
                    wish_id=wish,
                    step="approve",
                    words="",
                    user_id=admin,
                    now_us=NOW_US,
                )
            )
    follow(desk, now_us=NOW_US)
    answers = [desk.fact(fact).result for fact in facts if fact]
    assert [one.get("code", "") for one in answers] == ["", "beyond_the_deposit"]
    assert desk.balance(meter) == before + 60_000_000
    assert accounts(desk).get("deposit:residents", 0) == 0

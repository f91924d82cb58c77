"""A booth is let, runs, ends by itself and is let again: power, money and hours as agreed, whoever forgets to act."""

from __future__ import annotations

import os
from typing import Any

import pytest

from support.desk import Desk
from support.house import as_role
from support.lets import emptied, let, publish_packages, state_of, tick
from support.moves import clerk_of, follow
from support.street import HOUR_US, NOON_US

QUARTER_US = HOUR_US // 4
BEGIN_US, END_US = NOON_US + 2 * HOUR_US, NOON_US + 7 * HOUR_US
"""15:00 and 20:00 summer time in London: no friendly hours."""


@pytest.fixture
def booth(desk: Desk) -> int:
    """An empty booth with a meter, its power on; returns the meter."""
    meter = desk.home()
    publish_packages(desk)
    desk.read(meter, NOON_US + HOUR_US, 1_000)
    emptied(desk, now_us=NOON_US + HOUR_US)
    return meter


def begun(desk: Desk, meter: int, **changes: Any) -> int:
    """A let that runs, with ten pounds in its account; returns its number."""
    number = let(desk, unit_of(desk), begin_us=BEGIN_US, end_us=END_US, now_us=NOON_US + HOUR_US, **changes)
    desk.read(meter, BEGIN_US, 1_200)
    tick(desk, now_us=BEGIN_US)
    desk.street.wallets[0] = state_of(desk, number).wallet
    desk.pay(meter, 10_00, now_us=BEGIN_US)
    for hours in range(1, 5):
        desk.read(meter, BEGIN_US + hours * HOUR_US, 1_200 + hours * 1_500)
        tick(desk, now_us=BEGIN_US + hours * HOUR_US)
    return number


def unit_of(desk: Desk) -> int:
    from fairwatt.store.models import Wallet

    return int(Wallet.objects.get(pk=desk.street.wallets[0]).unit_id)


def dark(desk: Desk, meter: int, *, at_us: int, wh: int) -> None:
    """The gateway obeys the newest order, and the meter shows it a little later."""
    desk.post(desk.receipt(desk.orders()[-1], at_us=at_us), now_us=at_us)
    desk.read(meter, at_us + 60_000_000, wh, closed=False)
    tick(desk, now_us=at_us + 60_000_000)


def test_a_booth_ends_by_itself_pays_the_rest_back_and_is_the_next_ones_within_the_hour(
    desk: Desk, booth: int
) -> None:
    from fairwatt.store.models import AccountEnd, Installation, RefundWish, TariffPlan

    number = begun(desk, booth, package="season")
    wallet = desk.street.wallets[0]
    (warning,) = desk.events("warning.contract")
    assert (warning.wallet, warning.at_us) == (wallet, BEGIN_US)
    assert not [order for order in desk.orders() if order.relay == 0]

    desk.read(booth, END_US, 8_700)
    tick(desk, now_us=END_US)
    cut = desk.orders()[-1]
    assert (cut.wallet, cut.relay, cut.reason) == (wallet, 0, "contract_ended")
    (why,) = desk.events("supply.cut")
    assert why.rule == "cut.contract_ended" and why.evidence["contract_end_us"] == END_US
    dark(desk, booth, at_us=END_US + QUARTER_US, wh=8_710)
    assert told(desk, wallet) == [("contract", END_US), ("ended", END_US)]

    assert AccountEnd.objects.get(wallet=wallet).at_us == END_US == state_of(desk, number).closed_us
    # 7.5 kWh at the merchants' price; what was used behind the end is the owner's.
    assert RefundWish.objects.get(wallet=wallet).amount_micro == 10_000_000 - 4_500_000
    owners = Installation.objects.get(
        meter__number=booth, closed_us__isnull=True, wallet__book=desk.street.book
    )
    assert TariffPlan.objects.get(pk=owners.plan_id).slug == "tariff"

    begin_us = END_US + 2 * QUARTER_US
    other = let(desk, unit_of(desk), begin_us=begin_us, end_us=begin_us + HOUR_US, now_us=END_US + QUARTER_US)
    desk.read(booth, begin_us, 8_710, closed=False)
    tick(desk, now_us=begin_us)
    desk.street.wallets[0] = next_one = state_of(desk, other).wallet
    assert next_one not in (wallet, None)
    desk.pay(booth, 5_00, now_us=begin_us)
    desk.post(now_us=begin_us)
    assert (desk.orders()[-1].wallet, desk.orders()[-1].relay) == (next_one, 1)
    tick(desk, now_us=begin_us)
    assert len(desk.events("let.begun")) == 2


def told(desk: Desk, wallet: int) -> list[tuple[str, int]]:
    """What is on its way to the people of an account about its contract, and the end that each names."""
    from django.db import connection, transaction

    from fairwatt.flows.notifying.desk import unheralded
    from fairwatt.store import facts

    with as_role("web"):
        assert unheralded(book_id=desk.street.book) == []
    with as_role("notifier"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=desk.street.book)
        cursor.execute(
            "SELECT step, coalesce(about->>'end_us', about->>'contract_end_us')::bigint FROM notice "
            "WHERE wallet = %s AND step IN ('contract', 'ended', 'cut') ORDER BY id",
            [wallet],
        )
        return [(str(step), int(end_us)) for step, end_us in cursor.fetchall()]


def test_nobody_is_cut_while_trading_and_who_trades_on_pays_for_it(desk: Desk, booth: int) -> None:
    from fairwatt.store.models import AccountEnd

    number = begun(desk, booth, trading="19:00-21:00")
    wallet = desk.street.wallets[0]
    for quarters in (0, 2):
        desk.read(booth, END_US + quarters * QUARTER_US, 9_000 + quarters * 200)
        tick(desk, now_us=END_US + quarters * QUARTER_US)
    withheld = [event for event in desk.events("supply.withheld") if event.at_us >= END_US]
    assert {(event.wallet, event.reason) for event in withheld} == {(wallet, "friendly_hours")}
    assert state_of(desk, number).closed_us is None
    at_us = END_US + HOUR_US
    desk.read(booth, at_us, 10_000)
    tick(desk, now_us=at_us)
    assert desk.orders()[-1].reason == "contract_ended"
    dark(desk, booth, at_us=at_us + QUARTER_US, wh=10_100)
    # It was used after the contract, by who traded on: the account closed when power went off.
    assert AccountEnd.objects.get(wallet=wallet).at_us == at_us + QUARTER_US + 60_000_000
    assert sum(line.energy_wh or 0 for line in desk.lines() if line.wallet == wallet) == 10_100 - 1_200


def test_a_cold_store_keeps_its_power_and_is_the_owners_from_the_end_on(desk: Desk, booth: int) -> None:
    from fairwatt.flows.change_let import mark_circuit
    from fairwatt.store.models import AccountEnd, Installation, Meter

    begun(desk, booth)
    wallet = desk.street.wallets[0]
    meter = Meter.objects.get(number=booth, gateway__site__book=desk.street.book)
    about: dict[str, Any] = {"book_id": desk.street.book, "meter_id": meter.pk, "now_us": END_US - HOUR_US}
    with as_role("web"):
        mark_circuit(circuit="cold_store", words="fish", user_id=clerk_of(desk).pk, **about)
    follow(desk, now_us=END_US - HOUR_US)
    assert desk.command(desk.orders()[-1]).supply.grant.feeds_gateway  # type: ignore[union-attr]
    with as_role("web"), pytest.raises(ValueError, match="administrator"):
        mark_circuit(circuit="ordinary", words="empty now", user_id=clerk_of(desk).pk, **about)

    desk.read(booth, END_US + QUARTER_US, 9_000)
    tick(desk, now_us=END_US + QUARTER_US)
    tick(desk, now_us=END_US + QUARTER_US)
    assert not [order for order in desk.orders() if order.relay == 0]
    assert AccountEnd.objects.get(wallet=wallet).at_us == END_US
    desk.read(booth, END_US + HOUR_US, 9_600)
    owners = Installation.objects.get(meter=meter, closed_us__isnull=True).wallet_id
    after = [
        line.energy_wh
        for line in desk.lines()
        if line.wallet == owners and line.ts.timestamp() * 10**6 > END_US
    ]
    assert sum(after) >= 600


def test_a_longer_let_brings_power_back_and_the_end_is_told_anew(desk: Desk, booth: int) -> None:
    from fairwatt.flows.change_let import end_let

    number = begun(desk, booth)
    desk.read(booth, END_US, 8_700)
    tick(desk, now_us=END_US)
    at_us = END_US + 60_000_000
    desk.post(desk.receipt(desk.orders()[-1], at_us=at_us), now_us=at_us)
    until_us = END_US + 3 * HOUR_US
    about: dict[str, Any] = {"book_id": desk.street.book, "let_id": number, "words": "", "now_us": at_us}
    with as_role("web"):
        end_let(until_us=until_us, user_id=clerk_of(desk).pk, **about)
    follow(desk, now_us=at_us)
    assert (desk.orders()[-1].relay, desk.orders()[-1].reason) == (1, "credit_returned")
    assert state_of(desk, number).warned_us is None
    tick(desk, now_us=at_us)
    assert state_of(desk, number).warned_us == at_us
    assert len(desk.events("warning.contract")) == 2


def test_what_cannot_be_let_is_refused_by_name_and_a_page_cannot_move_a_let_on(
    desk: Desk, booth: int
) -> None:
    from django.db import DatabaseError, connection, transaction

    from fairwatt.flows.let_batch import look_at, plan_all
    from fairwatt.flows.plan_let import LetImpossible
    from fairwatt.store import facts

    unit, now_us = unit_of(desk), NOON_US + HOUR_US
    let(desk, unit, begin_us=BEGIN_US, end_us=END_US, now_us=now_us)
    for begin_us, end_us, why in [
        (END_US - 1, END_US + HOUR_US, "Li, noodles has this unit then"),
        (END_US + HOUR_US, END_US + HOUR_US, "ends after it begins"),
        (END_US, END_US + 3 * 366 * 24 * HOUR_US, "within two years"),
    ]:
        with pytest.raises(LetImpossible, match=why):
            let(desk, unit, begin_us=begin_us, end_us=end_us, now_us=now_us)
    for change, why in [
        ({"package": "none"}, "no such package"),
        ({"trading": "8 to 9"}, "08:00-14:00"),
        ({"users": ("nobody-x",)}, "no resident"),
        ({"merchant": " "}, "who rents"),
    ]:
        with pytest.raises(LetImpossible, match=why):
            let(desk, unit, begin_us=END_US, end_us=END_US + HOUR_US, now_us=now_us, **change)

    from fairwatt.flows.plan_let import LetAsked, look_at_let
    from fairwatt.store.models import Book

    with as_role("web"):
        asked = LetAsked(
            unit_id=unit, begin_us=END_US, end_us=END_US + 24 * HOUR_US, merchant="Wu", package="market"
        )
        seen = look_at_let(book=Book.objects.get(pk=desk.street.book), asked=asked, now_us=now_us)
    assert seen.fixed_micro == 4_000_000, "the day that has begun, and the next"
    assert [(one.price_micro, one.included_wh) for one in seen.packages] == [(2_000_000, 5_000)]

    label = "0001"
    rows = [
        {"unit": label, "merchant": "Wang", "from": "2013-07-02 10:00", "to": "2013-07-02 18:00"},
        {"unit": label, "merchant": "Chen", "from": "2013-07-02 17:00", "to": "2013-07-02 20:00"},
    ]
    with as_role("web"):
        book, person = Book.objects.get(pk=desk.street.book), clerk_of(desk).pk
        assert [bool(row.error) for row in look_at(book=book, rows=rows, now_us=now_us)] == [False, True]
        about: dict[str, Any] = {"book_id": book.pk, "user_id": person, "now_us": now_us}
        ticket = os.urandom(10).hex()
        with pytest.raises(LetImpossible, match="Row 3"):
            plan_all(rows=rows, ticket=ticket, **about)
        assert plan_all(rows=rows[:1], ticket=ticket, **about) == plan_all(
            rows=rows[:1], ticket=ticket, **about
        )
        with (
            pytest.raises(DatabaseError, match="row-level security"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            facts.add(
                cursor=cursor,
                book=book.pk,
                kind="let",
                natural_key="let:forged",
                wallet=None,
                payload={"let": 1, "step": "close"},
                raw=b"",
                now_us=now_us,
            )
    assert len(desk.events("desk.lets_planned")) == 1, "the house keeps that one person did it once"

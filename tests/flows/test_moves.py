"""Homes change hands: each account is charged its own part, to the micro-unit, however late the meter speaks."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.core.ledger.model import Kind
from support.credit import document, person, rule, step
from support.desk import Desk
from support.house import as_role
from support.moves import ask, follow
from support.street import DAY_US, HOUR_US, NOON_US, reading

DAYS = 3
NOW_US = NOON_US + DAYS * DAY_US


@pytest.fixture
def meter(desk: Desk) -> int:
    """A home with three days of use, a kilowatt-hour an hour, and 20 in its wallet."""
    home = desk.home()
    desk.pay(home, 20_00, now_us=NOON_US)
    readings = [reading(home, NOON_US + n * HOUR_US, n * 1_000) for n in range(1, DAYS * 24 + 1)]
    desk.post(desk.street.readings(*readings), now_us=NOW_US)
    return home


def test_who_leaves_at_a_reading_gets_the_rest_back_and_the_owner_goes_on(desk: Desk, meter: int) -> None:
    old = desk.street.wallets[0]
    before = desk.balance(meter)
    fact = ask(desk, "out", wallet=old, at_us=NOW_US, now_us=NOW_US)
    follow(desk, now_us=NOW_US)

    result = desk.fact(fact).result
    assert (desk.fact(fact).state, result.get("provisional")) == ("posted", 0), result
    assert desk.balance(meter) == 0
    from fairwatt.store.models import Installation, RefundWish, Unit

    wish = RefundWish.objects.get(wallet=old)
    assert (wish.amount_micro, wish.way) == (before, "window")
    begun = Installation.objects.get(wallet=result["new_wallet"])
    assert (begun.opened_us, begun.opening_wh) == (NOW_US, DAYS * 24_000)
    assert Unit.objects.get(pk=begun.unit_id).vacant
    desk.read(meter, NOW_US + HOUR_US, DAYS * 24_000 + 40)
    mine = [line for line in desk.lines() if line.wallet == result["new_wallet"]]
    assert [line.energy_wh for line in mine] == [40]


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_meter_that_was_offline_settles_both_bills_when_it_returns(
    desk: Desk, meter: int, snapshot: bool
) -> None:
    """The old resident used 5 kWh in the dark, the owner 100 Wh, the new one 3 kWh: the meter says so a week later."""
    old, used = desk.street.wallets[0], DAYS * 24_000
    out_us, in_us = NOW_US + 7 * HOUR_US, NOW_US + 30 * HOUR_US
    fact = ask(desk, "out", wallet=old, at_us=out_us, now_us=out_us)
    follow(desk, now_us=out_us)
    owner = desk.fact(fact).result["new_wallet"]
    assert desk.fact(fact).result["provisional"] == 1
    provisional = desk.balance(meter)
    came = ask(desk, "in", wallet=owner, at_us=in_us, now_us=in_us)
    follow(desk, now_us=in_us)
    new = desk.fact(came).result["new_wallet"]
    from fairwatt.store.models import RefundWish

    assert desk.balance(meter) == provisional > 0
    assert not RefundWish.objects.filter(wallet=old).exists()

    late_us = NOW_US + 6 * DAY_US
    told = [reading(meter, late_us, used + 8_100)]
    if snapshot:
        told += [reading(meter, out_us, used + 5_000), reading(meter, in_us, used + 5_100)]
    for one in reversed(told):
        desk.post(desk.street.readings(one), now_us=late_us)
    follow(desk, now_us=late_us)

    by_wallet = energy(desk)
    if snapshot:
        assert by_wallet == {old: used + 5_000, owner: 100, new: 3_000}
    assert sum(by_wallet.values()) == used + 8_100
    assert desk.balance(meter) == 0 and RefundWish.objects.get(wallet=old).amount_micro > 0
    assert not desk.quarantine()
    explained(desk)


def test_the_order_in_which_the_meter_tells_changes_nothing(desk: Desk) -> None:
    """Four homes with one story, told in four orders, end with the same bills."""
    said = [(2, 2_000), (5, 4_900), (8, 5_050), (20, 9_000)]
    orders: list[list[tuple[int, int]]] = [
        said,
        said[::-1],
        [said[2], said[0], said[3], said[1]],
        [said[3], *said[:3]],
    ]
    ends: list[Any] = []
    homes = [desk.home() for _ in orders]
    for home in homes:
        desk.read(home, NOON_US + HOUR_US, 1_000)
    out_us, in_us, late_us = NOON_US + 6 * HOUR_US, NOON_US + 7 * HOUR_US, NOON_US + 21 * HOUR_US
    for home, order in zip(homes, orders, strict=True):
        old = desk.street.wallets[desk.street.homes.index(home)]
        gone = ask(desk, "out", wallet=old, at_us=out_us, now_us=out_us)
        follow(desk, now_us=out_us)
        unit = unit_of(old)
        owner = desk.fact(gone).result["new_wallet"]
        came = ask(desk, "in", wallet=owner, unit=unit, at_us=in_us, now_us=in_us)
        follow(desk, now_us=in_us)
        new = desk.fact(came).result["new_wallet"]
        for hours, wh in order:
            desk.post(desk.street.readings(reading(home, NOON_US + hours * HOUR_US, wh)), now_us=late_us)
        follow(desk, now_us=late_us)
        charged = energy(desk)
        cost = {
            w: sum(x.amount_micro for x in desk.lines() if x.wallet == w and x.kind != 12) for w in (old, new)
        }
        ends.append((charged[old], charged[new], cost[old], cost[new]))
    assert len(set(ends)) == 1, ends
    assert not desk.quarantine()
    explained(desk)


@pytest.mark.parametrize("minutes", [0, 17])
def test_a_move_of_the_day_before_yesterday_gives_back_and_charges_the_same_readings(
    desk: Desk, meter: int, minutes: int
) -> None:
    """The desk hears late that the home changed hands; what was charged since goes over, and later readings follow."""
    old = desk.street.wallets[0]
    at_us = NOON_US + 30 * HOUR_US + minutes * 60_000_000
    before = desk.balance(meter)
    fact = ask(desk, "out", wallet=old, at_us=at_us, now_us=NOW_US)
    follow(desk, now_us=NOW_US)
    owner = desk.fact(fact).result["new_wallet"]
    at_wh = 30_000 + 1_000 * minutes // 60
    assert energy(desk) == {old: at_wh, owner: DAYS * 24_000 - at_wh}
    came = ask(desk, "in", wallet=owner, unit=unit_of(old), at_us=NOON_US + 50 * HOUR_US, now_us=NOW_US)
    follow(desk, now_us=NOW_US)
    new = desk.fact(came).result["new_wallet"]
    assert energy(desk) == {old: at_wh, owner: 50_000 - at_wh, new: 22_000}

    from fairwatt.store.models import RefundWish

    wish = RefundWish.objects.get(wallet=old)
    assert wish.amount_micro > before and desk.balance(meter) == 0
    desk.read(meter, NOW_US + HOUR_US, DAYS * 24_000 + 500)
    snap_us = at_us - 60_000_000
    desk.read(meter, snap_us, at_wh - 10, now_us=NOW_US + HOUR_US)
    follow(desk, now_us=NOW_US + HOUR_US)
    assert sum(energy(desk).values()) == DAYS * 24_000 + 500
    assert not desk.quarantine()
    explained(desk)


def test_a_transfer_takes_the_balance_along_and_leaves_an_empty_home(desk: Desk, meter: int) -> None:
    from fairwatt.store.models import Unit

    other = desk.home()
    desk.read(other, NOW_US - HOUR_US, 700)
    old, there = desk.street.wallets
    emptied = ask(desk, "out", wallet=there, at_us=NOW_US - HOUR_US, now_us=NOW_US)
    follow(desk, now_us=NOW_US)
    owner, before = desk.fact(emptied).result["new_wallet"], desk.balance(meter)
    fact = ask(
        desk,
        "transfer",
        wallet=old,
        at_us=NOW_US,
        now_us=NOW_US,
        to_unit=unit_of(there),
        to_wallet=owner,
    )
    follow(desk, now_us=NOW_US)
    result = desk.fact(fact).result
    assert result["provisional"] == 1, result  # the other home's meter was last read an hour before
    assert desk.balance(meter) == 0
    came = [line for line in desk.lines() if line.wallet == result["to_account"]]
    assert [line.amount_micro for line in came] == [before]
    assert Unit.objects.get(pk=unit_of(old)).vacant and not Unit.objects.get(pk=unit_of(there)).vacant
    explained(desk)


def test_money_that_follows_late_to_a_home_that_owes_repays_there_and_the_old_home_is_settled(
    desk: Desk, meter: int
) -> None:
    """The old home's meter was silent when its people moved; by the time it speaks their new account has a debt."""
    from fairwatt.store.models import Journal

    desk.home()
    old, there = desk.street.wallets
    moved_us, late_us = NOW_US + 7 * HOUR_US, NOW_US + 20 * HOUR_US
    emptied = ask(desk, "out", wallet=there, at_us=NOW_US, now_us=NOW_US)
    follow(desk, now_us=NOW_US)
    owner = desk.fact(emptied).result["new_wallet"]
    fact = ask(
        desk, "transfer", wallet=old, at_us=moved_us, now_us=moved_us, to_unit=unit_of(there), to_wallet=owner
    )
    follow(desk, now_us=moved_us)
    new = desk.fact(fact).result["to_account"]
    details = {"amount_micro": 30_000_000, "origin": "brought", "share_bp": 5_000}
    owes = rule(
        desk.street,
        person(desk.street, "ann"),
        "debt",
        wallet=new,
        until_us=None,
        details=details,
        role="migrate",
    )
    step(desk.street, person(desk.street, "bob"), owes, "approve")
    follow(desk, now_us=moved_us)

    told = [reading(meter, moved_us, DAYS * 24_000 + 5_000), reading(meter, late_us, DAYS * 24_000 + 5_000)]
    desk.post(desk.street.readings(*told), now_us=late_us)
    follow(desk, now_us=late_us)
    (came,) = [line.amount_micro for line in desk.lines() if line.wallet == new and line.kind == Kind.MOVED]
    (repaid,) = [event.evidence for event in desk.events("credit.repaid")]
    assert came > 0 and (repaid["paid_micro"], repaid["debt_micro"]) == (came, came // 2)
    assert not desk.events("fact.refused") and not desk.quarantine()
    owed = Journal.objects.filter(book=desk.street.book, account="receivable:debt")
    assert sum(leg.amount_micro for leg in owed) == came // 2 - 30_000_000
    explained(desk)


def test_money_that_follows_while_both_homes_owe_emergency_credit_repays_both(desk: Desk, meter: int) -> None:
    from django.db import connection, transaction

    from fairwatt.flows.borrow import ask_for
    from fairwatt.store import facts

    desk.home()
    old, there = desk.street.wallets
    said = document('emergency: {amount: "10", offered_below: "50"}')
    rule(desk.street, person(desk.street, "ann"), body=said, role="migrate")

    def lent(wallet: int, now_us: int) -> None:
        with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=desk.street.book)
            about: Any = {"cursor": cursor, "book": desk.street.book, "after": 0, "author": None}
            ask_for(wallet=wallet, now_us=now_us, **about)
        follow(desk, now_us=now_us)

    follow(desk, now_us=NOW_US)
    lent(old, NOW_US)
    moved_us, late_us = NOW_US + 7 * HOUR_US, NOW_US + 20 * HOUR_US
    emptied = ask(desk, "out", wallet=there, at_us=NOW_US, now_us=NOW_US)
    follow(desk, now_us=NOW_US)
    where = {"to_unit": unit_of(there), "to_wallet": desk.fact(emptied).result["new_wallet"]}
    fact = ask(desk, "transfer", wallet=old, at_us=moved_us, now_us=moved_us, **where)
    follow(desk, now_us=moved_us)
    lent(desk.fact(fact).result["to_account"], moved_us)
    assert len(desk.events("emergency.lent")) == 2
    told = [reading(meter, moved_us, DAYS * 24_000 + 100), reading(meter, late_us, DAYS * 24_000 + 100)]
    desk.post(desk.street.readings(*told), now_us=late_us)
    follow(desk, now_us=late_us)
    assert not desk.events("fact.refused")
    repaid = [event.evidence["emergency_micro"] for event in desk.events("credit.repaid")]
    assert len(repaid) == 1 and repaid[0] > 0, "by the one who gets the money; the other gave it back whole"
    explained(desk)


def test_money_that_follows_to_somebody_who_has_left_by_then_is_owed_to_the_person(
    desk: Desk, meter: int
) -> None:
    from fairwatt.store.models import RefundWish

    far = desk.home()
    old, there = desk.street.wallets
    moved_us, gone_us, late_us = (NOW_US + hours * HOUR_US for hours in (7, 9, 20))
    emptied = ask(desk, "out", wallet=there, at_us=NOW_US, now_us=NOW_US)
    follow(desk, now_us=NOW_US)
    where = {"to_unit": unit_of(there), "to_wallet": desk.fact(emptied).result["new_wallet"]}
    fact = ask(desk, "transfer", wallet=old, at_us=moved_us, now_us=moved_us, **where)
    follow(desk, now_us=moved_us)
    new = desk.fact(fact).result["to_account"]
    for at_us in (moved_us, gone_us):
        desk.read(far, at_us, 0, now_us=gone_us)
    left = ask(desk, "out", wallet=new, at_us=gone_us, now_us=gone_us)
    follow(desk, now_us=gone_us)
    assert desk.fact(left).result["provisional"] == 0
    assert not RefundWish.objects.filter(wallet=new).exists()

    told = [reading(meter, moved_us, DAYS * 24_000 + 5_000), reading(meter, late_us, DAYS * 24_000 + 5_000)]
    desk.post(desk.street.readings(*told), now_us=late_us)
    follow(desk, now_us=late_us)
    (came,) = [
        line.amount_micro
        for line in desk.lines()
        if line.wallet == new and line.kind == Kind.MOVED and line.amount_micro > 0
    ]
    assert RefundWish.objects.get(wallet=new).amount_micro == came > 0
    assert [line.balance_micro for line in desk.lines() if line.wallet == new][-1] == 0
    assert not desk.quarantine()
    explained(desk)


def test_a_meter_exchange_loses_nothing_and_keeps_the_blocks_of_the_month(desk: Desk, meter: int) -> None:
    from fairwatt.store.models import Installation, Meter

    wallet, installation = desk.street.wallets[0], desk.street.installations[0]
    at_us = NOW_US + 2 * HOUR_US
    fact = ask(
        desk,
        "exchange",
        wallet=wallet,
        at_us=at_us,
        now_us=at_us,
        installation=installation,
        final_wh=DAYS * 24_000 + 2_500,
        opening_wh=12,
        meter={
            "number": 777,
            "profile": "test",
            "modulus_wh": 10**9,
            "resolution_wh": 1,
            "max_power_w": 20_000,
        },
    )
    follow(desk, now_us=at_us)
    assert desk.fact(fact).state == "posted", desk.fact(fact).result
    begun = Installation.objects.get(wallet=wallet, closed_us__isnull=True)
    assert Meter.objects.get(pk=begun.meter_id).number == 777
    assert begun.opening_counter_wh == DAYS * 24_000 + 2_500
    desk.post(desk.street.readings(reading(777, at_us + HOUR_US, 1_012)), now_us=at_us + HOUR_US)
    desk.read(meter, at_us - HOUR_US, DAYS * 24_000 + 1_000, now_us=at_us + HOUR_US)
    desk.read(meter, at_us + HOUR_US, DAYS * 24_000 + 2_600, now_us=at_us + HOUR_US)
    assert energy(desk) == {wallet: DAYS * 24_000 + 2_500 + 1_000}
    assert desk.quarantine() == ["nobodys_reading"]
    explained(desk)


def explained(desk: Desk) -> None:
    """Every line works out again, bit for bit."""
    from fairwatt.flows.explaining.ids import LineId
    from fairwatt.flows.explaining.line import explain_line

    for line in desk.lines():
        account = explain_line(line_id=LineId(line.book, line.wallet, line.seq))
        assert account.agrees, (line.kind, line.seq, account.differences)


def unit_of(wallet: int) -> int:
    from fairwatt.store.models import Wallet

    return int(Wallet.objects.get(pk=wallet).unit_id)


def energy(desk: Desk) -> dict[int, int]:
    used: dict[int, int] = {}
    for line in desk.lines():
        used[line.wallet] = used.get(line.wallet, 0) + line.energy_wh
    return used

"""Moving from postpaid: both kinds side by side, registers read by people, debts brought over, homes
that change once."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest
from django.db import connection, transaction
from PIL import Image

from support.costs import flush
from support.credit import person
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, Street

US = 1_000_000


def picture(shade: int = 90) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 48), (shade, shade, 40)).save(made, "JPEG")
    return made.getvalue()


def labels(street: Street) -> list[str]:
    from fairwatt.store.models import Wallet

    found = dict(Wallet.objects.filter(pk__in=street.wallets).values_list("pk", "unit__label"))
    return [found[wallet] for wallet in street.wallets]


def pays_after(street: Street, admin: Any, *homes: int, now_us: int = NOON_US) -> list[str]:
    from fairwatt.flows.postpaid.homes import set_postpaid

    with as_role("web"):
        return set_postpaid(
            book_id=street.book,
            homes=[labels(street)[n] for n in homes],
            due_day=15,
            words="contract of 2011",
            user_id=admin.pk,
            now_us=now_us,
        )


def wave(street: Street, admin: Any, *homes: int, day: date, now_us: int, **changes: Any) -> int:
    from fairwatt.flows.postpaid.waves import NewWave, plan_from, write_wave

    wishes = {"name": "East wing", "notice_days": 3, "grace_days": 5, **changes}
    new = NewWave(
        book_id=street.book,
        day=day,
        homes=[labels(street)[n] for n in homes],
        plan=plan_from(daily_micro=500_000, share_bp=2_500, week_cap_micro=None),
        **wishes,
    )
    with as_role("web"):
        return write_wave(new=new, user_id=admin.pk, now_us=now_us)


def step(street: Street, who: Any, number: int, what: str, *, now_us: int, **more: Any) -> int:
    from fairwatt.flows.postpaid.waves import step_wave

    with as_role("web"):
        return step_wave(
            book_id=street.book, wave_id=number, step=what, user_id=who.pk, now_us=now_us, **more
        )


def due(desk: Desk, now_us: int) -> None:
    """The head-end's look at the clock, and the batches that follow."""
    from fairwatt.flows.raise_due import raise_due

    raise_due(book_id=desk.street.book, now_us=now_us)
    result = desk.post(now_us=now_us)
    if result.reload:
        desk.open(now_us=now_us)
        desk.post(now_us=now_us, regrant=result.regrant)


def read_by_hand(street: Street, who: Any, wh: int, *, home: int = 0, now_us: int, shade: int = 90) -> Any:
    from fairwatt.flows.postpaid.reading_round import enter_reading

    with as_role("web"):
        return enter_reading(
            book_id=street.book,
            installation_id=street.installations[home],
            register_wh=wh,
            photo=picture(shade),
            words="",
            user_id=who.pk,
            now_us=now_us,
        )


def test_both_kinds_live_in_one_book_and_only_one_is_cut_for_credit(desk: Desk, street: Street) -> None:
    after, before = desk.home(), desk.home()
    admin = person(street, "ada")
    assert pays_after(street, admin, 0) == labels(street)[:1]
    assert pays_after(street, admin, 0) == []
    result = desk.post(now_us=NOON_US + 1)
    desk.open(now_us=NOON_US + 1)
    desk.post(now_us=NOON_US + 2, regrant=result.regrant)
    for hour in (1, 2, 3, 4):
        at = NOON_US + hour * HOUR_US
        frames = [desk.street.readings(_reading(home, at, hour * 2_000)) for home in (after, before)]
        desk.post(*frames, now_us=at)
    assert desk.balance(after) == desk.balance(before) < 0
    told = {(event.wallet, event.kind) for event in desk.events("warning.")}
    assert {wallet for wallet, _ in told} == {street.wallets[1]}
    withheld = next(iter(desk.events("supply.withheld")))
    assert (withheld.wallet, withheld.reason) == (street.wallets[0], "postpaid")
    assert {event.wallet for event in desk.events("supply.cut")} == {street.wallets[1]}
    from fairwatt.flows.postpaid.homes import account_of
    from fairwatt.store import facts, postpaid

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=street.book)
        one = postpaid.postpaid_of(cursor=cursor, book=street.book, wallet=street.wallets[0])
    assert one is not None
    account = account_of(
        one=one, balance_micro=desk.balance(after), zone="Europe/London", now_us=NOON_US + 5 * HOUR_US
    )
    assert account is not None and account.owed_micro == -desk.balance(after)
    assert account.due_us == NOON_US + 15 * DAY_US - 13 * HOUR_US - 1  # the end of 15 July in London


def _reading(home: int, at_us: int, wh: int) -> Any:
    from support.street import reading

    return reading(home, at_us, wh)


def test_a_home_changes_once_its_debt_gets_a_plan_and_nobody_is_cut_at_that_minute(
    desk: Desk, street: Street
) -> None:
    from fairwatt.flows.desk import NotAllowed
    from fairwatt.flows.postpaid.homes import PostpaidRefused

    homes = [desk.home() for _ in range(3)]
    admin, other = person(street, "ada"), person(street, "bea")
    pays_after(street, admin, 0, 1, 2)
    result = desk.post(now_us=NOON_US + 1)
    desk.open(now_us=NOON_US + 1)
    desk.post(now_us=NOON_US + 2, regrant=result.regrant)
    for home in homes:
        desk.read(home, NOON_US + DAY_US, 30_000)
    owed = -desk.balance(homes[0])
    start = NOON_US + DAY_US
    with pytest.raises(PostpaidRefused, match="nearer than the days of notice"):
        wave(street, admin, 0, day=date(2013, 7, 3), now_us=start)
    number = wave(street, admin, 0, 1, 2, day=date(2013, 7, 8), now_us=start)
    with pytest.raises(NotAllowed, match="Another administrator"):
        step(street, admin, number, "agreed", now_us=start)
    step(street, other, number, "agreed", now_us=start)
    # The third home gets no notice, the second is postponed: neither changes on the date.
    step(street, admin, number, "noticed", now_us=start, wallets=street.wallets[:2])
    assert step(street, admin, number, "noticed", now_us=start + 1, wallets=street.wallets[:2]) == 0
    step(street, admin, number, "postponed", now_us=start, wallets=street.wallets[1:2], day=date(2013, 7, 20))
    due(desk, NOON_US + 6 * DAY_US)
    assert not desk.events("postpaid.switched")
    at = NOON_US + 7 * DAY_US
    for home in homes:
        desk.read(home, at - HOUR_US, 30_000)
    due(desk, at)
    due(desk, at + HOUR_US)
    assert [event.wallet for event in desk.events("postpaid.switched")] == street.wallets[:1]
    assert desk.balance(homes[0]) == 0 and desk.balance(homes[1]) < 0
    (switched,) = desk.events("postpaid.switched")
    standing = 6 * 262_500  # days of standing charge with its tax
    assert abs(switched.evidence["owed_micro"] - owed - standing) < 300_000
    # Warned as a prepaid home from now on; while grace lasts nobody cuts it, afterwards the rules of prepaid hold.
    for hour in range(1, 5):
        desk.read(homes[0], at + hour * HOUR_US, 30_000 + hour * 500)
    assert "empty" in {e.reason for e in desk.events("warning.") if e.wallet == street.wallets[0]}
    assert desk.events("supply.withheld")[-1].reason == "switch_grace" and not desk.events("supply.cut")
    over = NOON_US + 13 * DAY_US
    due(desk, over)
    for hour in range(4):
        desk.read(homes[0], over + hour * HOUR_US, 40_000 + hour * 500)
    assert {event.wallet for event in desk.events("supply.cut")} == {street.wallets[0]}


def test_a_register_read_by_a_person_is_rated_like_all_and_a_far_one_is_looked_at_twice(
    desk: Desk, street: Street
) -> None:
    from fairwatt.flows.postpaid.reading_round import CannotRead, look_again

    by_hand, by_meter = desk.home(), desk.home()
    clerk = person(street, "clerk", role="operator")
    for day, wh in ((4, 20_000), (9, 47_000)):
        at = NOON_US + day * DAY_US
        taken = read_by_hand(street, clerk, wh, now_us=at, shade=day)
        assert taken.doubt == "" and taken.used_wh == (20_000 if day == 4 else 27_000)
        assert read_by_hand(street, clerk, wh, now_us=at, shade=day).reading == taken.reading
        desk.post(now_us=at)
        desk.read(by_meter, at, wh)
        flush(desk, at)
    assert (
        desk.balance(by_hand) == desk.balance(by_meter) < 0
    )  # to the micro-unit, blocks and boundaries alike
    assert [event.evidence["register_wh"] for event in desk.events("reading.by_hand")] == [20_000, 47_000]
    at = NOON_US + 14 * DAY_US
    with pytest.raises(CannotRead, match="cannot show that"):
        read_by_hand(street, clerk, 46_000, now_us=at)
    far = read_by_hand(street, clerk, 470_000, now_us=at)
    assert far.doubt == "much" and far.usual_wh > 0
    desk.post(now_us=at)
    assert desk.balance(by_hand) == desk.balance(by_meter)
    with as_role("web"):
        with pytest.raises(CannotRead, match="another number"):
            look_again(
                book_id=street.book, reading_id=far.reading, register_wh=74_000, user_id=clerk.pk, now_us=at
            )
        word = look_again(
            book_id=street.book, reading_id=far.reading, register_wh=None, user_id=clerk.pk, now_us=at
        )
    assert word == "dropped"
    sure = read_by_hand(street, clerk, 470_000, now_us=at + 1)
    with as_role("web"):
        for _ in range(2):
            look_again(
                book_id=street.book,
                reading_id=sure.reading,
                register_wh=470_000,
                user_id=clerk.pk,
                now_us=at + 2,
            )
    desk.post(now_us=at + 3)
    desk.read(by_meter, at + 1, 470_000, now_us=at + 4)
    assert desk.balance(by_hand) == desk.balance(by_meter)
    # A restart knows the register as it was read.
    desk.open(now_us=at + 5)
    desk.read(by_hand, at + DAY_US, 471_000)
    desk.read(by_meter, at + DAY_US, 471_000)
    assert desk.balance(by_hand) == desk.balance(by_meter)


def test_debts_of_an_earlier_system_come_in_two_names_and_once(desk: Desk, street: Street) -> None:
    from fairwatt.flows.desk import NotAllowed
    from fairwatt.flows.postpaid.homes import PostpaidRefused
    from fairwatt.flows.postpaid.opening_debts import DebtRow, bring_debts
    from fairwatt.store.models import Journal

    desk.home()
    desk.home()
    clerk, admin = person(street, "clerk", role="operator"), person(street, "ada")
    first, second = labels(street)
    good = DebtRow(line=2, home=first, amount_minor=120_50, share_bp=2_000, reference="bill 88")
    bad = [
        DebtRow(line=3, home="9999", amount_minor=1, daily_minor=1, reference="x"),
        DebtRow(line=4, home=second, amount_minor=5_00, reference="no plan"),
        DebtRow(line=5, home=first, amount_minor=1, daily_minor=1, reference="bill 88"),
    ]

    def bring(rows: list[DebtRow], *, apply: bool = True, agreed_by: Any = admin) -> list[str]:
        with as_role("migrate"):
            found = bring_debts(
                book_id=street.book,
                rows=rows,
                apply=apply,
                user_id=clerk.pk,
                agreed_by=agreed_by.pk,
                now_us=NOON_US,
            )
        return [one.state for one in found]

    assert bring([good, *bad], apply=False) == ["new", "fault", "fault", "fault"]
    with pytest.raises(PostpaidRefused, match="line 3"):
        bring([good, *bad])
    with pytest.raises(NotAllowed):
        bring([good], agreed_by=clerk)
    assert bring([good]) == ["new"]
    assert bring([good]) == ["known"]
    desk.post(now_us=NOON_US + 1)
    desk.post(now_us=NOON_US + 2)
    assert desk.balance(street.homes[0]) == 0
    legs = Journal.objects.filter(book=street.book, account="receivable:debt")
    assert sum(legs.values_list("amount_micro", flat=True)) == -120_500_000
    desk.pay(street.homes[0], 50_00, now_us=NOON_US + HOUR_US)
    desk.post(now_us=NOON_US + HOUR_US)
    assert desk.balance(street.homes[0]) == 40_000_000


def test_a_page_cannot_change_a_home_by_itself(desk: Desk, street: Street) -> None:
    from django.db import DatabaseError

    from fairwatt.store import facts

    desk.home()
    about = {
        "book": street.book,
        "kind": "switch",
        "natural_key": "switch:1:1:x",
        "wallet": street.wallets[0],
    }
    refused = pytest.raises(DatabaseError, match="row-level security")
    with as_role("web"), refused, transaction.atomic(), connection.cursor() as cursor:
        facts.add(cursor=cursor, payload={"wave": 1, "wallet": 1}, raw=b"", now_us=NOON_US, **about)

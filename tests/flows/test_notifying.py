"""People are told what happens to their supply: once, by a way that arrives, and somebody calls where none does."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

import fairwatt
from fairwatt.server.launcher.services import Services
from support.costs import flush
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import FLAT, HOUR_US, NOON_US, Street, reading
from support.telling import ORIGIN, PHONE, Telling, open_telling
from support.till import HandClock

MINUTE_US = 60_000_000


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    with opened_desk(Street(tariff=FLAT)) as opened:
        yield opened
        check_laws(opened.street.book, acked=opened.acked)


@pytest.fixture
def telling(desk: Desk) -> Iterator[Telling]:
    with open_telling(desk, HandClock(NOON_US)) as opened:
        yield opened


def warned(telling: Telling, *, at_us: int = NOON_US + HOUR_US, **contacts: str) -> int:
    """A home that has three pounds and uses two of them: credit is low."""
    desk = telling.desk
    meter = desk.home(tenants=(telling.person(**contacts),))
    desk.pay(meter, 3_00, now_us=NOON_US)
    desk.read(meter, at_us, 6_000)
    assert [event.reason for event in desk.events("warning.")] == ["low"]
    return meter


def test_a_warning_arrives_by_letter_and_phone_once(telling: Telling) -> None:
    warned(telling, email="lin@home.example")
    telling.look(at_us=NOON_US + HOUR_US + 1)
    telling.look()
    (letter,) = telling.box.world.arrived
    assert (letter.to, letter.ref) == ("lin@home.example", telling.messages()[0].ref)
    assert "£1.80" in letter.text
    assert f"{ORIGIN}/n/{telling.messages()[0].code}/" in letter.text
    # A mail server took it, and nothing hangs on it yet: no short message follows.
    telling.look(at_us=NOON_US + HOUR_US + 11 * MINUTE_US)
    assert telling.told() == [("low", "email", "sent")]
    assert telling.calls() == []


def test_what_does_not_arrive_goes_further_and_ends_with_a_call(telling: Telling) -> None:
    meter = warned(telling, email="lin@home.example")
    at_us = NOON_US + 2 * HOUR_US
    telling.desk.read(meter, at_us, 13_000)
    telling.look(at_us=at_us + 1)
    assert ("critical", "email", "sent") in telling.told()
    telling.look(at_us=at_us + 10 * MINUTE_US + 2)
    assert ("critical", "sms", "sent") in telling.told()
    assert telling.calls() == []
    telling.look(at_us=at_us + 21 * MINUTE_US)
    (call,) = telling.calls()
    assert (call.because, call.step, call.answered_us) == ("no_receipt", "critical", None)
    telling.desk.read(meter, at_us + HOUR_US, 15_500)
    assert telling.desk.events("supply.cut")
    assert len(telling.calls()) == 1
    assert telling.lawless() == []


def test_no_cut_comes_without_a_warning_that_arrived_or_a_call(telling: Telling) -> None:
    """With the notifier dead the cut itself writes the call; with a receipt before it there is none."""
    desk = telling.desk
    silent = desk.home(tenants=(telling.person(),))
    reached = desk.home(tenants=(telling.person(phone="+447700900999"),))
    at_us = NOON_US + 10 * MINUTE_US
    desk.post(
        desk.street.readings(reading(silent, at_us, 1_000), reading(reached, at_us, 1_000)), now_us=at_us
    )
    telling.look(at_us=at_us + 1)
    theirs = next(one for one in telling.messages() if one.address == "+447700900999")
    report = [{"out_id": theirs.ref, "biz_id": "", "success": True, "err_code": "DELIVERED"}]
    telling.report("aliyun", json.dumps(report).encode())
    at_us += HOUR_US
    desk.post(
        desk.street.readings(reading(silent, at_us, 1_100), reading(reached, at_us, 1_100)), now_us=at_us
    )
    assert len(desk.events("supply.cut")) == 2
    (call,) = telling.calls()
    assert (call.wallet, call.because) == (desk.street.wallets[0], "cut_unreached")
    assert telling.lawless() == []
    telling.look(at_us=at_us + 1)
    told = [(one.step, one.state) for one in telling.messages() if one.address == PHONE]
    assert told == [("empty", "sent"), ("cut", "sent")]


def test_who_paid_meanwhile_is_not_warned(telling: Telling) -> None:
    """Credit is low at night; it is paid before eight, when the warning would have gone out."""
    meter = warned(telling, at_us=NOON_US + 10 * HOUR_US)
    telling.look(at_us=NOON_US + 10 * HOUR_US + 1)
    assert telling.told() == [("low", "sms", "queued")]
    telling.desk.pay(meter, 50_00, now_us=NOON_US + 12 * HOUR_US)
    telling.desk.post(now_us=NOON_US + 12 * HOUR_US)
    telling.look(at_us=NOON_US + 21 * HOUR_US)
    assert [(one.state, one.reason) for one in telling.messages()] == [("suppressed", "no_longer_true")]
    assert telling.box.world.arrived == []


def test_cut_and_return_are_told_as_they_happen(telling: Telling) -> None:
    desk = telling.desk
    meter = desk.home(tenants=(telling.person(),))
    at_us = NOON_US + 10 * MINUTE_US
    desk.read(meter, at_us, 1_000)
    desk.read(meter, at_us + HOUR_US, 1_100)
    at_us += HOUR_US + MINUTE_US
    order = desk.orders()[-1]
    desk.post(
        desk.receipt(order, at_us=at_us - 1),
        desk.street.readings(reading(meter, at_us, 1_100, closed=False)),
        now_us=at_us,
    )
    desk.pay(meter, 50_00, now_us=at_us + 1)
    desk.post(now_us=at_us + 1)
    order = desk.orders()[-1]
    at_us += MINUTE_US
    desk.post(
        desk.receipt(order, at_us=at_us - 1), desk.street.readings(reading(meter, at_us, 1_100)), now_us=at_us
    )
    telling.look(at_us=at_us + 1)
    # Power is back: that it was to be cut is no news any more.
    assert [step for step, _, state in telling.told() if state == "sent"] == ["restored"]


def test_credit_that_runs_out_twice_a_day_is_told_twice(telling: Telling) -> None:
    desk = telling.desk
    meter = desk.home(tenants=(telling.person(),))
    at_us = NOON_US + 10 * MINUTE_US
    desk.read(meter, at_us, 1_000)
    telling.look(at_us=at_us + 1)
    desk.pay(meter, 3_00, now_us=at_us + MINUTE_US)
    desk.post(now_us=at_us + MINUTE_US)
    at_us += 2 * HOUR_US
    desk.read(meter, at_us, 20_000)
    telling.look(at_us=at_us + 1)
    assert telling.told() == [("empty", "sms", "sent")] * 2


def test_a_kill_between_sending_and_noting_sends_nothing_twice(telling: Telling) -> None:
    """The provider took it and the answer is lost; another process asks before it sends."""
    warned(telling)
    telling.box.world.faults.deaf = 1
    telling.look(at_us=NOON_US + HOUR_US + 1)
    assert telling.told() == [("low", "sms", "queued")]
    telling.restart()
    telling.look(at_us=NOON_US + HOUR_US + 5 * MINUTE_US)
    assert telling.told() == [("low", "sms", "sent")]
    assert len(telling.box.world.arrived) == 1
    assert [step for step, *_ in steps(telling)] == ["queued", "taken", "retry", "taken", "found", "sent"]


def test_a_kill_before_sending_sends_it_once(telling: Telling) -> None:
    """Taken, and whoever took it is gone: after two minutes another one finds out and sends."""
    from fairwatt.flows.notifying import routing, sending

    warned(telling)
    now_us = NOON_US + HOUR_US + 1
    telling.clock.us = now_us
    with as_role("notifier"):
        routing.route_one(lines=telling.notifier._lines, now_us=now_us)
        assert len(sending.take_messages(now_us=now_us, limit=9)) == 1
    telling.restart()
    telling.look(at_us=now_us + MINUTE_US)
    assert telling.box.world.arrived == []
    telling.look(at_us=now_us + 3 * MINUTE_US)
    telling.look(at_us=now_us + 6 * MINUTE_US)
    assert [one.ref for one in telling.box.world.arrived] == [telling.messages()[0].ref]


def test_a_sick_line_rests_and_the_message_waits(telling: Telling) -> None:
    warned(telling)
    telling.box.world.faults.sick = 3
    at_us = NOON_US + HOUR_US + 1
    for minutes in (0, 1, 4, 20, 40):
        telling.look(at_us=at_us + minutes * MINUTE_US)
    assert telling.told() == [("low", "sms", "sent")]
    assert len(telling.box.world.arrived) == 1


def test_time_itself_reaches_the_last_steps(telling: Telling) -> None:
    """Credit is low; by the forecast a day is left, then two hours: each is told once."""
    meter = warned(telling)
    wallet = telling.desk.street.wallets[0]
    forecast_evenly(telling, wallet, micro_an_hour=100_000)
    flush(telling.desk, NOON_US + HOUR_US)
    for minutes in (1, 2, 30):
        telling.look(at_us=NOON_US + HOUR_US + minutes * MINUTE_US)
    assert [step for step, *_ in telling.told()] == ["low", "day"]
    telling.desk.read(meter, NOON_US + 2 * HOUR_US, 14_000)
    flush(telling.desk, NOON_US + 2 * HOUR_US)
    for minutes in (1, 2, 3):
        telling.look(at_us=NOON_US + 2 * HOUR_US + minutes * MINUTE_US)
    assert [step for step, *_ in telling.told()] == ["low", "day", "critical", "hours"]
    said = telling.messages()[-1].params
    assert (said["hours"], said["balance"]) == (2, "£0.20")


def forecast_evenly(telling: Telling, wallet: int, *, micro_an_hour: int) -> None:
    from django.db import connection, transaction

    from fairwatt.core.insight.ahead.outlook import Outlook
    from fairwatt.store import facts, forecasts

    midnight_us = NOON_US - 13 * HOUR_US
    curve = tuple(24 * micro_an_hour * n for n in (1, 2, 3))
    days = tuple(midnight_us + n * 24 * HOUR_US for n in range(4))
    outlook = Outlook(days, curve, curve, curve, (0,) * 3, (0,) * 3, (1,) * 48, curve[0], 14)
    made = forecasts.Made(
        wallet=wallet,
        available_micro=1_800_000,
        batch=0,
        outlook=outlook,
        range=outlook.range(available_micro=1_800_000, now_us=NOON_US),
        levels_micro=curve,
        inputs=b"0" * 16,
    )
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=telling.desk.street.book)
        forecasts.save(
            cursor=cursor,
            book=telling.desk.street.book,
            made=[made],
            because="night",
            method=1,
            seed=1,
            now_us=NOON_US,
        )


def test_what_can_wait_comes_as_one_message(telling: Telling) -> None:
    """Two homes of one person run low on the same day; at six one message names both."""
    from fairwatt.flows.notifying.reaching import choose

    desk, person = telling.desk, telling.person()
    with as_role("web"):
        choose(user=person, language="en", channels=["sms"], silent=[], digest=True, now_us=NOON_US)
    for _ in range(2):
        desk.pay(desk.home(tenants=(person,)), 3_00, now_us=NOON_US)
    at_us = NOON_US + HOUR_US
    desk.post(
        desk.street.readings(*(reading(meter, at_us, 6_000) for meter in desk.street.homes)), now_us=at_us
    )
    telling.look(at_us=at_us + 1)
    assert telling.box.world.arrived == []
    telling.look(at_us=NOON_US + 6 * HOUR_US)
    assert sorted(one.state for one in telling.messages()) == ["sent", "suppressed"]
    body = next(one.body for one in telling.messages() if one.state == "sent")
    assert body.count("Maple Court") == 2


def test_what_cannot_be_told_keeps_nobody_else_waiting(telling: Telling) -> None:
    """A notice that makes no sense, and words that want what is not known: the house's are said instead."""
    from django.db import connection, transaction

    from fairwatt.store import contacts, facts, notices

    book, organisation = telling.desk.street.book, telling.organisation.pk
    with as_role("notifier"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book)
        notices.add_notice(
            cursor=cursor, book=book, wallet=None, step="bogus", key=f"bogus:{book}", about={}, now_us=1
        )
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        words = ("{balance}", "{nothing}", "{nothing}")
        contacts.save_wording(
            cursor=cursor,
            organisation=organisation,
            step="low",
            language="en",
            words=words,
            author=1,
            now_us=1,
        )
    warned(telling, email="lin@home.example")
    telling.look(at_us=NOON_US + HOUR_US + 1)
    assert telling.told() == [("low", "email", "sent")]
    assert "£1.80" in telling.messages()[0].body


def test_the_database_knows_the_same_moves_of_a_message() -> None:
    from fairwatt.core.notices.model import NEXT

    sql = (Path(fairwatt.__file__).parent / "store" / "sql" / "notices.sql").read_text()
    known = set(re.findall(r"'(\w+>\w+)'", sql))
    assert known == {f"{before}>{after}" for before, allowed in NEXT.items() for after in allowed}


def steps(telling: Telling) -> list[tuple[str, str, str, int]]:
    from django.db import connection, transaction

    from fairwatt.store import facts
    from fairwatt.store import messages as stored

    (number,) = [one.id for one in telling.messages()]
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=telling.desk.street.book)
        return stored.steps_of(cursor=cursor, numbers=[number])[number]


def test_a_question_by_short_message_is_answered_with_the_balance(desk: Desk) -> None:
    with open_telling(desk, HandClock(NOON_US), kinds=("twilio",)) as telling:
        meter = desk.home(tenants=(telling.person(),))
        desk.pay(meter, 30_00, now_us=NOON_US)
        desk.post(now_us=NOON_US)
        flush(desk, NOON_US)

        def ask(text: str, number: str, *, signed: bool = True, sender: str = PHONE) -> None:
            form = {"From": sender, "Body": text, "MessageSid": number}
            said = f"{ORIGIN}/n/heard/{telling.token}twilio" + "".join(
                f"{name}{form[name]}" for name in sorted(form)
            )
            mark = base64.b64encode(
                hmac.digest(b"tw-token" if signed else b"x", said.encode(), "sha1")
            ).decode()
            telling.clock.us += 2 * MINUTE_US
            telling.report("twilio", urlencode(form).encode(), {"X-Twilio-Signature": mark})

        ask("Balance", "SM1")
        (answer,) = telling.box.world.arrived
        assert (answer.to, "£30.00" in answer.text) == (PHONE, True)
        ask("Balance", "SM1")  # the same message, reported twice
        ask("余额", "SM2", signed=False)
        ask("balance", "SM3", sender="+447700900000")
        ask("hello", "SM4")
        assert len(telling.box.world.arrived) == 1
        ask(" 余额 ", "SM5")
        assert len(telling.box.world.arrived) == 2

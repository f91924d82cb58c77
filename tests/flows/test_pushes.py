"""Wishes for many meters: the first prove it, too many dark homes need two people, a receipt proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from fairwatt.server.config import Config
from fairwatt.server.launcher.services import Services
from fairwatt.wire.commands import Command, Receipt, Result, hash8, verify_command
from fairwatt.wire.frames import Event
from fairwatt.wire.standing import LimitPower
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import HOUR_US, NOON_US, Street, reading

HOMES = 8
AT_US = NOON_US + HOUR_US


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    street = Street()
    for _ in range(HOMES):
        street.open_home()
    with opened_desk(street) as opened:
        for meter in street.homes:
            opened.pay(meter, 20_00, now_us=NOON_US)
        opened.post(street.readings(*(reading(m, AT_US, 100) for m in street.homes)), now_us=AT_US)
        yield opened
        check_laws(street.book, acked=opened.acked)


def person(desk: Desk, role: str = "operator", name: str = "a") -> int:
    from fairwatt.store.models import User

    username = f"{role}-{name}-{desk.street.book}"
    with as_role("migrate"):
        found = User.objects.filter(username=username).first()
        organisation = desk.street.site.book.organisation
        return (
            found or User.objects.create_user(username, None, "x", organisation=organisation, role=role)
        ).pk


def start(desk: Desk, kind: str, wish: dict[str, Any], **more: Any) -> int:
    from fairwatt.flows.ask_push import start_push

    user = more.pop("user_id", None) or person(desk)
    with as_role("web"):
        return start_push(
            book_id=desk.street.book,
            kind=kind,
            wish=wish,
            words="because",
            user_id=user,
            now_us=AT_US,
            **more,
        )


def step(desk: Desk, push: int, what: str, user_id: int) -> Any:
    from fairwatt.flows.ask_push import step_push

    with as_role("web"):
        return step_push(
            book_id=desk.street.book, push_id=push, step=what, words="", user_id=user_id, now_us=AT_US
        )


def advance(desk: Desk) -> list[Command]:
    """Take wishes on; return the commands that wait for a receipt."""
    from fairwatt.flows.advance_pushes import advance_pushes

    poster: Any = desk.street.poster()
    waiting = advance_pushes(book_id=desk.street.book, sign=poster.sign, now_us=AT_US)
    keys = {b"issuer": desk.street.issuer.public_key()}
    found = [(m, verify_command(message=m, keys=keys)) for some in waiting.values() for m in some]
    desk.sent = {(c.meter, c.kind, c.seq): m for m, c in found}  # type: ignore[attr-defined]
    return [command for _, command in found]


def say(desk: Desk, command: Command, *, result: Result = Result.APPLIED, **reported: Any) -> None:
    """The gateway's receipt, and behind it what the meter shows, if anything."""
    message = desk.sent[command.meter, command.kind, command.seq]  # type: ignore[attr-defined]
    receipt = Receipt(command.meter, command.seq, result, 2, None, AT_US, hash8(message))
    told = {"kind": command.kind, "seq": command.seq}
    signed = desk.street.signed(receipt)
    events = [Event("standing_receipt", AT_US, command.meter, {**told, "message": signed})]
    if reported:
        events.append(Event("reported", AT_US, command.meter, {**told, **reported}))
    for event in events:
        desk.post(desk.street.event(event, clock_us=AT_US), now_us=AT_US)


def states(desk: Desk, push: int) -> tuple[str, dict[str, int]]:
    from django.db import connection, transaction

    from fairwatt.store import facts, pushes

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=desk.street.book)
        (found,) = pushes.pushes(book=desk.street.book, push=push)
        counted: dict[str, int] = {}
        for target in pushes.targets(push=found):
            counted[target.state] = counted.get(target.state, 0) + 1
        return found.state, counted


def test_the_first_share_proves_it_before_the_rest_follows(desk: Desk) -> None:
    push = start(desk, "limit_power", {"limit_w": 3_000}, canary_pm=250)
    first = advance(desk)
    assert len(first) == 2
    assert {command.body for command in first} == {first[0].body}
    for command in first:
        say(desk, command)
    assert len(advance(desk)) == 0, "a receipt is no proof: nothing more is sent"
    assert states(desk, push) == ("running", {"accepted": 2, "waiting": 6})
    for command in first:
        desk.post(
            desk.street.event(
                Event("reported", AT_US, command.meter, {"kind": 2, "seq": command.seq, "limit_w": 3_000}),
                clock_us=AT_US,
            ),
            now_us=AT_US,
        )
    rest = advance(desk)
    assert len(rest) == 6
    for command in rest:
        say(desk, command, limit_w=3_000)
    advance(desk)
    assert states(desk, push) == ("done", {"proven": 8}) or (advance(desk), states(desk, push))[1] == (
        "done",
        {"proven": 8},
    )


def test_a_first_one_that_shows_otherwise_holds_the_rest_until_somebody_says_go_on(desk: Desk) -> None:
    push = start(desk, "limit_power", {"limit_w": 3_000}, canary_pm=125)
    (command,) = advance(desk)
    say(desk, command, limit_w=9_999)
    assert advance(desk) == []
    assert states(desk, push) == ("held", {"failed": 1, "waiting": 7})
    step(desk, push, "resume", person(desk))
    assert len(advance(desk)) == 7


def test_paused_nothing_more_is_ordered_and_stopped_nothing_ever_is(desk: Desk) -> None:
    from fairwatt.flows.ask_push import WrongStep

    push = start(desk, "set_clock", {"within_s": 30}, canary_pm=0)
    step(desk, push, "pause", person(desk))
    assert advance(desk) == []
    step(desk, push, "resume", person(desk))
    assert len(advance(desk)) == HOMES
    step(desk, push, "stop", person(desk))
    with pytest.raises(WrongStep):
        step(desk, push, "resume", person(desk))


def test_a_newer_wish_for_the_same_slot_supersedes_the_older(desk: Desk) -> None:
    one = desk.street.homes[:1]
    older = start(desk, "limit_power", {"limit_w": 3_000}, meters=one)
    (first,) = advance(desk)
    start(desk, "limit_power", {"limit_w": None}, meters=one)
    (second,) = advance(desk)
    assert (first.seq, second.seq) == (1, 2)
    assert states(desk, older)[1] == {"superseded": 1}


def test_a_refusal_and_a_forged_receipt_are_told_apart(desk: Desk) -> None:
    push = start(
        desk, "show_prices", {"version": 1, "prices": {"all": 500_000}}, meters=desk.street.homes[:1]
    )
    (command,) = advance(desk)
    told = {"kind": command.kind, "seq": command.seq, "message": b"not signed"}
    desk.post(
        desk.street.event(Event("standing_receipt", AT_US, command.meter, told), clock_us=AT_US), now_us=AT_US
    )
    assert len(advance(desk)) == 1, "still waiting: that was nobody's word"
    say(desk, command, result=Result.METER_REFUSED)
    advance(desk)
    assert states(desk, push)[1] == {"failed": 1}


def test_settings_and_keys_go_to_gateways_once_each(desk: Desk) -> None:
    push = start(desk, "configure", {"interval_s": 30})
    (command,) = advance(desk)
    assert (command.meter, command.body.gateway) == (0, desk.street.gateway.slug)  # type: ignore[union-attr]
    say(desk, command, interval_s=30, voltage_every=15)
    advance(desk)
    advance(desk)
    assert states(desk, push) == ("done", {"proven": 1})


@pytest.mark.parametrize(
    ("kind", "wish"),
    [
        ("limit_power", {"limit_w": -1}),
        ("limit_power", {}),
        ("configure", {"spool_max_bytes": 1}),
        ("configure", {}),
        ("trust_issuer", {"kid": "zz", "public": "00"}),
        ("supply", {"relay": "half"}),
        ("nonsense", {}),
    ],
)
def test_a_wish_that_cannot_be_is_named_and_nothing_is_written(
    desk: Desk, kind: str, wish: dict[str, Any]
) -> None:
    from fairwatt.flows.ask_push import BadWish

    with pytest.raises(BadWish):
        start(desk, kind, wish)


def test_a_gateway_that_begins_another_life_is_told_the_newest_of_each_slot_again_and_once(
    desk: Desk,
) -> None:
    from fairwatt.flows.wish_again import wish_again

    one, other = desk.street.homes[:2]
    start(desk, "limit_power", {"limit_w": 3_000}, meters=[one])
    say(desk, advance(desk)[0], limit_w=3_000)
    advance(desk)
    newer = start(desk, "limit_power", {"limit_w": 2_000}, meters=[one])
    say(desk, advance(desk)[0], limit_w=2_000)
    refused = start(desk, "limit_power", {"limit_w": 1_000}, meters=[other])
    say(desk, advance(desk)[0], result=Result.METER_REFUSED)
    start(desk, "configure", {"interval_s": 30})
    (late,) = advance(desk)
    say(desk, late, result=Result.STALE)
    assert advance(desk) == []
    poster: Any = desk.street.poster()

    def again(seen: dict[int, int], now_us: int) -> list[Command]:
        seen |= wish_again(book_id=desk.street.book, sign=poster.sign, now_us=now_us, seen=seen)
        return advance(desk)

    seen: dict[int, int] = {}
    assert again(seen, AT_US + 9) == [], "in the life that was told, nothing is said again"
    desk.street.epoch = AT_US + 5
    back = Event("spool_rolled_back", AT_US + 5, 0, {})
    desk.post(desk.street.event(back, clock_us=AT_US + 5), now_us=AT_US + 5)
    assert again(seen, AT_US + 4) == [], "by a wrong clock it has not begun"
    told = again(seen, AT_US + 9)
    assert [(command.meter, command.seq, command.issued_us) for command in told] == [
        (one, 3, AT_US + 9),
        (0, 2, AT_US + 9),
    ]
    assert told[0].body == LimitPower(2_000)
    assert [command.seq for command in again({}, AT_US + 10)] == [3, 2], "also by a poster that began anew"
    for command, shown in zip(
        told, ({"limit_w": 2_000}, {"interval_s": 30, "voltage_every": 15}), strict=True
    ):
        say(desk, command, **shown)
    advance(desk)
    assert [states(desk, push)[1] for push in (newer, refused)] == [{"proven": 1}, {"failed": 1}]
    assert again({}, AT_US + 11) == []


def test_one_home_is_cut_by_hand_and_proven_by_its_reading(desk: Desk) -> None:
    one = desk.street.homes[0]
    push = start(desk, "supply", {"relay": "open"}, meters=[one])
    advance(desk)
    desk.post(now_us=AT_US)
    order = desk.orders()[-1]
    assert (order.meter, order.relay, order.reason) == (one, 0, "operator")
    desk.post(desk.receipt(order, at_us=AT_US), now_us=AT_US)
    desk.read(one, AT_US + 1, 100, closed=False)
    advance(desk)
    advance(desk)
    assert states(desk, push) == ("done", {"proven": 1})


def test_many_cuts_stop_and_ask_an_administrator_who_did_not_ask_for_it(desk: Desk) -> None:
    from fairwatt.flows.desk import NotAllowed

    asker, second = person(desk, "admin"), person(desk, "admin", "b")
    push = start(desk, "supply", {"relay": "open"}, meters=desk.street.homes[:3], user_id=asker, canary_pm=0)
    advance(desk)
    desk.post(now_us=AT_US)
    assert states(desk, push) == ("asking", {"waiting": 3})
    for wrong in (asker, person(desk)):
        with pytest.raises(NotAllowed):
            step(desk, push, "approve", wrong)
    with pytest.raises(psycopg.Error), psycopg.connect(Config.load().dsn(role="web")) as link:
        link.execute(
            "SELECT set_config('fairwatt.books', %s, false), set_config('fairwatt.wallets', '*', false)",
            [str(desk.street.book)],
        )
        link.execute(
            "INSERT INTO push_step (push, book, step, author, at_us) VALUES (%s, %s, 'approve', %s, 1)",
            [push, desk.street.book, asker],
        )
    step(desk, push, "approve", second)
    advance(desk)
    desk.post(now_us=AT_US)
    assert len(desk.events("supply.cut_ordered")) == 3
    assert desk.state.mass_cuts.counted(now_us=AT_US), "they count for what credit may cut as well"


def test_the_web_cannot_order_supply_by_itself(desk: Desk) -> None:
    from django.db import DatabaseError, connection, transaction

    from fairwatt.store import facts

    with as_role("web"), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        facts.add(
            cursor=cursor,
            book=desk.street.book,
            kind="supply_order",
            natural_key="x",
            wallet=None,
            payload={},
            raw=b"",
            now_us=AT_US,
        )

"""What the gateway did for safety, as the poster hears it: money does not undo it, a person may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from fairwatt.wire.commands import Result
from fairwatt.wire.frames import Event
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import FLAT, HOUR_US, NOON_US, POLICY, Street, reading

MINUTE_US = 60_000_000
OPEN, CLOSED, LEAVE = 0, 1, 2
WARNED = NOON_US + 10 * MINUTE_US
DUE = WARNED + HOUR_US


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    street = Street(tariff=FLAT)
    with opened_desk(street) as opened:
        yield opened
        check_laws(street.book, acked=opened.acked)


def relay_orders(desk: Desk) -> list[tuple[int, str]]:
    return [(order.relay, order.reason) for order in desk.orders() if order.relay != LEAVE]


def tell(desk: Desk, code: str, meter: int, at_us: int, **detail: Any) -> None:
    detail = {"reason": "overload", **detail}
    desk.post(desk.street.event(Event(code, at_us, meter, detail), clock_us=at_us), now_us=at_us)


def cut_by_safety(desk: Desk, meter: int, at_us: int) -> None:
    """The gateway cut for an overload, and its meter shows it."""
    tell(desk, "alarm_raised", meter, at_us, severity="danger", protects=True, power_w=9_000)
    tell(desk, "safety_cut", meter, at_us, until_us=at_us + 5 * MINUTE_US, relay=1)
    desk.read(meter, at_us + 1, 1_000, closed=False)


def staff(desk: Desk, role: str = "operator") -> Any:
    from fairwatt.store.models import User

    with as_role("migrate"):
        organisation = desk.street.site.book.organisation
        return User.objects.create_user(
            f"{role}-{desk.street.book}", None, "a long word", organisation=organisation, role=role
        )


def test_a_top_up_never_closes_what_safety_opened(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, WARNED, 1_000)
    cut_by_safety(desk, meter, WARNED + MINUTE_US)
    desk.read(meter, DUE + MINUTE_US, 1_000, closed=False)
    assert relay_orders(desk) == [], "out of credit, but off already: there is nothing to cut"
    desk.pay(meter, 50_00, now_us=DUE + 2 * MINUTE_US)
    desk.post(now_us=DUE + 2 * MINUTE_US)
    desk.read(meter, DUE + 3 * MINUTE_US, 1_000, closed=False)
    assert relay_orders(desk) == []
    tell(desk, "safety_released", meter, DUE + 4 * MINUTE_US, closes=True, empty=False)
    desk.read(meter, DUE + 4 * MINUTE_US + 1, 1_000, closed=True)
    assert relay_orders(desk) == [], "the gateway closes it by itself"


def test_a_home_cut_for_credit_and_then_for_safety_comes_back_when_both_are_over(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, WARNED, 1_000)
    desk.read(meter, DUE, 1_000)
    assert relay_orders(desk) == [(OPEN, "balance_empty")]
    tell(desk, "safety_cut", meter, DUE + 1, until_us=None, relay=1)
    desk.post(
        desk.receipt(desk.orders()[-1], at_us=DUE + 2),
        desk.street.readings(reading(meter, DUE + 3, 1_000, closed=False)),
        now_us=DUE + 3,
    )
    desk.pay(meter, 50_00, now_us=DUE + MINUTE_US)
    desk.post(now_us=DUE + MINUTE_US)
    assert relay_orders(desk) == [(OPEN, "balance_empty")]
    tell(desk, "safety_released", meter, DUE + 2 * MINUTE_US, closes=False, empty=False)
    assert relay_orders(desk)[1:] == [(CLOSED, "credit_returned")]


def test_a_hold_that_ends_without_credit_leaves_the_relay_to_credit(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, WARNED, 1_000)
    cut_by_safety(desk, meter, WARNED + MINUTE_US)
    tell(desk, "safety_released", meter, DUE, closes=False, empty=True)
    desk.read(meter, DUE + MINUTE_US, 1_000, closed=False)
    assert relay_orders(desk) == []
    desk.pay(meter, 50_00, now_us=DUE + 2 * MINUTE_US)
    desk.post(now_us=DUE + 2 * MINUTE_US)
    assert relay_orders(desk) == [(CLOSED, "credit_returned")]


def test_an_order_that_met_a_danger_is_not_given_again_until_it_is_over(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, WARNED, 1_000)
    desk.read(meter, DUE, 1_000)
    desk.post(
        desk.receipt(desk.orders()[-1], at_us=DUE + 1),
        desk.street.readings(reading(meter, DUE + 2, 1_000, closed=False)),
        now_us=DUE + 2,
    )
    desk.pay(meter, 50_00, now_us=DUE + 3)
    desk.post(now_us=DUE + 3)
    restore = desk.orders()[-1]
    assert restore.relay == CLOSED
    tell(desk, "safety_cut", meter, DUE + 4, until_us=None, relay=0)
    desk.post(desk.receipt(restore, result=Result.SAFETY_OPEN, at_us=DUE + 5), now_us=DUE + 5)
    assert desk.orders()[-1].relay == LEAVE
    assert [event.reason for event in desk.events("order.refused")] == ["safety_open"]
    tell(desk, "safety_released", meter, DUE + MINUTE_US, closes=False, empty=False)
    assert relay_orders(desk)[-1] == (CLOSED, "credit_returned")
    assert [order.relay for order in desk.orders()].count(CLOSED) == 2


def test_a_hold_is_known_again_after_a_restart(desk: Desk) -> None:
    meter, other = desk.home(), desk.home()
    desk.read(meter, WARNED, 1_000)
    cut_by_safety(desk, meter, WARNED + MINUTE_US)
    tell(desk, "safety_cut", other, WARNED + MINUTE_US, until_us=None, relay=1)
    tell(desk, "safety_released", other, WARNED + 2 * MINUTE_US, closes=True, empty=False)
    desk.open(now_us=DUE)
    assert desk.state.registers["safety_open"].tolist() == [True, False]


def test_an_operator_lets_power_return_and_the_word_is_kept(desk: Desk) -> None:
    from fairwatt.flows.alarm_desk import ASK_AGAIN_US, NothingHeld, NoWord, release_safety
    from fairwatt.store.models import Meter

    meter = desk.home()
    desk.pay(meter, 50_00, now_us=NOON_US)
    desk.read(meter, WARNED, 1_000)
    person = staff(desk)
    ask: dict[str, Any] = {"book_id": desk.street.book, "user_id": person.pk, "now_us": DUE}
    with as_role("web"):
        ask["meter_id"] = Meter.objects.get(number=meter, gateway=desk.street.gateway).pk
        with pytest.raises(NothingHeld):
            release_safety(words="Tightened the screw.", **ask)
    cut_by_safety(desk, meter, DUE)
    with as_role("web"):
        with pytest.raises(NoWord):
            release_safety(words="  ", **ask)
        fact = release_safety(words="Tightened the screw.", **ask)
        assert release_safety(words="Tightened it again.", **ask) == fact
        ask["now_us"] += ASK_AGAIN_US
        assert release_safety(words="Nothing came of it.", **ask) != fact
        ask["now_us"] = DUE
    desk.post(now_us=DUE + MINUTE_US)
    assert relay_orders(desk) == [(CLOSED, "safety_reset")]
    audit, _ = desk.events("desk.safety_reset")
    assert (audit.evidence["author"], audit.evidence["words"]) == (person.pk, "Tightened the screw.")
    assert desk.events("supply.safety_reset")[0].evidence["author"] == person.username


def test_without_credit_the_word_ends_the_hold_and_closes_nothing(desk: Desk) -> None:
    from fairwatt.flows.alarm_desk import release_safety
    from fairwatt.store.models import Meter

    meter = desk.home()
    desk.read(meter, WARNED, 1_000)
    desk.read(meter, DUE, 1_000)
    desk.post(
        desk.receipt(desk.orders()[-1], at_us=DUE + 1),
        desk.street.readings(reading(meter, DUE + 2, 1_000, closed=False)),
        now_us=DUE + 2,
    )
    tell(desk, "safety_cut", meter, DUE + 3, until_us=None, relay=0)
    person = staff(desk)
    with as_role("web"):
        meter_id = Meter.objects.get(number=meter, gateway=desk.street.gateway).pk
        release_safety(
            book_id=desk.street.book, meter_id=meter_id, words="Mended.", user_id=person.pk, now_us=DUE + 4
        )
    desk.post(now_us=DUE + 5)
    last = desk.orders()[-1]
    assert (last.relay, last.reason) == (LEAVE, "safety_reset")


def test_only_the_desk_of_the_organisation_lets_power_return(desk: Desk) -> None:
    from django.db import connection

    from fairwatt.flows.alarm_desk import see_alarm
    from fairwatt.flows.desk import NotAllowed
    from fairwatt.store import facts

    meter = desk.home()
    desk.read(meter, WARNED, 1_000)
    cut_by_safety(desk, meter, WARNED + MINUTE_US)
    auditor = staff(desk, "auditor")
    with as_role("web"), pytest.raises(NotAllowed):
        see_alarm(book_id=desk.street.book, event_id=1, user_id=auditor.pk, now_us=DUE)
    with as_role("web"), connection.cursor() as cursor:
        from django.db import transaction

        with transaction.atomic():
            facts.add(
                cursor=cursor,
                book=desk.street.book,
                kind="safety_reset",
                natural_key="forged",
                wallet=None,
                payload={"gateway": desk.street.gateway.pk, "meter": meter, "author": auditor.pk},
                raw=b"",
                now_us=DUE,
            )
    desk.post(now_us=DUE)
    assert relay_orders(desk) == []
    assert [event.reason for event in desk.events("fact.refused")] == ["not_the_desk"]


def test_an_alarm_is_listed_until_it_is_over_and_seen_once(desk: Desk) -> None:
    from fairwatt.flows.alarm_desk import see_alarm
    from fairwatt.flows.desk import NotFound
    from fairwatt.store import alarms

    meter = desk.home()
    desk.read(meter, WARNED, 1_000)
    tell(desk, "alarm_raised", meter, WARNED, severity="danger", power_w=9_000)
    tell(desk, "alarm_raised", meter, WARNED + 1, reason="cover_open", severity="danger")
    tell(desk, "alarm_cleared", meter, WARNED + MINUTE_US)
    tell(desk, "alarm_raised", meter, DUE, severity="danger", power_w=8_000)
    book = desk.street.book
    codes = {
        state: [row.code for row in alarms.alarms(book=book, state=state)]
        for state in ("", "open", "closed", "unseen")
    }
    assert codes == {
        "": ["overload", "cover_open", "overload"],
        "open": ["overload", "cover_open"],
        "closed": ["overload"],
        "unseen": ["overload", "cover_open", "overload"],
    }
    newest = alarms.alarms(book=book)[0]
    assert newest.evidence["power_w"] == 8_000
    person = staff(desk)
    with as_role("web"):
        for _ in range(2):
            see_alarm(book_id=book, event_id=newest.event, user_id=person.pk, now_us=DUE)
        with pytest.raises(NotFound):
            see_alarm(book_id=book, event_id=newest.event + 9_999, user_id=person.pk, now_us=DUE)
    assert len(desk.events("desk.alarm_seen")) == 1
    seen = alarms.alarms(book=book)[0]
    assert (seen.seen_by, seen.seen_us) == (person.pk, DUE)
    assert [row.code for row in alarms.alarms(book=book, code="cover_open", state="open")] == ["cover_open"]


def test_a_crowd_is_restored_in_turns_and_whoever_paid_at_once(desk: Desk) -> None:
    from fairwatt.flows import provision

    meters = [desk.home() for _ in range(13)]
    frames = [
        desk.street.readings(*(reading(meter, at_us, 1_000) for meter in meters)) for at_us in (WARNED, DUE)
    ]
    desk.post(frames[0], now_us=WARNED)
    desk.post(frames[1], now_us=DUE)
    cuts = desk.orders()[-13:]
    assert {order.relay for order in cuts} == {OPEN}
    receipts = [desk.receipt(order, at_us=DUE + 1) for order in cuts]
    shown = desk.street.readings(*(reading(meter, DUE + 2, 1_000, closed=False) for meter in meters))
    desk.post(*receipts, shown, now_us=DUE + 2)
    with as_role("migrate"):
        from fairwatt.store.models import Policy, Wallet

        kind = provision.add_policy(
            book_id=desk.street.book, slug="protected", policy=replace(POLICY, low_micro=3_000_000)
        )
        assert isinstance(kind, Policy)
        Wallet.objects.filter(pk__in=desk.street.wallets).update(protected=True, policy=kind)
    desk.open(now_us=DUE + MINUTE_US)
    at_us = DUE + MINUTE_US
    desk.pay(meters[12], 50_00, now_us=at_us)
    again = desk.street.readings(*(reading(meter, at_us, 1_000, closed=False) for meter in meters))
    desk.post(again, now_us=at_us)
    closings = [len([1 for relay, _ in relay_orders(desk) if relay == CLOSED])]
    assert (CLOSED, "credit_returned") in relay_orders(desk)
    for turn in range(1, 4):
        desk.post(now_us=at_us + turn * 10_000_000)
        closings.append(len([1 for relay, _ in relay_orders(desk) if relay == CLOSED]))
    assert closings == [5, 10, 13, 13]

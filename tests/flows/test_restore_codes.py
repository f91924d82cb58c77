"""A restore code from asking to reconciling: made by the poster alone, read once; a cut it spares is spared here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from fairwatt.core.commands import restore_code
from fairwatt.core.refusal import Refusal
from fairwatt.server.launcher.services import Services
from fairwatt.wire.frames import Event
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import CODE_MASTER, FLAT, HOUR_US, NOON_US, Street

MINUTE_US = 60_000_000
DAY_US = 24 * HOUR_US
ASKED = NOON_US + MINUTE_US


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    street = Street(tariff=FLAT)
    with opened_desk(street) as opened:
        yield opened
        check_laws(street.book, acked=opened.acked)


def staff(desk: Desk, role: str = "admin", name: str = "") -> Any:
    from fairwatt.store.models import User

    with as_role("migrate"):
        organisation = desk.street.site.book.organisation
        return User.objects.create_user(
            f"{role}{name}-{desk.street.book}", None, "a long word", organisation=organisation, role=role
        )


def installation(desk: Desk, meter: int) -> int:
    from fairwatt.store.models import Installation

    return Installation.objects.get(
        meter__gateway__site__book=desk.street.book, meter__number=meter, closed_us=None
    ).pk


def ask(
    desk: Desk, meter: int, user: Any, *, hours: int = 24, at_us: int = ASKED, reason: str = "card lost"
) -> int:
    from fairwatt.flows.restore_codes import ask_restore_code

    with as_role("web"):
        fact = ask_restore_code(
            book_id=desk.street.book,
            installation_id=installation(desk, meter),
            hours=hours,
            reason=reason,
            user_id=user.pk,
            now_us=at_us,
            entropy=os.urandom(10),
        )
    desk.post(now_us=at_us)
    return fact


def show(desk: Desk, fact: int, user: Any, *, at_us: int = ASKED) -> str:
    from fairwatt.flows.restore_codes import show_restore_code

    with as_role("web"):
        return show_restore_code(book_id=desk.street.book, fact_id=fact, user_id=user.pk, now_us=at_us)


def test_a_code_is_made_for_its_meter_and_read_once_by_who_asked(desk: Desk) -> None:
    meter, admin = desk.home(), staff(desk)
    fact = ask(desk, meter, admin)
    other = staff(desk, name="2")
    with pytest.raises(Refusal):
        show(desk, fact, other)
    digits = show(desk, fact, admin)
    key = restore_code.gateway_key(master=CODE_MASTER, gateway=desk.street.gateway.slug)
    verdict = restore_code.judge(
        typed=restore_code.read_code(digits),
        meter=meter,
        others=[],
        memory=restore_code.Memory(),
        today=ASKED // DAY_US,
        marker=lambda number, said: restore_code.mark_of(key=key, meter=number, said=said),
    )
    assert verdict == (restore_code.Outcome.ACCEPTED, 1, 24, ASKED // DAY_US)
    with pytest.raises(Refusal, match="shown already"):
        show(desk, fact, admin)
    assert [event.kind for event in desk.events() if "restore" in event.kind] == [
        "desk.restore_code_asked",
        "supply.restore_code_issued",
        "desk.restore_code_shown",
    ]
    assert show(desk, ask(desk, meter, admin), admin) != digits


def test_a_code_that_nobody_fetched_is_gone(desk: Desk) -> None:
    meter, admin = desk.home(), staff(desk)
    fact = ask(desk, meter, admin)
    with pytest.raises(Refusal, match="ten minutes"):
        show(desk, fact, admin, at_us=ASKED + 11 * MINUTE_US)


def test_only_an_administrator_and_only_within_the_policy(desk: Desk) -> None:
    meter, admin, operator = desk.home(), staff(desk), staff(desk, "operator")
    with pytest.raises(Refusal, match="Only an administrator"):
        ask(desk, meter, operator)
    for wish in ({"hours": 48}, {"hours": 5}, {"reason": "  "}):
        with pytest.raises(Refusal):
            ask(desk, meter, admin, **wish)
    for _ in range(3):
        ask(desk, meter, admin)
    with pytest.raises(Refusal, match="3 codes"):
        ask(desk, meter, admin)
    ask(desk, meter, admin, at_us=ASKED + 31 * DAY_US)


def test_the_poster_looks_again_at_what_a_web_process_asks(desk: Desk) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts

    meter, operator = desk.home(), staff(desk, "operator")
    home, neighbour = desk.home(), desk.home()
    for paying in (home, neighbour):
        desk.pay(paying, 1_000, now_us=ASKED)
    desk.post(now_us=ASKED)
    code = {"installation": installation(desk, meter), "hours": 24, "reason": "x"}
    token = {"installation": installation(desk, home), "receipt": 1}
    forged = []
    for n, (kind, changes) in enumerate(
        (
            ("restore_code", code | {"author": operator.pk}),
            ("restore_code", code | {"hours": 72}),
            ("restore_code", code | {"installation": 1 << 40}),
            ("restore_code", code | {"hours": "24"}),
            ("carried_payment", token | {"receipt": 2}),
            ("carried_payment", token | {"installation": installation(desk, neighbour)}),
            ("carried_payment", token | {"author": staff(desk, "tenant").pk}),
            ("carried_payment", token | {"author": staff(desk, "auditor").pk}),
        )
    ):
        about = {"author": staff(desk, name=f"x{n}").pk, **changes}
        with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
            fact, _ = facts.add(
                cursor=cursor,
                book=desk.street.book,
                kind=kind,
                natural_key=f"forged:{n}",
                wallet=None,
                payload=about,
                raw=b"",
                now_us=ASKED,
            )
        forged.append(fact)
    desk.post(now_us=ASKED)
    assert [desk.fact(fact).state for fact in forged] == ["refused"] * 8
    assert not desk.events("supply.token_made")


def test_the_web_cannot_write_a_code_or_an_answer(desk: Desk) -> None:
    from django.db import ProgrammingError, connection, transaction

    for statement in (
        "INSERT INTO restore_answer VALUES (1, 1, 1, '1', 1)",
        "INSERT INTO restore_code VALUES (1,1,1,1,1,1,1,1,1,'',1)",
        "INSERT INTO restore_policy VALUES (1, 1, 72, 31, 'me')",
        "UPDATE restore_answer SET digits = '1'",
    ):
        with (
            as_role("web"),
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_while_a_restore_is_in_force_nobody_cuts_and_then_somebody_does(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + MINUTE_US, 1_000)
    desk.read(meter, NOON_US + 2 * HOUR_US, 1_500)
    told_us = NOON_US + 2 * HOUR_US + MINUTE_US
    until_us = told_us + 4 * HOUR_US
    detail = {"how": "code", "counter": 1, "hours": 4, "until_us": until_us, "available_micro": -1}
    desk.post(desk.street.event(Event("restored", told_us, meter, detail), clock_us=told_us), now_us=told_us)
    before = len([order for order in desk.orders() if order.relay == 0])
    for n in range(1, 4):
        desk.read(meter, told_us + n * HOUR_US, 1_500 + n)
        assert len([order for order in desk.orders() if order.relay == 0]) == before, (
            "no cut while it is in force"
        )
    assert any(event.reason == "emergency_restore" for event in desk.events("supply.withheld"))
    desk.open(now_us=told_us + 3 * HOUR_US + MINUTE_US)
    desk.read(meter, told_us + 3 * HOUR_US + 2 * MINUTE_US, 1_504)
    assert len([order for order in desk.orders() if order.relay == 0]) == before, "a new poster knows it too"
    desk.read(meter, until_us + MINUTE_US, 1_505)
    assert len([order for order in desk.orders() if order.relay == 0]) == before + 1

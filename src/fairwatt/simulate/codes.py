"""An emergency in an outage: the office makes a restore code, somebody types it at a dark home."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from fairwatt.server.wiring import database_role
from fairwatt.simulate.estate import Door, Gate

if TYPE_CHECKING:
    from fairwatt.simulate.street import Street
    from fairwatt.store.models import User

ANSWER_S = 20.0


async def type_codes(street: Street, tick: int) -> None:
    """Somebody fetches a restore code at the office and types it where it is dark."""
    for typed in street.scenario.codes:
        gate = street.gates[typed.gateway]
        door = a_dark_home(gate) if typed.tick == tick else None
        if door is None or gate.agent is None:
            continue
        administrator = await asyncio.to_thread(an_administrator, book=street.book)
        digits = await street.as_web(
            partial(
                make_code,
                book=street.book,
                door=door,
                hours=typed.hours,
                administrator=administrator,
                now_us=street.now_us(),
            )
        )
        answer = await gate.agent.local.enter(meter=door.number, text=digits)
        street.counts["codes_accepted"] += answer.accepted
        door.spared = (street.now_us(), answer.until_us)


def an_administrator(*, book: int) -> User:
    """Somebody who may ask for codes."""
    from fairwatt.store.models import Book, User

    with database_role("migrate"):
        organisation = Book.objects.get(pk=book).organisation
        return User.objects.create_user(
            "drill-admin", None, os.urandom(12).hex(), organisation=organisation, role="admin"
        )


def make_code(*, book: int, door: Door, hours: int, administrator: User, now_us: int) -> str:
    """Ask the poster for a code and read it, as the web does. Raises TimeoutError when no answer comes."""
    from django.db import connection, transaction

    from fairwatt.flows.restore_codes import ask_restore_code, show_restore_code
    from fairwatt.store import facts, restore_codes

    fact = ask_restore_code(
        book_id=book,
        installation_id=door.installation,
        hours=hours,
        reason="outage drill",
        user_id=administrator.pk,
        now_us=now_us,
        entropy=os.urandom(10),
    )
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        with transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=book)
            told = restore_codes.answer_to(cursor=cursor, book=book, fact=fact, author=administrator.pk)
        if told is not None and told.state != "waiting":
            return show_restore_code(book_id=book, fact_id=fact, user_id=administrator.pk, now_us=now_us)
        time.sleep(0.02)
    raise TimeoutError(f"the poster made no code for home {door.label} within {ANSWER_S:.0f} s")


def a_dark_home(gate: Gate) -> Door | None:
    """A home of this gateway without power; the first behind the doors."""
    return next((door for door in gate.doors if not door.meter.relay_closed), None)

"""How people are reached: an address is proven, nobody is bombed with codes, and only the notifier makes messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.desk import Desk
from support.house import as_role
from support.street import HOUR_US, NOON_US
from support.telling import Telling, open_telling
from support.till import HandClock


@pytest.fixture
def telling(desk: Desk) -> Iterator[Telling]:
    with open_telling(desk, HandClock(NOON_US)) as opened:
        yield opened


def test_an_address_is_proven_by_its_code_and_nobody_is_bombed(telling: Telling) -> None:
    from fairwatt.core.notices.pacing import TooOften
    from fairwatt.flows.notifying.reaching import NotReached, give_address, note_address, prove_address
    from fairwatt.store.models import Wallet

    person = telling.person(phone="")
    telling.desk.home(tenants=(person,))
    wallet = Wallet.objects.select_related("book").get(pk=telling.desk.street.wallets[0])

    def give(at_us: int, address: str = "+44 7700 900456") -> int:
        with as_role("web"):
            return give_address(
                wallet=wallet,
                user=person,
                channel="sms",
                address=address,
                digits="482913",
                ip="198.51.100.7",
                language="en",
                now_us=at_us,
            )

    contact = give(NOON_US)
    with pytest.raises(TooOften):
        give(NOON_US + 30_000_000)
    with pytest.raises(NotReached):
        give(NOON_US, address="tel:112")
    telling.look(at_us=NOON_US + 1)
    assert telling.told() == [("code", "sms", "sent")]
    assert "482913" in telling.box.world.arrived[0].text
    assert "482913" not in str(telling.messages())
    with as_role("web"):
        with pytest.raises(NotReached):
            prove_address(wallet=wallet, user=person, contact_id=contact, digits="000000", now_us=NOON_US + 2)
        prove_address(wallet=wallet, user=person, contact_id=contact, digits="482 913", now_us=NOON_US + 3)
        with pytest.raises(NotReached):
            give(NOON_US + HOUR_US)
    telling.look(at_us=NOON_US + HOUR_US)
    with as_role("web"):
        # Whoever looks after the building notes another one, and the first address hears of it.
        assert note_address(
            user=person, channel="email", address="Lin@Home.Example", now_us=NOON_US + HOUR_US
        )
        with pytest.raises(NotReached):
            note_address(user=person, channel="sms", address="nonsense", now_us=NOON_US + HOUR_US)
    telling.look(at_us=NOON_US + HOUR_US)
    assert [(one.step, one.address) for one in telling.messages()][1:] == [("contact", "+447700900456")]
    assert len(telling.desk.events("desk.address_noted")) == 1


def test_the_web_makes_no_message_and_reads_no_strangers_address(telling: Telling) -> None:
    from django.db import DatabaseError, connection, transaction

    person = telling.person()

    def refused(statement: str, *given: Any) -> None:
        with (
            pytest.raises(DatabaseError),
            as_role("web"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT set_config('fairwatt.books', %s, true)", [str(telling.desk.street.book)])
            cursor.execute("SELECT set_config('fairwatt.wallets', '*', true)")
            cursor.execute(statement, given)

    insert = "INSERT INTO notice (book, step, key, at_us, next_us) VALUES (%s, 'low', 'x', 1, 1)"
    refused(insert, telling.desk.street.book)
    refused("UPDATE message SET state = 'read'")
    refused("INSERT INTO escalation (book, wallet, because, at_us) VALUES (%s, 1, 'no_contact', 1)", 1)
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('fairwatt.person', %s, true)", [str(person.pk + 1)])
        cursor.execute("SELECT count(*) FROM contact")
        assert cursor.fetchone()[0] == 0
    with (
        as_role("notifier"),
        transaction.atomic(),
        connection.cursor() as cursor,
        pytest.raises(DatabaseError),
    ):
        cursor.execute("SELECT raw FROM fact LIMIT 1")

"""A book with some history, and every database role to try it with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from fairwatt.server.config import Config, DatabaseRole
from fairwatt.server.launcher.services import Services
from support.desk import opened_desk
from support.street import HOUR_US, NOON_US, Street, reading

Ask = Callable[..., list[Any]]


@dataclass
class Neighbours:
    """Two books with history, and a way to ask as any role."""

    ours: Street
    theirs: Street

    @contextmanager
    def as_role(
        self, role: DatabaseRole, *, books: str | None = None, wallets: str | None = None
    ) -> Iterator[Ask]:
        """Ask under a role's own login; what a request may see is set as the web sets it."""
        with psycopg.connect(Config.load().dsn(role=role)) as link:
            if role == "migrate":
                link.execute("SET ROLE fairwatt_owner")
            for name, value in (("fairwatt.books", books), ("fairwatt.wallets", wallets)):
                if value is not None:
                    link.execute("SELECT set_config(%s, %s, false)", [name, value])

            def ask(query: str, *parameters: object) -> list[Any]:
                with link.cursor() as cursor:
                    cursor.execute(query, parameters)
                    return cursor.fetchall() if cursor.description else [cursor.rowcount]

            yield ask
            link.rollback()


@pytest.fixture(scope="session")
def neighbours(house: Services) -> Neighbours:
    """Two books: two homes each, readings, a top-up, a warning, an order, something in quarantine."""
    return Neighbours(_lived_in(), _lived_in())


def _lived_in() -> Street:
    street = Street()
    meters = [street.open_home() for _ in range(2)]
    with opened_desk(street) as desk:
        desk.pay(meters[0], 5_00, now_us=NOON_US)
        desk.post(
            street.readings(
                *(reading(meter, NOON_US + HOUR_US, 1_000) for meter in meters), reading(1, NOON_US, 1)
            ),
            now_us=NOON_US + HOUR_US,
        )
        from fairwatt.flows.posting.flushing import CacheFlusher

        flusher = CacheFlusher(state=desk.state)
        flusher.catch_up()
        flusher.flush(state=desk.state)
    return street

"""Facts as a web process could write them with nobody's leave."""

from __future__ import annotations

from typing import Any

from support.house import as_role
from support.street import NOON_US


def forge(book: int, kind: str, payload: Any, **about: Any) -> int:
    """Write a fact as the web, whatever it says; return its id."""
    with as_role("web"):
        return add_fact(book, kind, payload, **about)


def add_fact(book: int, kind: str, payload: Any, *, key: str = "forged", wallet: int | None = None) -> int:
    """Write a fact as whoever one is; return its id."""
    from django.db import connection, transaction

    from fairwatt.store import facts

    with transaction.atomic(), connection.cursor() as cursor:
        fact, _ = facts.add(
            cursor=cursor,
            book=book,
            kind=kind,
            natural_key=key,
            wallet=wallet,
            payload=payload,
            raw=b"",
            now_us=NOON_US,
        )
    return fact

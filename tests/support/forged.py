"""Facts as a web process could write them with nobody's leave."""

from __future__ import annotations

from typing import Any

from support.house import as_role
from support.street import NOON_US


def forge(
    book: int,
    kind: str,
    payload: Any,
    *,
    key: str = "forged",
    wallet: int | None = None,
    now_us: int = NOON_US,
) -> int:
    """Write a fact as the web, whatever it says; return its id."""
    from django.db import connection, transaction

    from fairwatt.store import facts

    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        fact, _ = facts.add(
            cursor=cursor,
            book=book,
            kind=kind,
            natural_key=key,
            wallet=wallet,
            payload=payload,
            raw=b"",
            now_us=now_us,
        )
    return fact

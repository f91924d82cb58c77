"""Homes whose date has come pay first from now on: a fact a home and day, until the poster has done it."""

from __future__ import annotations

from typing import Any, Final

from fairwatt.core.ids import switch_key
from fairwatt.core.spans import local_date
from fairwatt.store import facts, postpaid
from fairwatt.store.models import Book

KIND: Final = "switch"


def raise_switches(*, cursor: Any, book: Book, now_us: int) -> int:
    """Write a fact for every home of an agreed wave whose date and notice are over; return how many are new."""
    day = local_date(zone=book.zone, at_us=now_us).isoformat()
    raised = 0
    for wave, wallet in postpaid.due_switches(cursor=cursor, book=book.pk, now_us=now_us):
        _, fresh = facts.add(
            cursor=cursor,
            book=book.pk,
            kind=KIND,
            natural_key=switch_key(wave=wave, wallet=wallet, day=day),
            wallet=wallet,
            payload={"wave": wave, "wallet": wallet},
            raw=b"",
            now_us=now_us,
        )
        raised += fresh
    return raised

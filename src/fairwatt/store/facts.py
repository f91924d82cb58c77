"""The inbox of a book: facts wait here, committed, until the poster answers them."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any


def add(
    *,
    cursor: Any,
    book: int,
    kind: str,
    natural_key: str,
    wallet: int | None,
    payload: dict[str, Any],
    raw: bytes,
    now_us: int,
) -> tuple[int, bool]:
    """Store a fact once; return (fact id, True when it is new). The poster is called by a trigger.

    The same key with other bytes is another fact, kept under the key and a digest of the bytes: what it is,
    the poster says in public.
    """
    see_book(cursor=cursor, book=book)
    for key in (natural_key, f"{natural_key}#{sha256(raw).hexdigest()[:16]}"):
        cursor.execute(
            "INSERT INTO fact (book, kind, natural_key, wallet, payload, raw, created_us) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (book, kind, natural_key) DO NOTHING RETURNING id",
            [book, kind, key, wallet, json.dumps(payload), raw, now_us],
        )
        row = cursor.fetchone()
        if row is not None:
            return int(row[0]), True
        cursor.execute(
            "SELECT id, raw FROM fact WHERE book = %s AND kind = %s AND natural_key = %s", [book, kind, key]
        )
        known, stored = cursor.fetchone()
        if bytes(stored) == raw:
            break
    return int(known), False


def see_book(*, cursor: Any, book: int) -> None:
    """Let this transaction see the rows of one book (row-level security), and every wallet in it."""
    cursor.execute(
        "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
        [str(book)],
    )

"""The inbox of a book: facts wait here, committed, until the poster answers them."""

from __future__ import annotations

import json
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
    """Store a fact once; return (fact id, True when it is new). The poster is called by a trigger."""
    see_book(cursor=cursor, book=book)
    cursor.execute(
        "INSERT INTO fact (book, kind, natural_key, wallet, payload, raw, created_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (book, kind, natural_key) DO NOTHING RETURNING id",
        [book, kind, natural_key, wallet, json.dumps(payload), raw, now_us],
    )
    row = cursor.fetchone()
    if row is not None:
        return int(row[0]), True
    cursor.execute(
        "SELECT id FROM fact WHERE book = %s AND kind = %s AND natural_key = %s", [book, kind, natural_key]
    )
    return int(cursor.fetchone()[0]), False


def see_book(*, cursor: Any, book: int) -> None:
    """Let this transaction see the rows of one book (row-level security), and every wallet in it."""
    cursor.execute(
        "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
        [str(book)],
    )

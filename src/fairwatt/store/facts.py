"""The inbox of a book: facts wait here, committed, until the poster answers them."""

from __future__ import annotations

import json
from collections.abc import Collection
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
    """Store a fact once; return (fact id, True when it is new). A trigger calls the poster, unless the transaction
    said that it does so itself (`store.calls`).

    The same key with other bytes, or without bytes with another content, is another fact, kept under the key and a
    digest: what it is, the poster says in public. So nobody takes a key away from the one who means it.
    """
    content, mark = written(payload=payload, raw=raw)
    cursor.execute(
        "SELECT number, is_new FROM add_fact(%s, %s, %s, %s, %s, %s, %s, %s)",
        [book, kind, natural_key, mark, wallet, content, raw, now_us],
    )
    number, new = cursor.fetchone()
    return int(number), bool(new)


def written(*, payload: dict[str, Any], raw: bytes) -> tuple[str, str]:
    """A fact's content as it is stored, and the digest that tells it from another one under its key."""
    content = json.dumps(payload, sort_keys=True)
    return content, sha256(raw or content.encode()).hexdigest()[:16]


def asked_for(*, cursor: Any, book: int, kind: str, again_us: int) -> set[str]:
    """Natural keys of the facts of a kind, but for those refused before an instant: they may be asked for again."""
    cursor.execute(
        "SELECT split_part(natural_key, ':after:', 1) FROM fact "
        "WHERE book = %s AND kind = %s AND (state <> 'refused' OR created_us > %s)",
        [book, kind, again_us],
    )
    return {str(key) for (key,) in cursor.fetchall()}


def fresh_key(*, cursor: Any, book: int, kind: str, key: str) -> str:
    """The natural key, or after a refusal one that names the refused fact."""
    cursor.execute("SELECT 1 FROM fact WHERE book = %s AND kind = %s AND natural_key = %s", [book, kind, key])
    if cursor.fetchone() is None:
        return key
    return f"{key}:after:{newest_of(cursor=cursor, book=book, kind=kind, key=key)}"


def newest_of(*, cursor: Any, book: int, kind: str, key: str) -> int:
    """The newest fact of that natural key, or of one after it; 0 where there is none."""
    cursor.execute(
        "SELECT coalesce(max(id), 0) FROM fact WHERE book = %s AND kind = %s "
        "AND (natural_key = %s OR starts_with(natural_key, %s) OR starts_with(natural_key, %s))",
        [book, kind, key, f"{key}:after:", f"{key}#"],
    )
    return int(cursor.fetchone()[0])


def refused_for(*, cursor: Any, book: int, kind: str, key: str) -> str:
    """Why the newest fact of that natural key, or of one after it, was refused; empty where it was not."""
    cursor.execute(
        "SELECT CASE state WHEN 'refused' THEN result->>'code' END FROM fact WHERE book = %s AND kind = %s "
        "AND (natural_key = %s OR starts_with(natural_key, %s) OR starts_with(natural_key, %s)) "
        "ORDER BY id DESC LIMIT 1",
        [book, kind, key, f"{key}:after:", f"{key}#"],
    )
    row = cursor.fetchone()
    return "" if row is None else str(row[0] or "")


def written_by_web(*, cursor: Any, fact: int) -> bool:
    """True for a fact of a web process, which the database itself has noted."""
    cursor.execute("SELECT by_role = 'fairwatt_web' FROM fact WHERE id = %s", [fact])
    return bool(cursor.fetchone()[0])


def written_by_collector(*, cursor: Any, fact: int) -> bool:
    """True for a fact of the process that speaks with providers, which the database itself has noted."""
    cursor.execute("SELECT by_role = 'fairwatt_collector' FROM fact WHERE id = %s", [fact])
    return bool(cursor.fetchone()[0])


def see_book(*, cursor: Any, book: int) -> None:
    """Let this transaction see the rows of one book (row-level security), and every wallet in it."""
    cursor.execute("SELECT see_book(%s)", [book])


def see_books(*, cursor: Any, books: Collection[int]) -> None:
    """Let this transaction see these books whole."""
    cursor.execute(
        "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
        [",".join(map(str, books))],
    )

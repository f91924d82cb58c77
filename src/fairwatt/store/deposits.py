"""Deposits, in the database: every statement about them is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A movement of a deposit: above zero more is held, below it less."""

    book: int
    wallet: int
    kind: str
    amount_micro: int
    fact: int
    at_us: int
    batch: int
    author: int | None = None
    words: str = ""


class Held(NamedTuple):
    """What is held of a home, and since when."""

    wallet: int
    label: str
    held_micro: int
    since_us: int


def add_entry(*, cursor: Any, entry: Entry) -> None:
    """Write a movement down."""
    cursor.execute(
        "INSERT INTO deposit_entry (book, wallet, kind, amount_micro, words, author, fact, at_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(entry.book, entry.wallet, entry.kind, entry.amount_micro, entry.words[:400], entry.author),
            *(entry.fact, entry.at_us, entry.batch),
        ],
    )


def held_of(*, cursor: Any, book: int, wallet: int) -> int:
    """What is held of one account, in micro-units."""
    cursor.execute(
        "SELECT coalesce(sum(amount_micro), 0)::bigint FROM deposit_entry WHERE book = %s AND wallet = %s",
        [book, wallet],
    )
    return int(cursor.fetchone()[0])


def held_in(*, cursor: Any, book: int) -> list[Held]:
    """Every deposit of a book that is held, by home."""
    cursor.execute(
        "SELECT d.wallet, u.label, sum(d.amount_micro)::bigint, min(d.at_us) FROM deposit_entry d "
        "JOIN store_wallet w ON w.id = d.wallet JOIN store_unit u ON u.id = w.unit_id WHERE d.book = %s "
        "GROUP BY d.wallet, u.label HAVING sum(d.amount_micro) <> 0 ORDER BY u.label, d.wallet",
        [book],
    )
    return [
        Held(int(wallet), str(label), int(held), int(since))
        for wallet, label, held, since in cursor.fetchall()
    ]

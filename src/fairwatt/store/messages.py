"""Messages as people ask for them: by state, channel and home, with every attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fairwatt.store.notices import ROW, Row, rows_of


def written(
    *,
    cursor: Any,
    book: int,
    state: str = "",
    channel: str = "",
    step: str = "",
    wallet: int | None = None,
    person: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Row]:
    """Messages of a book, newest first."""
    where, given = ["book = %s"], [book]
    asked: list[tuple[str, Any]] = [
        ("state = %s", state or None),
        ("channel = %s", channel or None),
        ("step = %s", step or None),
        ("wallet = %s", wallet),
        ("person = %s", person),
        ("id < %s", before),
    ]
    for clause, value in asked:
        if value is not None:
            where.append(clause)
            given.append(value)
    cursor.execute(
        f"SELECT {ROW} FROM message WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT %s", [*given, limit]
    )
    return rows_of(cursor)


def state_counts(*, cursor: Any, book: int, since_us: int) -> dict[str, int]:
    """How many messages of a book stand where, of those made since then."""
    cursor.execute(
        "SELECT state, count(*) FROM message WHERE book = %s AND made_us >= %s GROUP BY state",
        [book, since_us],
    )
    return {str(state): int(n) for state, n in cursor.fetchall()}


def steps_of(*, cursor: Any, numbers: Sequence[int]) -> dict[int, list[tuple[str, str, str, int]]]:
    """(step, code, detail, when) of messages, in order."""
    cursor.execute(
        "SELECT message, step, code, detail, at_us FROM message_step WHERE message = ANY(%s) ORDER BY id",
        [list(numbers)],
    )
    found: dict[int, list[tuple[str, str, str, int]]] = {}
    for number, *told in cursor.fetchall():
        found.setdefault(int(number), []).append((str(told[0]), str(told[1]), str(told[2]), int(told[3])))
    return found

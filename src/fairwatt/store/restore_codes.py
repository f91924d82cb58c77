"""Emergency restore codes in the database: made, on their way, used. Every statement about them is here."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from django.db import connection

READ_WITHIN_US: Final = 10 * 60 * 1_000_000
"""So long a code waits to be read; then it is deleted, and another has to be asked for."""
_MONTH_US: Final = 30 * 86_400 * 1_000_000
_LONGEST_US: Final = 73 * 3_600 * 1_000_000


class RestorePolicy(NamedTuple):
    """How many hours a code may last, and how many codes a home may get in 30 days."""

    hours_max: int = 24
    per_month: int = 3


class Issued(NamedTuple):
    """A code that was made, and what became of it."""

    counter: int
    meter: int
    hours: int
    issued_us: int
    author: int
    reason: str
    used_us: int | None
    until_us: int | None


class Answer(NamedTuple):
    """Where the answer to an asked code is: ``waiting``, ``ready``, ``gone`` or ``refused`` (with its code)."""

    state: str
    code: str = ""
    hours: int = 0
    meter: int = 0


def policy_of(*, cursor: Any, book: int) -> RestorePolicy:
    """The policy in force; the default where none was commissioned."""
    cursor.execute(
        "SELECT hours_max, per_month FROM restore_policy WHERE book = %s ORDER BY from_us DESC LIMIT 1",
        [book],
    )
    row = cursor.fetchone()
    return RestorePolicy() if row is None else RestorePolicy(*row)


def set_policy(*, cursor: Any, book: int, policy: RestorePolicy, author: str, now_us: int) -> None:
    """Commission another policy."""
    cursor.execute(
        "INSERT INTO restore_policy (book, from_us, hours_max, per_month, author) VALUES (%s, %s, %s, %s, %s)",
        [book, now_us, *policy, author],
    )


def count_lately(*, cursor: Any, wallet: int, now_us: int) -> int:
    """How many codes a home was given in the last 30 days."""
    cursor.execute(
        "SELECT count(*) FROM restore_code WHERE wallet = %s AND issued_us > %s", [wallet, now_us - _MONTH_US]
    )
    return int(cursor.fetchone()[0])


def next_counter(*, cursor: Any, book: int, gateway: int, meter: int) -> tuple[int, int]:
    """(counter of the next code of a meter, the highest one that its gateway told as used)."""
    cursor.execute(
        "SELECT coalesce(max(counter), 0) + 1 FROM restore_code WHERE gateway = %s AND meter = %s",
        [gateway, meter],
    )
    following = int(cursor.fetchone()[0])
    cursor.execute(
        "SELECT coalesce(max((evidence->>'counter')::bigint), 0) FROM event WHERE book = %s AND gateway = %s "
        "AND meter = %s AND kind = 'gateway.restored' AND evidence->>'counter' ~ '^[0-9]{1,9}$'",
        [book, gateway, meter],
    )
    return following, int(cursor.fetchone()[0])


def save_code(*, cursor: Any, row: dict[str, Any], digits: str) -> None:
    """Note a code as made, and leave its digits for whoever asked."""
    names = (
        "book",
        "gateway",
        "meter",
        "counter",
        "wallet",
        "hours",
        "day",
        "fact",
        "author",
        "reason",
        "issued_us",
    )
    cursor.execute(
        f"INSERT INTO restore_code ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})",
        [row[name] for name in names],
    )
    leave_answer(
        cursor=cursor,
        book=row["book"],
        fact=row["fact"],
        author=row["author"],
        digits=digits,
        now_us=row["issued_us"],
    )


def leave_answer(*, cursor: Any, book: int, fact: int, author: int, digits: str, now_us: int) -> None:
    """Leave digits for whoever asked for them; what nobody read in time goes."""
    cursor.execute("DELETE FROM restore_answer WHERE made_us < %s", [now_us - READ_WITHIN_US])
    cursor.execute(
        "INSERT INTO restore_answer (fact, book, author, digits, made_us) VALUES (%s, %s, %s, %s, %s)",
        [fact, book, author, digits, now_us],
    )


def take_answer(*, cursor: Any, book: int, fact: int, author: int, now_us: int) -> str | None:
    """The digits, to whoever asked for them, and only once. None when they were read, are not his, or came too late."""
    cursor.execute(
        "DELETE FROM restore_answer WHERE book = %s AND fact = %s AND author = %s RETURNING digits, made_us",
        [book, fact, author],
    )
    row = cursor.fetchone()
    return None if row is None or now_us - int(row[1]) > READ_WITHIN_US else str(row[0])


def answer_to(*, cursor: Any, book: int, fact: int, author: int, kind: str = "restore_code") -> Answer | None:
    """How far a code is that this person asked for; None for what he did not ask."""
    cursor.execute(
        "SELECT f.state, f.payload, f.result, EXISTS (SELECT 1 FROM restore_answer a WHERE a.fact = f.id) FROM fact f "
        "WHERE f.book = %s AND f.id = %s AND f.kind = %s",
        [book, fact, kind],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    state, payload, result, there = row
    asked, said = (json.loads(one) if isinstance(one, str) else one or {} for one in (payload, result))
    if asked.get("author") != author:
        return None
    if state == "waiting":
        return Answer("waiting")
    if state == "refused":
        return Answer("refused", code=str(said.get("code", "")))
    return Answer("ready" if there else "gone", hours=int(said.get("hours", 0)), meter=int(said["meter"]))


def issued_to(*, cursor: Any, wallet: int, limit: int = 20) -> list[Issued]:
    """The codes of a home, newest first, and when its gateway told that they were used."""
    cursor.execute(
        "SELECT c.counter, c.meter, c.hours, c.issued_us, c.author, c.reason, e.at_us, "
        "(e.evidence->>'until_us')::bigint "
        "FROM restore_code c LEFT JOIN LATERAL (SELECT at_us, evidence FROM event WHERE book = c.book "
        " AND gateway = c.gateway AND meter = c.meter AND kind = 'gateway.restored' "
        " AND evidence->>'counter' = c.counter::text ORDER BY id LIMIT 1) e ON true "
        "WHERE c.wallet = %s ORDER BY c.issued_us DESC, c.counter DESC LIMIT %s",
        [wallet, limit],
    )
    return [Issued(*row) for row in cursor.fetchall()]


def restored_until(*, book: int, now_us: int) -> dict[tuple[int, int], int]:
    """(gateway, meter) -> until when an emergency restore is in force, as far as gateways have told."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT gateway, meter, at_us, evidence->>'until_us' FROM event WHERE book = %s "
            "AND kind = 'gateway.restored' AND at_us > %s "
            "AND gateway IS NOT NULL AND meter IS NOT NULL",
            [book, now_us - _LONGEST_US],
        )
        found: dict[tuple[int, int], int] = {}
        for gateway, meter, at_us, until in cursor.fetchall():
            key = (int(gateway), int(meter))
            found[key] = max(found.get(key, 0), believed_until(at_us=int(at_us), until=until))
        return found


def believed_until(*, at_us: int, until: object) -> int:
    """What a gateway said, within what any code may last; 0 for what is no instant."""
    text = str(until)
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        return 0
    return min(int(text), at_us + _LONGEST_US)

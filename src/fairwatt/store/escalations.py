"""Nobody at home could be reached: what staff has to do, and the law that no cut comes without a warning."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

_STANDS: Final = f"descent_of(x.wallet, {(1 << 62) - 1}) <= x.at_us"
"""There was no credit since: who paid need not be called."""


class Escalation(NamedTuple):
    """Nobody at home could be reached; staff has to."""

    id: int
    wallet: int
    because: str
    told: list[str]
    at_us: int
    step: str
    answered_us: int | None
    answer: str
    answered_by: int | None


def escalate(
    *, cursor: Any, book: int, wallet: int, notice: int, because: str, told: Sequence[str], now_us: int
) -> int | None:
    """Write down, once in a descent, that staff has to reach a home; None where it stands already."""
    cursor.execute(
        "INSERT INTO escalation (book, wallet, notice, because, told, at_us) SELECT %s, %s, %s, %s, %s, %s "
        "WHERE NOT EXISTS (SELECT 1 FROM escalation x WHERE x.wallet = %s AND x.at_us >= descent_of(%s, %s)) "
        "RETURNING id",
        [book, wallet, notice, because, json.dumps(list(told)), now_us, wallet, wallet, now_us],
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def escalations(
    *, cursor: Any, book: int, open_only: bool, limit: int, number: int | None = None
) -> list[Escalation]:
    """The call list of a book, newest first, with what staff answered."""
    cursor.execute(
        "SELECT x.id, x.wallet, x.because, x.told, x.at_us, coalesce(n.step, 'cut'), a.at_us, coalesce(a.reason, ''), "
        "(a.evidence->>'author')::bigint FROM escalation x LEFT JOIN notice n ON n.id = x.notice "
        "LEFT JOIN LATERAL (SELECT at_us, reason, evidence FROM event WHERE book = x.book AND wallet = x.wallet "
        "AND kind = 'desk.escalation_answered' AND (evidence->>'escalation')::bigint = x.id ORDER BY "
        "id LIMIT 1) a ON true "
        f"WHERE x.book = %s AND (NOT %s OR a.at_us IS NULL AND {_STANDS}) AND (%s::bigint IS NULL OR "
        f"x.id = %s::bigint) "
        "ORDER BY x.id DESC LIMIT %s",
        [book, open_only, number, number, limit],
    )
    return [Escalation._make((*row[:3], _list(row[3]), *row[4:])) for row in cursor.fetchall()]


def open_count(*, cursor: Any, book: int) -> int:
    """How many entries of the call list nobody has answered."""
    cursor.execute(
        f"SELECT count(*) FROM escalation x WHERE x.book = %s AND {_STANDS} AND NOT EXISTS (SELECT 1 FROM event e "
        "WHERE e.book = x.book "
        "AND e.wallet = x.wallet AND e.kind = 'desk.escalation_answered' AND "
        "(e.evidence->>'escalation')::bigint = x.id)",
        [book],
    )
    return int(cursor.fetchone()[0])


def uncalled(*, cursor: Any, since_us: int) -> list[tuple[int, int, int, str]]:
    """(escalation, book, wallet, because) of those since then that no line of the staff was told of yet."""
    cursor.execute(
        "SELECT x.id, x.book, x.wallet, x.because FROM escalation x WHERE x.at_us >= %s AND NOT EXISTS "
        "(SELECT 1 FROM notice n WHERE n.key = 'call:' || x.id) ORDER BY x.id DESC LIMIT 200",
        [since_us],
    )
    return [(int(n), int(book), int(wallet), str(why)) for n, book, wallet, why in cursor.fetchall()]


def unheralded_cuts(*, cursor: Any, book: int) -> list[int]:
    """Cuts for credit without a warning that arrived before and without a row that calls on staff: there are none."""
    cursor.execute(
        "SELECT e.id FROM event e WHERE e.book = %s AND e.kind IN ('supply.cut', 'gateway.local_trip') "
        "AND e.wallet IS NOT NULL AND NOT was_reached(e.wallet, e.at_us) "
        "AND NOT EXISTS (SELECT 1 FROM escalation x WHERE x.wallet = e.wallet AND x.at_us <= e.at_us "
        "AND x.at_us >= descent_of(e.wallet, e.at_us)) ORDER BY e.id",
        [book],
    )
    return [int(number) for (number,) in cursor.fetchall()]


def _list(value: Any) -> list[str]:
    return json.loads(value) if isinstance(value, str) else list(value)

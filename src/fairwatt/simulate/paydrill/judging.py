"""The simulator's truth against the ledger: what was paid must be there once, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

MICRO_PER_MINOR: Final = 10_000
_CREDITS: Final = """
SELECT f.result->>'our_ref', l.amount_micro FROM line l JOIN fact f ON f.id = l.ref
 WHERE l.kind = 2 AND l.book = %(book)s AND f.book = %(book)s AND f.kind = 'payment'
"""


@dataclass(slots=True, kw_only=True)
class Judged:
    """What must be zero, and what was there."""

    paid: int = 0
    credited: int = 0
    lost: int = 0
    doubled: int = 0
    unpaid_credits: int = 0
    difference_micro: int = 0
    journal_micro: int = 0
    clearing_micro: int = 0
    suspense_micro: int = 0
    waiting: int = 0
    examples: list[str] = field(default_factory=list)


def judge(*, dsn: str, book: int, truth: list[dict[str, Any]]) -> Judged:
    """Compare every payment the platforms took with every top-up line of the book."""
    with psycopg.connect(dsn) as link:
        link.execute(
            "SELECT set_config('fairwatt.books', %s, false), set_config('fairwatt.wallets', '*', false)",
            [str(book)],
        )
        ours = link.execute(_CREDITS, {"book": book}).fetchall()
        out = Judged(
            journal_micro=_number(
                link, "SELECT coalesce(sum(amount_micro), 0) FROM journal WHERE book = %s", book
            ),
            suspense_micro=_account(link, book, "suspense"),
            clearing_micro=_account(link, book, "clearing:"),
            waiting=_number(link, "SELECT count(*) FROM fact WHERE book = %s AND state = 'waiting'", book),
        )
        out.journal_micro = abs(out.journal_micro) + abs(
            _account(link, book, "wallet")
            - _number(link, "SELECT coalesce(sum(amount_micro), 0) FROM line WHERE book = %s", book)
        )
    theirs = Counter(str(one["our_ref"]) for one in truth)
    micro: Counter[str] = Counter()
    for one in truth:
        micro[str(one["our_ref"])] += int(one["paid_minor"]) * MICRO_PER_MINOR
    mine = Counter(str(ref) for ref, _ in ours)
    for ref, amount in ours:
        micro[str(ref)] -= int(amount)
    out.paid, out.credited = theirs.total(), mine.total()
    out.lost = (theirs - mine).total()
    out.unpaid_credits = sum(count for ref, count in mine.items() if ref not in theirs)
    out.doubled = (mine - theirs).total() - out.unpaid_credits
    out.difference_micro = sum(abs(amount) for amount in micro.values())
    out.examples = [*(theirs - mine), *(mine - theirs)][:10]
    return out


def _account(link: psycopg.Connection[Any], book: int, name: str) -> int:
    return _number(
        link,
        "SELECT coalesce(sum(amount_micro), 0) FROM journal WHERE book = %s AND starts_with(account, %s)",
        book,
        name,
    )


def _number(link: psycopg.Connection[Any], statement: str, *values: object) -> int:
    row = link.execute(statement, values).fetchone()
    return 0 if row is None else int(row[0])

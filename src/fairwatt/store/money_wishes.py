"""What one person asks for and another agrees to: transfers, payments taken back, money claimed out of suspense."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple


@dataclass(frozen=True, kw_only=True)
class NewWish:
    """A wish to be written. `key`: the same wish twice is one."""

    book: int
    kind: str
    key: str
    amount_minor: int
    author: int
    wallet: int | None = None
    words: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class Wish(NamedTuple):
    """A wish as written, and the word of the second person where it was given."""

    wish: int
    book: int
    wallet: int | None
    kind: str
    key: str
    amount_minor: int
    details: dict[str, Any]
    words: str
    author: int
    created_us: int
    step: str
    step_author: int
    step_words: str
    step_us: int

    @property
    def agreed(self) -> bool:
        """Whether another person agreed."""
        return self.step == "approve" and self.step_author != self.author


class Waiting(NamedTuple):
    """Money in suspense that nobody claimed yet."""

    of: int
    provider: str
    reference: str
    amount_minor: int
    currency: str
    at_us: int
    named: str
    """the account number that was typed, where the payer named one"""


class Void(NamedTuple):
    """A payment that was taken back."""

    fact: int
    wallet: int
    of: int
    wish: int
    amount_micro: int
    way: str
    at_us: int


_WISHES: Final = """
SELECT w.id, w.book, w.wallet, w.kind, w.key, w.amount_minor, w.details, w.words, w.author, w.created_us,
       coalesce(s.step, ''), coalesce(s.author, 0), coalesce(s.words, ''), coalesce(s.at_us, 0)
  FROM money_wish w LEFT JOIN money_step s ON s.wish = w.id WHERE w.book = %s AND {} ORDER BY w.id DESC LIMIT {}
"""


def add_wish(*, cursor: Any, new: NewWish, now_us: int) -> tuple[int, bool]:
    """Write a wish down once; return (its number, whether it is new)."""
    cursor.execute(
        "INSERT INTO money_wish (book, wallet, kind, key, amount_minor, details, words, author, created_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (book, key) DO NOTHING RETURNING id",
        [
            *(new.book, new.wallet, new.kind, new.key, new.amount_minor, json.dumps(new.details)),
            *(new.words, new.author, now_us),
        ],
    )
    row = cursor.fetchone()
    if row is not None:
        return int(row[0]), True
    cursor.execute("SELECT id FROM money_wish WHERE book = %s AND key = %s", [new.book, new.key])
    return int(cursor.fetchone()[0]), False


def add_step(*, cursor: Any, wish: Wish, step: str, author: int, words: str, now_us: int) -> None:
    """The word of the second person. Raises IntegrityError where one was given before."""
    cursor.execute(
        "INSERT INTO money_step (wish, book, step, author, words, at_us) VALUES (%s, %s, %s, %s, %s, %s)",
        [wish.wish, wish.book, step, author, words, now_us],
    )


def wish_of(*, cursor: Any, book: int, wish: int) -> Wish | None:
    """One wish of a book."""
    return next(iter(_wishes(cursor, "w.id = %s", [book, wish], 1)), None)


def wish_by_key(*, cursor: Any, book: int, key: str) -> Wish | None:
    """The wish that is known under a key."""
    return next(iter(_wishes(cursor, "w.key = %s", [book, key], 1)), None)


def wishes(*, cursor: Any, book: int, waiting: bool, limit: int = 60) -> list[Wish]:
    """Wishes that wait for a second person, or those that had one; newest first."""
    return _wishes(cursor, "s.id IS NULL" if waiting else "s.id IS NOT NULL", [book], limit)


def _wishes(cursor: Any, where: str, parameters: list[Any], limit: int) -> list[Wish]:
    cursor.execute(_WISHES.format(where, int(limit)), parameters)
    made = []
    for row in cursor.fetchall():
        details = json.loads(row[6]) if isinstance(row[6], str) else row[6]
        made.append(Wish._make([*row[:6], details, *row[7:]]))
    return made


def in_suspense(*, cursor: Any, book: int, currency: str, of: int | None = None) -> list[Waiting]:
    """Money that lies in suspense: payments nobody could place, and payments taken back to be placed anew."""
    cursor.execute(
        "SELECT x.of, x.provider, x.reference, x.amount_minor, x.currency, x.at_us, x.named FROM ("
        " SELECT f.id AS of, f.result->>'provider' AS provider, f.result->>'provider_ref' AS reference,"
        "        (f.result->>'amount_minor')::bigint AS amount_minor, f.result->>'currency' AS currency,"
        "        f.created_us AS at_us, coalesce(f.result->>'named', '') AS named"
        "   FROM fact f WHERE f.book = %s AND f.kind = 'payment' AND f.state = 'posted'"
        "    AND f.result->>'outcome' = 'review' AND f.result->>'currency' = %s"
        " UNION ALL SELECT v.fact, r.provider, r.reference, w.amount_minor, %s, v.at_us, '' FROM credit_void v"
        "   JOIN receipt r ON r.fact = v.of JOIN money_wish w ON w.id = v.wish WHERE v.book = %s AND v.way = 'suspense'"
        ") x WHERE NOT EXISTS (SELECT 1 FROM suspense_end e WHERE e.of = x.of) AND (%s::bigint IS NULL OR x.of = %s)"
        " ORDER BY x.of",
        [book, currency, currency, book, of, of],
    )
    return [Waiting._make(row) for row in cursor.fetchall()]


def end_suspense(
    *,
    cursor: Any,
    of: int,
    book: int,
    wallet: int,
    wish: int,
    amount_micro: int,
    fact: int,
    now_us: int,
    batch: int,
) -> None:
    """Money in suspense became a home's. Raises IntegrityError where it was claimed before."""
    cursor.execute(
        "INSERT INTO suspense_end (of, book, wallet, wish, amount_micro, fact, at_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [of, book, wallet, wish, amount_micro, fact, now_us, batch],
    )


def add_void(*, cursor: Any, void: Void, book: int, batch: int) -> None:
    """A payment was taken back. Raises IntegrityError beyond what was paid."""
    cursor.execute(
        "INSERT INTO credit_void (fact, book, wallet, of, wish, amount_micro, way, at_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(void.fact, book, void.wallet, void.of, void.wish, void.amount_micro, void.way),
            *(void.at_us, batch),
        ],
    )


def cash_void_of(*, cursor: Any, book: int, fact: int) -> Void | None:
    """One cash payment taken back whose payer gets the money, by the fact that did."""
    cursor.execute(f"{_CASH_VOIDS} AND v.fact = %s", [book, fact])
    row = cursor.fetchone()
    return None if row is None else Void._make(row)


def to_hand_out(*, cursor: Any, book: int) -> list[Void]:
    """Cash that is owed to payers whose payment was taken back, and has not left a drawer."""
    cursor.execute(
        f"{_CASH_VOIDS} AND NOT EXISTS (SELECT 1 FROM cash_out o "
        "WHERE o.book = v.book AND o.of_kind = 'void' AND o.of_id = v.fact) ORDER BY v.fact",
        [book],
    )
    return [Void._make(row) for row in cursor.fetchall()]


FREED: Final = "freed"
"""the way of a deposit that becomes credit again"""
_CASH_VOIDS: Final = (
    "SELECT v.fact, v.wallet, v.of, v.wish, v.amount_micro, v.way, v.at_us FROM credit_void v "
    "JOIN receipt r ON r.fact = v.of WHERE v.book = %s AND v.way = 'paid_back' AND r.provider = 'cash'"
)

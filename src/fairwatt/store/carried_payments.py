"""Payments carried to gateways as tokens: which were made and taken. Every statement about them is here."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from fairwatt.core.ledger.model import Kind

MADE: Final = "supply.token_made"
TAKEN: Final = "gateway.token_taken"
_TAKES: Final = [int(kind) for kind in (Kind.FEE, Kind.SHARED, Kind.EMERGENCY, Kind.DEBT, Kind.DEPOSIT)]
"""kinds of lines that take of a top-up as it comes"""


class Place(NamedTuple):
    """A meter at work in a home."""

    wallet: int
    gateway: int
    meter: int


class Made(NamedTuple):
    """A token that was made for a meter."""

    receipt: int
    tid: int
    minute_us: int
    amount_micro: int


class Carried(NamedTuple):
    """A token of a home, and when its gateway told that it was taken."""

    receipt: int
    at_us: int
    amount_micro: int
    taken_us: int | None


def place_of(*, cursor: Any, book: int, installation: int) -> Place | None:
    """Where an installation is, if it is at work in this book."""
    cursor.execute(
        "SELECT i.wallet_id, m.gateway_id, m.number FROM store_installation i "
        "JOIN store_meter m ON m.id = i.meter_id JOIN store_wallet w ON w.id = i.wallet_id "
        "WHERE i.id = %s AND w.book_id = %s AND i.closed_us IS NULL",
        [installation, book],
    )
    row = cursor.fetchone()
    return None if row is None else Place(*map(int, row))


def made_for(*, cursor: Any, place: Place) -> list[Made]:
    """The tokens made for a meter under its wallet, each once."""
    cursor.execute(
        "SELECT DISTINCT (evidence->>'receipt')::bigint, (evidence->>'tid')::bigint, "
        "(evidence->>'minute_us')::bigint, (evidence->>'amount_micro')::bigint "
        "FROM event WHERE wallet = %s AND gateway = %s AND meter = %s AND kind = %s",
        [*place, MADE],
    )
    return [Made(*row) for row in cursor.fetchall()]


def carried_to(*, cursor: Any, wallet: int, limit: int = 20) -> list[Carried]:
    """The tokens of a home, newest first."""
    cursor.execute(
        "SELECT (e.evidence->>'receipt')::bigint, e.at_us, (e.evidence->>'amount_micro')::bigint, "
        "(SELECT min(t.at_us) FROM event t WHERE t.wallet = e.wallet AND t.kind = %s AND t.meter = e.meter "
        " AND t.evidence->>'paid_us' = e.evidence->>'minute_us') "
        "FROM event e WHERE e.wallet = %s AND e.kind = %s ORDER BY e.id DESC LIMIT %s",
        [TAKEN, wallet, MADE, limit],
    )
    return [Carried(*row) for row in cursor.fetchall()]


def is_known_there(*, cursor: Any, place: Place, paid_us: int) -> bool:
    """Say whether the meter's gateway took an order, with its grant, that was written after a payment."""
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE wallet = %s AND gateway = %s AND meter = %s "
        "AND created_us >= %s AND accepted_us IS NOT NULL)",
        [*place, paid_us],
    )
    return bool(cursor.fetchone()[0])


def was_granted(*, cursor: Any, place: Place, from_us: int, until_us: int) -> bool:
    """Say whether an order was written for a meter in [from_us, until_us)."""
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE wallet = %s AND gateway = %s AND meter = %s "
        "AND created_us >= %s AND created_us < %s)",
        [*place, from_us, until_us],
    )
    return bool(cursor.fetchone()[0])


def taken_with(*, cursor: Any, wallet: int, at_us: int) -> int:
    """What was taken from a wallet in the batch of an instant, as a top-up came: repaid, set aside, recovered."""
    cursor.execute(
        "SELECT coalesce(-sum(amount_micro), 0)::bigint FROM line WHERE wallet = %s AND kind = ANY(%s) "
        "AND amount_micro < 0 AND ts = 'epoch'::timestamptz + %s * interval '1 microsecond'",
        [wallet, _TAKES, at_us],
    )
    return int(cursor.fetchone()[0])

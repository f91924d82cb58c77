"""The last word of `line` on each wallet and register, for lines newer than the caches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from fairwatt.core.ledger.model import Kind

_US = "(extract(epoch FROM ts) * 1000000)::bigint"


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """Where the newest lines left a register; `at_us` 0 when only a correction is new."""

    installation: int
    at_us: int
    register_wh: int
    counter_wh: int
    carry_nano: int
    carry_tax: int


def last_wallet_lines(*, book: int, after_batch: int) -> list[tuple[int, int, int, int]]:
    """(wallet, seq, balance_micro, held_micro) of the newest line of each wallet touched since a batch."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (wallet) wallet, seq, balance_micro, held_micro FROM line "
            "WHERE book = %s AND batch > %s ORDER BY wallet, seq DESC",
            [book, after_batch],
        )
        return [(int(w), int(s), int(b), int(h)) for w, s, b, h in cursor.fetchall()]


def last_register_lines(*, book: int, after_batch: int) -> Iterator[RegisterLine]:
    """The state of each register touched since a batch: newest reading, and what corrections left behind.

    Inside a batch corrections come before the readings that go on from them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ref, max(last_at), max(register_wh) FILTER (WHERE n_read = 1), "
            "max(counter_wh) FILTER (WHERE n = 1), max(carry_nano) FILTER (WHERE n = 1), "
            "max(carry_tax) FILTER (WHERE n = 1) FROM ("
            f"  SELECT ref, CASE WHEN kind = %(reading)s THEN {_US} ELSE 0 END AS last_at, register_wh, counter_wh, "
            "   carry_nano, carry_tax, "
            "   row_number() OVER (PARTITION BY ref ORDER BY batch DESC, kind = %(reading)s DESC, ts DESC) AS n, "
            "   CASE WHEN kind = %(reading)s THEN "
            "     row_number() OVER (PARTITION BY ref, kind ORDER BY ts DESC) END AS n_read "
            "  FROM line WHERE book = %(book)s AND batch > %(batch)s AND kind IN (%(reading)s, %(correction)s)"
            ") newest GROUP BY ref",
            {"book": book, "batch": after_batch, "reading": Kind.READING, "correction": Kind.CORRECTION},
        )
        for ref, at, register, counter, nano, tax in cursor.fetchall():
            yield RegisterLine(int(ref), int(at), int(register or 0), int(counter), int(nano), int(tax))


def told_wallets(*, book: int) -> dict[int, tuple[bool, int, int]]:
    """What the events say each wallet was told: (cut for credit, warned at, warning level).

    Only asked when the caches were dropped.
    """
    told: dict[int, tuple[bool, int, int]] = {}
    levels = {"warning.low": 1, "warning.critical": 2, "warning.empty": 3}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wallet, kind, reason, at_us FROM event WHERE book = %s AND wallet IS NOT NULL ORDER BY id",
            [book],
        )
        for wallet, kind, reason, at_us in cursor.fetchall():
            cut, warned, level = told.get(int(wallet), (False, 0, 0))
            if kind in levels:
                warned, level = warned or int(at_us), levels[kind]
            elif kind == "payment.credited":
                warned, level = 0, 0
            elif kind in ("supply.cut", "gateway.local_trip"):
                cut = True
            elif kind == "supply.proven" and reason == "closed":
                cut = False
            told[int(wallet)] = (cut, warned, level)
    return told

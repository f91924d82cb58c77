"""What fees and shared costs came to: every statement that reads or adds a `cost_entry`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from fairwatt.core.costs.taking import DEFAULT_POLICY, FeePolicy
from fairwatt.core.ledger.model import Kind
from fairwatt.core.spans import date_start, local_date, to_datetime

_SHARES_LOCK: Final = 0x05AE_0000_0000_0000
_PUBLISHING_LOCK: Final = 0x05AF_0000_0000_0000


@dataclass(frozen=True, kw_only=True)
class EntryRow:
    """One row to be added; see models.CostEntry."""

    key: str
    kind: str
    account: str
    wallet: int | None
    unit: int | None
    fee: int | None = None
    share: int | None = None
    of: int | None = None
    first_day: date | None = None
    end_day: date | None = None
    priority: int
    due_micro: int
    tax_micro: int
    taken_micro: int
    arrears_micro: int
    inputs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OpenEntry:
    """An entry as it stands after its recoveries: what was taken for it so far, and what is still open."""

    entry: int
    kind: str
    account: str
    wallet: int | None
    unit: int | None
    fee: int | None
    share: int | None
    priority: int
    due_micro: int
    tax_micro: int
    taken_micro: int
    open_micro: int
    reversed: bool


@dataclass(frozen=True, kw_only=True)
class FeeTerms:
    """A fee as written down, with the day from which it is owed no more."""

    fee: int
    unit: int | None
    name: str
    category: str
    by_area: bool
    amount_micro: int
    tax_bp: int
    every: str
    day: int
    month: int
    advance: bool
    priority: int
    first_day: date
    end_day: date | None


_TERMS = """
SELECT f.id, f.unit_id, f.name, f.category, f.basis = 'area', f.amount_micro, f.tax_bp, f.every, f.day,
       f.month, f.advance, f.priority, f.first_day, least(f.end_day, e.end_day)
  FROM store_fee f LEFT JOIN store_feeend e ON e.fee_id = f.id
 WHERE f.book_id = %s AND (%s::bigint IS NULL OR f.id = %s) ORDER BY f.priority, f.id
"""
_STANDING = """
SELECT e.id, e.kind, e.account, e.wallet, e.unit, e.fee, e.share, e.priority, e.due_micro, e.tax_micro,
       (e.taken_micro + coalesce(sum(c.taken_micro), 0))::bigint,
       (e.arrears_micro + coalesce(sum(c.arrears_micro), 0))::bigint,
       coalesce(bool_or(c.kind = 'reversal'), false)
  FROM cost_entry e LEFT JOIN cost_entry c ON c.of = e.id
 WHERE e.book = %s AND e.of IS NULL AND {} GROUP BY e.id ORDER BY e.id
"""


def fee_terms(*, cursor: Any, book: int, fee: int | None = None) -> list[FeeTerms]:
    """The fees of a book, or one of them; in the order in which they are taken."""
    cursor.execute(_TERMS, [book, fee, fee])
    names = FeeTerms.__dataclass_fields__
    return [FeeTerms(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def add_entries(
    *, cursor: Any, book: int, batch: int, fact: int, rows: Sequence[EntryRow], now_us: int
) -> list[int]:
    """Add entries; return their ids in order. A key that is there already is an error of the caller."""
    if not rows:
        return []
    cursor.execute(
        "INSERT INTO cost_entry (book, wallet, unit, kind, key, account, fee, share, of, first_day, end_day, priority, "
        "due_micro, tax_micro, taken_micro, arrears_micro, inputs, fact, at_us, batch) "
        "SELECT %s, t.*, %s, %s, %s FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], "
        "%s::bigint[], %s::bigint[], %s::bigint[], %s::date[], %s::date[], %s::smallint[], %s::bigint[], %s::bigint[], "
        "%s::bigint[], %s::bigint[], %s::jsonb[]) AS t RETURNING id, key",
        [
            book,
            fact,
            now_us,
            batch,
            *(
                [getattr(row, name) for row in rows]
                for name in (
                    *(
                        "wallet",
                        "unit",
                        "kind",
                        "key",
                        "account",
                        "fee",
                        "share",
                        "of",
                        "first_day",
                        "end_day",
                    ),
                    *("priority", "due_micro", "tax_micro", "taken_micro", "arrears_micro"),
                )
            ),
            [json.dumps(row.inputs) for row in rows],
        ],
    )
    ids = {key: int(pk) for pk, key in cursor.fetchall()}
    return [ids[row.key] for row in rows]


def known_keys(*, cursor: Any, book: int, keys: Sequence[str]) -> set[str]:
    """Those of the natural keys that are posted already."""
    cursor.execute("SELECT key FROM cost_entry WHERE book = %s AND key = ANY(%s)", [book, list(keys)])
    return {str(key) for (key,) in cursor.fetchall()}


WINDOW_ENDS: Final = """
(SELECT greatest(p.deadline_us, min(seen.created_us) + a.objection_days * 86400000000) FROM fact seen
  WHERE seen.book = a.book_id AND seen.kind = 'publication' AND seen.by_role <> 'fairwatt_web'
    AND seen.payload->>'allocation' = a.id::text HAVING count(*) > 0)
"""
"""When the objections to allocation `a` with proof `p` end: its days count from when the poster's own clock first saw
it published, whatever a web process wrote into the proof. NULL while the poster has not."""


def window_ends_us(*, cursor: Any, allocation: int) -> int | None:
    """When the objections to a published allocation end; None while the poster has not seen it published."""
    cursor.execute(
        f"SELECT {WINDOW_ENDS} FROM store_allocation a JOIN store_allocationproof p ON p.allocation_id = a.id "
        "WHERE a.id = %s",
        [allocation],
    )
    row = cursor.fetchone()
    return None if row is None or row[0] is None else int(row[0])


def lock_shares(*, cursor: Any, allocation: int) -> None:
    """Let an objection and the posting of its share wait for one another, until the end of the transaction."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SHARES_LOCK + allocation])


def lock_publishing(*, cursor: Any, site: int) -> None:
    """Let two publications in a building wait for one another, until the end of the transaction."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_PUBLISHING_LOCK + site])


def open_of_wallet(*, cursor: Any, book: int, wallet: int) -> list[OpenEntry]:
    """What a wallet still owes for fees and shares, oldest first."""
    cursor.execute(_STANDING.format("e.wallet = %s"), [book, wallet])
    return [one for one in _standing(cursor) if one.open_micro > 0]


def owe_nothing(*, cursor: Any, book: int, wallets: Sequence[int]) -> frozenset[int]:
    """Those of these wallets of which no fee, share, loan or debt was ever written down."""
    if not wallets:
        return frozenset()
    asked = sorted(set(wallets))
    cursor.execute(
        "SELECT wallet FROM cost_entry WHERE book = %s AND wallet = ANY(%s) "
        "UNION SELECT wallet FROM credit_entry WHERE book = %s AND wallet = ANY(%s)",
        [book, asked, book, asked],
    )
    return frozenset(asked) - {int(wallet) for (wallet,) in cursor.fetchall()}


def standing(*, cursor: Any, book: int, entries: Sequence[int]) -> list[OpenEntry]:
    """These entries as they stand now."""
    cursor.execute(_STANDING.format("e.id = ANY(%s)"), [book, list(entries)])
    return _standing(cursor)


def of_allocation(*, cursor: Any, book: int, allocation: int) -> list[OpenEntry]:
    """Every entry that came from the shares of an allocation."""
    cursor.execute(
        _STANDING.format("e.share IN (SELECT id FROM store_allocationshare WHERE allocation_id = %s)"),
        [book, allocation],
    )
    return _standing(cursor)


def arrears_by_wallet(*, cursor: Any, book: int) -> list[tuple[int | None, str, int, date | None]]:
    """(wallet or None for the landlord, account, still open, oldest day) of everybody who owes something."""
    cursor.execute(
        "SELECT wallet, account, sum(open)::bigint, min(first_day) FROM (SELECT e.wallet, e.account, e.first_day, "
        "(e.arrears_micro + coalesce(sum(c.arrears_micro), 0))::bigint AS open FROM cost_entry e "
        "LEFT JOIN cost_entry c ON c.of = e.id WHERE e.book = %s AND e.of IS NULL GROUP BY e.id) s WHERE open > 0 "
        "GROUP BY wallet, account ORDER BY wallet NULLS FIRST, account",
        [book],
    )
    return [
        (None if w is None else int(w), account, int(owed), day)
        for w, account, owed, day in cursor.fetchall()
    ]


def mean_days(
    *, cursor: Any, book: int, zone: str, wallets: Sequence[int], before_us: int, days: int
) -> dict[int, int]:
    """{wallet: what a day of its energy cost on average} over its newest whole days with readings, rounded up.

    Of the ledger's lines, never of a cache: what a fee takes must come out the same whatever a cache holds.
    """
    start = local_date(zone=zone, at_us=before_us) - timedelta(days=days)
    cursor.execute(
        "SELECT wallet, ceil(-sum(amount_micro)::numeric / "
        "count(DISTINCT ((ts - interval '1 microsecond') AT TIME ZONE %s)::date))::bigint FROM line "
        "WHERE book = %s AND wallet = ANY(%s) AND kind = %s AND ts > %s AND ts <= %s GROUP BY wallet",
        [
            *(zone, book, list(wallets), int(Kind.READING)),
            *(to_datetime(date_start(zone=zone, day=start)), to_datetime(before_us)),
        ],
    )
    return {int(wallet): int(mean) for wallet, mean in cursor.fetchall()}


def fee_rule(*, cursor: Any, book: int) -> tuple[int, FeePolicy]:
    """(row id, or 0 for the house's own rule; the rule in force): how fees stand behind energy."""
    cursor.execute(
        "SELECT id, reserve_micro, reserve_days, recovery_bp, fees_may_cut, legal_reference FROM store_feerule "
        "WHERE book_id = %s ORDER BY id DESC LIMIT 1",
        [book],
    )
    row = cursor.fetchone()
    if row is None:
        return 0, DEFAULT_POLICY
    return int(row[0]), FeePolicy(
        reserve_micro=int(row[1]),
        reserve_days=int(row[2]),
        recovery_bp=int(row[3]),
        fees_may_cut=bool(row[4]),
        legal_reference=row[5],
    )


def _standing(cursor: Any) -> list[OpenEntry]:
    names = OpenEntry.__dataclass_fields__
    return [OpenEntry(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]

"""What of the ledger waits to be invoiced: sums of lines and entries behind each home's last bill,
and the journal's own word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from fairwatt.core.ledger.model import RECOVERY_SHARED, TAX_OUTPUT, Kind
from fairwatt.store.batches import lines_between

RATED: Final = (Kind.READING, Kind.CORRECTION, Kind.LATE, Kind.TRUE_UP)
"""Lines that are the sum of their components."""
PAID: Final = (Kind.TOPUP, Kind.MOVED, Kind.REFUND, Kind.CHARGEBACK, Kind.VOID)
"""Lines that bring money in, or take it out again."""


class Rated(NamedTuple):
    """Lines of a home under one version of one plan. ``day_us``: of corrections, the day they are about; else 0."""

    wallet: int
    kind: int
    plan: int
    version: int
    day_us: int
    energy_wh: int
    energy_micro: int
    standing_micro: int
    tax_micro: int


class Owed(NamedTuple):
    """Fees or shares of a home by name and rate; below zero they were taken back. ``arrears_micro``: not taken yet."""

    wallet: int
    kind: str
    name: str
    tax_bp: int
    net_micro: int
    tax_micro: int
    arrears_micro: int


class Adjusted(NamedTuple):
    """What rulings gave a home back, and the line they were about."""

    wallet: int
    amount_micro: int
    tax_micro: int
    kind: int
    plan: int
    day_us: int
    tax_bp: int


class Paid(NamedTuple):
    """What was paid into a home's credit, or went out of it again."""

    wallet: int
    kind: int
    amount_micro: int


class Stretch(NamedTuple):
    """What is looked at: a book's lines up to a batch, behind the last bill of each home."""

    book: int
    until_batch: int
    wallet: int | None = None


def last_batch(*, cursor: Any, book: int, end_us: int | None = None) -> int:
    """The newest batch of a book; before an instant, where one is named. A closed month keeps its own."""
    if end_us is None:
        cursor.execute("SELECT coalesce(max(batch), 0) FROM batch WHERE book = %s", [book])
        return int(cursor.fetchone()[0])
    cursor.execute(
        "SELECT last_batch FROM store_periodclose WHERE book_id = %s AND end_us = %s", [book, end_us]
    )
    closed = cursor.fetchone()
    if closed is not None:
        return int(closed[0])
    cursor.execute(
        "SELECT greatest((SELECT coalesce(max(batch), 0) FROM batch WHERE book = %s AND at_us < %s), "
        "(SELECT coalesce(max(last_batch), 0) FROM store_periodclose WHERE book_id = %s AND end_us <= %s))",
        [book, end_us, book, end_us],
    )
    return int(cursor.fetchone()[0])


_HEADS: Final = (
    "WITH head AS (SELECT wallet, max(until_batch) AS batch FROM bill WHERE book = %s GROUP BY wallet) "
)


def rated(*, cursor: Any, stretch: Stretch) -> list[Rated]:
    """Lines of use, corrections and true-ups that wait, summed."""
    lines, parameters = _lines(cursor, stretch, RATED)
    cursor.execute(
        f"{_HEADS} SELECT l.wallet, l.kind, coalesce(i.plan_id, 0), l.tariff_version, coalesce(c.day_us, 0), "
        "sum(l.energy_wh)::bigint, sum(l.energy_micro)::bigint, "
        "sum(l.standing_micro)::bigint, sum(l.tax_micro)::bigint "
        f"FROM ({lines}) l LEFT JOIN head h ON h.wallet = l.wallet "
        "LEFT JOIN correction c ON l.kind = 3 AND c.book = l.book AND c.ref = l.ref "
        "AND c.ts_us = (extract(epoch FROM l.ts) * 1000000)::bigint "
        "LEFT JOIN fact f ON l.kind = 8 AND f.id = l.ref "
        "LEFT JOIN store_installation i ON i.id = CASE l.kind WHEN 8 THEN "
        "(f.result->>'installation')::bigint ELSE l.ref END "
        "WHERE l.batch > coalesce(h.batch, 0) GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
        [stretch.book, *parameters],
    )
    return [Rated(*map(int, row)) for row in cursor.fetchall()]


def owed(*, cursor: Any, stretch: Stretch) -> list[Owed]:
    """Fees and shares that wait, by name and rate."""
    cursor.execute(
        f"{_HEADS} SELECT e.wallet, CASE WHEN e.share IS NULL THEN 'fee' ELSE 'shared' END, "
        "coalesce(f.name, a.title, ''), "
        "coalesce(f.tax_bp, 0), sum(e.due_micro)::bigint, sum(e.tax_micro)::bigint, sum(e.arrears_micro)::bigint "
        "FROM cost_entry e LEFT JOIN head h ON h.wallet = e.wallet LEFT JOIN store_fee f ON f.id = e.fee "
        "LEFT JOIN store_allocationshare s ON s.id = e.share LEFT JOIN store_allocation a ON a.id = s.allocation_id "
        "WHERE e.book = %s AND e.wallet IS NOT NULL AND e.batch > coalesce(h.batch, 0) AND e.batch <= %s "
        "AND (%s::bigint IS NULL OR e.wallet = %s) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        [stretch.book, stretch.book, stretch.until_batch, stretch.wallet, stretch.wallet],
    )
    return [Owed(*row) for row in cursor.fetchall()]


def adjusted(*, cursor: Any, stretch: Stretch) -> list[Adjusted]:
    """What rulings gave back that waits; balances brought over are no revenue and are left out."""
    lines, parameters = _lines(cursor, stretch, (Kind.ADJUSTMENT,))
    cursor.execute(
        f"{_HEADS} SELECT l.wallet, l.amount_micro, coalesce((f.result->>'tax_micro')::bigint, 0), "
        "coalesce(d.line_kind, 1), coalesce(i.plan_id, 0), coalesce(d.line_ts_us, (f.result->>'day_us')::bigint, 0), "
        "coalesce(fee.tax_bp, 0) "
        f"FROM ({lines}) l LEFT JOIN head h ON h.wallet = l.wallet "
        "JOIN fact f ON f.id = l.ref AND f.kind = 'adjustment' "
        "LEFT JOIN store_dispute d ON d.id::text = f.result->>'case' "
        "LEFT JOIN fact w ON w.id = d.line_ref AND d.line_kind = 8 "
        "LEFT JOIN store_installation i ON i.id = coalesce((w.result->>'installation')::bigint, "
        "CASE WHEN d.line_kind IN (1, 3, 7) THEN d.line_ref END, (f.result->>'ref')::bigint) "
        "LEFT JOIN cost_entry e ON d.line_kind IN (4, 5) AND e.id = d.line_ref LEFT JOIN "
        "store_fee fee ON fee.id = e.fee "
        "WHERE l.batch > coalesce(h.batch, 0) ORDER BY l.wallet, l.seq",
        [stretch.book, *parameters],
    )
    return [Adjusted(*map(int, row)) for row in cursor.fetchall()]


def paid(*, cursor: Any, stretch: Stretch) -> list[Paid]:
    """Money in and out that waits, where documents are made of top-ups."""
    lines, parameters = _lines(cursor, stretch, PAID)
    cursor.execute(
        f"{_HEADS} SELECT l.wallet, l.kind, sum(l.amount_micro)::bigint FROM ({lines}) l "
        "LEFT JOIN head h ON h.wallet = l.wallet WHERE l.batch > coalesce(h.batch, 0) "
        "GROUP BY 1, 2 ORDER BY 1, 2",
        [stretch.book, *parameters],
    )
    return [Paid(*map(int, row)) for row in cursor.fetchall()]


def balances(*, cursor: Any, stretch: Stretch) -> dict[int, int]:
    """{wallet: its balance after its newest line that waits}."""
    lines, parameters = _lines(cursor, stretch, tuple(Kind))
    cursor.execute(
        f"{_HEADS} SELECT DISTINCT ON (l.wallet) l.wallet, l.balance_micro FROM ({lines}) l "
        "LEFT JOIN head h ON h.wallet = l.wallet WHERE l.batch > coalesce(h.batch, 0) ORDER BY l.wallet, l.seq DESC",
        [stretch.book, *parameters],
    )
    return {int(wallet): int(micro) for wallet, micro in cursor.fetchall()}


def _lines(cursor: Any, stretch: Stretch, kinds: Sequence[Kind]) -> tuple[str, list[Any]]:
    """The lines of some kinds between the oldest end of a bill and the last batch looked at."""
    cursor.execute(
        "SELECT CASE WHEN count(*) < (SELECT count(*) FROM store_wallet w WHERE w.book_id = "
        "%s AND (%s::bigint IS NULL OR "
        "w.id = %s)) THEN 0 ELSE coalesce(min(b.batch), 0) END FROM (SELECT max(until_batch) AS batch FROM bill "
        "WHERE book = %s AND (%s::bigint IS NULL OR wallet = %s) GROUP BY wallet) b",
        [stretch.book, stretch.wallet, stretch.wallet] * 2,
    )
    after = min(int(cursor.fetchone()[0]), stretch.until_batch)
    where, parameters = lines_between(
        cursor=cursor, book=stretch.book, after_batch=after, until_batch=stretch.until_batch
    )
    mine = "" if stretch.wallet is None else " AND wallet = %s"
    return f"SELECT * FROM line WHERE {where} AND kind = ANY(%s){mine}", [
        *parameters,
        [int(kind) for kind in kinds],
        *([] if stretch.wallet is None else [stretch.wallet]),
    ]


class Earned(NamedTuple):
    """What the journal holds as earned up to a batch: net revenue, and the tax owed on it."""

    net_micro: int
    tax_micro: int


def earned(*, cursor: Any, book: int, until_batch: int) -> Earned:
    """Ask the journal, and nobody else, what was earned."""
    cursor.execute(
        "SELECT coalesce(sum(amount_micro) FILTER (WHERE account LIKE 'revenue:%%' OR account = %s), "
        "0)::bigint, "
        "coalesce(sum(amount_micro) FILTER (WHERE account = %s), 0)::bigint FROM journal "
        "WHERE book = %s AND batch <= %s",
        [RECOVERY_SHARED, TAX_OUTPUT, book, until_batch],
    )
    return Earned(*map(int, cursor.fetchone()))


def landlords(*, cursor: Any, book: int, until_batch: int) -> int:
    """What the landlord bears himself, tax included: it is earned, and nobody is invoiced for it."""
    cursor.execute(
        "SELECT coalesce(sum(due_micro + tax_micro), 0)::bigint FROM cost_entry "
        "WHERE book = %s AND wallet IS NULL AND batch <= %s",
        [book, until_batch],
    )
    return int(cursor.fetchone()[0])


def paid_in(*, cursor: Any, book: int, until_batch: int) -> int:
    """What was paid in less what went out again, up to a batch."""
    where, parameters = lines_between(cursor=cursor, book=book, after_batch=0, until_batch=until_batch)
    cursor.execute(
        f"SELECT coalesce(sum(amount_micro), 0)::bigint FROM line WHERE {where} AND kind = ANY(%s)",
        [*parameters, [int(kind) for kind in PAID]],
    )
    return int(cursor.fetchone()[0])


class Invoiced(NamedTuple):
    """What documents come to, credit notes taken off. ``open_micro``: bills whose documents were taken back whole."""

    documents: int
    credit_notes: int
    net_micro: int
    tax_micro: int
    gross_minor: int
    open_micro: int


def invoiced(*, cursor: Any, book: int, until_batch: int) -> Invoiced:
    """The documents about what was posted up to a batch."""
    cursor.execute(
        "SELECT count(*) FILTER (WHERE i.sort = 'invoice'), count(*) FILTER (WHERE i.sort = 'credit_note'), "
        "coalesce(sum(s * t.net_micro), 0)::bigint, coalesce(sum(s * t.tax_micro), 0)::bigint, "
        "coalesce(sum(s * (t.net_minor + t.tax_minor)), 0)::bigint FROM invoice i JOIN bill b "
        "ON b.id = i.bill "
        "CROSS JOIN LATERAL (SELECT CASE i.sort WHEN 'invoice' THEN 1 ELSE -1 END AS s) way "
        "CROSS JOIN LATERAL (SELECT sum(net_micro) AS net_micro, sum(tax_micro) AS tax_micro, "
        "sum(net_minor) AS net_minor, sum(tax_minor) AS tax_minor FROM invoice_tax x WHERE x.invoice = i.id) t "
        "WHERE i.book = %s AND b.until_batch <= %s",
        [book, until_batch],
    )
    documents, notes, net, tax, gross = map(int, cursor.fetchone())
    cursor.execute(
        "SELECT coalesce(sum(b.net_micro + b.tax_micro), 0)::bigint FROM bill b "
        "WHERE b.book = %s AND b.until_batch <= %s AND b.net_micro + b.tax_micro > 0 "
        "AND NOT EXISTS (SELECT 1 FROM invoice i WHERE i.bill = b.id AND "
        "i.sort = 'invoice' AND NOT EXISTS (SELECT 1 FROM invoice c WHERE c.of = i.id AND c.whole))",
        [book, until_batch],
    )
    return Invoiced(documents, notes, net, tax, gross, int(cursor.fetchone()[0]))

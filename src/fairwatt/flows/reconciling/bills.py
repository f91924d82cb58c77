"""Statements of sql/reconciling.sql about bills: what was heard of them, and what is asked next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fairwatt.payments.contract import BillRow, Kind

RAW_BYTES_MAX: Final = 256 << 20
"""A bill's own bytes are kept, packed, up to what any bill may have."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A row of `provider_bill`, without the bytes."""

    id: int
    state: str
    sha256: str
    heard_us: int


def heard(*, cursor: Any, account: int, day: str) -> list[Heard]:
    """All that was heard of a day's bill, oldest first."""
    cursor.execute(
        "SELECT id, state, sha256, heard_us FROM provider_bill WHERE account = %s AND day = %s ORDER BY id",
        [account, day],
    )
    return [Heard(*row) for row in cursor.fetchall()]


def in_force(found: Sequence[Heard]) -> Heard | None:
    """The newest content among what was heard."""
    return next((one for one in reversed(found) if one.state == "got"), None)


def confirmed(found: Sequence[Heard]) -> bool:
    """Whether the newest content may be judged by: the first one ever issued, or one that was had twice in a row."""
    contents = [one for one in found if one.state in ("got", "again")]
    issues = {one.sha256 for one in contents}
    return bool(contents) and (len(issues) == 1 or contents[-1].state == "again")


def add_heard(
    *,
    cursor: Any,
    account: int,
    day: str,
    state: str,
    sha256: str,
    rows: int,
    detail: str,
    raw: bytes,
    now_us: int,
) -> int:
    """Write down what was heard; its number."""
    cursor.execute(
        "INSERT INTO provider_bill (account, day, state, sha256, rows, detail, raw, heard_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [account, day, state, sha256, rows, detail[:300], raw, now_us],
    )
    return int(cursor.fetchone()[0])


def add_rows(*, cursor: Any, bill: int, rows: Sequence[BillRow]) -> None:
    """The movements of a bill, in its order."""
    # Under row-level security there is no COPY.
    cursor.execute(
        "INSERT INTO provider_bill_row (bill, n, kind, our_ref, provider_ref, refund_ref, amount_minor, fee_minor, "
        "currency, occurred_us) SELECT %s, * FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[], "
        "%s::bigint[], %s::bigint[], %s::text[], %s::bigint[])",
        [
            bill,
            list(range(1, len(rows) + 1)),
            [str(row.kind) for row in rows],
            [row.our_ref for row in rows],
            [row.provider_ref for row in rows],
            [row.refund_ref for row in rows],
            [row.amount_minor for row in rows],
            [row.fee_minor for row in rows],
            [row.currency for row in rows],
            [row.occurred_at_us for row in rows],
        ],
    )


def rows_of(*, cursor: Any, bill: int) -> list[BillRow]:
    """The movements of a bill, in its order."""
    cursor.execute(
        "SELECT kind, our_ref, provider_ref, refund_ref, amount_minor, fee_minor, currency, occurred_us "
        "FROM provider_bill_row WHERE bill = %s ORDER BY n",
        [bill],
    )
    return [
        BillRow(
            kind=Kind(kind),
            our_ref=our_ref,
            provider_ref=provider_ref,
            refund_ref=refund_ref,
            amount_minor=amount,
            fee_minor=fee,
            currency=currency,
            occurred_at_us=occurred_us,
        )
        for kind, our_ref, provider_ref, refund_ref, amount, fee, currency, occurred_us in cursor.fetchall()
    ]


def asked(*, cursor: Any, account: int) -> dict[str, tuple[int | None, int]]:
    """When each day that was asked for is asked for again (None: no more), and how often it was."""
    cursor.execute("SELECT day::text, ask_us, tries FROM bill_ask WHERE account = %s", [account])
    return {day: (ask_us, tries) for day, ask_us, tries in cursor.fetchall()}


def ask_again(*, cursor: Any, account: int, day: str, ask_us: int | None) -> None:
    """Say when a day is asked for next."""
    cursor.execute(
        "INSERT INTO bill_ask AS b (account, day, ask_us, tries) VALUES (%s, %s, %s, 1) "
        "ON CONFLICT (account, day) DO UPDATE SET ask_us = excluded.ask_us, tries = b.tries + 1",
        [account, day, ask_us],
    )


def take(*, cursor: Any, account: int, day: str, now_us: int, until_us: int) -> bool:
    """Take a day in hand; False where another process has it, or it is not due."""
    cursor.execute(
        "INSERT INTO bill_ask AS b (account, day, ask_us, tries) VALUES (%s, %s, %s, 0) "
        "ON CONFLICT (account, day) DO UPDATE SET ask_us = excluded.ask_us WHERE b.ask_us <= %s RETURNING 1",
        [account, day, until_us, now_us],
    )
    return cursor.fetchone() is not None


@dataclass(frozen=True, slots=True)
class Unheard:
    """A payment in a bill for which no posted fact stands: its order, and how that stands."""

    n: int
    intent: int
    our_ref: str
    book: int
    state: str


def unheard(*, cursor: Any, bill: int, account: int, ref_chars: int) -> list[Unheard]:
    """Payments that a bill has of orders of ours, under another number than the order was credited by, if it was."""
    cursor.execute(
        "SELECT r.n, i.id, i.our_ref, i.book_id, i.state FROM provider_bill_row r "
        "JOIN store_paymentintent i ON i.account_id = %s AND left(i.our_ref, %s) = r.our_ref "
        "WHERE r.bill = %s AND r.kind = 'payment' AND i.provider_ref <> r.provider_ref ORDER BY r.n",
        [account, ref_chars, bill],
    )
    return [Unheard(*row) for row in cursor.fetchall()]


def posted_number(*, cursor: Any, book: int, provider_ref: str) -> bool:
    """Whether the poster answered a payment of that number in a book. The transaction must see the book."""
    cursor.execute(
        "SELECT 1 FROM fact WHERE book = %s AND kind = 'payment' AND state = 'posted' AND result->>'provider_ref' = %s",
        [book, provider_ref],
    )
    return cursor.fetchone() is not None


def answer_stands(*, cursor: Any, book: int, intent: int) -> bool:
    """Whether what a provider answered about an order waits for the poster or was posted. The transaction must see the
    book."""
    cursor.execute(
        "SELECT 1 FROM store_paymentintent i JOIN fact f ON f.wallet = i.wallet_id AND f.book = i.book_id "
        "WHERE i.id = %s AND i.book_id = %s AND f.kind = 'payment' AND f.state <> 'refused' "
        "AND f.payload->'queried'->>'our_ref' = i.our_ref LIMIT 1",
        [intent, book],
    )
    return cursor.fetchone() is not None


def add_heal(
    *, cursor: Any, bill: int, n: int, account: int, day: str, intent: int, how: str, now_us: int
) -> bool:
    """Write down what was done about a payment that only the bill told of; False when it was before."""
    cursor.execute(
        "INSERT INTO bill_heal (bill, n, account, day, intent, how, at_us) VALUES (%s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT DO NOTHING RETURNING 1",
        [bill, n, account, day, intent, how, now_us],
    )
    return cursor.fetchone() is not None


def books_with_fees(*, cursor: Any, bill: int, account: int, ref_chars: int) -> list[int]:
    """The books whose payers' movements stand in a bill."""
    cursor.execute(
        "SELECT DISTINCT i.book_id FROM provider_bill_row r JOIN store_paymentintent i "
        "ON i.account_id = %s AND left(i.our_ref, %s) = r.our_ref WHERE r.bill = %s AND r.fee_minor <> 0 ORDER BY 1",
        [account, ref_chars, bill],
    )
    return [int(book) for (book,) in cursor.fetchall()]

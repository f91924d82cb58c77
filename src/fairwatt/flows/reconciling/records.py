"""Statements of sql/reconciling.sql about days: our side of one, and what came of holding a bill against it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fairwatt.payments.contract import Kind
from fairwatt.payments.reconcile import Difference, Drift, Known, OurRefund, Ours, Told

TOPUP = 2


@dataclass(frozen=True, slots=True)
class Version:
    """A row of `reconciliation`."""

    id: int
    account: int
    day: str
    version: int
    bill: int | None
    state: str
    reason: str
    totals: dict[str, int]
    digest: str
    made_us: int


_VERSION = "id, account, day::text, version, bill, state, reason, totals, digest, made_us"


def versions(*, cursor: Any, account: int, day: str) -> list[Version]:
    """A day as often as it came to something else, newest first."""
    cursor.execute(
        f"SELECT {_VERSION} FROM reconciliation WHERE account = %s AND day = %s ORDER BY version DESC",
        [account, day],
    )
    return [_version(row) for row in cursor.fetchall()]


def newest(*, cursor: Any, accounts: Sequence[int], since: str = "0001-01-01") -> list[Version]:
    """The newest version of each day of these accounts, newest day first."""
    cursor.execute(
        f"SELECT DISTINCT ON (day, account) {_VERSION} FROM reconciliation WHERE account = ANY(%s) AND day >= %s "
        "ORDER BY day DESC, account, version DESC",
        [list(accounts), since],
    )
    return [_version(row) for row in cursor.fetchall()]


def _version(row: Sequence[Any]) -> Version:
    number, account, day, version, bill, state, reason, said, digest, made_us = row
    totals = json.loads(said) if isinstance(said, str) else said
    return Version(number, account, day, version, bill, state, reason, totals, digest, made_us)


def add_version(
    *, cursor: Any, before: Version | None, made: Version, items: Sequence[Difference]
) -> Version:
    """Write down what a day came to; `made.id` and `made.version` are set here."""
    number = 1 if before is None else before.version + 1
    cursor.execute(
        "INSERT INTO reconciliation (account, day, version, bill, state, reason, totals, digest, made_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            *(made.account, made.day, number, made.bill, made.state, made.reason),
            *(json.dumps(made.totals), made.digest, made.made_us),
        ],
    )
    row = int(cursor.fetchone()[0])
    cursor.executemany(
        "INSERT INTO reconciliation_item (reconciliation, n, kind, key, book, wallet, our_ref, provider_ref, "
        "refund_ref, theirs_minor, ours_minor, currency, occurred_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            [
                *(row, n, str(one.kind), one.key, one.book, one.wallet, one.our_ref, one.provider_ref),
                *(one.refund_ref, one.theirs_minor, one.ours_minor, one.currency, one.occurred_at_us),
            ]
            for n, one in enumerate(items, 1)
        ],
    )
    return Version(row, made.account, made.day, number, *_rest(made))


def _rest(made: Version) -> tuple[Any, ...]:
    return (made.bill, made.state, made.reason, made.totals, made.digest, made.made_us)


def items_of(*, cursor: Any, reconciliation: int) -> list[Difference]:
    """The differences of a version."""
    cursor.execute(
        "SELECT kind, our_ref, provider_ref, refund_ref, theirs_minor, ours_minor, currency, occurred_us, book, wallet "
        "FROM reconciliation_item WHERE reconciliation = %s ORDER BY n",
        [reconciliation],
    )
    names = (
        "our_ref",
        "provider_ref",
        "refund_ref",
        "theirs_minor",
        "ours_minor",
        "currency",
        "occurred_at_us",
    )
    return [
        Difference(kind=Drift(row[0]), **dict(zip((*names, "book", "wallet"), row[1:], strict=True)))
        for row in cursor.fetchall()
    ]


@dataclass(frozen=True, slots=True)
class Word:
    """What a person said of a difference."""

    key: str
    author: int
    words: str
    at_us: int


def words_of(*, cursor: Any, account: int, day: str) -> dict[str, Word]:
    """What people said of a day's differences, by the difference."""
    cursor.execute(
        "SELECT key, author, words, at_us FROM reconciliation_word WHERE account = %s AND day = %s ORDER BY id",
        [account, day],
    )
    return {row[0]: Word(*row) for row in cursor.fetchall()}


def add_word(*, cursor: Any, account: int, day: str, key: str, author: int, words: str, now_us: int) -> bool:
    """Write down what a person says of a difference; False when somebody did before."""
    cursor.execute(
        "INSERT INTO reconciliation_word (account, day, key, author, words, at_us) VALUES (%s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (account, day, key) DO NOTHING RETURNING 1",
        [account, day, key, author, words, now_us],
    )
    return cursor.fetchone() is not None


def frozen(*, cursor: Any, accounts: Sequence[int]) -> set[int]:
    """Accounts whose refunds wait until somebody knows why the provider has not what we credited."""
    cursor.execute("SELECT account FROM refunds_frozen WHERE account = ANY(%s)", [list(accounts)])
    return {int(account) for (account,) in cursor.fetchall()}


def healed(*, cursor: Any, account: int, day: str) -> int:
    """How many payments of a day only the bill told of."""
    cursor.execute(
        "SELECT count(DISTINCT intent) FROM bill_heal WHERE account = %s AND day = %s", [account, day]
    )
    return int(cursor.fetchone()[0])


# --- our side of a day ------------------------------------------------------------------------------------------


def orders(*, cursor: Any, account: int, refs: Sequence[str], ref_chars: int) -> dict[str, Known]:
    """Orders of an account, by our reference as short as the bill has it."""
    cursor.execute(
        "SELECT left(our_ref, %s), our_ref, book_id, wallet_id FROM store_paymentintent "
        "WHERE account_id = %s AND (left(our_ref, %s) IN (SELECT unnest(%s::text[]))) IS TRUE",
        [ref_chars, account, ref_chars, list(refs)],
    )
    return {
        short: Known(our_ref=our_ref, book=book, wallet=wallet)
        for short, our_ref, book, wallet in cursor.fetchall()
    }


# Under row-level security no index is asked for what a function made, so the instant of a batch is made a column first.
_PAYMENTS = """
WITH posted AS MATERIALIZED (
  SELECT f.id, f.book, f.wallet, f.batch, f.result, f.created_us,
         timestamptz 'epoch' + b.at_us * interval '1 microsecond' AS ts
    FROM fact f LEFT JOIN batch b ON b.book = f.book AND b.batch = f.batch
   WHERE f.id = ANY(%(facts)s) AND f.result->>'outcome' IN ('credited', 'review')
)
SELECT f.book, f.wallet, f.result->>'our_ref', f.result->>'provider_ref', (f.result->>'amount_minor')::bigint,
       f.result->>'currency', f.result->>'outcome', coalesce((f.result->>'amount_micro')::bigint, 0), l.amount_micro,
       coalesce((SELECT min(e.occurred_us) FROM store_paymentevent e JOIN store_paymentintent i ON i.id = e.intent_id
                  WHERE i.our_ref = f.result->>'our_ref' AND e.account_id = %(account)s AND e.kind = 'payment'
                    AND e.state = 'succeeded' AND e.provider_ref = f.result->>'provider_ref'
                    AND e.assurance <> 'hint'), f.created_us),
       f.batch, f.result ? 'named'
  FROM posted f
  LEFT JOIN line l ON l.ts = f.ts AND l.ref = f.id AND l.kind = %(topup)s AND l.book = f.book
 ORDER BY f.id
"""
# What a bill names is hashed so in every plan: a plan that is kept walks all of an `= ANY` for each row, and a join is
# planned for one row.
_OF_A_DAY = "SELECT id FROM fact WHERE book = ANY(%(books)s) AND kind = 'payment' AND state = 'posted'"
_FOUND = (
    "created_us >= %(from_us)s AND created_us < %(until_us)s",
    "(result->>'provider_ref' IN (SELECT unnest(%(numbers)s::text[]))) IS TRUE",
    "(result->>'our_ref' IN (SELECT unnest(%(refs)s::text[]))) IS TRUE",
)


def payments(
    *,
    cursor: Any,
    account: int,
    books: Sequence[int],
    span: tuple[int, int],
    numbers: Sequence[str],
    refs: Sequence[str],
    late_before_us: int,
) -> list[Ours]:
    """Posted payments of an account: those heard of in a span, and those that a bill names."""
    about = {
        "account": account,
        "topup": TOPUP,
        "books": list(books),
        "from_us": span[0],
        "until_us": span[1],
        "numbers": list(numbers),
        "refs": list(refs),
    }
    found: set[int] = set()
    for one in _FOUND if refs else _FOUND[:2]:
        cursor.execute(f"{_OF_A_DAY} AND (payload->>'account')::bigint = %(account)s AND {one}", about)
        found.update(int(fact) for (fact,) in cursor.fetchall())
    cursor.execute(_PAYMENTS, {**about, "facts": sorted(found)})
    rows = cursor.fetchall()
    sent = _sent(cursor, sorted({row[1] for row in rows if row[1]}), since_us=span[0])
    return [_ours(row, sent, late_before_us) for row in rows]


@dataclass(slots=True)
class _Sent:
    """Orders to a wallet's meters since some time: when each batch made one, and the newest that was carried out."""

    made_us: dict[int, int] = field(default_factory=dict)
    accepted: int = -1


def _sent(cursor: Any, wallets: Sequence[int], *, since_us: int) -> dict[int, _Sent]:
    cursor.execute(
        "SELECT wallet, batch, created_us, accepted_us IS NOT NULL FROM outbox "
        "WHERE wallet = ANY(%s) AND created_us >= %s",
        [list(wallets), since_us],
    )
    out: dict[int, _Sent] = {}
    for wallet, batch, created_us, accepted in cursor.fetchall():
        one = out.setdefault(wallet, _Sent())
        one.made_us[batch] = created_us
        one.accepted = max(one.accepted, batch if accepted else -1)
    return out


def _told(sent: _Sent | None, batch: int, late_before_us: int) -> Told:
    """An order of the credit's own batch carries it, and so does every later one of its home."""
    if sent is None or batch not in sent.made_us:
        return Told.NOTHING
    if sent.accepted >= batch:
        return Told.CONFIRMED
    return Told.LATE if sent.made_us[batch] < late_before_us else Told.WAITING


def _ours(row: Sequence[Any], sent: dict[int, _Sent], late_before_us: int) -> Ours:
    book, wallet, our_ref, number, minor, currency, outcome, posted, ledger, occurred_us, batch, typed = row
    return Ours(
        our_ref=our_ref,
        provider_ref=number,
        amount_minor=minor,
        currency=currency,
        occurred_at_us=occurred_us,
        book=book,
        wallet=wallet or 0,
        posted_micro=posted,
        ledger_micro=ledger,
        review=outcome == "review",
        told=_told(sent.get(wallet), batch, late_before_us),
        typed=typed,
    )


def refunds(*, cursor: Any, account: int, span: tuple[int, int], refs: Sequence[str]) -> list[OurRefund]:
    """What was heard of money going back through an account: in a span, and of the orders that a bill names."""
    cursor.execute(
        "SELECT DISTINCT ON (i.our_ref, e.refund_ref, e.kind) i.our_ref, e.refund_ref, e.amount_minor, e.currency, "
        "e.occurred_us, e.book_id, e.wallet, e.kind, e.state = 'succeeded' FROM store_paymentevent e "
        "JOIN store_paymentintent i ON i.id = e.intent_id WHERE e.account_id = %s AND e.kind <> 'payment' "
        "AND (e.occurred_us >= %s AND e.occurred_us < %s OR i.our_ref IN (SELECT unnest(%s::text[]))) "
        "ORDER BY i.our_ref, e.refund_ref, e.kind, (e.state = 'succeeded') DESC, e.id",
        [account, *span, list(refs)],
    )
    found = cursor.fetchall()
    cursor.execute(
        "SELECT p.our_ref, r.refund_ref, r.amount_minor, r.currency, r.asked_us, r.book, r.wallet, 'refund', false "
        "FROM refund r JOIN paid p ON p.fact = r.payment WHERE r.account = %s AND r.way = 'source' "
        "AND (r.asked_us >= %s AND r.asked_us < %s OR p.our_ref IN (SELECT unnest(%s::text[])))",
        [account, *span, list(refs)],
    )
    heard = {(row[0], row[1]) for row in found}
    found += [row for row in cursor.fetchall() if (row[0], row[1]) not in heard]
    return [
        OurRefund(
            our_ref=our_ref,
            refund_ref=refund_ref,
            amount_minor=minor,
            currency=currency,
            occurred_at_us=occurred_us,
            book=book,
            wallet=wallet,
            kind=Kind(kind),
            done=done,
        )
        for our_ref, refund_ref, minor, currency, occurred_us, book, wallet, kind, done in found
    ]


def in_flight(*, cursor: Any, account: int, books: Sequence[int], span: tuple[int, int]) -> tuple[int, int]:
    """Payments that were proven in a span and are not posted yet: how many, and what they come to in minor units."""
    cursor.execute(
        "SELECT count(*), coalesce(sum(i.amount_minor), 0)::bigint FROM store_paymentintent i WHERE i.account_id = %s "
        "AND i.book_id = ANY(%s) AND i.state IN ('created', 'pending', 'paid', 'expired', 'closed', 'failed') "
        "AND i.created_us >= %s AND i.created_us < %s AND EXISTS (SELECT 1 FROM store_paymentevent e "
        "WHERE e.intent_id = i.id AND e.kind = 'payment' AND e.state = 'succeeded' AND e.assurance <> 'hint')",
        [account, list(books), *span],
    )
    count, minor = cursor.fetchone()
    return int(count), int(minor)

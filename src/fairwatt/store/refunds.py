"""Every statement about money on its way back: payments and what of them went back, refunds, answers, chargebacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

_US: Final = 1_000_000
DAY_US: Final = 86_400 * _US


@dataclass(frozen=True, kw_only=True)
class PaidRow:
    """A payment that was credited, in minor units."""

    fact: int
    wallet: int
    intent: int
    our_ref: str
    provider: str
    account: int | None
    provider_ref: str
    currency: str
    paid_minor: int
    open_minor: int
    done_minor: int
    lost_minor: int

    @property
    def left_minor(self) -> int:
        """What has not gone back, and is not on its way."""
        return max(0, self.paid_minor - self.open_minor - self.done_minor - self.lost_minor)


@dataclass(frozen=True, kw_only=True)
class RefundRow:
    """A refund as the poster works on it."""

    id: int
    wallet: int
    refund_ref: str
    origin: str
    way: str
    payment: int | None
    account: int | None
    wish: int | None
    asked_minor: int
    amount_minor: int
    currency: str
    author: int | None
    asked_us: int
    state: str
    held_batch: int | None
    provider_refund: str
    paid_by: str


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """What a person answered."""

    refund: int
    answer: str
    author: int


_PAID: Final = (
    "SELECT fact, wallet, intent, our_ref, provider, account, provider_ref, currency, paid_minor, open_minor, "
    "done_minor, lost_minor FROM paid"
)
_PAID_NAMES: Final = tuple(PaidRow.__dataclass_fields__)
_REFUND: Final = (
    "SELECT id, wallet, refund_ref, origin, way, payment, account, wish, asked_minor, amount_minor, currency, author, "
    "asked_us, state, held_batch, provider_refund, paid_by FROM refund"
)
_REFUND_NAMES: Final = tuple(RefundRow.__dataclass_fields__)


def _paid(row: Any) -> PaidRow | None:
    return None if row is None else PaidRow(**dict(zip(_PAID_NAMES, row, strict=True)))


def _refund(row: Any) -> RefundRow | None:
    return None if row is None else RefundRow(**dict(zip(_REFUND_NAMES, row, strict=True)))


# --- payments -----------------------------------------------------------------------------------------------


def add_paid(
    *,
    cursor: Any,
    book: int,
    fact: int,
    wallet: int,
    intent: int,
    our_ref: str,
    provider: str,
    account: int | None,
    provider_ref: str,
    currency: str,
    paid_minor: int,
    now_us: int,
) -> None:
    """A payment was credited."""
    cursor.execute(
        "INSERT INTO paid (fact, book, wallet, intent, our_ref, provider, account, provider_ref, currency, paid_minor, "
        "credited_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(fact, book, wallet, intent, our_ref, provider, account, provider_ref),
            *(currency, paid_minor, now_us),
        ],
    )


def lock_paid(*, cursor: Any, book: int, fact: int) -> PaidRow | None:
    """A payment, held until this transaction ends."""
    cursor.execute(f"{_PAID} WHERE book = %s AND fact = %s FOR UPDATE", [book, fact])
    return _paid(cursor.fetchone())


def paid_by_ref(
    *, cursor: Any, book: int, account: int, our_ref: str, amount_minor: int = 0
) -> PaidRow | None:
    """The payment that a provider speaks of: by our reference of the order, or by its own number of the payment.

    Where an order was paid twice, the payment that has so much left goes first.
    """
    cursor.execute(
        f"{_PAID} WHERE book = %s AND account = %s AND (our_ref = %s OR provider_ref = %s) "
        "ORDER BY provider_ref = %s DESC, paid_minor - open_minor - done_minor - lost_minor >= %s DESC, fact LIMIT 1 "
        "FOR UPDATE",
        [book, account, our_ref, our_ref, our_ref, amount_minor],
    )
    return _paid(cursor.fetchone())


def move_paid(
    *, cursor: Any, fact: int, open_minor: int = 0, done_minor: int = 0, lost_minor: int = 0
) -> None:
    """Change what is on its way, what went back and what was taken back of a payment, each by so much.

    Where the window paid what a provider paid too, more went out than was paid; of the payment it is all that went.
    """
    cursor.execute(
        "UPDATE paid SET open_minor = open_minor + %s, done_minor = least(done_minor + %s, paid_minor), "
        "lost_minor = lost_minor + %s WHERE fact = %s",
        [open_minor, done_minor, lost_minor, fact],
    )


def fold_intent(*, cursor: Any, intent: int) -> None:
    """Let the state of a top-up say what became of its payments, but for those that were claimed for another home."""
    cursor.execute(
        # What was paid by hand no provider takes back: there it went back as two people agreed.
        "UPDATE store_paymentintent i SET state = (SELECT CASE WHEN sum(lost_minor) > sum(hand) THEN 'chargeback' "
        "WHEN sum(done_minor + hand) >= sum(paid_minor) THEN 'refunded' WHEN sum(done_minor + hand) > 0 "
        "THEN 'part_refunded' ELSE 'credited' END FROM paid p, LATERAL (SELECT CASE WHEN p.provider "
        "IN ('cash', 'terminal', 'transfer') THEN lost_minor ELSE 0 END AS hand) h "
        "WHERE p.intent = i.id AND p.wallet = i.wallet_id) WHERE i.id = %s "
        "AND EXISTS (SELECT 1 FROM paid p WHERE p.intent = i.id AND p.wallet = i.wallet_id)",
        [intent],
    )


# --- refunds ------------------------------------------------------------------------------------------------


def hold_refund(*, cursor: Any, refund: int) -> None:
    """Let nobody else answer a refund until this transaction ends: who may not change its row cannot lock that."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"refund:{refund}"])


def lock_refund(*, cursor: Any, book: int, refund: int) -> RefundRow | None:
    """A refund, held until this transaction ends."""
    cursor.execute(f"{_REFUND} WHERE book = %s AND id = %s FOR UPDATE", [book, refund])
    return _refund(cursor.fetchone())


def lock_by_ref(*, cursor: Any, book: int, account: int, refund_ref: str) -> RefundRow | None:
    """A refund of ours by its reference, at that account."""
    cursor.execute(
        f"{_REFUND} WHERE book = %s AND account = %s AND refund_ref = %s FOR UPDATE",
        [book, account, refund_ref],
    )
    return _refund(cursor.fetchone())


def found_before(*, cursor: Any, account: int, provider_refund: str) -> bool:
    """True for a refund that is known by the provider's number of it."""
    cursor.execute(
        "SELECT 1 FROM refund WHERE account = %s AND provider_refund = %s", [account, provider_refund]
    )
    return cursor.fetchone() is not None


def given_back_minor(*, cursor: Any, paid: PaidRow) -> int:
    """What of a payment its provider itself gave back; what the window paid of it is not among that."""
    cursor.execute(
        "SELECT coalesce(sum(amount_minor), 0) FROM refund WHERE wallet = %s AND payment = %s "
        "AND state = 'succeeded' AND paid_by IN ('source', 'both')",
        [paid.wallet, paid.fact],
    )
    return int(cursor.fetchone()[0])


def move_refund(*, cursor: Any, refund: int, state: str, now_us: int, **changes: Any) -> None:
    """Take a refund one step on; the database refuses a step that the table of states does not have."""
    names = ("amount_minor", "code", "held_batch", "provider_refund", "paid_by", "ask_us")
    assert changes.keys() <= set(names), changes
    more = "".join(f", {name} = %s" for name in changes)
    cursor.execute(
        f"UPDATE refund SET state = %s, moved_us = %s{more} WHERE id = %s",
        [state, now_us, *changes.values(), refund],
    )


def add_found(
    *,
    cursor: Any,
    book: int,
    paid: PaidRow,
    refund_ref: str,
    provider_refund: str,
    amount_minor: int,
    wish: int | None,
    now_us: int,
) -> None:
    """A refund that somebody made at the provider itself."""
    cursor.execute(
        "INSERT INTO refund (book, wallet, refund_ref, origin, way, payment, account, wish, asked_minor, currency, "
        "asked_us, state, amount_minor, moved_us, provider_refund, paid_by) "
        "VALUES (%s, %s, %s, 'provider', 'source', %s, %s, %s, %s, %s, %s, 'succeeded', %s, %s, %s, 'source')",
        [
            *(
                book,
                paid.wallet,
                refund_ref,
                paid.fact,
                paid.account,
                wish,
                amount_minor,
                paid.currency,
                now_us,
            ),
            *(amount_minor, now_us, provider_refund),
        ],
    )


def refused_words(*, cursor: Any, book: int) -> dict[int, str]:
    """{refund under way: why the poster refused the last that its provider said of it}."""
    cursor.execute(
        "SELECT id, code FROM (SELECT DISTINCT ON (r.id) r.id, f.state, f.result->>'code' AS code FROM refund r "
        "JOIN fact f ON f.book = r.book AND f.kind = 'refund_word' AND f.wallet = r.wallet "
        "AND f.payload->'said'->>'refund_ref' = r.refund_ref WHERE r.book = %s "
        "AND r.state IN ('submitted', 'abnormal') ORDER BY r.id, f.id DESC) last WHERE state = 'refused'",
        [book],
    )
    return {int(refund): str(code) for refund, code in cursor.fetchall()}


def answer_of(*, cursor: Any, book: int, answer: int) -> AnswerRow | None:
    """An answer to a refund of a book."""
    cursor.execute(
        "SELECT refund, answer, author FROM refund_answer WHERE book = %s AND id = %s", [book, answer]
    )
    row = cursor.fetchone()
    return None if row is None else AnswerRow(refund=int(row[0]), answer=str(row[1]), author=int(row[2]))


def who_answered(*, cursor: Any, refund: int) -> dict[str, int]:
    """{answer: who gave it} of a refund."""
    cursor.execute("SELECT answer, author FROM refund_answer WHERE refund = %s", [refund])
    return {str(answer): int(author) for answer, author in cursor.fetchall()}


def auto_minor(*, cursor: Any, book: int) -> int:
    """Up to how much a resident's own wish needs no second person; 0 unless somebody said otherwise."""
    cursor.execute("SELECT auto_minor FROM refund_policy WHERE book = %s ORDER BY id DESC LIMIT 1", [book])
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def asked_lately_minor(*, cursor: Any, wallet: int, upto: int, now_us: int) -> int:
    """What the people of a home asked back for themselves within a day up to a refund, but for what was refused.

    What was asked later and went back first counts as well: of two browsers either may be the faster.
    """
    cursor.execute(
        "SELECT coalesce(sum(asked_minor), 0) FROM refund WHERE wallet = %s AND origin = 'resident' "
        "AND (id <= %s OR state <> 'requested') AND asked_us > %s AND state NOT IN ('refused', 'withdrawn')",
        [wallet, upto, now_us - DAY_US],
    )
    return int(cursor.fetchone()[0])


# --- what is owed to people who left ------------------------------------------------------------------------

_WISH_LEFT: Final = """
SELECT w.id, w.amount_micro - coalesce((SELECT sum(r.amount_minor) * %s FROM refund r WHERE r.wish = w.id
       AND r.state IN ('approved', 'submitted', 'abnormal', 'succeeded')), 0),
       (SELECT count(*) FROM refund r WHERE r.wish = w.id AND r.state IN ('approved', 'submitted', 'abnormal'))
  FROM refund_wish w WHERE w.book = %s AND (w.id = %s OR w.wallet = %s) ORDER BY w.id
"""


def wish_left(*, cursor: Any, book: int, wish: int, minor_micro: int) -> int | None:
    """What of a wish is neither paid nor on its way, in micro-units; None for no wish of this book."""
    cursor.execute(_WISH_LEFT, [minor_micro, book, wish, 0])
    row = cursor.fetchone()
    return None if row is None else int(row[1])


def wishes_left(*, cursor: Any, book: int, wallet: int, minor_micro: int) -> list[tuple[int, int]]:
    """(wish, what is left of it in micro-units) of an account, the oldest first."""
    cursor.execute(_WISH_LEFT, [minor_micro, book, 0, wallet])
    return [(int(wish), int(left)) for wish, left, _ in cursor.fetchall() if left >= minor_micro]


def wish_rest(*, cursor: Any, book: int, wish: int, minor_micro: int) -> int:
    """What is left of a wish that no coin can pay, once nothing more of it is on its way; 0 while it can be paid."""
    cursor.execute(_WISH_LEFT, [minor_micro, book, wish, 0])
    row = cursor.fetchone()
    return int(row[1]) if row is not None and not row[2] and 0 < row[1] < minor_micro else 0


# --- what gateways gave back --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Recall:
    """One meter of a wallet: the receipt of the newest order that it took since a batch, and when it was last read."""

    installation: int
    gateway: int
    slug: str
    public_key: bytes
    receipt: bytes | None
    read_us: int


def recalls(*, cursor: Any, book: int, wallet: int, since_batch: int) -> list[Recall]:
    """Every meter that feeds a wallet, and what it took of the orders made since a batch."""
    cursor.execute(
        "SELECT i.id, g.id, g.slug, g.public_key, (SELECT o.receipt FROM outbox o WHERE o.book = %s "
        "  AND o.gateway = m.gateway_id AND o.meter = m.number AND o.batch >= %s AND o.receipt IS NOT NULL "
        "  AND (o.accepted_us IS NOT NULL OR o.state = 'failed') ORDER BY o.seq LIMIT 1), "
        "coalesce((SELECT h.at_us FROM register_head h WHERE h.installation = i.id), 0) "
        "FROM store_installation i JOIN store_meter m ON m.id = i.meter_id JOIN store_gateway g ON g.id = m.gateway_id "
        "WHERE i.wallet_id = %s AND i.closed_us IS NULL ORDER BY i.id",
        [book, since_batch, wallet],
    )
    return [
        Recall(
            installation=int(one),
            gateway=int(gateway),
            slug=str(slug),
            public_key=bytes(key),
            receipt=None if receipt is None else bytes(receipt),
            read_us=int(read_us),
        )
        for one, gateway, slug, key, receipt, read_us in cursor.fetchall()
    ]


def waiting_for_recall(*, cursor: Any, book: int) -> list[tuple[int, int, int]]:
    """(refund, wallet, the batch that held it) of those whose credit is being called back."""
    cursor.execute(
        "SELECT id, wallet, held_batch FROM refund WHERE book = %s AND state = 'approved' AND held_batch IS NOT NULL "
        "ORDER BY id",
        [book],
    )
    return [(int(refund), int(wallet), int(batch)) for refund, wallet, batch in cursor.fetchall()]

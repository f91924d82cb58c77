"""Statements of sql/unasked.sql: what was announced, what a provider lists, and the homes that payers name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple


class Named(NamedTuple):
    """A home that a payer named, and whether somebody lives there by its meters."""

    wallet: int
    book: int
    at_work: bool


class Listening(NamedTuple):
    """How it stands with a provider's list and our addresses."""

    account: int
    begun_us: int
    told: str
    told_us: int | None
    kept: bool
    trouble: str
    troubles: int
    read_us: int
    asked_us: int

    @property
    def state(self) -> str:
        """`told`, `kept` (the provider keeps what it was told before), or `telling`: it has not taken it yet."""
        return "telling" if not self.told else "kept" if self.kept else "told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A payment of a provider's list, as it is taken in."""

    provider: str
    shop: str
    provider_ref: str
    account: int
    book: int
    wallet: int | None
    our_ref: str
    named: str


def homes(*, cursor: Any, wallets: Collection[int], organisation: int) -> list[Named]:
    """Which of these wallets are an organisation's. One without any meter has not been left."""
    cursor.execute(
        "SELECT w.id, w.book_id, coalesce((SELECT bool_or(i.closed_us IS NULL) FROM store_installation i "
        "WHERE i.wallet_id = w.id), true) FROM store_wallet w JOIN store_book b ON b.id = w.book_id "
        "WHERE w.id = ANY(%s) AND b.organisation_id = %s ORDER BY w.id",
        [sorted(wallets), organisation],
    )
    return [Named(*row) for row in cursor.fetchall()]


def announce(*, cursor: Any, account: int, provider_ref: str, now_us: int, since_us: int, most: int) -> bool:
    """Note what was announced, once; False where `most` were since an instant. The transaction sees the books."""
    cursor.execute(
        "SELECT count(*) FROM (SELECT 1 FROM announced WHERE account = %s AND heard_us > %s LIMIT %s) lately",
        [account, since_us, most],
    )
    if int(cursor.fetchone()[0]) >= most:
        return False
    cursor.execute(
        "INSERT INTO announced (account, provider_ref, heard_us) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [account, provider_ref, now_us],
    )
    return True


_OFFERS: Final = """
SELECT a.id FROM store_merchantaccount a LEFT JOIN listening l ON l.account = a.id
 WHERE EXISTS (SELECT 1 FROM merchant_key_in_force k WHERE k.account_id = a.id)
   AND (l.account IS NOT NULL OR EXISTS (
        SELECT 1 FROM store_merchantoffer o WHERE o.account_id = a.id AND o.methods ? 'paybill'
           AND o.id = (SELECT max(n.id) FROM store_merchantoffer n WHERE n.account_id = a.id)))
   AND (l.account IS NULL OR l.ask_us <= %(now)s OR EXISTS (
        SELECT 1 FROM announced h WHERE h.account = a.id AND h.heard_us >= l.asked_us AND NOT EXISTS (
            SELECT 1 FROM listed_payment p WHERE p.account = h.account AND p.provider_ref = h.provider_ref)))
"""


def due(*, cursor: Any, now_us: int) -> list[int]:
    """Accounts whose provider is to be asked now: by the clock, or for what was announced since it was."""
    cursor.execute(f"{_OFFERS} ORDER BY a.id", {"now": now_us})
    return [int(account) for (account,) in cursor.fetchall()]


def take(*, cursor: Any, account: int, now_us: int, until_us: int) -> Listening | None:
    """Take an account in hand; None where another process has it, or it is not due any more."""
    cursor.execute(
        "INSERT INTO listening AS l (account, begun_us, read_us, ask_us) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (account) DO NOTHING",
        [account, now_us, now_us, now_us],
    )
    cursor.execute(
        f"UPDATE listening SET asked_us = %(now)s, ask_us = %(until)s WHERE account = %(account)s "
        f"AND account IN ({_OFFERS}) RETURNING {', '.join(Listening._fields)}",
        {"now": now_us, "until": until_us, "account": account},
    )
    row = cursor.fetchone()
    return None if row is None else Listening._make(row)


def of(*, cursor: Any, account: int) -> Listening | None:
    """How it stands with an account; None where nobody listens."""
    cursor.execute(f"SELECT {', '.join(Listening._fields)} FROM listening WHERE account = %s", [account])
    row = cursor.fetchone()
    return None if row is None else Listening._make(row)


def note(*, cursor: Any, account: int, **what: Any) -> None:
    """Write down how it stands."""
    sets = ", ".join(f"{name} = %s" for name in what)
    cursor.execute(f"UPDATE listening SET {sets} WHERE account = %s", [*what.values(), account])


def unfound(*, cursor: Any, account: int, since_us: int) -> list[int]:
    """When each announcement since an instant was heard whose payment no list had."""
    cursor.execute(
        "SELECT DISTINCT h.heard_us FROM announced h WHERE h.account = %s AND h.heard_us > %s AND NOT EXISTS ("
        "SELECT 1 FROM listed_payment p WHERE p.account = h.account AND p.provider_ref = h.provider_ref)",
        [account, since_us],
    )
    return [int(heard_us) for (heard_us,) in cursor.fetchall()]


def known(*, cursor: Any, provider: str, shop: str, numbers: Sequence[str]) -> set[str]:
    """Which of these payments of a merchant number were taken in."""
    cursor.execute(
        "SELECT provider_ref FROM listed_payment WHERE provider = %s AND shop = %s AND provider_ref = ANY(%s)",
        [provider, shop, list(numbers)],
    )
    return {number for (number,) in cursor.fetchall()}


def take_in(*, cursor: Any, entry: Entry, now_us: int) -> bool:
    """Write a listed payment down; False where it was before, by whomever."""
    cursor.execute(
        "INSERT INTO listed_payment (provider, shop, provider_ref, account, book, wallet, our_ref, named, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (provider, shop, provider_ref) DO NOTHING RETURNING 1",
        [
            *(entry.provider, entry.shop, entry.provider_ref, entry.account, entry.book, entry.wallet),
            *(entry.our_ref, entry.named, now_us),
        ],
    )
    return cursor.fetchone() is not None


class Order(NamedTuple):
    """An order of ours whose reference a provider's list has, as much of it as the list carries."""

    book: int
    amount_minor: int
    paid_us: int | None
    """when its provider first said that it was paid; None: it never did. The transaction sees the book."""


_ORDERS: Final = """
SELECT n.named, i.book_id, i.amount_minor,
       (SELECT min(e.occurred_us) FROM store_paymentevent e WHERE e.intent_id = i.id AND e.kind = 'payment'
           AND e.state = 'succeeded' AND e.assurance = 'queried')
  FROM unnest(%s::text[]) AS n (named)
  JOIN LATERAL (SELECT id, book_id, amount_minor FROM store_paymentintent WHERE account_id + 0 = %s
                   AND method <> 'paybill'
                   AND our_ref BETWEEN n.named AND n.named || 'g' AND left(our_ref, %s) = n.named
                 ORDER BY id LIMIT 1) i ON true
"""
# References are hexadecimal, so that their index finds what begins so. `+ 0`: no planner knows how few begin so, and it
# reads the index of the account as well, all of it, for each word.


def orders_named(*, cursor: Any, account: int, named: Collection[str], ref_chars: int) -> dict[str, Order]:
    """The orders of an account that the words name, by the words. The transaction sees the books."""
    asked = sorted({one for one in named if len(one) == ref_chars})
    cursor.execute(_ORDERS, [asked, account, ref_chars])
    return {word: Order(int(book), int(minor), paid_us) for word, book, minor, paid_us in cursor.fetchall()}

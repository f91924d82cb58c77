"""Every statement about payments that their providers took back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairwatt.store.refunds import PaidRow


@dataclass(frozen=True, kw_only=True)
class ChargebackRow:
    """A payment that its provider took back."""

    id: int
    wallet: int
    payment: int
    amount_minor: int
    currency: str
    state: str
    taken: bool


def lock_chargeback(*, cursor: Any, account: int, provider_ref: str) -> ChargebackRow | None:
    """What is known of a payment taken back, by the provider's number of it."""
    cursor.execute(
        "SELECT id, wallet, payment, amount_minor, currency, state, taken FROM chargeback "
        "WHERE account = %s AND provider_ref = %s FOR UPDATE",
        [account, provider_ref],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    names = tuple(ChargebackRow.__dataclass_fields__)
    return ChargebackRow(**dict(zip(names, row, strict=True)))


def add_chargeback(
    *, cursor: Any, book: int, paid: PaidRow, provider_ref: str, amount_minor: int, state: str, now_us: int
) -> None:
    """A payment was taken back."""
    cursor.execute(
        "INSERT INTO chargeback (book, wallet, payment, account, provider_ref, amount_minor, currency, state, taken, "
        "told_us, moved_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, true, %s, %s)",
        [
            *(book, paid.wallet, paid.fact, paid.account, provider_ref, amount_minor, paid.currency, state),
            *(now_us, now_us),
        ],
    )


def move_chargeback(*, cursor: Any, chargeback: int, state: str, taken: bool, now_us: int) -> None:
    """How a dispute ended."""
    cursor.execute(
        "UPDATE chargeback SET state = %s, taken = %s, moved_us = %s WHERE id = %s",
        [state, taken, now_us, chargeback],
    )

"""A resident means to pay: write the intent down before anybody is asked for money."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import transaction

from fairwatt.store.models import PaymentIntent, User, Wallet

AMOUNT_MINOR_MAX = 500_000_00


class TopUpRefused(ValueError):
    """The amount cannot be paid in; nothing was written."""


@dataclass(frozen=True, kw_only=True)
class StartedTopUp:
    """What the provider is asked for. `amount_minor` in minor units of `currency`."""

    our_ref: str
    amount_minor: int
    currency: str


@transaction.atomic(durable=True)
def start_top_up(
    *, wallet_id: int, amount_minor: int, provider: str, user_id: int | None, now_us: int
) -> StartedTopUp:
    """Record that somebody is about to pay into a wallet. Raises TopUpRefused for an amount out of range."""
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        raise TopUpRefused(
            f"The amount must be between 0.01 and {AMOUNT_MINOR_MAX // 100}. Nothing was charged; "
            "choose another amount."
        )
    wallet = Wallet.objects.select_related("book").get(pk=wallet_id)
    intent = PaymentIntent.objects.create(
        book=wallet.book,
        wallet=wallet,
        our_ref=uuid.uuid4().hex,
        provider=provider,
        amount_minor=amount_minor,
        currency=wallet.book.currency,
        created_us=now_us,
        created_by=None if user_id is None else User(pk=user_id),
    )
    return StartedTopUp(our_ref=intent.our_ref, amount_minor=amount_minor, currency=intent.currency)

"""A resident means to pay: write the intent down before anybody is asked for money."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import transaction

from fairwatt.core.refusal import Refusal
from fairwatt.core.units import format_money
from fairwatt.flows.borrow import credit_desk
from fairwatt.store.models import PaymentIntent, User, Wallet

AMOUNT_MINOR_MAX = 500_000_00


class TopUpRefused(Refusal):
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
            "The amount must be between 0.01 and %(most)s. Nothing was charged; choose another amount.",
            most=AMOUNT_MINOR_MAX // 100,
        )
    wallet = Wallet.objects.select_related("book").get(pk=wallet_id)
    _check_terms(wallet, amount_minor, now_us)
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


def _check_terms(wallet: Wallet, amount_minor: int, now_us: int) -> None:
    """Refuse what the home's credit documents do not let in: too little, too much, or more credit than it may have."""
    desk = credit_desk(wallet=wallet, now_us=now_us)
    if desk.held is None:
        return
    paid = amount_minor * desk.minor_micro
    least, most, credit_most = desk.held.least_micro, desk.held.most_micro, desk.held.credit_most_micro

    def shown(micro: int) -> str:
        return format_money(micro=micro, currency=wallet.book.currency)

    if paid < least:
        raise TopUpRefused(
            "The least top-up here is %(least)s. Nothing was charged; choose another amount.",
            least=shown(least),
        )
    if most is not None and paid > most:
        raise TopUpRefused(
            "The most that may be paid at once is %(most)s. Nothing was charged; choose another amount.",
            most=shown(most),
        )
    after = desk.available_micro + desk.split(minor=amount_minor).credit_micro
    if credit_most is not None and after > credit_most:
        raise TopUpRefused(
            "This home may have %(most)s of credit at most. Nothing was charged; choose a smaller amount.",
            most=shown(credit_most),
        )

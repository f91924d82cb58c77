"""A resident means to pay: write the intent down before anybody is asked for money."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

from fairwatt.core.refusal import Refusal
from fairwatt.core.units import format_money, micro_from_minor
from fairwatt.flows.borrow import credit_desk
from fairwatt.flows.merchants import Offer
from fairwatt.flows.pacing import hold_pace
from fairwatt.payments.contract import Method
from fairwatt.store.models import PaymentIntent, Wallet
from fairwatt.store.rows import insert

AMOUNT_MINOR_MAX = 500_000_00
OPEN_US: Final = 2 * 3_600_000_000
"""How long an order may be paid; no provider here takes less than half an hour, nor more than a day."""

SCAN_OPEN_US: Final = 60_000_000
"""So long a payer at the window may take to confirm on his telephone; then the order is taken back."""
_OPEN_US: Final = {Method.SCAN: SCAN_OPEN_US}


class TopUpRefused(Refusal):
    """The amount cannot be paid in; nothing was written."""


@dataclass(frozen=True, kw_only=True)
class StartedTopUp:
    """What the provider is asked for. `amount_minor` in minor units of `currency`."""

    our_ref: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class Payer:
    """Who pays, as far as a provider needs it: a telephone or a login code, the language, the way back."""

    payer: str = ""
    language: str = "en"
    on_phone: bool = False
    origin: str = ""
    """our own address, to which the browser comes back"""


@transaction.atomic(durable=True)
def start_top_up(
    *,
    wallet_id: int,
    amount_minor: int,
    provider: str,
    user_id: int | None,
    now_us: int,
    offer: Offer | None = None,
    payer: Payer | None = None,
) -> StartedTopUp:
    """Record that somebody is about to pay into a wallet. Raises TopUpRefused for an amount out of range.

    A telephone that a person has rung is rung so often and no more (TooOften). With an `offer` the collector asks its
    merchant's provider at once; without one the provider is the installation's.
    """
    intent = write_intent(
        wallet=Wallet.objects.select_related("book").get(pk=wallet_id),
        amount_minor=amount_minor,
        provider=provider,
        user_id=user_id,
        now_us=now_us,
        offer=offer,
        payer=payer or Payer(),
    )
    if user_id is not None and offer is not None and offer.method is Method.PUSH:
        keys = {"rung": intent.payer, "ringing": str(user_id)}
        with connection.cursor() as cursor:
            hold_pace(cursor=cursor, keys=keys, now_us=now_us)
    return StartedTopUp(our_ref=intent.our_ref, amount_minor=amount_minor, currency=intent.currency)


def write_intent(
    *,
    wallet: Wallet,
    amount_minor: int,
    provider: str,
    user_id: int | None,
    now_us: int,
    offer: Offer | None,
    payer: Payer,
) -> PaymentIntent:
    """The same in the caller's transaction, which sees that home alone from then on. Raises TopUpRefused."""
    check_amount(wallet=wallet, amount_minor=amount_minor, now_us=now_us)
    our_ref = uuid.uuid4().hex
    intent = PaymentIntent(
        book=wallet.book,
        wallet=wallet,
        our_ref=our_ref,
        provider=provider if offer is None else _provider(wallet, offer),
        amount_minor=amount_minor,
        currency=wallet.book.currency,
        created_us=now_us,
        created_by_id=user_id,
        account_id=None if offer is None else offer.account,
        method="" if offer is None else offer.method,
        payer=payer.payer,
        language=payer.language[:10],
        on_phone=payer.on_phone,
        return_url=f"{payer.origin}/pay/{our_ref}/" if payer.origin else "",
        expires_us=None if offer is None else now_us + _OPEN_US.get(offer.method, OPEN_US),
        ask_us=None if offer is None else now_us,
    )
    insert(row=intent)
    return intent


def _provider(wallet: Wallet, offer: Offer) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT provider FROM store_merchantaccount WHERE id = %s AND organisation_id = %s",
            [offer.account, wallet.book.organisation_id],
        )
        found = cursor.fetchone()
    if found is None:
        raise TopUpRefused("This way to pay is not your supplier's. Nothing was charged; choose another one.")
    return str(found[0])


def check_amount(*, wallet: Wallet, amount_minor: int, now_us: int) -> None:
    """Refuse an amount that nobody may pay in, or not this home. Raises TopUpRefused.

    The transaction sees that home alone from then on.
    """
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        minor_micro = micro_from_minor(amount_minor=1, minor_digits=wallet.book.minor_digits)
        raise TopUpRefused(
            "The amount must be between %(least)s and %(most)s. Nothing was charged; choose another amount.",
            least=format_money(micro=minor_micro, currency=wallet.book.currency),
            most=format_money(micro=AMOUNT_MINOR_MAX * minor_micro, currency=wallet.book.currency),
        )
    check_terms(wallet=wallet, amount_minor=amount_minor, now_us=now_us)


def check_terms(*, wallet: Wallet, amount_minor: int, now_us: int) -> None:
    """Refuse what the home's credit documents do not let in: too little, too much, or more credit than it may have.

    Raises TopUpRefused. The transaction sees that home alone from then on.
    """
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

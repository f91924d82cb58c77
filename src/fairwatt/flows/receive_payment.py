"""A provider calls: check the bytes at the door, keep them, answer. Money moves later, at the poster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import connection, transaction

from fairwatt.flows.payment_events import add_signed, note_event
from fairwatt.payments.contract import CallbackRejected, Kind, PaymentProvider
from fairwatt.store.models import PaymentIntent

BODY_MAX = 64 * 1024
# Hundreds of these come a second at a month's end, and building the same statement anew costs more than asking it.
_INTENT: Final = """
SELECT * FROM store_paymentintent WHERE our_ref = %s AND provider = %s AND account_id IS NOT DISTINCT FROM %s
"""


class UnknownReference(CallbackRejected):
    """The payment names no intent of ours, so nobody's book can take it yet."""

    code = "unknown_reference"


@dataclass(frozen=True, kw_only=True)
class Received:
    """What became of a callback; `duplicate` when the same event was stored before.

    `fact_id` is 0 where no money moved: the payment is not made yet, or a hint makes the collector ask.
    """

    fact_id: int
    duplicate: bool


@transaction.atomic(durable=True)
def receive_callback(
    *,
    provider: PaymentProvider,
    headers: Mapping[str, str],
    body: bytes,
    now_us: int,
    account: int | None = None,
    hint_ref: str = "",
) -> Received:
    """Verify and store a provider's callback; answer the provider only after this returns.

    `account` is the merchant's whose address was called. Raises CallbackRejected (the provider should see 4xx) when
    the bytes prove nothing.
    """
    if len(body) > BODY_MAX:
        raise CallbackRejected(f"the callback has more than {BODY_MAX} bytes; no money was moved")
    said = provider.parse_callback(headers=headers, body=body, now_us=now_us, hint_ref=hint_ref)
    intent = next(iter(PaymentIntent.objects.raw(_INTENT, [said.our_ref, provider.name, account])), None)
    if intent is None and said.kind is not Kind.PAYMENT:
        # What was made in the provider's own back office names the payment by the provider's number.
        mine = PaymentIntent.objects.filter(provider=provider.name, account=account)
        intent = mine.filter(provider_ref=said.our_ref).exclude(provider_ref="").first()
    if intent is None:
        raise UnknownReference(
            f"no top-up has the reference {said.our_ref[:60]}; nothing was credited. The provider reports it again, "
            "and its own list of payments shows it"
        )
    fresh = note_event(intent=intent, said=said, now_us=now_us)
    if said.kind is not Kind.PAYMENT or not said.moves_money:
        return Received(fact_id=0, duplicate=not fresh)
    fact_id, new = add_signed(
        intent=intent, said=said, headers=_kept(provider, headers), raw=body, now_us=now_us
    )
    return Received(fact_id=fact_id, duplicate=not new)


@transaction.atomic(durable=True)
def count_refused(*, account: int, code: str, now_us: int) -> None:
    """Count a callback that proved nothing, by day: one is noise, many are an attack, or a clock that is wrong."""
    day = datetime.fromtimestamp(now_us // 1_000_000, tz=UTC).date()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO store_callbackcount AS c (account_id, day, code, count, last_us) VALUES (%s, %s, %s, 1, %s) "
            "ON CONFLICT (account_id, day, code) DO UPDATE SET count = c.count + 1, last_us = excluded.last_us",
            [account, day, code, now_us],
        )


def _kept(provider: PaymentProvider, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that the signature rests on: the provider's own, never cookies or credentials."""
    return {name: value for name, value in headers.items() if name.lower() in provider.callback_headers}

"""A provider calls: check the bytes at the door, keep them, answer. Money moves later, at the poster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection, transaction

from fairwatt.core.ids import payment_key
from fairwatt.payments.contract import CallbackRejected, PaymentProvider
from fairwatt.store import facts
from fairwatt.store.models import PaymentIntent

BODY_MAX = 64 * 1024


class UnknownReference(CallbackRejected):
    """The payment names no intent of ours, so nobody's book can take it yet."""

    code = "unknown_reference"


@dataclass(frozen=True, kw_only=True)
class Received:
    """The inbox row of a callback; `duplicate` when the same event was stored before."""

    fact_id: int
    duplicate: bool


@transaction.atomic(durable=True)
def receive_callback(
    *, provider: PaymentProvider, headers: Mapping[str, str], body: bytes, now_us: int
) -> Received:
    """Verify and store a provider's callback; answer the provider only after this returns.

    Raises CallbackRejected (the provider should see 4xx) when the bytes prove nothing.
    """
    if len(body) > BODY_MAX:
        raise CallbackRejected(f"the callback has more than {BODY_MAX} bytes; no money was moved")
    paid = provider.parse_callback(headers=headers, body=body, now_us=now_us)
    intent = PaymentIntent.objects.filter(our_ref=paid.our_ref, provider=provider.name).first()
    if intent is None:
        raise UnknownReference(
            f"no top-up has the reference {paid.our_ref[:60]}; nothing was credited. The provider reports it again, "
            "and its own list of payments shows it"
        )
    with connection.cursor() as cursor:
        fact_id, fresh = facts.add(
            cursor=cursor,
            book=intent.book_id,
            kind="payment",
            natural_key=payment_key(provider=provider.name, event=paid.event_id),
            wallet=intent.wallet_id,
            payload={"provider": provider.name, "headers": _kept(provider, headers)},
            raw=body,
            now_us=now_us,
        )
    return Received(fact_id=fact_id, duplicate=not fresh)


def _kept(provider: PaymentProvider, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that the signature rests on: the provider's own, never cookies or credentials."""
    return {name: value for name, value in headers.items() if name.lower() in provider.callback_headers}

"""What is heard of a payment, written down once: an event, and a fact for the poster where it moves money."""

from __future__ import annotations

from typing import Any

from django.db import connection

from fairwatt.core.ids import asked_payment_key, payment_key
from fairwatt.payments.contract import Assurance, Kind, ProviderFact
from fairwatt.store import facts
from fairwatt.store.models import PaymentIntent


def note_event(*, intent: PaymentIntent, said: ProviderFact, now_us: int) -> bool:
    """Write down what was said; False when exactly that was written before. Inside the caller's transaction."""
    if intent.account_id is None:
        return True
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=intent.book_id)
        cursor.execute(
            "INSERT INTO store_paymentevent (book_id, wallet, account_id, intent_id, kind, state, assurance, event_id, "
            "provider_ref, refund_ref, amount_minor, currency, occurred_us, detail, raw_sha256, heard_us) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT ON CONSTRAINT payment_event_once DO NOTHING RETURNING id",
            [
                *(intent.book_id, intent.wallet_id, intent.account_id, intent.pk),
                *(str(said.kind), str(said.state), str(said.assurance), said.event_id, said.provider_ref),
                *(said.refund_ref, said.amount_minor, said.currency, said.occurred_at_us, said.detail),
                *(said.raw_sha256, now_us),
            ],
        )
        return cursor.fetchone() is not None


def add_signed(
    *, intent: PaymentIntent, said: ProviderFact, headers: dict[str, str], raw: bytes, now_us: int
) -> tuple[int, bool]:
    """Leave a callback's own bytes to the poster, who verifies them again; (fact, True when new)."""
    payload: dict[str, Any] = {"provider": said.provider, "headers": headers}
    if intent.account_id is not None:
        payload["account"] = intent.account_id
    key = payment_key(provider=said.provider, event=said.event_id)
    return _add(
        book=intent.book_id, wallet=intent.wallet_id, key=key, payload=payload, raw=raw, now_us=now_us
    )


def add_queried(*, intent: PaymentIntent, said: ProviderFact, now_us: int) -> tuple[int, bool]:
    """Leave to the poster what the provider told the collector of an intent."""
    return leave_queried(
        book=intent.book_id, wallet=intent.wallet_id, account=intent.account_id, said=said, now_us=now_us
    )


def leave_queried(
    *, book: int, wallet: int | None, account: int | None, said: ProviderFact, now_us: int
) -> tuple[int, bool]:
    """Leave to the poster what the provider told the collector; that it was the collector, the database notes."""
    if said.kind is not Kind.PAYMENT or said.assurance is not Assurance.QUERIED or not said.moves_money:
        raise ValueError("only a payment that its provider was asked about is left to the poster so")
    payload = {
        "provider": said.provider,
        "account": account,
        "queried": {
            "our_ref": said.our_ref,
            "provider_ref": said.provider_ref,
            "event_id": said.event_id,
            "amount_minor": said.amount_minor,
            "currency": said.currency,
            "occurred_at_us": said.occurred_at_us,
            "raw_sha256": said.raw_sha256,
            **({"named": said.named} if said.named else {}),
        },
    }
    key = asked_payment_key(provider=said.provider, reference=said.provider_ref)
    return _add(book=book, wallet=wallet, key=key, payload=payload, raw=b"", now_us=now_us)


def _add(
    *, book: int, wallet: int | None, key: str, payload: dict[str, Any], raw: bytes, now_us: int
) -> tuple[int, bool]:
    with connection.cursor() as cursor:
        return facts.add(
            cursor=cursor,
            book=book,
            kind="payment",
            natural_key=key,
            wallet=wallet,
            payload=payload,
            raw=raw,
            now_us=now_us,
        )

"""What is heard of a payment, written down once: an event, and a fact for the poster where it moves money."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db import connection

from fairwatt.core.ids import asked_payment_key, payment_key
from fairwatt.payments.contract import Assurance, Kind, ProviderFact
from fairwatt.store import facts
from fairwatt.store.models import PaymentIntent


class Meant(NamedTuple):
    """Of the intent that a word is about, what never changes."""

    pk: int
    book_id: int
    wallet_id: int
    account_id: int | None


class Heard(NamedTuple):
    """What became of a provider's word: stored now, or known before."""

    fresh: bool
    """exactly that was not written before"""
    fact: int = 0
    """what the poster posts; 0: nothing, for no money moves by it"""
    new: bool = False
    """the fact was not there before"""


def note_event(*, intent: PaymentIntent, said: ProviderFact, now_us: int) -> bool:
    """Write down what was said and move nothing; False when exactly that was written before."""
    return _hear(intent=intent, said=said, now_us=now_us).fresh


def hear_signed(
    *,
    intent: PaymentIntent | Meant,
    said: ProviderFact,
    headers: dict[str, str],
    raw: bytes,
    now_us: int,
    call_after: bool = False,
) -> Heard:
    """Write down a callback, and leave its own bytes to the poster, who verifies them again; in one statement."""
    if not _pays(said):
        return _hear(intent=intent, said=said, now_us=now_us, call_after=call_after)
    payload: dict[str, Any] = {"provider": said.provider, "headers": headers}
    if intent.account_id is not None:
        payload["account"] = intent.account_id
    key = payment_key(provider=said.provider, event=said.event_id)
    return _hear(
        intent=intent, said=said, now_us=now_us, key=key, payload=payload, raw=raw, call_after=call_after
    )


def hear_queried(*, intent: PaymentIntent, said: ProviderFact, now_us: int) -> Heard:
    """Write down what the provider told the collector of an intent, and leave it to the poster where it is money."""
    if not _pays(said):
        return _hear(intent=intent, said=said, now_us=now_us)
    key, payload = _queried(account=intent.account_id, said=said)
    return _hear(intent=intent, said=said, now_us=now_us, key=key, payload=payload)


def leave_queried(
    *, book: int, wallet: int | None, account: int | None, said: ProviderFact, now_us: int
) -> tuple[int, bool]:
    """Leave to the poster what no intent asked for; that the collector was told it, the database notes."""
    key, payload = _queried(account=account, said=said)
    with connection.cursor() as cursor:
        return _add(cursor, book, wallet, now_us, key, payload)


def _pays(said: ProviderFact) -> bool:
    return said.kind is Kind.PAYMENT and said.moves_money


def _queried(*, account: int | None, said: ProviderFact) -> tuple[str, dict[str, Any]]:
    """Natural key and payload of a payment that its provider was asked about."""
    if not _pays(said) or said.assurance is not Assurance.QUERIED:
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
    return asked_payment_key(provider=said.provider, reference=said.provider_ref), payload


def _hear(
    *,
    intent: PaymentIntent | Meant,
    said: ProviderFact,
    now_us: int,
    key: str = "",
    payload: dict[str, Any] | None = None,
    raw: bytes = b"",
    call_after: bool = False,
) -> Heard:
    with connection.cursor() as cursor:
        if intent.account_id is None:
            # Nobody's account, so there is no history to write; only the poster judges what was sent.
            return Heard(
                True, *_add(cursor, intent.book_id, intent.wallet_id, now_us, key, payload or {}, raw)
            )
        content, mark = facts.written(payload=payload or {}, raw=raw)
        cursor.execute(
            "SELECT is_fresh, number, is_new FROM hear_of_payment(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, "
            "%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                *(intent.book_id, intent.wallet_id, intent.account_id, intent.pk),
                *(str(said.kind), str(said.state), str(said.assurance), said.event_id, said.provider_ref),
                *(said.refund_ref, said.amount_minor, said.currency, said.occurred_at_us, said.detail),
                *(said.raw_sha256, now_us, call_after, key, mark, content, raw),
            ],
        )
        fresh, number, new = cursor.fetchone()
    return Heard(bool(fresh), int(number or 0), bool(new))


def _add(
    cursor: Any,
    book: int,
    wallet: int | None,
    now_us: int,
    key: str,
    payload: dict[str, Any],
    raw: bytes = b"",
) -> tuple[int, bool]:
    if not key:
        return 0, False
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

"""A provider calls: check the bytes at the door, keep them, answer. Money moves later, at the poster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.flows.payment_events import Meant, hear_signed
from fairwatt.payments.contract import Assurance, CallbackRejected, Kind, PaymentProvider
from fairwatt.store import calls

BODY_MAX = 64 * 1024
# Hundreds of these come a second at a month's end: so they are written by hand.
_NAMED: Final = """
SELECT id, book_id, wallet_id, account_id FROM store_paymentintent
 WHERE our_ref = %s AND provider = %s AND account_id IS NOT DISTINCT FROM %s
"""
_NUMBERED: Final = """
SELECT id, book_id, wallet_id, account_id FROM store_paymentintent
 WHERE provider_ref = %s AND provider_ref <> '' AND provider = %s AND account_id IS NOT DISTINCT FROM %s
 ORDER BY id LIMIT 1
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
    calls: tuple[calls.Call, ...] = ()
    """whom to call now, where that was left to the caller"""


def receive_callback(
    *,
    provider: PaymentProvider,
    headers: Mapping[str, str],
    body: bytes,
    now_us: int,
    account: int | None = None,
    hint_ref: str = "",
    call_after: bool = False,
) -> Received:
    """Verify and store a provider's callback, all of it in one statement; answer the provider only after this returns.

    `account` is the merchant's whose address was called. With `call_after` whoever waits for a payment is called by the
    caller (`Received.calls`); of refunds and chargebacks the database tells the collector itself. Raises
    CallbackRejected (the provider should see 4xx) when the bytes prove nothing.
    """
    if len(body) > BODY_MAX:
        raise CallbackRejected(f"the callback has more than {BODY_MAX} bytes; no money was moved")
    said = provider.parse_callback(headers=headers, body=body, now_us=now_us, hint_ref=hint_ref)
    intent = _intent(_NAMED, said.our_ref, provider.name, account)
    if intent is None and said.kind is not Kind.PAYMENT:
        # What was made in the provider's own back office names the payment by the provider's number.
        intent = _intent(_NUMBERED, said.our_ref, provider.name, account)
    if intent is None:
        raise UnknownReference(
            f"no top-up has the reference {said.our_ref[:60]}; nothing was credited. The provider reports it again, "
            "and its own list of payments shows it"
        )
    heard = hear_signed(
        intent=intent,
        said=said,
        headers=_kept(provider, headers),
        raw=body,
        now_us=now_us,
        call_after=call_after,
    )
    if heard.fact:
        return Received(
            fact_id=heard.fact,
            duplicate=not heard.new,
            calls=(calls.poster(book=intent.book_id),) if heard.new else (),
        )
    # Also what was heard before: whoever stored it may have died before he called, and nobody else looks for a hint.
    hint = said.kind is Kind.PAYMENT and said.assurance is Assurance.HINT
    return Received(
        fact_id=0, duplicate=not heard.fresh, calls=(calls.collector(intent=intent.pk),) if hint else ()
    )


def _intent(statement: str, *values: Any) -> Meant | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return None if row is None else Meant(*row)


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

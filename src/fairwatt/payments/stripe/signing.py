"""How Stripe signs its webhooks, and how it is asked.

`Stripe-Signature: t=…,v1=…[,v1=…]`: HMAC-SHA256 of `"{t}.{raw body}"`. In a rotation two secrets sign side by side.
Source: docs.stripe.com, "Verify webhook signatures manually", "Idempotent requests".
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import urlencode

from fairwatt.payments.contract import BadCallbackSignature
from fairwatt.payments.exchange import (
    HttpAsk,
    HttpReply,
    NotFound,
    ProviderBusy,
    ProviderRefused,
    ProviderTrouble,
    ReplyNotBelieved,
)
from fairwatt.payments.fields import Fields

GATEWAY: Final = "https://api.stripe.com"
VERSION: Final = "2025-03-31.basil"
HEADER: Final = "stripe-signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeAccount:
    """A merchant at Stripe. `secret_key` is held by the collector alone; the webhook's secrets by who reads."""

    account_id: str
    webhook_secrets: tuple[str, ...] = field(repr=False)
    secret_key: str = field(default="", repr=False)
    live: bool = True
    gateway: str = GATEWAY


def ask(
    account: StripeAccount,
    method: Literal["GET", "POST"],
    path: str,
    form: Mapping[str, str | int] | None = None,
    *,
    key: str = "",
) -> HttpAsk:
    """A question. `key` makes the same deed again the same deed, for 24 hours."""
    if not account.secret_key:
        raise ProviderTrouble("this process does not hold the merchant's key; nothing was asked")
    headers = {
        "Authorization": f"Bearer {account.secret_key}",
        "Stripe-Version": VERSION,
        "User-Agent": "fairwatt",
    }
    if key:
        headers["Idempotency-Key"] = key
    url = account.gateway + path
    if method == "GET":
        return HttpAsk(method=method, url=f"{url}?{urlencode(form)}" if form else url, headers=headers)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return HttpAsk(method=method, url=url, headers=headers, body=urlencode(form or {}).encode())


def answer(reply: HttpReply) -> Fields:
    """The content of a good answer. Raises ProviderTrouble for any other."""
    said = Fields.of_json(reply.body, wrong=ReplyNotBelieved)
    if reply.status == 200:
        return said
    error = said.inner("error") if "error" in said else said
    reason = error.maybe("code") or error.maybe("type") or str(reply.status)
    if reply.status == 409:
        # The same deed is being done at this moment, under the same key.
        raise ProviderBusy(f"Stripe is doing it already ({reason}); ask again")
    words = f"Stripe refused it ({reply.status} {reason}); nothing was done"
    if reply.status == 402:
        raise CardDeclined(
            words, reason=error.maybe("decline_code") or reason, intent=_number_of(error, "payment_intent")
        )
    raise (NotFound if reply.status == 404 else ProviderRefused)(words, reason=reason)


class CardDeclined(ProviderRefused):
    """The payer's bank said no. `intent` is the payment that came of it all the same, and can still be paid."""

    code = "declined"

    def __init__(self, message: str, *, reason: str, intent: str) -> None:
        super().__init__(message, reason=reason)
        self.intent = intent


def _number_of(said: Fields, name: str) -> str:
    return said.inner(name).maybe("id") if name in said else ""


def signed_at_s(account: StripeAccount, header: str, body: bytes) -> int:
    """When Stripe signed these bytes, in seconds. Raises BadCallbackSignature."""
    parts = [part.partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in parts if name.strip() == "t"]
    signatures = [value.strip() for name, _, value in parts if name.strip() == "v1"]
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit() and len(stamps[0]) < 13):
        raise BadCallbackSignature("the callback carries no time of its signature; no money was moved")
    text = f"{stamps[0]}.".encode() + body
    for secret in account.webhook_secrets:
        wanted = hmac.new(secret.encode(), text, sha256).hexdigest().encode()
        if any(hmac.compare_digest(wanted, one.encode()) for one in signatures[:8]):
            return int(stamps[0])
    raise BadCallbackSignature("the signature does not match the bytes; no money was moved")

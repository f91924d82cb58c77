"""The sandbox provider: real Ed25519 signatures, no real money.

Signed text: `{timestamp}\\n{nonce}\\n` followed by the raw body. Freshness: 300 s either way.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairwatt.payments.contract import (
    BadCallbackSignature,
    MalformedCallback,
    PaymentFact,
    StaleCallback,
)

HEADERS: Final = ("X-Sandbox-Timestamp", "X-Sandbox-Nonce", "X-Sandbox-Signature")
FRESH_S: Final = 300
AMOUNT_MINOR_MAX: Final = 10**12
_REFERENCE: Final = re.compile(r"[\x21-\x7e]{1,80}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class SandboxProvider:
    """Reads the sandbox platform's callbacks."""

    public_key: Ed25519PublicKey
    checkout: str
    name: str = "sandbox"

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes, now_us: int | None) -> PaymentFact:
        """See PaymentProvider."""
        found = {key.lower(): value for key, value in headers.items()}
        stamp, nonce, signature = (found.get(name.lower(), "") for name in HEADERS)
        try:
            signed = base64.b64decode(signature, validate=True)
            self.public_key.verify(signed, f"{stamp}\n{nonce}\n".encode() + body)
        except (InvalidSignature, binascii.Error, ValueError):
            raise BadCallbackSignature(
                "the signature does not match the callback; no money was moved"
            ) from None
        if not (stamp.isascii() and stamp.isdigit()):
            raise MalformedCallback("the signed timestamp is not a number of seconds")
        if now_us is not None and abs(now_us // 1_000_000 - int(stamp)) > FRESH_S:
            raise StaleCallback("the callback was signed more than 300 s from now; no money was moved")
        return _fact(self.name, body)

    def checkout_url(self, *, our_ref: str, amount_minor: int, currency: str, return_url: str) -> str:
        """See PaymentProvider."""
        query = urlencode(
            {"our_ref": our_ref, "amount_minor": amount_minor, "currency": currency, "return_url": return_url}
        )
        return f"{self.checkout}/pay?{query}"


def _fact(provider: str, body: bytes) -> PaymentFact:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedCallback("the callback is not JSON; no money was moved") from None
    match content:
        case {
            "type": "payment.succeeded",
            "event_id": str(event_id),
            "provider_ref": str(provider_ref),
            "our_ref": str(our_ref),
            "amount_minor": int(amount_minor),
            "currency": str(currency),
            "paid_at_us": int(paid_at_us),
        } if _sane(event_id, provider_ref, our_ref, currency, amount_minor, paid_at_us):
            return PaymentFact(provider, event_id, provider_ref, our_ref, amount_minor, currency, paid_at_us)
    raise MalformedCallback(
        "the callback is not a payment.succeeded event with a positive amount, a currency and plain references; "
        "no money was moved"
    )


def _sane(
    event_id: str, provider_ref: str, our_ref: str, currency: str, amount_minor: int, paid_at_us: int
) -> bool:
    # Signed is not the same as storable: a NUL or a lone surrogate would stop the book that has to keep it.
    return (
        all(_REFERENCE.fullmatch(ref) for ref in (event_id, provider_ref, our_ref))
        and bool(_CURRENCY.fullmatch(currency))
        and type(amount_minor) is int
        and 0 < amount_minor <= AMOUNT_MINOR_MAX
        and type(paid_at_us) is int
        and abs(paid_at_us) < 1 << 62
    )

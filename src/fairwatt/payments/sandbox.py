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
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairwatt.payments.contract import (
    AMOUNT_MINOR_MAX,
    FRESH_S,
    Abilities,
    Ability,
    Ack,
    Action,
    Assurance,
    BadCallbackSignature,
    Bill,
    BillKind,
    CallbackRejected,
    DisputeAsk,
    MalformedCallback,
    Method,
    OrderAsk,
    ProviderFact,
    RefundAsk,
    StaleCallback,
    State,
)
from fairwatt.payments.exchange import Exchange, HttpAsk, HttpReply, Moment, ProviderRefused, ReplyNotBelieved

HEADERS: Final = ("X-Sandbox-Timestamp", "X-Sandbox-Nonce", "X-Sandbox-Signature")
ABILITIES: Final = Abilities(
    methods=frozenset({Method.REDIRECT}),
    can=frozenset({Ability.SIGNED_CALLBACK}),
    minor_digits={"CNY": 2, "EUR": 2, "GBP": 2, "KES": 2, "USD": 2},
)
_REFERENCE: Final = re.compile(r"[\x21-\x7e]{1,80}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class SandboxProvider:
    """The sandbox platform: its callbacks, its page, its list of payments."""

    public_key: Ed25519PublicKey
    checkout: str
    name: str = "sandbox"

    @property
    def abilities(self) -> Abilities:
        """See PaymentProvider."""
        return ABILITIES

    @property
    def callback_headers(self) -> frozenset[str]:
        """See PaymentProvider."""
        return frozenset(name.lower() for name in HEADERS)

    def parse_callback(
        self, *, headers: Mapping[str, str], body: bytes, now_us: int | None, hint_ref: str = ""
    ) -> ProviderFact:
        """See PaymentProvider."""
        stamp = self._verify(headers, body)
        if now_us is not None and abs(now_us // 1_000_000 - stamp) > FRESH_S:
            raise StaleCallback("the callback was signed more than 300 s from now; no money was moved")
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            raise MalformedCallback("the callback is not JSON; no money was moved") from None
        return _fact(self.name, content, body, Assurance.SIGNED)

    def create(self, *, order: OrderAsk, at: Moment) -> Exchange[Action]:
        """See PaymentProvider. The order is in the address: nobody has to be asked for it."""
        return Action(method=Method.REDIRECT, url=self.checkout_url(order=order))
        yield  # an exchange without a question

    def query(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        reply = yield HttpAsk(
            method="GET", url=f"{self.checkout}/orders?{urlencode({'our_ref': order.our_ref})}"
        )
        found = self._payments(reply)
        if not found:
            return self._state(order, State.PENDING, at)
        return _fact(self.name, found[0], reply.body, Assurance.QUERIED)

    def close(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider. The sandbox knows no orders before they are paid, so there is nothing to close."""
        return (yield from self.query(order=order, at=at))

    def refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        raise _cannot("give money back")
        yield

    def query_refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        raise _cannot("give money back")
        yield

    def query_dispute(self, *, dispute: DisputeAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        raise _cannot("tell of disputes")
        yield

    def ack(self, *, refused: CallbackRejected | None) -> Ack:
        """See PaymentProvider."""
        if refused is None or refused.heard:
            return Ack(200, b'{"code": "OK"}', "application/json")
        said = json.dumps({"code": refused.code, "message": str(refused)})
        return Ack(400, said.encode(), "application/json")

    def fetch_bill(self, *, day: str, kind: BillKind, at: Moment) -> Exchange[Bill]:
        """See PaymentProvider."""
        raise _cannot("make bills")
        yield

    def health(self, *, at: Moment) -> Exchange[bool]:
        """See PaymentProvider."""
        reply = yield HttpAsk(method="GET", url=f"{self.checkout}/health")
        return reply.status == 200

    def checkout_url(self, *, order: OrderAsk) -> str:
        """Where the payer's browser goes to pay."""
        query = urlencode(
            {
                "our_ref": order.our_ref,
                "amount_minor": order.amount_minor,
                "currency": order.currency,
                "return_url": order.return_url,
            }
        )
        return f"{self.checkout}/pay?{query}"

    def _verify(self, headers: Mapping[str, str], body: bytes) -> int:
        """The signed time, in seconds, once the signature matches."""
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
        return int(stamp)

    def _payments(self, reply: HttpReply) -> list[Any]:
        try:
            self._verify(reply.headers, reply.body)
            content = json.loads(reply.body)
        except (CallbackRejected, ValueError) as wrong:
            raise ReplyNotBelieved(f"the sandbox's answer is not its own: {wrong}") from None
        match content:
            case {"payments": list(found)}:
                return found
        raise ReplyNotBelieved("the sandbox's answer lists no payments")

    def _state(self, order: OrderAsk, state: State, at: Moment) -> ProviderFact:
        return ProviderFact(
            provider=self.name,
            state=state,
            our_ref=order.our_ref,
            provider_ref="",
            event_id="",
            amount_minor=order.amount_minor,
            currency=order.currency,
            occurred_at_us=at.now_us,
            assurance=Assurance.QUERIED,
        )


def _cannot(deed: str) -> ProviderRefused:
    return ProviderRefused(f"the sandbox cannot {deed}; nothing was done", reason="not_supported")


def _fact(provider: str, content: Any, raw: bytes, assurance: Assurance) -> ProviderFact:
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
            return ProviderFact(
                provider=provider,
                our_ref=our_ref,
                provider_ref=provider_ref,
                event_id=event_id,
                amount_minor=amount_minor,
                currency=currency,
                occurred_at_us=paid_at_us,
                assurance=assurance,
                raw_sha256=sha256(raw).hexdigest(),
            )
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

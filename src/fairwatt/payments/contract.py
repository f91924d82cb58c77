"""What a payment provider owes the rest of the house: bytes in, a fact or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol


class CallbackRejected(ValueError):
    """A callback that proves nothing. No money moves; `code` is stable for counters and screens."""

    code: ClassVar[str] = "rejected"


class BadCallbackSignature(CallbackRejected):
    """The signature is missing or does not match the bytes."""

    code = "bad_signature"


class StaleCallback(CallbackRejected):
    """The signed time is too far from now: a replay, or a clock that is wrong."""

    code = "stale"


class MalformedCallback(CallbackRejected):
    """The signature holds, but the content is not what the provider documents."""

    code = "malformed"


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """A provider's signed word that money arrived. `amount_minor` is in minor units (cents, fen)."""

    provider: str
    event_id: str
    provider_ref: str
    our_ref: str
    amount_minor: int
    currency: str
    paid_at_us: int


class PaymentProvider(Protocol):
    """One provider. Pure: no network, no clock, no database."""

    @property
    def name(self) -> str:
        """Short name: lower case, stable, part of keys and accounts."""
        ...

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes, now_us: int | None) -> PaymentFact:
        """Verify the bytes and say what they prove.

        `now_us` checks freshness at the door; None skips it when stored bytes are verified again.
        Raises CallbackRejected.
        """
        ...

    def checkout_url(self, *, our_ref: str, amount_minor: int, currency: str, return_url: str) -> str:
        """Where the payer's browser goes to pay."""
        ...

"""Payments that a payer begins at the provider, naming the number a home is paid under; nothing was asked for here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, cast

from fairwatt.payments.callbacks import PREFIX
from fairwatt.payments.contract import Ack, Method, PaymentProvider, ProviderFact
from fairwatt.payments.exchange import Exchange, Moment

PLACE: Final = "incoming"
"""Stands where a provider's name stands in addresses of callbacks: some providers refuse addresses that name them."""
CHECK: Final = "check"
TELL: Final = "paid"


class Verdict(StrEnum):
    """What a provider hears that asks whether it may take a payment."""

    TAKE = "take"
    NO_ACCOUNT = "no_account"
    """the number is nobody's here, or nobody's who lives here now"""
    NO_AMOUNT = "no_amount"
    """it is not an amount that this home may be paid"""
    OTHER_SHOP = "other_shop"
    """it is meant for another merchant"""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What a callback says of a payment that began at the provider: unsigned, worth an answer and a question.

    `named` is the account number as the payer typed it; `amount_minor` in minor units of `currency`.
    """

    provider_ref: str
    named: str
    amount_minor: int
    currency: str
    shop: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A span of a provider's own list. `answered`: False where it has nothing for that span, or not yet."""

    payments: tuple[ProviderFact, ...]
    answered: bool


class TakesUnasked(Protocol):
    """A provider where payers begin by themselves (`Method.PAYBILL`)."""

    @property
    def shop(self) -> str:
        """The number that payers type for this merchant; empty where nobody can pay so."""
        ...

    def parse_announced(self, *, body: bytes) -> Announced:
        """Read a callback before or after a payment. Raises CallbackRejected."""
        ...

    def answer_check(self, *, verdict: Verdict) -> Ack:
        """Whether the provider may take the payment, in its own words."""
        ...

    def listen(self, *, check_url: str, tell_url: str, at: Moment) -> Exchange[bool]:
        """Tell the provider where we listen; False where it was told before and changes nothing now."""
        ...

    def listed(self, *, since_us: int, until_us: int, at: Moment) -> Exchange[Listed]:
        """What came in by the provider's own list, oldest first: assurance QUERIED, `named` as it was typed.

        `our_ref` is as much of our reference as the provider's bill has: all that was typed, where that looks like one
        of an order. What went back is no payment and is left out.
        """
        ...


def unasked(*, provider: PaymentProvider) -> TakesUnasked | None:
    """The same account as one that payers may pay by themselves; None where they cannot."""
    if Method.PAYBILL not in provider.abilities.methods:
        return None
    found = cast("TakesUnasked", provider)
    return found if found.shop else None


def addresses(*, origin: str, token: str) -> tuple[str, str]:
    """Where a provider asks before a payment, and where it tells of one."""
    begins = f"{origin}{PREFIX}{PLACE}/{token}"
    return f"{begins}/{CHECK}", f"{begins}/{TELL}"

"""What a payer saves at a provider, so that a merchant takes payments later without him, as he agreed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from fairwatt.payments.contract import Action, State
from fairwatt.payments.exchange import Exchange, Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementAsk:
    """A payer means to let us take payments from what he saves at the provider. `our_ref` was committed before."""

    our_ref: str
    currency: str
    return_url: str
    expires_us: int
    provider_order: str = ""
    """the provider's number of the page it is signed on, once that was told"""
    payer: str = field(default="", repr=False)
    """what may be taken from, once it is signed"""
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How it stands with what a payer saves: PENDING, SUCCEEDED (`payer` may be taken from), or CLOSED (never will)."""

    state: State
    payer: str = field(default="", repr=False)
    shown: str = ""
    """how the payer knows it again: a brand and the last digits"""


class SavesPayers(Protocol):
    """A provider where a payer can save how he pays, so that a merchant takes payments later (`Method.AUTO`)."""

    def sign(self, *, agreement: AgreementAsk, at: Moment) -> Exchange[Action]:
        """Open the page on which the payer saves it and agrees; the same `our_ref` again is the same page."""
        ...

    def query_agreement(self, *, agreement: AgreementAsk, at: Moment) -> Exchange[Agreement]:
        """How it stands, by the provider's own word."""
        ...

    def forget(self, *, agreement: AgreementAsk, at: Moment) -> Exchange[None]:
        """Let nothing be taken any more: what was saved is forgotten there, too. Done twice it is done once."""
        ...

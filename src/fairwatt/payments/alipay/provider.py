"""Alipay behind the house's contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl

from fairwatt.payments.alipay import bills, trades
from fairwatt.payments.alipay.signing import AlipayAccount, notification
from fairwatt.payments.clocks import BEIJING, wall_us
from fairwatt.payments.contract import (
    Abilities,
    Ability,
    Ack,
    Action,
    BadCallbackSignature,
    Bill,
    BillKind,
    CallbackRejected,
    DisputeAsk,
    MalformedCallback,
    Method,
    OrderAsk,
    OtherMerchant,
    ProviderFact,
    RefundAsk,
    StaleCallback,
    State,
    nobodys_order,
)
from fairwatt.payments.exchange import Exchange, Moment, no_disputes
from fairwatt.payments.fields import Fields

ABILITIES: Final = Abilities(
    methods=frozenset({Method.REDIRECT, Method.QR, Method.SCAN}),
    can=frozenset(
        {Ability.CLOSE, Ability.REFUND, Ability.PARTIAL_REFUND, Ability.BILL, Ability.SIGNED_CALLBACK}
    ),
    minor_digits={"CNY": 2},
)
RETRIED_S: Final = 26 * 3600
"""A notification comes again for 25 hours with the same `notify_time`; older than that it is a replay."""


@dataclass(frozen=True, slots=True)
class Alipay:
    """One merchant account at Alipay."""

    account: AlipayAccount
    name: str = trades.NAME

    @property
    def abilities(self) -> Abilities:
        """See PaymentProvider."""
        return ABILITIES

    @property
    def callback_headers(self) -> frozenset[str]:
        """See PaymentProvider. The signature is in the form."""
        return frozenset()

    def create(self, *, order: OrderAsk, at: Moment) -> Exchange[Action]:
        """See PaymentProvider."""
        return trades.create(self.account, order, at)

    def query(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return self._priced(trades.query(self.account, order, at))

    def close(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return self._priced(trades.close(self.account, order, at))

    def refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return trades.refund(self.account, refund, at)

    def query_refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return trades.query_refund(self.account, refund, at)

    def query_dispute(self, *, dispute: DisputeAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return no_disputes("Alipay")

    def fetch_bill(self, *, day: str, kind: BillKind, at: Moment) -> Exchange[Bill]:
        """See PaymentProvider."""
        bill = yield from bills.fetch_bill(self.account, day, kind, at)
        rows = tuple(replace(row, currency=self.account.currency) for row in bill.rows)
        return replace(bill, rows=rows)

    def health(self, *, at: Moment) -> Exchange[bool]:
        """See PaymentProvider. Asks for a trade that cannot be; a signed "no such trade" is good health."""
        found = yield from trades.query(self.account, nobodys_order(now_us=at.now_us), at)
        return found.state is State.UNKNOWN

    def parse_callback(
        self, *, headers: Mapping[str, str], body: bytes, now_us: int | None, hint_ref: str = ""
    ) -> ProviderFact:
        """See PaymentProvider."""
        told = notification(self.account, body, at_us=_signed_at_us(body))
        said = Fields(told, wrong=MalformedCallback)
        at_us = said.parsed("notify_time", lambda text: wall_us(text, zone=BEIJING))
        # Genuine for another shop is not genuine here; the signature alone says nothing about whose it is.
        mine = (told.get("app_id"), told.get("seller_id")) == (self.account.app_id, self.account.seller_id)
        if not mine:
            raise OtherMerchant("the callback is about another merchant; no money was moved")
        if now_us is not None and not -300_000_000 <= now_us - at_us <= RETRIED_S * 1_000_000:
            raise StaleCallback(
                "the callback is older than Alipay repeats one, or of the future; no money was moved"
            )
        return replace(trades.notified(told, said, body), currency=self.account.currency)

    def _priced(self, asking: Exchange[ProviderFact]) -> Exchange[ProviderFact]:
        """Alipay names no currency in its messages: it is the account's."""
        said = yield from asking
        return replace(said, currency=self.account.currency)

    def ack(self, *, refused: CallbackRejected | None) -> Ack:
        """See PaymentProvider."""
        if refused is None or refused.heard:
            return Ack(200, b"success", "text/plain")
        return Ack(400, b"fail", "text/plain")


def _signed_at_us(body: bytes) -> int:
    """The time it claims, to choose among keys; the signature covers it."""
    try:
        text = dict(_pairs(body))["notify_time"]
        return wall_us(text, zone=BEIJING)
    except (KeyError, ValueError):
        raise BadCallbackSignature("the callback carries no time; no money was moved") from None


def _pairs(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=200)

"""WeChat Pay behind the house's contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fairwatt.payments.contract import (
    FRESH_S,
    Abilities,
    Ability,
    Ack,
    Action,
    Assurance,
    Bill,
    BillKind,
    CallbackRejected,
    DisputeAsk,
    MalformedCallback,
    Method,
    NothingOfMoney,
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
from fairwatt.payments.wechat import bills, orders, refunds
from fairwatt.payments.wechat.signing import HEADERS, WechatAccount, signed_at_us, unsealed

ABILITIES: Final = Abilities(
    methods=frozenset({Method.JSAPI, Method.QR, Method.SCAN}),
    can=frozenset(
        {Ability.CLOSE, Ability.REFUND, Ability.PARTIAL_REFUND, Ability.BILL, Ability.SIGNED_CALLBACK}
    ),
    minor_digits={"CNY": 2},
)


@dataclass(frozen=True, slots=True)
class WechatPay:
    """One merchant account at WeChat Pay."""

    account: WechatAccount
    name: str = orders.NAME

    @property
    def abilities(self) -> Abilities:
        """See PaymentProvider."""
        return ABILITIES

    @property
    def callback_headers(self) -> frozenset[str]:
        """See PaymentProvider."""
        return frozenset(HEADERS)

    def create(self, *, order: OrderAsk, at: Moment) -> Exchange[Action]:
        """See PaymentProvider."""
        return orders.create(self.account, order, at)

    def query(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return orders.query(self.account, order, at)

    def close(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return orders.close(self.account, order, at)

    def refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return refunds.refund(self.account, refund, at)

    def query_refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return refunds.query_refund(self.account, refund, at)

    def query_dispute(self, *, dispute: DisputeAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return no_disputes("WeChat Pay")

    def fetch_bill(self, *, day: str, kind: BillKind, at: Moment) -> Exchange[Bill]:
        """See PaymentProvider."""
        return bills.fetch_bill(self.account, day, kind, at)

    def health(self, *, at: Moment) -> Exchange[bool]:
        """See PaymentProvider. Asks for an order that cannot be; a signed "no such order" is good health."""
        found = yield from orders.query(self.account, nobodys_order(now_us=at.now_us), at)
        return found.state is State.UNKNOWN

    def parse_callback(
        self, *, headers: Mapping[str, str], body: bytes, now_us: int | None, hint_ref: str = ""
    ) -> ProviderFact:
        """See PaymentProvider."""
        at_us = signed_at_us(self.account, headers, body)
        if now_us is not None and abs(now_us - at_us) > FRESH_S * 1_000_000:
            raise StaleCallback("the callback was signed more than 300 s from now; no money was moved")
        envelope = Fields.of_json(body, wrong=MalformedCallback)
        event, event_id = envelope.word("event_type"), envelope.word("id")
        if not event.startswith(("TRANSACTION.", "REFUND.")):
            raise NothingOfMoney(f"WeChat Pay tells of {event}; that moves no money here")
        inside = unsealed(self.account, envelope.inner("resource"))
        said = Fields.of_json(inside, wrong=MalformedCallback)
        if said.word("mchid") != self.account.mch_id:
            raise OtherMerchant("the callback is about another merchant; no money was moved")
        if event.startswith("REFUND."):
            return refunds.fact(said, body, Assurance.SIGNED, at_us=at_us, event_id=event_id)
        if said.word("appid") != self.account.app_id:
            raise OtherMerchant("the callback is about another app of the merchant; no money was moved")
        return orders.fact(self.account, said, body, Assurance.SIGNED, None, None, event_id=event_id)

    def ack(self, *, refused: CallbackRejected | None) -> Ack:
        """See PaymentProvider."""
        if refused is None or refused.heard:
            return Ack(204, b"", "application/json")
        said = json.dumps({"code": "FAIL", "message": refused.code})
        return Ack(400, said.encode(), "application/json")

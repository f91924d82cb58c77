"""Stripe behind the house's contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fairwatt.payments.agreements import Agreement, AgreementAsk
from fairwatt.payments.amounts import MINOR_DIGITS
from fairwatt.payments.contract import (
    FRESH_S,
    Abilities,
    Ability,
    Ack,
    Action,
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
)
from fairwatt.payments.exchange import Exchange, Moment
from fairwatt.payments.fields import Fields
from fairwatt.payments.stripe import agreements, bills, sessions
from fairwatt.payments.stripe.signing import HEADER, StripeAccount, answer, ask, signed_at_s

ABILITIES: Final = Abilities(
    methods=frozenset({Method.REDIRECT, Method.AUTO}),
    can=frozenset({Ability.CLOSE, Ability.REFUND, Ability.PARTIAL_REFUND, Ability.BILL}),
    minor_digits=MINOR_DIGITS,
)


@dataclass(frozen=True, slots=True)
class Stripe:
    """One merchant account at Stripe.

    Its webhooks are signed with a secret that we hold as well, so they are hints: who reads our secrets could write
    them. Money moves when Stripe itself, asked over TLS, says so.
    """

    account: StripeAccount
    name: str = sessions.NAME

    @property
    def abilities(self) -> Abilities:
        """See PaymentProvider."""
        return ABILITIES

    @property
    def callback_headers(self) -> frozenset[str]:
        """See PaymentProvider."""
        return frozenset({HEADER})

    def create(self, *, order: OrderAsk, at: Moment) -> Exchange[Action]:
        """See PaymentProvider."""
        return sessions.create(self.account, order, at)

    def query(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return sessions.query(self.account, order, at)

    def close(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return sessions.close(self.account, order, at)

    def refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return sessions.refund(self.account, refund, at)

    def query_refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return sessions.query_refund(self.account, refund, at)

    def query_dispute(self, *, dispute: DisputeAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return sessions.query_dispute(self.account, dispute, at)

    def sign(self, *, agreement: AgreementAsk, at: Moment) -> Exchange[Action]:
        """See SavesPayers."""
        return agreements.sign(self.account, agreement)

    def query_agreement(self, *, agreement: AgreementAsk, at: Moment) -> Exchange[Agreement]:
        """See SavesPayers."""
        return agreements.signed(self.account, agreement)

    def forget(self, *, agreement: AgreementAsk, at: Moment) -> Exchange[None]:
        """See SavesPayers."""
        return agreements.forget(self.account, agreement)

    def fetch_bill(self, *, day: str, kind: BillKind, at: Moment) -> Exchange[Bill]:
        """See PaymentProvider."""
        return bills.fetch_bill(self.account, day, kind, at)

    def health(self, *, at: Moment) -> Exchange[bool]:
        """See PaymentProvider."""
        reply = yield ask(self.account, "GET", "/v1/balance")
        answer(reply)
        return True

    def parse_callback(
        self, *, headers: Mapping[str, str], body: bytes, now_us: int | None, hint_ref: str = ""
    ) -> ProviderFact:
        """See PaymentProvider."""
        found = {name.lower(): value for name, value in headers.items()}
        stamp_s = signed_at_s(self.account, found.get(HEADER, ""), body)
        if now_us is not None and abs(now_us // 1_000_000 - stamp_s) > FRESH_S:
            raise StaleCallback("the callback was signed more than 300 s from now; no money was moved")
        event = Fields.of_json(body, wrong=MalformedCallback)
        if event.maybe("account") not in ("", self.account.account_id):
            raise OtherMerchant("the callback is about another account; no money was moved")
        if event.yes("livemode") != self.account.live:
            raise OtherMerchant("the callback is of Stripe's other world (test or live); no money was moved")
        return sessions.event_fact(self.account, event, body)

    def ack(self, *, refused: CallbackRejected | None) -> Ack:
        """See PaymentProvider."""
        if refused is None or refused.heard:
            return Ack(200, b"{}", "application/json")
        return Ack(400, b'{"error": "refused"}', "application/json")

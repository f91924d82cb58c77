"""M-Pesa behind the house's contract.

Its callbacks carry no signature at all, and its addresses change: a callback is a hint. Money moves when M-Pesa,
asked by us, says ResultCode 0. A push has no key against doing it twice, so it is never repeated by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from fairwatt.core.units import US_PER_DAY, US_PER_SECOND
from fairwatt.payments.amounts import minor_from_text
from fairwatt.payments.clocks import NAIROBI, wall_us
from fairwatt.payments.contract import (
    Abilities,
    Ability,
    Ack,
    Action,
    Assurance,
    Bill,
    BillKind,
    BillNotReady,
    CallbackRejected,
    DisputeAsk,
    MalformedCallback,
    Method,
    OrderAsk,
    ProviderFact,
    RefundAsk,
    State,
)
from fairwatt.payments.exchange import Exchange, Moment, ProviderRefused, ReplyNotBelieved, no_disputes
from fairwatt.payments.fields import Fields
from fairwatt.payments.mpesa import paybill
from fairwatt.payments.mpesa.asking import PROCESSING, MPesaAccount, answer, asked, password
from fairwatt.payments.unasked import Announced, Listed, Verdict

NAME: Final = "mpesa"
ABILITIES: Final = Abilities(
    methods=frozenset({Method.PUSH, Method.PAYBILL}), can=frozenset({Ability.BILL}), minor_digits={"KES": 2}
)
_PHONE: Final = re.compile(r"(?:\+?254|0)?([17][0-9]{8})")
_BUSY: Final = frozenset({"17", "26", "1001"})
_FAILED: Final = {
    "1": "not enough money",
    "1019": "expired",
    "1032": "cancelled by the payer",
    "1037": "the telephone could not be reached",
    "2001": "wrong PIN",
}


def telephone(typed: str) -> str:
    """A Kenyan number as M-Pesa writes it, `2547…`. Raises ValueError."""
    found = _PHONE.fullmatch(re.sub(r"[ ()-]", "", typed))
    if found is None:
        raise ValueError("it is no Kenyan telephone number")
    return f"254{found[1]}"


@dataclass(frozen=True, slots=True)
class MPesa:
    """One merchant account at M-Pesa."""

    account: MPesaAccount
    name: str = NAME

    @property
    def abilities(self) -> Abilities:
        """See PaymentProvider. Daraja answers reversals only by callbacks without a signature: none are offered."""
        return ABILITIES

    @property
    def callback_headers(self) -> frozenset[str]:
        """See PaymentProvider."""
        return frozenset()

    def create(self, *, order: OrderAsk, at: Moment) -> Exchange[Action]:
        """See PaymentProvider. Whole shillings only."""
        shillings, cents = divmod(order.amount_minor, 100)
        if cents:
            raise ProviderRefused("M-Pesa takes whole shillings; nothing was asked", reason="cents")
        try:
            payer = telephone(order.payer)
        except ValueError:
            raise ProviderRefused(
                "this is no Kenyan telephone number; nothing was asked", reason="phone"
            ) from None
        content: dict[str, object] = {
            **password(self.account, at),
            "TransactionType": "CustomerBuyGoodsOnline" if self.account.till else "CustomerPayBillOnline",
            "Amount": shillings,
            "PartyA": payer,
            "PartyB": self.account.short_code,
            "PhoneNumber": payer,
            "CallBackURL": order.notify_url,
            "AccountReference": order.our_ref[: paybill.REF_CHARS],
            "TransactionDesc": order.subject[:13],
        }
        reply = yield from asked(self.account, "/mpesa/stkpush/v1/processrequest", content)
        said = answer(reply)
        if said.word("ResponseCode") != "0":
            raise ProviderRefused(
                "M-Pesa did not take the order; nothing was asked", reason=said.word("ResponseCode")
            )
        number = said.word("CheckoutRequestID")
        page = f"{self.account.checkout}/{number}" if self.account.checkout else ""
        return Action(method=Method.PUSH, url=page, provider_order=number)

    def query(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider. Without the number of a push nothing can be asked; the bill decides then."""
        if not order.provider_order:
            return self._stands(order, State.UNKNOWN, "no_number", at)
        content = {**password(self.account, at), "CheckoutRequestID": order.provider_order}
        reply = yield from asked(
            self.account, "/mpesa/stkpushquery/v1/query", content, answers=frozenset({500})
        )
        said = Fields.of_json(reply.body, wrong=ReplyNotBelieved)
        if said.maybe("errorCode") == PROCESSING:
            return self._stands(order, State.PENDING, "processing", at)
        said = answer(reply)
        if said.word("CheckoutRequestID") != order.provider_order:
            raise ReplyNotBelieved("M-Pesa answered about another push")
        code = said.word("ResultCode")
        if code in _BUSY:
            return self._stands(order, State.PENDING, code, at)
        if code != "0":
            return self._stands(order, State.FAILED, code, at)
        # The amount is the one we asked for: a payer cannot change it on the telephone.
        return self._stands(order, State.SUCCEEDED, code, at, raw=reply.body)

    def close(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider. A push ends by itself within a minute or so; how it ended can be asked."""
        return self.query(order=order, at=at)

    def refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        raise _no_refunds()
        yield

    def query_refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        raise _no_refunds()
        yield

    def query_dispute(self, *, dispute: DisputeAsk, at: Moment) -> Exchange[ProviderFact]:
        """See PaymentProvider."""
        return no_disputes("M-PESA")

    def fetch_bill(self, *, day: str, kind: BillKind, at: Moment) -> Exchange[Bill]:
        """See PaymentProvider. The pull API gives the last 48 hours, page by page; amounts are gross."""
        start_us = wall_us(f"{day} 00:00:00", zone=NAIROBI)
        until_us = start_us + US_PER_DAY - US_PER_SECOND
        found, raw, answered = yield from paybill.pulled(self.account, since_us=start_us, until_us=until_us)
        if not answered:
            raise BillNotReady(f"M-Pesa has no list of {day} yet")
        rows = tuple(paybill.bill_row(one, self.account.currency) for one in found)
        return Bill(day=day, kind=kind, rows=rows, raw_sha256=sha256(raw).hexdigest(), raw=raw)

    def health(self, *, at: Moment) -> Exchange[bool]:
        """See PaymentProvider. The login, and that a question about no push is understood."""
        yield from asked(self.account, "/mpesa/stkpushquery/v1/query", {}, answers=frozenset({500}))
        return True

    def parse_callback(
        self, *, headers: Mapping[str, str], body: bytes, now_us: int | None, hint_ref: str = ""
    ) -> ProviderFact:
        """See PaymentProvider. Worth a question and nothing else."""
        said = Fields.of_json(body, wrong=MalformedCallback).inner("Body").inner("stkCallback")
        number, code = said.word("CheckoutRequestID"), said.word("ResultCode")
        items = said.inner("CallbackMetadata").rows("Item") if "CallbackMetadata" in said else []
        told = {one.maybe("Name"): one.maybe("Value") for one in items}
        try:
            amount = minor_from_text(told.get("Amount") or "0", digits=2)
        except ValueError:
            raise MalformedCallback("its amount cannot be read; no money was moved") from None
        return ProviderFact(
            provider=NAME,
            state=State.SUCCEEDED if code == "0" else State.FAILED,
            our_ref=hint_ref,
            provider_ref=number,
            event_id=f"{number}:{code}",
            amount_minor=amount,
            currency="KES",
            occurred_at_us=now_us or 0,
            assurance=Assurance.HINT,
            payer_hint=told.get("MpesaReceiptNumber", ""),
            raw_sha256=sha256(body).hexdigest(),
            detail=code,
        )

    def ack(self, *, refused: CallbackRejected | None) -> Ack:
        """See PaymentProvider. Another answer may lose a callback for ever: what is dropped is thanked for, too."""
        return Ack(200, json.dumps({"ResultCode": 0, "ResultDesc": "Accepted"}).encode(), "application/json")

    # --- payments that a payer begins on the telephone (payments.unasked) --------------------------------------

    @property
    def shop(self) -> str:
        """See TakesUnasked. A till is paid without an account number, so nobody's home can be named there."""
        return "" if self.account.till else self.account.short_code

    def parse_announced(self, *, body: bytes) -> Announced:
        """See TakesUnasked."""
        return paybill.parse_announced(body, currency=self.account.currency)

    def answer_check(self, *, verdict: Verdict) -> Ack:
        """See TakesUnasked."""
        return paybill.answer_check(verdict)

    def listen(self, *, check_url: str, tell_url: str, at: Moment) -> Exchange[bool]:
        """See TakesUnasked."""
        return paybill.listen(self.account, check_url=check_url, tell_url=tell_url)

    def listed(self, *, since_us: int, until_us: int, at: Moment) -> Exchange[Listed]:
        """See TakesUnasked. M-Pesa keeps 48 hours."""
        return paybill.listed(self.account, since_us=since_us, until_us=until_us)

    def _stands(
        self, order: OrderAsk, state: State, word: str, at: Moment, *, raw: bytes = b""
    ) -> ProviderFact:
        return ProviderFact(
            provider=NAME,
            state=state,
            our_ref=order.our_ref,
            provider_ref=order.provider_order,
            event_id=f"{order.provider_order or order.our_ref}:{word}",
            amount_minor=order.amount_minor,
            currency=order.currency,
            occurred_at_us=at.now_us,
            assurance=Assurance.QUERIED,
            raw_sha256=sha256(raw).hexdigest(),
            detail=_FAILED.get(word, word),
        )


def _no_refunds() -> ProviderRefused:
    return ProviderRefused(
        "M-Pesa confirms a reversal to nobody who asks, so none is made here; nothing was done. Pay it out at the "
        "window or by transfer",
        reason="not_supported",
    )

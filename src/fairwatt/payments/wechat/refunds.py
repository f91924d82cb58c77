"""Refunds at WeChat Pay. The answer to asking is "accepted"; a failed one is asked again under the SAME number."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from fairwatt.payments.clocks import rfc3339_us
from fairwatt.payments.contract import Assurance, Kind, ProviderFact, RefundAsk, State
from fairwatt.payments.exchange import Exchange, Moment, NotFound
from fairwatt.payments.fields import Fields
from fairwatt.payments.wechat.orders import NAME, refused
from fairwatt.payments.wechat.signing import WechatAccount, believed, signed_ask

_REFUNDS: Final = "/v3/refund/domestic/refunds"
_STATES: Final = {
    "SUCCESS": State.SUCCEEDED,
    "PROCESSING": State.PENDING,
    "CLOSED": State.CLOSED,
    "ABNORMAL": State.ABNORMAL,
}


def refund(account: WechatAccount, ask: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
    """Ask for money back to the payer."""
    content: dict[str, Any] = {
        # By its own number: an order that was paid twice is two payments.
        **({"transaction_id": ask.provider_ref} if ask.provider_ref else {"out_trade_no": ask.our_ref}),
        "out_refund_no": ask.refund_ref,
        "reason": ask.reason[:80],
        "amount": {"refund": ask.amount_minor, "total": ask.paid_minor, "currency": ask.currency},
    }
    if ask.notify_url:
        content["notify_url"] = ask.notify_url
    reply = yield signed_ask(account, "POST", _REFUNDS, content, at)
    said = believed(account, reply)
    if reply.status != 200:
        raise refused(reply, said)
    return fact(said, reply.body, Assurance.QUERIED, at_us=at.now_us)


def query_refund(account: WechatAccount, ask: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
    """How a refund stands."""
    reply = yield signed_ask(account, "GET", f"{_REFUNDS}/{quote(ask.refund_ref)}", None, at)
    said = believed(account, reply)
    try:
        if reply.status != 200:
            raise refused(reply, said)
    except NotFound:
        return ProviderFact(
            provider=NAME,
            kind=Kind.REFUND,
            state=State.UNKNOWN,
            our_ref=ask.our_ref,
            provider_ref="",
            refund_ref=ask.refund_ref,
            event_id=f"{ask.refund_ref}:RESOURCE_NOT_EXISTS",
            amount_minor=ask.amount_minor,
            currency=ask.currency,
            occurred_at_us=at.now_us,
            assurance=Assurance.QUERIED,
            detail="RESOURCE_NOT_EXISTS",
        )
    return fact(said, reply.body, Assurance.QUERIED, at_us=at.now_us)


def fact(said: Fields, raw: bytes, assurance: Assurance, *, at_us: int, event_id: str = "") -> ProviderFact:
    """A refund as WeChat writes it: `status` in an answer, `refund_status` in a callback."""
    word = said.word("refund_status" if "refund_status" in said else "status")
    amount = said.inner("amount")
    occurred_us = said.parsed("success_time", rfc3339_us) if "success_time" in said else at_us
    return ProviderFact(
        provider=NAME,
        kind=Kind.REFUND,
        state=_STATES.get(word, State.PENDING),
        our_ref=said.word("out_trade_no"),
        provider_ref=said.word("refund_id"),
        refund_ref=said.word("out_refund_no"),
        event_id=event_id or f"{said.word('refund_id')}:{word}",
        amount_minor=amount.whole("refund"),
        currency=amount.maybe("currency") or "CNY",
        occurred_at_us=occurred_us,
        assurance=assurance,
        raw_sha256=sha256(raw).hexdigest(),
        detail=word,
    )

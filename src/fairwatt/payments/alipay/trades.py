"""Trades at Alipay: made, asked for, closed, paid back; and what a notification is really about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from fairwatt.payments.alipay.signing import AlipayAccount, believed, signed_ask, signed_url
from fairwatt.payments.amounts import minor_from_text, text_from_minor
from fairwatt.payments.clocks import BEIJING, wall, wall_us
from fairwatt.payments.contract import (
    Action,
    Assurance,
    Kind,
    Method,
    OrderAsk,
    ProviderFact,
    RefundAsk,
    State,
)
from fairwatt.payments.exchange import Exchange, Moment, NotFound, ProviderBusy, ProviderRefused
from fairwatt.payments.fields import Fields
from fairwatt.payments.standing import stands

NAME: Final = "alipay"
_STATES: Final = {
    "WAIT_BUYER_PAY": State.PENDING,
    "TRADE_SUCCESS": State.SUCCEEDED,
    "TRADE_FINISHED": State.SUCCEEDED,
    "TRADE_CLOSED": State.CLOSED,
}
_BUSY: Final = frozenset({"ACQ.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR", "isp.unknow-error"})


def create(account: AlipayAccount, order: OrderAsk, at: Moment) -> Exchange[Action]:
    """Make the trade in the way it is to be paid."""
    content: dict[str, Any] = {
        "out_trade_no": order.our_ref,
        "total_amount": text_from_minor(order.amount_minor, digits=2),
        "subject": order.subject[:120],
        "seller_id": account.seller_id,
    }
    if order.method is Method.SCAN:
        content |= {"scene": "bar_code", "auth_code": order.payer, "product_code": "FACE_TO_FACE_PAYMENT"}
        said, raw = yield from _ask(account, "alipay.trade.pay", content, at, waiting=("10003",))
        if said.maybe("code") == "10003":
            return Action(method=Method.SCAN)  # the payer types a PIN now: ask how it stands
        return Action(method=Method.SCAN, settled=_paid_at_window(said, raw, at))
    content["time_expire"] = wall(order.expires_us, zone=BEIJING)
    if order.method is Method.QR:
        said, _ = yield from _ask(account, "alipay.trade.precreate", content, at, notify_url=order.notify_url)
        return Action(method=Method.QR, url=said.text("qr_code"))
    # The payer's browser carries this question itself; nobody has to be asked first.
    method, product = (
        ("alipay.trade.wap.pay", "QUICK_WAP_WAY")
        if order.on_phone
        else ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY")
    )
    content["product_code"] = product
    url = signed_url(account, method, content, at, notify_url=order.notify_url, return_url=order.return_url)
    return Action(method=Method.REDIRECT, url=url)


def query(account: AlipayAccount, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
    """How the trade stands. A code nobody scanned yet is no trade at Alipay: UNKNOWN, and still payable."""
    try:
        said, raw = yield from _ask(account, "alipay.trade.query", {"out_trade_no": order.our_ref}, at)
    except NotFound:
        return stands(NAME, order, State.UNKNOWN, "ACQ.TRADE_NOT_EXIST", at)
    word = said.word("trade_status")
    paid_us = said.parsed("send_pay_date", _beijing_us) if "send_pay_date" in said else at.now_us
    return _payment(
        said,
        raw,
        word=word,
        # TRADE_CLOSED after a payment: it was given back whole. The payment happened all the same.
        state=State.SUCCEEDED if word == "TRADE_CLOSED" and "send_pay_date" in said else _STATES.get(word),
        amount=said.parsed("total_amount", _fen),
        occurred_us=paid_us,
        assurance=Assurance.QUERIED,
        event_id=f"{said.word('trade_no')}:{word}",
    )


def close(account: AlipayAccount, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
    """Let it be payable no more."""
    try:
        yield from _ask(account, "alipay.trade.close", {"out_trade_no": order.our_ref}, at)
    except NotFound:
        return stands(NAME, order, State.CLOSED, "ACQ.TRADE_NOT_EXIST", at)
    except ProviderRefused as refused:
        if refused.reason not in ("ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID"):
            raise
        return (yield from query(account, order, at))
    return stands(NAME, order, State.CLOSED, "TRADE_CLOSED", at)


def refund(account: AlipayAccount, ask: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
    """Ask for money back; only `fund_change=Y` is success, anything else is asked for again."""
    content = {
        **_trade(ask),
        "out_request_no": ask.refund_ref,
        "refund_amount": text_from_minor(ask.amount_minor, digits=2),
        "refund_reason": ask.reason[:80],
    }
    said, raw = yield from _ask(account, "alipay.trade.refund", content, at)
    done = said.maybe("fund_change") == "Y"
    return _refund(ask, State.SUCCEEDED if done else State.PENDING, said.word("trade_no"), raw, at)


def query_refund(account: AlipayAccount, ask: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
    """How a refund stands."""
    content = {**_trade(ask), "out_request_no": ask.refund_ref}
    try:
        said, raw = yield from _ask(account, "alipay.trade.fastpay.refund.query", content, at)
    except NotFound:
        return _refund(ask, State.UNKNOWN, "", b"", at)
    if "refund_amount" not in said:
        return _refund(ask, State.UNKNOWN, "", raw, at)  # an empty success: Alipay knows no such refund
    done = said.maybe("refund_status") == "REFUND_SUCCESS"
    ask = replace(
        ask, amount_minor=said.parsed("refund_amount", _fen)
    )  # one that was made there was never asked
    return _refund(ask, State.SUCCEEDED if done else State.PENDING, said.maybe("trade_no"), raw, at)


def _trade(ask: RefundAsk) -> dict[str, str]:
    """The payment, by its own number: an order that was paid twice is two."""
    return {"trade_no": ask.provider_ref} if ask.provider_ref else {"out_trade_no": ask.our_ref}


def notified(told: Mapping[str, str], said: Fields, raw: bytes) -> ProviderFact:
    """What a notification is about.

    A partial refund is told with `trade_status=TRADE_SUCCESS` to the address of the payment, and months later comes
    TRADE_FINISHED: what has fields of a refund is one, and a payment is one by its `trade_no`, told as often as it may.
    """
    word, event_id = said.word("trade_status"), said.word("notify_id")
    if told.get("refund_fee") or told.get("gmt_refund"):
        at_us = said.parsed("gmt_refund", _beijing_us) if told.get("gmt_refund") else 0
        return ProviderFact(
            provider=NAME,
            kind=Kind.REFUND,
            our_ref=said.word("out_trade_no"),
            provider_ref=f"{said.word('trade_no')}:{told.get('out_biz_no') or said.word('out_trade_no')}",
            refund_ref=said.maybe("out_biz_no"),
            event_id=event_id,
            amount_minor=said.parsed("refund_fee", _fen) if told.get("refund_fee") else 0,
            currency="CNY",
            occurred_at_us=at_us,
            assurance=Assurance.SIGNED,
            raw_sha256=sha256(raw).hexdigest(),
            detail=word,
        )
    paid_us = said.parsed("gmt_payment", _beijing_us) if told.get("gmt_payment") else 0
    return _payment(
        said,
        raw,
        word=word,
        state=_STATES.get(word),
        amount=said.parsed("total_amount", _fen),
        occurred_us=paid_us,
        assurance=Assurance.SIGNED,
        event_id=event_id,
    )


def _payment(
    said: Fields,
    raw: bytes,
    *,
    word: str,
    state: State | None,
    amount: int,
    occurred_us: int,
    assurance: Assurance,
    event_id: str,
) -> ProviderFact:
    return ProviderFact(
        provider=NAME,
        state=state or State.PENDING,
        our_ref=said.word("out_trade_no"),
        provider_ref=said.word("trade_no"),
        event_id=event_id,
        amount_minor=amount,
        currency="CNY",
        occurred_at_us=occurred_us,
        assurance=assurance,
        payer_hint=said.maybe("buyer_logon_id"),
        raw_sha256=sha256(raw).hexdigest(),
        detail=word,
    )


def _paid_at_window(said: Fields, raw: bytes, at: Moment) -> ProviderFact:
    return _payment(
        said,
        raw,
        word="TRADE_SUCCESS",
        state=State.SUCCEEDED,
        amount=said.parsed("total_amount", _fen),
        occurred_us=said.parsed("gmt_payment", _beijing_us) if "gmt_payment" in said else at.now_us,
        assurance=Assurance.QUERIED,
        event_id=f"{said.word('trade_no')}:TRADE_SUCCESS",
    )


def _refund(ask: RefundAsk, state: State, trade_no: str, raw: bytes, at: Moment) -> ProviderFact:
    return ProviderFact(
        provider=NAME,
        kind=Kind.REFUND,
        state=state,
        our_ref=ask.our_ref,
        # Alipay numbers no refunds: the trade and our number of it are the name.
        provider_ref=f"{trade_no}:{ask.refund_ref}" if trade_no else "",
        refund_ref=ask.refund_ref,
        event_id=f"{ask.refund_ref}:{state}",
        amount_minor=ask.amount_minor,
        currency="CNY",
        occurred_at_us=at.now_us,
        assurance=Assurance.QUERIED,
        raw_sha256=sha256(raw).hexdigest(),
    )


def _ask(
    account: AlipayAccount,
    method: str,
    content: Mapping[str, Any],
    at: Moment,
    *,
    waiting: tuple[str, ...] = (),
    notify_url: str = "",
) -> Exchange[tuple[Fields, bytes]]:
    """The inner object of a successful answer, and the raw answer. Raises ProviderTrouble for any other."""
    reply = yield signed_ask(account, method, content, at, notify_url=notify_url)
    said = believed(account, method, reply, at)
    code, reason = said.maybe("code"), said.maybe("sub_code")
    if code == "10000" or code in waiting:
        return said, reply.body
    if code == "20000" or reason in _BUSY:
        raise ProviderBusy(f"Alipay cannot answer now ({code} {reason}); it may or may not be done")
    words = f"Alipay refused it ({code} {reason}); nothing was done"
    if reason in ("ACQ.TRADE_NOT_EXIST", "TRADE_NOT_EXIST"):
        raise NotFound(words, reason=reason)
    raise ProviderRefused(words, reason=reason or code)


def _fen(yuan: str) -> int:
    return minor_from_text(yuan, digits=2)


def _beijing_us(text: str) -> int:
    return wall_us(text[:19], zone=BEIJING)

"""Orders at WeChat Pay: made, asked for, closed; and what it says of one, as a fact."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote, urlencode

from fairwatt.payments.clocks import rfc3339, rfc3339_us
from fairwatt.payments.contract import Action, Assurance, Method, OrderAsk, ProviderFact, State
from fairwatt.payments.exchange import (
    Exchange,
    HttpAsk,
    HttpReply,
    Moment,
    NotFound,
    ProviderBusy,
    ProviderRefused,
    ReplyNotBelieved,
)
from fairwatt.payments.fields import Fields
from fairwatt.payments.keyring import rsa_signed
from fairwatt.payments.standing import stands
from fairwatt.payments.wechat.signing import WechatAccount, acting, believed, signed_ask

NAME: Final = "wechat"
_ORDERS: Final = "/v3/pay/transactions"
_PATHS: Final = {Method.JSAPI: "jsapi", Method.QR: "native", Method.SCAN: "codepay"}
_STATES: Final = {
    "SUCCESS": State.SUCCEEDED,
    "REFUND": State.SUCCEEDED,  # it was paid; that some of it went back is another fact
    "NOTPAY": State.PENDING,
    "USERPAYING": State.PENDING,
    "ACCEPT": State.PENDING,
    "CLOSED": State.CLOSED,
    "REVOKED": State.CLOSED,
    "PAYERROR": State.FAILED,
}
_BUSY: Final = frozenset({"SYSTEM_ERROR", "SYSTEMERROR", "FREQUENCY_LIMITED", "BANK_ERROR", "BANKERROR"})
_UNKNOWN: Final = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"})
PAID: Final = frozenset({"ORDERPAID", "ORDER_PAID"})
PAYING: Final = frozenset({"USERPAYING", "USER_PAYING"})
_LOGIN: Final = "code:"


def create(account: WechatAccount, order: OrderAsk, at: Moment) -> Exchange[Action]:
    """Make the order in the way it is to be paid."""
    content: dict[str, Any] = {
        "appid": account.app_id,
        "mchid": account.mch_id,
        "description": order.subject[:60],
        "out_trade_no": order.our_ref,
        "amount": {"total": order.amount_minor, "currency": order.currency},
    }
    if order.method is Method.SCAN:
        content["payer"] = {"auth_code": order.payer}
        content["scene_info"] = {"store_info": {"id": "window"}}
    else:
        content["notify_url"] = order.notify_url
        content["time_expire"] = rfc3339(order.expires_us)
    if order.method is Method.JSAPI:
        openid = order.payer
        if openid.startswith(_LOGIN):
            openid = yield from _openid(account, openid.removeprefix(_LOGIN))
        content["payer"] = {"openid": openid}
    reply = yield signed_ask(account, "POST", f"{_ORDERS}/{_PATHS[order.method]}", content, at)
    said = believed(account, reply)
    if order.method is Method.SCAN:
        return _scanned(account, order, reply, said, at)
    if reply.status != 200:
        raise refused(reply, said)
    if order.method is Method.QR:
        return Action(method=Method.QR, url=said.text("code_url"))
    prepay_id = said.word("prepay_id")
    page = f"{account.checkout}/{prepay_id}" if account.checkout else ""
    return Action(method=Method.JSAPI, url=page, sheet=sheet(account, prepay_id, at))


def sheet(account: WechatAccount, prepay_id: str, at: Moment) -> dict[str, str]:
    """What the page hands to `WeixinJSBridge` or `wx.requestPayment`, signed with the merchant's key."""
    stamp, nonce, package = str(at.now_us // 1_000_000), at.nonce[:32], f"prepay_id={prepay_id}"
    text = f"{account.app_id}\n{stamp}\n{nonce}\n{package}\n".encode()
    return {
        "appId": account.app_id,
        "timeStamp": stamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": rsa_signed(key=acting(account), text=text),
    }


def login_url(account: WechatAccount, *, back: str, state: str) -> str:
    """Where the browser inside WeChat goes to learn a code of who pays; it comes back with `code` and `state`."""
    asked = {
        "appid": account.app_id,
        "redirect_uri": back,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": state,
    }
    return f"{account.login_page}?{urlencode(asked)}#wechat_redirect"


def _openid(account: WechatAccount, code: str) -> Exchange[str]:
    """Who the payer is to this official account; WeChat does not sign this answer, TLS is all there is."""
    asked = {
        "appid": account.app_id,
        "secret": account.app_secret,
        "code": code,
        "grant_type": "authorization_code",
    }
    reply = yield HttpAsk(
        method="GET", url=f"{account.login_gateway}/sns/oauth2/access_token?{urlencode(asked)}"
    )
    said = Fields.of_json(reply.body, wrong=ReplyNotBelieved)
    if "openid" not in said:
        raise ProviderRefused(
            "WeChat does not know who wants to pay; nothing was asked of them. Start the payment again",
            reason=said.maybe("errcode") or "no_openid",
        )
    return said.word("openid")


def _scanned(account: WechatAccount, order: OrderAsk, reply: HttpReply, said: Fields, at: Moment) -> Action:
    code = said.maybe("code")
    if reply.status == 202 or code in PAYING:
        return Action(method=Method.SCAN)  # the payer types a PIN now: ask how it stands
    if reply.status != 200:
        raise refused(reply, said)
    return Action(method=Method.SCAN, settled=fact(account, said, reply.body, Assurance.QUERIED, order, at))


def query(account: WechatAccount, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
    """How the order stands."""
    path = f"{_ORDERS}/out-trade-no/{quote(order.our_ref)}?mchid={quote(account.mch_id)}"
    reply = yield signed_ask(account, "GET", path, None, at)
    said = believed(account, reply)
    try:
        if reply.status != 200:
            raise refused(reply, said)
    except NotFound:
        return stands(NAME, order, State.UNKNOWN, "ORDER_NOT_EXIST", at)
    return fact(account, said, reply.body, Assurance.QUERIED, order, at)


def close(account: WechatAccount, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
    """Let it be payable no more.

    At the window that takes the order back, should it be paid in that very moment; what is paid already stays paid.
    """
    if order.method is Method.SCAN:
        known = yield from query(account, order, at)
        if known.state not in (State.PENDING, State.UNKNOWN):
            return known
    deed = "reverse" if order.method is Method.SCAN else "close"
    content = {"mchid": account.mch_id, **({"appid": account.app_id} if deed == "reverse" else {})}
    path = f"{_ORDERS}/out-trade-no/{quote(order.our_ref)}/{deed}"
    reply = yield signed_ask(account, "POST", path, content, at)
    said = believed(account, reply)
    if reply.status in (200, 204):
        return stands(NAME, order, State.CLOSED, "CLOSED", at)
    if said.maybe("code") in PAID:
        return (yield from query(account, order, at))
    try:
        raise refused(reply, said)
    except NotFound:
        return stands(NAME, order, State.UNKNOWN, "ORDER_NOT_EXIST", at)


def fact(
    account: WechatAccount,
    said: Fields,
    raw: bytes,
    assurance: Assurance,
    order: OrderAsk | None,
    at: Moment | None,
    event_id: str = "",
) -> ProviderFact:
    """A transaction as WeChat writes it, about a merchant that must be this one."""
    if (said.word("mchid"), said.word("appid")) != (account.mch_id, account.app_id):
        raise ReplyNotBelieved("the answer is about another merchant")
    word = said.word("trade_state")
    state = _STATES.get(word, State.PENDING)
    paid = state is State.SUCCEEDED
    amount = said.inner("amount") if "amount" in said else None
    amount_minor = received(said) if paid else order.amount_minor if order else 0
    currency = amount.maybe("currency") if amount is not None else ""
    occurred_us = said.parsed("success_time", rfc3339_us) if paid else at.now_us if at else 0
    number = said.word("transaction_id") if paid else said.maybe("transaction_id")
    return ProviderFact(
        provider=NAME,
        state=state,
        our_ref=said.word("out_trade_no"),
        provider_ref=number,
        event_id=event_id or f"{number}:{word}",
        amount_minor=amount_minor,
        currency=currency or "CNY",
        occurred_at_us=occurred_us,
        assurance=assurance,
        payer_hint=said.inner("payer").maybe("openid") if "payer" in said else "",
        raw_sha256=sha256(raw).hexdigest(),
        detail=word,
    )


def received(said: Fields) -> int:
    """What the merchant gets, in fen: `total` less the vouchers that nobody paid for.

    A payer may pay less than `total` by a voucher. One that WeChat or a sponsor funded (`CASH`) reaches the merchant
    all the same; one that nobody funded (`NOCASH`) does not. A difference that no voucher explains is not received.
    """
    amount = said.inner("amount")
    total = amount.whole("total")
    payer_total = amount.whole("payer_total") if "payer_total" in amount else total
    vouchers = said.rows("promotion_detail")
    explained = sum(one.whole("amount") for one in vouchers)
    unfunded = sum(one.whole("amount") for one in vouchers if one.maybe("type") == "NOCASH")
    if total - payer_total > explained:
        return payer_total
    return total - unfunded


def refused(reply: HttpReply, said: Fields) -> Exception:
    """What an answer that is no success means."""
    code = said.maybe("code") or str(reply.status)
    words = f"WeChat Pay refused it ({reply.status} {code}); nothing was done"
    if code in _BUSY or reply.status >= 500 or reply.status == 429:
        return ProviderBusy(f"WeChat Pay cannot answer now ({code}); it may or may not be done")
    if code in _UNKNOWN or reply.status == 404:
        return NotFound(words, reason=code)
    return ProviderRefused(words, reason=code)

"""What we sign, others' libraries make byte for byte; what they sign, we believe; nobody believes a changed byte."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import stripe as stripe_sdk
from alipay import AliPay
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwatt.payments.alipay import Alipay
from fairwatt.payments.alipay.signing import parameters, sorted_text
from fairwatt.payments.alipay.signing import signed_ask as alipay_ask
from fairwatt.payments.amounts import minor_from_text, text_from_minor
from fairwatt.payments.clocks import BEIJING, wall
from fairwatt.payments.contract import (
    BadCallbackSignature,
    CallbackRejected,
    Kind,
    Method,
    State,
)
from fairwatt.payments.exchange import HttpAsk, HttpReply, ReplyNotBelieved
from fairwatt.payments.stripe import Stripe
from fairwatt.payments.stripe.signing import signed_at_s
from payments import shops
from payments.shops import AT, NOW_US

STAMP = str(NOW_US // 1_000_000)


# --- Alipay -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def their_alipay() -> Any:
    """Their library, as Alipay: it signs with the platform's key and verifies with the merchant's."""
    return AliPay(
        appid="2021000122600001",
        app_notify_url=None,
        app_private_key_string=shops.private_pem("platform"),
        alipay_public_key_string=shops.public_pem("merchant"),
        sign_type="RSA2",
    )


def notice(their_alipay: Any, **more: str) -> bytes:
    said = {
        "app_id": "2021000122600001",
        "seller_id": "2088102146225135",
        "notify_id": "ac05099524730693a8b330c5ecf72da9786",
        "notify_time": wall(NOW_US, zone=BEIJING),
        "out_trade_no": "0f0e0d0c0b0a09080706050403020100",
        "trade_no": "2026112221001004330000000001",
        "trade_status": "TRADE_SUCCESS",
        "total_amount": "12.34",
        "gmt_payment": wall(NOW_US, zone=BEIJING),
        "subject": "电费 0101 & more",
        **more,
    }
    text = "&".join(f"{name}={value}" for name, value in sorted(said.items()))
    return urlencode({**said, "sign": their_alipay._sign(text), "sign_type": "RSA2"}).encode()


def test_our_parameters_are_signed_as_their_library_signs() -> None:
    ours = parameters(shops.alipay(), "alipay.trade.query", {"out_trade_no": "x"}, AT)
    theirs = AliPay(
        appid="2021000122600001",
        app_notify_url=None,
        app_private_key_string=shops.private_pem("merchant"),
        alipay_public_key_string=shops.public_pem("platform"),
        sign_type="RSA2",
    )
    unsigned = {name: value for name, value in ours.items() if name != "sign"}
    assert ours["sign"] == theirs._sign(sorted_text(unsigned).decode())
    assert ours["timestamp"] == wall(NOW_US, zone=BEIJING)


def test_their_library_believes_our_question(their_alipay: Any) -> None:
    sent = dict(
        parse_qsl(alipay_ask(shops.alipay(), "alipay.trade.query", {"out_trade_no": "x"}, AT).body.decode())
    )
    signature = sent.pop("sign")
    assert their_alipay._verify(sorted_text(sent).decode(), signature)


def test_an_alipay_notification_of_their_signer_is_a_payment(their_alipay: Any) -> None:
    paid = Alipay(shops.alipay()).parse_callback(headers={}, body=notice(their_alipay), now_us=NOW_US)
    assert (paid.amount_minor, paid.currency, paid.kind, paid.moves_money) == (
        1234,
        "CNY",
        Kind.PAYMENT,
        True,
    )
    with_empty = notice(their_alipay, body="", passback_params="")
    assert Alipay(shops.alipay()).parse_callback(headers={}, body=with_empty, now_us=NOW_US).moves_money


@pytest.mark.parametrize(
    ("more", "kind", "state"),
    [
        (
            {"refund_fee": "2.34", "gmt_refund": "2026-11-22 18:00:00.123", "out_biz_no": "r1"},
            Kind.REFUND,
            "succeeded",
        ),
        ({"trade_status": "TRADE_FINISHED"}, Kind.PAYMENT, "succeeded"),
        ({"trade_status": "TRADE_CLOSED"}, Kind.PAYMENT, "closed"),
        (
            {"trade_status": "TRADE_CLOSED", "refund_fee": "12.34", "gmt_refund": "2026-11-22 18:00:00"},
            Kind.REFUND,
            "succeeded",
        ),
        ({"trade_status": "WAIT_BUYER_PAY"}, Kind.PAYMENT, "pending"),
    ],
)
def test_what_looks_like_a_payment_at_alipay_is_told_apart(
    their_alipay: Any, more: dict[str, str], kind: Kind, state: str
) -> None:
    said = Alipay(shops.alipay()).parse_callback(headers={}, body=notice(their_alipay, **more), now_us=NOW_US)
    assert (said.kind, said.state) == (kind, State(state))


def test_alipay_notifications_that_prove_nothing(their_alipay: Any) -> None:
    def code(body: bytes, now_us: int = NOW_US) -> str:
        with pytest.raises(CallbackRejected) as refused:
            Alipay(shops.alipay()).parse_callback(headers={}, body=body, now_us=now_us)
        return refused.value.code

    good = notice(their_alipay)
    assert code(good.replace(b"12.34", b"92.34")) == "bad_signature"
    assert code(good + b"&total_amount=99.00") == "bad_signature"
    assert code(b"\xff=1") == "bad_signature"
    assert code(notice(their_alipay, app_id="2021000000000000")) == "other_merchant"
    assert code(notice(their_alipay, seller_id="2088000000000000")) == "other_merchant"
    assert code(notice(their_alipay, total_amount="12.345")) == "malformed"
    assert code(good, now_us=NOW_US + 27 * 3_600_000_000) == "stale"


def test_alipays_answer_is_believed_by_the_bytes_between_its_braces(their_alipay: Any) -> None:
    inner = '{"code": "10000","msg":"Success" ,"out_trade_no":"x","trade_no":"2026","trade_status":"WAIT_BUYER_PAY",'
    inner += '"total_amount":"12.34","subject":"a } brace \\" and 电"}'

    def answer(_: HttpAsk) -> HttpReply:
        sign = their_alipay._sign(inner)
        body = f'{{"alipay_trade_query_response": {inner},"sign":"{sign}"}}'
        return HttpReply(status=200, body=body.encode())

    said, _ = shops.carried(Alipay(shops.alipay()).query(order=shops.order(), at=AT), answer)
    assert (said.state, said.amount_minor) == (State.PENDING, 1234)
    with pytest.raises(ReplyNotBelieved):
        shops.carried(
            Alipay(shops.alipay()).query(order=shops.order(), at=AT),
            lambda ask: HttpReply(status=200, body=answer(ask).body.replace(b"12.34", b"12.35")),
        )


def test_a_page_of_alipay_is_one_signed_address(their_alipay: Any) -> None:
    made, asked = shops.carried(
        Alipay(shops.alipay()).create(order=shops.order(method=Method.REDIRECT, on_phone=True), at=AT),
        lambda _: HttpReply(status=500),
    )
    assert not asked
    sent = dict(parse_qsl(urlsplit(made.url).query))
    signature = sent.pop("sign")
    assert their_alipay._verify(sorted_text(sent).decode(), signature)
    assert (sent["method"], json.loads(sent["biz_content"])["total_amount"]) == (
        "alipay.trade.wap.pay",
        "12.34",
    )


# --- Stripe -------------------------------------------------------------------------------------------------


def stripe_header(body: bytes, *secrets: str, stamp: str = STAMP) -> str:
    signed = [
        stripe_sdk.WebhookSignature._compute_signature(f"{stamp}.{body.decode()}", one) for one in secrets
    ]
    return ",".join([f"t={stamp}", *(f"v1={one}" for one in signed)])


def event(**more: Any) -> bytes:
    session = {
        "id": "cs_1",
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": "pi_1",
        "client_reference_id": "ref1",
        "amount_total": 1234,
        "currency": "usd",
    }
    whole = {
        "id": "evt_1",
        "type": "checkout.session.completed",
        "created": NOW_US // 1_000_000,
        "livemode": False,
        "data": {"object": session},
    }
    return json.dumps({**whole, **more}).encode()


def test_a_stripe_webhook_of_their_signer_is_a_hint_and_no_more() -> None:
    body = event()
    said = Stripe(shops.stripe()).parse_callback(
        headers={"Stripe-Signature": stripe_header(body, "whsec_other", "whsec_one")},
        body=body,
        now_us=NOW_US,
    )
    assert (said.our_ref, said.amount_minor, said.currency, said.provider_ref) == (
        "ref1",
        1234,
        "USD",
        "pi_1",
    )
    assert not said.moves_money


def test_stripe_webhooks_that_prove_nothing() -> None:
    def code(body: bytes, header: str, now_us: int = NOW_US) -> str:
        with pytest.raises(CallbackRejected) as refused:
            Stripe(shops.stripe()).parse_callback(
                headers={"Stripe-Signature": header}, body=body, now_us=now_us
            )
        return refused.value.code

    good = event()
    header = stripe_header(good, "whsec_one")
    assert code(good + b" ", header) == "bad_signature"
    assert code(good, stripe_header(good, "whsec_other")) == "bad_signature"
    assert code(good, "") == "bad_signature"
    assert code(good, header + ",t=1") == "bad_signature"
    for away_s in (301, -301):  # their library lets the future in
        assert code(good, header, NOW_US + away_s * 1_000_000) == "stale"
    for other in (event(livemode=True), event(account="acct_2")):
        assert code(other, stripe_header(other, "whsec_one")) == "other_merchant"


@settings(max_examples=50)
@given(body=st.binary(max_size=60), secret=st.text(st.characters(codec="ascii"), min_size=1, max_size=20))
def test_their_library_and_ours_agree_about_any_bytes(body: bytes, secret: str) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        return
    header = stripe_header(body, secret)
    assert signed_at_s(shops.stripe(webhook_secrets=(secret,)), header, body) == int(STAMP)
    with pytest.raises(BadCallbackSignature):
        signed_at_s(shops.stripe(webhook_secrets=(secret + "x",)), header, body)


# --- amounts ------------------------------------------------------------------------------------------------


@given(minor=st.integers(-(10**12), 10**12), digits=st.sampled_from([0, 2, 3]))
def test_an_amount_written_and_read_is_the_same(minor: int, digits: int) -> None:
    assert minor_from_text(text_from_minor(minor, digits=digits), digits=digits) == minor


def test_a_yen_is_not_a_hundred_of_anything() -> None:
    assert text_from_minor(500, digits=0) == "500"
    assert minor_from_text("1.5", digits=3) == 1500
    for text, digits in (("0.001", 2), ("1.5", 0), ("1e3", 2), ("", 2), ("NaN", 2), ("１２", 2)):
        with pytest.raises(ValueError):
            minor_from_text(text, digits=digits)

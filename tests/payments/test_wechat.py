"""What we sign, WeChat Pay's library makes byte for byte; what it signs, we believe; nobody believes a changed byte."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from wechatpayv3.utils import aes_decrypt, build_authorization
from wechatpayv3.utils import rsa_sign as wechat_sign

from fairwatt.payments.clocks import rfc3339
from fairwatt.payments.contract import (
    CallbackRejected,
    MalformedCallback,
    UnknownSigningKey,
)
from fairwatt.payments.exchange import HttpReply, ReplyNotBelieved
from fairwatt.payments.keyring import KeyRing, ProviderKey, rsa_signed
from fairwatt.payments.wechat import WechatPay
from fairwatt.payments.wechat.orders import create, received, sheet
from fairwatt.payments.wechat.signing import Fields, signed_ask
from payments import shops
from payments.shops import AT, KEY_ID, NOW_US

STAMP = str(NOW_US // 1_000_000)


# --- WeChat Pay ---------------------------------------------------------------------------------------------


def transaction(**more: Any) -> dict[str, Any]:
    return {
        "appid": "wxd678efh567hg6787",
        "mchid": "1230000109",
        "out_trade_no": "0f0e0d0c0b0a09080706050403020100",
        "transaction_id": "4200000000000001",
        "trade_state": "SUCCESS",
        "success_time": rfc3339(NOW_US),
        "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "amount": {"total": 1234, "payer_total": 1234, "currency": "CNY"},
        **more,
    }


def wechat_callback(
    inside: dict[str, Any],
    *,
    event: str = "TRANSACTION.SUCCESS",
    signer: str = "platform",
    serial: str = KEY_ID,
) -> tuple[dict[str, str], bytes]:
    """A callback sealed as WeChat does, signed by their own library's signer."""
    sealed = AESGCM(shops.API_KEY).encrypt(b"0123456789ab", json.dumps(inside).encode(), b"transaction")
    resource = {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode(),
        "nonce": "0123456789ab",
        "associated_data": "transaction",
        "original_type": "transaction",
    }
    body = json.dumps({"id": "EV-1", "event_type": event, "resource": resource}).encode()
    text = f"{STAMP}\n{shops.NONCE}\n{body.decode()}\n"
    headers = {
        "Wechatpay-Timestamp": STAMP,
        "Wechatpay-Nonce": shops.NONCE,
        "Wechatpay-Signature": wechat_sign(private_key=shops.key(signer), sign_str=text),
        "Wechatpay-Serial": serial,
    }
    return headers, body


def test_wechat_authorization_is_the_one_of_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    account, content = shops.wechat(), {"mchid": "1230000109", "description": "电费 0101"}
    ours = signed_ask(account, "POST", "/v3/pay/transactions/native?a=1", content, AT)
    monkeypatch.setattr("wechatpayv3.utils.time.time", lambda: NOW_US // 1_000_000)
    theirs = build_authorization(
        path="/v3/pay/transactions/native?a=1",
        method="POST",
        mchid=account.mch_id,
        serial_no=account.serial_no,
        private_key=shops.key("merchant"),
        data=ours.body.decode(),
        nonce_str=AT.nonce,
    )
    assert ours.headers["Authorization"] == theirs
    assert ours.headers["Wechatpay-Serial"] == KEY_ID


def test_the_sheet_of_wechat_is_signed_as_their_library_does() -> None:
    made = sheet(shops.wechat(), "wx201410272009395522657a690389285100", AT)
    text = f"{made['appId']}\n{made['timeStamp']}\n{made['nonceStr']}\n{made['package']}\n"
    assert made["paySign"] == wechat_sign(private_key=shops.key("merchant"), sign_str=text)


def test_a_wechat_callback_of_their_signer_is_a_payment() -> None:
    headers, body = wechat_callback(transaction())
    paid = WechatPay(shops.wechat()).parse_callback(headers=headers, body=body, now_us=NOW_US)
    assert (paid.our_ref, paid.amount_minor, paid.currency) == (
        "0f0e0d0c0b0a09080706050403020100",
        1234,
        "CNY",
    )
    assert (paid.event_id, paid.provider_ref, paid.moves_money) == ("EV-1", "4200000000000001", True)
    assert paid.occurred_at_us == NOW_US
    resource = json.loads(body)["resource"]
    opened = aes_decrypt(
        resource["nonce"], resource["ciphertext"], resource["associated_data"], shops.API_KEY.decode()
    )
    assert json.loads(opened) == transaction()


def refused_wechat(headers: dict[str, str], body: bytes, *, now_us: int = NOW_US, **account: Any) -> str:
    with pytest.raises(CallbackRejected) as refused:
        WechatPay(shops.wechat(**account)).parse_callback(headers=headers, body=body, now_us=now_us)
    return refused.value.code


def test_wechat_callbacks_that_prove_nothing() -> None:
    headers, body = wechat_callback(transaction())
    assert refused_wechat(headers, body.replace(b"EV-1", b"EV-2")) == "bad_signature"
    assert refused_wechat({**headers, "Wechatpay-Timestamp": "1"}, body) == "bad_signature"
    assert refused_wechat({}, body) == "bad_signature"
    assert refused_wechat({**headers, "Wechatpay-Serial": "zz not hex"}, body) == "unknown_key"
    assert refused_wechat(headers, body, now_us=NOW_US + 301_000_000) == "stale"
    assert refused_wechat(headers, body, now_us=NOW_US - 301_000_000) == "stale"
    assert refused_wechat(headers, body, api_key=b"x" * 32) == "malformed"
    probe = {**headers, "Wechatpay-Signature": "WECHATPAY/SIGNTEST/abc"}
    assert refused_wechat(probe, body) == "probe"
    assert refused_wechat(*wechat_callback(transaction(mchid="1900000001"))) == "other_merchant"
    assert refused_wechat(*wechat_callback(transaction(appid="wx0"))) == "other_merchant"
    assert refused_wechat(*wechat_callback(transaction(), event="COUPON.USE")) == "no_money"
    assert refused_wechat(*wechat_callback(transaction(out_trade_no="a\x00b"))) == "malformed"


def test_a_rotation_takes_the_old_key_and_the_new_one_in_one_day() -> None:
    until_us = NOW_US + 3_600_000_000
    ring = KeyRing(
        [
            ProviderKey("OLD", shops.key("old platform").public_key(), 0, until_us),
            ProviderKey(KEY_ID, shops.key("platform").public_key(), NOW_US - 1),
        ]
    )
    provider = WechatPay(shops.wechat(ring=ring))
    for signer, serial in (("old platform", "OLD"), ("platform", KEY_ID)):
        headers, body = wechat_callback(transaction(), signer=signer, serial=serial)
        assert provider.parse_callback(headers=headers, body=body, now_us=NOW_US).moves_money
    gone = KeyRing([ProviderKey("OLD", shops.key("old platform").public_key(), 0, NOW_US)])
    headers, body = wechat_callback(transaction(), signer="old platform", serial="OLD")
    with pytest.raises(UnknownSigningKey):
        WechatPay(shops.wechat(ring=gone)).parse_callback(headers=headers, body=body, now_us=NOW_US)


@pytest.mark.parametrize(
    ("amount", "vouchers", "fen"),
    [
        ({"total": 1000, "payer_total": 1000}, [], 1000),
        ({"total": 1000, "payer_total": 900}, [{"type": "CASH", "amount": 100}], 1000),
        ({"total": 1000, "payer_total": 900}, [{"type": "NOCASH", "amount": 100}], 900),
        ({"total": 1000, "payer_total": 900}, [], 900),
    ],
)
def test_what_the_merchant_receives_is_what_somebody_paid(
    amount: dict[str, int], vouchers: list[dict[str, Any]], fen: int
) -> None:
    said = Fields({"amount": amount, "promotion_detail": vouchers}, wrong=MalformedCallback)
    assert received(said) == fen


def wechat_reply(content: Any, *, status: int = 200, signer: str = "platform") -> HttpReply:
    body = json.dumps(content).encode()
    text = f"{STAMP}\nn\n".encode() + body + b"\n"
    headers = {
        "wechatpay-timestamp": STAMP,
        "wechatpay-nonce": "n",
        "wechatpay-signature": rsa_signed(key=shops.key(signer), text=text),
        "wechatpay-serial": KEY_ID,
    }
    return HttpReply(status=status, headers=headers, body=body)


def test_an_unsigned_answer_of_wechat_is_a_forged_one() -> None:
    account = shops.wechat()
    made, asked = shops.carried(
        create(account, shops.order(), AT),
        lambda _: wechat_reply({"code_url": "weixin://wxpay/bizpayurl?pr=x"}),
    )
    assert made.url == "weixin://wxpay/bizpayurl?pr=x"
    assert json.loads(asked[0].body)["amount"] == {"total": 1234, "currency": "CNY"}
    for reply in (
        HttpReply(status=200, body=b'{"code_url": "weixin://other"}'),
        wechat_reply({"code_url": "weixin://other"}, signer="merchant"),
    ):
        with pytest.raises(ReplyNotBelieved):
            shops.carried(create(account, shops.order(), AT), lambda _, said=reply: said)

"""Merchants with keys of their own, and the platforms' keys beside them, made once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from fairwatt.payments.alipay.signing import AlipayAccount
from fairwatt.payments.contract import Method, OrderAsk, RefundAsk
from fairwatt.payments.exchange import Exchange, HttpAsk, HttpReply, Moment
from fairwatt.payments.keyring import KeyRing, ProviderKey
from fairwatt.payments.mpesa.asking import MPesaAccount
from fairwatt.payments.stripe.signing import StripeAccount
from fairwatt.payments.wechat.signing import WechatAccount

NOW_US = 1_795_000_000_000_000
NONCE = "0123456789abcdef0123456789abcdef"
AT = Moment(now_us=NOW_US, nonce=NONCE)
API_KEY = b"an APIv3 key has 32 bytes of it."
KEY_ID = "PUB_KEY_ID_0114232134912410000000000000"


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """A key pair by name: `merchant`, `platform`, `old platform`."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(name: str) -> str:
    return key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(name: str) -> str:
    return key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def wechat(**more: Any) -> WechatAccount:
    said = {
        "app_id": "wxd678efh567hg6787",
        "mch_id": "1230000109",
        "ring": KeyRing([ProviderKey(KEY_ID, key("platform").public_key())]),
        "api_key": API_KEY,
        "public_key_id": KEY_ID,
        "serial_no": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
        "private_key": key("merchant"),
    }
    return WechatAccount(**{**said, **more})


def alipay(**more: Any) -> AlipayAccount:
    said = {
        "app_id": "2021000122600001",
        "seller_id": "2088102146225135",
        "ring": KeyRing([ProviderKey("alipay", key("platform").public_key())]),
        "private_key": key("merchant"),
    }
    return AlipayAccount(**{**said, **more})


def stripe(**more: Any) -> StripeAccount:
    said = {
        "account_id": "acct_1",
        "webhook_secrets": ("whsec_one",),
        "secret_key": "sk_test_one",
        "live": False,
    }
    return StripeAccount(**{**said, **more})


def mpesa(**more: Any) -> MPesaAccount:
    said = {"short_code": "174379", "consumer_key": "ck", "consumer_secret": "cs", "passkey": "pk"}
    return MPesaAccount(**{**said, **more})


def order(**more: Any) -> OrderAsk:
    said = {
        "our_ref": "0f0e0d0c0b0a09080706050403020100",
        "amount_minor": 12_34,
        "currency": "CNY",
        "method": Method.QR,
        "subject": "Electricity 0101",
        "notify_url": "https://fairwatt.example/pay/callback/x/1",
        "return_url": "https://fairwatt.example/pay/x/",
        "expires_us": NOW_US + 1_800_000_000,
    }
    return OrderAsk(**{**said, **more})


def refund(**more: Any) -> RefundAsk:
    said = {
        "our_ref": "0f0e0d0c0b0a09080706050403020100",
        "refund_ref": "r0f0e0d0c0b0a0908",
        "provider_ref": "4200001",
        "amount_minor": 2_34,
        "paid_minor": 12_34,
        "currency": "CNY",
        "reason": "moved out",
    }
    return RefundAsk(**{**said, **more})


def carried[T](exchange: Exchange[T], answer: Callable[[HttpAsk], HttpReply]) -> tuple[T, list[HttpAsk]]:
    """Carry an exchange by hand; also the questions it asked."""
    asked: list[HttpAsk] = []
    try:
        ask = next(exchange)
        while True:
            asked.append(ask)
            ask = exchange.send(answer(ask))
    except StopIteration as done:
        return done.value, asked

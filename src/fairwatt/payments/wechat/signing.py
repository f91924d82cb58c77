"""How WeChat Pay APIv3 signs, both ways, and how it seals what a callback says.

Request: `METHOD\\nURL\\nTIMESTAMP\\nNONCE\\nBODY\\n` with the merchant's key. Answer and callback:
`TIMESTAMP\\nNONCE\\nBODY\\n` with WeChat's, over the raw bytes; which key, says `Wechatpay-Serial` (`PUB_KEY_ID_…`
or a certificate's number; in a switch-over both hold). Source: pay.weixin.qq.com, "APIv3 signatures".
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fairwatt.payments.contract import BadCallbackSignature, MalformedCallback, ProbeCallback
from fairwatt.payments.exchange import HttpAsk, HttpReply, Moment, ProviderTrouble, ReplyNotBelieved
from fairwatt.payments.fields import Fields
from fairwatt.payments.keyring import KeyRing, rsa_signed

GATEWAY: Final = "https://api.mch.weixin.qq.com"
SCHEME: Final = "WECHATPAY2-SHA256-RSA2048"
PROBE: Final = "WECHATPAY/SIGNTEST/"
HEADERS: Final = ("wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial")
API_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatAccount:
    """A merchant at WeChat Pay. `private_key` is held by the collector alone; who only reads has none."""

    app_id: str
    mch_id: str
    ring: KeyRing
    api_key: bytes = field(repr=False)
    public_key_id: str = ""
    """`PUB_KEY_ID_…` in public-key mode, sent along so that WeChat signs with that key"""
    serial_no: str = ""
    private_key: RSAPrivateKey | None = field(default=None, repr=False)
    app_secret: str = field(default="", repr=False)
    """of the official account, to learn a payer's openid from a login code"""
    gateway: str = GATEWAY
    login_gateway: str = "https://api.weixin.qq.com"
    login_page: str = "https://open.weixin.qq.com/connect/oauth2/authorize"
    checkout: str = ""
    """in a simulator: the page that stands for the app on the payer's telephone"""

    def __post_init__(self) -> None:
        if len(self.api_key) != API_KEY_BYTES:
            raise ValueError(f"the APIv3 key has {len(self.api_key)} bytes instead of {API_KEY_BYTES}")


def signed_ask(
    account: WechatAccount,
    method: Literal["GET", "POST"],
    path: str,
    content: Mapping[str, object] | None,
    at: Moment,
) -> HttpAsk:
    """A question with its `Authorization`. `path` begins with a slash, or is a whole address of a bill."""
    url = path if path.startswith("http") else account.gateway + path
    body = b"" if content is None else json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "Accept": "application/json",
        "Authorization": authorization(account, method, url, body, at),
        "User-Agent": "fairwatt",
    }
    if body:
        headers["Content-Type"] = "application/json"
    if account.public_key_id:
        headers["Wechatpay-Serial"] = account.public_key_id
    return HttpAsk(method=method, url=url, headers=headers, body=body)


def authorization(account: WechatAccount, method: str, url: str, body: bytes, at: Moment) -> str:
    """The value of the header of that name."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    stamp, nonce = str(at.now_us // 1_000_000), at.nonce[:32]
    text = f"{method}\n{target}\n{stamp}\n{nonce}\n".encode() + body + b"\n"
    signature = rsa_signed(key=acting(account), text=text)
    return (
        f'{SCHEME} mchid="{account.mch_id}",nonce_str="{nonce}",signature="{signature}",'
        f'timestamp="{stamp}",serial_no="{account.serial_no}"'
    )


def acting(account: WechatAccount) -> RSAPrivateKey:
    """The merchant's own key. Raises ProviderTrouble in a process that may only read."""
    if account.private_key is None:
        raise ProviderTrouble("this process does not hold the merchant's key; nothing was asked")
    return account.private_key


def signed_at_us(account: WechatAccount, headers: Mapping[str, str], body: bytes) -> int:
    """When WeChat signed these bytes. Raises CallbackRejected; never fetches a key."""
    found = {name.lower(): value for name, value in headers.items()}
    stamp, nonce, signature, serial = (found.get(name, "") for name in HEADERS)
    if signature.startswith(PROBE):
        raise ProbeCallback("WeChat Pay tests whether signatures are checked; it was counted, nothing else")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 13):
        raise BadCallbackSignature("the callback carries no time of its signature; no money was moved")
    at_us = int(stamp) * 1_000_000
    text = f"{stamp}\n{nonce}\n".encode() + body + b"\n"
    account.ring.verify(serial=serial, signature=signature, text=text, at_us=at_us)
    return at_us


def believed(account: WechatAccount, reply: HttpReply) -> Fields:
    """The content of an answer that WeChat signed. An unsigned answer is a forged one, whatever its status."""
    try:
        signed_at_us(account, reply.headers, reply.body)
    except (BadCallbackSignature, ProbeCallback) as wrong:
        raise ReplyNotBelieved(f"WeChat Pay did not sign its answer ({reply.status}): {wrong}") from None
    return Fields.of_json(reply.body or b"{}", wrong=ReplyNotBelieved)


def unsealed(account: WechatAccount, resource: Fields) -> bytes:
    """What a callback says, opened with the APIv3 key. Raises MalformedCallback."""
    if resource.word("algorithm") != "AEAD_AES_256_GCM":
        raise MalformedCallback("the callback is sealed in an unknown way; no money was moved")
    nonce = resource.text("nonce").encode()
    about = resource.text("associated_data").encode() if "associated_data" in resource else b""
    try:
        sealed = base64.b64decode(resource.text("ciphertext"), validate=True)
        return AESGCM(account.api_key).decrypt(nonce, sealed, about)
    except (InvalidTag, binascii.Error, ValueError):
        raise MalformedCallback(
            "the callback cannot be opened with the APIv3 key; no money was moved. Is the key the merchant's?"
        ) from None

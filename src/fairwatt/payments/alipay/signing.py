"""How Alipay signs (RSA2: SHA-256 with RSA), both ways, in public-key and in certificate mode.

Request: all parameters but `sign`, sorted, `k=v&k=v`. Answer: the raw bytes of the inner object, as they stand between
the braces. Notification: all parameters but `sign` and `sign_type`, decoded, sorted. Times are those of Beijing.
Source: opendocs.alipay.com, "signing rules" and "verifying asynchronous notifications".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from fairwatt.payments.clocks import BEIJING, wall
from fairwatt.payments.contract import BadCallbackSignature
from fairwatt.payments.exchange import HttpAsk, HttpReply, Moment, ProviderTrouble, ReplyNotBelieved
from fairwatt.payments.fields import Fields
from fairwatt.payments.keyring import BadKey, KeyRing, rsa_signed

GATEWAY: Final = "https://openapi.alipay.com/gateway.do"
KEY: Final = "alipay"
"""The name of the one key of public-key mode; in certificate mode keys are called by their `alipay_cert_sn`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayAccount:
    """A merchant at Alipay. `private_key` is held by the collector alone."""

    app_id: str
    seller_id: str
    ring: KeyRing
    private_key: RSAPrivateKey | None = field(default=None, repr=False)
    app_cert_sn: str = ""
    root_cert_sn: str = ""
    gateway: str = GATEWAY
    currency: str = "CNY"
    """Alipay names none in its messages"""


def parameters(
    account: AlipayAccount, method: str, content: Mapping[str, Any], at: Moment, **more: str
) -> dict[str, str]:
    """All parameters of a question, signed."""
    if account.private_key is None:
        raise ProviderTrouble("this process does not hold the merchant's key; nothing was asked")
    said = {
        "app_id": account.app_id,
        "method": method,
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": wall(at.now_us, zone=BEIJING),
        "version": "1.0",
        "app_cert_sn": account.app_cert_sn,
        "alipay_root_cert_sn": account.root_cert_sn,
        "biz_content": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        **more,
    }
    filled = {name: value for name, value in said.items() if value}
    return {**filled, "sign": rsa_signed(key=account.private_key, text=sorted_text(filled))}


def sorted_text(filled: Mapping[str, str]) -> bytes:
    """`k=v&k=v`, by name."""
    return "&".join(f"{name}={value}" for name, value in sorted(filled.items())).encode()


def signed_ask(
    account: AlipayAccount, method: str, content: Mapping[str, Any], at: Moment, **more: str
) -> HttpAsk:
    """A question as a form."""
    return HttpAsk(
        method="POST",
        url=f"{account.gateway}?charset=utf-8",
        headers={"Content-Type": "application/x-www-form-urlencoded;charset=utf-8", "User-Agent": "fairwatt"},
        body=urlencode(parameters(account, method, content, at, **more)).encode(),
    )


def signed_url(
    account: AlipayAccount, method: str, content: Mapping[str, Any], at: Moment, **more: str
) -> str:
    """A question as an address, for the payer's own browser."""
    return f"{account.gateway}?{urlencode(parameters(account, method, content, at, **more))}"


def believed(account: AlipayAccount, method: str, reply: HttpReply, at: Moment) -> Fields:
    """The inner object of an answer that Alipay signed."""
    name = f"{method.replace('.', '_')}_response"
    try:
        text = reply.body.decode()
        whole = json.loads(text, parse_float=str)
        found = next((one for one in (name, "error_response") if one in whole), None)
        if found is None:
            raise ReplyNotBelieved(f"Alipay's answer ({reply.status}) holds no {name}")
        raw = _inner_text(text, found)
    except (ValueError, RecursionError, TypeError):
        raise ReplyNotBelieved(f"Alipay's answer ({reply.status}) is not what it documents") from None
    try:
        account.ring.verify(
            serial=str(whole.get("alipay_cert_sn") or KEY),
            signature=str(whole.get("sign") or ""),
            text=raw.encode(),
            at_us=at.now_us,
        )
    except BadCallbackSignature as wrong:
        raise ReplyNotBelieved(f"Alipay did not sign its answer: {wrong}") from None
    return Fields(whole[found], wrong=ReplyNotBelieved)


def _inner_text(text: str, name: str) -> str:
    """The object of that name exactly as it was sent: what is signed are its bytes, not its meaning."""
    start = text.index(f'"{name}"') + len(name) + 2
    start = text.index("{", text.index(":", start))
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[start:end]


def notification(account: AlipayAccount, body: bytes, *, at_us: int) -> dict[str, str]:
    """The fields of a notification that Alipay signed. Raises CallbackRejected."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=200)
    except ValueError:
        raise BadCallbackSignature("the callback is no form; no money was moved") from None
    said = dict(pairs)
    if len(said) != len(pairs):
        raise BadCallbackSignature("the callback says a thing twice; no money was moved")
    signature, serial = said.get("sign", ""), said.get("alipay_cert_sn") or KEY
    told = {name: value for name, value in said.items() if name not in ("sign", "sign_type")}
    try:
        account.ring.verify(serial=serial, signature=signature, text=sorted_text(told), at_us=at_us)
    except BadCallbackSignature:
        # Whether an empty field is signed differs between Alipay's own libraries; without meaning it changes nothing.
        filled = {name: value for name, value in told.items() if value}
        if filled == told:
            raise
        account.ring.verify(serial=serial, signature=signature, text=sorted_text(filled), at_us=at_us)
    return told


def cert_sn(certificate: x509.Certificate) -> str:
    """Alipay's name of a certificate: MD5 of its issuer (RFC 4514 order) and its serial number."""
    issuer = certificate.issuer.rfc4514_string({x509.NameOID.EMAIL_ADDRESS: "emailAddress"})
    return md5(f"{issuer}{certificate.serial_number}".encode(), usedforsecurity=False).hexdigest()


def load_cert_sn(pem: str) -> str:
    """The name of a certificate in PEM; the first of a chain. Raises BadKey."""
    try:
        return cert_sn(x509.load_pem_x509_certificate(pem.encode()))
    except ValueError:
        raise BadKey("a certificate cannot be read: PEM is wanted") from None


def load_root_sn(pem: str) -> str:
    """Alipay's name of its root chain: those certificates in it that sign with RSA, joined. Raises BadKey."""
    names = []
    for block in pem.split("-----END CERTIFICATE-----")[:-1]:
        try:
            one = x509.load_pem_x509_certificate((block.strip() + "\n-----END CERTIFICATE-----\n").encode())
        except ValueError:
            raise BadKey("a root certificate cannot be read: PEM is wanted") from None
        if one.signature_algorithm_oid.dotted_string.startswith("1.2.840.113549.1.1"):
            names.append(cert_sn(one))
    return "_".join(names)

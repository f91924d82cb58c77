"""Web push: the payload encrypted to the browser (RFC 8291, aes128gcm of RFC 8188), the sender signed
(VAPID, RFC 8292).

`Topic` is our number: a push service that holds a message not fetched yet replaces it by one of the same topic,
and the page's service worker shows one notification a number. What arrived, the service worker tells us.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fairwatt.core.notices.model import Channel, State
from fairwatt.core.notices.places import is_push_address
from fairwatt.notify.contract import BadAccount, CannotSay, HttpAsk, Letter, Moment, Outcome, Talk, trouble
from fairwatt.notify.fields import setting

RECORD: Final = 4096
PLAIN_MAX: Final = 3_000
_LIVES_S: Final = 12 * 3600
_DAY_S: Final = 24 * 3600


class WebPush:
    """One sender: its key (`private`, 32 bytes in base64url) and whom a push service may write to (`subject`)."""

    channel = Channel.PUSH

    def __init__(self, settings: Mapping[str, Any]) -> None:
        try:
            number = int.from_bytes(_bytes(setting(settings, "private")))
            self._key = ec.derive_private_key(number, ec.SECP256R1())
        except ValueError:
            raise BadAccount("private is no key of the curve P-256 in base64url") from None
        self._subject = setting(settings, "subject")
        self._loopback = bool(settings.get("loopback", False))

    @property
    def public(self) -> str:
        """The key that browsers subscribe with."""
        return _text(_point(self._key.public_key()))

    def deliver(self, *, letter: Letter, at: Moment) -> Talk[Outcome]:
        """Post to the address that the browser gave."""
        local = self._loopback and letter.address.startswith("http://127.0.0.1:")
        if not local and not is_push_address(letter.address):
            raise CannotSay("a push service is asked over https only, at a public name")
        place = urlsplit(letter.address)
        shown = {"title": letter.subject, "body": letter.body, "url": letter.link, "tag": letter.ref}
        plain = json.dumps(shown, ensure_ascii=False).encode()
        body = encrypt(
            plain=plain[:PLAIN_MAX] if len(plain) <= PLAIN_MAX else _cut(shown), details=letter.details
        )
        reply = yield HttpAsk(
            "POST",
            letter.address,
            {
                "Authorization": self._vapid(f"{place.scheme}://{place.netloc}", at),
                "Content-Encoding": "aes128gcm",
                "Content-Type": "application/octet-stream",
                "TTL": str(_DAY_S),
                "Urgency": "high" if letter.urgent else "normal",
                "Topic": letter.ref[:32],
            },
            body,
            named=not local,
        )
        said = trouble(reply)
        if said is not None:
            return said
        if reply.status in (200, 201, 202, 204):
            return Outcome(State.SENT, provider_ref=reply.headers.get("location", "")[:200])
        if reply.status in (404, 410):
            return Outcome(State.FAILED, code="subscription_gone", gone=True)
        return Outcome(State.FAILED, code=f"http_{reply.status}")

    def _vapid(self, audience: str, at: Moment) -> str:
        head = {"typ": "JWT", "alg": "ES256"}
        claims = {"aud": audience, "exp": at.now_us // 1_000_000 + _LIVES_S, "sub": self._subject}
        text = ".".join(_text(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"vapid t={text}.{_text(r.to_bytes(32) + s.to_bytes(32))}, k={self.public}"


def encrypt(*, plain: bytes, details: Mapping[str, Any]) -> bytes:
    """One record for the holder of `p256dh` and `auth`. Raises CannotSay where these are no keys."""
    try:
        theirs_bytes, secret = _bytes(str(details["p256dh"])), _bytes(str(details["auth"]))
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs_bytes)
    except (KeyError, ValueError, InvalidKey):
        raise CannotSay("the subscription has no usable keys") from None
    if len(secret) != 16:
        raise CannotSay("the subscription's secret has not 16 bytes")
    once, salt = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    ours = _point(once.public_key())
    shared = once.exchange(ec.ECDH(), theirs)
    key = _expand(shared, secret, b"WebPush: info\x00" + theirs_bytes + ours, 32)
    content = _expand(key, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _expand(key, salt, b"Content-Encoding: nonce\x00", 12)
    sealed = AESGCM(content).encrypt(nonce, plain + b"\x02", None)
    return salt + struct.pack("!IB", RECORD, len(ours)) + ours + sealed


def _expand(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def _cut(shown: Mapping[str, str]) -> bytes:
    return json.dumps({**shown, "body": shown["body"][:400], "title": shown["title"][:100]}).encode()


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def fingerprint(endpoint: str) -> str:
    """A short name of a subscription, for people."""
    return hashlib.sha256(endpoint.encode()).hexdigest()[:8]

"""The platform that issues e-fapiao, without a network: signed questions out, signed answers in.

Only the state's platform issues one. Whatever stands between it and us (a direct link, a service provider) is one
adapter of `EInvoiceProvider`; `DirectLink` speaks the plain dialect that the practice platform speaks, too.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fairwatt.payments.exchange import (
    Exchange,
    HttpAsk,
    HttpReply,
    Moment,
    ProviderRefused,
    ReplyNotBelieved,
)

State = Literal["pending", "issued", "refused"]
_NUMBER: Final = re.compile(r"[0-9]{20}")
_FRESH_S: Final = 300
LINKS: Final = ("xml", "ofd", "pdf")
"""What an issued one is fetched as: the XML is the original."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the platform said of a request. ``number``: its twenty digits, once it is issued."""

    state: State
    number: str = ""
    links: dict[str, str] = field(default_factory=dict)
    code: str = ""
    words: str = ""


class EInvoiceProvider(Protocol):
    """Who issues. A request under a serial is made once, however often it is asked for."""

    def request(self, *, serial: str, body: dict[str, Any], at: Moment) -> Exchange[Said]:
        """Ask for an invoice."""
        ...

    def red_letter(self, *, serial: str, body: dict[str, Any], at: Moment) -> Exchange[Said]:
        """Ask to take an issued one back; it is red once the other side confirmed."""
        ...

    def query(self, *, serial: str, at: Moment) -> Exchange[Said]:
        """Ask how a request stands."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectLink:
    """A line to a platform: its address, our tax number there, our key and theirs."""

    origin: str
    taxpayer: str
    key: Ed25519PrivateKey
    platform_key: Ed25519PublicKey

    def request(self, *, serial: str, body: dict[str, Any], at: Moment) -> Exchange[Said]:
        """Ask for an invoice."""
        return self._exchange("POST", "/v1/invoices", {"serial": serial, **body}, serial, at)

    def red_letter(self, *, serial: str, body: dict[str, Any], at: Moment) -> Exchange[Said]:
        """Ask to take an issued one back."""
        return self._exchange("POST", "/v1/red-letters", {"serial": serial, **body}, serial, at)

    def query(self, *, serial: str, at: Moment) -> Exchange[Said]:
        """Ask how a request stands."""
        return self._exchange("GET", f"/v1/requests/{serial}", None, serial, at)

    def _exchange(
        self, method: Literal["GET", "POST"], path: str, content: Any, serial: str, at: Moment
    ) -> Exchange[Said]:
        body = b"" if content is None else json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
        stamp = str(at.now_us // 1_000_000)
        signature = self.key.sign(
            signed_ask(method=method, path=path, stamp=stamp, nonce=at.nonce, body=body)
        )
        headers = {
            "content-type": "application/json",
            "x-taxpayer": self.taxpayer,
            "x-timestamp": stamp,
            "x-nonce": at.nonce,
            "x-signature": b64encode(signature).decode(),
        }
        reply = yield HttpAsk(method=method, url=self.origin + path, headers=headers, body=body)
        self._believe(reply, at)
        return _said(reply, serial)

    def _believe(self, reply: HttpReply, at: Moment) -> None:
        stamp, signature = reply.headers.get("x-timestamp", ""), reply.headers.get("x-signature", "")
        if not stamp.isdecimal() or abs(int(stamp) - at.now_us // 1_000_000) > _FRESH_S:
            raise ReplyNotBelieved("the platform's answer is not of this time; nothing was taken from it")
        told = signed_reply(status=reply.status, stamp=stamp, nonce=at.nonce, body=reply.body)
        try:
            self.platform_key.verify(b64decode(signature, validate=True), told)
        except (InvalidSignature, ValueError) as error:
            raise ReplyNotBelieved(
                "the platform did not sign its answer; nothing was taken from it"
            ) from error


def signed_ask(*, method: str, path: str, stamp: str, nonce: str, body: bytes) -> bytes:
    """The bytes of a question that are signed."""
    return "\n".join((method, path, stamp, nonce, sha256(body).hexdigest())).encode()


def signed_reply(*, status: int, stamp: str, nonce: str, body: bytes) -> bytes:
    """The bytes of an answer that are signed: it answers this question and no other."""
    return "\n".join((str(status), stamp, nonce, sha256(body).hexdigest())).encode()


def _said(reply: HttpReply, serial: str) -> Said:
    try:
        told = json.loads(reply.body)
    except ValueError as error:
        raise ReplyNotBelieved("the platform's answer cannot be read; nothing was taken from it") from error
    if not isinstance(told, dict):
        raise ReplyNotBelieved("the platform's answer is no answer; nothing was taken from it")
    code, words = str(told.get("code", ""))[:60], str(told.get("message", ""))[:300]
    if reply.status >= 400:
        raise ProviderRefused(
            words or f"the platform answered {reply.status}", reason=code or str(reply.status)
        )
    state, number = told.get("state"), str(told.get("number", ""))
    if told.get("serial") != serial or state not in ("pending", "issued", "refused"):
        raise ReplyNotBelieved("the platform answered about something else; nothing was taken from it")
    if state == "issued" and not _NUMBER.fullmatch(number):
        raise ReplyNotBelieved("the platform named no number of twenty digits; nothing was taken from it")
    links = {name: str(told.get(name, "")) for name in LINKS}
    links = {name: link for name, link in links.items() if urlsplit(link).scheme in ("http", "https")}
    return Said(state=state, number=number if state == "issued" else "", links=links, code=code, words=words)

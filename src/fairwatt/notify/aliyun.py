"""Alibaba Cloud SMS (Dysmsapi 2017-05-25), signed with ACS3-HMAC-SHA256. Texts are templates approved beforehand.

`OutId` is our number: the provider gives it back in receipts and in look-ups, but sends a repeated one
again. Its receipts are not signed: they come to an address that only the provider was told, and say nothing
but the fate of known messages.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from fairwatt.core.notices.model import Channel, State
from fairwatt.core.spans import local_datetime, to_datetime
from fairwatt.notify.contract import (
    CannotSay,
    Heard,
    HttpAsk,
    HttpReply,
    Inbound,
    Letter,
    Moment,
    Outcome,
    Receipt,
    Talk,
    trouble,
)
from fairwatt.notify.fields import object_of, origin, reported, setting, templates, word

_VERSION: Final = "2017-05-25"
_ALGORITHM: Final = "ACS3-HMAC-SHA256"
_LATER: Final = frozenset({"Throttling", "Throttling.User", "ServiceUnavailable", "isp.SYSTEM_ERROR"})
_LINE: Final = frozenset(
    {
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.OUT_OF_SERVICE",
        "isv.ACCOUNT_ABNORMAL",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId.NotFound",
    }
)
_SENDING, _NOT, _ARRIVED = 1, 2, 3


class AliyunSms:
    """One account: access key, signature name, and template numbers by language and step."""

    channel = Channel.SMS

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._key, self._secret = setting(settings, "access_key"), setting(settings, "access_secret")
        self._sign_name = setting(settings, "sign_name")
        self._origin = origin(settings, "https://dysmsapi.aliyuncs.com")
        self._templates = templates(settings)

    def deliver(self, *, letter: Letter, at: Moment) -> Talk[Outcome]:
        """SendSms."""
        code, names = self._template(letter)
        query = {
            "PhoneNumbers": _number(letter.address),
            "SignName": self._sign_name,
            "TemplateCode": code,
            "TemplateParam": json.dumps(
                {name: _short(letter.params.get(name, "")) for name in names}, ensure_ascii=False
            ),
            "OutId": letter.ref,
        }
        reply = yield self._ask("SendSms", query, at)
        return self._outcome(reply)

    def look_up(self, *, letter: Letter, since_us: int, at: Moment) -> Talk[Outcome | None]:
        """QuerySendDetails: on the days since then, whether our number is among what was sent to this phone."""
        day, last = (local_datetime(zone="Asia/Shanghai", at_us=us).date() for us in (since_us, at.now_us))
        while day <= last:
            query = {
                "PhoneNumber": _number(letter.address),
                "SendDate": f"{day:%Y%m%d}",
                "PageSize": "50",
                "CurrentPage": "1",
            }
            found = object_of((yield self._ask("QuerySendDetails", query, at)))
            if found.get("Code") != "OK":
                # Not knowing is no proof that it was not sent.
                return Outcome(State.QUEUED, code=word(found.get("Code")) or "no_answer", line=True)
            for row in (found.get("SmsSendDetailDTOs") or {}).get("SmsSendDetailDTO") or []:
                if row.get("OutId") == letter.ref:
                    state = {_ARRIVED: State.DELIVERED, _NOT: State.FAILED}.get(
                        row.get("SendStatus"), State.SENT
                    )
                    return Outcome(state, code=word(row.get("ErrCode")))
            day += timedelta(days=1)
        return None

    def hear(self, *, url: str, headers: Mapping[str, str], body: bytes, at: Moment) -> Heard:
        """SmsReport and SmsUp: arrays of objects."""
        receipts, inbound = [], []
        for row in reported(body):
            if "content" in row:
                inbound.append(
                    Inbound(
                        word(row.get("phone_number"), 20),
                        word(row["content"], 300),
                        word(row.get("sequence_id")),
                    )
                )
            else:
                state = State.DELIVERED if row.get("success") is True else State.FAILED
                receipts.append(
                    Receipt(
                        state, word(row.get("biz_id")), word(row.get("out_id")), word(row.get("err_code"))
                    )
                )
        return Heard(tuple(receipts), tuple(inbound))

    def _template(self, letter: Letter) -> tuple[str, list[str]]:
        known = self._templates.get(letter.language, {}).get(letter.step)
        if not isinstance(known, dict) or not isinstance(known.get("code"), str):
            raise CannotSay(f"no approved template for {letter.step} in {letter.language}")
        return known["code"], [str(name) for name in known.get("words", [])]

    def _outcome(self, reply: HttpReply) -> Outcome:
        said = trouble(reply)
        if said is not None:
            return said
        answer = object_of(reply)
        code = word(answer.get("Code"))
        if code == "OK":
            return Outcome(State.SENT, provider_ref=word(answer.get("BizId")))
        if code in _LATER or code in _LINE or not code:
            return Outcome(State.QUEUED, code=code or f"http_{reply.status}", line=True)
        if code == "isv.BUSINESS_LIMIT_CONTROL":
            # This phone has had as many of us as the provider allows; others have not.
            return Outcome(State.QUEUED, code=code)
        return Outcome(State.FAILED, code=code)

    def _ask(self, action: str, query: Mapping[str, str], at: Moment) -> HttpAsk:
        """Sign as the provider's "V3 request structure and signature" says; the body is empty."""
        canonical_query = "&".join(f"{_enc(name)}={_enc(query[name])}" for name in sorted(query))
        digest = hashlib.sha256(b"").hexdigest()
        headers = {
            "host": self._origin.partition("://")[2],
            "x-acs-action": action,
            "x-acs-content-sha256": digest,
            "x-acs-date": f"{to_datetime(at.now_us):%Y-%m-%dT%H:%M:%SZ}",
            "x-acs-signature-nonce": at.nonce,
            "x-acs-version": _VERSION,
        }
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = "\n".join(["POST", "/", canonical_query, lines, names, digest])
        to_sign = f"{_ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        mark = hmac.new(self._secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
        headers["Authorization"] = (
            f"{_ALGORITHM} Credential={self._key},SignedHeaders={names},Signature={mark}"
        )
        return HttpAsk("POST", f"{self._origin}/?{canonical_query}", headers)


def _enc(text: str) -> str:
    return quote(text, safe="-_.~")


def _number(address: str) -> str:
    """Mainland numbers go without the country, others with it and without the plus."""
    return address.removeprefix("+86").removeprefix("+")


def _short(value: object) -> str:
    """What stands in a template has at most 35 letters."""
    return str(value)[:35]

"""Tencent Cloud SMS (2021-01-11), signed with TC3-HMAC-SHA256. Texts are templates approved beforehand.

`SessionContext` is our number: it comes back in the answer and is not looked at again. What was taken and
not noted cannot be asked for by it, so a message may come twice after a kill between sending and noting.
Receipts are not signed: they come to an address that only the provider was told.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from fairwatt.core.notices.model import Channel, State
from fairwatt.core.spans import to_datetime
from fairwatt.notify.contract import (
    CannotSay,
    Heard,
    HttpAsk,
    Inbound,
    Letter,
    Moment,
    Outcome,
    Receipt,
    Talk,
    trouble,
)
from fairwatt.notify.fields import object_of, origin, reported, setting, templates, word

_VERSION: Final = "2021-01-11"
_TYPE: Final = "application/json; charset=utf-8"
_LINE: Final = (
    "AuthFailure",
    "FailedOperation.InsufficientBalance",
    "UnauthorizedOperation",
    "RequestLimitExceeded",
)
_LATER: Final = ("InternalError", "LimitExceeded")


class TencentSms:
    """One account: secret id and key, application, signature name, and templates by language and step."""

    channel = Channel.SMS

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._id, self._key = setting(settings, "secret_id"), setting(settings, "secret_key")
        self._app, self._sign_name = setting(settings, "app_id"), setting(settings, "sign_name")
        self._region = str(settings.get("region", "ap-guangzhou"))
        self._origin = origin(settings, "https://sms.tencentcloudapi.com")
        self._templates = templates(settings)

    def deliver(self, *, letter: Letter, at: Moment) -> Talk[Outcome]:
        """SendSms to one number."""
        known = self._templates.get(letter.language, {}).get(letter.step)
        if not isinstance(known, dict) or not isinstance(known.get("code"), str):
            raise CannotSay(f"no approved template for {letter.step} in {letter.language}")
        number = letter.address if letter.address.startswith("+") else f"+86{letter.address}"
        content = {
            "PhoneNumberSet": [number],
            "SmsSdkAppId": self._app,
            "SignName": self._sign_name,
            "TemplateId": known["code"],
            "TemplateParamSet": [str(letter.params.get(name, ""))[:35] for name in known.get("words", [])],
            "SessionContext": letter.ref,
        }
        reply = yield self._ask("SendSms", content, at)
        said = trouble(reply)
        if said is not None:
            return said
        answer = object_of(reply).get("Response") or {}
        error = word((answer.get("Error") or {}).get("Code"))
        if error:
            line = error.startswith((*_LINE, *_LATER))
            return Outcome(State.QUEUED if line else State.FAILED, code=error, line=line)
        status: dict[str, Any] = next(iter(answer.get("SendStatusSet") or []), {})
        code = word(status.get("Code"))
        if code == "Ok":
            return Outcome(State.SENT, provider_ref=word(status.get("SerialNo")))
        if code.startswith("LimitExceeded"):
            return Outcome(State.QUEUED, code=code)
        line = not code or code.startswith((*_LINE, *_LATER))
        return Outcome(State.QUEUED if line else State.FAILED, code=code or "no_answer", line=line)

    def hear(self, *, url: str, headers: Mapping[str, str], body: bytes, at: Moment) -> Heard:
        """Status reports, by the provider's serial number; and replies of people."""
        receipts, inbound = [], []
        for row in reported(body):
            phone = f"+{word(row.get('nationcode'), 4) or '86'}{word(row.get('mobile'), 20)}"
            if "text" in row:
                key = f"{phone}:{word(row.get('time'))}"
                inbound.append(Inbound(phone, word(row["text"], 300), key))
            else:
                state = State.DELIVERED if row.get("report_status") == "SUCCESS" else State.FAILED
                receipts.append(Receipt(state, word(row.get("sid")), code=word(row.get("errmsg"))))
        return Heard(tuple(receipts), tuple(inbound))

    def _ask(self, action: str, content: Mapping[str, Any], at: Moment) -> HttpAsk:
        """Sign as the provider's "Signature v3" says."""
        body = json.dumps(content, ensure_ascii=False).encode()
        host, stamp = self._origin.partition("://")[2], at.now_us // 1_000_000
        day = f"{to_datetime(at.now_us):%Y-%m-%d}"
        names = "content-type;host;x-tc-action"
        lines = f"content-type:{_TYPE}\nhost:{host}\nx-tc-action:{action.lower()}\n"
        canonical = "\n".join(["POST", "/", "", lines, names, hashlib.sha256(body).hexdigest()])
        scope = f"{day}/sms/tc3_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        key = f"TC3{self._key}".encode()
        for part in (day, "sms", "tc3_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        mark = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        headers = {
            "Authorization": f"TC3-HMAC-SHA256 Credential={self._id}/{scope}, SignedHeaders={names}, Signature={mark}",
            "Content-Type": _TYPE,
            "Host": host,
            "X-TC-Action": action,
            "X-TC-Timestamp": str(stamp),
            "X-TC-Version": _VERSION,
            "X-TC-Region": self._region,
        }
        return HttpAsk("POST", f"{self._origin}/", headers, body)

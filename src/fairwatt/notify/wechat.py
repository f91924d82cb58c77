"""WeChat: template messages of an official account, subscribe messages of a mini-program.

The official account takes our number (`client_msg_id`) and sends one message a number within ten minutes. A
mini-program has none. What arrived, the official account tells by an event, signed with the account's token.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from defusedxml import ElementTree

from fairwatt.core.notices.model import Channel, State
from fairwatt.notify.contract import (
    BadAccount,
    BadReport,
    CannotSay,
    Heard,
    HttpAsk,
    Letter,
    Moment,
    Outcome,
    Receipt,
    Talk,
    trouble,
)
from fairwatt.notify.fields import object_of, origin, setting, templates, word

_TOKEN_AGAIN: Final = frozenset({40001, 40014, 42001})
_GONE: Final = frozenset({43004, 40003})
"""does not follow us any more; no such person"""
_REFUSED: Final = frozenset({43101})
"""the consent to one message is used up, or was never given"""
_LINE: Final = frozenset({-1, 45009, 40164, 40125, 40013})
_TOKEN_S: Final = 3_600


class WeChat:
    """One account. `kind`: "official" (template messages) or "mini" (subscribe messages)."""

    channel = Channel.WECHAT

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._app, self._secret = setting(settings, "app_id"), setting(settings, "app_secret")
        self._kind = str(settings.get("form", "official"))
        if self._kind not in ("official", "mini"):
            raise BadAccount("form is official or mini")
        self._token = setting(settings, "token") if self._kind == "official" else ""
        self._origin = origin(settings, "https://api.weixin.qq.com")
        self._templates = templates(settings)

    def deliver(self, *, letter: Letter, at: Moment) -> Talk[Outcome]:
        """Get a token, then send; a token that lapsed meanwhile is asked for once more."""
        known = self._templates.get(letter.language, {}).get(letter.step)
        if not isinstance(known, dict) or not isinstance(known.get("code"), str):
            raise CannotSay(f"no approved template for {letter.step} in {letter.language}")
        data = {
            str(field): {"value": str(letter.params.get(name, ""))[:20]}
            for name, field in dict(known.get("words", {})).items()
        }
        for fresh in (False, True):
            answer = yield self._ask_token(fresh)
            token = word(object_of(answer).get("access_token"), 1_000)
            if not token:
                code = word(object_of(answer).get("errcode")) or f"http_{answer.status}"
                return Outcome(State.QUEUED, code=code, line=True)
            reply = yield self._ask_send(token, letter, known["code"], data)
            said = trouble(reply)
            if said is not None:
                return said
            said_code = object_of(reply).get("errcode")
            if said_code not in _TOKEN_AGAIN or fresh:
                return _outcome(said_code, object_of(reply))
        raise AssertionError("the second token ends it")

    def hear(self, *, url: str, headers: Mapping[str, str], body: bytes, at: Moment) -> Heard:
        """TEMPLATESENDJOBFINISH, in XML; the address carries signature, timestamp and nonce."""
        given = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        stamp, nonce = given.get("timestamp", ""), given.get("nonce", "")
        mark = hashlib.sha1(
            "".join(sorted((self._token, stamp, nonce))).encode(), usedforsecurity=False
        ).hexdigest()
        if not self._token or not hmac.compare_digest(mark.encode(), given.get("signature", "").encode()):
            raise BadReport("the signature is not the account's")
        if not stamp.isdecimal() or abs(int(stamp[:12]) - at.now_us // 1_000_000) > 900:
            raise BadReport("the report is signed for another hour")
        try:
            said = {part.tag: part.text or "" for part in ElementTree.fromstring(body)}
        except (ElementTree.ParseError, ValueError):
            raise BadReport("the report is no XML") from None
        if said.get("Event") != "TEMPLATESENDJOBFINISH":
            return Heard()
        status = said.get("Status", "")
        state = State.DELIVERED if status == "success" else State.FAILED
        return Heard(
            receipts=(
                Receipt(state, word(said.get("MsgID")), code="" if state is State.DELIVERED else status),
            )
        )

    def _ask_token(self, fresh: bool) -> HttpAsk:
        asked = {
            "grant_type": "client_credential",
            "appid": self._app,
            "secret": self._secret,
            "force_refresh": False,
        }
        body = json.dumps(asked).encode()
        headers = {"Content-Type": "application/json"}
        # Refreshing by force is allowed twenty times a day; a token that lapsed is another one by now without it.
        url = f"{self._origin}/cgi-bin/stable_token"
        return HttpAsk("POST", url, headers, body, keep_s=_TOKEN_S, anew=fresh)

    def _ask_send(self, token: str, letter: Letter, template: str, data: Mapping[str, Any]) -> HttpAsk:
        content: dict[str, Any] = {"touser": letter.address, "template_id": template, "data": data}
        if self._kind == "official":
            path = "message/template/send"
            content |= {"url": letter.link, "client_msg_id": letter.ref}
        else:
            path = "message/subscribe/send"
            content |= {
                "page": "pages/home/home",
                "lang": "zh_CN" if letter.language.startswith("zh") else "en_US",
            }
        url = f"{self._origin}/cgi-bin/{path}?{urlencode({'access_token': token})}"
        body = json.dumps(content, ensure_ascii=False).encode()
        return HttpAsk("POST", url, {"Content-Type": "application/json"}, body)


def _outcome(code: object, answer: Mapping[str, Any]) -> Outcome:
    if code == 0:
        return Outcome(State.SENT, provider_ref=word(answer.get("msgid")))
    if code in _GONE:
        return Outcome(State.FAILED, code=word(code), gone=True)
    if code in _REFUSED:
        return Outcome(State.FAILED, code="no_consent")
    line = code in _LINE or code is None
    return Outcome(State.QUEUED if line else State.FAILED, code=word(code) or "no_answer", line=line)

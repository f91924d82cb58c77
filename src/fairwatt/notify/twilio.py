"""Twilio Programmable Messaging (2010-04-01). Their calls are signed with the account's token (X-Twilio-Signature).

A message has no number of ours that they would hold twice against us; what was taken and not noted is found
by its text and its phone among what they sent since.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from fairwatt.core.notices.model import Channel, State
from fairwatt.core.spans import to_datetime
from fairwatt.notify.contract import (
    BadReport,
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
from fairwatt.notify.fields import form_of, object_of, origin, setting, word

_STATE: Final = {
    "queued": State.SENT,
    "accepted": State.SENT,
    "scheduled": State.SENT,
    "sending": State.SENT,
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "read": State.READ,
    "undelivered": State.FAILED,
    "failed": State.FAILED,
    "canceled": State.FAILED,
}
_LINE: Final = frozenset({20003, 20005, 30001, 30002})
"""authentication, account suspended, queue full"""


class TwilioSms:
    """One account: its id, its token, and the number or service that sends."""

    channel = Channel.SMS

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._account, self._token = setting(settings, "account_sid"), setting(settings, "auth_token")
        self._sender = setting(settings, "sender")
        self._callback = str(settings.get("callback", ""))
        self._origin = origin(settings, "https://api.twilio.com")

    def deliver(self, *, letter: Letter, at: Moment) -> Talk[Outcome]:
        """Create a message."""
        by = "MessagingServiceSid" if self._sender.startswith("MG") else "From"
        form = {"To": letter.address, by: self._sender, "Body": letter.body}
        if self._callback:
            form["StatusCallback"] = self._callback
        reply = yield self._ask("POST", "Messages.json", urlencode(form).encode())
        said = trouble(reply)
        if said is not None:
            return said
        answer = object_of(reply)
        if reply.status == 201:
            return Outcome(State.SENT, provider_ref=word(answer.get("sid")))
        code = answer.get("code")
        line = code in _LINE or reply.status in (401, 403)
        return Outcome(
            State.QUEUED if line else State.FAILED, code=word(code) or f"http_{reply.status}", line=line
        )

    def look_up(self, *, letter: Letter, since_us: int, at: Moment) -> Talk[Outcome | None]:
        """Look among the messages to this phone since then."""
        query = urlencode(
            {"To": letter.address, "DateSent>": f"{to_datetime(since_us):%Y-%m-%d}", "PageSize": 100}
        )
        reply = yield self._ask("GET", f"Messages.json?{query}", b"")
        if reply.status != 200:
            return Outcome(State.QUEUED, code=f"http_{reply.status}", line=True)
        for row in object_of(reply).get("messages") or []:
            if row.get("body") == letter.body and row.get("direction", "outbound-api").startswith("outbound"):
                return Outcome(_STATE.get(row.get("status"), State.SENT), provider_ref=word(row.get("sid")))
        return None

    def hear(self, *, url: str, headers: Mapping[str, str], body: bytes, at: Moment) -> Heard:
        """A status callback, or a message that came in; signed over the address and the sorted form."""
        form = form_of(body)
        said = next((value for name, value in headers.items() if name.lower() == "x-twilio-signature"), "")
        text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
        mark = base64.b64encode(hmac.digest(self._token.encode(), text.encode(), "sha1")).decode()
        if not hmac.compare_digest(mark.encode(), said.encode()):
            raise BadReport("the signature is not the account's")
        number = word(form.get("MessageSid") or form.get("SmsSid"))
        if "Body" in form:
            return Heard(inbound=(Inbound(word(form.get("From"), 20), word(form["Body"], 300), number),))
        state = _STATE.get(form.get("MessageStatus", ""))
        if state is None:
            raise BadReport("the report names no state of a message")
        return Heard(receipts=(Receipt(state, number, code=word(form.get("ErrorCode"))),))

    def _ask(self, method: str, path: str, body: bytes) -> HttpAsk:
        login = base64.b64encode(f"{self._account}:{self._token}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        account = quote(self._account, safe="")
        return HttpAsk(method, f"{self._origin}/2010-04-01/Accounts/{account}/{path}", headers, body)

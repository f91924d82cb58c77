"""How Daraja is asked: a token for an hour, a password out of the short code, the passkey and Nairobi's wall clock.

Source: developer.safaricom.co.ke, "Authorization", "M-Pesa Express", "Pull Transactions".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fairwatt.payments.clocks import NAIROBI, wall
from fairwatt.payments.exchange import (
    Exchange,
    HttpAsk,
    HttpReply,
    Moment,
    ProviderBusy,
    ProviderRefused,
    ProviderTrouble,
    ReplyNotBelieved,
)
from fairwatt.payments.fields import Fields

GATEWAY: Final = "https://api.safaricom.co.ke"
TOKEN_S: Final = 3_000
PROCESSING: Final = "500.001.1001"
"""Daraja answers 500 with this while the payer still types: an answer, not an illness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MPesaAccount:
    """A merchant at M-Pesa. The keys are held by the collector alone."""

    short_code: str
    consumer_key: str = ""
    consumer_secret: str = field(default="", repr=False)
    passkey: str = field(default="", repr=False)
    till: bool = False
    """a till number (buy goods) instead of a pay bill number"""
    nominated_number: str = ""
    """the telephone M-Pesa knows the merchant by: with it the list of what came in is asked to be kept"""
    currency: str = "KES"
    gateway: str = GATEWAY
    checkout: str = ""
    """in a simulator: the page that stands for the payer's telephone"""


def asked(
    account: MPesaAccount, path: str, content: Mapping[str, object], *, answers: frozenset[int] = frozenset()
) -> Exchange[HttpReply]:
    """Log in (once an hour) and ask."""
    if not (account.consumer_key and account.consumer_secret):
        raise ProviderTrouble("this process does not hold the merchant's keys; nothing was asked")
    login = base64.b64encode(f"{account.consumer_key}:{account.consumer_secret}".encode()).decode()
    granted = yield HttpAsk(
        method="GET",
        url=f"{account.gateway}/oauth/v1/generate?grant_type=client_credentials",
        headers={"Authorization": f"Basic {login}"},
        keep_s=TOKEN_S,
    )
    if granted.status != 200:
        raise ProviderRefused(
            f"M-Pesa refused the login ({granted.status}); nothing was asked. Are the consumer's key and secret right?",
            reason="login",
        )
    token = Fields.of_json(granted.body, wrong=ReplyNotBelieved).text("access_token")
    return (
        yield HttpAsk(
            method="POST",
            url=account.gateway + path,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            body=json.dumps(content, separators=(",", ":")).encode(),
            answers=answers,
        )
    )


def password(account: MPesaAccount, at: Moment) -> dict[str, str]:
    """The fields that prove the short code is ours."""
    stamp = wall(at.now_us, zone=NAIROBI, form="%Y%m%d%H%M%S")
    text = f"{account.short_code}{account.passkey}{stamp}".encode()
    return {
        "BusinessShortCode": account.short_code,
        "Password": base64.b64encode(text).decode(),
        "Timestamp": stamp,
    }


def answer(reply: HttpReply) -> Fields:
    """The content of a good answer. Raises ProviderTrouble for any other."""
    said = Fields.of_json(reply.body, wrong=ReplyNotBelieved)
    code = said.maybe("errorCode")
    if code.startswith("500.003") or reply.status == 429:
        raise ProviderBusy(f"M-Pesa cannot answer now ({code}); it may or may not be done")
    if reply.status != 200 or code:
        raise ProviderRefused(
            f"M-Pesa refused it ({reply.status} {code}); nothing was done", reason=code or str(reply.status)
        )
    return said

"""Reading what others sent: settings, JSON, forms; what is not as it must be is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from fairwatt.notify.contract import BadAccount, BadReport, HttpReply


def setting(settings: Mapping[str, Any], name: str) -> str:
    """A word that an account must have. Raises BadAccount."""
    value = settings.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadAccount(f"the account has no {name}; give it in notify.toml. Nothing can be sent by it.")
    return value.strip()


def origin(settings: Mapping[str, Any], usual: str) -> str:
    """Where the provider is; another address is for a provider's other region, or a stand-in."""
    value = settings.get("endpoint", usual)
    if not isinstance(value, str) or not value.startswith(
        ("https://", "http://127.0.0.1", "http://localhost")
    ):
        raise BadAccount("endpoint must be an https address; nothing is sent in the clear")
    return value.rstrip("/")


def templates(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """{language: {step: the provider's number of an approved text, with the order of its words}}."""
    found = settings.get("templates", {})
    if not isinstance(found, dict):
        raise BadAccount("templates must be a table of languages with a table of steps each")
    return found


def object_of(reply: HttpReply) -> dict[str, Any]:
    """The JSON object of an answer; an empty one where there is none."""
    try:
        found = json.loads(reply.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def reported(body: bytes) -> list[dict[str, Any]]:
    """A report as a list of JSON objects. Raises BadReport."""
    try:
        found = json.loads(body)
    except ValueError:
        raise BadReport("the report is no JSON") from None
    rows = found if isinstance(found, list) else [found]
    if len(rows) > 1_000 or not all(isinstance(row, dict) for row in rows):
        raise BadReport("the report is no list of objects, or too long")
    return rows


def form_of(body: bytes) -> dict[str, str]:
    """A form as it was posted. Raises BadReport."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise BadReport("the report is no form") from None


def word(value: object, most: int = 100) -> str:
    """What somebody else wrote, as text of bounded length."""
    return str(value)[:most] if isinstance(value, str | int) else ""

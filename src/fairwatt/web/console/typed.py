"""What people type into forms of the desk: registers, moments, numbers. Raises DeskRefused in words."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.http import HttpRequest

from fairwatt.flows.desk import DeskRefused
from fairwatt.payments.amounts import minor_from_text

_REGISTER: Final = re.compile(r"(\d{1,9})(?:[.,](\d{1,3}))?")


class Unreadable(DeskRefused):
    """What was typed cannot be read; nothing was changed."""

    code = "unreadable"


def register_wh(text: str) -> int:
    """A register as kilowatt-hours with up to three decimals, in Wh. Raises Unreadable."""
    match = _REGISTER.fullmatch(text.strip().replace(" ", ""))
    if match is None:
        raise Unreadable("A register is written as 12345.6. Nothing was changed; type what the meter shows.")
    return int(match[1]) * 1_000 + int((match[2] or "0").ljust(3, "0"))


def instant(text: str, *, zone: str) -> int:
    """A day and time of a form, in the book's zone unless it says another, in microseconds. Raises Unreadable."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unreadable("This is no day and time. Nothing was changed; choose it again.") from error
    local = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))
    try:
        return round(local.timestamp()) * 1_000_000
    except (OverflowError, ValueError) as error:
        raise Unreadable("This is no day and time. Nothing was changed; choose it again.") from error


def local(at_us: int, *, zone: str) -> str:
    """An instant as the value of a field for day and time: whole minutes."""
    at = datetime.fromtimestamp(at_us // 1_000_000, tz=ZoneInfo(zone))
    return at.strftime("%Y-%m-%dT%H:%M")


def minor(text: str, *, digits: int) -> int:
    """An amount with a point or a comma, in minor units. Raises Unreadable."""
    try:
        return minor_from_text(text.strip().replace(" ", "").replace(",", "."), digits=digits)
    except ValueError as error:
        raise Unreadable("An amount is written as 120.50. Nothing was moved; type it again.") from error


def ticket(text: str) -> str:
    """The name of a form, given when it was opened: sent twice, it is done once. Raises Unreadable."""
    if not re.fullmatch(r"[0-9a-f]{20}", text):
        raise Unreadable("This form is too old or was changed. Nothing was done; open it again.")
    return text


def number(text: str) -> int:
    """What a form says as a number; 0 for what is none, which no row has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0


def sent_file(request: HttpRequest, *, bytes_max: int) -> tuple[str, bytes]:
    """Name and content of the file of a form, as it was chosen or as it comes back (``kept``) after a look.

    A larger file comes one byte too long, for its reader to refuse. Raises Unreadable.
    """
    sent = request.FILES.get("file")
    if sent is not None:
        return str(sent.name), sent.read(bytes_max + 1)
    try:
        data = base64.b64decode(request.POST.get("kept", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("This form is too old or was changed. Nothing was done; open it again.") from error
    if not data:
        raise Unreadable("Choose a file first. Nothing was changed.")
    return request.POST.get("name", "")[:80], data

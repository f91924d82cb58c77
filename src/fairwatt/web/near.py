"""About when the line of a page lies: links carry it, so that the ledger is not searched from end to end."""

from __future__ import annotations

from django.http import HttpRequest


def about_us(request: HttpRequest) -> int | None:
    """The instant of `?at=`; None where there is none or it is no instant."""
    hint = request.GET.get("at", "")
    return int(hint) if hint.isascii() and hint.isdecimal() and len(hint) < 17 else None

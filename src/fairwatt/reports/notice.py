"""The notice for the door: a home pays first from a day on. A page a home, in the language that is active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language, gettext

from fairwatt.core.account_numbers import account_number, in_groups
from fairwatt.core.spans import local_date
from fairwatt.core.units import format_money
from fairwatt.reports.typeset import set_sheet
from fairwatt.store.models import Book
from fairwatt.store.postpaid import Wave


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """One home that is told. Amounts in micro-units; ``due_us``: from when it pays first."""

    wallet: int
    place: str
    due_us: int
    owed_micro: int
    advised_micro: int


def set_notices(*, book: Book, wave: Wave, homes: Sequence[Noticed], now_us: int) -> bytes:
    """The PDF of a wave's notices; the same question gives the same bytes."""
    language = get_language() or "en"
    content = {
        "language": "zh" if language.startswith("zh") else "en",
        "title": gettext("You pay first from now on"),
        "organisation": book.organisation.name,
        "today": _day(book, now_us),
        "from_head": gettext("From"),
        "foot": gettext("Notice of wave “%(wave)s”. Questions are answered at the window.")
        % {"wave": wave.name},
        "homes": [_home(book, wave, one) for one in homes],
    }
    return set_sheet(sheet="notice", content=content, at_us=now_us)


def _home(book: Book, wave: Wave, one: Noticed) -> dict[str, Any]:
    def money(micro: int) -> str:
        return format_money(micro=micro, currency=book.currency, places=book.minor_digits)

    sentences = [
        gettext(
            "Until that day you pay after use, as before. From that day your home lives on credit that is paid in "
            "beforehand: use is taken off as it is measured, and you see every charge."
        ),
        gettext(
            "Nobody is cut off for credit in the first %(days)d days. You are warned before credit runs out."
        )
        % {"days": wave.grace_days},
        gettext(
            "What is still owed on that day becomes a debt that is paid off in parts, beside your credit."
        ),
    ]
    rows = [
        (gettext("Account number"), in_groups(number=account_number(wallet=one.wallet))),
        (gettext("Owed today"), money(one.owed_micro)),
        (gettext("Enough for about a week"), money(one.advised_micro)),
    ]
    return {"place": one.place, "day": _day(book, one.due_us), "sentences": sentences, "rows": rows}


def _day(book: Book, at_us: int) -> str:
    return local_date(zone=book.zone, at_us=at_us).isoformat()

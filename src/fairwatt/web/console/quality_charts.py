"""A day of intervals as a picture, a sentence and a table."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.utils.translation import gettext

from fairwatt.store.models import IntervalValue
from fairwatt.web.console.quality_queries import DayPage
from fairwatt.web.design import format as text
from fairwatt.web.design import vee_words


def day_chart(*, page: DayPage, zone: str) -> dict[str, Any]:
    """Wh per interval by status; `at` is the wall clock."""
    return {
        "kind": "intervals",
        "labels": [text.clock(at_us=value.at_us, zone=zone) for value in page.values],
        "wh": [value.wh for value in page.values],
        "status": [value.status for value in page.values],
        "names": {code: str(word) for code, word in vee_words.STATUSES.items()},
        "summary": day_summary(page=page),
    }


def day_summary(*, page: DayPage) -> str:
    """The day as a sentence."""
    if not page.values:
        return gettext("No interval of this day is known.")
    counts = Counter(value.status for value in page.values)
    parts = [f"{counts[code]} {vee_words.status(code)}" for code in "AESX" if counts[code]]
    return gettext("%(n)d intervals, %(energy)s: %(parts)s.") % {
        "n": len(page.values),
        "energy": text.kwh(wh=sum(value.wh for value in page.values), places=3),
        "parts": gettext(", ").join(parts),
    }


def day_table(*, page: DayPage, zone: str) -> list[tuple[str, IntervalValue, str, str]]:
    """Wall clock, value, status and method in words: the chart's twin."""
    return [
        (
            text.clock(at_us=value.at_us, zone=zone),
            value,
            vee_words.status(value.status),
            "" if value.rule in ("source", "edited") else vee_words.method(value.rule),
        )
        for value in page.values
    ]

"""One suggestion of what to pay: an amount that lasts, in nine cases of ten, to a day that means something."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final

from fairwatt.core.insight.ahead.outlook import Outlook
from fairwatt.core.spans import date_start, local_date

A_MONTH: Final = 30
_HOLIDAY_SOON: Final = 14
_SHORTEST_HOLIDAY: Final = 3
_MONTHLY, _WEEKLY = (26, 35), (6, 8)


class Until(StrEnum):
    """What the day is to which a suggestion lasts."""

    HOLIDAY = "holiday"
    PAYDAY = "payday"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An amount before it is rounded for people, and the first instant it need not reach."""

    amount_micro: int
    until_us: int
    until: Until


def suggest(
    *,
    outlook: Outlook,
    available_micro: int,
    owed_micro: int,
    now_us: int,
    zone: str,
    holidays: Collection[date],
    paid_on: Sequence[date],
) -> Suggestion | None:
    """What to pay now, and why so much: through a holiday before which credit might end, to the usual day of paying,
    else for thirty days. ``None`` where credit lasts that long without.

    ``owed_micro`` of a payment repays something first. ``paid_on``: the days of past payments, oldest first.
    """
    today = local_date(zone=zone, at_us=now_us)
    early_us = outlook.range(available_micro=available_micro, now_us=now_us).early_us
    end, why = today + timedelta(days=A_MONTH), Until.MONTH
    rest = _next_rest(holidays, today)
    payday = usual_day(paid_on=paid_on, today=today)
    if rest is not None and early_us is not None and early_us < date_start(zone=zone, day=rest):
        end, why = rest, Until.HOLIDAY
    elif payday is not None:
        # It lasts through the day itself: nobody has to pay at midnight.
        end, why = payday + timedelta(days=1), Until.PAYDAY
    until_us = min(date_start(zone=zone, day=end), outlook.end_us)
    needed = outlook.cost_between(start_us=now_us, end_us=until_us, side="high") - available_micro
    return Suggestion(needed + owed_micro, until_us, why) if needed > 0 else None


def _next_rest(holidays: Collection[date], today: date) -> date | None:
    """The day after the next stretch of at least three free days that begins soon, weekends counted with it."""
    for ahead in range(1, _HOLIDAY_SOON + 1):
        first = today + timedelta(days=ahead)
        if first not in holidays:
            continue
        last = first
        while (after := last + timedelta(days=1)) in holidays or after.weekday() >= 5:
            last = after
        if (last - first).days + 1 >= _SHORTEST_HOLIDAY:
            return last + timedelta(days=1)
    return None


def usual_day(*, paid_on: Sequence[date], today: date) -> date | None:
    """The next day on which somebody pays as always: the same day of the month, or of the week, three times running."""
    days = sorted(set(paid_on))[-4:]
    gaps = [(b - a).days for a, b in pairwise(days)]
    if len(gaps) < 3:
        return None
    if all(_MONTHLY[0] <= gap <= _MONTHLY[1] for gap in gaps):
        usual = sorted(day.day for day in days)[len(days) // 2]
        following = today + timedelta(days=1)
        while following.day != min(usual, 28):
            following += timedelta(days=1)
        # Just before it, the one after: a payment today is that payment.
        return following if (following - today).days > 7 else following + timedelta(days=30)
    if all(_WEEKLY[0] <= gap <= _WEEKLY[1] for gap in gaps):
        wait = (days[-1].weekday() - today.weekday()) % 7
        return today + timedelta(days=wait if wait > 2 else wait + 7)
    return None

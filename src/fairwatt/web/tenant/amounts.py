"""What a resident might pay: amounts for some days of the home's own use, the least that restores, one advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from fairwatt.core.insight.ahead.outlook import Outlook
from fairwatt.core.insight.ahead.top_up import suggest
from fairwatt.core.rating.elements.periods import WEEKEND, WORKDAY, kind_of
from fairwatt.core.rating.model import Schedule
from fairwatt.core.spans import local_date
from fairwatt.core.units import MICRO, US_PER_DAY, micro_from_minor
from fairwatt.flows.borrow import CreditDesk
from fairwatt.web.forecast import Forecast, Pace, forecast, from_outlook

PRESET_DAYS: Final = (7, 14, 30)
FIRST_PRESETS_MAJOR: Final = (20, 50, 100)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """An amount to top up: how many days of this home's own use it pays (0: not known yet)."""

    days: int
    amount_minor: int
    amount_micro: int


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One amount to pay, rounded up, the day through which it lasts in nine cases of ten, and what day that is."""

    amount_minor: int
    amount_micro: int
    through_us: int
    days: int
    until: str


def outlook_of(
    *, ahead: Outlook | None, available_micro: int, pace: Pace, now_us: int, zone: str
) -> Forecast | None:
    """How long credit lasts, by the newest forecast; by plain days where there is none."""
    told = (
        None
        if ahead is None
        else from_outlook(outlook=ahead, available_micro=available_micro, pace=pace, now_us=now_us, zone=zone)
    )
    return told or forecast(available_micro=available_micro, pace=pace, now_us=now_us, zone=zone)


def advice_of(
    *,
    outlook: Forecast | None,
    available_micro: int,
    credit: CreditDesk,
    schedule: Schedule | None,
    paid_us: Sequence[int],
    now_us: int,
    zone: str,
) -> Advice | None:
    """The one amount to suggest; `None` without a forecast, where credit lasts, or beyond what may be paid at once."""
    if outlook is None or outlook.ahead is None:
        return None
    held = credit.held
    free = {date.fromordinal(day) for day in held.policy.holidays} if held is not None else set()
    if schedule is not None:
        known = schedule.calendar.lookup()
        ahead = (local_date(zone=zone, at_us=at_us) for at_us in outlook.ahead.starts_us)
        free |= {day for day in ahead if kind_of(day, known=known).type not in (WORKDAY, WEEKEND)}
    found = suggest(
        outlook=outlook.ahead,
        available_micro=available_micro,
        owed_micro=credit.owing.emergency_micro,
        now_us=now_us,
        zone=zone,
        holidays=free,
        paid_on=[local_date(zone=zone, at_us=at_us) for at_us in paid_us],
    )
    if found is None:
        return None
    micro = max(rounded_up(found.amount_micro), 0 if held is None else held.least_micro)
    if held is not None and held.most_micro is not None and micro > held.most_micro:
        return None
    return Advice(
        amount_minor=micro // credit.minor_micro,
        amount_micro=micro,
        through_us=found.until_us - 1,
        days=-(-(found.until_us - now_us) // US_PER_DAY),
        until=str(found.until),
    )


def rounded_up(micro: int) -> int:
    """An amount as people pay it: in steps of 5, of 10 from 50 on, of 50 from 500 on."""
    major = -(-micro // MICRO)
    step = 5 if major <= 50 else 10 if major <= 500 else 50
    return -(-major // step) * step * MICRO


def presets(
    *,
    pace: Pace,
    available_micro: int,
    minor_digits: int,
    outlook: Outlook | None = None,
    now_us: int = 0,
) -> tuple[Preset, ...]:
    """One week, two weeks and a month of this home's own use, rounded up to a round amount; debt is added.

    With a forecast they are what these days will cost, else what as many mean days did. Without enough history they are
    three plain amounts and `days` is 0.
    """
    minor = micro_from_minor(amount_minor=1, minor_digits=minor_digits)
    owed = max(0, -available_micro)
    made = []
    for days, plain in zip(PRESET_DAYS, FIRST_PRESETS_MAJOR, strict=True):
        needed = pace.cost_micro(hours=24 * days) if pace.speaks else plain * MICRO
        if outlook is not None and pace.speaks:
            needed = outlook.cost_between(start_us=now_us, end_us=now_us + days * US_PER_DAY)
        micro = rounded_up(needed + owed)
        made.append(Preset(days=days if pace.speaks else 0, amount_minor=micro // minor, amount_micro=micro))
    return tuple(made)

"""What the resident's two charts draw, with the sentence and the table that say the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.utils.translation import gettext

from fairwatt.core.spans import local_day_start, next_day_start
from fairwatt.core.units import UNIT_WORDS, US_PER_DAY, US_PER_HOUR
from fairwatt.web.design import format as text
from fairwatt.web.design import words
from fairwatt.web.forecast import HORIZON_DAYS, Forecast
from fairwatt.web.tenant.history import HALF_HOUR_US
from fairwatt.web.tenant.queries import Home

DRAWN_DAYS = 30
FINE_DAYS = 14


def balance_chart(*, home: Home) -> dict[str, Any]:
    """The balance of the last days and the fan of the days to come; instants in ms, amounts in micro-units."""
    outlook = home.outlook
    fan: list[list[int]] = []
    if outlook is not None:
        fan = [
            [_ms(at_us), *(max(0, home.available_micro - cost) for cost in costs)]
            for at_us, *costs in _costs_ahead(outlook, home)
        ]
    return {
        "kind": "balance",
        "points": [[_ms(at_us), micro] for at_us, micro in home.points],
        "fan": fan,
        "now": [_ms(home.now_us), gettext("now")],
        "end": None
        if outlook is None or outlook.runs_out_us is None or outlook.days_left >= DRAWN_DAYS
        else [_ms(outlook.runs_out_us), text.short_day(at_us=outlook.runs_out_us, zone=home.zone)],
        "range": _range(home),
        "ticks": _ticks(home, fan),
        "symbol": text.symbol(currency=home.currency),
        "summary": balance_summary(home=home),
    }


def balance_summary(*, home: Home) -> str:
    """The balance chart as a sentence."""
    said = gettext("The balance is %(balance)s.") % {
        "balance": text.money(micro=home.balance_micro, currency=home.currency)
    }
    outlook = home.outlook
    if outlook is not None and outlook.runs_out_us is not None:
        said += " " + gettext("At the pace of the last %(n)d days it runs out on %(day)s.") % {
            "n": outlook.history,
            "day": text.day(at_us=outlook.runs_out_us, zone=home.zone),
        }
        if outlook.early_us is not None and outlook.late_us is not None:
            said += " " + gettext("In eight of ten cases that is between %(early)s and %(late)s.") % {
                "early": text.day(at_us=outlook.early_us, zone=home.zone),
                "late": text.day(at_us=outlook.late_us, zone=home.zone),
            }
    return said


def balance_table(*, home: Home) -> list[tuple[str, str]]:
    """The balance at the end of each day drawn, and the expected ones: the chart's twin."""
    rows: dict[str, str] = {}
    for at_us, micro in home.points:
        rows[text.day(at_us=at_us - 1, zone=home.zone)] = text.money(micro=micro, currency=home.currency)
    outlook = home.outlook
    if outlook is not None:
        for day in range(1, _last_day(home) + 1):
            cost = _cost(outlook, home.now_us, home.now_us + day * US_PER_DAY)
            mid = max(0, home.available_micro - cost)
            rows[text.day(at_us=home.now_us + day * US_PER_DAY, zone=home.zone)] = gettext(
                "about %(amount)s"
            ) % {"amount": text.money(micro=mid, currency=home.currency)}
    return list(rows.items())


def today_chart(*, home: Home) -> dict[str, Any]:
    """Today's half hours in Wh (`null`: no data yet) over the price bands of the day."""
    day = home.today
    slots = list(day.slots_wh)[: _slots_of(home)] if day is not None else []
    dearest = [[band.start_min, band.end_min] for band in home.bands if band.dearest]
    return {
        "kind": "today",
        "unit": UNIT_WORDS[home.unit],
        "slots": slots,
        "labels": [text.clock(at_us=day.day_us + n * HALF_HOUR_US, zone=home.zone) for n in range(len(slots))]
        if day is not None
        else [],
        "dear": [any(start <= n * 30 < end for start, end in dearest) for n in range(len(slots))],
        "bands": [
            [band.start_min // 30, -(-band.end_min // 30), words.period(band.name), band.dearest]
            for band in home.bands
            if len(home.bands) > 1
        ],
        "summary": today_summary(home=home),
    }


def today_summary(*, home: Home) -> str:
    """Today's chart as a sentence."""
    if home.today is None:
        return gettext("No use has been read today.")
    return gettext("Used today: %(kwh)s for %(cost)s.") % {
        "kwh": text.used(wh=home.today.energy_wh, places=1, unit=home.unit),
        "cost": text.money(micro=home.today.cost_micro, currency=home.currency),
    }


def today_table(*, home: Home) -> list[tuple[str, str, str]]:
    """Start of each half hour, energy, cost: the chart's twin. A gap says so."""
    if home.today is None:
        return []
    rows = []
    for n, wh in enumerate(home.today.slots_wh):
        start = text.clock(at_us=home.today.day_us + n * HALF_HOUR_US, zone=home.zone)
        cost = home.today.slots_micro[n] if n < len(home.today.slots_micro) else None
        if home.today.day_us + n * HALF_HOUR_US >= home.now_us:
            break
        rows.append(
            (
                start,
                gettext("no reading") if wh is None else text.kwh(wh=wh, places=3, unit=home.unit),
                "" if cost is None else text.charge(micro=cost, currency=home.currency),
            )
        )
    return rows


def _costs_ahead(outlook: Forecast, home: Home) -> Iterator[tuple[int, int, int, int]]:
    """(instant, dear, middle and cheap cost until then) from now on, as far as is drawn."""
    last = _last_day(home)
    step_us = US_PER_DAY if outlook.ahead is None or last > FINE_DAYS else US_PER_DAY // 4
    for at_us in range(home.now_us, home.now_us + last * US_PER_DAY + 1, step_us):
        mid = _cost(outlook, home.now_us, at_us)
        if outlook.ahead is None:
            spread = outlook.pace.spread_micro(hours=(at_us - home.now_us) // US_PER_HOUR)
            yield at_us, mid + spread, mid, mid - spread
        else:
            between = partial(outlook.ahead.cost_between, start_us=home.now_us, end_us=at_us)
            yield at_us, max(mid, between(side="high")), mid, min(mid, between(side="low"))


def _cost(outlook: Forecast, now_us: int, at_us: int) -> int:
    if outlook.ahead is None:
        return outlook.pace.cost_micro(hours=(at_us - now_us) // US_PER_HOUR)
    return outlook.ahead.cost_between(start_us=now_us, end_us=at_us)


def _range(home: Home) -> list[int] | None:
    """Where on the time axis the range lies, as far as it is drawn."""
    outlook = home.outlook
    if (
        outlook is None
        or outlook.early_us is None
        or outlook.early_us - home.now_us >= DRAWN_DAYS * US_PER_DAY
    ):
        return None
    drawn_us = home.now_us + _last_day(home) * US_PER_DAY
    return [_ms(outlook.early_us), _ms(min(outlook.late_us or drawn_us, drawn_us))]


def _slots_of(home: Home) -> int:
    """Half hours of the local day: 46, 48 or 50."""
    start_us = local_day_start(zone=home.zone, at_us=home.now_us)
    return (next_day_start(zone=home.zone, at_us=start_us) - start_us) // HALF_HOUR_US


def _last_day(home: Home) -> int:
    """How many days ahead are drawn: until the late end of the range, and a little air."""
    outlook = home.outlook
    if outlook is None:
        return 0
    end_us = outlook.late_us or outlook.runs_out_us
    days = HORIZON_DAYS if end_us is None else (end_us - home.now_us) // US_PER_DAY + 1
    return min(DRAWN_DAYS, days)


def _ticks(home: Home, fan: list[list[int]]) -> list[list[int | str]]:
    """Up to five dated marks of the time axis, spread evenly, in the reader's language."""
    first = home.points[0][0] if home.points else home.now_us
    last = fan[-1][0] * 1000 if fan else home.now_us
    if last - first < US_PER_DAY:
        return [[_ms(home.now_us), text.short_day(at_us=home.now_us, zone=home.zone)]]
    step = (last - first) // 4
    return [[_ms(first + n * step), text.short_day(at_us=first + n * step, zone=home.zone)] for n in range(5)]


def _ms(at_us: int) -> int:
    return at_us // 1000

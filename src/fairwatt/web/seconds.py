"""A meter second by second, for the resident's page and the desk's: one reading of the rows, one drawing.

The rows that PostgreSQL lets through are those of the scope: a resident's own wallet, a clerk's book.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from django.db import connection
from django.utils.translation import gettext, ngettext

from fairwatt.core.spans import date_start, local_date, next_day_start
from fairwatt.flows import seconds as telemetry
from fairwatt.flows.look_at_seconds import VIEWED
from fairwatt.store.models import Event, Gateway, Installation, Meter
from fairwatt.web import access
from fairwatt.web.design import format as text
from fairwatt.wire.records import UNKNOWN_I32

MINUTES: Final = (5, 15, 60)
WATCH_CHANNEL: Final = "fairwatt_watch"
BREAK_S: Final = 5
"""A pause longer than this, or than three of the usual ones, is a gap in the line."""


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """What a page of seconds shows."""

    now: tuple[int | None, int | None, int | None]
    """watts, tenths of a volt, milliamperes of the newest second that is known"""
    newest_us: int | None
    known: int
    chart: dict[str, Any]
    table: list[tuple[str, str, str, str]]
    kept_minutes: bool
    """True when only the minutes of that day are left"""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is asked for: the last minutes up to now, or a local day."""

    zone: str
    now_us: int
    minutes: int
    day: date | None
    earlier: date | None
    later: date | None
    unreadable: bool
    choices: tuple[int, ...] = MINUTES

    @property
    def from_s(self) -> int:
        if self.day is not None:
            return date_start(zone=self.zone, day=self.day) // 1_000_000
        return self.until_s - self.minutes * 60

    @property
    def until_s(self) -> int:
        if self.day is not None:
            start_us = date_start(zone=self.zone, day=self.day)
            return next_day_start(zone=self.zone, at_us=start_us) // 1_000_000
        return self.now_us // 1_000_000 + 1


def page(*, zone: str, now_us: int, asked: dict[str, str], first_us: int) -> Page:
    """Read what the address asks for: `minutes`, or `day` between ``first_us`` and today."""
    said = asked.get("day", "")
    today, first = local_date(zone=zone, at_us=now_us), local_date(zone=zone, at_us=first_us)
    day: date | None = None
    try:
        day = date.fromisoformat(said) if said else None
    except ValueError:
        pass
    known = day is not None and first <= day <= today
    minutes = asked.get("minutes", "")
    around = day if known else today
    return Page(
        zone=zone,
        now_us=now_us,
        minutes=int(minutes) if minutes in {str(one) for one in MINUTES} else MINUTES[0],
        day=day if known else None,
        earlier=_day_from(around, -1, first, today) if known else today,
        later=_day_from(around, 1, first, today) if known else None,
        unreadable=bool(said) and not known,
    )


def _day_from(day: date | None, days: int, first: date, last: date) -> date | None:
    moved = None if day is None else day + timedelta(days=days)
    return moved if moved is not None and first <= moved <= last else None


def found(*, scope: access.Scope, meter: Meter, page: Page) -> Seconds:
    """What is known of the meter in the time asked for, as far as ``scope`` may see it."""
    if page.day is not None:
        return look_at_day(scope=scope, meter=meter, page=page)
    return look(scope=scope, meter=meter, page=page)


def meters_of_wallet(*, wallet_id: int) -> list[Meter]:
    """The meters that feed a wallet now."""
    homes = Installation.objects.filter(wallet_id=wallet_id, closed_us__isnull=True)
    return [home.meter for home in homes.select_related("meter").order_by("meter__number")]


def look(*, scope: access.Scope, meter: Meter, page: Page) -> Seconds:
    """The last minutes of a meter, as far as `scope` may see them."""
    from_s, until_s, zone, minutes = page.from_s, page.until_s, page.zone, page.minutes
    with access.seeing(scope=scope):
        values = telemetry.read_seconds(meter=meter.pk, from_s=from_s, until_s=until_s)
    points, newest_s = _points(values[0], from_s)
    column = None if newest_s is None else values[:, newest_s - from_s].tolist()
    chart = {
        "kind": "seconds",
        "points": points,
        "from": from_s * 1000,
        "until": until_s * 1000,
        "offset": _offset_ms(zone, page.now_us),
        "summary": _summary(values[0], minutes),
    }
    return Seconds(
        now=(None, None, None) if column is None else _known(column),
        newest_us=None if newest_s is None else newest_s * 1_000_000,
        known=int((values[0] != UNKNOWN_I32).sum()),
        chart=chart,
        table=_table(telemetry.in_steps(values, step=60)[0], from_s, 60, zone),
        kept_minutes=False,
    )


def look_at_day(*, scope: access.Scope, meter: Meter, page: Page) -> Seconds:
    """One local day by the minute: least, mean and most; from its seconds, or from what was kept of them."""
    from_s, until_s, zone = page.from_s, page.until_s, page.zone
    with access.seeing(scope=scope):
        values = telemetry.read_seconds(meter=meter.pk, from_s=from_s, until_s=until_s)
        kept = telemetry.read_steps(meter=meter.pk, from_s=from_s, until_s=until_s, step_s=60)
    power = telemetry.in_steps(values, step=60)[0]
    known = int(power.n.sum())
    rows = _rows(power, from_s, 60)
    kept_minutes = not known and bool(kept)
    if kept_minutes:
        rows = [
            row for day_s, steps in kept for row in _rows(steps[0], day_s, 60) if from_s <= row[0] < until_s
        ]
    chart = {
        "kind": "band",
        "rows": [[second * 1000, *rest] for second, *rest in rows],
        "from": from_s * 1000,
        "until": until_s * 1000,
        "offset": _offset_ms(zone, from_s * 1_000_000),
        "summary": _day_summary(rows),
    }
    return Seconds(
        now=(None, None, None),
        newest_us=None,
        known=known or len(rows),
        chart=chart,
        table=_quarters(rows, zone),
        kept_minutes=kept_minutes,
    )


def looks(*, scope: access.Scope) -> list[int]:
    """When somebody of the desk last looked at these seconds, newest first."""
    with access.seeing(scope=scope):
        rows = Event.objects.filter(book=scope.books[0], kind=VIEWED, wallet__in=scope.wallets or ())
        return list(rows.order_by("-id").values_list("at_us", flat=True)[:5])


def watch(*, book: int, meter: Meter) -> None:
    """Let the meter's gateway know that somebody looks, so that it sends every other second for a while."""
    gateway = Gateway.objects.select_related("site").get(pk=meter.gateway_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, %s)", [WATCH_CHANNEL, f"{book}.{gateway.site.slug}.{gateway.slug}"]
        )


def _known(column: list[int]) -> tuple[int | None, int | None, int | None]:
    power, voltage, current = (None if value == UNKNOWN_I32 else value for value in column)
    return power, voltage, current


def _points(power: telemetry.Int32s, from_s: int) -> tuple[list[list[int | None]], int | None]:
    """[instant in ms, watts] of every known second; a null where the line breaks."""
    at = np.flatnonzero(power != UNKNOWN_I32)
    if not len(at):
        return [], None
    pauses = np.diff(at)
    longest = max(BREAK_S, 3 * int(np.median(pauses))) if len(pauses) else BREAK_S
    points: list[list[int | None]] = []
    for n, second in enumerate(at.tolist()):
        if n and second - int(at[n - 1]) > longest:
            points.append([(from_s + second) * 1000 - 500, None])
        points.append([(from_s + second) * 1000, int(power[second])])
    return points, from_s + int(at[-1])


def _rows(steps: telemetry.Steps, from_s: int, step: int) -> list[tuple[int, int, int, int]]:
    """(first second, least, mean, most) of every step that knows something; the mean toward minus infinity."""
    return [
        (
            from_s + step * k,
            int(steps.least[k]),
            int(steps.total[k]) // int(steps.n[k]),
            int(steps.most[k]),
        )
        for k in np.flatnonzero(steps.n).tolist()
    ]


def _table(steps: telemetry.Steps, from_s: int, step: int, zone: str) -> list[tuple[str, str, str, str]]:
    return [_told(row, zone) for row in reversed(_rows(steps, from_s, step))]


def _quarters(rows: list[tuple[int, int, int, int]], zone: str) -> list[tuple[str, str, str, str]]:
    """A day's minutes as quarters of an hour: the chart's twin stays readable."""
    quarters: dict[int, list[tuple[int, int, int, int]]] = {}
    for row in rows:
        quarters.setdefault(row[0] // 900 * 900, []).append(row)
    return [
        _told(
            (
                first,
                min(row[1] for row in some),
                sum(row[2] for row in some) // len(some),
                max(row[3] for row in some),
            ),
            zone,
        )
        for first, some in quarters.items()
    ]


def _told(row: tuple[int, int, int, int], zone: str) -> tuple[str, str, str, str]:
    at = text.clock(at_us=row[0] * 1_000_000, zone=zone)
    least, mean, most = (text.watts(power_w=watts) for watts in row[1:])
    return at, least, mean, most


def _offset_ms(zone: str, at_us: int) -> int:
    """How far the zone's clock is ahead of UTC then: the axis is drawn by the building's clock."""
    return text.offset_s(at_us=at_us, zone=zone) * 1000


def _summary(power: telemetry.Int32s, minutes: int) -> str:
    known = power[power != UNKNOWN_I32]
    if not len(known):
        return ngettext(
            "Nothing was heard from this meter in the last %(n)d minute.",
            "Nothing was heard from this meter in the last %(n)d minutes.",
            minutes,
        ) % {"n": minutes}
    return gettext("Between %(least)s and %(most)s in the last %(n)d minutes.") % {
        "least": text.watts(power_w=int(known.min())),
        "most": text.watts(power_w=int(known.max())),
        "n": minutes,
    }


def _day_summary(rows: list[tuple[int, int, int, int]]) -> str:
    if not rows:
        return gettext("Nothing is known of this day second by second.")
    most = max(rows, key=lambda row: row[3])
    return gettext("Between %(least)s and %(most)s on this day.") % {
        "least": text.watts(power_w=min(row[1] for row in rows)),
        "most": text.watts(power_w=most[3]),
    }

"""Read the parts of a tariff file that say when: hours, days, dates, seasons, the calendar, instants."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Final

from fairwatt.core.rating.elements.base import MINUTES_PER_DAY
from fairwatt.core.rating.elements.periods import WEEKEND, WORKDAY, Calendar, DateRange, Days, MonthDay
from fairwatt.core.rating.tariff_yaml import Reader
from fairwatt.core.spans import date_start, from_datetime, zone_info

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_KEYS: Final = ("months", "season", "dates", "weekdays", "days")
_HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")
_MONTH_DAY = re.compile(r"(\d\d)-(\d\d)")
_CLOCK = re.compile(r"([+-])(\d\d):(\d\d)")
RANGE: Final = ".."
DATES_MAX: Final = 400

Seasons = Mapping[str, tuple[DateRange, ...]]


def read_days(body: Reader, *, seasons: Seasons, day_types: tuple[str, ...]) -> Days:
    """Read the choice of days of a period, a package or a demand charge."""
    months, weekdays, types = body.find("months"), body.find("weekdays"), body.find("days")
    dates, season = body.find("dates"), body.find("season")
    if dates is not None and season is not None:
        raise season.wrong("`dates` and `season` do not go together; take one", code="contradiction")
    ranges = None
    if dates is not None:
        ranges = tuple(date_range(item) for item in dates.items())
    if season is not None:
        ranges = season_of(season, seasons)
    return Days(
        months=None if months is None else frozenset(m.whole(low=1, high=12) for m in months.items()),
        weekdays=None
        if weekdays is None
        else frozenset(WEEKDAYS.index(d.word(*WEEKDAYS)) for d in weekdays.items()),
        dates=ranges,
        types=None
        if types is None
        else frozenset(t.word(*dict.fromkeys((WORKDAY, WEEKEND, *day_types))) for t in types.items()),
    )


def season_of(node: Reader, seasons: Seasons) -> tuple[DateRange, ...]:
    """Look a season up by its name."""
    if not seasons:
        raise node.wrong("the file has no `seasons`; add them at the top", code="unknown_word")
    return seasons[node.word(*seasons)]


def read_seasons(node: Reader) -> dict[str, tuple[DateRange, ...]]:
    """Read the named parts of the year."""
    return {key.text(): tuple(date_range(item) for item in value.items()) for key, value in node.pairs()}


def date_range(node: Reader) -> DateRange:
    """Read ``06-01..09-30`` or a single ``12-25``."""
    first, _, last = node.text().partition(RANGE)
    return DateRange(month_day(node, first), month_day(node, last or first))


def month_day(node: Reader, text: str) -> MonthDay:
    """Read ``12-25``; 29 February counts in leap years only."""
    match = _MONTH_DAY.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        found = date(2024, int(match.group(1)), int(match.group(2)))
    except ValueError as error:
        raise node.wrong(
            f"{text!r} is no date of the year; write month and day, such as 06-01 or 06-01..09-30",
            code="not_a_date",
        ) from error
    return found.month, found.day


def read_calendar(node: Reader) -> Calendar:
    """Read the dates with a type of their own; a date has one type."""
    dated: dict[date, str] = {}
    yearly: dict[MonthDay, str] = {}
    for key, value in node.pairs():
        for item in value.items():
            if len(item.text().partition(RANGE)[0]) == len("12-25"):
                dates = date_range(item)
                day = date(2024, *dates.first)
                for _ in range(366):
                    _put(yearly, (day.month, day.day), key.text(), item)
                    if (day.month, day.day) == dates.last:
                        break
                    day = day + timedelta(days=1) if day < date(2024, 12, 31) else date(2024, 1, 1)
                continue
            for day in _dates(item):
                _put(dated, day, key.text(), item)
    return Calendar(tuple(sorted(dated.items())), tuple(sorted(yearly.items())))


def _put[K](known: dict[K, str], day: K, said: str, node: Reader) -> None:
    if known.get(day, said) != said:
        raise node.wrong(
            f"{node.text()!r} is {known[day]!r} already; a date has one type", code="contradiction"
        )
    known[day] = said


def _dates(node: Reader) -> Iterator[date]:
    first, _, last = node.text().partition(RANGE)
    start, end = local_day(node, first), local_day(node, last or first)
    if not 0 <= (end - start).days < DATES_MAX:
        raise node.wrong(f"{node.text()!r} does not run forward over at most a year", code="not_a_date")
    for n in range((end - start).days + 1):
        yield start + timedelta(days=n)


def local_day(node: Reader, text: str) -> date:
    """Read ``2024-02-10``."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise node.wrong(
            f"{text!r} is no date; write year, month and day: 2024-02-10", code="not_a_date"
        ) from error


def instant(node: Reader, *, zone: str, text: str | None = None) -> int:
    """Read a local date or an ISO instant; without an offset it is local."""
    said = node.text() if text is None else text
    try:
        if len(said) == len("2012-07-01"):
            return date_start(zone=zone, day=date.fromisoformat(said))
        at = datetime.fromisoformat(said)
        return from_datetime(at if at.tzinfo else at.replace(tzinfo=zone_info(zone)))
    except ValueError as error:
        raise node.wrong(
            f"{said!r} is neither a date (2012-07-01) nor an ISO instant (2012-07-01T06:30:00+08:00)",
            code="not_a_date",
        ) from error


def read_hours(body: Reader) -> tuple[tuple[int, int], ...]:
    """Read the list under ``hours`` as minutes of the day; left out it is the whole day."""
    hours = body.find("hours")
    if hours is None:
        return ((0, MINUTES_PER_DAY),)
    return tuple(window for item in hours.items() for window in _windows(item))


def clock_offset(node: Reader) -> int:
    """Read ``+08:00`` as minutes east of UTC."""
    match = _CLOCK.fullmatch(node.text())
    if match is None or int(match.group(2)) > 14 or int(match.group(3)) > 59:
        raise node.wrong(f'{node.text()!r} is no clock; write an offset such as "+00:00"', code="not_a_clock")
    minutes = int(match.group(2)) * 60 + int(match.group(3))
    return -minutes if match.group(1) == "-" else minutes


def _windows(node: Reader) -> Iterator[tuple[int, int]]:
    match = _HOURS.fullmatch(node.text())
    if match is None:
        raise node.wrong(f"{node.text()!r} is not a time of day such as 08:00-22:00", code="not_hours")
    h0, m0, h1, m1 = (int(part) for part in match.groups())
    start, end = h0 * 60 + m0, h1 * 60 + m1
    if start >= MINUTES_PER_DAY or end > MINUTES_PER_DAY or start == end:
        raise node.wrong(
            f"{node.text()!r} does not lie in a day; a whole day is 00:00-24:00", code="not_hours"
        )
    if start < end:
        yield start, end
        return
    yield start, MINUTES_PER_DAY
    if end:
        yield 0, end

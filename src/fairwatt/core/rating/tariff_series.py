"""Read market prices: written into the tariff, or from a file beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from fairwatt.core.rating.elements.market_price import DAILY_MIN, Series
from fairwatt.core.rating.tariff_calendar import instant
from fairwatt.core.rating.tariff_yaml import Reader
from fairwatt.core.spans import date_start, from_datetime, local_date
from fairwatt.core.units import US_PER_MINUTE

SeriesRows = Callable[[str, str, str], Iterable[tuple[str, str]]]
"""Fetches the rows of a file: name, time column and price column in; (time, price) as text out."""


def read_series(name: str, node: Reader, rows: SeriesRows | None, *, zone: str) -> Series:
    """Read one series; raises ``TariffFileError``, also for a file that cannot be fetched."""
    node.only("step_min", "start", "values", "file", "time", "price")
    step = node.find("step_min")
    step_min = 30 if step is None else step.whole(low=5, high=1440)
    kind, found = node.one_of("values", "file")
    points: Iterable[tuple[int, int]]
    if kind == "values":
        start = node.get("start")
        starts = _starts(start, step_min, zone)
        points = [(at_us, v.scaled(decimals=6)) for at_us, v in zip(starts, found.items(), strict=False)]
    elif rows is None:
        raise found.wrong(
            "a published tariff cannot look into a file; write the prices as `start` and `values`",
            code="no_file",
        )
    else:
        time, price = node.find("time"), node.find("price")
        columns = ("start" if time is None else time.text(), "price" if price is None else price.text())
        points = sorted(_file_points(found, rows, *columns))
    return Series(name, step_min, tuple(points))


def csv_rows(text: str, time: str, price: str) -> Iterator[tuple[str, str]]:
    """Yield time and price of each row of a CSV text; raises ``ValueError`` without those columns."""
    reader = csv.DictReader(io.StringIO(text))
    names = reader.fieldnames or []
    if time not in names or price not in names:
        raise ValueError(
            f"it has the columns {', '.join(names)}; name two of them as `time: {time}` and `price: {price}`"
        )
    for row in reader:
        yield row[time], row[price]


def _file_points(node: Reader, rows: SeriesRows, time: str, price: str) -> Iterator[tuple[int, int]]:
    try:
        for n, (at, value) in enumerate(rows(node.text(), time, price), start=2):
            yield _at(at), _micro(value, n)
    except (OSError, ValueError) as error:
        why = error.strerror or "it cannot be read" if isinstance(error, OSError) else error
        raise node.wrong(
            f"{node.text()} cannot be used: {why}; a series lies beside the tariff file", code="no_file"
        ) from error


def _starts(node: Reader, step_min: int, zone: str) -> Iterator[int]:
    """The instants of inline prices: even steps, or local days for daily prices."""
    if step_min == DAILY_MIN:
        first = local_date(zone=zone, at_us=instant(node, zone=zone))
        yield from (date_start(zone=zone, day=first + timedelta(days=n)) for n in count())
    first_us = _instant(node, node.text())
    yield from (first_us + n * step_min * US_PER_MINUTE for n in count())


def _instant(node: Reader, text: str) -> int:
    try:
        return _at(text)
    except ValueError as error:
        raise node.wrong(
            f"{text!r} is not an ISO instant (2024-01-01T00:00:00+00:00)", code="not_a_date"
        ) from error


def _at(text: str) -> int:
    at = datetime.fromisoformat(text)
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=UTC))


def _micro(text: str, line: int) -> int:
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("+-").partition(".")
    if not whole.isdigit() or (part and not part.isdigit()) or len(part.rstrip("0")) > 6:
        raise ValueError(f"row {line}: {text!r} is not a plain decimal number with at most six decimals")
    return sign * int(whole + part[:6].ljust(6, "0"))

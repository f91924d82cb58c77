"""Read a tariff that a manager wrote: YAML, version 1, money exact.

    fairwatt_tariff: 1
    name: Zhejiang residential
    currency: CNY
    zone: Asia/Shanghai
    versions:
      - effective: 2012-07-01            # a local date, or an instant such as 2012-07-01T00:00:00+08:00
        elements:
          - energy:
              counter: year              # month, year or none
              blocks_kwh: [2760, 4800]   # upper bounds; leave out for a flat price
              periods:
                - {name: peak, hours: ["08:00-22:00"], prices: ["0.568", "0.618", "0.868"]}
                - {name: valley, hours: ["22:00-08:00"], prices: ["0.288", "0.338", "0.588"]}
          - standing: {per_day: "0.30"}
          - tax: {name: VAT, percent: "13", on: [energy, standing]}

``energy: {price: "0.538"}`` is the short form of a flat price. A period may name ``months`` (1-12) and
``weekdays`` (mon..sun); hours past midnight belong to the day each of their minutes falls on.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Final, Literal

from fairwatt.core.rating.elements.energy_blocks import MINUTES_PER_DAY, EnergyBlocks, Period, TariffError
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.model import Element, Schedule, TariffVersion
from fairwatt.core.rating.tariff_obj import ScheduleObjError, schedule_from_obj, schedule_to_obj
from fairwatt.core.rating.tariff_yaml import Reader, TariffFileError
from fairwatt.core.spans import UnknownZone, date_start, from_datetime, zone_info

__all__ = [
    "ScheduleObjError",
    "TariffFileError",
    "parse_schedule",
    "schedule_from_obj",
    "schedule_to_obj",
]

FORMAT: Final = 1
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


def parse_schedule(text: str) -> Schedule:
    """Turn the text of a tariff file into a schedule.

    Raises ``TariffFileError`` with the line and what is wrong there, and never guesses: an unknown word, a
    doubled key or a price finer than a millionth is an error.
    """
    top = Reader.of_text(text)
    top.only("fairwatt_tariff", "name", "currency", "zone", "versions")
    if top.get("fairwatt_tariff").text() != str(FORMAT):
        raise top.get("fairwatt_tariff").wrong(f"this program reads tariff format {FORMAT}")
    top.get("name").text()
    zone = top.get("zone")
    try:
        zone_info(zone.text())
    except UnknownZone as error:
        raise zone.wrong(str(error)) from error
    versions = [
        _version(node, number=number, zone=zone.text())
        for number, node in enumerate(top.get("versions").items(), start=1)
    ]
    try:
        return Schedule(top.get("currency").text(), zone.text(), tuple(versions))
    except TariffError as error:
        raise top.wrong(str(error)) from error


def _version(node: Reader, *, number: int, zone: str) -> TariffVersion:
    node.only("effective", "name", "elements")
    effective = node.get("effective")
    named = node.find("name")
    name = effective.text() if named is None else named.text()
    elements = tuple(_element(item) for item in node.get("elements").items())
    try:
        return TariffVersion(number, _effective_us(effective, zone=zone), name, elements)
    except TariffError as error:
        raise node.wrong(str(error)) from error


def _effective_us(node: Reader, *, zone: str) -> int:
    text = node.text()
    try:
        if len(text) == len("2012-07-01"):
            return date_start(zone=zone, day=date.fromisoformat(text))
        at = datetime.fromisoformat(text)
        return from_datetime(at if at.tzinfo else at.replace(tzinfo=zone_info(zone)))
    except ValueError as error:
        raise node.wrong(f"{text!r} is neither a date (2012-07-01) nor an ISO instant") from error


def _element(node: Reader) -> Element:
    kind, body = node.single("energy", "standing", "tax")
    try:
        if kind == "energy":
            return _energy(body)
        if kind == "standing":
            body.only("per_day")
            return StandingCharge(body.get("per_day").scaled(decimals=6))
        body.only("name", "percent", "on")
        on = frozenset(word.text() for word in body.get("on").items())
        return Tax(body.get("name").text(), body.get("percent").scaled(decimals=2), on)
    except TariffFileError:
        raise
    except TariffError as error:
        raise body.wrong(str(error)) from error


def _energy(body: Reader) -> EnergyBlocks:
    flat = body.find("price")
    if flat is not None:
        body.only("price")
        return EnergyBlocks.flat(price_micro=flat.scaled(decimals=6))
    body.only("counter", "blocks_kwh", "periods")
    blocks = body.find("blocks_kwh")
    bounds_wh = () if blocks is None else tuple(bound.scaled(decimals=3) for bound in blocks.items())
    counter = body.find("counter")
    periods = tuple(_period(item) for item in body.get("periods").items())
    return EnergyBlocks("none" if counter is None else _counter(counter), bounds_wh, periods)


def _counter(node: Reader) -> Literal["month", "year", "none"]:
    match node.text():
        case "month" | "year" | "none" as word:
            return word
        case other:
            raise node.wrong(f"counter {other!r} is none of month, year, none")


def _period(node: Reader) -> Period:
    node.only("name", "hours", "months", "weekdays", "prices")
    hours, months, weekdays = node.find("hours"), node.find("months"), node.find("weekdays")
    windows = ((0, MINUTES_PER_DAY),) if hours is None else tuple(_windows(hours.items()))
    try:
        return Period(
            name=node.get("name").text(),
            windows=windows,
            months=None if months is None else frozenset(m.scaled(decimals=0) for m in months.items()),
            weekdays=None if weekdays is None else frozenset(_weekday(d) for d in weekdays.items()),
            prices_micro=tuple(price.scaled(decimals=6) for price in node.get("prices").items()),
        )
    except TariffFileError:
        raise
    except TariffError as error:
        raise node.wrong(str(error)) from error


def _windows(hours: Iterable[Reader]) -> Iterable[tuple[int, int]]:
    for node in hours:
        match = _HOURS.fullmatch(node.text())
        if match is None:
            raise node.wrong(f"{node.text()!r} is not a time of day such as 08:00-22:00")
        h0, m0, h1, m1 = (int(part) for part in match.groups())
        start, end = h0 * 60 + m0, h1 * 60 + m1
        if start >= MINUTES_PER_DAY or end > MINUTES_PER_DAY or start == end:
            raise node.wrong(f"{node.text()!r} does not lie in a day; a whole day is 00:00-24:00")
        if start < end:
            yield start, end
            continue
        yield start, MINUTES_PER_DAY
        if end:
            yield 0, end


def _weekday(node: Reader) -> int:
    if node.text() not in WEEKDAYS:
        raise node.wrong(f"{node.text()!r} is none of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(node.text())

"""Read a tariff that a manager wrote: YAML, format 1, money exact. `docs/guides/tariffs.md` teaches the language.

fairwatt_tariff: 1
name: Zhejiang residential
currency: CNY
zone: Asia/Shanghai
versions:
  - effective: 2012-07-01
    elements:
      - energy:
          counter: year
          blocks: [2760, 4800]
          periods:
            - {name: peak, hours: ["08:00-22:00"], prices: ["0.568", "0.618", "0.868"]}
            - {name: valley, otherwise: true, prices: ["0.288", "0.338", "0.588"]}
      - standing: {per_day: "0.30"}
      - tax: {name: VAT, percent: "13", on: [energy, standing]}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import gcd, prod
from typing import Final

from fairwatt.core.rating.elements.periods import Calendar
from fairwatt.core.rating.model import Parameter, Rounding, Schedule, Series, TariffError, TariffVersion
from fairwatt.core.rating.tariff_calendar import instant, read_calendar, read_seasons
from fairwatt.core.rating.tariff_elements import read_elements
from fairwatt.core.rating.tariff_energy import Context
from fairwatt.core.rating.tariff_examples import Example, read_example
from fairwatt.core.rating.tariff_obj import ScheduleObjError, schedule_from_obj, schedule_to_obj
from fairwatt.core.rating.tariff_series import SeriesRows, read_series
from fairwatt.core.rating.tariff_yaml import Reader, TariffFileError
from fairwatt.core.spans import UnknownZone, zone_info

__all__ = [
    "ScheduleObjError",
    "TariffFile",
    "TariffFileError",
    "parse_schedule",
    "read_tariff",
    "schedule_from_obj",
    "schedule_to_obj",
]

FORMAT: Final = 1
KEYS: Final = (
    *("fairwatt_tariff", "name", "currency", "zone", "unit", "source", "status", "note", "parameters"),
    *("seasons", "calendar", "series", "conversion", "rounding", "versions", "examples"),
)


@dataclass(frozen=True, slots=True)
class TariffFile:
    """All that a tariff file says: the schedule, where it comes from, and its own worked examples."""

    name: str
    source: str
    status: str
    note: str
    schedule: Schedule
    notes: tuple[str, ...]
    examples: tuple[Example, ...]


@lru_cache(maxsize=128)
def parse_schedule(text: str) -> Schedule:
    """Turn the text of a tariff file into a schedule; the same text is read once.

    Raises ``TariffFileError`` with the line and what is wrong there, and never guesses: an unknown word, a
    doubled key or a price finer than a millionth is an error.
    """
    return read_tariff(text).schedule


def read_tariff(text: str, *, series_rows: SeriesRows | None = None) -> TariffFile:
    """Read a whole tariff file. ``series_rows`` fetches market prices that lie in files beside it.

    Raises ``TariffFileError`` for the first fault; its ``all`` has every one that was found.
    """
    top = Reader.of_text(text)
    made: TariffFile | None = None
    try:
        made = _file(top, series_rows)
    except TariffError as error:
        # After a misspelt key the one that it was meant to be is missing: one fault, said once.
        if not (top.found and getattr(error, "code", "") == "missing_key"):
            top.note(error)
    if top.found:
        faults = list({(f.line, f.column, str(f)): f for f in top.found}.values())
        faults.sort(key=lambda fault: (fault.line, fault.column))
        faults[0].all = tuple(faults)
        raise faults[0]
    assert made is not None, "without a fault there is a tariff"
    return made


def _file(top: Reader, series_rows: SeriesRows | None) -> TariffFile:
    if top.get("fairwatt_tariff").text() != str(FORMAT):
        raise top.get("fairwatt_tariff").wrong(f"this program reads tariff format {FORMAT}", code="format")
    _noted(top, lambda: top.only(*KEYS))
    if not top.found:
        _noted(top, lambda: _must_have(top, "name", "currency"))
    zone = top.get("zone")
    try:
        zone_info(zone.text())
    except UnknownZone as error:
        raise zone.wrong(str(error), code="unknown_zone") from error
    context = _context(top, zone.text(), series_rows)
    versions_node = top.get("versions")
    before = len(top.found)
    versions = _versions(versions_node, context)
    if len(top.found) > before or not versions:
        # What depends on the versions would only repeat their faults.
        raise top.found.pop() if top.found else versions_node.wrong("a tariff needs at least one version")
    _check_order(versions_node, versions)
    schedule = _schedule(top, context, versions)
    examples = top.find("examples")
    return TariffFile(
        name=top.get("name").text(),
        source=_said(top, "source"),
        status="" if not top.has("status") else top.get("status").word("read", "to_be_verified", "made_up"),
        note=_said(top, "note"),
        schedule=schedule,
        notes=tuple(_said(node, "note") for node in versions_node.items()),
        examples=()
        if examples is None
        else tuple(examples.each(lambda node: read_example(node, schedule=schedule))),
    )


def _noted(node: Reader, read: Callable[[], None]) -> None:
    try:
        read()
    except TariffError as error:
        node.note(error)


def _must_have(top: Reader, *keys: str) -> None:
    for key in keys:
        top.get(key).text()


def _said(node: Reader, key: str) -> str:
    found = node.find(key)
    return "" if found is None else found.text()


def _context(top: Reader, zone: str, series_rows: SeriesRows | None) -> Context:
    unit, seasons, calendar = top.find("unit"), top.find("seasons"), top.find("calendar")
    series, parameters = top.find("series"), top.find("parameters")
    known = () if parameters is None else _parameters(parameters)
    return Context(
        zone=zone,
        unit="kWh" if unit is None else unit.word("kWh", "m3"),
        seasons={} if seasons is None else read_seasons(seasons),
        calendar=Calendar() if calendar is None else read_calendar(calendar),
        series=()
        if series is None
        else tuple(_series(key.text(), value, series_rows, zone) for key, value in series.pairs()),
        parameters=frozenset(parameter.name for parameter in known),
    )


def _series(name: str, node: Reader, rows: SeriesRows | None, zone: str) -> Series:
    try:
        return read_series(name, node, rows, zone=zone)
    except TariffError as error:
        # It is there by name, so that what refers to it is no second fault.
        node.note(error)
        return Series(name, 30, ())


def _parameters(node: Reader) -> tuple[Parameter, ...]:
    made = []
    for key, value in node.pairs():
        value.only("default", "note")
        made.append(Parameter(key.text(), value.get("default").positive(decimals=3), _said(value, "note")))
    return tuple(made)


def _versions(node: Reader, context: Context) -> tuple[TariffVersion, ...]:
    numbered = list(enumerate(node.items(), start=1))
    made = []
    for number, item in numbered:
        try:
            made.append(_version(item, number=number, context=context))
        except TariffError as error:
            item.note(error)
    return tuple(made)


def _version(node: Reader, *, number: int, context: Context) -> TariffVersion:
    node.only("effective", "until", "name", "note", "elements")
    effective, until = node.get("effective"), node.find("until")
    named = node.find("name")
    name = effective.text() if named is None else named.text()
    before = len(node.found)
    effective_us = instant(effective, zone=context.zone)
    until_us = None if until is None else instant(until, zone=context.zone)
    if until is not None and until_us is not None and until_us <= effective_us:
        raise until.wrong(
            f"the version would end before it takes effect ({effective.text()})", code="contradiction"
        )
    elements = read_elements(node.get("elements"), context)
    if len(node.found) > before:
        raise node.found.pop()
    try:
        return TariffVersion(number, effective_us, name, elements, until_us)
    except TariffError as error:
        raise node.because(error) from error


def _check_order(node: Reader, versions: tuple[TariffVersion, ...]) -> None:
    """Name the line of a version that is out of order, or that ends though another follows."""
    for item, (older, newer) in zip(node.items(), pairwise(versions), strict=False):
        if older.until_us is not None:
            raise item.get("until").wrong(
                "only the last version has an `until`; this one ends where the next takes effect",
                code="contradiction",
            )
        if newer.effective_us <= older.effective_us:
            raise (
                node.items()[newer.number - 1]
                .get("effective")
                .wrong(
                    f"version {newer.name!r} does not take effect after {older.name!r}; write the oldest first",
                    code="contradiction",
                )
            )


def _schedule(top: Reader, context: Context, versions: tuple[TariffVersion, ...]) -> Schedule:
    conversion, rounding = top.find("conversion"), top.find("rounding")
    parameters = top.find("parameters")
    if rounding is not None:
        rounding.only("line", "total")
    try:
        return Schedule(
            currency=top.get("currency").text(),
            zone=context.zone,
            versions=versions,
            unit="m3" if context.unit == "m3" else "kWh",
            calendar=context.calendar,
            series=context.series,
            parameters=() if parameters is None else _parameters(parameters),
            conversion=(1, 1) if conversion is None else _conversion(conversion, context),
            round_line=None if rounding is None else _rounding(rounding.find("line")),
            round_total=None if rounding is None else _rounding(rounding.find("total")),
        )
    except TariffError as error:
        raise top.because(error) from error


def _conversion(node: Reader, context: Context) -> tuple[int, int]:
    node.only("multiply", "divide")
    if context.unit != "kWh":
        raise node.wrong("a conversion leads to kWh; leave out `unit: m3`", code="contradiction")
    up = [item.positive(decimals=6) for item in node.get("multiply").items()]
    divide = node.find("divide")
    down = [] if divide is None else [item.positive(decimals=6) for item in divide.items()]
    if not all(up) or not all(down):
        raise node.wrong("a factor of zero turns all use into nothing", code="out_of_range")
    multiply, divide = prod(up) * 10 ** (6 * len(down)), prod(down) * 10 ** (6 * len(up))
    common = gcd(multiply, divide)
    return multiply // common, divide // common


def _rounding(node: Reader | None) -> Rounding | None:
    if node is None:
        return None
    node.only("unit", "mode")
    mode = node.get("mode")
    for known in ("half_up", "half_even", "up", "down"):
        if mode.word("half_up", "half_even", "up", "down") == known:
            return Rounding(max(1, node.get("unit").positive(decimals=6)), known)
    raise AssertionError("the word was checked")

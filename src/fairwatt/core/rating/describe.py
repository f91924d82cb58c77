"""Say in plain sentences what a tariff charges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from fairwatt.core.rating.elements.demand_charge import DemandCharge
from fairwatt.core.rating.elements.energy_blocks import AVERAGE, EnergyBlocks, Period
from fairwatt.core.rating.elements.minimum_charge import MinimumCharge
from fairwatt.core.rating.elements.package import Package
from fairwatt.core.rating.elements.periods import WEEKDAY_NAMES, Days
from fairwatt.core.rating.elements.rebate import Rebate
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.elements.use_charge import UseCharge
from fairwatt.core.rating.elements.vending_charge import VendingCharge
from fairwatt.core.rating.model import Element, Schedule, TariffVersion
from fairwatt.core.rating.tariff_file import TariffFile
from fairwatt.core.spans import local_datetime

_WINDOWS = {
    "none": "never",
    "day": "each day",
    "month": "each month",
    "year": "each year",
    "bill": "each bill",
    "purchase_month": "by month of purchase",
}


def describe(tariff: TariffFile) -> Iterator[str]:
    """Yield the lines of a readable summary."""
    schedule = tariff.schedule
    yield f"{tariff.name} ({schedule.currency} per {schedule.unit}, {schedule.zone})"
    if tariff.source:
        yield f"source: {tariff.source}" + (f" [{tariff.status}]" if tariff.status else "")
    if tariff.note:
        yield f"note: {tariff.note}"
    for parameter in schedule.parameters:
        yield f"asks for {parameter.name} (otherwise {number(parameter.default_milli, 3)}) {parameter.note}".rstrip()
    if schedule.conversion != (1, 1):
        multiply, divide = schedule.conversion
        yield f"1 m3 counts as {number(multiply * 10**6 // divide, 6)} kWh"
    for version, note in zip(schedule.versions, tariff.notes, strict=True):
        yield from describe_version(schedule=schedule, version=version)
        if note:
            yield f"    note: {note}"
    yield f"{len(tariff.examples)} worked example{'s' * (len(tariff.examples) != 1)}"


def describe_version(*, schedule: Schedule, version: TariffVersion) -> Iterator[str]:
    """Yield the lines of one version."""
    at = local_datetime(zone=schedule.zone, at_us=version.effective_us)
    named = "" if version.name.startswith(f"{at:%Y-%m-%d}") else f": {version.name}"
    yield ""
    ends = ""
    if version.until_us is not None:
        end = local_datetime(zone=schedule.zone, at_us=version.until_us)
        ends = f" until {end:%Y-%m-%d %H:%M}, then no price is known"
    yield f"from {at:%Y-%m-%d %H:%M}{ends}{named}"
    if not version.energies and not version.packages:
        yield "  charges only: use has no price here"
    for element in version.elements:
        yield from (f"  {line}" for line in _lines(element, schedule))


def _lines(element: Element, schedule: Schedule) -> Iterator[str]:
    match element:
        case EnergyBlocks():
            yield from _energy(element, schedule.unit)
        case Package():
            yield (
                f"{element.name}: {money(element.price_micro)} for each {'event' if element.events else 'day'}"
                f"{_days(element.days)} with {number(element.included_wh, 3)} {schedule.unit}, "
                f"beyond that {money(element.beyond_micro)}"
            )
        case StandingCharge():
            yield from _standing(element)
        case MinimumCharge():
            per = "day" if element.per_day else element.window
            yield f"{element.name}: at least {money(element.amount_micro)} per {per} for {_names(element.on)}"
        case UseCharge():
            yield f"{element.name}: per {element.window}, by its use"
            for band in element.bands:
                upto = "above" if band.upto_wh is None else f"up to {number(band.upto_wh, 3)} {schedule.unit}"
                yield f"  {upto}: {money(band.amount_micro)}"
        case DemandCharge():
            yield (
                f"{element.name}: {money(element.micro_per_kw)} per kW{' and day' * element.per_day} "
                f"of the highest {element.interval_min} "
                f"minutes of the {element.window}{_days(element.days)}"
            )
        case Tax():
            share = number(abs(element.rate_e10), 8)
            lies = "is included in" if element.included else "on"
            sign = "-" if element.rate_e10 < 0 else ""
            yield f"{element.name}: {sign}{share} % {lies} {_names(element.on)}"
        case Rebate():
            yield from _rebate(element, schedule.unit)
        case VendingCharge():
            yield f"{element.name}: {_vending(element)}"
        case _:
            assert_never(element)


def _energy(energy: EnergyBlocks, unit: str) -> Iterator[str]:
    yield f"{energy.name}: per {unit}" + (
        f"; use counts again {_WINDOWS[energy.counter]}" if energy.counts else ""
    )
    if energy.free_wh:
        yield f"  the first {number(energy.free_wh, 3)} {unit} are free"
    if energy.market is not None:
        market = energy.market
        limits = [
            f"{word} {money(limit)}"
            for word, limit in (("at least", market.floor_micro), ("at most", market.cap_micro))
            if limit is not None
        ]
        yield (
            f"  {number(market.coefficient_ppm, 6)} x {market.series} + {money(market.add_micro)}"
            + "".join(f", {limit}" for limit in limits)
        )
    if energy.cases:
        by = "average of three windows" if energy.decide_by == AVERAGE else "total of the window"
        for case in energy.cases:
            upto = "above" if case.upto_wh is None else f"up to {number(case.upto_wh, 3)} {unit}"
            prices = " / ".join(", ".join(money(p) for p in row) for row in case.prices_micro)
            yield f"  {upto} by the {by}: {prices}" + _blocks(case.bounds_wh, unit)
        return
    if energy.bounds_wh:
        scaled = f", for {energy.per_days} day{'s' * (energy.per_days != 1)}" if energy.per_days else ""
        yield f"  blocks{_blocks(energy.bounds_wh, unit)}{scaled}"
    for period in energy.periods:
        if energy.market is not None:
            if len(energy.periods) > 1:
                factor = period.coefficient_ppm
                times = "" if factor is None else f" {number(factor, 6)} x {energy.market.series}"
                yield f"  {period.name}{_when(period)}:{times} + {money(period.add_micro)}"
            continue
        prices = ", ".join("unknown" if price is None else money(price) for price in period.prices_micro)
        yield f"  {prices}" if len(energy.periods) == 1 else f"  {period.name}{_when(period)}: {prices}"


def _standing(standing: StandingCharge) -> Iterator[str]:
    times = f" for each {standing.times}" if standing.times else ""
    months = f" in months {_list(standing.months)}" if standing.months else ""
    vacant = "" if standing.vacant == "tenant" else f"; while empty: {standing.vacant}"
    if standing.by is None:
        yield f"{standing.name}: {money(standing.amount_micro)} per {standing.per}{times}{months}{vacant}"
        return
    yield f"{standing.name}: per {standing.per}{times}, by {standing.by}{months}{vacant}"
    for band in standing.bands:
        upto = "above" if band.upto_milli is None else f"up to {number(band.upto_milli, 3)}"
        yield f"  {upto}: {money(band.amount_micro)}"


def _rebate(rebate: Rebate, unit: str) -> Iterator[str]:
    if not rebate.cases:
        yield f"{rebate.name}: {money(rebate.amount_micro)} back per {rebate.window} of {_names(rebate.on)}"
    for case in rebate.cases:
        upto = (
            "always" if case.upto_wh is None else f"up to {number(case.upto_wh, 3)} {unit} a {rebate.window}"
        )
        cap = "" if case.cap_micro is None else f", at most {money(case.cap_micro)}"
        yield f"{rebate.name}: {upto} {number(case.rate_ppm, 4)} % of {_names(rebate.on)} back{cap}"


def _vending(charge: VendingCharge) -> str:
    match charge.kind:
        case "per_month":
            split = ""
            if charge.split_below_micro:
                split = (
                    f"; while the month's purchases are below {money(charge.split_below_micro)}, at most "
                    f"{number(charge.split_ppm, 4)} % of each"
                )
            return f"{money(charge.amount_micro)} with the first purchase of a month{split}"
        case "per_purchase":
            return f"{money(charge.amount_micro)} with each purchase"
        case "percent":
            return f"{number(charge.rate_ppm, 4)} % of each purchase"
        case "arrears_percent":
            return f"{number(charge.rate_ppm, 4)} % of each purchase until arrears are paid"
        case _:
            assert_never(charge.kind)


def _when(period: Period) -> str:
    if period.otherwise:
        return " (all other times)"
    whole = period.windows == ((0, 1440),)
    hours = "" if whole else " " + " ".join(f"{_clock(a)}-{_clock(b)}" for a, b in period.windows)
    return hours + _days(period.days)


def _days(days: Days) -> str:
    said = ""
    if days.months is not None:
        said += f" in months {_list(days.months)}"
    if days.dates is not None:
        spans = [f"{a[0]:02d}-{a[1]:02d} to {b[0]:02d}-{b[1]:02d}" for a, b in days.dates]
        said += f" from {', '.join(spans)}"
    if days.weekdays is not None:
        said += " on " + ", ".join(WEEKDAY_NAMES[d] for d in sorted(days.weekdays))
    if days.types is not None:
        said += " on " + ", ".join(sorted(days.types))
    return said


def _blocks(bounds: tuple[int, ...], unit: str) -> str:
    return "" if not bounds else " to " + ", ".join(number(b, 3) for b in bounds) + f" {unit} and above"


def _list(values: frozenset[int]) -> str:
    return ", ".join(str(value) for value in sorted(values))


def _names(on: frozenset[str]) -> str:
    return ", ".join(sorted(on))


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def money(micro: int) -> str:
    """An amount without needless zeros."""
    return number(micro, 6)


def number(scaled: int, decimals: int) -> str:
    """A scaled whole number as a decimal, without needless zeros."""
    whole, part = divmod(abs(scaled), 10**decimals)
    text = f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".")
    return f"-{text}" if scaled < 0 else text

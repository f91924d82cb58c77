"""Rules that are known only when a month is over, reckoned from the month's totals; shares nothing with the product."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

HALF_HOUR = timedelta(minutes=30)


class Months:
    """Use by local calendar month; intervals of half an hour that no month or period cuts."""

    def __init__(self, rows: Iterable[tuple[datetime, datetime, int]], zone: str) -> None:
        self.by: dict[tuple[int, int], list[tuple[datetime, int]]] = defaultdict(list)
        for start, end, wh in rows:
            assert end - start == HALF_HOUR
            local = start.astimezone(ZoneInfo(zone))
            self.by[local.year, local.month].append((local, wh))

    def __iter__(self) -> Iterable[list[tuple[datetime, int]]]:
        return iter(self.by.values())


def elements(path: Path) -> tuple[str, dict[str, Any]]:
    """The zone and the elements of the one version of a file, by their word; numbers as written."""
    said = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    [version] = said["versions"]
    return said["zone"], {word: of for element in version["elements"] for word, of in element.items()}


def kwh(rows: Iterable[tuple[datetime, int]]) -> Fraction:
    return Fraction(sum(wh for _, wh in rows), 1000)


def blocks(used: Fraction, bounds: list[str], prices: list[str], free: Fraction = Fraction(0)) -> Fraction:
    """Each block at its own price, the first `free` units at none."""
    total, lower = Fraction(0), Fraction(0)
    for price, upper in zip(prices, [*map(Fraction, bounds), used], strict=True):
        total += Fraction(price) * max(Fraction(0), min(used, upper) - max(lower, free))
        lower = max(upper, lower)
    return total


def lifeline(months: Months, said: dict[str, Any]) -> dict[str, Fraction]:
    """A case by the month's total, a least amount, a tax on both."""
    energy = minimum = Fraction(0)
    for rows in months:
        used = kwh(rows)
        case = next(c for c in said["energy"]["cases"] if "upto" not in c or used <= Fraction(c["upto"]))
        cost = blocks(used, case.get("blocks", []), case.get("prices") or [case["price"]])
        energy += cost
        minimum += max(Fraction(0), Fraction(said["minimum"]["per_month"]) - cost)
    return {
        "energy": energy,
        "minimum": minimum,
        "VAT": (energy + minimum) * Fraction(said["tax"]["percent"]) / 100,
    }


def whole_bands(months: Months, said: dict[str, Any]) -> dict[str, Fraction]:
    """All use at the price of the band that the month's total reaches."""
    day, night = said["energy"]["periods"]
    begin, end = day["hours"][0].split("-")
    energy = Fraction(0)
    for rows in months:
        band = sum(kwh(rows) > Fraction(bound) for bound in said["energy"]["blocks"])
        by_day = [(at, wh) for at, wh in rows if begin <= at.strftime("%H:%M") < end]
        energy += kwh(by_day) * Fraction(day["prices"][band])
        energy += (kwh(rows) - kwh(by_day)) * Fraction(night["prices"][band])
    return {"energy": energy, "levy": energy * Fraction(said["levy"]["percent"]) / 100}


def demand(months: Months, said: dict[str, Any]) -> dict[str, Fraction]:
    """Free units and blocks; the highest half hour of the hours that count; a tax; a rebate on all of it."""
    total = {"energy": Fraction(0), "demand": Fraction(0), "GST": Fraction(0), "relief": Fraction(0)}
    of, rebate = said["demand"], said["rebate"]
    begin, end = of["hours"][0].split("-")
    for rows in months:
        used = kwh(rows)
        energy = blocks(
            used, said["energy"]["blocks"], said["energy"]["prices"], Fraction(said["energy"]["free"])
        )
        counts = [wh for at, wh in rows if at.weekday() < 5 and begin <= at.strftime("%H:%M") < end]
        highest = max(Fraction(max(counts) * 2, 1000), Fraction(of["least_kw"]))
        power = ceil(highest / Fraction(of["step_kw"])) * Fraction(of["step_kw"]) * Fraction(of["per_kw"])
        tax = (energy + power) * Fraction(said["tax"]["percent"]) / 100
        case = next((c for c in rebate["cases"] if used <= Fraction(c["upto"])), None)
        back = Fraction(0) if case is None else (energy + power + tax) * Fraction(case["percent"]) / 100
        if case is not None and "cap" in case:
            back = min(back, Fraction(case["cap"]))
        for name, amount in (("energy", energy), ("demand", power), ("GST", tax), ("relief", -back)):
            total[name] += amount
    return total

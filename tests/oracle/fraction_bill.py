"""What a bill must come to, reckoned a second time and another way.

Shares no line with the product: it reads the tariff file with the plain YAML loader, prices every quarter hour of
the calendar by itself, adds up watt-hours by price, and multiplies fractions once, at the end. It knows the part
of the language that the tariffs beside it use, and stops at any word it does not know.

What it takes from the language and checks by being equal: use inside an interval that crosses a price boundary
is divided by time, in whole watt-hours; each of energy, standing and tax is floored to the micro-unit once; a day's
standing charge falls due at the midnight that ends it, at that day's price; a month's falls due by the day in whole
micro-units.
"""

import csv
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

QUARTER = timedelta(minutes=15)
Prices = tuple[tuple[Fraction, ...], ...]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORDS = {
    "file": {"fairwatt_tariff", "name", "currency", "zone", "source", "status", "note", "seasons", "calendar"}
    | {"series", "versions", "examples", "parameters"},
    "energy": {
        "name",
        "price",
        "prices",
        "counter",
        "blocks",
        "blocks_per_day",
        "per_days",
        "periods",
        "dynamic",
    },
    "period": {"name", "hours", "months", "season", "weekdays", "days", "otherwise", "price", "prices"},
    "dynamic": {"series", "coefficient", "add", "cap", "floor"},
    "standing": {"name", "per_day", "per_month", "months", "times", "by", "bands"},
}


@dataclass
class Bill:
    """Exact amounts by element, and the three amounts a wallet is charged, in micro-units."""

    exact: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    kind: dict[str, str] = field(default_factory=dict)
    used_wh: int = 0

    def micro(self, kind: str) -> int:
        """What a wallet pays of energy, standing or tax."""
        return floor(
            sum((self.exact[name] for name, of in self.kind.items() if of == kind), Fraction(0)) * 10**6
        )

    @property
    def total_micro(self) -> int:
        return self.micro("energy") + self.micro("standing") + self.micro("tax")


@dataclass
class _Version:
    begins: datetime
    energies: list[dict[str, Any]]
    standings: list[dict[str, Any]]
    percents: list[dict[str, Any]]
    bounds: dict[Any, list[Fraction]] = field(default_factory=dict)


class Oracle:
    """One tariff file, and the account it is reckoned for."""

    def __init__(self, path: Path, *, account: dict[str, str] | None = None) -> None:
        self.file = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        _known("file", self.file)
        self.zone = ZoneInfo(self.file["zone"])
        self.account = {name: of["default"] for name, of in self.file.get("parameters", {}).items()}
        self.account |= account or {}
        self.holidays = {date.fromisoformat(day) for day in self.file.get("calendar", {}).get("holiday", [])}
        self.series = {name: _series(path.parent, of) for name, of in self.file.get("series", {}).items()}
        self.versions = [self._version(of) for of in self.file["versions"]]
        self._quarters: dict[datetime, tuple[int, Prices, Any]] = {}
        self._kept: dict[Prices, Prices] = {}

    def bill(self, readings: Iterable[tuple[datetime, datetime, int]]) -> Bill:
        """Rate intervals (from, to, watt-hours), in order."""
        used: dict[tuple[int, str, Fraction], int] = defaultdict(int)
        bill = Bill()
        window, counted = None, 0
        first = last = None
        for start, end, wh in readings:
            first, last = first or start, end
            bill.used_wh += wh
            for at, part in self._parts(start, end, wh):
                version, prices, now = self.prices(at)
                if now != window:
                    window, counted = now, 0
                for energy, price_list in zip(self.versions[version].energies, prices, strict=True):
                    bounds = self._bounds(version, energy, now)
                    for price, amount in _tiers(price_list, bounds, counted, counted + part):
                        used[version, energy.get("name", "energy"), price] += amount
                counted += part
        assert first and last
        for number, version in enumerate(self.versions):
            self._add_up(bill, number, version, used, first, last)
        return bill

    # --- prices ---------------------------------------------------------------------------------------------

    def _parts(self, start: datetime, end: datetime, wh: int) -> Iterable[tuple[datetime, int]]:
        """Cut an interval at the quarter hours where the price changes, in whole watt-hours."""
        begin, done = start, 0
        edge = _quarter(start) + QUARTER
        while edge < end:
            if self.prices(edge) != self.prices(begin):
                upto = wh * _us(edge - start) // _us(end - start)
                yield begin, upto - done
                begin, done = edge, upto
            edge += QUARTER
        yield begin, wh - done

    def prices(self, at: datetime) -> tuple[int, Prices, Any]:
        """Which version, the prices by energy element and block, and the window in which use counts."""
        quarter = _quarter(at)
        known = self._quarters.get(quarter)
        if known is None:
            number = max(n for n, version in enumerate(self.versions) if version.begins <= quarter)
            prices = tuple(self._of(energy, quarter) for energy in self.versions[number].energies)
            # The same quarter hours come again each day: keep one of each, so that equal is quickly seen.
            prices = self._kept.setdefault(prices, prices)
            known = self._quarters[quarter] = (number, prices, self._window(number, quarter))
        return known

    def _of(self, energy: dict[str, Any], at: datetime) -> tuple[Fraction, ...]:
        """The prices of all blocks at an instant."""
        period = self._period(energy.get("periods", []), at)
        if "dynamic" in energy:
            formula = energy["dynamic"]
            starts, prices = self.series[formula["series"]]
            price = Fraction(formula.get("coefficient", 1)) * prices[bisect_right(starts, at) - 1]
            price += Fraction(formula.get("add", 0)) + Fraction(period.get("add", 0))
            price = max(price, Fraction(formula["floor"])) if "floor" in formula else price
            return (min(price, Fraction(formula["cap"])) if "cap" in formula else price,)
        said = period or energy
        return tuple(Fraction(price) for price in said.get("prices") or [said["price"]])

    def _period(self, periods: list[dict[str, Any]], at: datetime) -> dict[str, Any]:
        local = at.astimezone(self.zone)
        found = [period for period in periods if "otherwise" not in period and self._matches(period, local)]
        found = found or [period for period in periods if "otherwise" in period]
        assert len(found) <= 1, (found, local)
        return found[0] if found else {}

    def _matches(self, period: dict[str, Any], local: datetime) -> bool:
        day, clock = local.date(), f"{local.hour:02}:{local.minute:02}"
        kind = "holiday" if day in self.holidays else "weekend" if day.weekday() >= 5 else "workday"
        return (
            ("hours" not in period or any(_within(hours, clock) for hours in period["hours"]))
            and ("months" not in period or str(day.month) in period["months"])
            and ("season" not in period or period["season"] == self.season(day))
            and ("weekdays" not in period or WEEKDAYS[day.weekday()] in period["weekdays"])
            and ("days" not in period or kind in period["days"])
        )

    def season(self, day: date) -> str:
        here = f"{day.month:02}-{day.day:02}"
        for name, spans in self.file["seasons"].items():
            for begin, end in (span.split("..") for span in spans):
                if begin <= here <= end if begin <= end else here >= begin or here <= end:
                    return str(name)
        raise AssertionError(day)

    # --- blocks ---------------------------------------------------------------------------------------------

    def _window(self, version: int, at: datetime) -> Any:
        counters = {energy.get("counter", "none") for energy in self.versions[version].energies} - {"none"}
        local = at.astimezone(self.zone)
        if not counters:
            return None
        [counter] = counters
        if counter == "year":
            return local.year
        if counter in {"month", "bill", "purchase_month"}:
            return local.year, local.month
        if counter == "day":
            return local.date()
        raise AssertionError(counters)

    def _bounds(self, version: int, energy: dict[str, Any], window: Any) -> list[Fraction]:
        """The upper bounds of the blocks in a window, in watt-hours."""
        if "blocks" not in energy and "blocks_per_day" not in energy:
            return []
        key = energy.get("name", "energy"), window
        known = self.versions[version].bounds.get(key)
        if known is None:
            known = self.versions[version].bounds[key] = self._reckon_bounds(energy, window)
        return known

    def _reckon_bounds(self, energy: dict[str, Any], window: Any) -> list[Fraction]:
        if "blocks_per_day" in energy:
            days = _days_of(window)
            each = energy["blocks_per_day"]
            lists = [each[self.season(day)] if isinstance(each, dict) else each for day in days]
            bounds = [sum((Fraction(of[i]) for of in lists), Fraction(0)) for i in range(len(lists[0]))]
        else:
            bounds = [Fraction(bound) for bound in energy["blocks"]]
            if "per_days" in energy:
                bounds = [bound * len(_days_of(window)) / Fraction(energy["per_days"]) for bound in bounds]
        return [Fraction(floor(bound * 1000 + Fraction(1, 2))) for bound in bounds]

    # --- what is not energy ---------------------------------------------------------------------------------

    def _add_up(
        self,
        bill: Bill,
        number: int,
        version: _Version,
        used: dict[tuple[int, str, Fraction], int],
        first: datetime,
        last: datetime,
    ) -> None:
        amounts: dict[str, Fraction] = {}
        for energy in version.energies:
            name = energy.get("name", "energy")
            sums = (wh * price for (of, who, price), wh in used.items() if (of, who) == (number, name))
            amounts[name] = sum(sums, Fraction(0)) / 1000
            bill.kind[name] = "energy"
        for standing in version.standings:
            name = standing.get("name", "standing")
            amounts[name] = self._standing(number, standing, first, last)
            bill.kind[name] = "standing"
        groups = {"energy": [e.get("name", "energy") for e in version.energies]}
        groups["standing"] = [s.get("name", "standing") for s in version.standings]
        for percent in version.percents:
            said = [groups.get(name, list(amounts) if name == "all" else [name]) for name in percent["on"]]
            # An element that is named twice, by itself and by its kind, is taxed once.
            on = {name for names in said for name in names}
            amounts[percent["name"]] = (
                sum((amounts[name] for name in on), Fraction(0)) * Fraction(percent["percent"]) / 100
            )
            bill.kind[percent["name"]] = "tax"
        for name, amount in amounts.items():
            bill.exact[name] += amount

    def _standing(self, number: int, standing: dict[str, Any], first: datetime, last: datetime) -> Fraction:
        """Each local midnight after the first instant, up to and with the last, ends a day: at its own price."""
        total = Fraction(0)
        day = first.astimezone(self.zone).date()
        while (ended := self._midnight(day + timedelta(days=1))) <= last:
            in_force = max(n for n, version in enumerate(self.versions) if version.begins < ended)
            skipped = self._midnight(day) == ended  # as Samoa did with 30 December 2011
            if (
                in_force == number
                and not skipped
                and ("months" not in standing or str(day.month) in standing["months"])
            ):
                total += self._amount(standing, day)
            day += timedelta(days=1)
        return total

    def _amount(self, standing: dict[str, Any], day: date) -> Fraction:
        said = standing
        if "bands" in standing:
            size = Fraction(self.account[standing["by"]])
            said = next(
                band for band in standing["bands"] if "upto" not in band or size <= Fraction(band["upto"])
            )
        times = Fraction(self.account[standing["times"]]) if "times" in standing else 1
        if "per_day" in said:
            return Fraction(said["per_day"]) * times
        # The n-th day brings what has fallen due since the first to n days' share, in whole micro-units.
        month, micro = len(_days_of((day.year, day.month))), Fraction(said["per_month"]) * times * 10**6
        return Fraction(floor(micro * day.day / month) - floor(micro * (day.day - 1) / month), 10**6)

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def _version(self, said: dict[str, Any]) -> _Version:
        version = _Version(self._midnight(date.fromisoformat(said["effective"])), [], [], [])
        for element in said["elements"]:
            [(word, of)] = element.items()
            if word in {"tax", "levy", "surcharge"}:
                version.percents.append({"name": word} | of)
                continue
            _known(word, of)
            for period in of.get("periods", []):
                _known("period", period)
            {"energy": version.energies, "standing": version.standings}[word].append(of)
        return version


def _quarter(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


def _us(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def _known(what: str, said: dict[str, Any]) -> None:
    assert set(said) <= WORDS[what], f"the oracle does not know {set(said) - WORDS[what]} in {what}"


def _within(hours: str, clock: str) -> bool:
    begin, end = hours.split("-")
    return begin <= clock < end if begin < end else clock >= begin or clock < end


def _days_of(window: tuple[int, int]) -> list[date]:
    year, month = window
    end = date(year + month // 12, month % 12 + 1, 1)
    return [date(year, month, 1) + timedelta(days=n) for n in range((end - date(year, month, 1)).days)]


def _tiers(
    prices: tuple[Fraction, ...], bounds: list[Fraction], before: int, after: int
) -> Iterable[tuple[Fraction, int]]:
    lower = 0
    for price, bound in zip(prices, [*bounds, None], strict=True):
        upper = after if bound is None else int(bound)
        part = min(after, upper) - max(before, lower)
        if part > 0:
            yield price, part
        lower = upper


def _series(folder: Path, said: dict[str, Any]) -> tuple[list[datetime], list[Fraction]]:
    if "file" in said:
        with (folder / said["file"]).open(encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        stamps = [datetime.fromisoformat(row[said["time"]]) for row in rows]
        return [stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC) for stamp in stamps], [
            Fraction(row[said["price"]]) for row in rows
        ]
    start, step = datetime.fromisoformat(said["start"]), timedelta(minutes=int(said["step_min"]))
    return [start + n * step for n in range(len(said["values"]))], [
        Fraction(price) for price in said["values"]
    ]

"""What a tariff means, minute by minute and unit by unit, in fractions: a second definition, for tests.

It reads the plain dictionary that a tariff file holds and imports nothing of the product. Slow on purpose. Right
for tariffs that change on whole minutes. Instants are microseconds UTC, energy is Wh, money is micro-units.
"""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

MINUTE = 60_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Sheet = dict[str, Any]


@dataclass
class Naive:
    """One account under one tariff, from an instant on."""

    sheet: Sheet
    at_us: int
    counter_wh: int = 0
    account: dict[str, Fraction] = field(default_factory=dict)
    amounts: dict[tuple[int, str], Fraction] = field(default_factory=dict)
    used: list[tuple[int, dict[str, str], Any, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.zone = ZoneInfo(self.sheet["zone"])
        self.starts = [
            us(datetime.fromisoformat(str(v["effective"])), self.zone) for v in self.sheet["versions"]
        ]
        self.window = self.key(self.at_us)[2]
        self.opened = self.window

    # --- time -----------------------------------------------------------------------------------------------

    def local(self, at_us: int) -> datetime:
        return (EPOCH + timedelta(microseconds=at_us)).astimezone(self.zone)

    def version(self, at_us: int) -> int:
        return sum(start <= at_us for start in self.starts) - 1

    def energies(self, version: int) -> list[Sheet]:
        return [e["energy"] for e in self.sheet["versions"][version]["elements"] if "energy" in e]

    def key(self, at_us: int) -> tuple[int, tuple[str, ...], Any, Any]:
        """All that a price depends on, apart from the count: version, periods, window, market prices."""
        version, now = self.version(at_us), self.local(at_us)
        names = tuple(self.period(energy, at_us)["name"] for energy in self.energies(version))
        market = tuple(self.market(energy, at_us) for energy in self.energies(version))
        return version, names, self.window_of(version, now), market

    def period(self, energy: Sheet, at_us: int) -> Sheet:
        now = self.local(at_us)
        if "clock" in energy:
            now = (EPOCH + timedelta(microseconds=at_us)) + timedelta(hours=int(energy["clock"][:3]))
        periods = energy.get(
            "periods", [{"name": "all", **{k: v for k, v in energy.items() if k.startswith("price")}}]
        )
        fits = [p for p in periods if not p.get("otherwise") and self.fits(p, now)]
        beaten = {name for p in fits for name in p.get("over", [])}
        fits = [p for p in fits if p["name"] not in beaten] if len(fits) > 1 else fits
        fits = fits or [p for p in periods if p.get("otherwise")]
        assert len(fits) == 1, (now, fits)
        return fits[0]

    def fits(self, period: Sheet, now: datetime) -> bool:
        minute, day = now.hour * 60 + now.minute, now.date()
        hours = [tuple(map(clock, h.split("-"))) for h in period.get("hours", ["00:00-24:00"])]
        inside = any(a <= minute < b if a < b else minute >= a or minute < b for a, b in hours)
        dates = self.sheet["seasons"][period["season"]] if "season" in period else period.get("dates")
        return (
            inside
            and now.month in period.get("months", range(1, 13))
            and WEEKDAYS[now.weekday()] in period.get("weekdays", WEEKDAYS)
            and (dates is None or any(in_range(day, text) for text in dates))
            and ("days" not in period or self.day_type(day) in period["days"])
        )

    def day_type(self, day: date) -> str:
        for name, dates in self.sheet.get("calendar", {}).items():
            if f"{day:%Y-%m-%d}" in dates or f"{day:%m-%d}" in dates:
                return str(name)
        return "workday" if day.weekday() < 5 else "weekend"

    def window_of(self, version: int, now: datetime) -> Any:
        energies = self.energies(version)
        counts = [e for e in energies if {"blocks", "blocks_per_day", "free", "cases"} & set(e)]
        energy = (counts or energies)[0]
        day, start = now.date(), int(energy.get("start_day", 1))
        match energy.get("counter", "none"):
            case "none":
                return ("none",)
            case "day":
                return ("days", day, day + timedelta(days=1))
            case "month":
                first = day.replace(day=start)
                if first > day:
                    first = (first.replace(day=1) - timedelta(days=1)).replace(day=start)
                return ("days", first, (first.replace(day=1) + timedelta(days=32)).replace(day=start))
            case "year":
                month, of = map(int, str(energy.get("start_date", "01-01")).split("-"))
                first = date(day.year, month, of)
                first = first if first <= day else date(day.year - 1, month, of)
                return ("days", first, date(first.year + 1, month, of))
        raise AssertionError(energy)

    # --- prices ---------------------------------------------------------------------------------------------

    def market(self, energy: Sheet, at_us: int) -> Fraction | None:
        if "dynamic" not in energy:
            return None
        rule = energy["dynamic"]
        series = self.sheet["series"][rule["series"]]
        start = us(datetime.fromisoformat(series["start"]), self.zone)
        w = Fraction(series["values"][(at_us - start) // (int(series["step_min"]) * MINUTE)])
        period = self.period(energy, at_us)
        price = Fraction(period.get("coefficient", rule.get("coefficient", 1))) * w
        price += Fraction(rule.get("add", 0)) + Fraction(period.get("add", 0))
        price = max(price, Fraction(rule.get("floor", -(10**6))))
        price = min(price, Fraction(rule.get("cap", 10**6)))
        unit = Fraction(rule.get("round_to", "0.000001"))
        return floor(price / unit + Fraction(1, 2)) * unit

    def bounds(self, energy: Sheet, bounds: Any, window: Any, *, per_day: bool = False) -> list[int]:
        days = (
            [window[1] + timedelta(days=n) for n in range((window[2] - window[1]).days)]
            if len(window) > 1
            else []
        )
        per = 1 if per_day else int(energy.get("per_days", 0))
        unit = Fraction(energy.get("block_unit", "0.001")) * 1000

        def rounded(value: Fraction) -> int:
            return int(floor(value / unit + Fraction(1, 2)) * unit)

        if isinstance(bounds, dict):
            lists = [next(v for k, v in bounds.items() if self.in_season(k, day)) for day in days]
            if per:
                found = [
                    rounded(Fraction(sum(Fraction(one[n]) for one in lists) * 1000, per))
                    for n in range(len(lists[0]))
                ]
            else:
                found = [int(Fraction(b) * 1000) for b in lists[0]]
        elif per:
            found = [rounded(Fraction(b) * 1000 * len(days) / per) for b in bounds]
        else:
            found = [int(Fraction(b) * 1000) for b in bounds]
        return [bound + self.extra(energy) for bound in found]

    def extra(self, energy: Sheet) -> int:
        raised = 0
        for rule in energy.get("extra", []):
            value = self.account[rule["parameter"]]
            if "above" in rule:
                raised += floor(
                    max(Fraction(0), value - Fraction(rule["above"])) * Fraction(rule["each"]) * 1000
                )
            elif value >= Fraction(rule["from"]):
                raised += int(Fraction(rule["add"]) * 1000)
        return raised

    def in_season(self, name: str, day: date) -> bool:
        return any(in_range(day, text) for text in self.sheet["seasons"][name])

    def unit_price(
        self, energy: Sheet, period: str, market: Fraction | None, window: Any, wh: int
    ) -> Fraction:
        """The price of the Wh after ``wh`` have been used, in micro-units per unit, as charged in time order."""
        if wh < int(Fraction(energy.get("free", 0)) * 1000):
            return Fraction(0)
        if market is not None:
            return market * 10**6
        if "cases" in energy:
            case = next(
                c
                for c in energy["cases"]
                if "upto" not in c or wh < self.bounds(energy, [c["upto"]], window)[0]
            )
            return self.case_price(energy, case, window, wh)
        body = next((p for p in energy.get("periods", []) if p["name"] == period), energy)
        prices = [body["price"]] if "price" in body else body["prices"]
        per_day = "blocks_per_day" in energy
        bounds = energy.get("blocks_per_day" if per_day else "blocks", [])
        block = sum(b <= wh for b in self.bounds(energy, bounds, window, per_day=per_day)) if bounds else 0
        return Fraction(prices[block]) * 10**6

    def case_price(self, energy: Sheet, case: Sheet, window: Any, wh: int) -> Fraction:
        prices = [case["price"]] if "price" in case else case["prices"]
        bounds = self.bounds(energy, case.get("blocks", []), window) if "blocks" in case else []
        return Fraction(prices[sum(b <= wh for b in bounds)]) * 10**6

    # --- the account ----------------------------------------------------------------------------------------

    def read(self, at_us: int, energy_wh: int) -> None:
        """Charge the use since the last reading."""
        t0, done = self.at_us, 0
        key, edge = self.key(t0), t0 - t0 % MINUTE + MINUTE
        while True:
            following = self.key(edge) if edge < at_us else None
            if following == key:
                edge += MINUTE
                continue
            upto = energy_wh if edge >= at_us else energy_wh * (edge - t0) // (at_us - t0)
            self.use(key, upto - done)
            done = upto
            if following is None:
                break
            key = following
        self.fixed(t0, at_us)
        self.at_us = at_us

    def use(self, key: Any, energy_wh: int) -> None:
        version, names, window, market = key
        if (
            window[:2] != self.window[:2]
        ):  # a new version goes on counting where its window began with the old
            self.counter_wh = 0
        self.window = window
        for n, energy in enumerate(self.energies(version)):
            name = energy.get("name", "energy")
            for wh in range(self.counter_wh, self.counter_wh + energy_wh):
                price = self.unit_price(energy, names[n], market[n], window, wh)
                self.add(version, name, price / 1000)
        self.used.append((version, dict(enumerate(names)), window, self.counter_wh, energy_wh))  # type: ignore[arg-type]
        self.counter_wh += energy_wh

    def fixed(self, after_us: int, until_us: int) -> None:
        at_us = after_us - after_us % MINUTE + MINUTE
        while at_us <= until_us:
            day = self.local(at_us - 1).date()
            if self.local(at_us).date() != day:
                version = self.version(at_us - 1)
                for element in self.sheet["versions"][version]["elements"]:
                    if "standing" in element:
                        name = element["standing"].get("name", "standing")
                        self.add(version, name, self.standing(element["standing"], version, day))
            at_us += MINUTE

    def standing(self, body: Sheet, version: int, day: date) -> Fraction:
        if day.month not in body.get("months", range(1, 13)):
            return Fraction(0)
        if "per_day" in body:
            return Fraction(body["per_day"]) * 10**6
        start, of = 1, monthrange(day.year, day.month)[1]
        nth = day.day
        counting = [e for e in self.energies(version) if e.get("counter") == "month"]
        if counting and int(counting[0].get("start_day", 1)) != start:
            _, first, end = self.window_of(version, datetime(day.year, day.month, day.day, tzinfo=UTC))
            nth, of = (day - first).days + 1, (end - first).days
        whole = Fraction(body["per_month"]) * 10**6
        return Fraction(floor(whole * nth / of) - floor(whole * (nth - 1) / of))

    def add(self, version: int, name: str, amount: Fraction) -> None:
        self.amounts[(version, name)] = self.amounts.get((version, name), Fraction(0)) + amount

    def true_up(self) -> None:
        """Price every window again by its total; call once, at the end."""
        for began in {row[2][:2] for row in self.used}:
            rows = [row for row in self.used if row[2][:2] == began]
            before = rows[0][3] if began == self.opened[:2] else 0
            total = before + sum(row[4] for row in rows)
            for version, window in {row[0]: row[2] for row in rows}.items():
                for energy in self.energies(version):
                    if "cases" not in energy:
                        continue
                    case = next(
                        c
                        for c in energy["cases"]
                        if "upto" not in c or total <= self.bounds(energy, [c["upto"]], window)[0]
                    )
                    spans = [(row[3], row[4]) for row in rows if row[0] == version]
                    spans += [(0, before)] if version == self.used[0][0] else []
                    for start, wh in spans:
                        for n in range(start, start + wh):
                            if n >= int(Fraction(energy.get("free", 0)) * 1000):
                                delta = self.case_price(energy, case, window, n)
                                delta -= self.unit_price(energy, "", None, window, n)
                                self.add(version, energy.get("name", "energy"), delta / 1000)

    def percentages(self) -> dict[str, Fraction]:
        """Families: energy, standing, tax, each exact."""
        totals = {"energy": Fraction(0), "standing": Fraction(0), "tax": Fraction(0)}
        for version, sheet in enumerate(self.sheet["versions"]):
            known: dict[str, tuple[str, Fraction]] = {}
            for element in sheet["elements"]:
                ((kind, body),) = element.items()
                name = body.get("name", kind)
                if kind in ("energy", "standing"):
                    amount, family = self.amounts.get((version, name), Fraction(0)), kind
                else:
                    on = body["on"]
                    lies = [a for n, (f, a) in known.items() if n in on or "all" in on or f in on]
                    sign = -1 if kind == "rebate" else 1
                    amount, family = sign * Fraction(body["percent"]) / 100 * sum(lies, Fraction(0)), "tax"
                known[name] = (family, amount)
                totals[family] += amount
        return totals


def us(at: datetime, zone: ZoneInfo) -> int:
    return ((at if at.tzinfo else at.replace(tzinfo=zone)) - EPOCH) // timedelta(microseconds=1)


def clock(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def in_range(day: date, text: str) -> bool:
    first, _, last = text.partition("..")
    now, last = f"{day:%m-%d}", last or first
    return first <= now <= last if first <= last else now >= first or now <= last

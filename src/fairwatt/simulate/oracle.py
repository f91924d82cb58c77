"""A second opinion on every bill: what each home owes, worked out apart from the product.

This file shares no line with the code it judges: it imports the standard library and the YAML reader, nothing
else (a test walks its syntax tree). It works with exact fractions and looks up the price of every single
minute by its local wall clock, slow and plain on purpose. What it reads are the registers the simulated
meters really showed, the tariff file's own text and the money people paid.

The laws it applies: a component's charge is the growth of the floor of its exact running total; energy
between two readings runs evenly, and where a price changes between them the register at that instant is the
whole watt-hour at or below the straight line; the standing charge of a day falls due at the midnight that
ends it; tax is taken on the running totals.

Instants are microseconds since 1970 UTC, energy is Wh, money is micro-units (a millionth of the currency's
main unit).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

import yaml

MICRO = 1_000_000
_MINUTE_US = 60_000_000
_DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}


class OracleError(Exception):
    """The oracle cannot judge: its input is not a tariff or not a meter's history."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What one stretch of metering costs, per component."""

    energy_wh: int = 0
    energy_micro: int = 0
    standing_micro: int = 0
    tax_micro: int = 0

    @property
    def amount_micro(self) -> int:
        """The sum that leaves the wallet."""
        return self.energy_micro + self.standing_micro + self.tax_micro

    def __add__(self, other: "Charge") -> "Charge":
        return Charge(
            self.energy_wh + other.energy_wh,
            self.energy_micro + other.energy_micro,
            self.standing_micro + other.standing_micro,
            self.tax_micro + other.tax_micro,
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a wallet took a register: its reading, what the tier counter held, and fractions carried in."""

    at_us: int
    register_wh: int
    counter_wh: int = 0
    carry_nano: int = 0  # thousandths of a micro-unit of energy price
    carry_tax: int = 0  # billionths of a micro-unit of tax


@dataclass(frozen=True, slots=True)
class _Period:
    minutes: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    prices: tuple[Fraction, ...]  # micro-units per kWh, one per block


@dataclass(frozen=True, slots=True)
class _Version:
    effective_us: int
    counter: str
    bounds_wh: tuple[int, ...]
    periods: tuple[_Period, ...]
    standing_micro: int
    tax_rate: Fraction
    taxed: frozenset[str]


class Tariff:
    """A tariff file, read once, asked for the price of any minute."""

    def __init__(self, *, text: str) -> None:
        """Read a version 1 tariff file's text. Raises OracleError when it is not one."""
        sheet = yaml.safe_load(text)
        if not isinstance(sheet, dict) or sheet.get("fairwatt_tariff") != 1:
            raise OracleError("not a version 1 tariff file")
        self.name = str(sheet["name"])
        self.currency = str(sheet["currency"])
        self.zone = ZoneInfo(sheet["zone"])
        self._versions = sorted(
            (self._version(entry) for entry in sheet["versions"]), key=lambda v: v.effective_us
        )
        self._starts = [version.effective_us for version in self._versions]
        self._days: dict[int, tuple[list[int], list[int]]] = {}

    @property
    def effective_us(self) -> tuple[int, ...]:
        """The instants at which a version of this tariff takes over."""
        return tuple(self._starts)

    def local(self, at_us: int) -> datetime:
        """The wall clock of the tariff's zone."""
        return (_EPOCH + timedelta(microseconds=at_us)).astimezone(self.zone)

    def standing_at(self, at_us: int) -> tuple[int, Fraction]:
        """The daily charge in force at an instant, and its exact tax."""
        version = self._in_force(at_us)
        tax = version.standing_micro * version.tax_rate if "standing" in version.taxed else Fraction(0)
        return version.standing_micro, tax

    def midnights(self, *, after_us: int, until_us: int) -> list[int]:
        """Starts of local days in (after, until]."""
        return [m for day in _days(after_us, until_us) for m in self._day(day)[1] if after_us < m <= until_us]

    def changes(self, *, after_us: int, before_us: int) -> list[int]:
        """Instants strictly between the two at which version, period or counter window change."""
        return [
            c for day in _days(after_us, before_us) for c in self._day(day)[0] if after_us < c < before_us
        ]

    def window(self, at_us: int) -> date | None:
        """First local day of the tier counter's window; None when the counter never restarts."""
        today = self.local(at_us).date()
        match self._in_force(at_us).counter:
            case "month":
                return today.replace(day=1)
            case "year":
                return today.replace(month=1, day=1)
            case _:
                return None

    def energy_price(self, *, at_us: int, from_wh: int, to_wh: int) -> tuple[Fraction, Fraction]:
        """Exact price of the energy that moves the tier counter between two figures, and its exact tax."""
        version = self._in_force(at_us)
        bounds = [0, *version.bounds_wh]
        price = Fraction(0)
        for block, rate in enumerate(version.periods[self._period(at_us)].prices):
            top = bounds[block + 1] if block + 1 < len(bounds) else to_wh
            price += Fraction(max(0, min(to_wh, top) - max(from_wh, bounds[block])), 1000) * rate
        return price, price * version.tax_rate if "energy" in version.taxed else Fraction(0)

    def _in_force(self, at_us: int) -> _Version:
        index = bisect_right(self._starts, at_us) - 1
        if index < 0:
            raise OracleError(f"no tariff version is in force at {self.local(at_us).isoformat()}")
        return self._versions[index]

    def _period(self, at_us: int) -> int:
        """Number of the one period that prices an instant."""
        now = self.local(at_us)
        minute, month, weekday = now.hour * 60 + now.minute, now.month, now.weekday()
        fits = [
            number
            for number, period in enumerate(self._in_force(at_us).periods)
            if minute in period.minutes and month in period.months and weekday in period.weekdays
        ]
        if len(fits) != 1:
            raise OracleError(f"{len(fits)} periods price {now.isoformat()}; exactly one must")
        return fits[0]

    def _day(self, day: int) -> tuple[list[int], list[int]]:
        """Price changes and local midnights within one UTC day, found by looking at every minute of it."""
        if day not in self._days:
            start_us = day * _DAY_US
            instants = [start_us + minute * _MINUTE_US for minute in range(1440)]
            # A version may take over between two whole minutes; everything else changes on one.
            instants = sorted({*instants, *(e for e in self._starts if start_us <= e < start_us + _DAY_US)})
            changes, midnights = [], []
            before = self._face(start_us - _MINUTE_US)
            for at_us in instants:
                face = self._face(at_us)
                if face[1:] != before[1:]:
                    changes.append(at_us)
                # Clocks set back over midnight show the same new day twice; it begins the first time.
                if face[0] > before[0] and all(
                    self.local(at_us - back * _MINUTE_US).date() < face[0] for back in range(1, 181)
                ):
                    midnights.append(at_us)
                before = face
            self._days[day] = changes, midnights
        return self._days[day]

    def _face(self, at_us: int) -> tuple[date, int, int, date | None]:
        version = bisect_right(self._starts, at_us) - 1
        today = self.local(at_us).date()
        if version < 0:
            return today, -1, -1, None
        return today, version, self._period(at_us), self.window(at_us)

    def _version(self, entry: dict[str, Any]) -> _Version:
        counter, bounds, periods = "none", tuple[int, ...](), [_period({"prices": []})]
        standing_micro, rate, taxed = 0, Fraction(0), frozenset[str]()
        for element in entry["elements"]:
            ((kind, body),) = element.items()
            if kind == "energy":
                counter = body.get("counter", "none")
                bounds = tuple(int(Fraction(str(kwh)) * 1000) for kwh in body.get("blocks_kwh", ()))
                periods = [_period(p) for p in body.get("periods") or [{"prices": [body["price"]]}]]
            elif kind == "standing":
                standing_micro += _micro(body["per_day"])
            elif kind == "tax":
                rate = Fraction(str(body["percent"])) / 100
                # YAML 1.1 reads a bare `on` as the truth value.
                taxed = frozenset(body["on"] if "on" in body else body[True])
            else:
                raise OracleError(f"unknown tariff element {kind!r}")
        return _Version(
            _instant(entry["effective"], self.zone),
            counter,
            bounds,
            tuple(periods),
            standing_micro,
            rate,
            taxed,
        )


@dataclass(slots=True)
class Account:
    """One wallet's meter: told each register as it was read, it says what that stretch costs."""

    tariff: Tariff
    opening: Opening
    modulus_wh: int = 1_000_000_000
    max_power_w: int | None = None  # with it, energy that no such meter can pass is refused
    total: Charge = field(default_factory=Charge)
    refused: list[tuple[int, int]] = field(default_factory=list)
    _at_us: int = field(init=False)
    _register_wh: int = field(init=False)
    _counter_wh: int = field(init=False)
    _window: date | None = field(init=False)
    _exact: list[Fraction] = field(init=False)  # running totals of energy, standing, tax

    def __post_init__(self) -> None:
        self._at_us, self._register_wh = self.opening.at_us, self.opening.register_wh
        self._counter_wh = self.opening.counter_wh
        self._window = self.tariff.window(self._at_us)
        self._exact = [
            Fraction(self.opening.carry_nano, 1000),
            Fraction(0),
            Fraction(self.opening.carry_tax, 1_000_000_000),
        ]

    def read(self, *, at_us: int, register_wh: int) -> Charge:
        """Charge the stretch since the last reading.

        A reading that cannot be true is kept in `refused` and costs nothing.
        """
        energy_wh = register_wh - self._register_wh
        if energy_wh < 0 and -energy_wh > self.modulus_wh // 2:
            energy_wh += self.modulus_wh
        if at_us < self._at_us or energy_wh < 0 or not self._possible(at_us=at_us, energy_wh=energy_wh):
            self.refused.append((at_us, register_wh))
            return Charge()
        before = [floor(part) for part in self._exact]
        self._use(until_us=at_us, energy_wh=energy_wh)
        for midnight_us in self.tariff.midnights(after_us=self._at_us, until_us=at_us):
            standing_micro, tax = self.tariff.standing_at(midnight_us - 1)
            self._exact[1] += standing_micro
            self._exact[2] += tax
        self._at_us, self._register_wh = at_us, register_wh
        charge = Charge(
            energy_wh, *(floor(now) - then for now, then in zip(self._exact, before, strict=True))
        )
        self.total += charge
        return charge

    def _possible(self, *, at_us: int, energy_wh: int) -> bool:
        if at_us == self._at_us:
            return energy_wh == 0
        if self.max_power_w is None:
            return True
        # Two steps of 10 Wh: both readings are cut to the meter's resolution.
        return energy_wh - 20 <= Fraction(self.max_power_w * (at_us - self._at_us), 3_600_000_000)

    def _use(self, *, until_us: int, energy_wh: int) -> None:
        start_us, used_wh = self._at_us, 0
        for end_us in [*self.tariff.changes(after_us=start_us, before_us=until_us), until_us]:
            reached_wh = energy_wh
            if end_us < until_us:
                reached_wh = floor(Fraction(energy_wh) * (end_us - self._at_us) / (until_us - self._at_us))
            window = self.tariff.window(start_us)
            if window != self._window:
                self._window, self._counter_wh = window, 0
            counter_wh = self._counter_wh + reached_wh - used_wh
            price, tax = self.tariff.energy_price(at_us=start_us, from_wh=self._counter_wh, to_wh=counter_wh)
            self._exact[0] += price
            self._exact[2] += tax
            start_us, used_wh, self._counter_wh = end_us, reached_wh, counter_wh


@dataclass(frozen=True, slots=True)
class Wallet:
    """Everything that moved one wallet: its meters' histories and its money."""

    opening_micro: int
    tariff_text: str
    meters: Sequence[tuple[Opening, Sequence[tuple[int, int]]]]  # each: opening, [(at_us, register_wh), ...]
    topups_micro: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """What a wallet must show."""

    balance_micro: int
    charge: Charge
    charges: tuple[tuple[Charge, ...], ...]  # per meter, per reading in time order
    refused: tuple[tuple[int, int], ...]


def expect(*, wallet: Wallet, modulus_wh: int = 1_000_000_000, max_power_w: int | None = None) -> Expected:
    """Say what a wallet must show: balance, charge per component, and the charge of every reading.

    Readings may come in any order and more than once. Those before the opening, behind the register or
    contradicting an equal instant are not charged and are returned in `refused`. Raises OracleError for an
    unusable tariff.
    """
    tariff = _tariff(wallet.tariff_text)
    total, per_meter, refused = Charge(), [], []
    for opening, emitted in wallet.meters:
        account = Account(tariff, opening, modulus_wh, max_power_w)
        # One instant read twice costs once: the set drops equal pairs, order drops lateness.
        per_meter.append(tuple(account.read(at_us=at, register_wh=wh) for at, wh in sorted(set(emitted))))
        total += account.total
        refused += account.refused
    balance_micro = wallet.opening_micro + sum(wallet.topups_micro) - total.amount_micro
    return Expected(balance_micro, total, tuple(per_meter), tuple(refused))


def register_at(
    *, shown: Sequence[tuple[int, int]], before: Opening, at_us: int, modulus_wh: int = 1_000_000_000
) -> int:
    """What a meter showed at an instant, by the true readings around it: the whole watt-hour at or below their line.

    Raises OracleError where no reading came after it.
    """
    earlier = [(before.at_us, before.register_wh), *(one for one in shown if one[0] <= at_us)]
    then_us, then_wh = max(earlier)
    if then_us == at_us:
        return then_wh
    next_us, next_wh = min((one for one in shown if one[0] > at_us), default=(0, 0))
    if not next_us:
        raise OracleError("no reading came after that instant")
    used_wh = (next_wh - then_wh) % modulus_wh
    return (then_wh + floor(Fraction(used_wh) * (at_us - then_us) / (next_us - then_us))) % modulus_wh


@lru_cache(maxsize=64)
def _tariff(text: str) -> Tariff:
    return Tariff(text=text)


def _days(after_us: int, until_us: int) -> Iterable[int]:
    return range(after_us // _DAY_US, until_us // _DAY_US + 1)


def _micro(text: str) -> int:
    exact = Fraction(str(text)) * MICRO
    if exact.denominator != 1:
        raise OracleError(f"{text} is finer than a micro-unit")
    return int(exact)


def _instant(value: date | datetime | str, zone: ZoneInfo) -> int:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=zone)
    at = value if value.tzinfo else value.replace(tzinfo=zone)
    return (at.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def _period(body: dict[str, Any]) -> _Period:
    minutes: set[int] = set()
    for hours in body.get("hours", ["00:00-24:00"]):
        start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in hours.split("-"))
        minutes |= set(range(start, end)) if start < end else {*range(start, 1440), *range(end)}
    return _Period(
        minutes=frozenset(minutes),
        months=frozenset(body.get("months") or range(1, 13)),
        weekdays=frozenset(_WEEKDAYS[day] for day in body["weekdays"])
        if body.get("weekdays")
        else frozenset(range(7)),
        prices=tuple(Fraction(_micro(price)) for price in body["prices"]),
    )

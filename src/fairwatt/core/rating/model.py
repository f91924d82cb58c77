"""A tariff as versions in time, each an ordered list of named price elements."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Final

from fairwatt.core.rating import shares
from fairwatt.core.rating.elements.base import MILLI, MINUTES_PER_DAY, UnknownParameter
from fairwatt.core.rating.elements.demand_charge import DemandCharge
from fairwatt.core.rating.elements.energy_blocks import (
    AVERAGE,
    DoublyPriced,
    EnergyBlocks,
    Period,
    PriceOutOfRange,
    TariffError,
    UnpricedInstant,
)
from fairwatt.core.rating.elements.market_price import Series
from fairwatt.core.rating.elements.minimum_charge import MinimumCharge
from fairwatt.core.rating.elements.package import Package
from fairwatt.core.rating.elements.periods import NO_CALENDAR, Calendar, DayPlan, kind_of, plan_day
from fairwatt.core.rating.elements.rebate import Rebate
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.elements.use_charge import UseCharge
from fairwatt.core.rating.elements.vending_charge import VendingCharge
from fairwatt.core.rating.terms import Mode, Parameter, Rounding
from fairwatt.core.spans import to_datetime, zone_info
from fairwatt.core.units import Unit

__all__ = [
    "Calendar",
    "DemandCharge",
    "DoublyPriced",
    "Element",
    "EnergyBlocks",
    "MinimumCharge",
    "Mode",
    "NoTariff",
    "Package",
    "Parameter",
    "Period",
    "PriceOutOfRange",
    "Rebate",
    "Rounding",
    "Schedule",
    "Series",
    "StandingCharge",
    "TariffError",
    "TariffVersion",
    "Tax",
    "UnpricedInstant",
    "UseCharge",
    "VendingCharge",
]

Element = (
    EnergyBlocks
    | Package
    | StandingCharge
    | MinimumCharge
    | DemandCharge
    | Tax
    | Rebate
    | UseCharge
    | VendingCharge
)


class NoTariff(LookupError):
    """No version, or no price of it, was in force at an instant, so nothing can be charged there."""


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """The prices in force from ``effective_us`` until the next version, or until ``until_us`` (excluded).

    Names are unique, and all that count use count in the same window; anything else raises ``TariffError``.
    Without an ``EnergyBlocks`` or a package it has charges only, and use under it has no price.
    """

    number: int
    effective_us: int
    name: str
    elements: tuple[Element, ...]
    until_us: int | None = None

    def __post_init__(self) -> None:
        if self.until_us is not None and self.until_us <= self.effective_us:
            raise TariffError(f"version {self.name!r} ends before it takes effect")
        if not self.elements:
            raise TariffError(f"version {self.name!r} has no elements, so it says nothing")
        names = [element.name for element in self.elements]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            raise TariffError(
                f"version {self.name!r} has two elements called {doubled!r}; give each a `name` of its own"
            )
        counting = {e.name: (e.counter, e.start_day, e.start_date) for e in self.energies if e.counts}
        if len(set(counting.values())) > 1:
            said = " and ".join(f"{name!r} by {window[0]}" for name, window in counting.items())
            raise TariffError(
                f"version {self.name!r}: its energy elements count in different windows ({said}), and a meter has "
                "one counter. Keep one of them; write what goes by the month's total as `standing` with `by: use`, "
                "or a credit as `rebate` with `cases`: both look at the month's use without a counter"
            )
        if counting and self.packages:
            raise TariffError(
                f"version {self.name!r}: beside a package the energy element has no blocks; a meter has one counter"
            )
        if len({e.window for e in self.settled}) > 1:
            raise TariffError(
                f"version {self.name!r} settles {_said(self.settled, 'month')} by month and "
                f"{_said(self.settled, 'bill')} by bill; take one for all. On a live prepaid meter a bill is the "
                "month; so write `per_month` or `window: month` for all, unless bills have other spans"
            )
        shares.check(self)

    @property
    def energies(self) -> tuple[EnergyBlocks, ...]:
        """All elements priced by use, in order."""
        return tuple(e for e in self.elements if isinstance(e, EnergyBlocks))

    @property
    def packages(self) -> tuple[Package, ...]:
        """All packages, in order."""
        return tuple(e for e in self.elements if isinstance(e, Package))

    @property
    def standings(self) -> tuple[StandingCharge, ...]:
        """All standing charges, in order."""
        return tuple(e for e in self.elements if isinstance(e, StandingCharge))

    @property
    def energy(self) -> EnergyBlocks:
        """The first price per kWh: the one whose periods and blocks a resident is shown.

        Where there are charges only, it is one whose price is unknown.
        """
        return self.energies[0] if self.energies else NO_PRICE

    @property
    def counting(self) -> EnergyBlocks:
        """The element whose window counts use: the first with blocks, else the first."""
        return next((e for e in self.energies if e.counts), self.energy)

    @property
    def settled(self) -> tuple[MinimumCharge | DemandCharge | Rebate | UseCharge, ...]:
        """The elements whose amount is known only when their window closes."""
        return tuple(
            e for e in self.elements if isinstance(e, MinimumCharge | DemandCharge | Rebate | UseCharge)
        )

    @property
    def settles(self) -> str:
        """When they are settled: month, bill, or never."""
        return self.settled[0].window if self.settled else "never"

    @property
    def month_start_day(self) -> int:
        """The day on which its billing month begins."""
        return 1 if self.counting.counter in {"none", "day", "year"} else self.counting.start_day

    @property
    def standing_micro_per_day(self) -> int:
        """The daily charges in micro-units; 0 when there are none."""
        return sum(e.amount_micro for e in self.standings if e.per == "day")

    @property
    def energy_tax_bp(self) -> int:
        """The combined rate on the first energy element, in hundredths of a percent; finer rates are cut."""
        return int(shares.share_on(self, self.energy.name) * 10_000)

    @property
    def standing_tax_bp(self) -> int:
        """The combined rate on the first standing charge, in hundredths of a percent; finer rates are cut."""
        return int(shares.share_on(self, self.standings[0].name) * 10_000) if self.standings else 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """A tariff over time: its currency (ISO 4217), its time zone (IANA) and its versions, oldest first.

    ``unit`` is what energy is counted in: watt-hours of a kWh or litres of a m3. ``conversion`` turns metered
    litres into billed watt-hours. ``transformer`` is the account's own: the current transformers (primary, secondary)
    in front of a meter whose register counts the secondary side. Rounding shapes documents only.
    """

    currency: str
    zone: str
    versions: tuple[TariffVersion, ...]
    unit: Unit = "kWh"
    calendar: Calendar = NO_CALENDAR
    series: tuple[Series, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    conversion: tuple[int, int] = (1, 1)
    round_line: Rounding | None = None
    round_total: Rounding | None = None
    transformer: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        zone_info(self.zone)
        if len(self.currency) != 3 or not (self.currency.isascii() and self.currency.isupper()):
            raise TariffError(f"currency {self.currency!r} is not a three-letter ISO 4217 code")
        if not self.versions:
            raise TariffError("a tariff needs at least one version")
        for older, newer in pairwise(self.versions):
            if older.until_us is not None:
                raise TariffError(
                    f"version {older.name!r} ends where the next one takes effect; only the last has an `until`"
                )
            if newer.effective_us <= older.effective_us:
                raise TariffError(f"version {newer.name!r} does not take effect after {older.name!r}")
            if newer.number < older.number:
                raise TariffError(
                    f"version numbers must not fall: {older.number} is followed by {newer.number}"
                )

    @property
    def dearest_micro_per_kwh(self) -> int:
        """The highest price of any version, period and block: what a kWh costs at worst, before tax."""
        return max(self._dearest(version) for version in self.versions)

    def _dearest(self, version: TariffVersion) -> int:
        beyond = [package.beyond_micro for package in version.packages]
        first, *others = [self._dearest_of(energy) for energy in version.energies] or [0]
        return max(first, *beyond, first) + sum(others)

    def _dearest_of(self, energy: EnergyBlocks) -> int:
        if energy.market is None:
            rows = (period.prices_micro for period in energy.periods)
            return max((price for row in rows for price in row if price is not None), default=0)
        if energy.market.cap_micro is not None:
            return energy.market.cap_micro
        markets = [price for _, price in self.series_of(energy.market.series).points] or [0]
        return max(
            energy.market.price_micro(market_micro=market, period=period)
            for market in (min(markets), max(markets))
            for period in energy.periods
        )

    def series_of(self, name: str) -> Series:
        """Return a series by its name; raises ``TariffError`` for one that is not there."""
        for series in self.series:
            if series.name == name:
                return series
        raise TariffError(f"the tariff has no series called {name!r}")

    def day_plan(self, *, version: TariffVersion, day: date) -> DayPlan:
        """List (start minute, end minute, period index) of a local date under a version's first energy element."""
        kind = kind_of(day, known=self.calendar.lookup())
        return plan_day(version.energy.periods, kind)

    def for_account(
        self, parameters: Mapping[str, int] | None = None, *, vacant: bool = False, payer: str = "tenant"
    ) -> Schedule:
        """Return the prices of one account: parameters (in thousandths) put in, defaults for the rest.

        While a unit is ``vacant``, standing charges go to their ``payer``: the meter's own wallet is ``tenant``;
        ``owner`` gets a schedule that has only what the owner pays. Raises ``UnknownParameter``.
        """
        given = dict(parameters or {})
        known = {parameter.name: parameter.default_milli for parameter in self.parameters}
        for name in given:
            if name not in known and name != AVERAGE:
                declared = ", ".join(sorted(known)) or "none"
                raise UnknownParameter(f"the tariff asks for no parameter {name!r}; it asks for: {declared}")
        values = {**known, **given}
        versions = tuple(
            replace(
                version,
                elements=tuple(
                    _for_account(element, values)
                    for element in version.elements
                    if not (vacant and isinstance(element, StandingCharge) and element.vacant != payer)
                ),
            )
            for version in self.versions
        )
        return replace(self, versions=versions)

    @property
    def factor(self) -> tuple[int, int]:
        """By what a metered register is multiplied and divided to be billed; equal where it counts what is billed."""
        (multiply, divide), (primary, secondary) = self.conversion, self.transformer
        return multiply * primary, divide * secondary

    @property
    def bills_register(self) -> bool:
        """Whether the register counts what is billed: no volume to convert, no transformer in front of it."""
        multiply, divide = self.factor
        return multiply == divide

    def converted(self, register: int) -> int:
        """Turn a metered register into the billed one, rounded down: Wh of a gas register in litres, or of the primary
        side of current transformers.

        The growth of it is what is billed, so no fraction is ever lost.
        """
        multiply, divide = self.factor
        return register * multiply // divide

    def grown(self, *, before: int, after: int, modulus: int) -> int:
        """Say what is billed between two values of a metered register that wraps to zero at ``modulus``.

        It is the growth of the converted register, which wraps where the metered one does; so however readings split
        the way, the parts come to the whole. Without conversion and transformer it is the plain difference.
        """
        grown = self.converted(after) - self.converted(before)
        return grown if after >= before else grown + self.converted(modulus)

    def converted_all(
        self, readings: Iterable[tuple[int, int]], *, register: int = 0
    ) -> Iterator[tuple[int, int]]:
        """Turn readings, each an instant and the metered use since the one before, into what is billed.

        ``register`` is what the meter showed before the first.
        """
        for at_us, used in readings:
            before, register = self.converted(register), register + used
            yield at_us, self.converted(register) - before

    def since(self, *, at_us: int) -> Schedule:
        """Return what prices use from an instant on: the version in force there and all later ones.

        Version numbers stay as they are; market prices that are over go; a last version that has ended stays, with
        its end. Raises ``NoTariff`` before the first version.
        """
        index = self.begun_index_at(at_us=at_us)
        series = tuple(
            replace(s, points=tuple(p for p in s.points if p[0] + s.step_us > at_us)) for s in self.series
        )
        if index == 0 and series == self.series:
            return self
        return replace(self, versions=self.versions[index:], series=series)

    def covers(self, *, at_us: int) -> bool:
        """Say whether a version is in force at an instant."""
        until_us = self.versions[-1].until_us
        return self.versions[0].effective_us <= at_us and (until_us is None or at_us < until_us)

    def version_index_at(self, *, at_us: int) -> int:
        """Return the index of the version in force at an instant.

        Raises ``NoTariff`` before the first, and from where the last has ended.
        """
        index, until_us = self.begun_index_at(at_us=at_us), self.versions[-1].until_us
        if until_us is not None and at_us >= until_us:
            raise NoTariff(
                f"no tariff was in force at {to_datetime(at_us):%Y-%m-%d %H:%M} UTC, the last ended at "
                f"{to_datetime(until_us):%Y-%m-%d %H:%M} UTC; nothing is charged and supply stays on, "
                "publish a version that covers it"
            )
        return index

    def begun_index_at(self, *, at_us: int) -> int:
        """Return the index of the last version that has taken effect, even if it has ended; raises ``NoTariff``."""
        index = bisect_right(self.versions, at_us, key=lambda version: version.effective_us) - 1
        if index < 0:
            at, first = to_datetime(at_us), to_datetime(self.versions[0].effective_us)
            raise NoTariff(
                f"no tariff was in force at {at:%Y-%m-%d %H:%M} UTC, the first starts at "
                f"{first:%Y-%m-%d %H:%M} UTC; nothing is charged and supply stays on, "
                "publish a version that covers it"
            )
        return index


NO_PRICE: Final = EnergyBlocks("none", (), (Period("all", ((0, MINUTES_PER_DAY),), None, None, (None,)),))


def _said(settled: Iterable[MinimumCharge | DemandCharge | Rebate | UseCharge], window: str) -> str:
    return ", ".join(repr(e.name) for e in settled if e.window == window)


def _for_account(element: Element, values: Mapping[str, int]) -> Element:
    match element:
        case Package() | Tax() | Rebate():
            return element
        case _:
            return element.for_account(values)


def in_thousandths(value: Fraction) -> int:
    """Turn a parameter's value into thousandths; finer ones are rounded down."""
    return int(value * MILLI // 1)

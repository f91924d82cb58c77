"""The unit prices of one local day: its periods, market prices, packages and counting windows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from fairwatt.core.rating.elements.base import month_of
from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks
from fairwatt.core.rating.elements.market_price import Series
from fairwatt.core.rating.elements.package import Package
from fairwatt.core.rating.elements.periods import DayKind, DayPlan, kind_of, plan_day
from fairwatt.core.rating.model import Schedule, TariffVersion
from fairwatt.core.rating.shares import share_on
from fairwatt.core.rating.unit_rates import Part, UnitRate, unit_rate
from fairwatt.core.rating.windows import CountWindow, window_at
from fairwatt.core.spans import Span, date_start, local_datetime
from fairwatt.core.units import US_PER_DAY, US_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch with one version, period, counting window and price, up to the next segment's start.

    ``period`` is that of the version's first energy element. ``settle_us`` is the start of the month at whose
    end something is settled, 0 where nothing is.
    """

    start_us: int
    version: int
    period: int
    window_us: int
    rate: UnitRate
    settle_us: int = 0


class DayPrices:
    """Works out the segments of local days, remembering what days have in common."""

    def __init__(self, *, schedule: Schedule, bill: Span | None = None) -> None:
        self.schedule = schedule
        self.bill = bill
        self._known = schedule.calendar.lookup()
        self._series = {series.name: series for series in schedule.series}
        self._instants = {name: [at for at, _ in s.points] for name, s in self._series.items()}
        self._taxed: list[dict[str, Fraction]] = [
            {e.name: share_on(v, e.name) for e in v.elements} for v in schedule.versions
        ]
        self._plans: dict[tuple[int, int, tuple[int, ...]], DayPlan] = {}
        self._bounds: dict[tuple[int, int, int], tuple[int, ...]] = {}
        self._rates: dict[tuple[int, tuple[Part, ...], bool], UnitRate] = {}

    def segments(self, *, day: date, start_us: int, end_us: int) -> Iterator[Segment]:
        """List the stretches of a local day in order, from where the first version takes effect."""
        for at_us in self._changes(day=day, start_us=start_us, end_us=end_us):
            yield self._segment_at(at_us)

    def begun(self, *, day: date, start_us: int, end_us: int) -> Iterator[tuple[int, int, Package]]:
        """List the packages that begin on a local day: instant, version index, package. A day has one package."""
        kind = kind_of(day, known=self._known)
        for index, version in enumerate(self.schedule.versions):
            of_days = [p for p in version.packages if not p.events and p.days.hold(kind)]
            if of_days and self._in_force(index, start_us):
                yield start_us, index, of_days[0]
            for package in version.packages:
                for event in package.events:
                    if start_us <= event.start_us < end_us and self._in_force(index, event.start_us):
                        yield event.start_us, index, package

    def window_us_at(self, at_us: int) -> int:
        """The start of the window in which use counts at an instant; raises ``NoTariff``."""
        version = self.schedule.versions[self.schedule.version_index_at(at_us=at_us)]
        package = self.package_at(version, at_us)
        if package is not None:
            return package[1]
        zone = self.schedule.zone
        return window_at(energy=version.counting, zone=zone, at_us=at_us, bill=self.bill).start_us

    def _in_force(self, index: int, at_us: int) -> bool:
        return self.schedule.covers(at_us=at_us) and self.schedule.version_index_at(at_us=at_us) == index

    def _changes(self, *, day: date, start_us: int, end_us: int) -> list[int]:
        """List the instants of a local day at which the price may change, those with a price only."""
        versions = self.schedule.versions
        changes = {start_us} | {v.effective_us for v in versions if start_us <= v.effective_us < end_us}
        plain = end_us - start_us == US_PER_DAY
        if not plain:
            changes.update(self._minutes_of_change(day, start_us, end_us))
        for index, version in enumerate(versions):
            if version.effective_us >= end_us:
                continue
            for place, energy in enumerate(version.energies):
                changes.update(self._price_changes(index, place, energy, day, start_us, end_us))
            for package in version.packages:
                changes.update(edge for e in package.events for edge in (e.start_us, e.end_us))
        if self.bill is not None:
            changes.update((self.bill.start_us, self.bill.end_us))
        return sorted(c for c in changes if start_us <= c < end_us and self.schedule.covers(at_us=c))

    def _minutes_of_change(self, day: date, start_us: int, end_us: int) -> Iterator[int]:
        """Where clocks change, wall-clock minutes are skipped or come twice: look at every real minute."""
        kind = kind_of(day, known=self._known)
        begins = {
            begin
            for index, version in enumerate(self.schedule.versions)
            if version.effective_us < end_us
            for place, energy in enumerate(version.energies)
            if energy.clock_min is None
            for begin, _, _ in self._plan(index, place, energy, kind)
        }
        expected = -1
        for at_us in range(start_us, end_us, US_PER_MINUTE):
            local = local_datetime(zone=self.schedule.zone, at_us=at_us)
            minute = local.hour * 60 + local.minute
            if minute != expected or minute in begins:
                yield at_us
            expected = minute + 1

    def _price_changes(
        self, index: int, place: int, energy: EnergyBlocks, day: date, start_us: int, end_us: int
    ) -> Iterator[int]:
        if energy.clock_min is not None:
            shift_us = energy.clock_min * US_PER_MINUTE
            first = (start_us + shift_us) // US_PER_DAY * US_PER_DAY - shift_us
            for midnight_us in range(first, end_us, US_PER_DAY):
                kind = self._kind(energy, midnight_us)
                for begin, _, _ in self._plan(index, place, energy, kind):
                    yield midnight_us + begin * US_PER_MINUTE
        elif end_us - start_us == US_PER_DAY:
            for begin, _, _ in self._plan(index, place, energy, kind_of(day, known=self._known)):
                yield start_us + begin * US_PER_MINUTE
        if energy.market is not None:
            series = self._of(energy)
            instants = self._instants[series.name]
            first_at = max(0, bisect_right(instants, start_us) - 1)
            for index in range(first_at, bisect_left(instants, end_us)):
                yield instants[index]
                yield series.end_us(index)

    def _segment_at(self, at_us: int) -> Segment:
        index = self.schedule.version_index_at(at_us=at_us)
        version = self.schedule.versions[index]
        window = window_at(energy=version.counting, zone=self.schedule.zone, at_us=at_us, bill=self.bill)
        parts, priced = [], True
        package = self.package_at(version, at_us)
        period = 0
        for place, energy in enumerate(version.energies):
            number, minute_prices = self._price_of(index, place, energy, at_us)
            period = number if place == 0 else period
            priced = priced and minute_prices is not None
            if place == 0 and package is not None:
                priced = True
                continue
            bounds = self._bounds_of(index, place, energy, window)
            prices = minute_prices or (0,)
            if energy.free_wh:
                bounds, prices = _with_free(bounds, prices, energy.free_wh)
            parts.append(Part(energy.name, number, bounds, prices))
        window_us = window.start_us
        if package is not None:
            found, window_us = package
            bought = Part(found.name, -1, (found.included_wh,), (0, found.beyond_micro))
            if not found.included_wh:
                bought = Part(found.name, -1, (), (found.beyond_micro,))
            parts.insert(0, bought)
        rate = self._rate(index, tuple(parts), priced)
        return Segment(at_us, index, period, window_us, rate, self._settle_us(version, at_us))

    def _settle_us(self, version: TariffVersion, at_us: int) -> int:
        if version.settles != "month":
            return 0
        zone = self.schedule.zone
        first, _ = month_of(local_datetime(zone=zone, at_us=at_us).date(), start_day=version.month_start_day)
        return date_start(zone=zone, day=first)

    def _price_of(
        self, index: int, place: int, energy: EnergyBlocks, at_us: int
    ) -> tuple[int, tuple[int | None, ...] | None]:
        """The period at an instant, and its prices; ``None`` where the market has none."""
        if energy.clock_min is None:
            local = local_datetime(zone=self.schedule.zone, at_us=at_us)
            minute, kind = local.hour * 60 + local.minute, kind_of(local.date(), known=self._known)
        else:
            minute = (at_us // US_PER_MINUTE + energy.clock_min) % (24 * 60)
            kind = self._kind(energy, at_us)
        plan = self._plan(index, place, energy, kind)
        number = next(p for begin, end, p in plan if begin <= minute < end)
        period = energy.periods[number]
        if energy.market is None:
            return number, period.prices_micro
        series = self._of(energy)
        found = bisect_right(self._instants[series.name], at_us) - 1
        if found < 0 or at_us >= series.end_us(found):
            return number, None
        market = series.points[found][1]
        return number, (energy.market.price_micro(market_micro=market, period=period),)

    def package_at(self, version: TariffVersion, at_us: int) -> tuple[Package, int] | None:
        """The package that prices an instant, and where it began; events go before days, the first wins."""
        for package in version.packages:
            for event in package.events:
                if at_us in event:
                    return package, event.start_us
        for package in version.packages:
            day = local_datetime(zone=self.schedule.zone, at_us=at_us).date()
            if not package.events and package.days.hold(kind_of(day, known=self._known)):
                return package, date_start(zone=self.schedule.zone, day=day)
        return None

    def _kind(self, energy: EnergyBlocks, at_us: int) -> DayKind:
        """The kind of day that a fixed clock shows."""
        assert energy.clock_min is not None
        days = (at_us + energy.clock_min * US_PER_MINUTE) // US_PER_DAY
        return kind_of(date.fromordinal(date(1970, 1, 1).toordinal() + days), known=self._known)

    def _of(self, energy: EnergyBlocks) -> Series:
        assert energy.market is not None
        return self._series[energy.market.series]

    def _plan(self, index: int, place: int, energy: EnergyBlocks, kind: DayKind) -> DayPlan:
        present = tuple(i for i, period in enumerate(energy.periods) if period.days.hold(kind))
        key = (index, place, present)
        if key not in self._plans:
            self._plans[key] = plan_day(energy.periods, kind)
        return self._plans[key]

    def _bounds_of(
        self, index: int, place: int, energy: EnergyBlocks, window: CountWindow
    ) -> tuple[int, ...]:
        key = (index, place, window.start_us)
        if key not in self._bounds:
            self._bounds[key] = energy.window_bounds(window.dates()) if energy.bounds_wh else ()
        return self._bounds[key]

    def _rate(self, index: int, parts: tuple[Part, ...], priced: bool) -> UnitRate:
        key = (index, parts, priced)
        if key not in self._rates:
            self._rates[key] = unit_rate(parts=parts, taxed=self._taxed[index], priced=priced)
        return self._rates[key]


def _with_free(
    bounds: tuple[int, ...], prices: tuple[int | None, ...], free_wh: int
) -> tuple[tuple[int, ...], tuple[int | None, ...]]:
    """Put the free units first; blocks below them vanish."""
    kept = [(bound, price) for bound, price in zip(bounds, prices, strict=False) if bound > free_wh]
    return (free_wh, *(bound for bound, _ in kept)), (0, *(price for _, price in kept), prices[-1])

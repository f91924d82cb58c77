"""When prices change: a schedule unrolled into instants, by local calendar and clock."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from fairwatt.core.rating.day_prices import DayPrices, Segment
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.shares import FINE, fine_amount, share_on
from fairwatt.core.rating.unit_rates import UnitRate
from fairwatt.core.spans import Span, date_start, local_date

__all__ = ["Due", "Segment", "SegmentTable"]

_SCHEDULES: Final = 128


@dataclass(frozen=True, slots=True)
class Due:
    """A fixed amount that falls due at an instant, for an element of a version."""

    at_us: int
    version: int
    element: str
    micro: int


@dataclass(frozen=True, slots=True)
class _Month:
    segments: tuple[Segment, ...]
    dues: tuple[Due, ...]
    midnights_us: tuple[int, ...]


class _Months:
    """The months of one schedule, built when first asked for. They follow from the schedule alone, so every table of
    an equal schedule shares them: what several tables in a process ask for is built once.
    """

    def __init__(self, *, schedule: Schedule, bill: Span | None) -> None:
        self.schedule = schedule
        self._prices = DayPrices(schedule=schedule, bill=bill)
        self._built: dict[int, _Month] = {}

    def at(self, month: int) -> _Month:
        """A month, counted from the year 0."""
        built = self._built.get(month)
        if built is None:
            built = self._built[month] = self._build(month)
        return built

    def _build(self, month: int) -> _Month:
        zone = self.schedule.zone
        segments: list[Segment] = []
        dues: list[Due] = []
        midnights: list[int] = []
        start_us, next_month_us = (date_start(zone=zone, day=_first_day(m)) for m in (month, month + 1))
        day = _first_day(month)
        if self.schedule.covers(at_us=start_us - 1):
            midnights.append(start_us)
            dues.extend(self._day_end(start_us))
        while start_us < next_month_us:
            # A date that the calendar skipped shares its start with the next one and has no length.
            following = date.fromordinal(day.toordinal() + 1)
            end_us = date_start(zone=zone, day=following)
            if start_us < end_us:
                segments.extend(self._prices.segments(day=day, start_us=start_us, end_us=end_us))
                dues.extend(self._begun(day, start_us, end_us))
                if self.schedule.covers(at_us=end_us - 1) and end_us < next_month_us:
                    midnights.append(end_us)
                    dues.extend(self._day_end(end_us))
            day, start_us = following, end_us
        dues.sort(key=lambda due: due.at_us)
        return _Month(segments=tuple(segments), dues=tuple(dues), midnights_us=tuple(midnights))

    def _day_end(self, midnight_us: int) -> Iterator[Due]:
        """What the day that ends at a midnight costs, under the version in force at its end."""
        index = self.schedule.version_index_at(at_us=midnight_us - 1)
        day = local_date(zone=self.schedule.zone, at_us=midnight_us - 1)
        version = self.schedule.versions[index]
        for standing in version.standings:
            micro = standing.micro_on(day, start_day=version.month_start_day)
            yield Due(midnight_us, index, standing.name, micro)

    def _begun(self, day: date, start_us: int, end_us: int) -> Iterator[Due]:
        """The prices of packages that begin on a day; due an instant later, so that the span that uses it pays."""
        for at_us, index, package in self._prices.begun(day=day, start_us=start_us, end_us=end_us):
            yield Due(at_us + 1, index, package.name, package.price_micro)


@lru_cache(maxsize=_SCHEDULES)
def _months_of(schedule: Schedule, bill: Span | None) -> _Months:
    return _Months(schedule=schedule, bill=bill)


class SegmentTable:
    """The instants at which a schedule's prices change, grown month by month as they are asked for.

    It is a cache: a fresh table gives the same answers. ``starts_us``, ``version``, ``period``, ``window_us``,
    ``rate`` and ``settle_us`` run in step, one entry per segment. ``midnights_us`` are the instants at which
    fixed amounts fall due (all local day ends, and the beginnings of packages); what the first ``k`` of them
    charge is ``standing_micro[k]``, and as taxes on it ``standing_tax[k]`` (micro-units) and
    ``standing_fine[k]`` (billionths of a micro-unit, below a whole one). ``revision`` rises whenever the lists
    change. ``bill`` is the span that elements count by which count by bill.
    """

    def __init__(self, *, schedule: Schedule, span: Span | None = None, bill: Span | None = None) -> None:
        self.schedule = schedule
        self.bill = bill
        self.revision = 0
        self.starts_us: list[int] = []
        self.version: list[int] = []
        self.period: list[int] = []
        self.window_us: list[int] = []
        self.rate: list[UnitRate] = []
        self.settle_us: list[int] = []
        self.midnights_us: list[int] = []
        self.standing_micro: list[int] = [0]
        self.standing_tax: list[int] = [0]
        self.standing_fine: list[int] = [0]
        self._all = _months_of(schedule, bill)
        self._months: dict[int, _Month] = {}
        self.shares = [{s.name: share_on(v, s.name) for s in v.elements} for v in schedule.versions]
        self._covered: Span | None = None
        if span is not None:
            self.ensure(start_us=span.start_us, end_us=span.end_us)

    def ensure(self, *, start_us: int, end_us: int) -> None:
        """Make the lists cover both instants; raises ``NoTariff`` where no version is in force."""
        covered = self._covered
        if covered is not None and covered.start_us <= start_us and end_us < covered.end_us:
            return
        self.schedule.version_index_at(at_us=start_us)
        # Use up to the very end of the last version still has its price.
        self.schedule.version_index_at(at_us=max(start_us, end_us - 1))
        first, last = self._month_of(start_us), self._month_of(end_us)
        if self._months:
            first, last = min(first, min(self._months)), max(last, max(self._months))
        for month in range(first, last + 1):
            if month not in self._months:
                self._months[month] = self._all.at(month)
        self._rebuild(first=first, last=last)

    def locate(self, *, start_us: int, end_us: int) -> tuple[int, int]:
        """Return the first and last segment that the use between two readings touches.

        A reading exactly on a boundary closes the segment before it: use up to there has the old price.
        """
        self.ensure(start_us=start_us, end_us=end_us)
        return bisect_right(self.starts_us, start_us) - 1, bisect_left(self.starts_us, end_us) - 1

    def standing_between(self, *, start_us: int, end_us: int) -> tuple[int, int]:
        """Return the fixed amounts due in ``(start_us, end_us]`` and the taxes on them.

        The first is in micro-units, the second in billionths of a micro-unit.
        """
        self.ensure(start_us=start_us, end_us=end_us)
        before, upto = bisect_right(self.midnights_us, start_us), bisect_right(self.midnights_us, end_us)
        whole = self.standing_tax[upto] - self.standing_tax[before]
        return (
            self.standing_micro[upto] - self.standing_micro[before],
            whole * FINE + self.standing_fine[upto] - self.standing_fine[before],
        )

    def dues(self, *, start_us: int, end_us: int) -> Iterator[Due]:
        """List each fixed amount due in ``(start_us, end_us]``, by element: what explains ``standing_between``."""
        self.ensure(start_us=start_us, end_us=end_us)
        for month in range(self._month_of(start_us), self._month_of(end_us) + 1):
            for due in self._months[month].dues:
                if start_us < due.at_us <= end_us:
                    yield due

    def _month_of(self, at_us: int) -> int:
        day = local_date(zone=self.schedule.zone, at_us=at_us)
        return day.year * 12 + day.month - 1

    def _rebuild(self, *, first: int, last: int) -> None:
        self.starts_us, self.version, self.period, self.window_us = [], [], [], []
        self.rate, self.settle_us, self.midnights_us = [], [], []
        self.standing_micro, self.standing_tax, self.standing_fine = [0], [0], [0]
        previous: tuple[int, int, int, int, int] | None = None
        for month in range(first, last + 1):
            for segment in self._months[month].segments:
                price = (
                    segment.version,
                    segment.period,
                    segment.window_us,
                    id(segment.rate),
                    segment.settle_us,
                )
                if price == previous:
                    continue
                previous = price
                self.starts_us.append(segment.start_us)
                self.version.append(segment.version)
                self.period.append(segment.period)
                self.window_us.append(segment.window_us)
                self.rate.append(segment.rate)
                self.settle_us.append(segment.settle_us)
            self._append_dues(self._months[month])
        zone, until_us = self.schedule.zone, self.schedule.versions[-1].until_us
        end_us = date_start(zone=zone, day=_first_day(last + 1))
        self._covered = Span(
            max(self.schedule.versions[0].effective_us, date_start(zone=zone, day=_first_day(first))),
            end_us if until_us is None else min(end_us, until_us + 1),
        )
        self.revision += 1

    def _append_dues(self, month: _Month) -> None:
        at = dict.fromkeys(month.midnights_us, (0, 0))
        for due in month.dues:
            micro, fine = at.get(due.at_us, (0, 0))
            share = self.shares[due.version][due.element]
            at[due.at_us] = micro + due.micro, fine + fine_amount(micro=due.micro, share=share)
        for at_us, (micro, fine) in sorted(at.items()):
            self.midnights_us.append(at_us)
            self.standing_micro.append(self.standing_micro[-1] + micro)
            whole, rest = divmod(self.standing_fine[-1] + fine, FINE)
            self.standing_tax.append(self.standing_tax[-1] + whole)
            self.standing_fine.append(rest)


def _first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)

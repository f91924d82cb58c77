"""When prices change: a schedule unrolled into instants, by local calendar and clock."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date
from typing import assert_never

from fairwatt.core.rating.elements.energy_blocks import Counter, DayPlan
from fairwatt.core.rating.model import Schedule, TariffVersion
from fairwatt.core.spans import Span, date_start, local_date, local_datetime, month_start, year_start
from fairwatt.core.units import US_PER_DAY, US_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch with one version, one period and one counter window, up to the next segment's start."""

    start_us: int
    version: int
    period: int
    window_us: int


@dataclass(frozen=True, slots=True)
class _Month:
    segments: tuple[Segment, ...]
    # (midnight, version index) for each local day of the month that some version prices
    midnights: tuple[tuple[int, int], ...]


class SegmentTable:
    """The instants at which a schedule's prices change, grown month by month as they are asked for.

    It is a cache: a fresh table gives the same answers. ``starts_us``, ``version``, ``period`` and
    ``window_us`` run in step, one entry per segment. ``midnights_us`` are the local day starts;
    ``standing_micro[k]`` and ``standing_tax[k]`` (micro-units times hundredths of a percent) are what the
    first ``k`` of them charge. ``revision`` rises whenever the lists change.
    """

    def __init__(self, *, schedule: Schedule, span: Span | None = None) -> None:
        self.schedule = schedule
        self.revision = 0
        self.starts_us: list[int] = []
        self.version: list[int] = []
        self.period: list[int] = []
        self.window_us: list[int] = []
        self.midnights_us: list[int] = []
        self.standing_micro: list[int] = [0]
        self.standing_tax: list[int] = [0]
        self._months: dict[int, _Month] = {}
        self._plans: dict[tuple[int, int, int], DayPlan] = {}
        self._covered: Span | None = None
        if span is not None:
            self.ensure(start_us=span.start_us, end_us=span.end_us)

    def ensure(self, *, start_us: int, end_us: int) -> None:
        """Make the lists cover both instants; raises ``NoTariff`` before the first version."""
        covered = self._covered
        if covered is not None and covered.start_us <= start_us and end_us < covered.end_us:
            return
        self.schedule.version_index_at(at_us=start_us)
        first, last = self._month_of(start_us), self._month_of(end_us)
        if self._months:
            first, last = min(first, min(self._months)), max(last, max(self._months))
        for month in range(first, last + 1):
            if month not in self._months:
                self._months[month] = self._build_month(month)
        self._rebuild(first=first, last=last)

    def locate(self, *, start_us: int, end_us: int) -> tuple[int, int]:
        """Return the first and last segment that the use between two readings touches.

        A reading exactly on a boundary closes the segment before it: use up to there has the old price.
        """
        self.ensure(start_us=start_us, end_us=end_us)
        return bisect_right(self.starts_us, start_us) - 1, bisect_left(self.starts_us, end_us) - 1

    def standing_between(self, *, start_us: int, end_us: int) -> tuple[int, int]:
        """Return the standing charge of the midnights in ``(start_us, end_us]`` and its tax share.

        The charge is in micro-units, the tax share in micro-units times hundredths of a percent.
        """
        self.ensure(start_us=start_us, end_us=end_us)
        before, upto = bisect_right(self.midnights_us, start_us), bisect_right(self.midnights_us, end_us)
        return (
            self.standing_micro[upto] - self.standing_micro[before],
            self.standing_tax[upto] - self.standing_tax[before],
        )

    def _month_of(self, at_us: int) -> int:
        day = local_date(zone=self.schedule.zone, at_us=at_us)
        return day.year * 12 + day.month - 1

    def _build_month(self, month: int) -> _Month:
        zone, effective_us = self.schedule.zone, self.schedule.versions[0].effective_us
        segments: list[Segment] = []
        midnights: list[tuple[int, int]] = []
        start_us, next_month_us = (date_start(zone=zone, day=_first_day(m)) for m in (month, month + 1))
        day = _first_day(month)
        while start_us < next_month_us:
            # A date that the calendar skipped shares its start with the next one and has no length.
            following = date.fromordinal(day.toordinal() + 1)
            end_us = date_start(zone=zone, day=following)
            if start_us < end_us:
                if start_us >= effective_us:
                    midnights.append((start_us, self.schedule.version_index_at(at_us=start_us)))
                for at_us in self._changes(day=day, start_us=start_us, end_us=end_us):
                    segments.append(self._segment_at(at_us))
            day, start_us = following, end_us
        return _Month(segments=tuple(segments), midnights=tuple(midnights))

    def _changes(self, *, day: date, start_us: int, end_us: int) -> list[int]:
        """List the instants of a local day at which the price may change, those with a price only."""
        versions = self.schedule.versions
        changes = {start_us} | {v.effective_us for v in versions if start_us <= v.effective_us < end_us}
        if end_us - start_us == US_PER_DAY:
            for index, version in enumerate(versions):
                if version.effective_us < end_us:
                    plan = self._plan(version=index, month=day.month, weekday=day.weekday())
                    changes.update(start_us + begin * US_PER_MINUTE for begin, _, _ in plan)
        else:
            # Where clocks change, wall-clock minutes are skipped or come twice: ask every real minute.
            changes.update(range(start_us, end_us, US_PER_MINUTE))
        return sorted(at_us for at_us in changes if at_us >= versions[0].effective_us)

    def _segment_at(self, at_us: int) -> Segment:
        index = self.schedule.version_index_at(at_us=at_us)
        at = local_datetime(zone=self.schedule.zone, at_us=at_us)
        minute = at.hour * 60 + at.minute
        plan = self._plan(version=index, month=at.month, weekday=at.weekday())
        period = next(p for begin, end, p in plan if begin <= minute < end)
        window_us = window_start(
            counter=self.schedule.versions[index].energy.counter, zone=self.schedule.zone, at_us=at_us
        )
        return Segment(start_us=at_us, version=index, period=period, window_us=window_us)

    def _plan(self, *, version: int, month: int, weekday: int) -> DayPlan:
        key = (version, month, weekday)
        if key not in self._plans:
            energy = self.schedule.versions[version].energy
            self._plans[key] = energy.day_plan(month=month, weekday=weekday)
        return self._plans[key]

    def _rebuild(self, *, first: int, last: int) -> None:
        self.starts_us, self.version, self.period, self.window_us = [], [], [], []
        self.midnights_us, self.standing_micro, self.standing_tax = [], [0], [0]
        previous: tuple[int, int, int] | None = None
        for month in range(first, last + 1):
            for segment in self._months[month].segments:
                price = (segment.version, segment.period, segment.window_us)
                if price == previous:
                    continue
                previous = price
                self.starts_us.append(segment.start_us)
                self.version.append(segment.version)
                self.period.append(segment.period)
                self.window_us.append(segment.window_us)
            for midnight_us, index in self._months[month].midnights:
                self._append_midnight(midnight_us=midnight_us, version=self.schedule.versions[index])
        zone = self.schedule.zone
        self._covered = Span(
            max(self.schedule.versions[0].effective_us, date_start(zone=zone, day=_first_day(first))),
            date_start(zone=zone, day=_first_day(last + 1)),
        )
        self.revision += 1

    def _append_midnight(self, *, midnight_us: int, version: TariffVersion) -> None:
        per_day = version.standing_micro_per_day
        self.midnights_us.append(midnight_us)
        self.standing_micro.append(self.standing_micro[-1] + per_day)
        self.standing_tax.append(self.standing_tax[-1] + per_day * version.standing_tax_bp)


def window_start(*, counter: Counter, zone: str, at_us: int) -> int:
    """Return the start of the counting window that contains an instant; 0 when nothing is counted."""
    match counter:
        case "month":
            return month_start(zone=zone, at_us=at_us)
        case "year":
            return year_start(zone=zone, at_us=at_us)
        case "none":
            return 0
        case _:
            assert_never(counter)


def _first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)

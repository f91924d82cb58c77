"""Where two texts of a tariff begin to price differently: versions, market prices, holidays, parameters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date

from fairwatt.core.rating.elements.market_price import Series
from fairwatt.core.rating.elements.periods import Days, Period, kind_of
from fairwatt.core.rating.model import Schedule, TariffVersion
from fairwatt.core.spans import date_start, local_date

_YEARS_ASKED = 40
"""A yearly date that another calendar entry hides for so long is no difference."""


def first_difference_us(old: Schedule, new: Schedule, *, gained: bool = True) -> int | None:
    """Return the first instant at which two tariffs may price differently; None when they never do.

    With ``gained=False``, a market price where the old tariff had none is no difference. Rounding shapes documents
    only. What no version in force looks at makes no difference.
    """
    first_us = min(old.versions[0].effective_us, new.versions[0].effective_us)
    if (old.currency, old.zone, old.unit, old.conversion) != (
        new.currency,
        new.zone,
        new.unit,
        new.conversion,
    ) or _defaults_differ(old, new):
        return first_us
    found = (_versions(old, new), _series(old, new, gained), _calendar(old, new))
    return min((at_us for at_us in found if at_us is not None), default=None)


def keeps_past_of(new: Schedule, older: Schedule, *, now_us: int) -> bool:
    """Say whether a tariff prices all that an older one has priced up to now as that one did.

    When and whether the last version ends may change for the time to come, and what the older one left without
    a price may get one.
    """
    ended_us = older.versions[-1].until_us
    upto_us = now_us if ended_us is None else min(now_us, ended_us - 1)
    differs_us = first_difference_us(older, new, gained=False)
    return differs_us is None or differs_us > upto_us


def _defaults_differ(old: Schedule, new: Schedule) -> bool:
    """A parameter that only one of them knows is used by a version that only one of them has."""
    was = {parameter.name: parameter.default_milli for parameter in old.parameters}
    return any(was.get(p.name, p.default_milli) != p.default_milli for p in new.parameters)


def _in_force(schedule: Schedule) -> list[tuple[TariffVersion, int | None]]:
    """The versions, each with the instant at which it ends."""
    versions = schedule.versions
    return [
        (version, versions[n + 1].effective_us if n + 1 < len(versions) else version.until_us)
        for n, version in enumerate(versions)
    ]


def _versions(old: Schedule, new: Schedule) -> int | None:
    was, is_ = _in_force(old), _in_force(new)
    for n in range(max(len(was), len(is_))):
        if n >= len(was) or n >= len(is_):
            return (was[n] if n < len(was) else is_[n])[0].effective_us
        (before, before_ends), (after, after_ends) = was[n], is_[n]
        if (before.effective_us, before.elements) != (after.effective_us, after.elements):
            return min(before.effective_us, after.effective_us)
        if before_ends != after_ends:
            return min(end for end in (before_ends, after_ends) if end is not None)
    return None


def _series(old: Schedule, new: Schedule, gained: bool) -> int | None:
    known = {series.name: series for series in new.series}
    found = []
    for series in old.series:
        other = known.get(series.name)
        if other is not None and other != series:
            spans = _changed(series, other, gained)
            found += [at for at in (_first_use(old, series.name, span) for span in spans) if at is not None]
    return min(found, default=None)


def _changed(old: Series, new: Series, gained: bool) -> Iterator[tuple[int, int]]:
    """The spans of the points that are not in both."""
    same_step = old.step_min == new.step_min
    was, is_ = dict(old.points), dict(new.points)
    for index, (at_us, price) in enumerate(old.points):
        if not same_step or is_.get(at_us) != price:
            yield at_us, old.end_us(index)
    for index, (at_us, _) in enumerate(new.points):
        if at_us not in was and (gained or _priced(old, at_us)):
            yield at_us, new.end_us(index)


def _priced(series: Series, at_us: int) -> bool:
    index = bisect_right(series.points, at_us, key=lambda point: point[0]) - 1
    return index >= 0 and at_us < series.end_us(index)


def _first_use(schedule: Schedule, series: str, span: tuple[int, int]) -> int | None:
    """Where a version that looks at a series first meets a span of it."""
    for version, ends_us in _in_force(schedule):
        uses = any(e.market is not None and e.market.series == series for e in version.energies)
        if uses and version.effective_us < span[1] and (ends_us is None or span[0] < ends_us):
            return max(version.effective_us, span[0])
    return None


def _calendar(old: Schedule, new: Schedule) -> int | None:
    if old.calendar == new.calendar:
        return None
    was, is_ = old.calendar.lookup(), new.calendar.lookup()
    for version, ends_us in _in_force(old):
        if not _asks_for_types(version):
            continue
        first = local_date(zone=old.zone, at_us=version.effective_us)
        days = sorted(
            day
            for day in _touched_days(old, new, first)
            if kind_of(day, known=was) != kind_of(day, known=is_)
        )
        if days:
            at_us = max(version.effective_us, date_start(zone=old.zone, day=days[0]))
            if ends_us is None or at_us < ends_us:
                return at_us
    return None


def _touched_days(old: Schedule, new: Schedule, first: date) -> Iterator[date]:
    """Days from ``first`` on that one calendar mentions otherwise than the other."""
    for day, _ in set(old.calendar.dated) ^ set(new.calendar.dated):
        if day >= first:
            yield day
    for (month, number), _ in set(old.calendar.yearly) ^ set(new.calendar.yearly):
        for year in range(first.year, first.year + _YEARS_ASKED):
            try:
                day = date(year, month, number)
            except ValueError:
                continue  # the 29th of February
            if day >= first:
                yield day


def _asks_for_types(version: TariffVersion) -> bool:
    asked: list[Period | Days] = [period for energy in version.energies for period in energy.periods]
    for element in version.elements:
        days = getattr(element, "days", None)
        if isinstance(days, Days):
            asked.append(days)
    return any(one.types is not None for one in asked)

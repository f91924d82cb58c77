"""Rate many registers again under another tariff, all at once: what each day and component would have cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.state import CARRY_NANO_LIMIT, CARRY_TAX_LIMIT
from fairwatt.core.rating.vector import rate_rows
from fairwatt.core.spans import local_day_start, local_midnights
from fairwatt.flows.posting.book_state import Plan
from fairwatt.flows.posting.rerating import COMPONENTS, LIMITS, Change, DayChange, exact_rows, start_window
from fairwatt.store.registers import NOW, Edit, Start, edits_of
from fairwatt.store.site_readings import Readings, read_months

Int64s = npt.NDArray[np.int64]


def differ_from_us(*, old: Schedule, new: Schedule) -> int | None:
    """The first instant at which two tariffs may price differently; None when they never do."""
    was = [(v.effective_us, v.until_us, v.elements) for v in old.versions]
    is_ = [(v.effective_us, v.until_us, v.elements) for v in new.versions]
    for n in range(max(len(was), len(is_))):
        if n >= len(was) or n >= len(is_) or was[n] != is_[n]:
            return min(side[n][0] for side in (was, is_) if n < len(side))
    return None


@dataclass(kw_only=True)
class _Side:
    """One tariff while the months go by: where each register stands under it."""

    plan: Plan
    counter: Int64s
    window: Int64s
    carry_nano: Int64s
    carry_tax: Int64s

    @classmethod
    def at(cls, plan: Plan, starts: list[Start]) -> _Side:
        window = [start_window(table=plan.table, at_us=s.at_us, opening=s.opening) for s in starts]
        none = np.zeros(len(starts), dtype=np.int64)
        return cls(
            plan=plan,
            counter=np.array([s.counter_wh for s in starts], dtype=np.int64),
            window=np.array(window, dtype=np.int64),
            carry_nano=none,
            carry_tax=none.copy(),
        )

    def rate(self, rows: _Rows) -> dict[str, Int64s]:
        """The exact cost of each row by component; moves where the registers stand."""
        of = rows.place
        self.plan.vtable.ensure(start_us=int(rows.prev_at.min()), end_us=int(rows.at.max()))
        nano, tax = self.carry_nano[of], self.carry_tax[of]
        rated = rate_rows(
            vtable=self.plan.vtable,
            first=rows.first,
            prev_at=rows.prev_at,
            at=rows.at,
            energy_wh=rows.energy_wh,
            counter=self.counter[of],
            window=self.window[of],
            carry_nano=nano,
            carry_tax=tax,
        )
        ends = rows.ends
        mine = of[ends]
        self.counter[mine], self.window[mine] = rated.counter[ends], rated.window[ends]
        self.carry_nano[mine], self.carry_tax[mine] = rated.carry_nano[ends], rated.carry_tax[ends]
        zero = np.zeros(len(of), dtype=np.int64)
        return {
            "energy": exact_rows(rated.energy_micro, rated.carry_nano, CARRY_NANO_LIMIT, nano, rows.first),
            "standing": exact_rows(rated.standing_micro, zero, LIMITS["standing"], zero, rows.first),
            "tax": exact_rows(rated.tax_micro, rated.carry_tax, CARRY_TAX_LIMIT, tax, rows.first),
        }


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Intervals of a month, register after register."""

    place: Int64s
    first: npt.NDArray[np.bool_]
    ends: Int64s
    prev_at: Int64s
    at: Int64s
    energy_wh: Int64s
    seq: Int64s


@dataclass(kw_only=True)
class SiteChange:
    """What another tariff changes for each register: days with seq where they were asked for, and totals."""

    days: list[dict[tuple[int, str], DayChange]]
    old: dict[str, list[int]]
    new: dict[str, list[int]]
    counter: Int64s
    window: Int64s
    merged: npt.NDArray[np.bool_]
    until_us: Int64s
    readings: Int64s
    starts: list[Start] = field(default_factory=list)

    def change(self, n: int) -> Change:
        """The change of one register, to be posted."""
        start_us, until_us = self.starts[n].at_us, int(self.until_us[n])
        return Change(
            from_us=start_us,
            until_us=until_us,
            counted_us=until_us,
            merged=False,
            counter_wh=int(self.counter[n]),
            window_us=int(self.window[n]),
            energy_wh=0,
            days=tuple(change for _, change in sorted(self.days[n].items())),
            readings=int(self.readings[n]),
        )


def rerate_site(
    *,
    cursor: Any,
    book: int,
    zone: str,
    installations: Int64s,
    modulus_wh: Int64s,
    starts: list[Start],
    old: Plan,
    new: Plan,
    until_us: int,
    by_day: bool,
    before_seq: int = NOW,
) -> SiteChange:
    """Rate registers (rising installation ids) from their starts on under both tariffs, month by month.

    `by_day` keeps each changed day; without it only totals are gathered. Raises what rating raises.
    """
    edits = _edits(cursor, book, installations, before_seq)
    many = len(installations)
    sides = (_Side.at(old, starts), _Side.at(new, starts))
    at = np.array([s.at_us for s in starts], dtype=np.int64)
    wh = np.array([s.register_wh for s in starts], dtype=np.int64)
    out = SiteChange(
        days=[{} for _ in range(many)],
        old={c: [0] * many for c in COMPONENTS},
        new={c: [0] * many for c in COMPONENTS},
        counter=sides[1].counter,
        window=sides[1].window,
        merged=np.ones(many, dtype=np.bool_),
        until_us=at.copy(),
        readings=np.zeros(many, dtype=np.int64),
        starts=starts,
    )
    for month in read_months(
        cursor=cursor,
        book=book,
        installations=installations,
        from_us=int(at.min()),
        until_us=until_us,
        before_seq=before_seq,
    ):
        rows = _rows(month, at, wh, modulus_wh, edits)
        if rows is None:
            continue
        was, is_ = (side.rate(rows) for side in sides)
        _gather(out, rows, was, is_, zone, by_day=by_day)
        ends, mine = rows.ends, rows.place[rows.ends]
        out.until_us[mine] = rows.at[ends]
        np.add.at(out.readings, rows.place, 1)
    return out


def _edits(cursor: Any, book: int, installations: Int64s, before_seq: int) -> list[tuple[int, Edit]]:
    """What people said of readings, with the place of each register."""
    cursor.execute(
        "SELECT DISTINCT installation FROM rerating WHERE cause = 'edited' AND installation = ANY(%s)",
        [installations.tolist()],
    )
    found = []
    for (installation,) in cursor.fetchall():
        place = int(np.searchsorted(installations, installation))
        mine = edits_of(cursor=cursor, book=book, installation=int(installation), as_of_seq=before_seq)
        found += [(place, edit) for edit in mine]
    return found


def _rows(
    month: Readings, at: Int64s, wh: Int64s, modulus_wh: Int64s, edits: list[tuple[int, Edit]]
) -> _Rows | None:
    """The month's readings as intervals; moves the last instant and register of each."""
    place, shown = np.repeat(month.place, month.counts), month.register_wh
    later = month.at_us > at[place]  # those before a register's own start are not asked for
    for n, edit in edits:
        named = (place == n) & (month.at_us == edit.at_us)
        if edit.register_wh is None:
            later &= ~named
        else:
            shown[named] = edit.register_wh
    place, now, shown, seq = place[later], month.at_us[later], shown[later], month.seq[later]
    if not len(place):
        return None
    first = np.ones(len(place), dtype=np.bool_)
    first[1:] = place[1:] != place[:-1]
    prev_at = np.where(first, at[place], np.roll(now, 1))
    prev_wh = np.where(first, wh[place], np.roll(shown, 1))
    ends = np.append(np.flatnonzero(first)[1:], len(place)) - 1
    at[place[ends]], wh[place[ends]] = now[ends], shown[ends]
    energy = (shown - prev_wh) % modulus_wh[place]
    return _Rows(place=place, first=first, ends=ends, prev_at=prev_at, at=now, energy_wh=energy, seq=seq)


def _gather(
    out: SiteChange,
    rows: _Rows,
    was: dict[str, Int64s],
    is_: dict[str, Int64s],
    zone: str,
    *,
    by_day: bool,
) -> None:
    heads = np.flatnonzero(rows.first)
    for component in COMPONENTS:
        for sums, exact in ((out.old, was[component]), (out.new, is_[component])):
            for n, total in zip(
                rows.place[heads].tolist(), np.add.reduceat(exact, heads).tolist(), strict=True
            ):
                sums[component][n] += total
    if not by_day:
        return
    days = _days(rows.at - 1, zone)
    for component in COMPONENTS:
        changed = np.flatnonzero(was[component] != is_[component])
        for change, n in _day_changes(component, changed, rows, days, was[component], is_[component]):
            _append(out.days[n], change)


def _day_changes(
    component: str, changed: Int64s, rows: _Rows, days: Int64s, was: Int64s, is_: Int64s
) -> Iterator[tuple[DayChange, int]]:
    if not changed.size:
        return
    place, day = rows.place[changed], days[changed]
    begins = np.ones(changed.size, dtype=np.bool_)
    begins[1:] = (place[1:] != place[:-1]) | (day[1:] != day[:-1])
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], changed.size) - 1
    columns = (
        np.add.reduceat(was[changed], starts),
        np.add.reduceat(is_[changed], starts),
        np.minimum.reduceat(rows.seq[changed], starts),
        np.maximum.reduceat(rows.seq[changed], starts),
        day[starts],
        rows.prev_at[changed[starts]],
        rows.at[changed[ends]],
        place[starts],
    )
    for old, new, low, high, day_us, from_us, until_us, n in zip(*(c.tolist() for c in columns), strict=True):
        change = DayChange(
            component=component,
            day_us=day_us,
            first_seq=low,
            last_seq=high,
            from_us=from_us,
            until_us=until_us,
            old_exact=old,
            new_exact=new,
        )
        yield change, n


def _append(days: dict[tuple[int, str], DayChange], change: DayChange) -> None:
    """Add a day's change; the part of a day that fell into the month before is joined to it."""
    key = (change.day_us, change.component)
    before = days.get(key)
    if before is not None:
        change = DayChange(
            component=change.component,
            day_us=change.day_us,
            first_seq=min(before.first_seq, change.first_seq),
            last_seq=max(before.last_seq, change.last_seq),
            from_us=before.from_us,
            until_us=change.until_us,
            old_exact=before.old_exact + change.old_exact,
            new_exact=before.new_exact + change.new_exact,
        )
    days[key] = change


def _days(instants: Int64s, zone: str) -> Int64s:
    low, high = int(instants.min()), int(instants.max())
    start = local_day_start(zone=zone, at_us=low)
    midnights = np.array([start, *local_midnights(zone=zone, start_us=start, end_us=high)], dtype=np.int64)
    days: Int64s = midnights[np.searchsorted(midnights, instants, side="right") - 1]
    return days

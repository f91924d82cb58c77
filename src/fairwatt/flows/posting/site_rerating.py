"""Rate many registers again under another tariff, all at once: what each day and component would have cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.rating.difference import first_difference_us
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.vector_conversion import billed_between
from fairwatt.core.rating.vector_exact import ExactRows, exact_under
from fairwatt.flows.posting.book_state import Plan
from fairwatt.flows.posting.changed_days import ChangedDays, days_of
from fairwatt.flows.posting.rerating import COMPONENTS, Change, start_window
from fairwatt.store.registers import NOW, Edit, Start, edits_of
from fairwatt.store.site_readings import Readings, read_months

Int64s = npt.NDArray[np.int64]

_AT_ONCE: Final = 65_536
"""Rows rated at once: their columns stay near the processor."""


def differ_from_us(*, old: Schedule, new: Schedule) -> int | None:
    """The first instant at which two tariffs may price differently; None when they never do."""
    return first_difference_us(old, new)


@dataclass(kw_only=True)
class _Side:
    """One tariff while the months go by: where each register stands under it."""

    plan: Plan
    counter: Int64s
    window: Int64s

    @classmethod
    def at(cls, plan: Plan, starts: list[Start], until_us: int) -> _Side:
        # Grown once, not month by month.
        first_us = min(start.at_us for start in starts)
        plan.vtable.ensure(start_us=first_us, end_us=max(first_us, until_us))
        window = [start_window(table=plan.table, at_us=s.at_us, opening=s.opening) for s in starts]
        return cls(
            plan=plan,
            counter=np.array([s.counter_wh for s in starts], dtype=np.int64),
            window=np.array(window, dtype=np.int64),
        )


def _rate(sides: tuple[_Side, _Side], rows: _Rows) -> tuple[ExactRows, ExactRows]:
    """The exact cost of each row under both tariffs; moves where the registers stand."""
    was, is_ = exact_under(
        vtables=tuple(side.plan.vtable for side in sides),
        first=rows.first,
        prev_at=rows.prev_at,
        at=rows.at,
        energy_wh=rows.energy_wh,
        counters=tuple(side.counter[rows.place] for side in sides),
        windows=tuple(side.window[rows.place] for side in sides),
    )
    mine = rows.place[rows.ends]
    for side, rated in zip(sides, (was, is_), strict=True):
        side.counter[mine], side.window[mine] = rated.counter[rows.ends], rated.window[rows.ends]
    return was, is_


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

    def pieces(self) -> Iterator[_Rows]:
        """The same in pieces of whole registers."""
        heads = np.flatnonzero(self.first)
        begin = 0
        while begin < len(self.at):
            after = int(np.searchsorted(heads, begin + _AT_ONCE))
            end = int(heads[after]) if after < len(heads) else len(self.at)
            part = slice(begin, end)
            ends = self.ends[(self.ends >= begin) & (self.ends < end)] - begin
            yield _Rows(
                place=self.place[part],
                first=self.first[part],
                ends=ends,
                prev_at=self.prev_at[part],
                at=self.at[part],
                energy_wh=self.energy_wh[part],
                seq=self.seq[part],
            )
            begin = end


@dataclass(kw_only=True)
class SiteChange:
    """What another tariff changes for each register: days with seq where they were asked for, and totals."""

    days: ChangedDays
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
            days=self.days.of(n),
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
    sides = (_Side.at(old, starts, until_us), _Side.at(new, starts, until_us))
    at = np.array([s.at_us for s in starts], dtype=np.int64)
    wh = np.array([s.register_wh for s in starts], dtype=np.int64)
    out = SiteChange(
        days=ChangedDays(),
        old={c: [0] * many for c in COMPONENTS},
        new={c: [0] * many for c in COMPONENTS},
        counter=sides[1].counter,
        window=sides[1].window,
        merged=np.ones(many, dtype=np.bool_),
        until_us=at.copy(),
        readings=np.zeros(many, dtype=np.int64),
        starts=starts,
    )
    months = read_months(
        cursor=cursor,
        book=book,
        installations=installations,
        from_us=int(at.min()),
        until_us=until_us,
        before_seq=before_seq,
    )
    with closing(months):  # it holds the connection
        for month in months:
            rows = _rows(month, at, wh, modulus_wh, edits, new.schedule)
            if rows is not None:
                _compare(out, sides, rows, days_of(instants=rows.at, zone=zone) if by_day else None)
    return out


def _compare(out: SiteChange, sides: tuple[_Side, _Side], rows: _Rows, days: Int64s | None) -> None:
    """Rate a month under both tariffs and take in what differs."""
    begin = 0
    for piece in rows.pieces():
        was, is_ = _rate(sides, piece)
        _gather(out, piece, was, is_)
        if days is not None:
            out.days.add(
                place=piece.place,
                day=days[begin : begin + len(piece.at)],
                seq=piece.seq,
                prev_at=piece.prev_at,
                at=piece.at,
                was=was,
                is_=is_,
            )
        begin += len(piece.at)


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
    month: Readings,
    at: Int64s,
    wh: Int64s,
    modulus_wh: Int64s,
    edits: list[tuple[int, Edit]],
    schedule: Schedule,
) -> _Rows | None:
    """The month's readings as intervals; moves the last instant and register of each.

    Both tariffs turn a register into energy in the same way: a correction changes prices, not what was metered.
    """
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
    energy = billed_between(schedule=schedule, before=prev_wh, after=shown, modulus=modulus_wh[place])
    return _Rows(place=place, first=first, ends=ends, prev_at=prev_at, at=now, energy_wh=energy, seq=seq)


def _gather(out: SiteChange, rows: _Rows, was: ExactRows, is_: ExactRows) -> None:
    """Add a piece to the totals of its registers."""
    heads = np.flatnonzero(rows.first)
    mine = rows.place[heads].tolist()
    for component in COMPONENTS:
        for sums, rated in ((out.old, was), (out.new, is_)):
            totals = np.add.reduceat(getattr(rated, component), heads).tolist()
            column = sums[component]
            for n, total in zip(mine, totals, strict=True):
                column[n] += total
    out.until_us[rows.place[rows.ends]] = rows.at[rows.ends]
    out.readings[rows.place[heads]] += rows.ends - heads + 1

"""Rate many registers again under another tariff, all at once: what each day and component would have cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.rating.difference import first_difference_us
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.vector_conversion import billed_between
from fairwatt.core.rating.vector_exact import ExactRows, exact_under
from fairwatt.flows.posting.book_state import Plan
from fairwatt.flows.posting.changed_days import ChangedDays, days_of
from fairwatt.flows.posting.rerating import Change, start_window
from fairwatt.store.corrections import COMPONENTS
from fairwatt.store.registers import NOW, Edit, Start, edits_of
from fairwatt.store.site_readings import Readings, read_months

Int64s = npt.NDArray[np.int64]

type Move = tuple[Plan, Plan]
"""What a register was charged by, and what it is rated by now."""

_AT_ONCE: Final = 65_536
"""Rows rated at once: their columns stay near the processor."""


def differ_from_us(*, old: Schedule, new: Schedule) -> int | None:
    """The first instant at which two tariffs may price differently; None when they never do."""
    return first_difference_us(old, new)


def differ_from(moves: Sequence[Move]) -> list[int | None]:
    """`differ_from_us` of many moves, each pair of plans looked at once."""
    known: dict[tuple[int, int], int | None] = {}
    for old, new in moves:
        if (id(old), id(new)) not in known:
            known[id(old), id(new)] = differ_from_us(old=old.schedule, new=new.schedule)
    return [known[id(old), id(new)] for old, new in moves]


@dataclass
class _Side:
    """One tariff while the months go by: where each register stands under it, by its place among all."""

    plan: Plan
    counter: Int64s
    window: Int64s

    def grow(self, start_us: int, end_us: int) -> None:
        """Price the whole way in one go, not stretch by stretch; where that fails, the rows that fail tell it."""
        with suppress(ValueError, LookupError, ArithmeticError):
            self.plan.vtable.ensure(start_us=start_us, end_us=end_us)


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
    """Intervals of a stretch of time, register after register."""

    place: Int64s
    first: npt.NDArray[np.bool_]
    ends: Int64s
    prev_at: Int64s
    at: Int64s
    energy_wh: Int64s
    seq: Int64s
    day: Int64s
    """the local day of each, where it is asked for"""
    sides: tuple[_Side, _Side]
    """what all of them are rated by"""

    def pieces(self, rows: int) -> Iterator[_Rows]:
        """The same in pieces of whole registers, of about so many rows; 1: each register by itself."""
        heads = np.flatnonzero(self.first)
        begin = 0
        while begin < len(self.at):
            after = int(np.searchsorted(heads, begin + rows))
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
                day=self.day[part],
                sides=self.sides,
            )
            begin = end


class SiteRerating:
    """Registers (rising installation ids) on their way through the past under two tariffs, stretch after stretch.

    `moves` names the two for each register; those that name the same two plans are rated together. Every reading
    up to `limit_us` of its register counts, later ones do not. `by_day` keeps each changed day; without it only
    totals are gathered. A register that cannot be rated raises what rating raises, or with `leaving` goes into
    `failed` and is left out from there on.
    """

    def __init__(
        self,
        *,
        cursor: Any,
        book: int,
        zone: str,
        installations: Int64s,
        modulus_wh: Int64s,
        starts: list[Start],
        moves: Sequence[Move],
        limit_us: Int64s,
        by_day: bool,
        before_seq: int = NOW,
        leaving: bool = False,
    ) -> None:
        many = len(installations)
        self.installations, self.starts, self.limit_us = installations, starts, limit_us
        self.at_us = np.array([s.at_us for s in starts], dtype=np.int64)
        self.readings = np.zeros(many, dtype=np.int64)
        self.days = ChangedDays()
        self.totals = {c: ([0] * many, [0] * many) for c in COMPONENTS}
        self.failed: dict[int, Exception] = {}
        self._wh = np.array([s.register_wh for s in starts], dtype=np.int64)
        self._zone, self._modulus_wh = zone, modulus_wh
        self._by_day, self._leaving = by_day, leaving
        self._edits = _edits(cursor, book, installations, before_seq)
        pairs = {(id(old), id(new)): (old, new) for old, new in moves}
        alike = {pair: n for n, pair in enumerate(pairs)}
        self._alike = np.array([alike[id(old), id(new)] for old, new in moves], dtype=np.int64)
        was = self._standing([old for old, _ in moves])
        self._counter, self._window = is_ = self._standing([new for _, new in moves])
        self._sides = [(_Side(old, *was), _Side(new, *is_)) for old, new in pairs.values()]
        for n, sides in enumerate(self._sides):
            mine = self._alike == n
            for side in sides:
                side.grow(int(self.at_us[mine].min()), int(limit_us[mine].max()))

    def _standing(self, plans: list[Plan]) -> tuple[Int64s, Int64s]:
        """Counter and window of each register at its start, under a plan of its own."""
        windows = np.zeros(len(self.starts), dtype=np.int64)
        for n, (start, plan) in enumerate(zip(self.starts, plans, strict=True)):
            try:
                windows[n] = start_window(table=plan.table, at_us=start.at_us, opening=start.opening)
            except Exception as error:
                if not self._leaving:
                    raise
                self.failed[n] = error
        counters = np.array([start.counter_wh for start in self.starts], dtype=np.int64)
        return counters, windows

    def take(self, found: Readings, of: Int64s | None = None) -> None:
        """Rate the readings of the next stretch. `of`: the places of those that were asked for, if not all were."""
        for rows in self._rows(found, of):
            for piece in rows.pieces(_AT_ONCE):
                try:
                    self._compare(piece)
                except Exception:
                    if not self._leaving:
                        raise
                    self._each_alone(piece)

    def change(self, n: int) -> Change:
        """The change of one register, to be posted."""
        start_us, until_us = self.starts[n].at_us, int(self.at_us[n])
        return Change(
            from_us=start_us,
            until_us=until_us,
            counted_us=until_us,
            merged=False,
            counter_wh=int(self._counter[n]),
            window_us=int(self._window[n]),
            energy_wh=0,
            days=self.days.of(n),
            readings=int(self.readings[n]),
        )

    def total(self, component: str, n: int) -> tuple[int, int]:
        """What one register costs exactly under the old and the new tariff."""
        old, new = self.totals[component]
        return old[n], new[n]

    def _each_alone(self, rows: _Rows) -> None:
        for alone in rows.pieces(1):
            try:
                self._compare(alone)
            except Exception as error:
                self.failed[int(alone.place[0])] = error

    def _compare(self, rows: _Rows) -> None:
        """Rate a piece under both tariffs and take in what differs."""
        was, is_ = _rate(rows.sides, rows)
        heads = np.flatnonzero(rows.first)
        mine = rows.place[heads]
        for component in COMPONENTS:
            for sums, rated in zip(self.totals[component], (was, is_), strict=True):
                totals = np.add.reduceat(getattr(rated, component), heads).tolist()
                for n, total in zip(mine.tolist(), totals, strict=True):
                    sums[n] += total
        self.readings[mine] += rows.ends - heads + 1
        if self._by_day:
            self.days.add(
                place=rows.place,
                day=rows.day,
                seq=rows.seq,
                prev_at=rows.prev_at,
                at=rows.at,
                was=was,
                is_=is_,
            )

    def _rows(self, found: Readings, of: Int64s | None) -> Iterator[_Rows]:
        """Readings as intervals, those of equal prices together; moves the last instant and register of each."""
        at, wh = self.at_us, self._wh
        places = found.place if of is None else of[found.place]
        place, now, shown, seq = np.repeat(places, found.counts), found.at_us, found.register_wh, found.seq
        # Those before a register's own start, and what came after the rest was read, are not asked for.
        counts = (now > at[place]) & (now <= self.limit_us[place])
        for n, edit in self._edits:
            named = (place == n) & (now == edit.at_us)
            if edit.register_wh is None:
                counts &= ~named
            else:
                shown[named] = edit.register_wh
        if self.failed:
            counts &= ~np.isin(place, list(self.failed))
        if not counts.all():
            place, now, shown, seq = place[counts], now[counts], shown[counts], seq[counts]
        if not len(place):
            return
        first = np.ones(len(place), dtype=np.bool_)
        first[1:] = place[1:] != place[:-1]
        heads = np.flatnonzero(first)
        prev_at, prev_wh = np.roll(now, 1), np.roll(shown, 1)
        prev_at[heads], prev_wh[heads] = at[place[heads]], wh[place[heads]]
        ends = np.append(heads[1:], len(place)) - 1
        at[place[ends]], wh[place[ends]] = now[ends], shown[ends]
        day = days_of(instants=now, zone=self._zone) if self._by_day else now
        for sides, some in self._by_price(place):
            mine, heads = place[some], np.flatnonzero(first[some])
            yield _Rows(
                place=mine,
                first=first[some],
                ends=np.append(heads[1:], len(mine)) - 1,
                prev_at=prev_at[some],
                at=now[some],
                # Both tariffs turn a register into energy alike: a correction changes prices, not what was metered.
                energy_wh=billed_between(
                    schedule=sides[1].plan.schedule,
                    before=prev_wh[some],
                    after=shown[some],
                    modulus=self._modulus_wh[mine],
                ),
                seq=seq[some],
                day=day[some],
                sides=sides,
            )

    def _by_price(self, place: Int64s) -> Iterator[tuple[tuple[_Side, _Side], Any]]:
        """The rows that belong to each pair of tariffs, in the order they have."""
        if len(self._sides) == 1:
            yield self._sides[0], slice(None)
            return
        alike = self._alike[place]
        order = np.argsort(alike, kind="stable")
        for some in np.split(order, np.flatnonzero(np.diff(alike[order])) + 1):
            yield self._sides[int(alike[some[0]])], some


def rerate_site(
    *,
    cursor: Any,
    book: int,
    zone: str,
    installations: Int64s,
    modulus_wh: Int64s,
    starts: list[Start],
    moves: Sequence[Move],
    until_us: int,
    by_day: bool,
    before_seq: int = NOW,
) -> SiteRerating:
    """Rate registers (rising installation ids) from their starts on, each under the two tariffs of its move.

    `by_day` keeps each changed day; without it only totals are gathered. Raises what rating raises.
    """
    made = SiteRerating(
        cursor=cursor,
        book=book,
        zone=zone,
        installations=installations,
        modulus_wh=modulus_wh,
        starts=starts,
        moves=moves,
        limit_us=np.full(len(installations), until_us, dtype=np.int64),
        by_day=by_day,
        before_seq=before_seq,
    )
    months = read_months(
        cursor=cursor,
        book=book,
        installations=installations,
        from_us=int(made.at_us.min()),
        until_us=until_us,
        before_seq=before_seq,
    )
    with closing(months):  # it holds the connection
        for month in months:
            made.take(month)
    return made


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

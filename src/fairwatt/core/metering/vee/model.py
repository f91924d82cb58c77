"""What a file of interval values says, what a rule finds in it, and what a value is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from fairwatt.core.spans import Span, local_date, local_day_start, next_day_start


class Status(StrEnum):
    """Where a value comes from. The letters are those of the trade."""

    ACTUAL = "A"
    ESTIMATED = "E"
    SUBSTITUTED = "S"
    EDITED = "X"


class Effect(StrEnum):
    """What a rule's finding does to the value it is about."""

    SET_ASIDE = "set_aside"
    """the row is not used; its interval is a gap unless another row fills it"""
    DROPPED = "dropped"
    """the row says nothing new; its twin is used"""
    ESTIMATED = "estimated"
    """the interval has no value and gets an estimate"""
    KEPT = "kept"
    """the value is used as it is; a person may look"""


class Row(NamedTuple):
    """One interval as somebody sent it. `number` is its place in the file, from 1; `wh` is None where the sender
    wrote no number; `at_us` is the start of the interval."""

    number: int
    meter: str
    at_us: int
    wh: int | None
    status: Status = Status.ACTUAL
    text: str = ""
    note: str = ""
    """what the sender says against the value (`doubted`), or what reading it took (`rounded`); empty mostly"""


@dataclass(frozen=True, slots=True)
class Register:
    """A cumulative register at an instant."""

    at_us: int
    wh: int


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing a rule found: where, in which row of the file (0: in none), and what was done about it."""

    rule: str
    effect: Effect
    at_us: int
    end_us: int
    row: int
    detail: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything the rules may know about the values of one meter.

    `step_us` is the length of an interval, `zone` the meter's wall clock (for days), `meter` the name the rows must
    carry (empty: any). `limit_wh` is the most the connection can carry in one interval, `resolution_wh` the
    register's smallest step. `registers` are cumulative readings that the intervals must agree with, `outages` spans
    in which the supply was known to be off, `clock_offset_us` what the device's clock was off by.
    """

    rows: Sequence[Row]
    step_us: int
    zone: str
    now_us: int
    meter: str = ""
    limit_wh: int | None = None
    resolution_wh: int = 1
    registers: tuple[Register, ...] = ()
    holidays: frozenset[date] = frozenset()
    outages: tuple[Span, ...] = ()
    clock_offset_us: int = 0

    def defect(self, rule: str, effect: Effect, row: Row, detail: str) -> Defect:
        """A finding about one row."""
        return Defect(rule, effect, row.at_us, row.at_us + self.step_us, row.number, detail)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a case while rules look at them one by one; `aside` are numbers of rows no longer used."""

    case: Case
    aside: frozenset[int] = frozenset()

    @property
    def used(self) -> Iterator[Row]:
        """The rows no rule has taken out."""
        return (row for row in self.case.rows if row.number not in self.aside)


@dataclass(frozen=True, kw_only=True)
class Series:
    """The believed rows on their grid: one value an instant, holes where there is none."""

    case: Case
    wh: Mapping[int, int]
    status: Mapping[int, Status]
    row: Mapping[int, int]
    span: Span
    missing: tuple[int, ...] = field(default=())

    def defect(self, rule: str, effect: Effect, start_us: int, end_us: int, detail: str) -> Defect:
        """A finding about a stretch of time."""
        return Defect(rule, effect, start_us, end_us, self.row.get(start_us, 0), detail)

    def days(self) -> Iterator[Span]:
        """The local days that lie whole inside the span, in order."""
        zone = self.case.zone
        start_us = local_day_start(zone=zone, at_us=self.span.start_us)
        if start_us < self.span.start_us:
            start_us = next_day_start(zone=zone, at_us=self.span.start_us)
        while (end_us := next_day_start(zone=zone, at_us=start_us)) <= self.span.end_us:
            yield Span(start_us, end_us)
            start_us = end_us

    def registers(self) -> list[Register]:
        """The register readings that lie on the grid inside the span, in order, up to the first that goes back.

        Between the others lies use that no interval, or only a part of one, stands for.
        """
        step_us, found = self.case.step_us, list[Register]()
        for register in sorted(self.case.registers, key=lambda one: one.at_us):
            inside = self.span.start_us <= register.at_us <= self.span.end_us
            if inside and register.at_us % step_us == 0:
                if found and register.wh < found[-1].wh:
                    break
                found.append(register)
        return found

    def of(self, day: Span) -> list[tuple[int, int]]:
        """The known values of a stretch as (instant, Wh), in order."""
        step_us, wh = self.case.step_us, self.wh
        first_us = -(-day.start_us // step_us) * step_us
        return [(at_us, wh[at_us]) for at_us in range(first_us, day.end_us, step_us) if at_us in wh]

    def runs(self, instants: Iterable[int]) -> Iterator[Span]:
        """Join instants of the grid, given in order, into stretches without a hole."""
        start_us = end_us = 0
        for at_us in instants:
            if end_us and at_us != end_us:
                yield Span(start_us, end_us)
                start_us = at_us
            elif not end_us:
                start_us = at_us
            end_us = at_us + self.case.step_us
        if end_us:
            yield Span(start_us, end_us)

    def like(self, at_us: int) -> tuple[date, bool]:
        """The local date of an instant, and whether people live it as a day off (weekend or holiday)."""
        day = local_date(zone=self.case.zone, at_us=at_us)
        return day, day.weekday() >= 5 or day in self.case.holidays


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule[Subject]:
    """A check with its stable id, what its findings do, what it means to a person, and how it looks."""

    id: str
    effect: Effect
    meaning: str
    find: Callable[[Subject], Iterable[Defect]]


@dataclass(frozen=True, slots=True)
class Value:
    """What one interval is worth, where that comes from, and the rule or method that said so."""

    at_us: int
    wh: int
    status: Status
    rule: str

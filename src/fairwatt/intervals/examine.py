"""A file looked at without touching anything: what is wrong with it, and what would be done about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from fairwatt.core.metering.vee.estimate import TOO_MUCH, Completed, complete
from fairwatt.core.metering.vee.model import Case, Defect, Effect, Register, Row
from fairwatt.core.metering.vee.rules import ROW_RULES, SERIES_RULES
from fairwatt.core.metering.vee.validate import NothingToValidate, SpanTooLong, Validated, step_of, validate
from fairwatt.core.spans import Span
from fairwatt.core.units import US_PER_HOUR
from fairwatt.intervals.contract import FileBroken, IntervalFile, OffGrid

UNREADABLE: Final = "unreadable_row"
CONFLICT: Final = "conflict"
MEANINGS: Final[dict[str, str]] = {
    UNREADABLE: "The row cannot be read as a home, a time and an energy. It is not used.",
    CONFLICT: "Another value was measured or edited here before. The earlier one stands until a person decides.",
    TOO_MUCH: "The known intervals already say more than the register, so the hole between them gets nothing.",
    **{rule.id: rule.meaning for rule in ROW_RULES},
    **{rule.id: rule.meaning for rule in SERIES_RULES},
}
"""What every finding means to a person, in English; the faces translate."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is known of the meter beside the file."""

    zone: str
    now_us: int
    meter: str = ""
    limit_w: int | None = None
    """the most the connection can carry"""
    resolution_wh: int = 1
    registers: tuple[Register, ...] = ()
    holidays: frozenset[date] = frozenset()
    outages: tuple[Span, ...] = ()
    stamps_end: bool = False
    """the file stamps the end of an interval, not its start"""


@dataclass(frozen=True, slots=True)
class Finding:
    """All defects of one kind: how many, where the first is, and what was done."""

    rule: str
    effect: Effect
    count: int
    first_row: int
    first_us: int
    detail: str

    @property
    def meaning(self) -> str:
        """The finding as a sentence."""
        return MEANINGS[self.rule]


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One home of a file after checks and estimates."""

    home: str
    rows: tuple[Row, ...]
    step_us: int
    validated: Validated
    completed: Completed
    defects: tuple[Defect, ...]

    @property
    def findings(self) -> list[Finding]:
        """The defects by kind, in the order of the rules."""
        return list(_summed(self.defects))


def examine(*, file: IntervalFile, home: str, terms: Terms) -> Examined:
    """Check and complete one home of a file. Raises OffGrid or FileBroken for what leaves nothing to work on."""
    sent = file.homes[home]
    try:
        step_us = file.step_us or step_of(instants=[row.at_us for row in sent])
    except ValueError as error:
        raise OffGrid(f"{file.name}: {home}: {error}. Nothing was taken over.") from error
    if terms.stamps_end:
        sent = [row._replace(at_us=row.at_us - step_us) for row in sent]
    case = Case(
        rows=sent,
        step_us=step_us,
        zone=terms.zone,
        now_us=terms.now_us,
        meter=terms.meter,
        limit_wh=None
        if terms.limit_w is None
        else terms.limit_w * step_us // US_PER_HOUR + terms.resolution_wh,
        resolution_wh=terms.resolution_wh,
        registers=terms.registers,
        holidays=terms.holidays,
        outages=terms.outages,
    )
    try:
        validated = validate(case=case)
    except (NothingToValidate, SpanTooLong) as error:
        raise FileBroken(f"{file.name}: {home}: {error}") from error
    completed = complete(validated=validated)
    unread = [
        Defect(UNREADABLE, Effect.SET_ASIDE, 0, 0, bad.row, bad.detail)
        for bad in file.unreadable
        if bad.home in (home, "")
    ]
    return Examined(
        home=home,
        rows=tuple(sent),
        step_us=step_us,
        validated=validated,
        completed=completed,
        defects=(*unread, *validated.defects, *completed.defects),
    )


def _summed(defects: Iterable[Defect]) -> Iterator[Finding]:
    kinds: dict[str, list[Defect]] = {}
    for defect in defects:
        kinds.setdefault(defect.rule, []).append(defect)
    for rule, found in kinds.items():
        first = min(found, key=lambda defect: (defect.at_us, defect.row))
        yield Finding(rule, first.effect, len(found), first.row, first.at_us, first.detail)

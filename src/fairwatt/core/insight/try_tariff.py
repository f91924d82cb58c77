"""What a tariff would have charged for past use: every home, by family of elements, and each row for its wallet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

import numpy as np

from fairwatt.core.insight.past_use import Ints, PastUse
from fairwatt.core.rating.bill import bill_of_cells
from fairwatt.core.rating.elements.demand_charge import DemandCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.model import Schedule, TariffVersion
from fairwatt.core.rating.peaks import Use, highest_powers
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.vector import RatedRows, rate_rows
from fairwatt.core.rating.vector_cells import use_cells
from fairwatt.core.rating.vector_table import VectorTable
from fairwatt.core.spans import Span

Dates = Literal["auto", "keep", "newest"]
FAMILIES: Final = ("energy", "standing", "settled", "tax")
"""Charged by use, fixed by day, what closing windows add (minimum, demand, rebates, whole bands), taxes of all."""
_ROWS_AT_ONCE: Final = 400_000


@dataclass(frozen=True, slots=True)
class Tried:
    """What a tariff comes to, in micro-units: one array per family with an entry per home, and each row's charge.

    Each amount of a register is its exact sum rounded down, as the wallet is charged. What closing windows add is no
    row: it is charged at no instant of the past.
    """

    families: dict[str, Ints]
    rows: Ints
    schedule: Schedule

    @property
    def total(self) -> Ints:
        """All families of each home."""
        return sum((self.families[name] for name in FAMILIES), np.zeros_like(self.families["energy"]))


def as_if_in_force(*, schedule: Schedule, use: PastUse, span: Span, dates: Dates) -> Schedule:
    """Return the prices of a tariff for a past span.

    ``keep`` leaves its dates; before the first one its first prices hold. ``newest`` lets its last prices hold all
    along. ``auto`` does that for a tariff that is still to come at the end of the span, and else keeps the dates.
    """
    versions = schedule.versions
    to_come = versions[-1].effective_us >= span.end_us
    if dates == "newest" or (dates == "auto" and to_come):
        versions = versions[-1:]
    begin_us = min(int(use.prev_at.min()), span.start_us)
    if versions[0].effective_us > begin_us:
        versions = (replace(versions[0], effective_us=begin_us), *versions[1:])
    return replace(schedule, versions=versions)


def try_tariff(*, schedule: Schedule, use: PastUse, span: Span, counted: bool = True) -> Tried:
    """Rate past use under one schedule, only what lies in the span being counted as charged.

    ``use`` is cut at the span (``PastUse.within``). ``counted``: the registers' counters at their first rows are in
    this tariff's window; otherwise it begins them at zero. Raises ``NoTariff``, ``MissingPrice`` or ``TariffError``.
    """
    resolved = schedule.for_account()
    begin_us = min(int(use.prev_at.min()), span.start_us)
    table = SegmentTable(schedule=resolved, span=Span(begin_us, span.end_us), bill=span)
    vtable = VectorTable(table)
    families = {name: np.zeros(len(use.homes), dtype=np.int64) for name in FAMILIES}
    charges = []
    for part in _parts(_billed(use, resolved)):
        rated = _rate(vtable, part, counted)
        inside = part.at > span.start_us
        columns = (rated.energy_micro, rated.standing_micro, rated.tax_micro)
        home = part.home_of[part.register]
        for name, column in zip(("energy", "standing", "tax"), columns, strict=True):
            np.add.at(families[name], home, np.where(inside, column, 0))
        charges.append(sum(columns, np.zeros_like(part.at)))
        if _settles(resolved):
            _settle(vtable, part, span, rated, counted, families)
    return Tried(families, np.concatenate(charges), schedule)


def _rate(vtable: VectorTable, part: PastUse, counted: bool) -> RatedRows:
    first = part.first
    vtable.ensure(start_us=int(part.prev_at.min()), end_us=int(part.at.max()))
    nothing = np.zeros_like(part.at)
    counter = part.counter_wh[part.register] if counted else nothing
    opened = np.searchsorted(vtable.segment_us, part.prev_at, side="right") - 1
    return rate_rows(
        vtable=vtable,
        first=first,
        prev_at=part.prev_at,
        at=part.at,
        energy_wh=part.energy_wh,
        counter=counter,
        window=vtable.window_us[opened],
        carry_nano=nothing,
        carry_tax=nothing,
    )


def _parts(use: PastUse) -> Iterator[PastUse]:
    """Whole registers, few enough at once that memory stays small."""
    heads = [*np.flatnonzero(use.first).tolist(), use.at.size]
    begin = 0
    for register in range(1, len(heads)):
        if heads[register] - heads[begin] >= _ROWS_AT_ONCE or register == len(heads) - 1:
            yield use.some(start=heads[begin], end=heads[register], first_register=begin)
            begin = register


def _billed(use: PastUse, schedule: Schedule) -> PastUse:
    """Metered litres become billed Wh on each register's running total, as the tariff says."""
    if schedule.bills_register:
        return use
    billed, total = [], 0
    for head, wh in zip(use.first.tolist(), use.energy_wh.tolist(), strict=True):
        before = 0 if head else total
        total = before + wh
        billed.append(schedule.converted(total) - schedule.converted(before))
    return replace(use, energy_wh=np.array(billed, dtype=np.int64))


def _settles(schedule: Schedule) -> bool:
    return any(v.settled or any(e.cases for e in v.energies) for v in schedule.versions)


def _settle(
    vtable: VectorTable, part: PastUse, span: Span, rated: RatedRows, counted: bool, families: dict[str, Ints]
) -> None:
    """Add what the windows that closed in the span make of each register's use in it."""
    inside = np.flatnonzero(part.at > span.start_us)
    if not inside.size:
        return
    register = part.register[inside]
    first = np.diff(register, prepend=-1) != 0
    counter = _counters(vtable, part, rated, inside[first], counted)
    of_row = np.repeat(counter, np.diff(np.flatnonzero(np.append(first, True))))
    cells = use_cells(
        vtable=vtable,
        home=register,
        first=first,
        prev_at=part.prev_at[inside],
        at=part.at[inside],
        energy_wh=part.energy_wh[inside],
        counter_wh=of_row,
    )
    for n, counter_wh in zip(register[first].tolist(), counter.tolist(), strict=True):
        rows = inside[register == n]
        powers = highest_powers(
            schedule=vtable.table.schedule,
            uses=_uses(vtable.table.schedule, part, rows),
            known_w=None,
        )
        bill = bill_of_cells(
            table=vtable.table,
            span=span,
            cells=cells[n],
            counter_wh=counter_wh,
            powers=powers,
            settle_open=False,
        )
        taxed = sum(
            (
                e.exact_micro
                for e in bill.elements
                if not e.included and e.name in _taxes(vtable.table.schedule.versions[e.version])
            ),
            Fraction(0),
        )
        added = sum((i.exact_micro for i in bill.items if i.kind in {"true_up", "settled"}), Fraction(0))
        home = part.home_of[n]
        families["tax"][home] += taxed.__floor__() - bill.tax_micro
        families["settled"][home] += added.__floor__()


def _counters(vtable: VectorTable, part: PastUse, rated: RatedRows, heads: Ints, counted: bool) -> Ints:
    """What the counting window of each register held where the span begins."""
    opened = vtable.window_us[np.searchsorted(vtable.segment_us, part.prev_at[heads], side="right") - 1]
    before = np.maximum(heads - 1, 0)
    led_in = ~part.first[heads]
    known = np.where(rated.window[before] == opened, rated.counter[before], 0)
    fresh = part.counter_wh[part.register[heads]] if counted else np.zeros_like(heads)
    counters: Ints = np.where(led_in, known, fresh)
    return counters


def _uses(schedule: Schedule, part: PastUse, rows: Ints) -> list[Use]:
    if not any(isinstance(e, DemandCharge) for v in schedule.versions for e in v.elements):
        return []
    return list(
        zip(part.prev_at[rows].tolist(), part.at[rows].tolist(), part.energy_wh[rows].tolist(), strict=True)
    )


def _taxes(version: TariffVersion) -> frozenset[str]:
    return frozenset(element.name for element in version.elements if isinstance(element, Tax))

"""What each of many intervals costs exactly, before any fraction is cut: for comparing two tariffs, not for charging.

Row by row the sum of what `vector.rate_rows` charges and carries, without the carrying: nothing is divided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from fairwatt.core.rating.state import CARRY_TAX_LIMIT
from fairwatt.core.rating.vector import Bools, Ints, UsedRows, between, use_rows
from fairwatt.core.rating.vector_table import VectorTable
from fairwatt.core.units import NANO_PER_MICRO

SUM_MAX: Final = 1 << 62
"""Sums of exact amounts must stay below; rows that might pass it are counted in integers of any size."""


@dataclass(frozen=True, slots=True)
class ExactRows:
    """One entry per row: nano-units of energy and of fixed amounts, billionths of a micro-unit of tax.

    ``counter`` and ``window`` are where the row leaves its register. A column is of dtype object where sums of it
    would not fit into 64 bits.
    """

    energy: Ints
    standing: Ints
    tax: Ints
    counter: Ints
    window: Ints


def exact_under(
    *,
    vtables: tuple[VectorTable, ...],
    first: Bools,
    prev_at: Ints,
    at: Ints,
    energy_wh: Ints,
    counters: tuple[Ints, ...],
    windows: tuple[Ints, ...],
) -> tuple[ExactRows, ...]:
    """What rows cost under each of several tariffs; those that differ in prices alone share the work.

    Columns as for ``vector.rate_rows``; ``counters`` and ``windows`` are where registers stand under each tariff.
    """
    made: list[ExactRows] = []
    shared: list[tuple[VectorTable, UsedRows, Ints, Ints]] = []
    for vtable, counter, window in zip(vtables, counters, windows, strict=True):
        vtable.ensure(start_us=int(prev_at.min()), end_us=int(at.max()))
        used = next(
            (
                used
                for other, used, counted, windowed in shared
                if _same_grid(vtable, other)
                and np.array_equal(counter[first], counted[first])
                and np.array_equal(window[first], windowed[first])
            ),
            None,
        )
        if used is None:
            used = use_rows(
                vtable=vtable,
                first=first,
                prev_at=prev_at,
                at=at,
                energy_wh=energy_wh,
                counter=counter,
                window=window,
            )
            shared.append((vtable, used, counter, window))
        made.append(_exact(vtable, used))
    return tuple(made)


def _same_grid(one: VectorTable, other: VectorTable) -> bool:
    """True when two tariffs cut time and count use alike, so that they differ in prices alone."""
    return (
        len(one.bounds) == len(other.bounds)
        and np.array_equal(one.segment_us, other.segment_us)
        and np.array_equal(one.window_us, other.window_us)
        and np.array_equal(one.instants_us, other.instants_us)
        and np.array_equal(one.unpriced, other.unpriced)
        and all(map(np.array_equal, one.bounds, other.bounds))
    )


def _exact(vtable: VectorTable, rows: UsedRows) -> ExactRows:
    parts, size = rows.parts, rows.since.size
    none = np.zeros(size, dtype=np.int64)
    energy = _summed(rows, rows.used.priced(vtable.prices))
    standing = none
    if vtable.has_standing:
        standing = _weighed(between(vtable.standing_micro, rows.since, rows.upto), none, NANO_PER_MICRO)
    tax = none
    if vtable.has_energy_tax:
        whole = parts.sum_by_row(rows.used.priced(vtable.tax_whole))
        rest = _summed(rows, rows.used.priced(vtable.tax_rest))
        tax = _weighed(whole, rest, CARRY_TAX_LIMIT)
    if vtable.has_standing_tax:
        whole = between(vtable.standing_tax, rows.since, rows.upto)
        tax = tax + _weighed(whole, between(vtable.standing_fine, rows.since, rows.upto), CARRY_TAX_LIMIT)
    return ExactRows(
        energy=energy,
        standing=_sure(standing),
        tax=_sure(tax),
        counter=parts.last_of_row(rows.after_wh),
        window=vtable.window_us[rows.last_segment],
    )


def _summed(rows: UsedRows, pieces: Ints) -> Ints:
    """Pieces summed by row, in wide integers where that or a sum of rows may not fit."""
    return _sure(rows.parts.sum_by_row(_sure(pieces)))


def _sure(values: Ints) -> Ints:
    if values.dtype == object or not values.size:
        return values
    if max(int(values.max()), -int(values.min())) < SUM_MAX // values.size:
        return values
    wide: Ints = values.astype(object)
    return wide


def _weighed(whole: Ints, rest: Ints, by: int) -> Ints:
    largest = max(int(whole.max()), -int(whole.min()), 1)
    if largest < SUM_MAX // whole.size // by:
        exact: Ints = whole * by + rest
        return exact
    wide: Ints = whole.astype(object) * by + rest
    return wide

"""Sort the use of many homes into cells at once: the vector path to a bill, equal to ``bill.cells_of``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.settle import Cell
from fairwatt.core.rating.vector import (
    Bools,
    Ints,
    check_known,
    check_priced,
    check_rows,
    count,
    cut,
    into_blocks,
)
from fairwatt.core.rating.vector_table import VectorTable


@dataclass(frozen=True, slots=True)
class _Groups:
    """Segments that are the same cell but for their place in time."""

    of_segment: Ints
    first_segment: list[int]


def use_cells(
    *,
    vtable: VectorTable,
    home: Ints,
    first: Bools,
    prev_at: Ints,
    at: Ints,
    energy_wh: Ints,
    counter_wh: int | Ints,
) -> dict[int, dict[Cell, int]]:
    """Return the use of each home (by its number in ``home``) in cells.

    Rows are sorted by home and instant; ``prev_at`` is where a row's use begins, so time without rows has no
    use. ``first`` marks the first row of each home, whose window holds ``counter_wh`` already (one number for
    all, or an entry per row). Raises what ``rate_rows`` raises.
    """
    check_rows(prev_at=prev_at, at=at, energy_wh=energy_wh)
    vtable.ensure(start_us=int(prev_at.min()), end_us=int(at.max()))
    s0 = np.searchsorted(vtable.segment_us, prev_at, side="right") - 1
    s1 = np.searchsorted(vtable.segment_us, at, side="left") - 1
    parts = cut(vtable=vtable, s0=s0, s1=s1, prev_at=prev_at, at=at, energy_wh=energy_wh)
    check_priced(vtable=vtable, parts=parts, prev_at=prev_at)
    window = vtable.window_us[s0]
    counter = np.full(at.size, counter_wh, dtype=np.int64)
    after_wh = count(vtable=vtable, parts=parts, first=first, counter=counter, window=window)
    used = into_blocks(
        vtable=vtable, segment=parts.segment, before_wh=after_wh - parts.energy, after_wh=after_wh
    )
    check_known(vtable=vtable, parts=parts, used=used, prev_at=prev_at)
    groups = _groups(vtable.table)
    blocks = vtable.prices.shape[1]
    homes = home if parts.row is None else home[parts.row]
    cells = len(groups.first_segment) * blocks
    sums = np.zeros((int(home.max()) + 1) * cells, dtype=np.int64)
    block = used.cell - parts.segment * blocks
    whole = used.energy.copy()
    whole[used.spills] = 0
    base = homes * cells + groups.of_segment[parts.segment] * blocks
    np.add.at(sums, base + block, whole)
    for number, energy in enumerate(used.spill_energy):
        np.add.at(sums, base[used.spills] + number, energy)
    # A window that is touched is settled, also when nothing was used in it.
    touched = sums != 0
    touched[base + block] = True
    shape = (-1, len(groups.first_segment), blocks)
    return _named(vtable.table, groups, sums.reshape(shape), touched.reshape(shape))


def _groups(table: SegmentTable) -> _Groups:
    known: dict[tuple[int, int, int, int], int] = {}
    keys = zip(table.version, map(id, table.rate), table.window_us, table.settle_us, strict=True)
    of_segment = np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)
    _, first = np.unique(of_segment, return_index=True)
    return _Groups(of_segment, first.tolist())


def _named(table: SegmentTable, groups: _Groups, sums: Ints, touched: Bools) -> dict[int, dict[Cell, int]]:
    made: dict[int, dict[Cell, int]] = {number: {} for number in range(len(sums))}
    for number, group, block in np.argwhere(touched).tolist():
        n = groups.first_segment[group]
        cell = Cell(table.version[n], table.rate[n], block, table.window_us[n], table.settle_us[n])
        made[number][cell] = int(sums[number, group, block])
    return made

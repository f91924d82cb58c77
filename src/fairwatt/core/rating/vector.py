"""Rate a batch of intervals at once with NumPy, equal to ``scalar.rate`` bit for bit.

All arithmetic is int64. Nothing is accumulated but watt-hours and fractions of a micro-unit, so no running
total of money can overflow: whole micro-units and remainders part ways before anything is summed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairwatt.core.rating.elements.energy_blocks import MAX_ENERGY_WH
from fairwatt.core.rating.scalar import EnergyOutOfRange, NotAfterState, missing_price
from fairwatt.core.rating.state import CARRY_NANO_LIMIT, CARRY_TAX_LIMIT
from fairwatt.core.rating.unit_rates import unknown_price
from fairwatt.core.rating.vector_table import VectorTable
from fairwatt.core.units import INT64_MAX

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class UnorderedRows(ValueError):
    """A batch whose first row does not start a register, or whose columns differ in length."""


@dataclass(frozen=True, slots=True)
class RatedRows:
    """One entry per row: its charge by component and the register state after it (all int64)."""

    energy_micro: Ints
    standing_micro: Ints
    tax_micro: Ints
    counter: Ints
    window: Ints
    carry_nano: Ints
    carry_tax: Ints


@dataclass(frozen=True, slots=True)
class CutRows:
    """Rows cut at price boundaries; ``row`` and ``starts`` are ``None`` when no row was cut."""

    segment: Ints
    energy: Ints
    row: Ints | None
    starts: Ints | None

    def sum_by_row(self, values: Ints) -> Ints:
        if self.starts is None:
            return values
        summed: Ints = np.add.reduceat(values, self.starts)
        return summed

    def last_of_row(self, values: Ints) -> Ints:
        if self.starts is None:
            return values
        ends: Ints = np.append(self.starts[1:], values.size) - 1
        return values[ends]


def rate_rows(
    *,
    vtable: VectorTable,
    first: Bools,
    prev_at: Ints,
    at: Ints,
    energy_wh: Ints,
    counter: Ints,
    window: Ints,
    carry_nano: Ints,
    carry_tax: Ints,
) -> RatedRows:
    """Charge a batch of intervals sorted by register and instant.

    Columns have one entry per row: instants in microseconds, energy in Wh. ``first`` marks the first row of
    each register; only there are ``counter``, ``window``, ``carry_nano`` and ``carry_tax`` read, as the state
    the register is in. Raises ``NotAfterState``, ``EnergyOutOfRange`` or ``NoTariff`` for the whole batch, as
    ``scalar.rate`` would for the row.
    """
    _check(first=first, columns=(prev_at, at, energy_wh, counter, window, carry_nano, carry_tax))
    if not at.size:
        none = np.zeros(0, dtype=np.int64)
        return RatedRows(none, none, none, none, none, none, none)
    rows = use_rows(
        vtable=vtable,
        first=first,
        prev_at=prev_at,
        at=at,
        energy_wh=energy_wh,
        counter=counter,
        window=window,
    )
    parts, since, upto = rows.parts, rows.since, rows.upto
    nano = rows.used.priced(vtable.prices)

    heads = np.flatnonzero(first)
    whole, rest = _divmod(nano, CARRY_NANO_LIMIT)
    energy_micro, nano_after = _carry(
        whole=parts.sum_by_row(whole),
        rest=parts.sum_by_row(rest),
        heads=heads,
        carry=carry_nano,
        limit=CARRY_NANO_LIMIT,
    )
    standing_micro = between(vtable.standing_micro, since, upto) if vtable.has_standing else np.zeros_like(at)
    tax_micro, tax_after = _tax(vtable, parts, rows.used, since, upto, heads, carry_tax)
    return RatedRows(
        energy_micro=energy_micro,
        standing_micro=standing_micro,
        tax_micro=tax_micro,
        counter=parts.last_of_row(rows.after_wh),
        window=vtable.window_us[rows.last_segment],
        carry_nano=nano_after,
        carry_tax=tax_after,
    )


@dataclass(frozen=True, slots=True)
class UsedRows:
    """Where the use of each row lies in the tariff, before it is priced.

    ``since`` and ``upto`` are places in ``VectorTable.instants_us``, the segment is that of the row's end.
    """

    parts: CutRows
    used: UsedCells
    after_wh: Ints
    since: Ints
    upto: Ints
    last_segment: Ints


def use_rows(
    *,
    vtable: VectorTable,
    first: Bools,
    prev_at: Ints,
    at: Ints,
    energy_wh: Ints,
    counter: Ints,
    window: Ints,
) -> UsedRows:
    """Cut rows at boundaries, count them and sort them into blocks. Columns and errors as for ``rate_rows``."""
    check_rows(prev_at=prev_at, at=at, energy_wh=energy_wh)
    vtable.ensure(start_us=int(prev_at.min()), end_us=int(at.max()))
    since = np.searchsorted(vtable.instants_us, prev_at, side="right") - 1
    upto = np.searchsorted(vtable.instants_us, at, side="left") - 1
    s0, s1 = vtable.segment_of[since], vtable.segment_of[upto]
    parts = cut(vtable=vtable, s0=s0, s1=s1, prev_at=prev_at, at=at, energy_wh=energy_wh)
    check_priced(vtable=vtable, parts=parts, prev_at=prev_at)
    after_wh = count(vtable=vtable, parts=parts, first=first, counter=counter, window=window)
    used = into_blocks(
        vtable=vtable, segment=parts.segment, before_wh=after_wh - parts.energy, after_wh=after_wh
    )
    check_known(vtable=vtable, parts=parts, used=used, prev_at=prev_at)
    # A midnight exactly on a reading belongs to the interval it closes, though its segment starts there.
    upto = upto + (vtable.instants_us[np.minimum(upto + 1, vtable.instants_us.size - 1)] == at)
    return UsedRows(parts, used, after_wh, since, upto, s1)


def _check(*, first: Bools, columns: tuple[Ints, ...]) -> None:
    if any(column.shape != first.shape for column in columns):
        raise UnorderedRows("columns of a batch differ in length")
    if any(column.dtype != np.int64 for column in columns):
        raise UnorderedRows("columns of a batch must be int64")
    if first.size and not first[0]:
        raise UnorderedRows("the first row of a batch must start a register")


def check_rows(*, prev_at: Ints, at: Ints, energy_wh: Ints) -> None:
    if bool((at <= prev_at).any()):
        row = int(np.flatnonzero(at <= prev_at)[0])
        raise NotAfterState(f"row {row}: reading is not after the state before it; nothing is charged")
    if int(energy_wh.min()) < 0 or int(energy_wh.max()) > MAX_ENERGY_WH:
        row = int(np.flatnonzero((energy_wh < 0) | (energy_wh > MAX_ENERGY_WH))[0])
        raise EnergyOutOfRange(f"row {row}: {energy_wh[row]} Wh in one interval; nothing is charged")


def cut(*, vtable: VectorTable, s0: Ints, s1: Ints, prev_at: Ints, at: Ints, energy_wh: Ints) -> CutRows:
    """Cut rows that cross price boundaries, with interpolated boundary readings."""
    pieces = s1 - s0 + 1
    if int(pieces.max()) == 1:
        return CutRows(segment=s0, energy=energy_wh, row=None, starts=None)
    starts = np.cumsum(pieces) - pieces
    total = int(starts[-1] + pieces[-1])
    row = np.repeat(np.arange(pieces.size), pieces)
    segment = s0[row] + (np.arange(total) - starts[row])
    upto_wh = energy_wh[row]
    inner = np.flatnonzero(segment < s1[row])
    of = row[inner]
    upto_wh[inner] = _interpolate(
        energy_wh=energy_wh[of],
        part_us=vtable.segment_us[segment[inner] + 1] - prev_at[of],
        whole_us=at[of] - prev_at[of],
    )
    energy = np.diff(upto_wh, prepend=0)
    energy[starts] = upto_wh[starts]
    return CutRows(segment=segment, energy=energy, row=row, starts=starts)


def _interpolate(*, energy_wh: Ints, part_us: Ints, whole_us: Ints) -> Ints:
    """Compute ``energy_wh * part_us // whole_us``, in wide integers where 64 bits would overflow."""
    done = energy_wh * part_us // whole_us
    for i in np.flatnonzero(energy_wh > INT64_MAX // whole_us):
        done[i] = int(energy_wh[i]) * int(part_us[i]) // int(whole_us[i])
    return done


def count(*, vtable: VectorTable, parts: CutRows, first: Bools, counter: Ints, window: Ints) -> Ints:
    """Count each piece within its window; returns the counter after it."""
    segment, energy = parts.segment, parts.energy
    piece_window = vtable.window_us[segment]
    restart = np.empty(segment.size, dtype=np.bool_)
    restart[1:] = piece_window[1:] != piece_window[:-1]
    head_pieces = np.flatnonzero(first) if parts.starts is None else parts.starts[first]
    restart[head_pieces] = True
    # Each run of pieces in one register and window counts on from its base: the head's counter or zero.
    base = np.zeros(segment.size, dtype=np.int64)
    base[head_pieces] = np.where(piece_window[head_pieces] == window[first], counter[first], 0)
    runs = np.flatnonzero(restart)
    running = np.cumsum(energy)
    offset = base[runs] - (running[runs] - energy[runs])
    after_wh: Ints = running + np.repeat(offset, np.diff(runs, append=segment.size))
    return after_wh


@dataclass(frozen=True, slots=True)
class UsedCells:
    """Pieces with their cell (segment and block) of the price table; those that pass a bound, block by block."""

    energy: Ints
    cell: Ints
    spills: Ints
    spill_segment: Ints
    spill_energy: list[Ints]

    def priced(self, table: Ints) -> Ints:
        """Energy times the price of its cell, exact while the product stays inside 64 bits."""
        made: Ints = self.energy * table.ravel()[self.cell]
        if self.spills.size:
            made[self.spills] = sum(
                energy * table[self.spill_segment, block] for block, energy in enumerate(self.spill_energy)
            )
        return made


def into_blocks(*, vtable: VectorTable, segment: Ints, before_wh: Ints, after_wh: Ints) -> UsedCells:
    blocks = vtable.prices.shape[1]
    energy = after_wh - before_wh
    if blocks == 1:
        return UsedCells(energy, segment, segment[:0], segment[:0], [])
    cell = segment * blocks
    upper = vtable.bounds[0][segment]
    for block in range(blocks - 1):
        passed = before_wh >= vtable.bounds[block][segment]
        cell += passed
        upper = np.where(passed, vtable.bounds[block + 1][segment], upper)
    spills = np.flatnonzero(after_wh > upper)
    return UsedCells(
        energy,
        cell,
        spills,
        segment[spills],
        _over_blocks(vtable, segment[spills], before_wh[spills], after_wh[spills]),
    )


def check_priced(*, vtable: VectorTable, parts: CutRows, prev_at: Ints) -> None:
    """Refuse rows over a time without a market price; raises ``MissingPrice`` for the first."""
    if vtable.has_unpriced and bool((missing := vtable.unpriced[parts.segment]).any()):
        raise missing_price(_start_us(vtable, parts, prev_at, int(np.argmax(missing))))


def _start_us(vtable: VectorTable, parts: CutRows, prev_at: Ints, piece: int) -> int:
    row = piece if parts.row is None else int(parts.row[piece])
    return max(int(prev_at[row]), int(vtable.segment_us[parts.segment[piece]]))


def check_known(*, vtable: VectorTable, parts: CutRows, used: UsedCells, prev_at: Ints) -> None:
    """Refuse use in a block whose price is not known; raises ``UnknownPrice`` for the first."""
    if not vtable.has_unknown:
        return
    # Use times one where the price is not known, nothing elsewhere.
    if not (reached := used.priced(vtable.unknown) > 0).any():
        return
    piece = int(np.argmax(reached))
    n = int(parts.segment[piece])
    rate = vtable.table.rate[n]
    blocks = [used.cell[piece] - n * vtable.prices.shape[1]]
    if spilled := np.flatnonzero(used.spills == piece).tolist():
        blocks = [b for b in rate.unknown if used.spill_energy[b][spilled[0]] > 0]
    raise unknown_price(rate=rate, block=int(blocks[0]), at_us=_start_us(vtable, parts, prev_at, piece))


def _over_blocks(vtable: VectorTable, segment: Ints, before_wh: Ints, after_wh: Ints) -> list[Ints]:
    """Split the few pieces that pass a block bound: the energy in each block."""
    inside = []
    lower = np.zeros(segment.size, dtype=np.int64)
    for bounds in vtable.bounds:
        upper = bounds[segment]
        inside.append(np.clip(after_wh, lower, upper) - np.clip(before_wh, lower, upper))
        lower = upper
    return inside


def _tax(
    vtable: VectorTable, parts: CutRows, used: UsedCells, since: Ints, upto: Ints, heads: Ints, carry: Ints
) -> tuple[Ints, Ints]:
    whole = np.zeros(since.size, dtype=np.int64)
    rest = np.zeros(since.size, dtype=np.int64)
    if vtable.has_energy_tax:
        micro, left = _divmod(used.priced(vtable.tax_rest), CARRY_TAX_LIMIT)
        whole += parts.sum_by_row(used.priced(vtable.tax_whole) + micro)
        rest += parts.sum_by_row(left)
    if vtable.has_standing_tax:
        whole += between(vtable.standing_tax, since, upto)
        rest += between(vtable.standing_fine, since, upto)
    return _carry(whole=whole, rest=rest, heads=heads, carry=carry, limit=CARRY_TAX_LIMIT)


def _carry(*, whole: Ints, rest: Ints, heads: Ints, carry: Ints, limit: int) -> tuple[Ints, Ints]:
    """Hand the fractions on from row to row of a register; returns (whole units charged, fraction after)."""
    running = np.cumsum(rest)
    offset = carry[heads] - (running[heads] - rest[heads])
    total = running + np.repeat(offset, np.diff(heads, append=rest.size))
    units, after = _divmod(total, limit)
    step = np.diff(units, prepend=0)
    step[heads] = units[heads]
    return whole + step, after


def between(cumulative: Ints, since: Ints, upto: Ints) -> Ints:
    """What a running total grew by between two places of it."""
    return cumulative[upto] - cumulative[since]


def _divmod(values: Ints, by: int) -> tuple[Ints, Ints]:
    # NumPy divides by one known number several times faster than its divmod does.
    quotient = values // by
    return quotient, values - quotient * by

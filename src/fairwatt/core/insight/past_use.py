"""What registers used in the past, as columns: the ground that two tariffs are tried on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import Span

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class NothingUsed(Refusal):
    """There is no interval in the asked span, so there is nothing to try a tariff on."""

    code = "nothing_used"


@dataclass(frozen=True, slots=True)
class PastUse:
    """Rows sorted by register and instant: ``energy_wh`` was used after ``prev_at`` up to ``at`` (microseconds).

    ``register`` numbers rise from 0 without a gap; ``home_of`` and ``counter_wh`` have one entry per register:
    the home it belongs to, and what its counting window held before its first row. ``homes`` are names.
    """

    register: Ints
    prev_at: Ints
    at: Ints
    energy_wh: Ints
    home_of: Ints
    counter_wh: Ints
    homes: tuple[str, ...]

    @property
    def first(self) -> Bools:
        """Which rows begin a register."""
        begins: Bools = np.diff(self.register, prepend=-1) != 0
        return begins

    def within(self, *, span: Span) -> PastUse:
        """The same use up to the end of a span, cut at its edges by interpolated readings.

        What was used before the span stays: it fills the counters. Raises ``NothingUsed`` when no row is inside.
        """
        cut = _cut_at(_cut_at(self, span.start_us), span.end_us)
        keep = cut.at <= span.end_us
        if not (keep & (cut.at > span.start_us)).any():
            raise NothingUsed(
                "no interval lies in the asked period, so there is nothing to try the tariff on; ask for another"
            )
        # A register without a row up to the end of the span is none of this try.
        known, register = np.unique(cut.register[keep], return_inverse=True)
        return PastUse(
            register=register.astype(np.int64),
            prev_at=cut.prev_at[keep],
            at=cut.at[keep],
            energy_wh=cut.energy_wh[keep],
            home_of=cut.home_of[known],
            counter_wh=cut.counter_wh[known],
            homes=cut.homes,
        )

    def some(self, *, start: int, end: int, first_register: int) -> PastUse:
        """A stretch of rows that holds whole registers, numbered from ``first_register`` on."""
        register = self.register[start:end] - first_register
        last = first_register + int(register[-1]) + 1
        return PastUse(
            register=register,
            prev_at=self.prev_at[start:end],
            at=self.at[start:end],
            energy_wh=self.energy_wh[start:end],
            home_of=self.home_of[first_register:last],
            counter_wh=self.counter_wh[first_register:last],
            homes=self.homes,
        )


def of_readings(
    *,
    register: Ints,
    at: Ints,
    total_wh: Ints,
    modulus_wh: Ints,
    counter_wh: Ints,
    home_of: Ints,
    homes: tuple[str, ...],
) -> PastUse:
    """Turn cumulative readings, sorted by register and instant, into use: each row since the reading before.

    ``modulus_wh`` has one entry per register: where it wraps to zero. Readings at one instant must be one.
    """
    follows = np.flatnonzero(np.diff(register) == 0) + 1
    mine = register[follows]
    used = (total_wh[follows] - total_wh[follows - 1]) % modulus_wh[mine]
    known, numbers = np.unique(mine, return_inverse=True)
    return PastUse(
        register=numbers.astype(np.int64),
        prev_at=at[follows - 1],
        at=at[follows],
        energy_wh=used,
        home_of=home_of[known],
        counter_wh=counter_wh[known],
        homes=homes,
    )


def of_intervals(
    *, home: Ints, start_at: Ints, end_at: Ints, energy_wh: Ints, span: Span, homes: tuple[str, ...]
) -> PastUse:
    """Turn intervals, sorted by home and instant, into use over a whole span.

    Time without data is time without use: a row of zero stands for each gap, so fixed charges go on.
    """
    heads = np.flatnonzero(np.diff(home, prepend=-1))
    tails = np.append(heads[1:], home.size) - 1
    before = np.empty_like(start_at)
    before[1:] = end_at[:-1]
    before[heads] = span.start_us
    gaps = np.flatnonzero(before < start_at)
    late = np.flatnonzero(end_at[tails] < span.end_us)
    # The end of one home comes before the beginning of the next, and both may fall on one place.
    places = np.concatenate([tails[late] + 1, gaps])
    register = np.insert(home, places, np.concatenate([home[tails[late]], home[gaps]]))
    prev_at = np.insert(start_at, places, np.concatenate([end_at[tails[late]], before[gaps]]))
    at = np.insert(end_at, places, np.concatenate([np.full(late.size, span.end_us), start_at[gaps]]))
    return PastUse(
        register=register,
        prev_at=prev_at,
        at=at,
        energy_wh=np.insert(energy_wh, places, 0),
        home_of=np.arange(len(homes), dtype=np.int64),
        counter_wh=np.zeros(len(homes), dtype=np.int64),
        homes=homes,
    )


def _cut_at(use: PastUse, at_us: int) -> PastUse:
    rows = np.flatnonzero((use.prev_at < at_us) & (use.at > at_us))
    if not rows.size:
        return use
    lengths = (use.at[rows] - use.prev_at[rows]).tolist()
    parts = [
        wh * (at_us - before) // length
        for wh, before, length in zip(
            use.energy_wh[rows].tolist(), use.prev_at[rows].tolist(), lengths, strict=True
        )
    ]
    energy = use.energy_wh.copy()
    energy[rows] -= parts
    prev_at = use.prev_at.copy()
    prev_at[rows] = at_us
    return replace(
        use,
        register=np.insert(use.register, rows, use.register[rows]),
        prev_at=np.insert(prev_at, rows, use.prev_at[rows]),
        at=np.insert(use.at, rows, at_us),
        energy_wh=np.insert(energy, rows, parts),
    )

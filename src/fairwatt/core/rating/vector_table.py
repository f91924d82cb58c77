"""The segments of a schedule as NumPy columns: what a batch is rated by."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import CARRY_TAX_LIMIT
from fairwatt.core.units import INT64_MAX

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_NO_BOUND: Final = INT64_MAX


class VectorTable:
    """A segment table as arrays, kept in step with it as it grows."""

    def __init__(self, table: SegmentTable) -> None:
        self.table = table
        self._revision = -1
        self._refresh()

    def ensure(self, *, start_us: int, end_us: int) -> None:
        """Make the arrays cover both instants; raises ``NoTariff`` before the first version."""
        self.table.ensure(start_us=start_us, end_us=end_us)
        if self._revision != self.table.revision:
            self._refresh()

    def _refresh(self) -> None:
        table = self.table
        rates = table.rate
        blocks = max((len(rate.bounds_wh) for rate in rates), default=0) + 1
        self.segment_us = _ints(table.starts_us)
        self.window_us = _ints(table.window_us)
        self.unpriced = np.array([not rate.priced for rate in rates], dtype=np.bool_)
        self.has_unpriced = bool(self.unpriced.any())
        # bounds[b] and the prices hold block b of every segment; missing blocks are never reached.
        self.bounds = [
            _ints([_padded(rate.bounds_wh, b, _NO_BOUND) for rate in rates]) for b in range(blocks)
        ]
        self.prices = _by_cell([rate.prices_micro for rate in rates], blocks)
        # The tax on a unit price, split so that each part times the energy of a row stays inside 64 bits.
        fine = [tuple(divmod(tax, CARRY_TAX_LIMIT) for tax in rate.fine_tax) for rate in rates]
        self.unknown = np.zeros_like(self.prices)
        for n, rate in enumerate(rates):
            for block in rate.unknown:
                self.unknown[n, block] = 1
        self.has_unknown = bool(self.unknown.any())
        self.tax_whole = _by_cell([tuple(whole for whole, _ in row) for row in fine], blocks)
        self.tax_rest = _by_cell([tuple(rest for _, rest in row) for row in fine], blocks)
        self.has_energy_tax = bool(self.tax_whole.any() or self.tax_rest.any())
        # Both lists merged, with the index into each: one search per instant finds segment and midnight.
        self.instants_us = np.union1d(self.segment_us, _ints(table.midnights_us))
        self.segment_of = (
            np.searchsorted(self.segment_us, self.instants_us, side="right").astype(np.int64) - 1
        )
        midnights = np.searchsorted(_ints(table.midnights_us), self.instants_us, side="right")
        self.standing_micro = _ints(table.standing_micro)[midnights]
        self.standing_tax = _ints(table.standing_tax)[midnights]
        self.standing_fine = _ints(table.standing_fine)[midnights]
        self.has_standing = bool(self.standing_micro.any())
        self.has_standing_tax = bool(self.standing_tax.any() or self.standing_fine.any())
        self._revision = table.revision


def _by_cell(rows: list[tuple[int, ...]], blocks: int) -> Ints:
    return _ints([_padded(row, b, 0) for row in rows for b in range(blocks)]).reshape(len(rows), blocks)


def _padded(values: tuple[int, ...], index: int, otherwise: int) -> int:
    return values[index] if index < len(values) else otherwise


def _ints(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)

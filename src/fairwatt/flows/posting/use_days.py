"""Use by local day and half-hour, gathered from lines as they are posted: what the charts read.

A line belongs to the half-hour its last instant lies in. Rebuilt from `line` at any time; a slot
nobody reported is a gap, never zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind
from fairwatt.core.spans import local_day_start, local_midnights
from fairwatt.store import use

Int64s = npt.NDArray[np.int64]

SLOTS: Final = 50
"""Half-hours in the longest local day (25 h)."""
SLOT_US: Final = 1_800_000_000
GAP: Final = -(1 << 62)
_DAY_US: Final = 86_400_000_000
_KEEP_ROWS: Final = 100_000


class UseDays:
    """The days that changed since the last flush, and those around them."""

    def __init__(self, *, book: int, zone: str) -> None:
        self.book = book
        self.zone = zone
        self._midnights: Int64s = np.empty(0, dtype=np.int64)
        self._forget()

    def _forget(self) -> None:
        self._index: dict[tuple[int, int], int] = {}
        self._keys: list[tuple[int, int]] = []
        self._wh = np.full((256, SLOTS), GAP, dtype=np.int64)
        self._micro = np.full((256, SLOTS), GAP, dtype=np.int64)
        self._close = np.zeros((256, 2), dtype=np.int64)
        self._dirty: set[int] = set()

    def add(self, *, lines: npt.NDArray[Any]) -> None:
        """Count the lines of a committed batch."""
        if not len(lines):
            return
        instant = lines["ts"] - 1
        day = self._day_of(instant)
        wallet = lines["wallet"]
        order = np.lexsort((lines["seq"], day, wallet))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (wallet[order[1:]] != wallet[order[:-1]]) | (day[order[1:]] != day[order[:-1]])
        starts = order[first]
        keys = list(zip(wallet[starts].tolist(), day[starts].tolist(), strict=True))
        rows = self._rows(keys)
        row = np.empty(len(lines), dtype=np.int64)
        row[order] = rows[np.cumsum(first) - 1]
        use_lines = np.flatnonzero(np.isin(lines["kind"], (Kind.READING, Kind.CORRECTION, Kind.LATE)))
        slot = (instant[use_lines] - day[use_lines]) // SLOT_US
        at = (row[use_lines], slot)
        for table, values in ((self._wh, lines["energy_wh"]), (self._micro, -lines["amount_micro"])):
            table[at] = np.where(table[at] == GAP, 0, table[at])
            np.add.at(table, at, values[use_lines])
        last = order[np.append(np.flatnonzero(first)[1:], len(order)) - 1]
        newer = lines["seq"][last] > self._close[rows, 0]
        self._close[rows[newer], 0] = lines["seq"][last][newer]
        self._close[rows[newer], 1] = lines["balance_micro"][last][newer]
        self._dirty.update(rows.tolist())

    def rows_to_save(self) -> Iterable[tuple[Any, ...]]:
        """The changed days, in the shape of store.caches.save_use_days."""
        for n in sorted(self._dirty):
            wallet, day_us = self._keys[n]
            wh, micro = self._wh[n], self._micro[n]
            yield (
                wallet,
                day_us,
                int(wh[wh != GAP].sum()),
                int(micro[micro != GAP].sum()),
                [None if v == GAP else v for v in wh.tolist()],
                [None if v == GAP else v for v in micro.tolist()],
                int(self._close[n, 1]),
            )

    def saved(self) -> None:
        """Everything handed out by `rows_to_save` is durable."""
        self._dirty.clear()
        if len(self._keys) > _KEEP_ROWS:
            self._forget()

    def _rows(self, keys: list[tuple[int, int]]) -> Int64s:
        missing = [key for key in keys if key not in self._index]
        if missing:
            known = use.days(book=self.book, keys=missing)
            self._grow(len(self._keys) + len(missing))
            for key in missing:
                n = len(self._keys)
                self._index[key] = n
                self._keys.append(key)
                if key in known:
                    wh, micro, close = known[key]
                    self._wh[n] = [GAP if v is None else v for v in wh]
                    self._micro[n] = [GAP if v is None else v for v in micro]
                    self._close[n] = (0, close)
        return np.array([self._index[key] for key in keys], dtype=np.int64)

    def _grow(self, rows: int) -> None:
        while rows > len(self._wh):
            self._wh = np.concatenate((self._wh, np.full_like(self._wh, GAP)))
            self._micro = np.concatenate((self._micro, np.full_like(self._micro, GAP)))
            self._close = np.concatenate((self._close, np.zeros_like(self._close)))

    def _day_of(self, instant: Int64s) -> Int64s:
        low, high = int(instant.min()), int(instant.max())
        if not len(self._midnights) or low < self._midnights[0] or high >= self._midnights[-1]:
            start = local_day_start(zone=self.zone, at_us=low - 2 * _DAY_US)
            self._midnights = np.array(
                [start, *local_midnights(zone=self.zone, start_us=start, end_us=high + 40 * _DAY_US)],
                dtype=np.int64,
            )
        days: Int64s = self._midnights[np.searchsorted(self._midnights, instant, side="right") - 1]
        return days

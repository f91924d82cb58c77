"""Use by local day and half-hour, gathered from lines as they are posted: what the charts read.

A line belongs to the half-hour its last instant lies in. Rebuilt from `line` at any time; a slot
nobody reported is a gap, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind
from fairwatt.core.spans import local_day_start, local_midnights
from fairwatt.store import use
from fairwatt.store.caches import GAP, SLOTS, USE_DAY

Int64s = npt.NDArray[np.int64]

SLOT_US: Final = 1_800_000_000
_DAY_US: Final = 86_400_000_000
_KEEP_ROWS: Final = 100_000
_NEVER: Final = -(1 << 62)


class UseDays:
    """The days that changed since the last flush, and those around them."""

    def __init__(self, *, book: int, zone: str) -> None:
        self.book = book
        self.zone = zone
        self._midnights: Int64s = np.empty(0, dtype=np.int64)
        self._newest: dict[int, int] | None = None
        """by wallet, the newest day that was ever cached; None before it was read"""
        self._forget()

    def _forget(self) -> None:
        self._index: dict[tuple[int, int], int] = {}
        self._keys: list[tuple[int, int]] = []
        self._wh = np.full((256, SLOTS), GAP, dtype=np.int64)
        self._micro = np.full((256, SLOTS), GAP, dtype=np.int64)
        self._close = np.zeros((256, 2), dtype=np.int64)
        self._dirty: set[int] = set()

    def add(self, *, lines: npt.NDArray[Any], ask: bool) -> bool:
        """Count the lines of a committed batch; those of a wallet in the order of their seq.

        False, and nothing counted, when a day must be read back from the database first and `ask` is off.
        """
        if not len(lines):
            return True
        instant = lines["ts"] - 1
        day = self._day_of(instant)
        wallet = lines["wallet"].copy()
        order, first = _groups(wallet, day)
        starts = order[first]
        rows = self._rows(list(zip(wallet[starts].tolist(), day[starts].tolist(), strict=True)), ask)
        if rows is None:
            return False
        row = np.empty(len(lines), dtype=np.int64)
        row[order] = np.repeat(rows, np.diff(np.flatnonzero(first), append=len(order)))
        cell = row * SLOTS + (instant - day) // SLOT_US
        kind = lines["kind"]
        some: Any = slice(None)
        if (kind != Kind.READING).any():
            some = np.flatnonzero(np.isin(kind, (Kind.READING, Kind.CORRECTION, Kind.LATE)))
        for table, values in ((self._wh, lines["energy_wh"]), (self._micro, -lines["amount_micro"])):
            flat, here = table.reshape(-1), cell[some]
            flat[here[flat[here] == GAP]] = 0
            np.add.at(flat, here, values[some].astype(np.int64, copy=False))
        last = order[np.append(np.flatnonzero(first)[1:], len(order)) - 1]
        newer = lines["seq"][last] > self._close[rows, 0]
        self._close[rows[newer], 0] = lines["seq"][last][newer]
        self._close[rows[newer], 1] = lines["balance_micro"][last][newer]
        self._dirty.update(rows.tolist())
        return True

    @property
    def dirty(self) -> bool:
        """True when a day changed since it was last handed out."""
        return bool(self._dirty)

    def to_save(self) -> npt.NDArray[Any]:
        """The changed days, with dtype USE_DAY."""
        changed = np.array(sorted(self._dirty), dtype=np.int64)
        days = np.empty(len(changed), dtype=USE_DAY)
        if len(changed):
            days["wallet"], days["day_us"] = np.array([self._keys[n] for n in changed], dtype=np.int64).T
        for table, total, slots in (
            (self._wh, "energy_wh", "slots_wh"),
            (self._micro, "cost_micro", "slots_micro"),
        ):
            days[slots] = table[changed]
            days[total] = np.where(days[slots] == GAP, 0, days[slots]).sum(axis=1)
        days["close_micro"] = self._close[changed, 1]
        return days

    def saved(self) -> None:
        """Everything handed out by `to_save` is on its way; wait for it before reading days back."""
        self._dirty.clear()
        if len(self._keys) > _KEEP_ROWS:
            self._forget()

    def _rows(self, keys: list[tuple[int, int]], ask: bool) -> Int64s | None:
        missing = [key for key in keys if key not in self._index]
        if missing:
            if self._newest is None:
                if not ask:
                    return None
                self._newest = use.newest_days(book=self.book)
            # Only this poster writes days: one after all it knows of a wallet is new, whatever it has forgotten.
            old = [key for key in missing if key[1] <= self._newest.get(key[0], _NEVER)]
            if old and not ask:
                return None
            self._open(missing, use.days(book=self.book, keys=old) if old else {})
        return np.array([self._index[key] for key in keys], dtype=np.int64)

    def _open(self, keys: list[tuple[int, int]], known: Mapping[tuple[int, int], use.Day]) -> None:
        assert self._newest is not None
        self._grow(len(self._keys) + len(keys))
        for key in keys:
            n = len(self._keys)
            self._index[key] = n
            self._keys.append(key)
            wallet, day = key
            self._newest[wallet] = max(day, self._newest.get(wallet, day))
            if key in known:
                wh, micro, close = known[key]
                self._wh[n] = [GAP if v is None else v for v in wh]
                self._micro[n] = [GAP if v is None else v for v in micro]
                self._close[n] = (0, close)

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


def _groups(wallet: Int64s, day: Int64s) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """An order in which the lines of each (wallet, day) stand together as they were posted, and who is first."""
    order = np.arange(len(wallet))
    if (np.diff(wallet) < 0).any() or ((np.diff(day) < 0) & (np.diff(wallet) == 0)).any():
        order = np.lexsort((day, wallet))
        wallet, day = wallet[order], day[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (wallet[1:] != wallet[:-1]) | (day[1:] != day[:-1])
    return order, first

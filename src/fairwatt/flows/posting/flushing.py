"""The caches follow the ledger, coalesced: one write a second, however many batches there were."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.use_days import UseDays
from fairwatt.store import caches, use
from fairwatt.store.posting import PosterFenced


class CacheFlusher:
    """Remembers what moved since the last flush and writes it in one transaction."""

    def __init__(self, *, state: BookState) -> None:
        self.days = UseDays(book=state.book, zone=state.zone)
        self._cached_batch = state.cached_batch
        self._moved = np.ones(len(state.wallets), dtype=bool)
        self._uncounted: deque[npt.NDArray[np.void]] = deque()

    def catch_up(self) -> None:
        """Count the lines that an earlier poster wrote and did not flush. Call once, before the first batch."""
        for lines in use.lines_since(book=self.days.book, batch=self._cached_batch):
            self.days.add(lines=lines, ask=True)

    def note(self, *, touched: npt.NDArray[np.int64], lines: npt.NDArray[np.void]) -> None:
        """Remember what a committed batch moved."""
        self._moved[touched] = True
        self._uncounted.append(lines)

    def count(self, *, ask: bool = False) -> None:
        """Count noted lines into their days; without `ask`, only as far as no day must be read back."""
        while self._uncounted and self.days.add(lines=self._uncounted[0], ask=ask):
            self._uncounted.popleft()

    def resize(self, *, state: BookState) -> None:
        """Follow a reload that may have brought new wallets; everything is written at the next flush."""
        self._moved = np.ones(len(state.wallets), dtype=bool)

    @property
    def pending(self) -> bool:
        """True when a flush would write something."""
        return bool(self._moved.any())

    def flush(self, *, state: BookState) -> None:
        """Write every moved head and day. Raises PosterFenced when another poster has the book."""
        self.count(ask=True)
        wallets = np.flatnonzero(self._moved)
        registers = state.registers[np.isin(state.registers["wallet_ix"], wallets)]
        batch = state.last_batch
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            if not caches.mark_cached(cursor=cursor, book=state.book, epoch=state.epoch, batch=batch):
                raise PosterFenced(f"book {state.book} is posted by another process; caches were not written")
            caches.save_wallet_heads(
                cursor=cursor, book=state.book, batch=batch, wallets=state.wallets[wallets]
            )
            caches.save_register_heads(
                cursor=cursor,
                book=state.book,
                batch=batch,
                registers=registers,
                wallets=state.wallets["wallet"][registers["wallet_ix"]],
            )
            caches.save_use_days(cursor=cursor, book=state.book, batch=batch, days=self.days.to_save())
        self._moved[:] = False
        self.days.saved()

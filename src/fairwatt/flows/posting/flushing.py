"""The caches follow the ledger, coalesced: one write a second, however many batches there were."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.use_days import UseDays
from fairwatt.store import caches, use
from fairwatt.store.posting import PosterFenced


@dataclass(frozen=True, kw_only=True)
class CacheNews:
    """What moved, as of a batch: ready to be written by any thread."""

    book: int
    epoch: int
    batch: int
    wallets: npt.NDArray[Any]
    registers: npt.NDArray[Any]
    register_wallets: npt.NDArray[np.int64]
    """wallet ids beside `registers`"""
    days: npt.NDArray[Any]

    def write(self) -> None:
        """Write it in one transaction. Raises PosterFenced when another poster has the book."""
        try:
            self._write()
        except BaseException:
            connection.close()  # this thread's own, perhaps broken
            raise

    def _write(self) -> None:
        at: Any = {"book": self.book, "batch": self.batch}
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            if not caches.mark_cached(cursor=cursor, epoch=self.epoch, **at):
                raise PosterFenced(f"book {self.book} is posted by another process; caches were not written")
            caches.save_wallet_heads(cursor=cursor, wallets=self.wallets, **at)
            caches.save_register_heads(
                cursor=cursor, registers=self.registers, wallets=self.register_wallets, **at
            )
            caches.save_use_days(cursor=cursor, days=self.days, **at)


class CacheFlusher:
    """Remembers what moved since the last flush and writes it, beside the next batches.

    `beside`: a thread for it; without one a flush has written everything when it returns.
    """

    def __init__(self, *, state: BookState, beside: Executor | None = None) -> None:
        self.days = UseDays(book=state.book, zone=state.zone)
        self._beside = beside
        self._writing: Future[None] | None = None
        self._moved = np.ones(len(state.wallets), dtype=bool)
        self._uncounted: deque[npt.NDArray[np.void]] = deque()

    def catch_up(self) -> None:
        """Count the lines that an earlier poster wrote and did not flush. Call once, before the first batch."""
        upto = caches.cached_upto(book=self.days.book)
        for lines in use.lines_since(book=self.days.book, batch=upto):
            self.days.add(lines=lines, ask=True)

    def note(self, *, touched: npt.NDArray[np.int64], lines: npt.NDArray[np.void]) -> None:
        """Remember what a committed batch moved."""
        self._moved[touched] = True
        self._uncounted.append(lines)

    def count(self, *, ask: bool = False) -> None:
        """Count noted lines into their days; without `ask`, only as far as no day must be read back."""
        if ask:
            self.wait()  # what is read back must be there
        while self._uncounted and self.days.add(lines=self._uncounted[0], ask=ask):
            self._uncounted.popleft()

    def resize(self, *, state: BookState) -> None:
        """Follow a reload that may have brought new wallets; everything is written at the next flush."""
        self._moved = np.ones(len(state.wallets), dtype=bool)

    @property
    def pending(self) -> bool:
        """True when a flush would write something."""
        return bool(self._moved.any() or self._uncounted or self.days.dirty)

    def wait(self) -> None:
        """Wait for what is being written; raises what writing it raised."""
        if self._writing is not None:
            self._writing.result()

    def flush(self, *, state: BookState) -> None:
        """Write every moved head and day, unless the flush before is still being written: then all waits for the
        next. Raises PosterFenced when another poster has the book, and what the flush before raised."""
        if self._writing is not None and not self._writing.done():
            return
        self.count(ask=True)
        wallets = np.flatnonzero(self._moved)
        registers = state.registers[np.isin(state.registers["wallet_ix"], wallets)]
        news = CacheNews(
            book=state.book,
            epoch=state.epoch,
            batch=state.last_batch,
            wallets=state.wallets[wallets],
            registers=registers,
            register_wallets=state.wallets["wallet"][registers["wallet_ix"]],
            days=self.days.to_save(),
        )
        self._moved[:] = False
        self.days.saved()
        if self._beside is None:
            news.write()
        else:
            self._writing = self._beside.submit(news.write)

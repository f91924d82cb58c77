"""Batches of one book, two at a time: while one is made durable, the next is read and priced.

Two threads. The caller prepares; the posting thread owns the database connection and everything the poster
knows. A batch is handed over only when the one before it is durable, so there is never more than one
batch in the database's hands, and what was prepared ahead of a failure is simply dropped.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.flushing import CacheFlusher
from fairwatt.flows.posting.loading import reload_book
from fairwatt.flows.posting.post_batch import BatchResult, Poster, post_prepared
from fairwatt.flows.posting.preparing import Front, Messages, prepare

SWITCH_S: Final = 0.0005
"""How long a thread may keep the interpreter from the other: with Python's own 5 ms the database waits for the
next piece of a COPY while a batch is being priced."""


class Pipeline:
    """The poster of a book that was just loaded. One thread calls it; `posting` is one other thread.

    After an exception from any of its methods it is of no more use: nothing that was not durable was kept,
    so load the book again and make another.
    """

    def __init__(self, *, state: BookState, flusher: CacheFlusher, poster: Poster, posting: Executor) -> None:
        sys.setswitchinterval(SWITCH_S)
        self.state = state
        """what is durable; moved by the posting thread"""
        self._flusher = flusher
        self._poster = poster
        self._posting = posting
        self._front: Front | None = Front.of(state)
        self._newest: Future[Any] | None = None
        self._regrant: set[int] = set(state.owed)

    @property
    def busy(self) -> bool:
        """True while the posting thread works."""
        return self._newest is not None and not self._newest.done()

    @property
    def owes_grants(self) -> bool:
        """True when a new configuration calls for grants: submit a batch, if only an empty one."""
        return bool(self._regrant)

    @property
    def stale(self) -> bool:
        """True when the caches are behind the ledger."""
        return self._flusher.pending

    def submit(self, *, messages: Messages, now_us: int) -> Future[BatchResult]:
        """Prepare a batch, wait until the one before it is durable, start posting; return its future result.

        Frames as (gateway slug, bytes); waiting facts come along by themselves. Raises what the one before
        raised: then this one is dropped.
        """
        if self._front is None:
            self.settle()  # it holds late readings: where the registers go on is known when they are settled
            self._front = Front.of(self.state)
        prepared = prepare(state=self.state, front=self._front, messages=messages, now_us=now_us)
        self.settle()
        if prepared.state is not self.state:
            # The batch before it brought a new configuration: what was priced may cost something else now.
            prepared = prepare(state=self.state, front=Front.of(self.state), messages=messages, now_us=now_us)
        self._front = prepared.after

        def post() -> BatchResult:
            regrant, self._regrant = self._regrant, set()
            result = post_prepared(
                state=self.state,
                prepared=prepared,
                poster=self._poster,
                regrant=regrant,
                meanwhile=self._flusher.count,
            )
            self._follow(result, now_us)
            return result

        return self._hand_over(post)

    def flush(self) -> Future[None]:
        """Write the caches, after the batch in hand and unless it fails; does not wait."""
        before = self._newest

        def write() -> None:
            if before is not None:
                before.result()
            self._flusher.flush(state=self.state)

        return self._hand_over(write)

    def settle(self) -> None:
        """Wait for what was handed over; raises what it raised."""
        if self._newest is not None:
            self._newest.result()

    def _hand_over[T](self, work: Callable[[], T]) -> Future[T]:
        self._newest = future = self._posting.submit(work)
        return future

    def _follow(self, result: BatchResult, now_us: int) -> None:
        """The caches and, after a new configuration, the state follow what was committed."""
        self._flusher.note(touched=result.touched, lines=result.lines)
        if result.reload:
            self._flusher.flush(state=self.state)
            self.state = reload_book(state=self.state, now_us=now_us)
            self._flusher.resize(state=self.state)
            self._regrant = result.regrant

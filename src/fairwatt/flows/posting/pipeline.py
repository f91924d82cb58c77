"""Batches of one book, two at a time: while one is written, the next is read, priced and decided.

The caller plans; the posting thread owns what is committed and writes it, one batch after the other. A batch is
handed over while the one before it commits, and a commit in a flood does not wait for the disk: a third thread
does, and only then is the batch's result told. What was planned ahead of a failure is simply dropped.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final

from django.db import connection

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.flushing import CacheFlusher
from fairwatt.flows.posting.loading import reload_book
from fairwatt.flows.posting.planning import BatchResult, Planned, Poster
from fairwatt.flows.posting.post_batch import plan_batch, post_batch, write_planned
from fairwatt.flows.posting.preparing import Messages, prepare
from fairwatt.store.posting import make_durable

SWITCH_S: Final = 0.0002
"""How long a thread may keep the interpreter from the other: with Python's own 5 ms the database waits for the
next piece of a COPY while a batch is being priced."""


class Pipeline:
    """The poster of a book that was just loaded. One thread calls it; `posting` and `beside` are one thread each.

    After an exception from any of its methods it is of no more use: nothing that was not durable was kept,
    so load the book again and make another.
    """

    def __init__(
        self,
        *,
        state: BookState,
        flusher: CacheFlusher,
        poster: Poster,
        posting: Executor,
        beside: Executor,
    ) -> None:
        sys.setswitchinterval(SWITCH_S)
        self.state = state
        """what is committed; moved by the posting thread"""
        self._flusher = flusher
        self._poster = poster
        self._posting = posting
        self._beside = beside
        self._ahead: BookState | None = None
        """what the last batch handed over will leave, where a plan told that"""
        self._newest: Future[Any] | None = None
        self._told: Future[BatchResult] | None = None
        """the result of the newest batch that was planned ahead"""
        self._committing = threading.Event()
        """set when the last planned batch is on its way to the disk, or failed"""
        self._committing.set()
        self._orders_going_out = False
        self._facts_wait = False
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

    def submit(self, *, messages: Messages, now_us: int, ahead: bool = False) -> Future[BatchResult]:
        """Start posting a batch once the one before it is committed; return its result when it is durable.

        Frames as (gateway slug, bytes); waiting facts come along by themselves. `ahead`: more waits behind
        these, so plan them while the one before is written; facts may then wait for a few batches.
        Raises what a batch before raised, or the future does: then this one is dropped.
        """
        if ahead and not (self._facts_wait or self._regrant):
            planned = self._plan(messages, now_us)
            if planned is not None:
                return self._hand_over_planned(planned)
        self.settle()
        self._ahead, self._facts_wait = None, False

        def post() -> BatchResult:
            regrant, self._regrant = self._regrant, set()
            result = post_batch(
                state=self.state, messages=messages, poster=self._poster, now_us=now_us, regrant=regrant
            )
            self._follow(result)
            if result.reload:
                self._flusher.wait()
                self._flusher.flush(state=self.state)
                self._flusher.wait()
                self.state = reload_book(state=self.state, now_us=now_us)
                self._flusher.resize(state=self.state)
                self._regrant = result.regrant | self.state.owed
            return result

        return self._hand_over(post)

    def _plan(self, messages: Messages, now_us: int) -> Planned | None:
        """Plan a batch on what the one in hand will leave; None when it needs the database itself."""
        if self._ahead is None or self._orders_going_out:
            self.settle()  # what comes after is known, and orders have their numbers, when it is durable
            if self._facts_wait or self._regrant:
                return None
            self._ahead = self.state.moved()
        prepared = prepare(state=self._ahead, messages=messages, now_us=now_us)
        if prepared.charged is None:
            return None
        try:
            return plan_batch(state=self._ahead, prepared=prepared, poster=self._poster)
        except BaseException:
            connection.close()  # this thread's own, perhaps broken
            raise

    def _hand_over_planned(self, planned: Planned) -> Future[BatchResult]:
        self._committing.wait()
        before, committing = self._newest, threading.Event()
        if before is not None and before.done():
            before.result()
        self._committing, self._ahead, self._orders_going_out = (
            committing,
            planned.after,
            bool(planned.orders),
        )

        # Offered to a gateway as soon as they are known, so they must be on the disk by then.
        await_disk = bool(planned.orders)
        told: Future[BatchResult] = Future()

        def write() -> None:
            try:
                if before is not None:
                    before.result()
                if self._regrant:
                    raise AssertionError("only a batch that asks brings a new configuration")
                result = write_planned(
                    state=self.state,
                    planned=planned,
                    await_disk=await_disk,
                    meanwhile=self._flusher.count,
                    committing=committing.set,
                )
                self._facts_wait = result.facts_wait
                self._follow(result)
            except BaseException as error:
                told.set_exception(error)
                raise
            finally:
                committing.set()
            if await_disk:
                told.set_result(result)
            else:
                self._beside.submit(self._tell, planned.batch, result, told)

        self._hand_over(write)
        self._told = told
        return told

    def _tell(self, batch: int, result: BatchResult, told: Future[BatchResult]) -> None:
        """Wait for the disk, then tell what a committed batch came to."""
        try:
            make_durable(book=self.state.book, epoch=self.state.epoch, batch=batch)
        except BaseException as error:
            connection.close()  # this thread's own, perhaps broken
            told.set_exception(error)
        else:
            told.set_result(result)

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

    def drain(self) -> None:
        """Wait until everything is durable, the days too; raises what any of it raised."""
        self.settle()
        if self._told is not None:
            self._told.result()
        self._flusher.wait()

    def _hand_over[T](self, work: Callable[[], T]) -> Future[T]:
        self._newest = future = self._posting.submit(work)
        return future

    def _follow(self, result: BatchResult) -> None:
        self._flusher.note(touched=result.touched, lines=result.lines)

"""Hands that ask several things at once: nobody waits for somebody else's slow answer, and one thing is asked once.

Many may wait for a provider, few work meanwhile: a burst of questions takes the processors from those who answer
callbacks, and is over no sooner for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Final, Self

type Piece = partial[None]
"""A question, and about what: its keywords. Two with the same `Piece` and keywords are the same work."""

HINT: Final = "hinted"
"""the keyword that says that something new is known: not about what, but why"""


class Hands:
    """So many pieces of work at the same time. Used in a `with`, by one thread."""

    def __init__(self, *, most: int, working: int, do: Callable[[Piece], None]) -> None:
        """`most` pieces at once, of which `working` are not `away`; `do` does one, and raises nothing."""
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="asking")
        self._desk = threading.Semaphore(working)
        self._mine = threading.local()
        self._carry_out = do
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, Piece] = {}
        self._at_work: set[Hashable] = set()
        self._after: dict[Hashable, Piece] = {}
        """hinted at while it was at work: done once more, for the answer may be older than the hint"""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End after what is at work; what waits is left."""
        with self._lock:
            self._waiting.clear()
            self._after.clear()
        self._pool.shutdown(cancel_futures=True)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Wait for somebody outside; another hand works meanwhile. For a thread that is no hand it is nothing."""
        if not getattr(self._mine, "works", False):
            yield
            return
        self._desk.release()
        try:
            yield
        finally:
            self._desk.acquire()

    def put(self, piece: Piece) -> None:
        """Do a piece soon; the same one that waits, or is at work, is not done twice but for a hint."""
        about = (piece.func, *((name, value) for name, value in piece.keywords.items() if name != HINT))
        hinted = bool(piece.keywords.get(HINT))
        with self._lock:
            if about in self._at_work:
                if hinted:
                    self._after[about] = piece
                return
            known = about in self._waiting
            if hinted or not known:
                self._waiting[about] = piece
        if not known:
            self._pool.submit(self._do, about)

    def _do(self, about: Hashable) -> None:
        with self._lock:
            piece = self._waiting.pop(about, None)
            if piece is None:
                return
            self._at_work.add(about)
        try:
            with self._desk:
                self._mine.works = True
                self._carry_out(piece)
        finally:
            with self._lock:
                self._at_work.discard(about)
                after = self._after.pop(about, None)
            if after is not None:
                self.put(after)

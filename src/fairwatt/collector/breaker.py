"""A circuit breaker for one merchant account: what fails is left alone for a while, and tried once before more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

FAILURES_MAX: Final = 5
OPEN_S: Final = 5.0
OPEN_S_MAX: Final = 120.0


class Breaker:
    """Closed, open after `FAILURES_MAX` failures in a row, then one trial at a time until one succeeds.

    `clock_s` is monotonic: what a wall clock does says nothing about a provider.
    """

    def __init__(self, *, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._failures = 0
        self._open_until_s = 0.0
        self._trial = False
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether nothing is asked just now."""
        return self._failures >= FAILURES_MAX and self._clock_s() < self._open_until_s

    def admit(self) -> bool:
        """Whether a question may go out. One that was admitted is followed by `succeeded` or `failed`."""
        with self._lock:
            if self._failures < FAILURES_MAX:
                return True
            if self._trial or self._clock_s() < self._open_until_s:
                return False
            self._trial = True
            return True

    def succeeded(self) -> None:
        """An answer came, whatever it said."""
        with self._lock:
            self._failures, self._trial = 0, False

    def failed(self) -> None:
        """No answer came, or the provider's own word for trouble."""
        with self._lock:
            self._failures += 1
            self._trial = False
            beyond = self._failures - FAILURES_MAX
            if beyond >= 0:
                self._open_until_s = self._clock_s() + min(OPEN_S * 2 ** min(beyond, 10), OPEN_S_MAX)

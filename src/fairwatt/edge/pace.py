"""How much a bus has time for: energy and status of every meter in each pass, a closer look as often as it fits.

At 2,400 baud everything that a meter measures takes two seconds, and sixty-four of them two minutes.
"""

from collections.abc import Sequence
from typing import Final

_BUSY_PERCENT: Final = 80
"""The rest of an interval is for orders, retries and what a closer look costs more than the last one."""


class Pace:
    """Chooses who is looked at closely in a pass, the longest unlooked-at first. Durations are domain time."""

    def __init__(self) -> None:
        self._quick_us = 0
        self._close_us = 0
        self._passes = 0
        self._seen: dict[int, int] = {}
        self._chosen: frozenset[int] = frozenset()
        self._until_us = 0
        self._left = 0

    def begin(self, *, meters: Sequence[int], interval_us: int, now_us: int) -> None:
        """Start a pass over these meters that is to end before the next one."""
        budget_us = interval_us * _BUSY_PERCENT // 100
        self._until_us = now_us + budget_us
        self._left = len(meters)
        self._passes += 1
        many = len(meters)
        if self._close_us:
            many = max(1, (budget_us - len(meters) * self._quick_us) // self._close_us)
        self._chosen = frozenset(sorted(meters, key=lambda meter: self._seen.get(meter, 0))[:many])

    def was_quick(self, *, took_us: int) -> None:
        """Note how long energy and status of one meter took."""
        self._left -= 1
        self._quick_us = took_us if not self._quick_us else (3 * self._quick_us + took_us) // 4

    def may_look(self, *, meter: int, now_us: int) -> bool:
        """Say whether there is time for a closer look at this meter."""
        need_us = self._left * self._quick_us + self._close_us
        return meter in self._chosen and (now_us + need_us <= self._until_us or self._close_us == 0)

    def was_close(self, *, meter: int, took_us: int) -> None:
        """Note how long it took."""
        self._seen[meter] = self._passes
        self._close_us = took_us if not self._close_us else (3 * self._close_us + took_us) // 4

"""How much wider than the paths the range must be so that eight of ten cases fall into it: conformal, by horizon.

Paths repeat the past, and the future is not quite it: their own tenths hold about half of all cases. For each horizon
and length of history it was measured how far the truth lay from the middle, in units of the distance of the tenth from
the middle and a little of the middle itself; the factor that held nine of ten cases on each side is kept (split
conformal prediction: Vovk, Gammerman, Shafer 2005; Lei et al. 2018). `python -m benchmarks days_left` measures it
again, always on homes other than those it judges, and says how far the factors in force are from that.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

import numpy as np

from fairwatt.core.insight.ahead.use import DAYS_AHEAD, Ints

HORIZONS: Final = (1, 2, 3, 5, 7, 10, 14, 21, 28, 42, 60)
HISTORIES: Final = (3, 7, 14, 28, 56)
"""Days of history; a home in between is treated like one with less."""
PER: Final = 1_000
OF_MIDDLE: Final = 80
"""Per mille of the middle in each unit: homes that were even so far are not believed to stay so."""


@dataclass(frozen=True, slots=True)
class Widening:
    """Factors in per mille, one row for each of ``HISTORIES``, one entry for each of ``HORIZONS``."""

    low: tuple[tuple[int, ...], ...]
    high: tuple[tuple[int, ...], ...]

    def of(self, *, history: int) -> tuple[Ints, Ints]:
        """Factors below and above the middle for each day ahead, after so much history."""
        row = max(0, bisect_right(HISTORIES, history) - 1)
        return _by_day(self.low[row]), _by_day(self.high[row])


def _by_day(factors: tuple[int, ...]) -> Ints:
    days = np.arange(1, DAYS_AHEAD + 1)
    return np.rint(np.interp(days, HORIZONS, factors)).astype(np.int64)


def unit_of(*, tenth: Ints, mid: Ints) -> Ints:
    """What distances from the middle are measured in, on the side of one tenth."""
    unit: Ints = np.abs(tenth - mid) + np.abs(mid) * OF_MIDDLE // PER
    return unit


def widened(*, low: Ints, mid: Ints, high: Ints, history: int, by: Widening) -> tuple[Ints, Ints]:
    """The tenths (rows, days) at their distance from the middle; running totals stay running totals."""
    below, above = by.of(history=history)
    days = mid.shape[1]
    lower = mid - unit_of(tenth=low, mid=mid) * below[:days] // PER
    upper = mid + unit_of(tenth=high, mid=mid) * above[:days] // PER
    lower = np.minimum(np.maximum.accumulate(lower, axis=1), mid)
    return lower, np.maximum(np.maximum.accumulate(upper, axis=1), mid)

"""The use of the days to come: the home's level, damped back to its long mean, times weeks it has lived already.

All numbers are whole: Wh, and ratios in 1/65536. Days are columns, newest last.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.insight.ahead.picks import PATHS, Words

DAYS_BACK: Final = 56
DAYS_AHEAD: Final = 60
DAYS_TO_SPEAK: Final = 3
WEEK: Final = 7
UNKNOWN: Final = -1
"""A day of which nothing is known: before the home began, without readings, or dark."""
_ONE: Final = 1 << 16
_MOST: Final = 32 * _ONE
_PER: Final = 1 << 10
_LEVEL_MAX: Final = 1 << 29
"""Half a GWh a day: beyond it the product with ratio and habit would not fit 64 bits."""
_FOUR_WEEKS: Final = 28
_AROUND: Final = 14
# How much a day weighs in today's level: seven tenths of the day after it. How long a difference between today's level
# and the long mean lasts: nine tenths of it a day. Both are on a plateau: half or twice as fast costs a few per mille.
_RECENT: Final = np.array([int((1 << 20) * 0.7**age) for age in range(_FOUR_WEEKS)][::-1], dtype=np.int64)
_LASTING: Final = np.array([int(_PER * 0.9 ** (day + 1)) for day in range(DAYS_AHEAD)], dtype=np.int64)

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def history_of(energy_wh: Ints) -> Ints:
    """For each row the days from the first known one on: how much history there is (0 when nothing is known)."""
    known = energy_wh >= 0
    first = np.argmax(known, axis=1)
    length: Ints = np.where(known.any(axis=1), energy_wh.shape[1] - first, 0)
    return length


def use_ahead(*, energy_wh: Ints, kinds: Ints, kinds_ahead: Ints, drawn: Words) -> Ints:
    """Wh of every day ahead on every path: (rows, days ahead, paths).

    ``energy_wh`` is (rows, 56), ``UNKNOWN`` where nothing is known; every row has the same ``history_of``, at least
    one day. ``kinds`` and ``kinds_ahead`` are weekdays (0 Monday; a holiday is a Sunday, 6). ``drawn``: ``picks``.
    """
    length = int(history_of(energy_wh[:1])[0])
    known = energy_wh >= 0
    habit = _habit(energy_wh, known, kinds)
    plain = np.where(known, energy_wh * _PER // habit[:, kinds], 0)
    level = _level(plain, known)
    ratio = _ratio(plain, known)
    scale = level[:, : kinds_ahead.size] * habit[:, kinds_ahead]
    lived = np.take(ratio, _lived(length, kinds_ahead.size, drawn), axis=1)
    lived *= scale[:, :, None]
    lived >>= 26
    return lived


def block_of(length: int) -> int:
    """How many days in a row a path repeats: a week, or less while there are not three of them."""
    return WEEK if length >= 3 * WEEK else max(1, length // 3)


def _lived(length: int, days: int, drawn: Words) -> Ints:
    """Which day of the past each path repeats on each day ahead."""
    block = block_of(length)
    starts = np.uint64(length - block + 1)
    day = np.arange(days)
    begin = (drawn[day // block, :PATHS] * starts) >> np.uint64(32)
    places: Ints = DAYS_BACK - length + begin.astype(np.int64) + (day % block)[:, None]
    return places


def _mean(values: Ints, known: Bools) -> Ints:
    """Of each row, over its known days; 0 where none is."""
    count = known.sum(axis=1)
    mean: Ints = np.where(known, values, 0).sum(axis=1) // np.maximum(count, 1)
    return mean


def _habit(energy_wh: Ints, known: Bools, kinds: Ints) -> Ints:
    """How a weekday differs from the mean day, in 1/1024, half believed; alike before four weeks are known."""
    mean = _mean(energy_wh, known)
    enough = known.sum(axis=1) >= _FOUR_WEEKS
    habit = np.full((energy_wh.shape[0], WEEK), _PER, dtype=np.int64)
    for kind in range(WEEK):
        of_kind = known & (kinds == kind)
        seen = enough & (of_kind.sum(axis=1) >= 3) & (mean > 0)
        ratio = _mean(energy_wh, of_kind) * _PER // np.maximum(mean, 1)
        habit[:, kind] = np.where(seen, np.clip(_PER + (ratio - _PER) // 2, _PER // 4, 4 * _PER), _PER)
    return habit


def _level(plain: Ints, known: Bools) -> Ints:
    """The expected use of each day ahead without its weekday: (rows, days)."""
    month, seen = plain[:, -_FOUR_WEEKS:], known[:, -_FOUR_WEEKS:]
    whole = _mean(plain, known)
    slow = (np.where(seen.any(axis=1), _mean(month, seen), whole) + whole) // 2
    weights = np.where(seen, _RECENT, 0)
    fast = (np.where(seen, month, 0) * weights).sum(axis=1) // np.maximum(weights.sum(axis=1), 1)
    # A party is no new life: today's level is believed up to three times the long one.
    fast = np.where(seen.any(axis=1), np.minimum(fast, 3 * slow), slow)
    level: Ints = slow[:, None] + (fast - slow)[:, None] * _LASTING // _PER
    return np.minimum(level, _LEVEL_MAX)


def _ratio(plain: Ints, known: Bools) -> Ints:
    """Each past day beside the four weeks around it, so that a past winter is not mistaken for restlessness."""
    total = np.cumsum(np.pad(np.where(known, plain, 0), ((0, 0), (1, 0))), axis=1)
    count = np.cumsum(np.pad(known, ((0, 0), (1, 0))), axis=1)
    day = np.arange(plain.shape[1])
    begin, end = np.maximum(day - _AROUND, 0), np.minimum(day + _AROUND, plain.shape[1])
    around = (total[:, end] - total[:, begin]) // np.maximum(count[:, end] - count[:, begin], 1)
    around = np.maximum(around, _mean(plain, known)[:, None] // 20 + 1)
    ratio = np.minimum(plain * _ONE // around, _MOST)
    mean = _mean(ratio, known)[:, None]
    evened = np.where(mean > 0, ratio * _ONE // np.maximum(mean, 1), _ONE)
    out: Ints = np.where(known, np.minimum(evened, _MOST), _ONE)
    return out

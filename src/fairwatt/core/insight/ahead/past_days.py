"""Which past days tell how a home lives: dark ones do not, and what a silent meter told at once is spread."""

from __future__ import annotations

import numpy as np

from fairwatt.core.insight.ahead.use import UNKNOWN, Ints

_DARK = 4


def known_days(*, energy_wh: Ints, close_micro: Ints) -> Ints:
    """Clean days, (rows, days), newest last, ``UNKNOWN`` where nothing was read; ``close_micro`` is where they ended.

    A day that ended without credit and with less than a quarter of the usual use was dark: nobody chose it. A day after
    days without readings holds their use, too: it is spread evenly over them.
    """
    clean = _spread(energy_wh)
    usual = np.array([np.median(row[row >= 0]) if (row >= 0).any() else 0 for row in clean])
    dark = (close_micro <= 0) & (clean >= 0) & (clean * _DARK < usual[:, None])
    out: Ints = np.where(dark, UNKNOWN, clean)
    return out


def _spread(energy_wh: Ints) -> Ints:
    """Use that was read after a gap, over the gap."""
    out = energy_wh.copy()
    waiting = np.zeros(out.shape[0], dtype=np.int64)
    begun = np.zeros(out.shape[0], dtype=np.bool_)
    for day in range(out.shape[1]):
        known = energy_wh[:, day] >= 0
        for row in np.flatnonzero(known & begun & (waiting > 0)).tolist():
            gap = int(waiting[row])
            out[row, day - gap : day + 1] = energy_wh[row, day] // (gap + 1)
        waiting = np.where(known, 0, waiting + 1)
        begun |= known
    return out

"""A short gap: a straight line between its neighbours."""

from __future__ import annotations

from typing import Final

from fairwatt.core.metering.vee.model import Series
from fairwatt.core.spans import Span
from fairwatt.core.units import US_PER_HOUR

GAP_MAX_US: Final = 2 * US_PER_HOUR


def fill(series: Series, hole: Span) -> list[int] | None:
    """Values on the line from the interval before to the one after, or None: too long, or no neighbour."""
    step_us = series.case.step_us
    before, after = series.wh.get(hole.start_us - step_us), series.wh.get(hole.end_us)
    if before is None or after is None or hole.end_us - hole.start_us > GAP_MAX_US:
        return None
    steps = (hole.end_us - hole.start_us) // step_us + 1
    # Half a Wh up, so that the line is not always below itself.
    return [(2 * (before * (steps - k) + after * k) + steps) // (2 * steps) for k in range(1, steps)]

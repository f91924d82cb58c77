"""Stretches of one and the same value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fairwatt.core.metering.vee.model import Series

RUN_MIN: Final = 3


def equal_runs(series: Series) -> Iterator[tuple[int, int, int]]:
    """(start, end, Wh) of every stretch of three or more equal values without a hole."""
    step_us, wh = series.case.step_us, series.wh
    start_us = before_us = None
    for at_us in sorted(wh):
        goes_on = before_us is not None and at_us == before_us + step_us and wh[at_us] == wh[before_us]
        if not goes_on:
            if (
                start_us is not None
                and before_us is not None
                and before_us - start_us >= (RUN_MIN - 1) * step_us
            ):
                yield start_us, before_us + step_us, wh[start_us]
            start_us = at_us
        before_us = at_us
    if start_us is not None and before_us is not None and before_us - start_us >= (RUN_MIN - 1) * step_us:
        yield start_us, before_us + step_us, wh[start_us]

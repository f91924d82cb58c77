"""The usual shape of a home's day, where the meter's own past says too little.

The shape is that of 143 London homes in 2013 (contains data from UK Power Networks' Low Carbon London project,
CC BY 4.0): the share of each half hour in a mean day, in ten-thousandths, for working days and days off.
"""

from __future__ import annotations

from typing import Final

from fairwatt.core.metering.vee.model import Series
from fairwatt.core.spans import Span, date_start
from fairwatt.core.units import US_PER_HOUR

HALF_HOUR_US: Final = US_PER_HOUR // 2
WORKING_DAY: Final = (
    *(199, 173, 157, 147, 140, 133, 126, 123, 124, 130, 131, 144, 154, 170, 187, 198),
    *(208, 221, 212, 210, 204, 203, 202, 206, 204, 205, 201, 200, 197, 200, 205, 215),
    *(234, 251, 265, 284, 295, 306, 308, 305, 298, 292, 284, 273, 252, 232, 207, 183),
)
DAY_OFF: Final = (
    *(204, 178, 160, 149, 140, 131, 123, 120, 120, 121, 121, 123, 129, 138, 147, 167),
    *(188, 210, 215, 217, 223, 226, 228, 228, 233, 229, 232, 228, 223, 221, 227, 233),
    *(243, 258, 267, 279, 291, 296, 297, 293, 285, 279, 269, 262, 244, 223, 200, 180),
)


def fill(series: Series, hole: Span) -> list[int] | None:
    """The shape at the height of the meter's mean interval; always has an answer where one value is known."""
    if not series.wh:
        return None
    total_wh, count = sum(series.wh.values()), len(series.wh)
    filled = []
    for at_us in range(hole.start_us, hole.end_us, series.case.step_us):
        day, off = series.like(at_us)
        shape = DAY_OFF if off else WORKING_DAY
        slot = (at_us - date_start(zone=series.case.zone, day=day)) // HALF_HOUR_US
        share = shape[min(slot, len(shape) - 1)]
        filled.append(total_wh * share * len(shape) // (count * sum(shape)))
    return filled

"""The device's clock: by how much it was off is told with the data, not guessed from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fairwatt.core.metering.vee.model import Defect, Effect, Rows, Rule
from fairwatt.core.units import US_PER_SECOND

OFFSET_MAX_US: Final = 120 * US_PER_SECOND
"""The gateways' own limit: beyond it readings wait for the clock to be set."""


def _find(rows: Rows) -> Iterator[Defect]:
    case = rows.case
    if abs(case.clock_offset_us) > OFFSET_MAX_US:
        for row in rows.used:
            detail = f"the device's clock was off by {case.clock_offset_us // US_PER_SECOND} s"
            yield case.defect(RULE.id, RULE.effect, row, detail)


RULE = Rule(
    id="clock_offset",
    effect=Effect.SET_ASIDE,
    meaning="The device's clock was off by more than two minutes, so nobody knows when this was used. Not used.",
    find=_find,
)

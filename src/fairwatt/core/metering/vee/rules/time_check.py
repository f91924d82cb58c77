"""The stamp's time: an interval that is not over yet cannot have been measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fairwatt.core.metering.vee.model import Defect, Effect, Rows, Rule
from fairwatt.core.units import US_PER_MINUTE

SLACK_US: Final = 2 * US_PER_MINUTE
"""What a device's clock may be ahead; the door for readings allows the same."""


def _find(rows: Rows) -> Iterator[Defect]:
    case = rows.case
    for row in rows.used:
        if row.at_us + case.step_us > case.now_us + SLACK_US:
            yield case.defect(RULE.id, RULE.effect, row, "the interval ends in the future")


RULE = Rule(
    id="time_check",
    effect=Effect.SET_ASIDE,
    meaning="The interval ends in the future: the device's clock is wrong. It is not used.",
    find=_find,
)

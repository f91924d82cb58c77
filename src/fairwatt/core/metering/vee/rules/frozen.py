"""The same use three times and more, and not nothing: a device that repeats itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fairwatt.core.metering.vee.equal_runs import equal_runs
from fairwatt.core.metering.vee.model import Defect, Effect, Rule, Series

STEPS_MIN: Final = 20
"""Of a use of few steps of the register three equal values are nothing odd: a fridge looks so on a 10 Wh register."""


def _find(series: Series) -> Iterator[Defect]:
    for start_us, end_us, wh in equal_runs(series):
        if wh >= STEPS_MIN * series.case.resolution_wh:
            count = (end_us - start_us) // series.case.step_us
            yield series.defect(RULE.id, RULE.effect, start_us, end_us, f"{wh} Wh {count} times in a row")


RULE = Rule(
    id="frozen",
    effect=Effect.KEPT,
    meaning="The same value again and again, and not zero: the device may be stuck. It is used; a person may look.",
    find=_find,
)

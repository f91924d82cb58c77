"""Nothing used three times and more: a value like any other, unlike a hole."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.equal_runs import equal_runs
from fairwatt.core.metering.vee.model import Defect, Effect, Rule, Series


def _find(series: Series) -> Iterator[Defect]:
    for start_us, end_us, wh in equal_runs(series):
        if not wh:
            count = (end_us - start_us) // series.case.step_us
            yield series.defect(
                RULE.id, RULE.effect, start_us, end_us, f"nothing used {count} times in a row"
            )


RULE = Rule(
    id="true_zero",
    effect=Effect.KEPT,
    meaning="Nothing was used for a while. Zero is a value; it is used, and a person may look.",
    find=_find,
)

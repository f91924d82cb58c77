"""A local day has as many intervals as its hours: 23 or 25 of them where clocks change."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rule, Series


def _find(series: Series) -> Iterator[Defect]:
    step_us = series.case.step_us
    holes = set(series.missing)
    for day in series.days():
        expected = (day.end_us - day.start_us) // step_us
        absent = sum(at_us in holes for at_us in range(day.start_us, day.end_us, step_us)) if holes else 0
        if absent:
            detail = f"{expected - absent} intervals of {expected}"
            yield series.defect(RULE.id, RULE.effect, day.start_us, day.end_us, detail)


RULE = Rule(
    id="interval_count",
    effect=Effect.KEPT,
    meaning="The day does not have as many intervals as it has hours. What is there is used.",
    find=_find,
)

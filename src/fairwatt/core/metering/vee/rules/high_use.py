"""A day of more than three times the meter's middling day."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.day_use import unusual_days
from fairwatt.core.metering.vee.model import Defect, Effect, Rule, Series


def _find(series: Series) -> Iterator[Defect]:
    for day, wh, usual_wh in unusual_days(series):
        if wh > 3 * usual_wh > 0:
            detail = f"{wh} Wh on the day, {usual_wh} Wh on a middling one"
            yield series.defect(RULE.id, RULE.effect, day.start_us, day.end_us, detail)


RULE = Rule(
    id="high_use",
    effect=Effect.KEPT,
    meaning="A day of more than three times the usual use. It is used; a person may look.",
    find=_find,
)

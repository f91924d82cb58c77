"""A peak far above the day's third peak (California VEE: (peak - third) / third > 1.8)."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rule, Series


def _find(series: Series) -> Iterator[Defect]:
    for day in series.days():
        ordered = sorted(((wh, at_us) for at_us, wh in series.of(day)), reverse=True)
        if len(ordered) < 3:
            continue
        (peak_wh, at_us), (third_wh, _) = ordered[0], ordered[2]
        if (peak_wh - third_wh) * 10 > 18 * third_wh:
            end_us = at_us + series.case.step_us
            detail = f"{peak_wh} Wh, the day's third peak is {third_wh} Wh"
            yield series.defect(RULE.id, RULE.effect, at_us, end_us, detail)


RULE = Rule(
    id="spike",
    effect=Effect.KEPT,
    meaning="One interval stands far above the rest of its day. It is used; a person may look.",
    find=_find,
)

"""Supply known to be off: what was measured is true, and says nothing about other days."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rule, Series


def _find(series: Series) -> Iterator[Defect]:
    for out in series.case.outages:
        if out.start_us < series.span.end_us and out.end_us > series.span.start_us:
            detail = "the supply was off; the day is not taken to estimate others"
            yield series.defect(RULE.id, RULE.effect, out.start_us, out.end_us, detail)


RULE = Rule(
    id="outage",
    effect=Effect.KEPT,
    meaning="The supply was off. The values are true, and the day is not used to estimate other days.",
    find=_find,
)

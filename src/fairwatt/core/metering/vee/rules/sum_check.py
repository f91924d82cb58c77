"""The intervals between two register readings add up to what the register says, within one step of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from fairwatt.core.metering.vee.model import Defect, Effect, Rule, Series
from fairwatt.core.spans import Span


def _find(series: Series) -> Iterator[Defect]:
    case = series.case
    for before, after in pairwise(series.registers()):
        span = Span(before.at_us, after.at_us)
        known = series.of(span)
        if not known or len(known) * case.step_us != span.end_us - span.start_us:
            continue  # a hole inside: the estimate is scaled to the register instead
        total_wh, register_wh = sum(wh for _, wh in known), after.wh - before.wh
        if abs(total_wh - register_wh) > case.resolution_wh:
            detail = f"intervals say {total_wh} Wh, the register says {register_wh} Wh"
            yield series.defect(RULE.id, RULE.effect, span.start_us, span.end_us, detail)


RULE = Rule(
    id="sum_check",
    effect=Effect.KEPT,
    meaning="The intervals do not add up to the register. The register is what is charged.",
    find=_find,
)

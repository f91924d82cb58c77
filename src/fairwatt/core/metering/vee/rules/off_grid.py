"""The stamp's place: every interval begins on the file's grid."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rows, Rule


def _find(rows: Rows) -> Iterator[Defect]:
    case = rows.case
    for row in rows.case.rows:
        off_us = row.at_us % case.step_us
        if off_us:
            detail = f"{off_us // 1_000_000} s after a step of {case.step_us // 60_000_000} minutes"
            yield case.defect(RULE.id, RULE.effect, row, detail)


RULE = Rule(
    id="off_grid",
    effect=Effect.SET_ASIDE,
    meaning="The stamp lies between two intervals, so it is not known which one is meant. It is not used.",
    find=_find,
)

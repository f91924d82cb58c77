"""Intervals between the first and the last that nobody sent, or that were set aside."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rule, Series


def _find(series: Series) -> Iterator[Defect]:
    step_us = series.case.step_us
    for run in series.runs(series.missing):
        count = (run.end_us - run.start_us) // step_us
        yield series.defect(
            RULE.id, RULE.effect, run.start_us, run.end_us, f"{count} intervals without a value"
        )


RULE = Rule(
    id="gap",
    effect=Effect.ESTIMATED,
    meaning="Nothing is known of this time. It is estimated, marked as an estimate, and moves no balance.",
    find=_find,
)

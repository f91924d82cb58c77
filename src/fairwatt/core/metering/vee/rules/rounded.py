"""Finer than a watt-hour: rounded to the nearest, and said."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rows, Rule


def _find(rows: Rows) -> Iterator[Defect]:
    for row in rows.used:
        if row.note == "rounded":
            yield rows.case.defect(RULE.id, RULE.effect, row, f"{row.text} became {row.wh} Wh")


RULE = Rule(
    id="rounded",
    effect=Effect.KEPT,
    meaning="The value is finer than a watt-hour and was rounded to the nearest one.",
    find=_find,
)

"""The meter's identity: values of another meter are nobody's business here."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rows, Rule


def _find(rows: Rows) -> Iterator[Defect]:
    case = rows.case
    for row in rows.used:
        if case.meter and row.meter != case.meter:
            yield case.defect(
                RULE.id, RULE.effect, row, f"is of {row.meter or 'no meter'}, not of {case.meter}"
            )


RULE = Rule(
    id="meter_id",
    effect=Effect.SET_ASIDE,
    meaning="The row names another meter. It is not used.",
    find=_find,
)

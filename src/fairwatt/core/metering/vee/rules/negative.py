"""Use below nothing: a consumption register cannot run backward."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rows, Rule


def _find(rows: Rows) -> Iterator[Defect]:
    for row in rows.case.rows:
        if row.wh is not None and row.wh < 0:
            yield rows.case.defect(RULE.id, RULE.effect, row, f"{row.wh} Wh")


RULE = Rule(
    id="negative",
    effect=Effect.SET_ASIDE,
    meaning="The home would have used less than nothing. The value is not used.",
    find=_find,
)

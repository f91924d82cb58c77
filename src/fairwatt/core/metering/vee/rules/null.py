"""A row without a number: the London files write "Null", others an empty cell."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rows, Rule


def _find(rows: Rows) -> Iterator[Defect]:
    for row in rows.case.rows:
        if row.wh is None:
            yield rows.case.defect(RULE.id, RULE.effect, row, f"says {row.text!r}")


RULE = Rule(
    id="null",
    effect=Effect.SET_ASIDE,
    meaning="The row holds no number. It is not read as zero; the interval is a gap.",
    find=_find,
)

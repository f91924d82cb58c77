"""More than the connection can carry in the time: another unit, or a broken value."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rows, Rule


def _find(rows: Rows) -> Iterator[Defect]:
    limit_wh = rows.case.limit_wh
    if limit_wh is None:
        return
    for row in rows.used:
        if row.wh is not None and row.wh > limit_wh:
            yield rows.case.defect(
                RULE.id, RULE.effect, row, f"{row.wh} Wh, and {limit_wh} Wh are the most it can be"
            )


RULE = Rule(
    id="over_limit",
    effect=Effect.SET_ASIDE,
    meaning="More energy than the connection can carry in that time. The value is not used.",
    find=_find,
)

"""One instant twice with one value: the file repeats itself."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rows, Rule


def _find(rows: Rows) -> Iterator[Defect]:
    first: dict[tuple[int, int | None], int] = {}
    for row in rows.used:
        known = first.setdefault((row.at_us, row.wh), row.number)
        if known != row.number:
            yield rows.case.defect(RULE.id, RULE.effect, row, f"the same as row {known}")


RULE = Rule(
    id="duplicate_equal",
    effect=Effect.DROPPED,
    meaning="The same value for the same time stands there twice. It counts once.",
    find=_find,
)

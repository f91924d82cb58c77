"""One instant with two values: which is true cannot be guessed, so neither is used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Row, Rows, Rule


def _find(rows: Rows) -> Iterator[Defect]:
    at: dict[int, list[Row]] = defaultdict(list)
    for row in rows.used:
        at[row.at_us].append(row)
    for twins in at.values():
        if len(twins) > 1:
            said = " and ".join(f"{row.wh} Wh in row {row.number}" for row in twins)
            for row in twins:
                yield rows.case.defect(RULE.id, RULE.effect, row, said)


RULE = Rule(
    id="duplicate_different",
    effect=Effect.SET_ASIDE,
    meaning="Two different values for the same time. Neither is used until a person decides.",
    find=_find,
)

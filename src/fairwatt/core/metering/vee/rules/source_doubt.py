"""The sender's own doubt (ESPI quality 10, "questionable")."""

from __future__ import annotations

from collections.abc import Iterator

from fairwatt.core.metering.vee.model import Defect, Effect, Rows, Rule


def _find(rows: Rows) -> Iterator[Defect]:
    for row in rows.used:
        if row.note == "doubted":
            yield rows.case.defect(RULE.id, RULE.effect, row, f"the sender doubts {row.text or row.wh}")


RULE = Rule(
    id="source_doubt",
    effect=Effect.KEPT,
    meaning="The sender itself calls the value questionable. It is used; a person may look.",
    find=_find,
)

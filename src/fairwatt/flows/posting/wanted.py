"""What waits to be set right by the poster, and what the corrections of a batch came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fairwatt.flows.posting.reworking import Reworked
from fairwatt.store.posting import EventRow, FactAnswer

WANTED_MAX: Final = 100


class CannotCorrect(ValueError):
    """A correction that cannot be posted; `code` says why, and nothing moves."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A fact that asks for a register to be rated again."""

    fact: int
    kind: str
    content: Mapping[str, Any]


@dataclass(kw_only=True)
class Corrected:
    """What the corrections of a batch came to."""

    reworked: list[Reworked] = field(default_factory=list)
    answers: list[FactAnswer] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    reload: bool = False
    more: bool = False
    """some are left to the next batch"""
    finished: set[int] = field(default_factory=set)
    """facts of tariff corrections that reached every register"""

    def refuse(self, wanted: Wanted, error: CannotCorrect, now_us: int) -> None:
        """Answer a fact with the reason why nothing moved."""
        result = {"code": error.code, "detail": str(error)}
        self.answers.append(FactAnswer(fact=wanted.fact, state="refused", result=result))
        evidence = {"fact": wanted.fact, "detail": str(error)}
        self.events.append(EventRow(kind="fact.refused", at_us=now_us, reason=error.code, evidence=evidence))


def wanted_of(*, cursor: Any, book: int) -> list[Wanted]:
    """The waiting facts that ask for a register to be rated again, oldest first."""
    cursor.execute(
        "SELECT id, kind, payload FROM fact WHERE book = %s AND state = 'waiting' "
        "AND kind IN ('reading_edit', 'tariff_correction') ORDER BY id LIMIT %s",
        [book, WANTED_MAX],
    )
    found = []
    for fact, kind, payload in cursor.fetchall():
        content = json.loads(payload) if isinstance(payload, str) else payload
        found.append(
            Wanted(fact=int(fact), kind=kind, content=content if isinstance(content, Mapping) else {})
        )
    return found

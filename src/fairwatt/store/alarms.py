"""What gateways told of alarms and protective cuts, and what the desk said to it: rows of `event`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection

RAISED: Final = "gateway.alarm_raised"
CLEARED: Final = "gateway.alarm_cleared"
CUT: Final = "gateway.safety_cut"
RELEASED: Final = "gateway.safety_released"
SEEN: Final = "desk.alarm_seen"
PAGE: Final = 100


@dataclass(kw_only=True)
class AlarmRow:
    """One alarm from the event that raised it on: what was measured, when it was over, who has seen it."""

    event: int
    gateway: int
    meter: int
    wallet: int | None
    code: str
    raised_us: int
    evidence: dict[str, Any] = field(default_factory=dict)
    cleared_us: int | None = None
    seen_us: int | None = None
    seen_by: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether the gateway has not said that it is over."""
        return self.cleared_us is None


@dataclass(frozen=True, kw_only=True)
class HoldRow:
    """A relay that safety keeps open: why, since when, until when (``None``: until a person comes)."""

    gateway: int
    meter: int
    wallet: int | None
    code: str
    since_us: int
    until_us: int | None


def held_open(*, book: int) -> set[tuple[int, int]]:
    """(gateway id, meter number) of every relay that safety keeps open, as far as gateways have told."""
    return {(hold.gateway, hold.meter) for hold in holds(book=book)}


def holds(*, book: int) -> list[HoldRow]:
    """The protective cuts of a book that have not ended, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT gateway, meter, wallet, reason, at_us, evidence->'until_us' FROM ("
            "  SELECT DISTINCT ON (gateway, meter) * FROM event WHERE book = %s AND meter IS NOT NULL "
            "  AND kind IN ('gateway.safety_cut', 'gateway.safety_released') ORDER BY gateway, meter, id DESC"
            ") newest WHERE kind = 'gateway.safety_cut' ORDER BY id",
            [book],
        )
        return [
            HoldRow(
                gateway=int(gateway),
                meter=int(meter),
                wallet=None if wallet is None else int(wallet),
                code=code,
                since_us=int(at_us),
                until_us=_whole(until_us),
            )
            for gateway, meter, wallet, code, at_us, until_us in cursor.fetchall()
        ]


def alarms(
    *,
    book: int,
    code: str = "",
    state: str = "",
    meter: tuple[int, int] | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[AlarmRow]:
    """Alarms of a book, newest first; of one code, one meter, or only `open`, `closed` or `unseen` ones."""
    where = ["r.book = %s", "r.kind = %s", "r.meter IS NOT NULL"]
    given: list[int | str] = [book, RAISED]
    if code:
        where.append("r.reason = %s")
        given.append(code)
    if meter is not None:
        where.append("r.gateway = %s AND r.meter = %s")
        given += meter
    if before is not None:
        where.append("r.id < %s")
        given.append(before)
    having = {"open": "c.id IS NULL", "closed": "c.id IS NOT NULL", "unseen": "s.id IS NULL"}.get(state)
    if having:
        where.append(having)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id, r.gateway, r.meter, r.wallet, r.reason, r.at_us, r.evidence, c.at_us, s.at_us, "
            "(s.evidence->>'author')::bigint FROM event r "
            "LEFT JOIN LATERAL (SELECT id, at_us FROM event WHERE book = r.book AND kind = 'gateway.alarm_cleared' "
            "  AND gateway = r.gateway AND meter = r.meter AND reason = r.reason AND id > r.id ORDER BY id LIMIT 1"
            ") c ON true "
            "LEFT JOIN LATERAL (SELECT id, at_us, evidence FROM event WHERE book = r.book AND kind = 'desk.alarm_seen' "
            "  AND (evidence->>'event')::bigint = r.id ORDER BY id LIMIT 1) s ON true "
            f"WHERE {' AND '.join(where)} ORDER BY r.id DESC LIMIT %s",
            [*given, limit],
        )
        return [_alarm(row) for row in cursor.fetchall()]


def alarm(*, book: int, event: int) -> AlarmRow | None:
    """The alarm that an event of this book raised, if it did."""
    return next((row for row in alarms(book=book, before=event + 1, limit=1) if row.event == event), None)


def refusals(*, book: int, hold: HoldRow) -> int:
    """How often the gateway refused to end a hold since it began: each refusal may be asked again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM event WHERE book = %s AND kind = 'gateway.safety_reset_refused' "
            "AND gateway = %s AND meter = %s AND at_us >= %s",
            [book, hold.gateway, hold.meter, hold.since_us],
        )
        return int(cursor.fetchone()[0])


def resets_before(*, book: int, key: str, before_us: int) -> int:
    """How many words of the desk for one hold are older than an instant."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM fact WHERE book = %s AND kind = 'safety_reset' AND created_us <= %s "
            "AND starts_with(natural_key, %s)",
            [book, before_us, f"{key}:"],
        )
        return int(cursor.fetchone()[0])


def open_count(*, book: int) -> int:
    """How many alarms are open that nobody has seen yet."""
    return sum(row.is_open for row in alarms(book=book, state="unseen", limit=PAGE))


def _alarm(row: Sequence[Any]) -> AlarmRow:
    event, gateway, meter, wallet, code, raised_us, evidence, cleared_us, seen_us, seen_by = row
    return AlarmRow(
        event=int(event),
        gateway=int(gateway),
        meter=int(meter),
        wallet=wallet,
        code=code,
        raised_us=int(raised_us),
        evidence=_plain(evidence),
        cleared_us=cleared_us,
        seen_us=seen_us,
        seen_by=seen_by,
    )


def _plain(evidence: Any) -> dict[str, Any]:
    return json.loads(evidence) if isinstance(evidence, str) else dict(evidence)


def _whole(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None

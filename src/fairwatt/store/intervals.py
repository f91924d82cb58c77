"""Interval values in versions, findings, and deeds of the desk: every statement that writes or reads them in bulk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from fairwatt.core.metering.vee.model import Defect, Row, Status, Value


def lock_meter(*, cursor: Any, meter: int) -> None:
    """Let one transaction at a time make versions of a meter's values."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('interval_value', %s))", [meter])


def newest(*, cursor: Any, meter: int, from_us: int, to_us: int) -> dict[int, tuple[Value, int]]:
    """The value in force of each known interval that begins in a span, with its version."""
    cursor.execute(
        "SELECT DISTINCT ON (at_us) at_us, wh, status, rule, version FROM interval_value "
        "WHERE meter = %s AND at_us >= %s AND at_us < %s ORDER BY at_us, version DESC",
        [meter, from_us, to_us],
    )
    return {
        int(at_us): (Value(int(at_us), int(wh), Status(status), rule), int(version))
        for at_us, wh, status, rule, version in cursor.fetchall()
    }


def add_versions(
    *,
    cursor: Any,
    book: int,
    meter: int,
    minutes: int,
    values: Sequence[tuple[Value, int]],
    import_id: int | None,
    author: int | None,
    reason: str = "",
    now_us: int,
) -> None:
    """Append values as the versions given with them."""
    cursor.execute(
        "INSERT INTO interval_value (meter, at_us, version, book, minutes, wh, status, rule, import, author, reason, "
        "made_us) SELECT %s, at_us, version, %s, %s, wh, status, rule, %s, %s, %s, %s FROM "
        "unnest(%s::bigint[], %s::int[], %s::bigint[], %s::text[], %s::text[]) AS v (at_us, version, wh, status, rule)",
        [
            *(meter, book, minutes, import_id, author, reason, now_us),
            [value.at_us for value, _ in values],
            [version for _, version in values],
            [value.wh for value, _ in values],
            [str(value.status) for value, _ in values],
            [value.rule for value, _ in values],
        ],
    )


def add_raw(
    *, cursor: Any, book: int, import_id: int, rows: Sequence[Row], unread: Iterable[tuple[int, str]]
) -> None:
    """Append the rows of a file as they were sent; `unread`: (row, what is wrong) of those that gave no interval."""
    bad = list(unread)
    cursor.execute(
        "INSERT INTO interval_raw (import, row, book, at_us, wh, status, text) "
        "SELECT %s, row, %s, at_us, wh, status, text FROM "
        "unnest(%s::int[], %s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS r (row, at_us, wh, status, text)",
        [
            *(import_id, book),
            [*(row.number for row in rows), *(number for number, _ in bad)],
            [*(row.at_us for row in rows), *(None for _ in bad)],
            [*(row.wh for row in rows), *(None for _ in bad)],
            [*(str(row.status) for row in rows), *("?" for _ in bad)],
            [*(row.text for row in rows), *(detail for _, detail in bad)],
        ],
    )


def add_defects(
    *, cursor: Any, book: int, meter: int, import_id: int | None, defects: Sequence[Defect], now_us: int
) -> int:
    """Append findings that are not known yet; return how many were new."""
    cursor.execute(
        "INSERT INTO interval_defect (book, meter, import, rule, effect, at_us, end_us, row, detail, seen_us) "
        "SELECT %s, %s, %s, rule, effect, at_us, end_us, row, detail, %s FROM unnest(%s::text[], %s::text[], "
        "%s::bigint[], %s::bigint[], %s::int[], %s::text[]) AS d (rule, effect, at_us, end_us, row, detail) "
        "ON CONFLICT DO NOTHING",
        [
            *(book, meter, import_id, now_us),
            [defect.rule for defect in defects],
            [str(defect.effect) for defect in defects],
            [defect.at_us for defect in defects],
            [defect.end_us for defect in defects],
            [defect.row for defect in defects],
            [defect.detail for defect in defects],
        ],
    )
    return int(cursor.rowcount)


def note_deed(
    *,
    cursor: Any,
    book: int,
    kind: str,
    author: int | None,
    now_us: int,
    meter: tuple[int, int] | None = None,
    wallet: int | None = None,
    reason: str = "",
    evidence: dict[str, Any] | None = None,
) -> None:
    """Write down what a person at the desk did, in the transaction that does it. `kind` begins with "desk."; `meter` is
    (gateway id, number). Nobody is the author of what the clock did."""
    cursor.execute(
        "INSERT INTO event (book, at_us, kind, wallet, gateway, meter, reason, rule, evidence, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, '', %s, 0)",
        [
            book,
            now_us,
            kind,
            wallet,
            *(meter or (None, None)),
            reason,
            json.dumps({"author": author, **(evidence or {})}),
        ],
    )

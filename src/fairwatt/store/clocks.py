"""What was measured of the gateways' clocks: sql/clocks.sql in statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection


class ClockRow(NamedTuple):
    """How far a gateway's clock was ahead of ours, from the batch in which it is written on."""

    gateway: int
    ahead_us: int


def insert_clocks(*, cursor: Any, book: int, batch: int, rows: Sequence[ClockRow], now_us: int) -> None:
    """Write what a batch learned of clocks, inside its transaction."""
    cursor.executemany(
        "INSERT INTO gateway_clock (book, gateway, batch, at_us, ahead_us) VALUES (%s, %s, %s, %s, %s)",
        [(book, row.gateway, batch, now_us, row.ahead_us) for row in rows],
    )


def newest_clocks(*, book: int) -> dict[int, int]:
    """{gateway: how far its clock was ahead of ours when last written}."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (gateway) gateway, ahead_us FROM gateway_clock WHERE book = %s "
            "ORDER BY gateway, batch DESC",
            [book],
        )
        return {int(gateway): int(ahead) for gateway, ahead in cursor.fetchall()}


def clock_at(*, cursor: Any, gateway: int, batch: int) -> int | None:
    """How far a gateway's clock was ahead of ours when a batch was posted; None where nobody wrote it down."""
    cursor.execute(
        "SELECT ahead_us FROM gateway_clock WHERE gateway = %s AND batch <= %s ORDER BY batch DESC LIMIT 1",
        [gateway, batch],
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])

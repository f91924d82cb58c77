"""Reading days of use, and lines the day cache has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from fairwatt.store.batches import newer_lines
from fairwatt.store.posting import LINE

_CHUNK: Final = 50_000
_COLUMNS: Final = ("wallet", "seq", "energy_wh", "amount_micro", "balance_micro", "kind")

Day = tuple[list[int | None], list[int | None], int]


def days(*, book: int, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Day]:
    """(slots_wh, slots_micro, close_micro) of those (wallet, day) that are cached."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.wallet, u.day_us, slots_wh, slots_micro, close_micro FROM use_day u "
            "JOIN unnest(%s::bigint[], %s::bigint[]) AS k(wallet, day_us) USING (wallet, day_us) WHERE book = %s",
            [[wallet for wallet, _ in keys], [day for _, day in keys], book],
        )
        return {(int(w), int(d)): (wh, micro, int(close)) for w, d, wh, micro, close in cursor.fetchall()}


def newest_days(*, book: int) -> dict[int, int]:
    """The newest cached day of each wallet that has one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT wallet, max(day_us) FROM use_day WHERE book = %s GROUP BY wallet", [book])
        return {int(wallet): int(day) for wallet, day in cursor.fetchall()}


def lines_since(*, book: int, batch: int) -> Iterator[npt.NDArray[Any]]:
    """The lines after a batch, in posting order, in chunks; only the columns that days are made of."""
    with transaction.atomic(), connection.cursor() as cursor:
        newer, parameters = newer_lines(cursor=cursor, book=book, after_batch=batch)
        cursor.execute(
            "DECLARE newer NO SCROLL CURSOR FOR SELECT (extract(epoch FROM ts) * 1000000)::bigint, wallet, seq, "
            "energy_wh, amount_micro, balance_micro, kind "
            f"FROM line WHERE {newer} ORDER BY batch, seq",
            parameters,
        )
        while True:
            cursor.execute(f"FETCH {_CHUNK} FROM newer")
            rows = cursor.fetchall()
            if not rows:
                return
            lines = np.zeros(len(rows), dtype=LINE)
            for name, values in zip(("ts", *_COLUMNS), zip(*rows, strict=True), strict=True):
                lines[name] = values
            yield lines

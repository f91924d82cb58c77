"""All readings of many registers at once, as arrays, and what moved their wallets besides: for looking back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind
from fairwatt.core.spans import to_datetime

Int64s = npt.NDArray[np.int64]

_US: Final = "(extract(epoch FROM ts) * 1000000)::bigint"
_READ: Final = [int(Kind.READING), int(Kind.LATE)]
_TRUE_UP: Final = 8
_PRICED: Final = [*_READ, int(Kind.CORRECTION), _TRUE_UP]
"""Lines that say what use cost; all others moved money for another reason."""


def register_totals(
    *, cursor: Any, book: int, installations: Sequence[int], from_us: int, until_us: int, until_batch: int
) -> dict[int, tuple[Int64s, Int64s]]:
    """(instants, register in Wh) of each installation, in time order: its readings as of a batch, edits applied."""
    # One value per register, packed by the server: a year of half hours is no object per row.
    cursor.execute(
        f"SELECT ref, string_agg(int8send({_US}) || int8send(register_wh), ''::bytea) FROM line "
        "WHERE book = %s AND kind = ANY(%s) AND ref = ANY(%s) AND ts > %s AND ts <= %s AND batch <= %s GROUP BY ref",
        [book, _READ, list(installations), to_datetime(from_us), to_datetime(until_us), until_batch],
    )
    packed_by = cursor.fetchall()
    edits = _edits(cursor, book, until_batch)
    found = {}
    for ref, packed in packed_by:
        pairs = np.frombuffer(packed, dtype=">i8").astype(np.int64).reshape(-1, 2)
        pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
        at, total = _standing(pairs[:, 0], pairs[:, 1], edits.get(int(ref), []))
        found[int(ref)] = (at, total)
    return found


def opening_balances(*, cursor: Any, book: int, at_us: int, until_batch: int) -> dict[int, int]:
    """What each wallet held at an instant, by the instants of its lines, as of a batch."""
    cursor.execute(
        "SELECT wallet, sum(amount_micro) FROM line WHERE book = %s AND ts <= %s AND batch <= %s GROUP BY wallet",
        [book, to_datetime(at_us), until_batch],
    )
    return {int(wallet): int(micro) for wallet, micro in cursor.fetchall()}


def other_moves(
    *, cursor: Any, book: int, from_us: int, until_us: int, until_batch: int
) -> dict[int, list[tuple[int, int]]]:
    """(instant, amount) of all that moved each wallet in a span but use: top-ups, fees, shares, adjustments."""
    cursor.execute(
        f"SELECT wallet, {_US}, amount_micro FROM line WHERE book = %s AND ts > %s AND ts <= %s AND batch <= %s "
        "AND NOT kind = ANY(%s) ORDER BY ts, wallet, seq",
        [book, to_datetime(from_us), to_datetime(until_us), until_batch, _PRICED],
    )
    moves: dict[int, list[tuple[int, int]]] = {}
    for wallet, at_us, micro in cursor.fetchall():
        moves.setdefault(int(wallet), []).append((int(at_us), int(micro)))
    return moves


def _edits(cursor: Any, book: int, until_batch: int) -> dict[int, list[tuple[int, int | None]]]:
    """(instant, register or None where it does not count) of what people said of readings, oldest first."""
    cursor.execute(
        "SELECT r.installation, f.payload FROM fact f JOIN rerating r ON r.fact = f.id "
        "WHERE f.book = %s AND f.kind = 'reading_edit' AND r.cause = 'edited' AND r.batch <= %s ORDER BY r.batch, f.id",
        [book, until_batch],
    )
    edits: dict[int, list[tuple[int, int | None]]] = {}
    for installation, payload in cursor.fetchall():
        said = json.loads(payload) if isinstance(payload, str) else payload
        wh = said["register_wh"]
        edits.setdefault(int(installation), []).append((int(said["at_us"]), None if wh is None else int(wh)))
    return edits


def _standing(at: Int64s, total: Int64s, edits: list[tuple[int, int | None]]) -> tuple[Int64s, Int64s]:
    for at_us, wh in edits:
        place = int(np.searchsorted(at, at_us))
        if place == len(at) or at[place] != at_us:
            continue
        if wh is None:
            at, total = np.delete(at, place), np.delete(total, place)
        else:
            total = total.copy()
            total[place] = wh
    return at, total

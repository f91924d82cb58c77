"""Reading the ledger back: what is known of a register, and what it was charged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairwatt.core.ledger.model import Kind

_US = "(extract(epoch FROM ts) * 1000000)::bigint"
"""PostgreSQL's extract(epoch) of a timestamptz is numeric, so microseconds come out exact."""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Where an installation began: instant, register and tier counter."""

    opened_us: int
    opening_wh: int
    opening_counter_wh: int


def readings_of(*, cursor: Any, book: int, installations: list[int]) -> dict[int, dict[int, int]]:
    """Return {installation: {at_us: register_wh}} of every reading in the ledger, the opening included."""
    cursor.execute(
        "SELECT id, opened_us, opening_wh FROM store_installation WHERE id = ANY(%s)", [installations]
    )
    known = {int(i): {int(at): int(wh)} for i, at, wh in cursor.fetchall()}
    cursor.execute(
        f"SELECT ref, {_US}, register_wh FROM line WHERE ref = ANY(%s) AND kind = ANY(%s) AND book = %s",
        [installations, [Kind.READING, Kind.LATE], book],
    )
    for installation, at, wh in cursor.fetchall():
        known[int(installation)][int(at)] = int(wh)
    return known


def opening_of(*, cursor: Any, installation: int) -> Opening:
    """Return where an installation began."""
    cursor.execute(
        "SELECT opened_us, opening_wh, opening_counter_wh FROM store_installation WHERE id = %s",
        [installation],
    )
    opened, wh, counter = cursor.fetchone()
    return Opening(opened_us=int(opened), opening_wh=int(wh), opening_counter_wh=int(counter))


def free_correction_instant(*, cursor: Any, book: int, installation: int, from_us: int) -> int:
    """Return the first microsecond from `from_us` on at which this installation has no correction yet.

    The clock may stand still between two batches, and the instant is part of a line's key.
    """
    cursor.execute(
        f"SELECT max({_US}) FROM line WHERE ref = %s AND kind = %s AND book = %s "
        "AND ts >= 'epoch'::timestamptz + %s * interval '1 microsecond'",
        [installation, Kind.CORRECTION, book, from_us],
    )
    (taken,) = cursor.fetchone()
    return from_us if taken is None else int(taken) + 1


def charged_to(*, cursor: Any, book: int, installation: int) -> tuple[int, int, int]:
    """Return what an installation was charged so far: (energy, standing, tax) in micro-units."""
    cursor.execute(
        "SELECT coalesce(sum(energy_micro), 0), coalesce(sum(standing_micro), 0), coalesce(sum(tax_micro), 0) "
        "FROM line WHERE ref = %s AND kind = ANY(%s) AND book = %s",
        [installation, [Kind.READING, Kind.LATE, Kind.CORRECTION], book],
    )
    energy, standing, tax = cursor.fetchone()
    return int(energy), int(standing), int(tax)

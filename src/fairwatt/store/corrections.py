"""What was charged anew, written beside the lines of its batch: the only statements that fill these two tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairwatt.core.rating.state import RegisterState


@dataclass(kw_only=True)
class ReratingRow:
    """A row of `rerating`. `last_seq` is known when the lines have their places in the wallet."""

    installation: int
    wallet: int
    fact: int
    cause: str
    author: str
    reason: str
    from_us: int
    until_us: int
    counted_us: int
    after: RegisterState
    publication: int
    readings: int
    last_seq: int = 0


@dataclass(kw_only=True)
class CorrectionRow:
    """A row of `correction`. `seq` is known when its line has its place in the wallet."""

    installation: int
    wallet: int
    fact: int
    ts_us: int
    day_us: int
    first_seq: int
    last_seq: int
    from_us: int
    until_us: int
    component: str
    old_exact: int
    new_exact: int
    seq: int = 0


def insert_reratings(*, cursor: Any, book: int, batch: int, rows: list[ReratingRow]) -> None:
    """Write down what was rated again in this batch."""
    cursor.executemany(
        "INSERT INTO rerating (book, installation, batch, fact, wallet, last_seq, from_us, until_us, counted_us, "
        "register_wh, counter_wh, window_us, publication, carry_tax, carry_nano, readings, cause, author, reason) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                book,
                row.installation,
                batch,
                row.fact,
                row.wallet,
                row.last_seq,
                row.from_us,
                row.until_us,
                row.counted_us,
                row.after.register_wh,
                row.after.counter_wh,
                row.after.window_us,
                row.publication,
                row.after.carry_tax,
                row.after.carry_nano,
                row.readings,
                row.cause,
                row.author[:150],
                row.reason[:300],
            )
            for row in rows
        ],
    )


def insert_corrections(*, cursor: Any, book: int, batch: int, rows: list[CorrectionRow]) -> None:
    """Write down what the correction lines of this batch correct."""
    cursor.executemany(
        "INSERT INTO correction (book, ref, ts_us, wallet, seq, batch, fact, day_us, first_seq, last_seq, from_us, "
        "until_us, old_exact, new_exact, component) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                book,
                row.installation,
                row.ts_us,
                row.wallet,
                row.seq,
                batch,
                row.fact,
                row.day_us,
                row.first_seq,
                row.last_seq,
                row.from_us,
                row.until_us,
                row.old_exact,
                row.new_exact,
                row.component,
            )
            for row in rows
        ],
    )

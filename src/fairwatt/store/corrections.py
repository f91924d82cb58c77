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


def correcting_of(*, cursor: Any, book: int) -> list[tuple[int, int, int, int, str, str]]:
    """Confirmed tariff corrections that are not finished: (fact, plan, publication, replaced, author, reason).

    One fact for each publication, the first: any web process may write another about the same correction.
    """
    cursor.execute(
        "SELECT DISTINCT ON (p.id) f.id, c.plan_id, p.id, c.replaces_id, c.author, c.reason FROM fact f "
        "JOIN store_tariffcorrection c ON c.id::text = f.payload->>'correction' AND c.book_id = f.book "
        "JOIN store_tariffpublication p ON p.correction_id = c.id "
        "WHERE f.book = %s AND f.kind = 'tariff_correction' AND f.state = 'waiting' "
        "AND jsonb_typeof(f.payload->'correction') = 'number' AND NOT EXISTS (SELECT 1 FROM fact done "
        "WHERE done.book = f.book AND done.kind = f.kind AND done.state = 'posted' "
        "AND done.result->>'publication' = p.id::text) ORDER BY p.id, f.id",
        [book],
    )
    return sorted(
        (int(fact), int(plan), int(publication), int(replaced), author, reason)
        for fact, plan, publication, replaced, author, reason in cursor.fetchall()
    )


def already_rated(*, cursor: Any, book: int, publication: int) -> set[int]:
    """Installations that a tariff correction has reached, whichever fact asked for it."""
    cursor.execute(
        "SELECT installation FROM rerating WHERE book = %s AND fact <> 0 AND publication = %s",
        [book, publication],
    )
    return {int(row[0]) for row in cursor.fetchall()}


def opened_before(*, cursor: Any, publication: int) -> set[int]:
    """Installations that were open under a plan when a correction of it was published."""
    cursor.execute(
        "SELECT i.id FROM store_installation i JOIN store_tariffpublication p ON p.plan_id = i.plan_id "
        "WHERE p.id = %s AND i.opened_us < p.published_us",
        [publication],
    )
    return {int(row[0]) for row in cursor.fetchall()}

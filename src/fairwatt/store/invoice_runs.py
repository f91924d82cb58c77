"""Months of invoices asked for at once: what was asked, and how far each has come."""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class Run(NamedTuple):
    """A month asked for at once, and how far it has come."""

    run: int
    book: int
    month: str
    until_batch: int
    end_us: int
    homes: int
    author: int
    asked_us: int
    ended_us: int | None
    left_out: int
    issued: int
    gross_minor: int


_RUNS: Final = """
SELECT r.id, r.book, r.month, r.until_batch, r.end_us, r.homes, r.author, r.asked_us, e.at_us, coalesce(e.left_out, 0),
       (SELECT count(*) FROM bill b WHERE b.run = r.id),
       coalesce((SELECT sum(CASE i.sort WHEN 'invoice' THEN 1 ELSE -1 END * (i.net_minor + i.tax_minor))
                   FROM invoice i JOIN bill b ON b.id = i.bill WHERE b.run = r.id), 0)::bigint
  FROM invoice_run r LEFT JOIN invoice_run_end e ON e.run = r.id WHERE r.book = %s AND {} ORDER BY r.id DESC
"""


def runs_of_book(*, cursor: Any, book: int, waiting: bool = False) -> list[Run]:
    """Months that were asked for, the newest first; `waiting`: those that are not done."""
    cursor.execute(_RUNS.format("e.run IS NULL" if waiting else "true"), [book])
    return [Run(*row) for row in cursor.fetchall()]


def run_of(*, cursor: Any, book: int, run: int) -> Run | None:
    """One of them."""
    cursor.execute(_RUNS.format("r.id = %s"), [book, run])
    row = cursor.fetchone()
    return None if row is None else Run(*row)


def add_run(
    *, cursor: Any, book: int, month: str, until_batch: int, end_us: int, homes: int, author: int, now_us: int
) -> int:
    """Ask for a month at once; while one as of the same batch is at work, it is that one."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('invoice_run', %s))", [book])
    for known in runs_of_book(cursor=cursor, book=book, waiting=True):
        if known.until_batch == until_batch:
            return known.run
    cursor.execute(
        "INSERT INTO invoice_run (book, month, until_batch, end_us, homes, author, asked_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [book, month, until_batch, end_us, homes, author, now_us],
    )
    return int(cursor.fetchone()[0])


def end_run(*, cursor: Any, run: Run, left_out: int, now_us: int) -> None:
    """A month is issued as far as it can be."""
    cursor.execute(
        "INSERT INTO invoice_run_end (run, book, left_out, at_us) VALUES (%s, %s, %s, %s) ON CONFLICT (run) DO NOTHING",
        [run.run, run.book, left_out, now_us],
    )

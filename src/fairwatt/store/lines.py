"""Reading lines of the ledger back, one by one or a wallet's whole chain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from fairwatt.core.ledger.model import Kind
from fairwatt.core.spans import to_datetime
from fairwatt.core.units import US_PER_DAY

_CHUNK: Final = 5_000


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line as it is stored; `ts_us` in microseconds, amounts in micro-units, energy in Wh."""

    ts_us: int
    ref: int
    wallet: int
    seq: int
    register_wh: int
    counter_wh: int
    energy_micro: int
    standing_micro: int
    tax_micro: int
    amount_micro: int
    balance_micro: int
    held_micro: int
    batch: int
    energy_wh: int
    tariff_version: int
    carry_tax: int
    book: int
    carry_nano: int
    kind: int
    estimated: int


_COLUMNS: Final = ", ".join(
    "(extract(epoch FROM ts) * 1000000)::bigint" if field.name == "ts_us" else field.name
    for field in fields(LineRow)
)


def line_at(*, cursor: Any, book: int, wallet: int, seq: int, about_us: int | None = None) -> LineRow | None:
    """The line of a wallet with that number; `about_us`, its instant or near it, makes the search quick."""
    where, parameters = "book = %s AND wallet = %s AND seq = %s", [book, wallet, seq]
    if about_us is not None:
        near = [to_datetime(about_us - US_PER_DAY), to_datetime(about_us + US_PER_DAY)]
        cursor.execute(
            f"SELECT {_COLUMNS} FROM line WHERE {where} AND ts BETWEEN %s AND %s", [*parameters, *near]
        )
        row = cursor.fetchone()
        if row is not None:
            return LineRow(*map(int, row))
    cursor.execute(f"SELECT {_COLUMNS} FROM line WHERE {where}", parameters)
    row = cursor.fetchone()
    return None if row is None else LineRow(*map(int, row))


def reading_before(*, cursor: Any, line: LineRow, seq: int, at_us: int) -> LineRow | None:
    """The newest forward reading of a line's register posted before `seq` and taken before `at_us`."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM line WHERE ref = %s AND kind = %s AND book = %s AND ts < %s AND seq < %s "
        "ORDER BY ts DESC LIMIT 1",
        [line.ref, Kind.READING, line.book, to_datetime(at_us), seq],
    )
    row = cursor.fetchone()
    return None if row is None else LineRow(*map(int, row))


def lines_of_batch(
    *, cursor: Any, book: int, ref: int, batch: int, kind: int, from_us: int, until_us: int
) -> list[LineRow]:
    """The lines of one kind that a batch wrote for one register, by instant."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM line WHERE ref = %s AND kind = %s AND book = %s AND batch = %s "
        "AND ts >= %s AND ts <= %s ORDER BY ts",
        [ref, kind, book, batch, to_datetime(from_us), to_datetime(until_us)],
    )
    return [LineRow(*map(int, row)) for row in cursor.fetchall()]


def chain(*, cursor: Any, book: int, wallet: int) -> Iterator[LineRow]:
    """Every line of a wallet in the order of its seq. Inside a transaction."""
    cursor.execute(
        f"DECLARE wallet_chain NO SCROLL CURSOR FOR SELECT {_COLUMNS} FROM line "
        "WHERE book = %s AND wallet = %s ORDER BY seq",
        [book, wallet],
    )
    while True:
        cursor.execute(f"FETCH {_CHUNK} FROM wallet_chain")
        rows = cursor.fetchall()
        if not rows:
            cursor.execute("CLOSE wallet_chain")
            return
        for row in rows:
            yield LineRow(*map(int, row))


def posted_us(*, cursor: Any, book: int, batch: int) -> int:
    """Domain time of a batch; 0 where the reader may not see batches."""
    cursor.execute("SELECT at_us FROM batch WHERE book = %s AND batch = %s", [book, batch])
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])

"""Reading lines of the ledger back, one by one or a wallet's whole chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from fairwatt.core.ledger.model import Kind
from fairwatt.core.spans import from_datetime, to_datetime
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.store.batches import lines_between

_CHUNK: Final = 5_000
_HALVINGS: Final = 48
_NEAR_US: Final = US_PER_HOUR
_MONTH_US: Final = 31 * US_PER_DAY


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
    batch: int
    energy_wh: int
    tariff_version: int
    carry_tax: int
    book: int
    carry_nano: int
    kind: int


_COLUMNS: Final = ", ".join(
    "(extract(epoch FROM ts) * 1000000)::bigint" if field.name == "ts_us" else field.name
    for field in fields(LineRow)
)


def line_at(*, cursor: Any, book: int, wallet: int, seq: int, about_us: int | None = None) -> LineRow | None:
    """The line of a wallet with that number; `about_us`, its instant or near it, makes the search quickest."""
    named, parameters = "book = %s AND wallet = %s AND seq = %s", [book, wallet, seq]

    def found(where: str, more: Sequence[Any]) -> LineRow | None:
        cursor.execute(f"SELECT {_COLUMNS} FROM line WHERE {named} AND ({where})", [*parameters, *more])
        row = cursor.fetchone()
        return None if row is None else LineRow(*map(int, row))

    if about_us is not None:
        line = found("ts BETWEEN %s AND %s", _day_around(about_us))
        if line is not None:
            return line
    before, after = _neighbours(cursor, book, wallet, seq)
    since, until = max(before.batch - 1, 0), after.batch if after else None
    if since or until:
        where, more = lines_between(cursor=cursor, book=book, after_batch=since, until_batch=until)
        near = _day_around((after or before).at_us)
        line = found(where, more) or found("ts BETWEEN %s AND %s", near)  # the home does not see batches
        if line is not None:
            return line
    return found("true", [])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line of a wallet lies."""

    at_us: int
    seq: int
    batch: int


def _neighbours(cursor: Any, book: int, wallet: int, seq: int) -> tuple[_Place, _Place | None]:
    """Two lines of a wallet with a number between them, near each other: time is halved again and again.

    seq rises with the batch and, but for late readings, with time: a few looks along the primary key are enough.
    """
    cursor.execute("SELECT opened_us FROM store_wallet WHERE id = %s", [wallet])
    opened = cursor.fetchone()
    cursor.execute("SELECT max(ts) FROM line WHERE book = %s", [book])
    (newest,) = cursor.fetchone()
    if opened is None or newest is None:
        return _Place(0, 0, 0), None
    low, high = _Place(int(opened[0]), 0, 0), None
    low_us, high_us = low.at_us, from_datetime(newest)
    middle_us = high_us
    for _ in range(_HALVINGS):
        place = _newest_until(cursor, book, wallet, low_us, middle_us)
        if place is None or place.seq < seq:
            low, low_us = place or low, middle_us
        else:
            high, high_us = place, place.at_us
        if high_us - low_us <= _NEAR_US:
            break
        middle_us = (low_us + high_us) // 2
    return low, high


def _newest_until(cursor: Any, book: int, wallet: int, after_us: int, until_us: int) -> _Place | None:
    """The newest line of a wallet in (after, until], late readings apart; a month is looked at, then the rest."""
    for start_us in (max(after_us, until_us - _MONTH_US), after_us):
        cursor.execute(
            "SELECT (extract(epoch FROM ts) * 1000000)::bigint, seq, batch FROM line WHERE book = %s AND wallet = %s "
            "AND kind <> %s AND ts > %s AND ts <= %s ORDER BY ts DESC LIMIT 1",
            [book, wallet, Kind.LATE, to_datetime(start_us), to_datetime(until_us)],
        )
        row = cursor.fetchone()
        if row is not None:
            return _Place(*map(int, row))
        if start_us == after_us:
            break
    return None


def _day_around(at_us: int) -> list[datetime]:
    return [to_datetime(at_us - US_PER_DAY), to_datetime(at_us + US_PER_DAY)]


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

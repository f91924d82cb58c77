"""Every reading of many registers, fast: one binary COPY a stretch of time, one row a register, an array a column."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db import connection

from fairwatt.core.ledger.model import Kind
from fairwatt.core.spans import from_datetime, to_datetime
from fairwatt.store.binary import COPY_HEADER
from fairwatt.store.registers import NOW

Int64s = npt.NDArray[np.int64]

_PG_EPOCH_US: Final = 946_684_800_000_000
_ARRAY_HEAD: Final = 20
_ELEMENT: Final = np.dtype([("bytes", ">i4"), ("value", ">i8")])
_SELECT: Final = (
    "COPY (SELECT ref, array_agg(ts), array_agg(register_wh), array_agg(seq) FROM line "
    "WHERE book = %s AND kind = ANY(%s) AND ts > %s AND ts <= %s AND ref = ANY(%s) AND seq < %s GROUP BY ref) "
    "TO STDOUT (FORMAT BINARY)"
)


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Readings of some registers in one stretch of time, one register after the other, each in time order.

    `place` is the index into the asked installations of each register found, `counts` how many readings it has.
    """

    place: Int64s
    counts: Int64s
    at_us: Int64s
    register_wh: Int64s
    seq: Int64s


def read_stretch(
    *, cursor: Any, book: int, installations: Int64s, from_us: int, until_us: int, before_seq: int = NOW
) -> Readings | None:
    """The readings in (from_us, until_us] of the installations (rising ids); None without any. Inside a transaction."""
    # Arrays are gathered in memory; what PostgreSQL keeps by default would spill to disk. And the primary key leads
    # through a table in the order it was written: never worse than reading it whole.
    cursor.execute("SET LOCAL work_mem = '256MB'; SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
    parameters = [
        book,
        [int(Kind.READING), int(Kind.LATE)],
        to_datetime(from_us),
        to_datetime(until_us),
        installations.tolist(),
        before_seq,
    ]
    refs: list[int] = []
    columns: list[list[Int64s]] = [[], [], []]
    with cursor.copy(_SELECT, parameters) as copy:
        for message in copy:
            _take(bytes(message), refs, columns)
    cursor.execute("SET LOCAL enable_seqscan = on")
    return _joined(installations, refs, columns) if refs else None


def read_months(
    *, cursor: Any, book: int, installations: Int64s, from_us: int, until_us: int, before_seq: int = NOW
) -> Generator[Readings]:
    """The readings in (from_us, until_us] of the installations (rising ids), month by month (UTC).

    Inside a transaction; the cursor's connection is busy until the last of them was taken or the iterator is closed.
    """
    months = list(_months(from_us, until_us))

    def read(start_us: int, end_us: int) -> Readings | None:
        return read_stretch(
            cursor=cursor,
            book=book,
            installations=installations,
            from_us=start_us,
            until_us=end_us,
            before_seq=before_seq,
        )

    # The server reads a month while the caller rates the one before it: a core each.
    with ThreadPoolExecutor(1, thread_name_prefix="months") as reader:
        ahead: Future[Readings | None] | None = None
        for month in [*months, None]:
            ready = ahead
            ahead = reader.submit(read, *month) if month else None
            found = ready.result() if ready else None
            if found is not None:
                yield found


def read_aside(
    *, reader: ThreadPoolExecutor, book: int, installations: Int64s, from_us: int, until_us: int
) -> Future[Readings | None]:
    """`read_stretch` in another thread, on a connection of its own: what was committed when it is read."""
    # Of this thread's kind, with its role; handed over whole, and closed by the other thread.
    own = connection.copy()
    own.inc_thread_sharing()

    def read() -> Readings | None:
        try:
            own.set_autocommit(False)
            with own.cursor() as cursor:
                return read_stretch(
                    cursor=cursor,
                    book=book,
                    installations=installations,
                    from_us=from_us,
                    until_us=until_us,
                )
        finally:
            own.close()

    return reader.submit(read)


def _take(message: bytes, refs: list[int], columns: list[list[Int64s]]) -> None:
    """One message of the copy: a row, with the file's head before the first, or its trailer."""
    if message.startswith(COPY_HEADER[:11]):
        message = message[len(COPY_HEADER) :]
    if len(message) <= 2:
        return
    refs.append(struct.unpack_from(">q", message, 6)[0])
    at = 14
    for column in columns:
        (size,) = struct.unpack_from(">i", message, at)
        at += 4
        column.append(
            np.frombuffer(message, _ELEMENT, offset=at + _ARRAY_HEAD, count=(size - _ARRAY_HEAD) // 12)[
                "value"
            ]
        )
        at += size


def _joined(installations: Int64s, refs: list[int], columns: list[list[Int64s]]) -> Readings:
    order = np.argsort(np.array(refs, dtype=np.int64))
    place = np.searchsorted(installations, np.array(refs, dtype=np.int64)[order]).astype(np.int64)
    at, wh, seq = (np.concatenate([column[n] for n in order.tolist()]).astype(np.int64) for column in columns)
    counts = np.array([len(columns[0][n]) for n in order.tolist()], dtype=np.int64)
    at += _PG_EPOCH_US
    row = np.repeat(place, counts)
    if ((np.diff(at) <= 0) & (np.diff(row) == 0)).any():
        sorted_ = np.lexsort((at, row))
        at, wh, seq = at[sorted_], wh[sorted_], seq[sorted_]
    return Readings(place=place, counts=counts, at_us=at, register_wh=wh, seq=seq)


def _months(from_us: int, until_us: int) -> Iterator[tuple[int, int]]:
    """The stretch cut at the starts of UTC months, as the partitions are."""
    start_us = from_us
    while start_us < until_us:
        at = to_datetime(start_us)
        following = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
        end_us = min(until_us, from_datetime(following))
        yield start_us, end_us
        start_us = end_us

"""The hot path into PostgreSQL: one batch of a book becomes durable in one transaction, or not at all.

Only the poster of a book calls this. Every statement that writes history is here, so that it can be read
in one sitting. The compare-and-swap on `shard` is the fence: of two posters of one book, one stops.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from psycopg.copy import LibpqWriter

from fairwatt.core.ledger.model import Leg
from fairwatt.store.batches import spans_of
from fairwatt.store.binary import COPY_HEADER, COPY_TRAILER, wire_rows
from fairwatt.store.clocks import ClockRow, insert_clocks
from fairwatt.store.corrections import CorrectionRows, ReratingRow, insert_corrections, insert_reratings

Int64s = npt.NDArray[np.int64]

_PG_EPOCH_US: Final = 946_684_800_000_000
"""2000-01-01T00:00:00Z: binary timestamps count from there."""

LINE_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("ts", "i8"),
    ("ref", "i8"),
    ("wallet", "i8"),
    ("seq", "i8"),
    ("register_wh", "i8"),
    ("counter_wh", "i8"),
    ("energy_micro", "i8"),
    ("standing_micro", "i8"),
    ("tax_micro", "i8"),
    ("amount_micro", "i8"),
    ("balance_micro", "i8"),
    ("batch", "i8"),
    ("energy_wh", "i4"),
    ("tariff_version", "i4"),
    ("carry_tax", "i4"),
    ("book", "i4"),
    ("carry_nano", "i2"),
    ("kind", "i2"),
)
LINE: Final = np.dtype([(name, f"<{kind}") for name, kind in LINE_COLUMNS])
"""A line in memory; `ts` in microseconds since the Unix epoch."""


_PIECE_ROWS: Final = 1024
"""Small enough that a piece stays in the processor's cache, and that the server starts early."""
RAW_MAX: Final = 4096
"""Bytes of a quarantined item that are stored: a flood must not fill the disk."""
_COPY_LINES: Final = f"COPY line ({', '.join(name for name, _ in LINE_COLUMNS)}) FROM STDIN (FORMAT BINARY)"


class PosterFenced(RuntimeError):
    """Another poster holds this book.

    This one must stop; nothing of the batch was kept. The other poster posts the same facts and
    readings, so no money and no supply is at risk.
    """


@dataclass(frozen=True, kw_only=True)
class EventRow:
    """A row of `event`: what happened, by which rule, on what evidence."""

    kind: str
    at_us: int
    wallet: int | None = None
    gateway: int | None = None
    meter: int | None = None
    reason: str = ""
    rule: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class QuarantineRow:
    """Data that could not be believed, whole; stored are its first RAW_MAX bytes."""

    code: str
    detail: str
    raw: bytes
    gateway: int | None = None
    meter: int | None = None
    at_us: int | None = None


@dataclass(frozen=True, kw_only=True)
class OrderRow:
    """A signed command on its way into the outbox."""

    gateway: int
    meter: int
    wallet: int
    seq: int
    relay: int
    reason: str
    payload: bytes
    expires_us: int
    fact: int | None


@dataclass(frozen=True, kw_only=True)
class OrderMove:
    """A step of an order already in the outbox: a receipt, a proof, a replacement."""

    outbox: int
    state: str
    accepted_us: int | None = None
    accepted_seq: int | None = None
    proven_us: int | None = None
    receipt: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class FactAnswer:
    """What became of a waiting fact."""

    fact: int
    state: str
    result: dict[str, Any]


@dataclass(kw_only=True)
class BatchRows:
    """Everything one batch writes. `lines` has dtype LINE, in posting order."""

    lines: npt.NDArray[Any]
    legs: Sequence[Leg] = ()
    events: list[EventRow] = field(default_factory=list)
    quarantine: list[QuarantineRow] = field(default_factory=list)
    orders: list[OrderRow] = field(default_factory=list)
    moves: list[OrderMove] = field(default_factory=list)
    answers: list[FactAnswer] = field(default_factory=list)
    gateways: list[tuple[int, int, int]] = field(default_factory=list)
    """(gateway id, epoch, stored seq)"""
    clocks: Sequence[ClockRow] = ()
    reratings: list[ReratingRow] = field(default_factory=list)
    corrections: CorrectionRows = field(default_factory=CorrectionRows)

    @cached_property
    def spans(self) -> str:
        """Where the lines lie; worth asking for while the server takes them in."""
        return spans_of(ts=np.sort(self.lines["ts"]))


def take_book(*, book: int) -> tuple[int, int]:
    """Become the poster of a book: return (epoch, last batch).

    Any earlier poster is fenced by the new epoch at its next commit.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("INSERT INTO shard (book) VALUES (%s) ON CONFLICT DO NOTHING", [book])
        cursor.execute(
            "UPDATE shard SET epoch = epoch + 1 WHERE book = %s RETURNING epoch, last_batch",
            [book],
        )
        row = cursor.fetchone()
    return int(row[0]), int(row[1])


def make_partitions(*, from_us: int, until_us: int) -> int:
    """Make the monthly partitions of `line` that cover [from_us, until_us); return how many were new."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT make_line_partitions('epoch'::timestamptz + make_interval(secs => %s), "
            "'epoch'::timestamptz + make_interval(secs => %s))",
            [from_us // 1_000_000, until_us // 1_000_000],
        )
        return int(cursor.fetchone()[0])


class Turn(NamedTuple):
    """The transaction of a batch: its cursor, and whether facts of the book waited when it began."""

    cursor: Any
    facts_wait: bool


@contextmanager
def batch_transaction(*, book: int, epoch: int, batch: int, await_disk: bool = True) -> Iterator[Turn]:
    """Open the one transaction of a batch, behind the fence. Raises PosterFenced.

    Without `await_disk` its COMMIT does not wait for the disk: nothing of it may be told to anybody before
    `make_durable` has returned.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        with _one_trip(cursor):  # with the BEGIN
            if not await_disk:
                cursor.execute("SET LOCAL synchronous_commit = off")
            cursor.execute(
                "UPDATE shard SET last_batch = %s WHERE book = %s AND epoch = %s AND last_batch = %s "
                "RETURNING EXISTS (SELECT 1 FROM fact f WHERE f.book = shard.book AND f.state = 'waiting')",
                [batch, book, epoch, batch - 1],
            )
        row = cursor.fetchone()
        if row is None:
            raise PosterFenced(f"book {book} is posted by another process; batch {batch} was not kept")
        yield Turn(cursor, bool(row[0]))


def make_durable(*, book: int, epoch: int, batch: int) -> None:
    """Wait until a committed batch is on the disk. Raises PosterFenced when the book does not hold it any more."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        # Whose commit waits for the disk waits for all commits before it, but only when it wrote to the log
        # itself. The batch must be seen here: a server that crashed and came back in between has lost it.
        cursor.execute(
            "SELECT pg_logical_emit_message(true, 'fairwatt', ''), last_batch FROM shard "
            "WHERE book = %s AND epoch = %s",
            [book, epoch],
        )
        row = cursor.fetchone()
        if row is None or row[1] < batch:
            raise PosterFenced(
                f"batch {batch} of book {book} was lost by the server or taken by another process; none of it was "
                "told to anybody, and its readings come again"
            )


@contextmanager
def _one_trip(cursor: Any) -> Iterator[None]:
    """Send the statements of the body without waiting for each; ask none of them for rows before the end."""
    with cursor.connection.pipeline():
        yield


@contextmanager
def copying_lines(*, cursor: Any, lines: npt.NDArray[Any]) -> Iterator[None]:
    """COPY lines of dtype LINE into `line` while the body runs: it must leave the connection alone.

    Raises IntegrityError at its end on a key that is already there.
    """
    if not len(lines):
        yield
        return
    # Nothing waits for the server before the body has run: what its buffers do not hold stays in ours.
    writer = LibpqWriter(cursor.cursor, flush_threshold=sys.maxsize)
    # In key order, so that the primary key grows at its right edge.
    order = np.argsort(lines["ts"], kind="stable")
    # A small piece of memory used again and again: fresh memory for the whole batch costs five times the packing.
    wire = wire_rows(min(len(lines), _PIECE_ROWS), LINE_COLUMNS)
    with cursor.copy(_COPY_LINES, writer=writer) as copy:
        copy.write(COPY_HEADER)
        for start in range(0, len(lines), _PIECE_ROWS):
            piece = lines[order[start : start + _PIECE_ROWS]]
            packed = wire[: len(piece)]
            for name, _ in LINE_COLUMNS:
                packed[name] = piece[name]
            packed["ts"] -= _PG_EPOCH_US
            copy.write(packed.view(np.uint8).data)
        copy.write(COPY_TRAILER)
        yield


def write_batch(*, cursor: Any, book: int, batch: int, rows: BatchRows, now_us: int) -> list[int]:
    """Write what a batch holds besides its lines, inside its transaction; return the outbox ids of the new
    orders, in order."""
    with _one_trip(cursor):
        cursor.execute(
            "INSERT INTO batch (book, batch, at_us, lines, spans) VALUES (%s, %s, %s, %s, %s::tstzmultirange)",
            [book, batch, now_us, len(rows.lines), rows.spans],
        )
        _insert_journal(cursor, book, batch, rows.legs, now_us)
        _move_gateways(cursor, book, rows.gateways, now_us)
    insert_clocks(cursor=cursor, book=book, batch=batch, rows=rows.clocks, now_us=now_us)
    insert_reratings(cursor=cursor, book=book, batch=batch, rows=rows.reratings)
    insert_corrections(cursor=cursor, book=book, batch=batch, corrections=rows.corrections)
    _insert_events(cursor, book, batch, rows.events)
    _insert_quarantine(cursor, book, batch, rows.quarantine, now_us)
    _move_orders(cursor, rows.moves)
    _answer_facts(cursor, batch, rows.answers)
    return _insert_orders(cursor, book, batch, rows.orders, now_us)


def _insert_journal(cursor: Any, book: int, batch: int, legs: Iterable[Leg], now_us: int) -> None:
    rows = [
        (book, batch, n, leg.account, leg.currency, leg.amount_micro, now_us) for n, leg in enumerate(legs)
    ]
    if rows:
        # One statement, because the trigger that checks the sum fires per statement.
        values = ", ".join(["(%s, %s, %s, %s, %s, %s, %s)"] * len(rows))
        cursor.execute(
            f"INSERT INTO journal (book, batch, leg, account, currency, amount_micro, at_us) VALUES {values}",
            [item for row in rows for item in row],
        )


def _insert_events(cursor: Any, book: int, batch: int, events: Sequence[EventRow]) -> None:
    cursor.executemany(
        "INSERT INTO event (book, at_us, kind, wallet, gateway, meter, reason, rule, evidence, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                book,
                e.at_us,
                e.kind,
                e.wallet,
                e.gateway,
                e.meter,
                e.reason,
                e.rule,
                json.dumps(e.evidence),
                batch,
            )
            for e in events
        ],
    )


def _insert_quarantine(
    cursor: Any, book: int, batch: int, rows: Sequence[QuarantineRow], now_us: int
) -> None:
    cursor.executemany(
        "INSERT INTO quarantine (book, gateway, meter, at_us, code, detail, raw, seen_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [(book, q.gateway, q.meter, q.at_us, q.code, *_kept(q), now_us, batch) for q in rows],
    )


def _kept(row: QuarantineRow) -> tuple[str, bytes]:
    """Detail and bytes as they are stored: enough to look into, and a digest of what was too long to keep."""
    detail = row.detail.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:300]
    if len(row.raw) <= RAW_MAX:
        return detail, row.raw
    cut = f"; the first {RAW_MAX} of {len(row.raw)} bytes are kept, SHA-256 {sha256(row.raw).hexdigest()}"
    return detail + cut, row.raw[:RAW_MAX]


def _insert_orders(cursor: Any, book: int, batch: int, orders: Sequence[OrderRow], now_us: int) -> list[int]:
    if not orders:
        return []
    columns = zip(
        *(
            (o.gateway, o.meter, o.wallet, o.seq, o.relay, o.reason, o.payload, o.expires_us, o.fact)
            for o in orders
        ),
        strict=True,
    )
    # Numbered in their order: the ids rise with it.
    cursor.execute(
        "INSERT INTO outbox (book, gateway, meter, wallet, seq, relay, reason, payload, created_us, expires_us, "
        "fact, batch) SELECT %s, gateway, meter, wallet, seq, relay, reason, payload, %s, expires_us, fact, %s "
        "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::text[], "
        "%s::bytea[], %s::bigint[], %s::bigint[]) WITH ORDINALITY "
        "AS o(gateway, meter, wallet, seq, relay, reason, payload, expires_us, fact, place) "
        "ORDER BY place RETURNING id",
        [book, now_us, batch, *(list(column) for column in columns)],
    )
    return sorted(int(row[0]) for row in cursor.fetchall())


def _move_orders(cursor: Any, moves: Sequence[OrderMove]) -> None:
    cursor.executemany(
        "UPDATE outbox SET state = %s, accepted_us = coalesce(%s, accepted_us), "
        "accepted_seq = coalesce(%s, accepted_seq), proven_us = coalesce(%s, proven_us), "
        "receipt = coalesce(%s, receipt) WHERE id = %s",
        [(m.state, m.accepted_us, m.accepted_seq, m.proven_us, m.receipt, m.outbox) for m in moves],
    )


def _answer_facts(cursor: Any, batch: int, answers: Sequence[FactAnswer]) -> None:
    cursor.executemany(
        "UPDATE fact SET state = %s, result = %s, batch = %s WHERE id = %s",
        [(a.state, json.dumps(a.result), batch, a.fact) for a in answers],
    )


def _move_gateways(cursor: Any, book: int, gateways: Sequence[tuple[int, int, int]], now_us: int) -> None:
    if gateways:
        ids, epochs, seqs = (list(column) for column in zip(*gateways, strict=True))
        cursor.execute(
            "INSERT INTO gateway_head (gateway, book, epoch, seq, heard_us) "
            "SELECT g, %s, e, s, %s FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS t(g, e, s) "
            "ON CONFLICT (gateway) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, "
            "heard_us = excluded.heard_us",
            [book, now_us, ids, epochs, seqs],
        )

"""Blocks that were not yet kept upstream, in a file of their own beside the spool.

The spool is for what money rests on; this file may lose everything. It takes only what the spool leaves of the
space they share: as readings pile up, the oldest telemetry goes first.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from fairwatt.wire import cbor
from fairwatt.wire.telemetry import MAX_FRAME_BYTES, Block

log = structlog.get_logger(__name__)

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS block (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS life (epoch INTEGER NOT NULL)",
)


class Memory:
    """Blocks of one gateway. Not thread-safe; a file that cannot be used is replaced, for nothing rests on it."""

    def __init__(self, *, path: Path, now_us: int, room: Callable[[], int]) -> None:
        """``room``: bytes that telemetry may take at this moment."""
        self.path = path
        self._room = room
        self.dropped = 0
        """Blocks that went unsent since the start, for lack of room."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open(now_us)
        except sqlite3.Error as error:
            log.warning("telemetry_memory_replaced", path=str(path), error=str(error))
            self._replace(now_us)

    def _open(self, now_us: int) -> None:
        self._db = sqlite3.connect(self.path, isolation_level=None, timeout=0)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        for statement in _SCHEMA:
            self._db.execute(statement)
        row = self._db.execute("SELECT max(epoch) FROM life").fetchone()
        self.epoch: int = row[0] or max(1, now_us)
        if row[0] is None:
            self._db.execute("INSERT INTO life VALUES (?)", (self.epoch,))
        self._bytes: int = self._db.execute("SELECT coalesce(sum(length(body)), 0) FROM block").fetchone()[0]

    def _replace(self, now_us: int) -> None:
        for end in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)
        self._open(now_us)

    def close(self) -> None:
        """Close the file; what waits stays."""
        self._db.close()

    @property
    def size(self) -> int:
        """Bytes of all blocks that wait."""
        return self._bytes

    def append(self, *, start_s: int, seconds: int, bodies: list[tuple[int, bytes]]) -> None:
        """Keep a block, the oldest making room; none is kept where there is no room at all."""
        body = cbor.encode([start_s, seconds, [list(pair) for pair in bodies]])
        if not self.trim(need=len(body)) or len(body) > MAX_FRAME_BYTES - 1024:
            self.dropped += 1
            return
        try:
            self._db.execute("INSERT INTO block (body) VALUES (?)", (body,))
            self._bytes += len(body)
        except sqlite3.Error as error:
            # Most likely the disk is full: what readings need now is worth more than all of this.
            log.warning("telemetry_given_up", error=str(error), bytes=self._bytes)
            self.dropped += 1
            self.clear()

    def trim(self, *, need: int = 0) -> bool:
        """Drop the oldest blocks until ``need`` more bytes fit; say whether they do."""
        room = self._room() - need
        if self._bytes > room:
            for seq, size in self._db.execute("SELECT seq, length(body) FROM block ORDER BY seq").fetchall():
                if self._bytes <= room:
                    break
                self._db.execute("DELETE FROM block WHERE seq = ?", (seq,))
                self._bytes -= size
                self.dropped += 1
        return self._bytes <= room

    def clear(self) -> None:
        """Give all the space back."""
        try:
            self._db.execute("DELETE FROM block")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.execute("VACUUM")
        except sqlite3.Error as error:
            log.warning("telemetry_memory_full", error=str(error))
        self._bytes = self._db.execute("SELECT coalesce(sum(length(body)), 0) FROM block").fetchone()[0]

    def read(self, *, after_seq: int, max_bytes: int) -> list[Block]:
        """The next blocks behind ``after_seq``: at least one if any, else as many as fit."""
        blocks: list[Block] = []
        size = 0
        query = "SELECT seq, body FROM block WHERE seq > ? ORDER BY seq LIMIT 64"
        for seq, body in self._db.execute(query, (after_seq,)):
            size += len(body)
            if blocks and size > max_bytes:
                break
            start_s, seconds, pairs = cbor.array(
                cbor.decode(body, max_bytes=MAX_FRAME_BYTES, what="a kept block"),
                length=3,
                what="a kept block",
            )
            assert isinstance(start_s, int)
            assert isinstance(seconds, int)
            assert isinstance(pairs, list)
            blocks.append(Block(seq, start_s, seconds, tuple((meter, data) for meter, data in pairs)))
        return blocks

    def forget(self, *, epoch: int, upto_seq: int) -> bool:
        """Delete what is kept upstream; say whether that moved anything."""
        if epoch != self.epoch:
            return False
        query = "SELECT coalesce(sum(length(body)), 0) FROM block WHERE seq <= ?"
        gone: int = self._db.execute(query, (upto_seq,)).fetchone()[0]
        if gone:
            self._db.execute("DELETE FROM block WHERE seq <= ?", (upto_seq,))
            self._bytes -= gone
        return gone > 0

"""The gateway's non-volatile memory: one SQLite file that survives a pulled plug.

It holds the records not yet acknowledged by the head-end, and some of those before them, which it may want to
hear again; the last command of each meter with its receipt, the grants, and the state of the offline rule.
Every change is on the disk before the call returns (WAL, synchronous=FULL). Readings may be dropped when the
file is full; receipts and events never are.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from fairwatt.edge.mark import Mark, Reached
from fairwatt.edge.second import Kept, SecondPlace
from fairwatt.wire.frames import Event, Item, Kind, encode_event

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS record "
    "(seq INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS command "
    "(meter BLOB PRIMARY KEY, seq INTEGER NOT NULL, message BLOB NOT NULL, receipt BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
)
_SCHEMA_VERSION: Final = 1
_TWICE: Final = ("issuers", "restore/", "pin/", "token/", "tries/")
"""how keys begin whose values an older copy of this file must not bring back"""
_CHANGES: Final = "twice"


class SpoolError(Exception):
    """The gateway's memory cannot be used."""


class SpoolFull(SpoolError):
    """There is no room left for readings, receipts or events. Supply is not touched; see the runbook."""


class SpoolDamaged(SpoolError):
    """The file is not a spool, or is broken."""


class StoredCommand(NamedTuple):
    """The newest command accepted for a meter. ``receipt`` is None while it is not yet carried out."""

    seq: int
    message: bytes
    receipt: bytes | None


class Spool:
    """Records and state of one gateway. Not thread-safe: one agent, one spool, one event loop."""

    def __init__(
        self,
        *,
        path: Path,
        now_us: int,
        max_bytes: int = 256 * 1024 * 1024,
        history_bytes: int = 16 * 1024 * 1024,
        mark: Path | None = None,
    ) -> None:
        """Open or make the file. ``now_us`` becomes the epoch of a new one; ``mark`` notes how far it got.

        ``max_bytes`` bounds what waits, ``history_bytes`` what was acknowledged and is kept all the same.

        Raises SpoolDamaged rather than starting afresh: a new file would forget which commands were obeyed.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.max_bytes = max_bytes
        self.history_bytes = history_bytes
        self._live = False
        self._mark = Mark(mark or path.with_suffix(".mark"))
        self._second = SecondPlace((mark or path).with_suffix(".kept"))
        self._second_due = False
        try:
            path.touch(mode=0o600)  # it tells what people use and when; its journal takes the same rights
            self._db = sqlite3.connect(path, isolation_level=None, timeout=0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            # Another agent on the same file would obey commands twice; the lock lasts as long as we do.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._prepare(now_us)
            self._recall()
        except (sqlite3.Error, OSError) as error:
            raise _named(error, path) from error

    def _prepare(self, now_us: int) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _SCHEMA_VERSION):
            raise SpoolDamaged(f"{self.path} has the newer format {version}; update this program")
        for statement in _SCHEMA:
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        first = (max(1, now_us).to_bytes(8, "big"),)
        is_new = self._db.execute("INSERT OR IGNORE INTO kv VALUES ('epoch', ?)", first).rowcount > 0
        self._db.execute("COMMIT")
        self.epoch = int.from_bytes(self.get("epoch") or b"")
        last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name='record'").fetchone()
        self._last_seq: int = last[0] if last else 0
        acked, sent = self.get("acked"), self.get("sent")
        # A file of before these were kept: what it still has was not acknowledged, and may all have been sent.
        self._acked_seq: int = self._oldest() - 1 if acked is None else int.from_bytes(acked, "big")
        self._sent_seq: int = self._last_seq if sent is None else int.from_bytes(sent, "big")
        query = "SELECT count(*), coalesce(sum(length(body)), 0) FROM record WHERE seq "
        row = self._db.execute(query + "> ?", (self._acked_seq,)).fetchone()
        self._count: int = row[0]
        self._bytes: int = row[1]
        self._history: int = self._db.execute(query + "<= ?", (self._acked_seq,)).fetchone()[1]
        self.newer: Reached | None = self._known_newer(is_new)

    def _known_newer(self, is_new: bool) -> Reached | None:
        """What the mark knows of this memory that is not in it: then this is an older copy, or one that lost all."""
        reached = self._mark.read()
        return reached if reached and (is_new or reached > (self.epoch, self._last_seq)) else None

    def _recall(self) -> None:
        """Learn from the second place what this copy has forgotten."""
        changes = int.from_bytes(self.get(_CHANGES) or b"", "big")
        other = self._second.read()
        self.recalls = other is not None and other.changes >= changes
        """whether the second place knew all that this memory ever knew of what is kept there"""
        if other is not None and other.changes > changes:
            self.put([*other.values, (_CHANGES, other.changes.to_bytes(8, "big"))])
        elif not self.recalls:
            self._second.write(self._kept_twice())

    def _kept_twice(self) -> Kept:
        values = tuple(pair for prefix in _TWICE for pair in self.entries(prefix))
        return Kept(int.from_bytes(self.get(_CHANGES) or b"", "big"), values)

    def close(self) -> None:
        """Close the file; what was appended stays."""
        self._mark.close()
        self._db.close()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Everything inside reaches the disk together or not at all. Raises SpoolFull, SpoolDamaged."""
        if self._db.in_transaction:
            yield
            return
        before = (self._count, self._bytes, self._last_seq, self._acked_seq, self._sent_seq, self._history)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            if self._live and self._sent_seq < self._last_seq:
                self._mark_sent()
            twice = self._counted() if self._second_due else None
            self._db.execute("COMMIT")
            if twice is not None:
                self._second.write(twice)
            if self._last_seq != before[2]:
                self._mark.note(Reached(self.epoch, self._last_seq))
        except BaseException as error:
            self._count, self._bytes, self._last_seq, self._acked_seq, self._sent_seq, self._history = before
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise _named(error, self.path) from error
            raise
        finally:
            self._second_due = False

    def _counted(self) -> Kept:
        changes, values = self._kept_twice()
        kept = Kept(changes + 1, values)
        self.put([(_CHANGES, kept.changes.to_bytes(8, "big"))])
        return kept

    def new_epoch(self, *, now_us: int) -> None:
        """Become another spool for the head-end: what waits is sent again under a later epoch."""
        epoch = max(now_us, self.epoch + 1, self.newer.epoch + 1 if self.newer else 0)
        with self.atomic():
            # Acknowledged in another life: the new one begins with what waits.
            self._db.execute("DELETE FROM record WHERE seq <= ?", (self._acked_seq,))
            self._history = 0
            self.put([("epoch", epoch.to_bytes(8, "big"))])
        self.epoch, self.newer = epoch, None
        self._mark.note(Reached(epoch, self._last_seq))

    def go_live(self, live: bool, /) -> None:
        """Say whether records are sent from now on. What may have been sent is on the disk before it is.

        That is how an older copy of this file gives itself away: the head-end then has records that it never sent.
        """
        self._live = live
        if live and self._sent_seq < self._last_seq:
            with self.atomic():
                self._mark_sent()

    def note_given(self) -> None:
        """What is here may reach the head-end from now on, by a courier: known before he gets it."""
        if self._sent_seq < self._last_seq:
            with self.atomic():
                self._mark_sent()

    def _mark_sent(self) -> None:
        self._sent_seq = self._last_seq
        self.put([("sent", self._sent_seq.to_bytes(8, "big"))])

    @property
    def sent_seq(self) -> int:
        """Number of the newest record that may have been sent."""
        return self._sent_seq

    @property
    def acked_seq(self) -> int:
        """Number of the newest record that the head-end has stored."""
        return self._acked_seq

    @property
    def count(self) -> int:
        """Records not yet acknowledged."""
        return self._count

    @property
    def room(self) -> int:
        """Bytes that records could still take before readings are dropped."""
        return max(0, self.max_bytes - self._bytes)

    @property
    def last_seq(self) -> int:
        """Number of the newest record ever appended in this epoch; 0 when there was none."""
        return self._last_seq

    def append(self, *, kind: Kind, body: bytes, at_us: int) -> int:
        """Keep one record until it is acknowledged; return its number.

        Over ``max_bytes`` the oldest readings make room, and an event says how many. Raises SpoolFull when
        even that is not enough.
        """
        with self.atomic():
            if self._bytes + len(body) > self.max_bytes:
                self._make_room(need=len(body), at_us=at_us)
            return self._insert(kind, body)

    def _insert(self, kind: Kind, body: bytes) -> int:
        cursor = self._db.execute("INSERT INTO record (kind, body) VALUES (?, ?)", (int(kind), body))
        assert cursor.lastrowid is not None
        self._last_seq = cursor.lastrowid
        self._count += 1
        self._bytes += len(body)
        return self._last_seq

    def _make_room(self, *, need: int, at_us: int) -> None:
        # A sixteenth at a time, so that a full spool does not drop and tell at every single reading.
        goal = self.max_bytes - need - self.max_bytes // 16
        rows = self._db.execute(
            "SELECT seq, length(body) FROM record WHERE kind = ? AND seq > ? ORDER BY seq",
            (int(Kind.READINGS), self._acked_seq),
        )
        first, last, dropped, freed = 0, 0, 0, 0
        for seq, size in rows:
            if self._bytes - freed <= goal:
                break
            first, last, dropped, freed = first or seq, seq, dropped + 1, freed + size
        if self._bytes - freed + need > self.max_bytes:
            raise SpoolFull(_full_text(self.path))
        self._db.execute(
            "DELETE FROM record WHERE kind = ? AND seq BETWEEN ? AND ?", (int(Kind.READINGS), first, last)
        )
        self._count -= dropped
        self._bytes -= freed
        detail = {"records": dropped, "bytes": freed, "first_seq": first, "last_seq": last}
        self._insert(Kind.EVENT, encode_event(Event("readings_dropped", at_us, 0, detail)))

    def has_record(self, *, kind: Kind, body: bytes) -> bool:
        """Say whether exactly this record already waits to be acknowledged."""
        query = "SELECT 1 FROM record WHERE kind = ? AND body = ? AND seq > ? LIMIT 1"
        return self._db.execute(query, (int(kind), body, self._acked_seq)).fetchone() is not None

    @property
    def bytes_waiting(self) -> int:
        """Size of what is not yet acknowledged."""
        return self._bytes

    def oldest_seq(self) -> int:
        """Number of the oldest record that is still here, acknowledged or not; with none, of the next one."""
        return self._oldest()

    def _oldest(self) -> int:
        seq: int | None = self._db.execute("SELECT min(seq) FROM record").fetchone()[0]
        return self._last_seq + 1 if seq is None else seq

    def read(self, *, after_seq: int, max_bytes: int, max_items: int) -> list[Item]:
        """Return the next records behind ``after_seq``: at least one if any, else as many as fit."""
        items: list[Item] = []
        size = 0
        query = "SELECT seq, kind, body FROM record WHERE seq > ? ORDER BY seq LIMIT ?"
        for seq, kind, body in self._db.execute(query, (after_seq, max_items)):
            size += len(body) + 16
            if items and size > max_bytes:
                break
            items.append(Item(seq, kind, body))
        return items

    def forget(self, *, epoch: int, upto_seq: int) -> int:
        """Wait no longer for what the head-end has stored; return how many records (none for a foreign epoch)."""
        if epoch != self.epoch or upto_seq <= self._acked_seq:
            return 0
        with self.atomic():
            query = "SELECT count(*), coalesce(sum(length(body)), 0) FROM record WHERE seq > ? AND seq <= ?"
            gone, size = self._db.execute(query, (self._acked_seq, upto_seq)).fetchone()
            self._acked_seq = min(upto_seq, self._last_seq)
            self._count, self._bytes, self._history = (
                self._count - gone,
                self._bytes - size,
                self._history + size,
            )
            self.put([("acked", self._acked_seq.to_bytes(8, "big"))])
            if self._history > self.history_bytes:
                self._trim()
        return int(gone)

    def _trim(self) -> None:
        # An eighth at a time, so that not every acknowledgement has to delete something.
        goal, upto = self.history_bytes - self.history_bytes // 8, 0
        query = "SELECT seq, length(body) FROM record WHERE seq <= ? ORDER BY seq"
        for seq, size in self._db.execute(query, (self._acked_seq,)):
            if self._history <= goal:
                break
            upto, self._history = seq, self._history - size
        self._db.execute("DELETE FROM record WHERE seq <= ?", (upto,))

    def command(self, *, meter: int) -> StoredCommand | None:
        """The newest command accepted for ``meter``."""
        query = "SELECT seq, message, receipt FROM command WHERE meter = ?"
        row = self._db.execute(query, (_key(meter),)).fetchone()
        return None if row is None else StoredCommand(*row)

    def open_commands(self) -> list[tuple[int, StoredCommand]]:
        """Commands accepted but not carried out yet, by meter: the meter was silent, or the power failed."""
        rows = self._db.execute("SELECT meter, seq, message, receipt FROM command WHERE receipt IS NULL")
        return [(int.from_bytes(meter, "big"), StoredCommand(*rest)) for meter, *rest in rows]

    def keep_command(self, *, meter: int, seq: int, message: bytes) -> None:
        """Remember a command before it is carried out. The sequence of a meter only rises."""
        with self.atomic():
            old = self.command(meter=meter)
            if old is not None and old.seq >= seq:
                raise ValueError(f"command {seq} of meter {meter} is not newer than {old.seq}")
            query = "INSERT OR REPLACE INTO command VALUES (?, ?, ?, NULL)"
            self._db.execute(query, (_key(meter), seq, message))

    def keep_receipt(self, *, meter: int, seq: int, receipt: bytes) -> None:
        """Remember what was answered, so that a repeated command gets the same answer."""
        with self.atomic():
            query = "UPDATE command SET receipt = ? WHERE meter = ? AND seq = ?"
            self._db.execute(query, (receipt, _key(meter), seq))

    def get(self, key: str, /) -> bytes | None:
        """A value kept under ``key``."""
        row = self._db.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, items: Iterable[tuple[str, bytes]], /) -> None:
        """Keep values under their keys."""
        rows = list(items)
        with self.atomic():
            self._db.executemany("INSERT OR REPLACE INTO kv VALUES (?, ?)", rows)
            self._second_due |= any(key.startswith(_TWICE) for key, _ in rows)

    def entries(self, prefix: str, /) -> list[tuple[str, bytes]]:
        """All values whose key begins with ``prefix``."""
        query = "SELECT key, value FROM kv WHERE key >= ? AND key < ? ORDER BY key"
        rows = self._db.execute(query, (prefix, prefix + "\U0010ffff"))
        return [(key, bytes(value)) for key, value in rows]


def _key(meter: int) -> bytes:
    # Meter numbers are unsigned 64 bits; SQLite's integers are signed.
    return meter.to_bytes(8, "big")


def _named(error: sqlite3.Error | OSError, path: Path) -> SpoolError:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC")):
        return SpoolFull(_full_text(path))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return SpoolError(
            f"{path} is in use by another agent; stop that one first, or commands would be obeyed twice"
        )
    return SpoolDamaged(
        f"{path} cannot be used: {error}. Supply is untouched and nothing is charged meanwhile. Keep the "
        "file for inspection; start with a new one only once the head-end knows this one is lost"
    )


def _full_text(path: Path) -> str:
    return (
        f"there is no room left for {path}: readings from now on are not kept and will be charged in one "
        "step when the register is next read; no command is obeyed and supply stays as it is. Free disk space"
    )

"""The yardstick of the hot path: the bare readings (instant, meter, register) through the same binary COPY."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg

from fairwatt.store.binary import COPY_HEADER, COPY_TRAILER

_PG_EPOCH_US: Final = 946_684_800_000_000
_WIRE: Final = np.dtype(
    [
        ("columns", ">i2"),
        ("_ts", ">i4"),
        ("ts", ">i8"),
        ("_meter", ">i4"),
        ("meter", ">i8"),
        ("_register", ">i4"),
        ("register", ">i8"),
    ]
)


class BareReadings:
    """A table of readings and nothing else, partitioned and keyed like the ledger's lines."""

    def __init__(self, *, dsn: str) -> None:
        self._link = psycopg.connect(dsn)
        with self._link.transaction(), self._link.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS bare_reading")
            cursor.execute(
                "CREATE TABLE bare_reading (ts timestamptz NOT NULL, meter bigint NOT NULL, register bigint NOT NULL, "
                "PRIMARY KEY (ts, meter)) PARTITION BY RANGE (ts)"
            )
            cursor.execute(
                "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i "
                "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'line'::regclass"
            )
            for name, bound in cursor.fetchall():
                cursor.execute(f"CREATE TABLE bare_{name} PARTITION OF bare_reading {bound}")

    def store(self, *, ts: npt.NDArray[Any], meter: npt.NDArray[Any], register: npt.NDArray[Any]) -> None:
        """Make one batch durable: one COPY, one commit."""
        wire = np.empty(len(ts), dtype=_WIRE)
        wire["columns"] = 3
        wire["_ts"] = wire["_meter"] = wire["_register"] = 8
        wire["ts"] = ts - _PG_EPOCH_US
        wire["meter"] = meter
        wire["register"] = register
        statement = "COPY bare_reading FROM STDIN (FORMAT BINARY)"
        with self._link.transaction(), self._link.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(COPY_HEADER)
            copy.write(wire.view(np.uint8).data)
            copy.write(COPY_TRAILER)

    def count(self) -> int:
        """Rows stored."""
        row = self._link.execute("SELECT count(*) FROM bare_reading").fetchone()
        self._link.commit()
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        """Drop the table and hang up."""
        self._link.execute("DROP TABLE bare_reading")
        self._link.commit()
        self._link.close()

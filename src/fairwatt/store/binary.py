"""NumPy arrays into PostgreSQL as binary COPY: no text, no object per row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + b"\x00" * 8
COPY_TRAILER: Final = b"\xff\xff"

SQL_TYPES: Final = {"i8": "bigint", "i4": "int", "i2": "smallint", "i1": "boolean"}

Columns = Sequence[tuple[str, str]]
"""(name, NumPy kind: a key of SQL_TYPES)"""


def wire_dtype(columns: Columns) -> np.dtype[Any]:
    """A row of binary COPY: the number of columns, then each with its length before it."""
    fields: list[tuple[str, str]] = [("_columns", ">i2")]
    for name, kind in columns:
        fields += [(f"_{name}", ">i4"), (name, f">{kind}")]
    return np.dtype(fields)


def wire_rows(count: int, columns: Columns) -> npt.NDArray[Any]:
    """Room for some rows, lengths filled in, values not."""
    wire = np.empty(count, dtype=wire_dtype(columns))
    wire["_columns"] = len(columns)
    for name, kind in columns:
        wire[f"_{name}"] = int(kind[1:])
    return wire


def send_rows(*, cursor: Any, into: str, rows: npt.NDArray[Any]) -> None:
    """COPY rows that `wire_rows` made, and somebody filled, into a table."""
    with cursor.copy(f"COPY {into} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(COPY_HEADER)
        copy.write(rows.view(np.uint8).data)
        copy.write(COPY_TRAILER)

"""Files of rows that people send, CSV or Excel: read whole into columns by name, or not at all."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Collection
from datetime import date, datetime
from typing import Any, Final
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from fairwatt.core.refusal import Refusal

ROWS_MAX: Final = 1_000
BYTES_MAX: Final = 2_000_000
UNPACKED_MAX: Final = 8_000_000
"""A workbook is an archive: two megabytes of it may be two gigabytes, which no process here could hold."""
_BROKEN: Final = (
    *(csv.Error, UnicodeDecodeError, InvalidFileException, BadZipFile, zlib.error, ParseError),
    *(LookupError, ValueError, TypeError, AttributeError, OSError, EOFError),
    # A workbook with a password, and one packed in a way that nobody here unpacks.
    *(RuntimeError, NotImplementedError),
)
"""What readers of CSV, archives and workbooks raise at a file that is damaged, or was never one."""


class Unreadable(Refusal):
    """A file that is no table of this kind; nothing was changed."""


def read_sheet(
    *, data: bytes, name: str, columns: Collection[str], needed: Collection[str]
) -> list[dict[str, str]]:
    """The rows of a CSV or Excel file that are not empty, by the names in its first row. Raises Unreadable."""
    if len(data) > BYTES_MAX:
        raise Unreadable("The file is larger than 2 MB. Nothing was changed; send fewer rows.")
    try:
        found = _sheet(data, columns) if data[:2] == b"PK" else _csv(data, columns)
    except Unreadable:
        raise
    except _BROKEN as error:
        raise Unreadable(
            "%(name)s cannot be read as CSV or Excel. Nothing was changed; save it anew and send it again.",
            name=name[:80],
        ) from error
    rows = [row for row in found if any(row.values())]
    if not rows or any(column not in rows[0] for column in needed):
        raise Unreadable(
            "The file needs a first row with the columns %(columns)s, and more rows below it. Nothing was changed.",
            columns=", ".join(columns),
        )
    if len(rows) > ROWS_MAX:
        raise Unreadable(
            "The file has more than %(most)d rows. Nothing was changed; cut it up.", most=ROWS_MAX
        )
    return rows


def _csv(data: bytes, columns: Collection[str]) -> list[dict[str, str]]:
    text = data.decode("utf-8-sig")
    sample = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in sample else ",")
    return _by_column([list(row) for row in reader], columns)


def _sheet(data: bytes, columns: Collection[str]) -> list[dict[str, str]]:
    with ZipFile(io.BytesIO(data)) as archive:
        # No more than an entry says is ever unpacked of it.
        if sum(entry.file_size for entry in archive.infolist()) > UNPACKED_MAX:
            raise Unreadable(
                "The file unpacks to more than %(most)d MB. Nothing was changed; send fewer rows.",
                most=UNPACKED_MAX // 1_000_000,
            )
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    rows = book.worksheets[0].iter_rows(max_row=ROWS_MAX + 2, max_col=len(columns) + 4, values_only=True)
    return _by_column([[_cell(value) for value in row] for row in rows], columns)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    return value.isoformat() if isinstance(value, date) else str(value)


def _by_column(rows: list[list[str]], columns: Collection[str]) -> list[dict[str, str]]:
    if not rows:
        return []
    names = [name.strip().lower() for name in rows[0]]
    return [
        {name: cell.strip() for name, cell in zip(names, row, strict=False) if name in columns}
        for row in rows[1 : ROWS_MAX + 2]
    ]

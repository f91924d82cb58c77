"""Tables of text: comma, semicolon, tab or bar, packed or not, with whatever header people write."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fairwatt.core.metering.vee.model import Row, Status
from fairwatt.intervals.columns import Columns, find_columns
from fairwatt.intervals.contract import (
    BYTES_MAX,
    LINE_MAX,
    ROWS_MAX,
    UNREADABLE_MAX,
    FileBroken,
    FileEmpty,
    FileTooLarge,
    IntervalFile,
    Unreadable,
)
from fairwatt.intervals.power import power_to_energy
from fairwatt.intervals.values import BadCell, Stamps, energy_wh

DELIMITERS: Final = (",", ";", "\t", "|")


def read_csv(*, path: Path, zone: str) -> IntervalFile:
    """Read a table of intervals. A row that gives none is kept aside with the reason, in its place."""
    file = IntervalFile(name=path.name, format="csv")
    lines = _lines(path)
    try:
        header = next(lines)
    except StopIteration:
        raise FileEmpty(f"{path.name} is empty. Nothing was read.") from None
    delimiter = max(DELIMITERS, key=header.count)
    names = next(csv.reader([header], delimiter=delimiter))
    columns = find_columns(name=path.name, names=names)
    stamps = Stamps(zone=zone)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if cells:
                _take(file, columns, stamps, cells, reader.line_num + 1)
    except csv.Error as error:
        raise FileBroken(f"{path.name} is not readable CSV ({error}). Fetch it again.") from error
    if not columns.per_unit_wh:
        power_to_energy(file=file)
    return file


def _take(file: IntervalFile, columns: Columns, stamps: Stamps, cells: list[str], number: int) -> None:
    home = ""
    try:
        if len(cells) <= max(columns.home or 0, columns.stamp, columns.energy):
            raise BadCell("the row is cut short")
        home = cells[columns.home].strip() if columns.home is not None else "home"
        if not home:
            raise BadCell("the row names no home")
        at_us = stamps.read(home=home, text=cells[columns.stamp])
        text = cells[columns.energy].strip()
        wh, rounded = (
            energy_wh(text=text, per_unit_wh=columns.per_unit_wh) if columns.per_unit_wh else (None, False)
        )
    except BadCell as error:
        file.unreadable.append(Unreadable(number, home, str(error)))
        if len(file.unreadable) > UNREADABLE_MAX:
            raise FileBroken(
                f"{file.name}: more than {UNREADABLE_MAX} rows cannot be read; row {number}: {error}. "
                "Nothing was taken over; fetch it again."
            ) from error
        return
    file.add(Row(number, home, at_us, wh, Status.ACTUAL, text, "rounded" if rounded else ""))


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, packed or not; none is held whole that is longer than a table's can be."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        opened = gzip.GzipFile(fileobj=raw) if packed else raw
        text = io.TextIOWrapper(opened, encoding="utf-8-sig", newline="")
        read = count = 0
        try:
            while line := text.readline(LINE_MAX + 1):
                read, count = read + len(line), count + 1
                if len(line) > LINE_MAX:
                    raise FileBroken(
                        f"{path.name} has a line of more than {LINE_MAX} letters, so it is no table of intervals. "
                        "Nothing was read; fetch it again."
                    )
                if read > BYTES_MAX or count > ROWS_MAX:
                    raise FileTooLarge(
                        f"{path.name} unpacks to more than {BYTES_MAX} letters or {ROWS_MAX} lines. Nothing was read; "
                        "split it by time or home."
                    )
                yield line
        except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileBroken(f"{path.name} is not readable text ({error}). Fetch it again.") from error

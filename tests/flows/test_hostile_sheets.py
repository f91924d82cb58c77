"""Files of rows that were damaged, or made to harm: refused in words, and before anything large is unpacked."""

from __future__ import annotations

import io
import random
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from fairwatt.flows.sheets import UNPACKED_MAX, Unreadable, read_sheet

COLUMNS = ("date", "amount")
SHEET, WORKBOOK = "xl/worksheets/sheet1.xml", "xl/workbook.xml"
MAIN = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
ENCRYPTED, PACKED_SO = 8, 10


def workbook() -> bytes:
    book, held = Workbook(), io.BytesIO()
    for row in (COLUMNS, ("2026-11-20", "5.00")):
        book.active.append(row)  # type: ignore[union-attr]
    book.save(held)
    return held.getvalue()


def with_part(part: str, content: bytes) -> bytes:
    """A workbook with one part of its archive exchanged."""
    held = io.BytesIO()
    with ZipFile(io.BytesIO(workbook())) as good, ZipFile(held, "w", ZIP_DEFLATED) as out:
        for name in good.namelist():
            out.writestr(name, content if name == part else good.read(name))
    return held.getvalue()


def with_mark(offset: int, mark: int) -> bytes:
    """A workbook with one byte exchanged in what its archive says of each part."""
    data = bytearray(workbook())
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + offset] = mark
        at = data.find(b"PK\x01\x02", at + 4)
    return bytes(data)


def read(data: bytes) -> list[dict[str, str]]:
    return read_sheet(data=data, name="rows.xlsx", columns=COLUMNS, needed=COLUMNS)


@pytest.mark.parametrize(
    "data",
    [
        with_part(SHEET, b"<worksheet><sheetData><row"),
        with_part(WORKBOOK, b"<nothing/>"),
        with_part(WORKBOOK, b"<workbook " + MAIN + b"><sheets/></workbook>"),
        with_mark(ENCRYPTED, 1),
        with_mark(PACKED_SO, 99),
        workbook()[:-300],
        b"PK",
    ],
    ids=["cut off", "no book", "no sheet", "a password", "packed strangely", "half of it", "a name"],
)
def test_a_damaged_file_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(Unreadable, match="cannot be read as CSV or Excel"):
        read(data)


def test_bytes_exchanged_anywhere_break_no_page() -> None:
    draw, refused = random.Random(5), 0
    for _ in range(200):
        data = bytearray(workbook())
        for _ in range(3):
            data[draw.randrange(2, len(data))] = draw.randrange(256)
        try:
            read(bytes(data))
        except Unreadable:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("part", [SHEET, WORKBOOK])
def test_a_small_file_that_unpacks_to_a_large_one_is_refused_before_it_is_unpacked(part: str) -> None:
    data = with_part(part, b"<row/>" * (UNPACKED_MAX // 6 + 1))
    assert len(data) < 100_000
    with pytest.raises(Unreadable, match="unpacks to more than 8 MB"):
        read(data)


def test_a_sound_workbook_is_read() -> None:
    assert read(workbook()) == [{"date": "2026-11-20", "amount": "5.00"}]

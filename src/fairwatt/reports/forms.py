"""The forms a report can have, each written to a file in one pass: a mismatch is an error and not a print."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Final
from unicodedata import east_asian_width

from django.utils.translation import gettext
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill

from fairwatt.core.cells import control_character, harmless
from fairwatt.core.spans import local_datetime
from fairwatt.reports.cells import NUMBERS, exact_text, grouped, heading, number, shown
from fairwatt.reports.document import Document, summed
from fairwatt.reports.model import Column, Figure, Report, Row, Shape, Table, TooLong
from fairwatt.reports.paper import write_pdf

_FORMATS: Final = {
    Shape.INSTANT: "yyyy-mm-dd hh:mm:ss",
    Shape.COUNT: "0",
    Shape.ENERGY: "#,##0.000",
    Shape.MONEY: "#,##0.00####",
    Shape.PRICE: "0.00####",
    Shape.SHARE: "0.00",
    Shape.AREA: "0.00",
}
_WIDTHS: Final = {Shape.INSTANT: 20, Shape.COUNT: 10, Shape.MONEY: 16, Shape.ENERGY: 14}
SHEET_ROWS_MAX: Final = 1_000_000
_SHEET_NAME_MAX: Final = 31
_MODIFIED: Final = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*")


@dataclass(frozen=True, kw_only=True)
class Form:
    """One way to write a report."""

    suffix: str
    media_type: str
    write: Callable[[Document, BinaryIO], None]


def caption(document: Document) -> list[tuple[str, str]]:
    """What stands over every report: whom it is about, the period, as of when, in which zone."""
    if document.contents.caption:
        return [(str(name), value) for name, value in document.contents.caption]
    asked = document.reading
    last_us = asked.ask.end_us - 1
    days = [
        exact_text(cell=us, shape=Shape.INSTANT, zone=asked.zone)[:10] for us in (asked.ask.start_us, last_us)
    ]
    as_of = exact_text(cell=asked.as_of_us, shape=Shape.INSTANT, zone=asked.zone)
    return [
        (gettext("Book"), asked.book.slug),
        *([(gettext("Home or shop"), document.contents.subject)] if document.contents.subject else []),
        (gettext("Period"), f"{days[0]} – {days[1]}"),
        (gettext("As of"), f"{as_of}, {gettext('batch')} {asked.as_of}"),
        (gettext("Clock and currency"), f"{asked.zone}, {asked.currency}"),
    ]


def how_to_verify(document: Document, digest: str) -> list[str]:
    """The lines that make a print checkable by anybody with the ledger."""
    asked = document.question()
    if document.contents.caption:
        return [
            f"SHA-256 {digest}",
            gettext("The same files give the same figures, and the same figures give the same SHA-256."),
        ]
    return [
        f"SHA-256 {digest}",
        gettext(
            "Anybody with the ledger can make this report again: ask for report %(report)s of this period as of batch "
            "%(batch)s, in any form or language. The same figures give the same SHA-256."
        )
        % {"report": document.report.name, "batch": asked["as_of_batch"]},
    ]


def figure_text(*, figure: Figure, zone: str) -> str:
    """A figure as exact text."""
    return shown(
        cell=figure.value, column=Column(key=figure.key, title=figure.title, shape=figure.shape), zone=zone
    )


def figures(document: Document) -> list[tuple[str, str, bool]]:
    """(title, value with its unit, whether it is part of the one before) of every figure."""
    zone, currency = document.reading.zone, document.reading.currency
    return [
        (
            str(figure.title),
            f"{_for_reading(figure, zone)} {unit(figure.shape, currency, document.measure)}".strip(),
            figure.inner,
        )
        for figure in document.contents.figures
    ]


def _for_reading(figure: Figure, zone: str) -> str:
    said = figure_text(figure=figure, zone=zone)
    return grouped(said) if figure.shape in NUMBERS else said


def total_row(*, table: Table, totals: Mapping[str, int]) -> Row:
    """The sums under their columns."""
    return tuple(totals[column.key] if column.total else None for column in table.columns)


# --- CSV ------------------------------------------------------------------------------------------------------


def write_csv(document: Document, file: BinaryIO) -> None:
    """Comma-separated, UTF-8 with its mark (Excel needs it), one table below the other."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    out = csv.writer(text)
    zone, currency = document.reading.zone, document.reading.currency
    out.writerow([harmless(str(document.report.title))])
    out.writerows([harmless(name), harmless(value)] for name, value in caption(document))
    for figure in document.contents.figures:
        said = figure_text(figure=figure, zone=zone)
        value = said if figure.shape in NUMBERS else harmless(said)
        out.writerow([harmless(str(figure.title)), value, unit(figure.shape, currency, document.measure)])
    for table in document.tables:
        totals: dict[str, int] = {}
        out.writerow([])
        out.writerow([harmless(str(table.title))])
        out.writerow(
            [
                harmless(heading(column=column, currency=currency, measure=document.measure))
                for column in table.columns
            ]
        )
        for row in document.rows(table, totals):
            out.writerow(
                [_csv_cell(cell, column, zone) for cell, column in zip(row, table.columns, strict=True)]
            )
        if summed(table.columns):
            sums = total_row(table=table, totals=totals)
            cells = [_csv_cell(cell, column, zone) for cell, column in zip(sums, table.columns, strict=True)]
            out.writerow([gettext("Total"), *cells[1:]] if not table.columns[0].total else cells)
    out.writerow([])
    for note in [*document.contents.notes, *how_to_verify(document, document.digest())]:
        out.writerow([harmless(str(note))])
    text.flush()
    text.detach()


def _csv_cell(cell: object, column: Column, zone: str) -> str:
    if column.shape is Shape.INSTANT and isinstance(cell, int):
        return exact_text(cell=cell, shape=Shape.INSTANT, zone=zone)
    text = shown(cell=cell, column=column, zone=zone)  # type: ignore[arg-type]  # a Cell by its table
    return text if column.shape in NUMBERS else harmless(text)


def unit(shape: Shape, currency: str, measure: str) -> str:
    units = {
        Shape.ENERGY: measure,
        Shape.MONEY: currency,
        Shape.PRICE: f"{currency}/{measure}",
        Shape.SHARE: "%",
    }
    return units.get(shape, "")


# --- Excel ----------------------------------------------------------------------------------------------------


def write_xlsx(document: Document, file: BinaryIO) -> None:
    """A sheet for the figures and one for each table; amounts are numbers a spreadsheet adds up."""
    book = Workbook(write_only=True)
    book.properties.creator = "Fairwatt"
    book.properties.created = book.properties.modified = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
    zone, currency = document.reading.zone, document.reading.currency
    front = book.create_sheet(_sheet_name(str(document.report.title), set()))
    front.column_dimensions["A"].width, front.column_dimensions["B"].width = 44, 34
    names = {front.title}
    front.append([_styled(front, str(document.report.title), bold=True, size=16)])
    for name, value in caption(document):
        front.append([harmless(name), harmless(value)])
    front.append([])
    for figure in document.contents.figures:
        cell = _styled(
            front, _excel(figure.value, figure.shape, zone), shape=figure.shape, bold=not figure.inner
        )
        title = f"    {figure.title}" if figure.inner else str(figure.title)
        front.append(
            [
                _styled(front, title, bold=not figure.inner),
                cell,
                unit(figure.shape, currency, document.measure),
            ]
        )
    for table in document.tables:
        sheet = book.create_sheet(_sheet_name(str(table.title), names))
        names.add(sheet.title)
        _sheet(sheet, document, table)
    front.append([])
    for note in [*document.contents.notes, *how_to_verify(document, document.digest())]:
        front.append([_styled(front, str(note), wrap=False)])
    _save(book, file)


def _save(book: Workbook, file: BinaryIO) -> None:
    """The same report gives the same bytes: no file inside the workbook knows when it was written."""
    with tempfile.TemporaryFile() as dated:
        book.save(dated)
        with zipfile.ZipFile(dated) as made, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
            for name in made.namelist():
                info = zipfile.ZipInfo(name)
                info.compress_type = zipfile.ZIP_DEFLATED
                with made.open(name) as part, out.open(info, "w", force_zip64=True) as target:
                    if name == "docProps/core.xml":
                        target.write(_MODIFIED.sub(rb"\g<1>1970-01-01T00:00:00Z", part.read()))
                    else:
                        shutil.copyfileobj(part, target)


def _sheet(sheet: object, document: Document, table: Table) -> None:
    zone, currency = document.reading.zone, document.reading.currency
    target: object = sheet
    heads = [heading(column=column, currency=currency, measure=document.measure) for column in table.columns]
    for n, head in enumerate(heads):
        letter = target._get_column_letter(n) if hasattr(target, "_get_column_letter") else _letter(n)
        target.column_dimensions[letter].width = _width(table.columns[n], head, first=n == 0)  # type: ignore[attr-defined]
    target.freeze_panes = "A2"  # type: ignore[attr-defined]
    append = target.append  # type: ignore[attr-defined]
    append([_styled(target, head, bold=True, fill=True, wrap=True) for head in heads])
    totals: dict[str, int] = {}
    for n, row in enumerate(document.rows(table, totals)):
        if n >= SHEET_ROWS_MAX:
            raise TooLong(
                "Table %(table)s has more than %(most)s rows, which no spreadsheet opens. "
                "Take a shorter period, or the CSV form.",
                table=table.name,
                most=SHEET_ROWS_MAX,
            )
        append([_cell(target, cell, column, zone) for cell, column in zip(row, table.columns, strict=True)])
    if summed(table.columns):
        sums = [
            _styled(target, _excel(cell, column.shape, zone), shape=column.shape, bold=True)
            for cell, column in zip(total_row(table=table, totals=totals), table.columns, strict=True)
        ]
        if not table.columns[0].total:
            sums[0] = _styled(target, gettext("Total"), bold=True)
        append(sums)


def _width(column: Column, head: str, *, first: bool) -> int:
    """Wide enough for what the column holds: a date that does not fit would be shown as hashes."""
    least = 22 if first else _WIDTHS.get(column.shape, 18)
    said = max((_cells_wide(str(word)) for word in column.words.values()), default=0)
    return max(least, min(34, max(_cells_wide(head), said) + 3))


def _cells_wide(text: str) -> int:
    """How many digits wide a text is: a Chinese character takes two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _cell(sheet: object, cell: object, column: Column, zone: str) -> object:
    if column.shape is Shape.INSTANT and isinstance(cell, int):
        at = local_datetime(zone=zone, at_us=cell).replace(tzinfo=None, microsecond=0)
        return _styled(sheet, at, shape=Shape.INSTANT)
    if column.shape in NUMBERS:
        return _styled(sheet, _excel(cell, column.shape, zone), shape=column.shape)
    return harmless(shown(cell=cell, column=column, zone=zone))  # type: ignore[arg-type]  # a Cell by its table


def _excel(cell: object, shape: Shape, zone: str) -> object:
    if shape in NUMBERS:
        return number(cell=cell, shape=shape)  # type: ignore[arg-type]  # a Cell by its table
    return exact_text(cell=cell, shape=shape, zone=zone)  # type: ignore[arg-type]


def _styled(
    sheet: object,
    value: object,
    *,
    shape: Shape = Shape.TEXT,
    bold: bool = False,
    size: int = 11,
    fill: bool = False,
    wrap: bool = False,
) -> object:
    if isinstance(value, str) and shape not in NUMBERS:
        value = harmless(value)
    cell = WriteOnlyCell(sheet, value=value)  # type: ignore[arg-type]  # a sheet of a write-only book
    if bold or size != 11:
        cell.font = Font(bold=bold, size=size)
    if shape in _FORMATS:
        cell.number_format = _FORMATS[shape]
    if fill:
        cell.fill = PatternFill("solid", fgColor="DDEFE7")
    if wrap:
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


def _letter(n: int) -> str:
    return chr(65 + n) if n < 26 else chr(64 + n // 26) + chr(65 + n % 26)


def _sheet_name(title: str, taken: set[str]) -> str:
    """At most 31 characters without those a sheet may not have, and no name twice."""
    letters = (" " if letter in r"[]:*?/\\" or control_character(letter) else letter for letter in title)
    plain = "".join(letters).replace("'", "\N{RIGHT SINGLE QUOTATION MARK}").strip() or "Sheet"
    if len(plain) > _SHEET_NAME_MAX:
        plain = (
            plain[: _SHEET_NAME_MAX - 1].rpartition(" ")[0][: _SHEET_NAME_MAX - 1] or plain[:_SHEET_NAME_MAX]
        )
    name, n = plain, 2
    while name in taken:
        name, n = f"{plain[:28]} {n}", n + 1
    return name


# --- JSON -----------------------------------------------------------------------------------------------------


def write_json(document: Document, file: BinaryIO) -> None:
    """Whole numbers in their smallest units, codes instead of words: what machines compare."""

    def put(content: object) -> None:
        file.write(json.dumps(content, ensure_ascii=False).encode())

    file.write(b'{"question": ')
    put(document.question())
    file.write(b',\n"figures": ')
    put({figure.key: figure.value for figure in document.contents.figures})
    file.write(b',\n"tables": [')
    for n, table in enumerate(document.tables):
        totals: dict[str, int] = {}
        file.write(b",\n" if n else b"\n")
        columns = [{"key": c.key, "shape": c.shape} for c in table.columns]
        file.write(f'{{"name": "{table.name}", "columns": {json.dumps(columns)}, "rows": ['.encode())
        for k, row in enumerate(document.rows(table, totals)):
            file.write(b",\n" if k else b"\n")
            put(row)
        file.write(b'], "totals": ')
        put(totals)
        file.write(b"}")
    file.write(b'],\n"digest": ')
    put(document.digest())
    file.write(b"}\n")


def _write_pdf(document: Document, file: BinaryIO) -> None:
    write_pdf(
        document,
        file,
        caption=caption(document),
        figures=figures(document),
        verify=lambda digest: how_to_verify(document, digest),
    )


FORMS: Final[Mapping[str, Form]] = {
    "pdf": Form(suffix="pdf", media_type="application/pdf", write=_write_pdf),
    "xlsx": Form(
        suffix="xlsx",
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        write=write_xlsx,
    ),
    "csv": Form(suffix="csv", media_type="text/csv; charset=utf-8", write=write_csv),
    "json": Form(suffix="json", media_type="application/json", write=write_json),
}


def file_name(*, report: Report, document: Document, form: Form) -> str:
    """A name that says what is inside."""
    asked = document.reading
    first, last = (
        exact_text(cell=us, shape=Shape.INSTANT, zone=asked.zone)[:10]
        for us in (asked.ask.start_us, asked.ask.end_us - 1)
    )
    home = "".join(c for c in document.contents.subject if c.isascii() and c.isalnum())
    middle = f"-{home}" if home else ""
    return f"{asked.book.slug}{middle}-{report.name}-{first}-{last}.{form.suffix}"

"""The PDF: typst sets it, in a face that has Chinese; the same question gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from unicodedata import east_asian_width

from django.utils.translation import get_language, gettext, ngettext

from fairwatt.reports.cells import NUMBERS, for_reading, heading, shown
from fairwatt.reports.model import Row, Shape, Table, TooLong
from fairwatt.reports.typeset import set_sheet

if TYPE_CHECKING:
    from fairwatt.reports.document import Document

PDF_ROWS_MAX: Final = 20_000
"""About five hundred pages; a machine should read what is longer."""
_HEAD_MAX: Final = 12
_LETTERS_PORTRAIT: Final = 105
_LETTERS_LANDSCAPE: Final = 155
"""So many digits of a table's face stand on a line at 8.2 points."""


def write_pdf(
    document: Document,
    file: BinaryIO,
    *,
    caption: list[tuple[str, str]],
    figures: list[tuple[str, str, bool]],
    verify: Callable[[str], list[str]],
) -> None:
    """Set a report on paper. Raises TooLong beyond PDF_ROWS_MAX rows."""
    rows_left = PDF_ROWS_MAX
    tables = []
    for table in document.tables:
        set_table, rows_left = _table(document, table, rows_left)
        tables.append(set_table)
    content = {
        "language": "zh" if (get_language() or "en").startswith("zh") else "en",
        "title": str(document.report.title),
        "landscape": document.report.landscape,
        "organisation": document.reading.book.organisation.name,
        "caption": caption,
        "figures": figures,
        "tables": tables,
        "notes": [str(note) for note in document.contents.notes],
        "verify": verify(document.digest()),
        "page": gettext("Page"),
    }
    file.write(set_sheet(sheet="paper", content=content, at_us=document.reading.as_of_us))


def _table(document: Document, table: Table, rows_left: int) -> tuple[dict[str, Any], int]:
    zone, currency = document.reading.zone, document.reading.currency
    totals: dict[str, int] = {}
    rows: list[list[str]] = []
    elsewhere = 0
    for row in document.rows(table, totals):
        if not table.on_paper:
            elsewhere += 1
            continue
        rows_left -= 1
        if rows_left < 0:
            raise TooLong(
                "This report has more than %(most)s rows, too many for paper; nothing was made. "
                "Take a shorter period, or the Excel or CSV form.",
                most=PDF_ROWS_MAX,
            )
        rows.append(_texts(table, row, zone))
    summed = any(column.total for column in table.columns)
    sums = tuple(totals.get(column.key) if column.total else None for column in table.columns)
    heads = [
        _in_two_lines(heading(column=column, currency=currency, measure=document.measure))
        for column in table.columns
    ]
    *rows, total = read = for_reading(columns=table.columns, rows=[*rows, _texts(table, sums, zone)])
    total[0] = total[0] or gettext("Total")
    return {
        "title": str(table.title),
        "lead": str(table.lead),
        "heads": heads,
        "shares": _shares(heads, read, landscape=document.report.landscape),
        "wide": _wide(table, rows),
        "numbers": [column.shape in NUMBERS for column in table.columns],
        "rows": rows,
        "total": total if summed else [],
        "empty": _not_here(elsewhere) if elsewhere else str(table.empty),
    }, rows_left


def _not_here(rows: int) -> str:
    return ngettext(
        "%(n)s row, not printed: the Excel, CSV and JSON forms of this report have it, under the same SHA-256.",
        "%(n)s rows, not printed: the Excel, CSV and JSON forms of this report have them, under the same SHA-256.",
        rows,
    ) % {"n": f"{rows:,}"}


def _shares(heads: list[str], rows: list[list[str]], *, landscape: bool) -> list[int]:
    """How the width of the page is shared where a table does not need it all: by the longest text of each column.

    Empty where it needs more; then one column breaks its words and the others are as wide as they must be.
    """
    widest = [
        max(_letters(line) for text in (head, *(row[n] for row in rows)) for line in text.split("\n")) + 3
        for n, head in enumerate(heads)
    ]
    room = _LETTERS_LANDSCAPE if landscape else _LETTERS_PORTRAIT
    # The sheet sets tables of many columns smaller: 8.2, 7.4 and 6.6 points.
    size = 66 if len(heads) > 9 else 74 if len(heads) > 7 else 82
    return widest if sum(widest) * size <= room * 82 else []


def _letters(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _wide(table: Table, rows: list[list[str]]) -> int:
    """The column that takes the room that is left, and breaks its words: the one with the longest words."""
    words = [n for n, column in enumerate(table.columns) if column.shape in (Shape.TEXT, Shape.WORD)]
    said = words or [n for n, column in enumerate(table.columns) if column.shape not in NUMBERS]
    return max(said, key=lambda n: max((len(row[n]) for row in rows), default=0), default=0)


def _in_two_lines(head: str) -> str:
    """Break a long heading near its middle, so that a column is as wide as its figures."""
    gaps = [n for n, letter in enumerate(head) if letter == " "]
    if len(head) <= _HEAD_MAX or not gaps:
        return head
    middle = min(gaps, key=lambda n: abs(2 * n - len(head)))
    return f"{head[:middle]}\n{head[middle + 1 :]}"


def _texts(table: Table, row: Row, zone: str) -> list[str]:
    return [
        shown(cell=cell, column=column, zone=zone) for cell, column in zip(row, table.columns, strict=True)
    ]

"""Reports on pages: the question out of an address, the report as tables and one drawing, the file that is sent.

Shared by the faces of residents and desk; whom a report may be about is decided there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import IO, Any, Final
from urllib.parse import quote, urlencode

from asgiref.sync import sync_to_async
from django.http import HttpRequest, QueryDict, StreamingHttpResponse
from django.utils.translation import gettext

from fairwatt.core.spans import date_start, local_date
from fairwatt.reports.asking import Ask, days_to_span, month_of
from fairwatt.reports.cells import NUMBERS, for_reading, heading, shown
from fairwatt.reports.document import Document, opened, summed
from fairwatt.reports.forms import caption, figures, how_to_verify, total_row
from fairwatt.reports.making import Made, make
from fairwatt.reports.model import Chart, Report, ReportError, Row, Shape, Table
from fairwatt.store.models import Book
from fairwatt.web.design import format as text
from fairwatt.web.design.refusals import said

ROWS_SHOWN: Final = 100
DRAWN_MAX: Final = 40
_PIECE: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the form over a report says: days as people write them, and the question they make."""

    first: date
    last: date
    as_of: str
    ask: Ask

    @property
    def query(self) -> str:
        """The address part that asks the same again."""
        said = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        return urlencode({**said, **({"as_of": self.as_of} if self.as_of else {})})


def question_of(
    *, asked: QueryDict, book: Book, wallet: int | None, now_us: int, last_month: bool = False
) -> Question:
    """Read `from`, `to` and `as_of` of an address; nothing named is the running month (or the last whole one).

    Raises ReportError in words for what is no day, or no period.
    """
    zone = book.zone
    first, last = month_of(zone=zone, at_us=now_us)
    if last_month:
        first, last = month_of(zone=zone, at_us=date_start(zone=zone, day=first) - 1)
    if asked.get("from") or asked.get("to"):
        first, last = _day(asked.get("from") or first.isoformat()), _day(asked.get("to") or last.isoformat())
    start_us, end_us = days_to_span(zone=zone, first=first, last=last)
    as_of = asked.get("as_of", "")
    as_of_us = (
        None
        if not as_of
        else min(now_us, days_to_span(zone=zone, first=_day(as_of), last=_day(as_of))[1] - 1)
    )
    ask = Ask(book=book.pk, wallet=wallet, start_us=start_us, end_us=end_us, now_us=now_us, as_of_us=as_of_us)
    return Question(first=first, last=last, as_of=as_of, ask=ask)


def report_page(
    *,
    request: HttpRequest,
    report: Report,
    book: Book,
    wallet: int | None,
    now_us: int,
    last_month: bool = False,
) -> dict[str, Any]:
    """The context of templates/_report.html, whatever was asked; `status` is what the answer should have."""
    today = local_date(zone=book.zone, at_us=now_us)
    context: dict[str, Any] = {"report": report, "today": today, "status": 200}
    try:
        question = question_of(
            asked=request.GET, book=book, wallet=wallet, now_us=now_us, last_month=last_month
        )
        with opened(report=report, ask=question.ask) as document:
            return {**context, "question": question, "document": drawn(document)}
    except ReportError as error:
        first, last = month_of(zone=book.zone, at_us=now_us)
        blank = {"first": first, "last": last, "as_of": ""}
        return {**context, "question": blank, "error": said(error), "status": 400}


def report_file(
    *,
    request: HttpRequest,
    report: Report,
    book: Book,
    wallet: int | None,
    form: str,
    now_us: int,
    last_month: bool = False,
) -> StreamingHttpResponse:
    """The report as a file, written whole and then sent piece by piece. Raises ReportError."""
    question = question_of(asked=request.GET, book=book, wallet=wallet, now_us=now_us, last_month=last_month)
    return send(made=make(report=report, ask=question.ask, form=form))


def send(*, made: Made) -> StreamingHttpResponse:
    """Send a finished file under its name; memory stays small however long it is."""
    response = StreamingHttpResponse(_pieces(made.file), content_type=made.media_type)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(made.name)}"
    response["Cache-Control"] = "private, no-store"
    response["X-Fairwatt-Digest"] = made.digest
    return response


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while piece := await sync_to_async(file.read)(_PIECE):
            yield piece
    finally:
        await sync_to_async(file.close)()


def _day(day: str) -> date:
    try:
        return date.fromisoformat(day)
    except ValueError as error:
        raise ReportError(
            "%(said)s names no day. A day is written as 2026-11-21. Nothing was changed.", said=day[:20]
        ) from error


def drawn(document: Document) -> dict[str, Any]:
    """Everything the page says of a report: each table's first rows, all totals, and the data of its drawing."""
    contents, zone, currency = document.contents, document.reading.zone, document.reading.currency
    tables, chart = [], None
    for table in document.tables:
        totals: dict[str, int] = {}
        rows = document.rows(table, totals)
        first = list(islice(rows, ROWS_SHOWN))
        beyond = sum(1 for _ in rows)
        if contents.chart is not None and contents.chart.table == table.name:
            chart = _chart(contents.chart, table, first, currency, document.measure)
        sums = [total_row(table=table, totals=totals)] if summed(table.columns) and first else []
        texts = _texts(table, [*first, *sums], zone)
        total = texts.pop() if sums else []
        if total and not table.columns[0].total:
            total[0] = (gettext("Total"), False)
        tables.append(
            {
                "title": table.title,
                "empty": table.empty,
                "heads": [
                    (heading(column=c, currency=currency, measure=document.measure), c.shape in NUMBERS)
                    for c in table.columns
                ],
                "rows": texts,
                "total": total,
                "beyond": beyond,
                "count": len(first) + beyond,
            }
        )
    return {
        "subject": contents.subject,
        "caption": caption(document),
        "figures": figures(document),
        "tables": tables,
        "chart": chart,
        "notes": contents.notes,
        "verify": how_to_verify(document, document.digest()),
    }


def _texts(table: Table, rows: list[Row], zone: str) -> list[list[tuple[str, bool]]]:
    """(text, whether it is a number) of every cell of the rows shown."""
    said = [
        [shown(cell=cell, column=column, zone=zone) for cell, column in zip(row, table.columns, strict=True)]
        for row in rows
    ]
    numbers = [column.shape in NUMBERS for column in table.columns]
    return [list(zip(row, numbers, strict=True)) for row in for_reading(columns=table.columns, rows=said)]


def _chart(drawn: Chart, table: Table, rows: list[Row], currency: str, measure: str) -> dict[str, Any] | None:
    """The data of a drawing; None where every mark would stand on zero."""
    places = {column.key: n for n, column in enumerate(table.columns)}
    if not any(row[places[key]] for row in rows for key in drawn.series):
        return None
    shape = table.columns[places[drawn.series[0]]].shape
    some = rows if drawn.line else rows[:DRAWN_MAX]
    return {
        "kind": "report",
        "line": drawn.line,
        "stacked": drawn.stacked,
        "labels": [str(row[places[drawn.label]]) for row in some],
        "names": [str(table.columns[places[key]].title) for key in drawn.series],
        "series": [[row[places[key]] for row in some] for key in drawn.series],
        "scale": 1000 if shape is Shape.ENERGY else 1_000_000,
        "symbol": text.symbol(currency=currency) if shape is Shape.MONEY else "",
        "unit": f" {measure}" if shape is Shape.ENERGY else "",
        "summary": gettext("%(title)s as a drawing; the table below says the same.") % {"title": table.title},
    }

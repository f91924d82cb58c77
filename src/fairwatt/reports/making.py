"""A report as a finished file: written whole before anybody gets a byte of it, however long it is."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Any

from fairwatt.reports.asking import Ask, month_span
from fairwatt.reports.document import Document, digest_of, opened
from fairwatt.reports.forms import FORMS, file_name
from fairwatt.reports.model import CannotAsk, Report
from fairwatt.reports.registry import REPORTS
from fairwatt.store.models import Book, PeriodClose

_IN_MEMORY_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Made:
    """A finished file, open at its beginning; whoever takes it closes it."""

    file: IO[bytes]
    name: str
    media_type: str
    digest: str
    figures: dict[str, Any]
    as_of_batch: int


@dataclass(frozen=True, kw_only=True)
class MonthPack:
    """What closing a month writes down: its batches, as of which one, and the digest of its pack."""

    first_batch: int
    last_batch: int
    as_of_batch: int
    digest: str


def report_named(*, name: str) -> Report:
    """The report of that name. Raises CannotAsk with the names there are."""
    found = REPORTS.get(name)
    if found is None:
        raise CannotAsk(
            "There is no report “%(name)s”. Choose one of: %(known)s.",
            name=name[:40],
            known=", ".join(REPORTS),
        )
    return found


def make(*, report: Report, ask: Ask, form: str) -> Made:
    """Write a report into a file of its own. Raises ReportError; then there is no file."""
    return write(opening=opened(report=report, ask=ask), form=form)


def write(*, opening: AbstractContextManager[Document], form: str) -> Made:
    """Write a document that is about to be opened into a file of its own. Raises ReportError; then there is no file."""
    if form not in FORMS:
        raise CannotAsk(
            "A report has no form “%(form)s”. Choose one of: %(known)s.",
            form=form[:20],
            known=", ".join(FORMS),
        )
    chosen = FORMS[form]
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_MAX)  # noqa: SIM115  # handed on open
    try:
        with opening as document:
            chosen.write(document, file)  # type: ignore[arg-type]  # a binary file, though typed apart
            file.seek(0)
            return Made(
                file=file,
                name=file_name(report=document.report, document=document, form=chosen),
                media_type=chosen.media_type,
                digest=document.digest(),
                figures={figure.key: figure.value for figure in document.contents.figures},
                as_of_batch=document.reading.as_of,
            )
    except BaseException:
        file.close()
        raise


def pack_of_month(*, book: Book, month: str, now_us: int) -> MonthPack:
    """Make the pack of a month as the ledger stands now, for its closing."""
    start_us, end_us = month_span(zone=book.zone, month=month)
    ask = Ask(book=book.pk, start_us=start_us, end_us=end_us, now_us=now_us)
    digest, asked = digest_of(report=REPORTS["month-end"], ask=ask)
    return MonthPack(
        first_batch=asked.opening, last_batch=asked.closing, as_of_batch=asked.as_of, digest=digest
    )


def ask_as_closed(*, close: PeriodClose, now_us: int) -> Ask:
    """The question that gives a closed month's pack again, byte for byte."""
    return Ask(
        book=close.book_id,
        start_us=close.start_us,
        end_us=close.end_us,
        now_us=now_us,
        as_of_batch=close.as_of_batch,
        as_of_us=close.closed_us,
    )

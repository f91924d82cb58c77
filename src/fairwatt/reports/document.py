"""A report while it is being written: every form goes through its rows once, and the same pass checks and digests them.

The digest covers the question and every cell in whole numbers, not their looks: a report in another form or language,
made again as of the same batch, has the same one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from fairwatt.core.units import UNIT_WORDS
from fairwatt.flows.billed_unit import unit_of_wallet, words_of_book
from fairwatt.reports.asking import Ask, Reading, reading
from fairwatt.reports.model import CannotAsk, Column, Contents, FiguresDisagree, Report, Row, Scope, Table


@dataclass(kw_only=True)
class Document:
    """One report over one question, open while its snapshot is."""

    report: Report
    reading: Reading
    contents: Contents
    measure: str = UNIT_WORDS["kWh"]
    """how people read what its homes' use is counted in"""
    _digest: Any = field(default_factory=sha256)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._open = [table.name for table in self.contents.tables]
        self._feed(self._question())
        self._feed([[figure.key, figure.value] for figure in self.contents.figures])

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables, to be gone through in this order."""
        return self.contents.tables

    def rows(self, table: Table, totals: dict[str, int]) -> Iterator[Row]:
        """Go through a table's rows, once; afterwards `totals` holds the sums of its columns, checked."""
        if not self._open or self._open[0] != table.name:
            raise AssertionError(f"table {table.name} is not the next one")
        self._open.pop(0)
        self._feed([table.name, [column.key for column in table.columns]])
        summed = [(n, column) for n, column in enumerate(table.columns) if column.total]
        totals.update({column.key: 0 for _, column in summed})
        for row in table.rows:
            self._feed(row)
            for n, column in summed:
                cell = row[n]
                if isinstance(cell, int):
                    totals[column.key] += cell
            yield row
        _agree(self.report, table, totals)

    def digest(self) -> str:
        """SHA-256 of the whole data; only after every table was gone through."""
        if self._open:
            raise AssertionError(f"tables {self._open} were not gone through")
        return str(self._digest.hexdigest())

    def _question(self) -> dict[str, Any]:
        asked = self.reading
        return {
            "report": self.report.name,
            "book": asked.book.slug,
            "wallet": None if asked.wallet is None else str(asked.wallet.public_id),
            "currency": asked.currency,
            "zone": asked.zone,
            "start_us": asked.ask.start_us,
            "end_us": asked.ask.end_us,
            "after_batch": asked.opening,
            "until_batch": asked.closing,
            "as_of_batch": asked.as_of,
        }

    def question(self) -> dict[str, Any]:
        """What was asked, as machines read it."""
        return self._question()

    def _feed(self, content: Any) -> None:
        self._digest.update(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


@contextmanager
def opened(*, report: Report, ask: Ask) -> Iterator[Document]:
    """Make a report over one snapshot. Raises ReportError when it cannot be made or its figures disagree."""
    if report.scope is Scope.WALLET and ask.wallet is None:
        raise CannotAsk("This report is about one home. Name the home.")
    if report.scope is not Scope.WALLET and ask.wallet is not None:
        raise CannotAsk("This report is about the whole book. Ask for it without a home.")
    with reading(ask=ask) as asked:
        yield Document(report=report, reading=asked, contents=report.build(asked), measure=_measure(asked))


def _measure(asked: Reading) -> str:
    if asked.wallet is None:
        return words_of_book(book=asked.ask.book)
    return UNIT_WORDS[unit_of_wallet(wallet=asked.wallet.pk)]


def digest_of(*, report: Report, ask: Ask) -> tuple[str, Reading]:
    """The digest of a report and what was read for it, without writing it anywhere."""
    with opened(report=report, ask=ask) as document:
        for table in document.tables:
            for _ in document.rows(table, {}):
                pass
        return document.digest(), document.reading


def summed(columns: tuple[Column, ...]) -> bool:
    """Whether a table has a line of totals."""
    return any(column.total for column in columns)


def _agree(report: Report, table: Table, totals: dict[str, int]) -> None:
    for key, expected in table.expect.items():
        if totals.get(key) != expected:
            raise FiguresDisagree(
                "Report %(report)s: the rows of %(table)s come to %(found)s for %(key)s, the ledger says "
                "%(expected)s. Nothing was printed and nobody was charged; tell whoever runs the book.",
                report=report.name,
                table=table.name,
                found=totals.get(key),
                key=key,
                expected=expected,
            )

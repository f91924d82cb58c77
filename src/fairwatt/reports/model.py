"""What a report is: a name, a title, and a function from a question to tables. One mechanism shows them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise

from fairwatt.core.refusal import Refusal

Words = str | Promise
Cell = int | str | None
Row = tuple[Cell, ...]


class ReportError(Refusal):
    """A report cannot be made as asked; nothing was written, and no money or supply is touched."""

    code = "report"


class FiguresDisagree(ReportError):
    """Two ways to the same figure differ: the report is not printed, because one of them is wrong."""

    code = "figures_disagree"


class CannotAsk(ReportError):
    """The question has no answer: an empty period, a home that is missing, an instant to come."""

    code = "cannot_ask"


class TooLong(ReportError):
    """More rows than this form of the report can carry."""

    code = "too_long"


class Shape(StrEnum):
    """How the cells of a column are meant, whole numbers all: each form of a report writes them exactly."""

    TEXT = "text"
    COUNT = "count"
    INSTANT = "instant"
    """Microseconds since 1970 UTC, shown on the wall clock of the book."""
    ENERGY = "energy"
    """Watt-hours, shown in kWh with three decimals; or litres, shown in m³."""
    MONEY = "money"
    """Micro-units of the book's currency, shown with as many decimals as there are, at least two."""
    AREA = "area"
    """Square decimetres, shown in m² with two decimals."""
    PRICE = "price"
    """Micro-units for a kWh (or m³)."""
    SHARE = "share"
    """Hundredths of a percent."""
    WORD = "word"
    """One of a few codes; people read the words of the column, machines the code."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its name for machines, its title for people, what its numbers are; `total` adds it up."""

    key: str
    title: Words
    shape: Shape = Shape.TEXT
    total: bool = False
    words: Mapping[str, Words] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under columns. `rows` is gone through once; `expect` is what its totals must come to."""

    name: str
    title: Words
    columns: tuple[Column, ...]
    rows: Iterable[Row]
    empty: Words
    expect: Mapping[str, int] = field(default_factory=dict)
    lead: Words = ""
    on_paper: bool = True
    """False for rows by the thousand that nobody reads: the PDF counts them, the other forms have them."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A single figure beside the tables, such as the balance at the end."""

    key: str
    title: Words
    shape: Shape
    value: Cell
    inner: bool = False
    """Part of the figure before it: shown, never added."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What of a table is drawn where people would rather look: one column names the marks, others are their heights."""

    table: str
    label: str
    series: tuple[str, ...]
    line: bool = False
    stacked: bool = False


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a report found: figures, tables, and sentences that say how to read them."""

    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...]
    notes: tuple[Words, ...] = ()
    subject: str = ""
    """Whom it is about, such as a home; the book where empty."""
    chart: Chart | None = None
    caption: tuple[tuple[Words, str], ...] = ()
    """What stands over a report that is about no book of the ledger, in place of book, period and batch."""


class Scope(StrEnum):
    """Whom a report is about."""

    BOOK = "book"
    WALLET = "wallet"


@dataclass(frozen=True, kw_only=True)
class Report:
    """One report of the list: a file of this room and a line in the registry."""

    name: str
    title: Words
    about: Words
    build: Callable[[Any], Contents]
    scope: Scope = Scope.BOOK
    landscape: bool = False

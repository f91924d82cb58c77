"""The question behind a report: which book, whose wallet, which period, and as the ledger stood when.

A period is a stretch of batches, because a batch is posted once and never moves; dates only choose the stretch. A
closed month keeps the batches it had when it was closed, whatever a clock says later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction

from fairwatt.core.spans import FIRST_DAY, LAST_DAY, date_start, local_date
from fairwatt.reports.model import CannotAsk
from fairwatt.store.batches import lines_between
from fairwatt.store.models import Book, PeriodClose, Unit, Wallet


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A question as a face puts it. Instants in microseconds; `as_of_batch` wins over `as_of_us`."""

    book: int
    start_us: int
    end_us: int
    now_us: int
    as_of_us: int | None = None
    as_of_batch: int | None = None
    wallet: int | None = None

    def __post_init__(self) -> None:
        if self.end_us <= self.start_us:
            raise CannotAsk(
                "The period ends before it begins. Choose a first day that is not after the last."
            )
        if self.start_us > self.now_us:
            raise CannotAsk(
                "The period has not begun yet, so the ledger says nothing of it. Choose an earlier one."
            )


@dataclass(frozen=True, kw_only=True)
class Reading:
    """An answered question: one snapshot of the ledger, held to what may be seen.

    The period is the batches after `opening` up to and with `closing`; `as_of` is the last batch that counts.
    """

    cursor: Any
    book: Book
    ask: Ask
    opening: int
    closing: int
    as_of: int
    as_of_us: int
    lines: tuple[str, list[Any]]
    """Condition and parameters that find the lines of the period."""
    wallet: Wallet | None = None

    @property
    def zone(self) -> str:
        """The zone whose wall clock the report shows."""
        return self.book.zone

    @property
    def currency(self) -> str:
        """The currency of every amount."""
        return self.book.currency

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database within the snapshot."""
        self.cursor.execute(query, parameters)
        found: list[tuple[Any, ...]] = self.cursor.fetchall()
        return found

    def stream(self, query: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        """Ask for many rows and take them piece by piece; memory stays small."""
        with connection.chunked_cursor() as cursor:
            cursor.execute(query, parameters)
            while piece := cursor.fetchmany(2_000):
                yield from piece

    def units(self) -> dict[int, tuple[str, str]]:
        """(building, home) of every wallet of the book."""
        found = Wallet.objects.filter(book_id=self.book.pk).values_list(
            "id", "unit__site__name", "unit__label"
        )
        return {wallet: (site, label) for wallet, site, label in found}

    def homes(self) -> list[Unit]:
        """Every unit of the book as it stands in its building."""
        return list(
            Unit.objects.filter(site__book_id=self.book.pk)
            .select_related("site")
            .order_by("site_id", "floor", "position", "label")
        )


@contextmanager
def reading(*, ask: Ask) -> Iterator[Reading]:
    """Open the snapshot a report is made from: read only, one instant, and only the rows that were asked for.

    Raises CannotAsk for a book, a wallet or a batch that is not there.
    """
    book = Book.objects.select_related("organisation").filter(pk=ask.book).first()
    homes = Wallet.objects.select_related("unit__site").filter(book_id=ask.book)
    wallet = None if ask.wallet is None else homes.filter(pk=ask.wallet).first()
    if book is None or (ask.wallet is not None and wallet is None):
        raise CannotAsk("This book has no such home. Choose one of its homes.")
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        _see(cursor, ask.book, "*")
        as_of, as_of_us = _as_of(cursor, ask)
        opening, closing = _bounds(cursor, ask, as_of)
        lines = lines_between(cursor=cursor, book=ask.book, after_batch=opening, until_batch=closing)
        if ask.wallet is not None:
            _see(cursor, ask.book, str(ask.wallet))
        yield Reading(
            cursor=cursor,
            book=book,
            ask=ask,
            opening=opening,
            closing=closing,
            as_of=as_of,
            as_of_us=as_of_us,
            lines=lines,
            wallet=wallet,
        )


def days_to_span(*, zone: str, first: date, last: date) -> tuple[int, int]:
    """Turn a first and a last local day, both included, into (start, end) instants. Raises CannotAsk."""
    _known(first, last)
    return date_start(zone=zone, day=first), date_start(zone=zone, day=last + timedelta(days=1))


def month_of(*, zone: str, at_us: int) -> tuple[date, date]:
    """The first and the last day of the local month of an instant."""
    first = local_date(zone=zone, at_us=at_us).replace(day=1)
    return first, _next_month(first) - timedelta(days=1)


def month_span(*, zone: str, month: str) -> tuple[int, int]:
    """(start, end) of a local month written as 2026-11. Raises CannotAsk."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError as error:
        raise CannotAsk("This names no month. A month is written as 2026-11. Nothing was changed.") from error
    _known(first)
    return date_start(zone=zone, day=first), date_start(zone=zone, day=_next_month(first))


def _known(*days: date) -> None:
    for day in days:
        if not FIRST_DAY <= day <= LAST_DAY:
            raise CannotAsk("No ledger reaches into the year %(year)s. Choose another period.", year=day.year)


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def _see(cursor: Any, book: int, wallets: str) -> None:
    cursor.execute(
        "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', %s, true)",
        [str(book), wallets],
    )


def _as_of(cursor: Any, ask: Ask) -> tuple[int, int]:
    """The last batch that counts, and the instant up to which what people entered counts."""
    if ask.as_of_batch is not None:
        cursor.execute("SELECT at_us FROM batch WHERE book = %s AND batch = %s", [ask.book, ask.as_of_batch])
        row = cursor.fetchone()
        if row is None:
            raise CannotAsk(
                "This book has no batch %(batch)s. Choose one that was posted, or an instant.",
                batch=ask.as_of_batch,
            )
        return ask.as_of_batch, ask.as_of_us if ask.as_of_us is not None else int(row[0])
    as_of_us = ask.now_us if ask.as_of_us is None else ask.as_of_us
    if as_of_us > ask.now_us:
        raise CannotAsk("Nobody knows yet what the ledger will say then. Choose an instant that has passed.")
    cursor.execute("SELECT max(batch) FROM batch WHERE book = %s AND at_us <= %s", [ask.book, as_of_us])
    return int(cursor.fetchone()[0] or 0), as_of_us


def _bounds(cursor: Any, ask: Ask, as_of: int) -> tuple[int, int]:
    ends = {
        close.end_us: close.last_batch
        for close in PeriodClose.objects.filter(book_id=ask.book).order_by("end_us")
    }

    def last_before(at_us: int) -> int:
        if at_us in ends:
            return ends[at_us]
        # What was posted after a month was closed is never inside it, whatever the clock said.
        closed = max((batch for end_us, batch in ends.items() if end_us <= at_us), default=0)
        cursor.execute("SELECT max(batch) FROM batch WHERE book = %s AND at_us < %s", [ask.book, at_us])
        return max(int(cursor.fetchone()[0] or 0), closed)

    opening = min(last_before(ask.start_us), as_of)
    return opening, max(opening, min(last_before(ask.end_us), as_of))

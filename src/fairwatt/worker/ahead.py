"""Once a local day, when the day before is read to its end: every wallet is looked ahead; again where money moved."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

import structlog
from django.db import connection

from fairwatt.core.spans import local_date
from fairwatt.core.units import US_PER_MINUTE
from fairwatt.flows.forecasting import forecast_moved, forecast_night
from fairwatt.store.models import Book

log = structlog.get_logger()

DAY_READ_US: Final = 20 * US_PER_MINUTE
"""After midnight: by then the last quarter of the day before has been read, sent and counted."""


class Ahead:
    """Remembers which day each book was looked ahead from; what it forgets, the database knows."""

    def __init__(self, *, books: Collection[int] | None = None) -> None:
        """Keep these books; all of them where none are named."""
        self._books = books
        self._done: dict[int, date] = {}

    def look(self, *, now_us: int) -> int:
        """Forecast what is due; return how many wallets. No book stops another, and a failed one is tried again."""
        looked = 0
        books = Book.objects.order_by("pk")
        for book in books if self._books is None else books.filter(pk__in=self._books):
            try:
                looked += self._book(book, now_us)
            except Exception:
                # Nobody is charged or cut by a forecast: residents are warned by the one before, then by mean days.
                log.error("forecast.failed", book=book.pk, exc_info=True)
                connection.close()
        return looked

    def _book(self, book: Book, now_us: int) -> int:
        day = local_date(zone=book.zone, at_us=now_us - DAY_READ_US)
        if self._done.get(book.pk) == day or day != local_date(zone=book.zone, at_us=now_us):
            return forecast_moved(book_id=book.pk, now_us=now_us)
        found = forecast_night(book_id=book.pk, now_us=now_us)
        self._done[book.pk] = day
        if found is None:
            return forecast_moved(book_id=book.pk, now_us=now_us)
        log.info(
            "forecast.made",
            book=book.pk,
            wallets=found.wallets,
            too_new=found.too_new,
            moved=found.levels_moved,
        )
        return found.wallets

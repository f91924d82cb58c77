"""Once a local day, after the night's readings: each book's last weeks are looked at, gaps estimated and marked."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from datetime import date
from typing import Final, Protocol

import structlog
from django.db import connection

from fairwatt.core.spans import local_date
from fairwatt.core.units import US_PER_HOUR
from fairwatt.flows.check_days import check_days
from fairwatt.store.models import Book
from fairwatt.worker import agreed, invoicing, reconciling
from fairwatt.worker.ahead import Ahead

log = structlog.get_logger()

NIGHT_ENDS_US: Final = 3 * US_PER_HOUR
"""Local time after which a night's readings are in, or late enough to be estimated."""
LOOK_S: Final = 10.0
"""How often the clock is looked at; it may be a fast one."""


class Clock(Protocol):
    """Domain time."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...


class Nightly:
    """Remembers which night each book was looked at; nothing is lost when it forgets."""

    def __init__(self, *, books: Collection[int] | None = None) -> None:
        """Keep these books; all of them where none are named."""
        self._books = books
        self._done: dict[int, date] = {}

    def look(self, *, now_us: int) -> int:
        """Look at every book whose night is over and not looked at yet; return how many. No book stops another."""
        looked = 0
        books = Book.objects.order_by("pk")
        for book in books if self._books is None else books.filter(pk__in=self._books):
            night = local_date(zone=book.zone, at_us=now_us - NIGHT_ENDS_US)
            if self._done.get(book.pk) == night:
                continue
            try:
                done = check_days(book_id=book.pk, user_id=None, now_us=now_us)
            except Exception:
                # Nothing is charged by it and nobody waits: it is tried again at the next look.
                log.error("nightly.failed", book=book.pk, exc_info=True)
                connection.close()
                continue
            self._done[book.pk] = night
            looked += 1
            log.info("nightly.looked", book=book.pk, meters=done.meters, estimated=done.estimated)
        return looked


def run(*, clock: Clock, stop: threading.Event) -> None:
    """Look again and again until told to stop; a database that is away is waited for."""
    nightly, ahead, reconciled_s = Nightly(), Ahead(), -reconciling.LOOK_S
    while not stop.is_set():
        try:
            ahead.look(now_us=clock.now_us())
            agreed.look(now_us=clock.now_us())
            nightly.look(now_us=clock.now_us())
            invoicing.look(now_us=clock.now_us())
            if time.monotonic() - reconciled_s >= reconciling.LOOK_S:
                reconciled_s = time.monotonic()
                reconciling.look(now_us=clock.now_us())
        except Exception:
            log.warning("nightly.waiting", exc_info=True)
            connection.close()
        stop.wait(LOOK_S)

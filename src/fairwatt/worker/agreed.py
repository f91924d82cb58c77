"""Top-ups that residents agreed to: every book with an agreement is looked at, again and again."""

from __future__ import annotations

import structlog
from django.db import connection

from fairwatt.flows.auto_top_up.watching import watch
from fairwatt.store.models import Book

log = structlog.get_logger()


def look(*, now_us: int) -> int:
    """Ask for what is due; return how many payments were asked for. No book stops another."""
    asked = 0
    for book in Book.objects.order_by("pk"):
        try:
            asked += watch(book_id=book.pk, now_us=now_us)
        except Exception:
            # Nothing was taken: what one fall leads to is written down before anybody is asked.
            log.error("agreed.failed", book=book.pk, exc_info=True)
            connection.close()
    if asked:
        log.info("agreed.asked", payments=asked)
    return asked

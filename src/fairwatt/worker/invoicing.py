"""Months of invoices that people asked for are issued, home by home."""

from __future__ import annotations

import structlog
from django.db import connection

from fairwatt.flows.invoicing.months import work_runs
from fairwatt.store.models import Book

log = structlog.get_logger()


def look(*, now_us: int) -> int:
    """Issue what was asked for; return how many homes got some. No book stops another; a failed one is tried again."""
    issued = 0
    for book in Book.objects.order_by("pk"):
        try:
            issued += work_runs(now_us=now_us, book_id=book.pk)
        except Exception:
            # Nothing of the ledger moves by it, and what was issued stays issued.
            log.error("invoicing.failed", book=book.pk, exc_info=True)
            connection.close()
    if issued:
        log.info("invoicing.issued", homes=issued)
    return issued

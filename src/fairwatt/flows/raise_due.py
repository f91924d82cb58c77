"""What falls due by the clock becomes facts: fee runs, allocations, decided shares, windows that ended,
refunds whose credit every gateway gave back, lets that begin and end.

Asked again, nothing is raised twice (natural keys); asked late, every missed run is raised once, in the order of time.
What the poster refused is asked again a day later, under a new key: what was missing may be there by then. A fee that
cannot be worked out is told in an event and stops nothing else.
"""

from __future__ import annotations

import json
from typing import Any, Final

from django.db import InterfaceError, OperationalError, connection, transaction

from fairwatt.core.ids import allocation_key, fee_run_key, publication_key, share_key
from fairwatt.core.spans import local_date
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.posting.fees import fee_runs
from fairwatt.flows.raise_credit import raise_credit
from fairwatt.flows.raise_lets import raise_lets
from fairwatt.flows.raise_refunds import raise_refunds
from fairwatt.flows.raise_switches import raise_switches
from fairwatt.flows.raise_windows import raise_windows
from fairwatt.store import costs, facts
from fairwatt.store.models import Book

AGAIN_US: Final = US_PER_DAY
_PUBLISHED = """
SELECT a.id FROM store_allocation a JOIN store_allocationproof p ON p.allocation_id = a.id
 WHERE a.book_id = %s AND NOT EXISTS (SELECT 1 FROM fact f WHERE f.book = a.book_id AND f.kind = 'publication'
                    AND f.by_role <> 'fairwatt_web' AND f.payload->>'allocation' = a.id::text)
   AND NOT EXISTS (SELECT 1 FROM fact f WHERE f.book = a.book_id AND f.kind = 'allocation' AND f.state = 'posted'
                    AND starts_with(f.natural_key || ':', 'allocation:' || a.id || ':'))
 ORDER BY a.id
"""
_OVER = f"""
SELECT a.id FROM store_allocation a JOIN store_allocationproof p ON p.allocation_id = a.id
 WHERE a.book_id = %s AND {costs.WINDOW_ENDS} <= %s
   AND NOT EXISTS (SELECT 1 FROM store_coststep c WHERE c.allocation = a.id AND c.kind = 'reversed' AND c.share IS NULL)
   AND NOT EXISTS (SELECT 1 FROM fact f WHERE f.book = a.book_id AND f.kind = 'allocation'
                    AND starts_with(f.natural_key || ':', 'allocation:' || a.id || ':')
                    AND (f.state <> 'refused' OR f.created_us > %s))
 ORDER BY p.deadline_us, a.id
"""
_DECIDED = f"""
SELECT c.share FROM store_coststep c JOIN store_allocation a ON a.id = c.allocation
  JOIN store_allocationproof p ON p.allocation_id = a.id
 WHERE c.book = %s AND c.kind IN ('upheld', 'rejected') AND {costs.WINDOW_ENDS} <= %s
   AND NOT EXISTS (SELECT 1 FROM store_coststep r WHERE r.allocation = c.allocation AND r.kind = 'reversed'
                    AND r.share IS NULL)
   AND NOT EXISTS (SELECT 1 FROM cost_entry e WHERE e.share = c.share)
   AND NOT EXISTS (SELECT 1 FROM fact f WHERE f.book = c.book AND f.kind = 'share'
                    AND starts_with(f.natural_key || ':', 'share:' || c.share || ':')
                    AND (f.state <> 'refused' OR f.created_us > %s))
 ORDER BY c.id
"""


@transaction.atomic(durable=True)
def raise_due(*, book_id: int, now_us: int) -> int:
    """Write a fact for everything of a book that is due by now; return how many are new."""
    book = Book.objects.get(pk=book_id)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        raised = see_publications(cursor=cursor, book=book_id, now_us=now_us)
        again_us = now_us - AGAIN_US
        cursor.execute(_OVER, [book_id, now_us, again_us])
        for (allocation,) in cursor.fetchall():
            key = facts.fresh_key(
                cursor=cursor, book=book_id, kind="allocation", key=allocation_key(allocation=allocation)
            )
            raised += _raise(cursor, book_id, "allocation", key, {"allocation": allocation}, now_us)
        cursor.execute(_DECIDED, [book_id, now_us, again_us])
        for (share,) in cursor.fetchall():
            key = facts.fresh_key(cursor=cursor, book=book_id, kind="share", key=share_key(share=share))
            raised += _raise(cursor, book_id, "share", key, {"share": share}, now_us)
        # Shares of common costs come before fees, here as in their priority.
        raised += _fee_runs(cursor, book, now_us)
        raised += raise_windows(cursor=cursor, book=book_id, now_us=now_us)
        raised += raise_credit(cursor=cursor, book=book, now_us=now_us)
        raised += raise_lets(cursor=cursor, book=book_id, now_us=now_us)
        raised += raise_switches(cursor=cursor, book=book, now_us=now_us)
        raised += raise_refunds(cursor=cursor, book=book_id, now_us=now_us)
    return raised


def see_publications(*, cursor: Any, book: int, now_us: int) -> int:
    """Write down when a published cost was first seen by the clock of the poster's process; return how many are new."""
    cursor.execute(_PUBLISHED, [book])
    found = [int(allocation) for (allocation,) in cursor.fetchall()]
    for allocation in found:
        key = publication_key(allocation=allocation)
        _raise(cursor, book, "publication", key, {"allocation": allocation}, now_us)
    return len(found)


def _fee_runs(cursor: Any, book: Book, now_us: int) -> int:
    today = local_date(zone=book.zone, at_us=now_us)
    known = facts.asked_for(cursor=cursor, book=book.pk, kind="fee_run", again_us=now_us - AGAIN_US)
    due = []
    for fee in costs.fee_terms(cursor=cursor, book=book.pk):
        try:
            with transaction.atomic():
                due += [
                    (run.due, fee.priority, fee.fee)
                    for run in fee_runs(fee=fee, through=today)
                    if fee_run_key(fee=fee.fee, due=run.due.isoformat()) not in known
                ]
        except (OperationalError, InterfaceError):
            raise  # the database is away: that says nothing about the fee
        except Exception as error:
            _tell(cursor, book.pk, fee, error, now_us)
    for day, _, fee_id in sorted(due):
        key = fee_run_key(fee=fee_id, due=day.isoformat())
        key = facts.fresh_key(cursor=cursor, book=book.pk, kind="fee_run", key=key)
        _raise(cursor, book.pk, "fee_run", key, {"fee": fee_id, "due": day.isoformat()}, now_us)
    return len(due)


def _tell(cursor: Any, book: int, fee: costs.FeeTerms, error: Exception, now_us: int) -> None:
    """Say once where everybody sees it that a fee cannot be worked out."""
    evidence = {
        "fee": fee.fee,
        "name": fee.name,
        "detail": ascii(f"{type(error).__name__}: {error}"[:200]),
    }
    cursor.execute(
        "INSERT INTO event (book, at_us, kind, reason, rule, evidence, batch) SELECT %s, %s, 'alarm.fee_unusable', "
        "'cannot_be_worked_out', '', %s::jsonb, 0 WHERE NOT EXISTS (SELECT 1 FROM event WHERE book = %s "
        "AND kind = 'alarm.fee_unusable' AND evidence = %s::jsonb)",
        [book, now_us, json.dumps(evidence), book, json.dumps(evidence)],
    )


def _raise(cursor: Any, book: int, kind: str, key: str, payload: dict[str, Any], now_us: int) -> int:
    _, fresh = facts.add(
        cursor=cursor,
        book=book,
        kind=kind,
        natural_key=key,
        wallet=None,
        payload=payload,
        raw=b"",
        now_us=now_us,
    )
    return int(fresh)

"""Somebody of the desk looks at what a home does second by second: allowed to clerks, and written down.

A second of power tells when somebody cooks, sleeps or is away. So whoever looks leaves a row, in the transaction
that allowed it; what the resident sees of the own home needs none.
"""

from __future__ import annotations

from typing import Final

from django.db import connection, transaction

from fairwatt.flows.desk import acting
from fairwatt.store import facts, intervals
from fairwatt.store.models import Book, Event, Installation, Meter

VIEWED: Final = "desk.seconds_viewed"
AGAIN_US: Final = 15 * 60_000_000
"""One row covers a quarter of an hour of the same person at the same meter."""


@transaction.atomic(durable=True)
def look_at_seconds(
    *, book_id: int, meter: Meter, user_id: int, from_s: int, until_s: int, how: str, now_us: int
) -> bool:
    """Note that a person looks at [from_s, until_s) of a meter; True when a new row was needed.

    Raises NotAllowed for everybody who is not a clerk of the book's organisation; auditors see figures, not lives.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    home = Installation.objects.filter(meter=meter, closed_us__isnull=True).first()
    evidence = {"from_s": from_s, "until_s": until_s, "how": how}
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        if _seen_lately(book_id, meter, person.pk, how, now_us):
            return False
        intervals.note_deed(
            cursor=cursor,
            book=book_id,
            kind=VIEWED,
            author=person.pk,
            now_us=now_us,
            meter=(meter.gateway_id, meter.number),
            wallet=home.wallet_id if home else None,  # so that the resident sees it too
            evidence=evidence,
        )
    return True


def _seen_lately(book_id: int, meter: Meter, user_id: int, how: str, now_us: int) -> bool:
    """The live page asks anew each minute; the same look is one row."""
    if how != "live":
        return False
    return Event.objects.filter(
        book=book_id,
        kind=VIEWED,
        gateway=meter.gateway_id,
        meter=meter.number,
        at_us__gt=now_us - AGAIN_US,
        evidence__author=user_id,
        evidence__how=how,
    ).exists()

"""Commissioning says up to how much a resident's own wish is paid back without a second person."""

from __future__ import annotations

from django.db import connection, transaction

from fairwatt.store import facts
from fairwatt.store.models import Book


@transaction.atomic(durable=True)
def allow_wishes(*, book_id: int, auto_minor: int, author: str, now_us: int) -> Book:
    """Allow wishes of a home up to so much in a day, in minor units; 0 allows none. Raises ValueError."""
    if auto_minor < 0:
        raise ValueError("less than nothing cannot be allowed")
    book = Book.objects.get(pk=book_id)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        cursor.execute(
            "INSERT INTO refund_policy (book, auto_minor, author, at_us) VALUES (%s, %s, %s, %s)",
            [book_id, auto_minor, author, now_us],
        )
    return book

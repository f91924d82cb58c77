"""The steps of the ladder that no event brings but time: a day left, two hours left."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.notices.model import Step
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.store import facts, forecasts, notices
from fairwatt.store.models import Book

HOURS_US: Final = 2 * US_PER_HOUR
STALE_US: Final = 2 * US_PER_DAY
"""A forecast older than this says nothing about hours."""


def climb(*, now_us: int) -> int:
    """Tell every home that is low of the step it has come to by its newest forecast; how many are new."""
    return sum(_climb_book(book, now_us) for book in Book.objects.order_by("pk"))


@transaction.atomic(durable=True)
def _climb_book(book: Book, now_us: int) -> int:
    new = 0
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        low = _low(cursor, book.pk, now_us)
        newest = forecasts.newest(cursor=cursor, book=book.pk, wallets=list(low)) if low else {}
        for wallet, found in newest.items():
            if found.made_us < now_us - STALE_US:
                continue
            end_us = found.outlook.range(available_micro=low[wallet], now_us=now_us).mid_us
            if end_us is None or end_us - now_us > US_PER_DAY:
                continue
            step = Step.HOURS if end_us - now_us <= HOURS_US else Step.DAY
            about = {"available_micro": low[wallet], "forecast": found.forecast, "ends_us": end_us}
            new += notices.add_of_ladder(
                cursor=cursor, book=book.pk, wallet=wallet, step=step, about=about, now_us=now_us
            )
    return new


def _low(cursor: Any, book: int, now_us: int) -> dict[int, int]:
    """What homes have that were warned, still have credit, and were forecast."""
    cursor.execute(
        "SELECT h.wallet, h.balance_micro FROM wallet_head h JOIN forecast_head f ON f.wallet = "
        "h.wallet WHERE h.book = %s "
        "AND h.level > 0 AND h.balance_micro > 0 AND NOT h.cut_by_credit AND f.made_us > %s "
        "AND h.balance_micro < f.level_micro[least(2, cardinality(f.level_micro))]",
        [book, now_us - STALE_US],
    )
    return {int(wallet): int(micro) for wallet, micro in cursor.fetchall()}

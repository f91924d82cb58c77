"""The meters' own readings looked at as intervals: what is missing is estimated and marked, what is odd is named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.metering.vee.model import Register, Row
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.flows.desk import acting
from fairwatt.flows.import_readings import store_values, terms_of
from fairwatt.intervals.contract import FileBroken, IntervalFile
from fairwatt.intervals.examine import Examined, Terms, examine
from fairwatt.store import facts, intervals
from fairwatt.store.models import Book, Installation, Meter

DAYS: Final = 35
"""As far back as like days are looked for."""
STEP_US: Final = US_PER_HOUR // 2


@dataclass(frozen=True, kw_only=True)
class CheckedDays:
    """What a look at a book's meters came to."""

    meters: int
    versions: int
    estimated: int


@transaction.atomic(durable=True)
def check_days(*, book_id: int, user_id: int | None, now_us: int, meter_id: int | None = None) -> CheckedDays:
    """Make half-hour values of the last five weeks from the ledger's readings, with estimates where some are missing.

    Estimates add up to what the registers said over each gap. Nothing is charged by it and nobody is cut; the same look
    again changes nothing. Without a person it is the clock that looks (worker/nightly.py). Raises NotAllowed.
    """
    book = Book.objects.get(pk=book_id)
    author = None if user_id is None else acting(user_id=user_id, book=book).pk
    open_now = Installation.objects.filter(wallet__book=book, closed_us__isnull=True)
    meters = Meter.objects.filter(pk__in=open_now.values("meter")).order_by("pk")
    if meter_id is not None:
        meters = meters.filter(pk=meter_id)
    looked = versions = estimated = 0
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        for meter in meters:
            intervals.lock_meter(cursor=cursor, meter=meter.pk)
            examined = examined_days(cursor=cursor, book=book, meter=meter, now_us=now_us)
            if examined is None:
                continue
            stored, _ = store_values(
                cursor=cursor, book=book, meter=meter, examined=examined, import_id=None, now_us=now_us
            )
            looked, versions = looked + 1, versions + stored
            estimated += len(examined.completed.estimated)
        if versions:
            intervals.note_deed(
                cursor=cursor,
                book=book.pk,
                kind="desk.days_checked",
                author=author,
                now_us=now_us,
                evidence={"meters": looked, "versions": versions, "estimated": estimated},
            )
    return CheckedDays(meters=looked, versions=versions, estimated=estimated)


def examined_days(*, cursor: Any, book: Book, meter: Meter, now_us: int) -> Examined | None:
    """Five weeks of a meter's readings before an instant, checked and completed; None when nothing is known."""
    terms = terms_of(cursor=cursor, book=book, meter=meter, now_us=now_us)
    rows = _rows(str(meter.number), terms.registers, since_us=now_us - DAYS * US_PER_DAY)
    if not rows:
        return None
    file = IntervalFile(
        name=f"meter {meter}", format="registers", homes={str(meter.number): rows}, step_us=STEP_US
    )
    try:
        return examine(file=file, home=str(meter.number), terms=_on_grid(terms))
    except FileBroken:
        return None  # nothing of it can be believed: the quarantine says so, reading by reading


def _on_grid(terms: Terms) -> Terms:
    """Register readings between two half hours belong to no interval's end."""
    kept = tuple(one for one in terms.registers if one.at_us % STEP_US == 0)
    return replace(terms, registers=kept)


def _rows(number: str, registers: tuple[Register, ...], *, since_us: int) -> list[Row]:
    """An interval for each two readings half an hour apart; its row number is its place on the time line."""
    on_grid = [one for one in registers if one.at_us % STEP_US == 0 and one.at_us >= since_us]
    return [
        Row(before.at_us // STEP_US, number, before.at_us, after.wh - before.wh)
        for before, after in pairwise(on_grid)
        if after.at_us - before.at_us == STEP_US
    ]

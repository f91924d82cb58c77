"""A file of interval values is taken over: the rows as sent, checked values and estimates beside them, in one go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from fairwatt.core.metering.vee.estimate import supersedes
from fairwatt.core.metering.vee.model import Defect, Effect, Register, Status, Value
from fairwatt.core.spans import Span
from fairwatt.core.units import US_PER_MINUTE
from fairwatt.flows.desk import DeskRefused, acting, meter_of
from fairwatt.intervals.contract import IntervalFile
from fairwatt.intervals.examine import CONFLICT, Examined, Terms, examine
from fairwatt.store import facts, intervals, registers
from fairwatt.store.models import Book, Installation, Meter, User


class ImportRefused(DeskRefused):
    """The file cannot be taken over for this meter; nothing was stored."""

    code = "import_refused"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What taking over a file came to. `examined` is None when the file was known before."""

    import_id: int
    known_before: bool
    rows: int
    versions: int
    conflicts: int
    examined: Examined | None


@transaction.atomic(durable=True)
def import_readings(
    *,
    file: IntervalFile,
    digest: str,
    home: str,
    book_slug: str,
    meter_number: str,
    author: str,
    stamps_end: bool,
    now_us: int,
) -> Imported:
    """Store a file's rows for a meter, and new versions of the values they change; no balance moves.

    `digest` names the bytes: the same bytes again change nothing. `home` chooses among several homes in the file.
    `author` is a user name of the desk. Raises ImportRefused, NotAllowed, NotFound, IntervalFileError.
    """
    book = Book.objects.filter(slug=book_slug).first()
    if book is None:
        raise ImportRefused("There is no book %(book)s. Nothing was stored.", book=book_slug)
    known = User.objects.filter(username=author).first()
    person = acting(user_id=known.pk if known else 0, book=book)
    meter = meter_of(book=book, number=meter_number)
    home = _home(file, home, meter_number)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        intervals.lock_meter(cursor=cursor, meter=meter.pk)
        key = f"{digest}:{home}:{'end' if stamps_end else 'start'}:{file.zone or ''}"
        cursor.execute(
            "SELECT id, rows FROM interval_import WHERE meter = %s AND digest = %s", [meter.pk, key]
        )
        if row := cursor.fetchone():
            return Imported(
                import_id=int(row[0]),
                known_before=True,
                rows=int(row[1]),
                versions=0,
                conflicts=0,
                examined=None,
            )
        terms = terms_of(cursor=cursor, book=book, meter=meter, now_us=now_us, stamps_end=stamps_end)
        examined = examine(file=file, home=home, terms=terms)
        import_id = _note_import(cursor, file, key, examined, book, meter, person, now_us)
        unread = [(bad.row, bad.detail) for bad in file.unreadable if bad.home in (home, "")]
        intervals.add_raw(cursor=cursor, book=book.pk, import_id=import_id, rows=examined.rows, unread=unread)
        stored, conflicts = store_values(
            cursor=cursor, book=book, meter=meter, examined=examined, import_id=import_id, now_us=now_us
        )
        intervals.note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.readings_imported",
            author=person.pk,
            now_us=now_us,
            meter=(meter.gateway_id, meter.number),
            evidence={
                "import": import_id,
                "rows": len(examined.rows),
                "versions": stored,
                "name": file.name[:120],
            },
        )
    return Imported(
        import_id=import_id,
        known_before=False,
        rows=len(examined.rows),
        versions=stored,
        conflicts=conflicts,
        examined=examined,
    )


def store_values(
    *, cursor: Any, book: Book, meter: Meter, examined: Examined, import_id: int | None, now_us: int
) -> tuple[int, int]:
    """Append the versions that an examined series changes, and its findings; return (versions, conflicts)."""
    span = examined.validated.series.span
    known = intervals.newest(cursor=cursor, meter=meter.pk, from_us=span.start_us, to_us=span.end_us)
    values = {at_us: value for at_us, (value, _) in known.items()}
    fresh = [
        (value, known[value.at_us][1] + 1 if value.at_us in known else 1)
        for value in examined.completed.values
        if supersedes(newer=value, known=values)
    ]
    conflicts = list(_conflicts(examined, values))
    intervals.add_versions(
        cursor=cursor,
        book=book.pk,
        meter=meter.pk,
        minutes=examined.step_us // US_PER_MINUTE,
        values=fresh,
        import_id=import_id,
        author=None,
        now_us=now_us,
    )
    intervals.add_defects(
        cursor=cursor,
        book=book.pk,
        meter=meter.pk,
        import_id=import_id,
        defects=[*examined.defects, *conflicts],
        now_us=now_us,
    )
    return len(fresh), len(conflicts)


def terms_of(*, cursor: Any, book: Book, meter: Meter, now_us: int, stamps_end: bool = False) -> Terms:
    """What is known of a meter beside its interval values."""
    return Terms(
        zone=book.zone,
        now_us=now_us,
        limit_w=meter.max_power_w,
        resolution_wh=meter.resolution_wh,
        registers=registers_of(cursor=cursor, book=book.pk, meter=meter, now_us=now_us),
        outages=outages_of(cursor=cursor, book=book.pk, meter=meter),
        stamps_end=stamps_end,
    )


def registers_of(*, cursor: Any, book: int, meter: Meter, now_us: int) -> tuple[Register, ...]:
    """Every register reading that stands in the ledger for a meter, without wraps: what intervals must agree with.

    An estimate that was charged for a dead meter is left out: nobody read it.
    """
    found: list[Register] = []
    ids = list(Installation.objects.filter(meter=meter).order_by("opened_us").values_list("pk", flat=True))
    cursor.execute(
        "SELECT a.to_us FROM estimate_approval a JOIN fact f ON f.book = a.book AND f.kind = 'estimate' "
        "AND f.state = 'posted' AND f.payload->>'approval' = a.id::text WHERE a.meter = %s AND a.book = %s",
        [meter.pk, book],
    )
    guessed = {int(to_us) for (to_us,) in cursor.fetchall()}
    total_wh = before_wh = 0
    for installation in ids:
        opening = registers.opening_of(cursor=cursor, installation=installation)
        stored = registers.readings_between(
            cursor=cursor, book=book, installation=installation, start=opening, until_us=now_us
        )
        edits = registers.edits_of(cursor=cursor, book=book, installation=installation)
        for reading in registers.applied(known=stored, edits=edits):
            if reading.at_us in guessed:
                continue
            wh = reading.register_wh
            total_wh = total_wh + (wh - before_wh) % meter.modulus_wh if found else wh
            if not found or reading.at_us > found[-1].at_us:
                found.append(Register(reading.at_us, total_wh))
            before_wh = wh
    return tuple(found)


def outages_of(*, cursor: Any, book: int, meter: Meter) -> tuple[Span, ...]:
    """Spans in which the meter's own relay was shown open: true values that say nothing about other days."""
    wallets = list(Installation.objects.filter(meter=meter).values_list("wallet_id", flat=True))
    cursor.execute(
        "SELECT at_us, reason FROM event WHERE book = %s AND wallet = ANY(%s) AND kind = 'supply.proven' "
        "ORDER BY at_us, id",
        [book, wallets],
    )
    spans, since_us = [], None
    for at_us, reason in cursor.fetchall():
        if reason == "open" and since_us is None:
            since_us = int(at_us)
        elif reason == "closed" and since_us is not None:
            spans.append(Span(since_us, int(at_us)))
            since_us = None
    return tuple(spans)


def _home(file: IntervalFile, home: str, meter_number: str) -> str:
    if home in file.homes:
        return home
    if not home and meter_number in file.homes:
        return meter_number
    if not home and len(file.homes) == 1:
        return next(iter(file.homes))
    raise ImportRefused(
        "%(file)s holds %(homes)s; say which of them is meter %(meter)s (--home). Nothing was stored.",
        file=file.name,
        homes=", ".join(list(file.homes)[:8]),
        meter=meter_number,
    )


def _note_import(
    cursor: Any,
    file: IntervalFile,
    key: str,
    examined: Examined,
    book: Book,
    meter: Meter,
    person: User,
    now_us: int,
) -> int:
    span = examined.validated.series.span
    cursor.execute(
        "INSERT INTO interval_import (book, meter, digest, name, format, home, step_us, rows, from_us, to_us, author, "
        "at_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            *(book.pk, meter.pk, key, file.name[:200], file.format, examined.home[:120], examined.step_us),
            *(len(examined.rows), span.start_us, span.end_us, person.pk, now_us),
        ],
    )
    return int(cursor.fetchone()[0])


def _conflicts(examined: Examined, known: Mapping[int, Value]) -> list[Defect]:
    """Measurements that differ from what stands: the earlier one stays, and a person is told."""
    series = examined.validated.series
    return [
        series.defect(
            CONFLICT,
            Effect.KEPT,
            value.at_us,
            value.at_us + examined.step_us,
            f"now {value.wh} Wh, before {known[value.at_us].wh} Wh ({known[value.at_us].status})",
        )
        for value in examined.completed.values
        if value.status in (Status.ACTUAL, Status.EDITED)
        and value.at_us in known
        and known[value.at_us].status in (Status.ACTUAL, Status.EDITED)
        and known[value.at_us].wh != value.wh
    ]

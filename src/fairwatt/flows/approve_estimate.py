"""A meter is dead: work out what the home used meanwhile, and let a person approve that it is charged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.metering.vee.methods import METHODS
from fairwatt.core.spans import Span, to_datetime
from fairwatt.flows.check_days import STEP_US, examined_days
from fairwatt.flows.desk import DeskRefused, acting, meter_of
from fairwatt.flows.posting.estimates import DEAD_AFTER_US
from fairwatt.store import facts, intervals
from fairwatt.store.models import Book, Installation, Meter, RegisterHead

REASON_MIN: Final = 10


class EstimateImpossible(DeskRefused):
    """The meter's use cannot be estimated or charged now; nothing was."""

    code = "estimate_impossible"


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a dead meter would have counted: from its last reading to the last whole half hour."""

    installation: int
    from_us: int
    to_us: int
    from_wh: int
    wh: int
    method: str


@transaction.atomic(durable=True)
def propose_estimate(*, book_id: int, meter_id: int, now_us: int) -> Proposal | None:
    """Estimate a silent meter's use; None while it was read within a day or nothing is known. Writes nothing."""
    book = Book.objects.get(pk=book_id)
    meter = meter_of(book=book, meter_id=meter_id)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        return _proposal(cursor, book, meter, now_us)


@transaction.atomic(durable=True)
def approve_estimate(
    *, book_id: int, meter_id: int, seen_from_us: int, seen_wh: int, reason: str, user_id: int, now_us: int
) -> int:
    """Approve that a dead meter's estimate is charged; return the fact the poster answers.

    `seen_from_us`, `seen_wh`: what the person looked at; half an hour later the estimate may be a little more, and what
    was seen is what is approved. Raises NotAllowed, NotFound, EstimateImpossible.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    meter = meter_of(book=book, meter_id=meter_id)
    reason = reason.strip()
    if not REASON_MIN <= len(reason) <= 400:
        raise EstimateImpossible(
            "Say in %(least)s to %(most)s characters why the meter is dead. Nothing was charged.",
            least=REASON_MIN,
            most=400,
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        intervals.lock_meter(cursor=cursor, meter=meter.pk)
        found = _proposal(cursor, book, meter, now_us)
        if found is None or found.from_us != seen_from_us or not 0 < seen_wh <= found.wh:
            raise EstimateImpossible(
                "The meter was read meanwhile, or the estimate has changed. Nothing was charged; look at it again."
            )
        _refuse_asked(cursor, book, found)
        approval = _note_approval(cursor, book, meter, found, seen_wh, reason, person.pk, now_us)
        fact, _ = facts.add(
            cursor=cursor,
            book=book.pk,
            kind="estimate",
            natural_key=f"estimate:{found.installation}:{found.from_us}:{approval}",
            wallet=None,
            payload={"approval": approval, "person": person.username},
            raw=b"",
            now_us=now_us,
        )
        intervals.note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.estimate_approved",
            author=person.pk,
            now_us=now_us,
            meter=(meter.gateway_id, meter.number),
            evidence={"approval": approval, "wh": seen_wh, "method": found.method, "why": reason},
        )
    return fact


def _proposal(cursor: Any, book: Book, meter: Meter, now_us: int) -> Proposal | None:
    home = Installation.objects.filter(meter=meter, wallet__book=book, closed_us__isnull=True).first()
    if home is None:
        return None
    # The cache says only how far back to look: a moment behind the ledger, it costs nothing but a few lines more.
    head = RegisterHead.objects.filter(installation=home.pk, book=book.pk)
    since_us = head.values_list("at_us", flat=True).first() or home.opened_us
    cursor.execute(
        "SELECT (extract(epoch FROM ts) * 1000000)::bigint, register_wh FROM line WHERE ref = %s AND kind = 1 "
        "AND book = %s AND ts >= %s ORDER BY ts DESC LIMIT 1",
        [home.pk, book.pk, to_datetime(since_us)],
    )
    from_us, from_wh = cursor.fetchone() or (home.opened_us, home.opening_wh)
    to_us = (now_us - 1) // STEP_US * STEP_US
    if to_us - from_us < DEAD_AFTER_US:
        return None
    examined = examined_days(cursor=cursor, book=book, meter=meter, now_us=int(from_us) + STEP_US)
    if examined is None:
        return None
    hole = Span(-(-int(from_us) // STEP_US) * STEP_US, to_us)
    for method in METHODS[1:]:  # a day and more is no straight line
        filled = method.fill(examined.validated.series, hole)
        if filled is not None and sum(filled) > 0:
            return Proposal(
                installation=home.pk,
                from_us=int(from_us),
                to_us=to_us,
                from_wh=int(from_wh),
                wh=sum(filled),
                method=method.id,
            )
    return None


def _refuse_asked(cursor: Any, book: Book, found: Proposal) -> None:
    """One approval at a time: another only after the poster refused the one before it."""
    cursor.execute(
        "SELECT 1 FROM estimate_approval a JOIN fact f ON f.book = a.book AND f.kind = 'estimate' "
        "AND f.payload->>'approval' = a.id::text "
        "WHERE a.book = %s AND a.installation = %s AND a.from_us = %s AND f.state <> 'refused'",
        [book.pk, found.installation, found.from_us],
    )
    if cursor.fetchone():
        raise EstimateImpossible(
            "This estimate was approved before; the poster charges it once. Nothing was added."
        )


def _note_approval(
    cursor: Any, book: Book, meter: Meter, found: Proposal, wh: int, reason: str, author: int, now_us: int
) -> int:
    cursor.execute(
        "INSERT INTO estimate_approval (book, meter, installation, from_us, to_us, from_wh, wh, method, reason, "
        "author, made_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "RETURNING id",
        [
            *(book.pk, meter.pk, found.installation, found.from_us, found.to_us, found.from_wh, wh),
            *(found.method, reason, author, now_us),
        ],
    )
    return int(cursor.fetchone()[0])

"""A person reads a register and photographs it; a reading far from what the home uses is looked at twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.ids import hand_reading_key
from fairwatt.core.metering.register import ReadingRejected, RegisterSpec, advance
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.desk import DeskRefused, NotFound, acting
from fairwatt.flows.photos import take_photo
from fairwatt.store import commissioning, facts, postpaid
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Installation, RegisterHead, UseDay
from fairwatt.store.postpaid import HandReading

PACE_DAYS: Final = 120
FAR_TIMES: Final = 3
SLACK_WH: Final = 20_000
"""So much more or less is never far, whatever the home uses."""
NEW_HOME_WH: Final = 60_000
"""A day of a home of which nothing is known: more is looked at twice."""


class CannotRead(DeskRefused):
    """The reading cannot be taken; nothing was charged."""

    code = "cannot_read"


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of a reading: ``doubt`` names why it waits for a second look; ``used_wh`` since the one before."""

    reading: int
    doubt: str
    used_wh: int
    usual_wh: int


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A register on the round: where, and when it was last read."""

    installation: int
    home: str
    meter: int
    read_us: int
    register_wh: int
    waits: int | None
    """a reading of it that waits for a second look"""


def stops(*, book: Book) -> list[Stop]:
    """Every register of a book, longest unread first. The transaction sees the book."""
    rows = Installation.objects.filter(wallet__book=book, closed_us__isnull=True).select_related(
        "meter", "unit"
    )
    heads = {one.installation: one for one in RegisterHead.objects.filter(book=book.pk)}
    with connection.cursor() as cursor:
        known = postpaid.readings_of(cursor=cursor, book=book.pk, most=2_000)
    waiting = {one.installation: one.reading for one in reversed(known) if one.doubt and not one.word}
    made = []
    for row in rows:
        head = heads.get(row.pk)
        read_us, wh = (row.opened_us, row.opening_wh) if head is None else (head.at_us, head.register_wh)
        made.append(
            Stop(
                installation=row.pk,
                home=row.unit.label,
                meter=row.meter.number,
                read_us=read_us,
                register_wh=wh,
                waits=waiting.get(row.pk),
            )
        )
    return sorted(made, key=lambda one: (one.waits is None, one.read_us, one.home))


@transaction.atomic(durable=True)
def enter_reading(
    *,
    book_id: int,
    installation_id: int,
    register_wh: int,
    photo: bytes,
    words: str,
    user_id: int,
    now_us: int,
    at_us: int | None = None,
) -> Taken:
    """Take a reading with its photo; without a doubt it is charged at once. The same again is the same.

    Raises CannotRead, NotFound, NotAllowed, BadPhoto.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    home = _home(book, installation_id)
    when = now_us if at_us is None else at_us
    if len(words) > 300:
        raise CannotRead("A comment has at most 300 letters. Nothing was written down.")
    picture = take_photo(photo)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        used = _used(home, register_wh, when, now_us)
        usual = _usual(cursor, home, when)
        kept = commissioning.add_photo(
            cursor=cursor,
            book=book.pk,
            place=commissioning.Place(meter=home.meter_id, unit=home.unit_id),
            wallet=home.wallet_id,
            content=picture.content,
            digest=picture.sha256,
            size=(picture.width, picture.height),
            author=person.pk,
            now_us=now_us,
        )
        doubt = _doubt(used, usual, when - _last(home)[0])
        new = HandReading(
            *(0, home.wallet_id, home.pk, when, register_wh, kept, doubt, -1 if usual is None else usual),
            *(words.strip(), person.pk, now_us, ""),
        )
        number, fresh = postpaid.add_reading(cursor=cursor, book=book.pk, new=new)
        if fresh:
            _note(
                cursor,
                "desk.hand_reading",
                book,
                home,
                person.pk,
                now_us,
                {"reading": number, "doubt": doubt},
            )
            if not doubt:
                _charge(cursor, book, number, home.wallet_id, now_us)
    return Taken(reading=number, doubt=doubt, used_wh=used, usual_wh=-1 if usual is None else usual)


@transaction.atomic(durable=True)
def look_again(*, book_id: int, reading_id: int, register_wh: int | None, user_id: int, now_us: int) -> str:
    """Read it off again: the same register confirms it and it is charged, None drops it; another one is refused.

    Return the word. Raises CannotRead, NotFound, NotAllowed.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        row = postpaid.reading_of(cursor=cursor, book=book.pk, reading=reading_id)
        if row is None or not row.doubt:
            raise NotFound("No such reading waits for a second look. Nothing was changed.")
        if row.word:
            return row.word
        if register_wh is not None and register_wh != row.register_wh:
            raise CannotRead(
                "That is another number than before. Nothing was charged; drop the first reading, then enter what the "
                "register shows."
            )
        word = "dropped" if register_wh is None else "confirmed"
        if postpaid.add_word(
            cursor=cursor, book=book.pk, reading=row, word=word, author=person.pk, now_us=now_us
        ):
            home = _home(book, row.installation)
            _note(
                cursor,
                "desk.hand_reading_again",
                book,
                home,
                person.pk,
                now_us,
                {"reading": reading_id, "word": word},
            )
            if word == "confirmed":
                _charge(cursor, book, row.reading, row.wallet, now_us)
    return word


def _home(book: Book, installation_id: int) -> Installation:
    found = (
        Installation.objects.filter(pk=installation_id, wallet__book=book, closed_us__isnull=True)
        .select_related("meter", "unit")
        .first()
    )
    if found is None:
        raise NotFound("There is no such meter at work in this book. Nothing was changed; look at the list.")
    return found


def _last(home: Installation) -> tuple[int, int]:
    head = RegisterHead.objects.filter(installation=home.pk).first()
    return (home.opened_us, home.opening_wh) if head is None else (head.at_us, head.register_wh)


def _used(home: Installation, register_wh: int, when_us: int, now_us: int) -> int:
    last_us, last_wh = _last(home)
    if not last_us < when_us <= now_us:
        raise CannotRead(
            "The register was read later than that already, or that time is to come. Nothing was "
            "charged; give the time "
            "at which you stand before it."
        )
    meter = home.meter
    spec = RegisterSpec(meter.modulus_wh, meter.resolution_wh, meter.max_power_w)
    try:
        return advance(
            spec=spec, prev_at_us=last_us, prev_wh=last_wh, at_us=when_us, wh=register_wh
        ).energy_wh
    except ReadingRejected as error:
        raise CannotRead(
            "The register cannot show that: it last showed %(last)s kWh. Nothing was charged; read it "
            "again, and if it is "
            "so, the meter was exchanged or is broken.",
            last=f"{last_wh // 1000}.{last_wh % 1000:03d}",
        ) from error


def _usual(cursor: Any, home: Installation, when_us: int) -> int | None:
    """What the home would have used since its last reading, by its own days; None where nothing is known."""
    last_us, _ = _last(home)
    days = UseDay.objects.filter(wallet=home.wallet_id, day_us__gte=when_us - PACE_DAYS * US_PER_DAY)
    known = [int(wh) for wh in days.values_list("energy_wh", flat=True)]
    if not known:
        return None
    first_us = min(days.values_list("day_us", flat=True))
    span = max(US_PER_DAY, last_us - first_us)
    return sum(known) * max(0, when_us - last_us) // span


def _doubt(used: int, usual: int | None, since_us: int) -> str:
    if usual is None:
        return "much" if used > SLACK_WH + NEW_HOME_WH * max(1, since_us) // US_PER_DAY else ""
    if used > FAR_TIMES * usual + SLACK_WH:
        return "much"
    return "little" if FAR_TIMES * used + SLACK_WH < usual else ""


def _charge(cursor: Any, book: Book, reading: int, wallet: int, now_us: int) -> None:
    facts.add(
        cursor=cursor,
        book=book.pk,
        kind="hand_reading",
        natural_key=hand_reading_key(reading=reading),
        wallet=wallet,
        payload={"reading": reading},
        raw=b"",
        now_us=now_us,
    )


def _note(
    cursor: Any, kind: str, book: Book, home: Installation, author: int, now_us: int, evidence: dict[str, Any]
) -> None:
    note_deed(
        cursor=cursor,
        book=book.pk,
        kind=kind,
        author=author,
        now_us=now_us,
        wallet=home.wallet_id,
        meter=(home.meter.gateway_id, home.meter.number),
        evidence=evidence,
    )

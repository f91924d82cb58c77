"""Alarms at the desk: a person has seen one; a person lets power return after a protective cut.

Neither moves a relay here: the gateway closes it, and only when it measures no danger any more.
"""

from __future__ import annotations

from django.db import connection, transaction

from fairwatt.core.ids import safety_reset_key
from fairwatt.core.units import US_PER_MINUTE
from fairwatt.flows.desk import DeskRefused, NotFound, acting, meter_of
from fairwatt.store import alarms, facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book

WORDS_MAX = 400
ASK_AGAIN_US = 5 * US_PER_MINUTE


class NothingHeld(DeskRefused):
    """Safety does not keep this relay open, so there is nothing to end."""

    code = "nothing_held"


class NoWord(DeskRefused):
    """Whoever lets power return writes down what was mended."""

    code = "no_word"


@transaction.atomic(durable=True)
def see_alarm(*, book_id: int, event_id: int, user_id: int, now_us: int) -> None:
    """Write down that a person has seen an alarm; a second time changes nothing. Raises NotAllowed, NotFound."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        alarm = alarms.alarm(book=book.pk, event=event_id)
        if alarm is None:
            raise NotFound("There is no such alarm in this book. Nothing was written.")
        if alarm.seen_us is not None:
            return
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.alarm_seen",
            author=person.pk,
            now_us=now_us,
            meter=(alarm.gateway, alarm.meter),
            wallet=alarm.wallet,
            reason=alarm.code,
            evidence={"event": event_id},
        )


@transaction.atomic(durable=True)
def release_safety(*, book_id: int, meter_id: int, words: str, user_id: int, now_us: int) -> int:
    """Say that the cause of a protective cut is mended and power may return; return the fact that asks for it.

    Asked again while the first word is on its way, it is the same fact; after ASK_AGAIN_US it is a new one, as the
    first may have found a gateway that remembered nothing. Raises NotAllowed, NotFound, NoWord,
    NothingHeld.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    meter = meter_of(book=book, meter_id=meter_id)
    said = words.strip()
    if not said or len(said) > WORDS_MAX:
        raise NoWord(
            "Write what was mended, in at most %(most)d letters. Nothing was ordered; the relay stays open.",
            most=WORDS_MAX,
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        held = [
            one
            for one in alarms.holds(book=book.pk)
            if (one.gateway, one.meter) == (meter.gateway_id, meter.number)
        ]
        if not held:
            raise NothingHeld(
                "Safety does not keep this relay open. Nothing was ordered; look at the meter's page."
            )
        hold = held[0]
        key = safety_reset_key(gateway=hold.gateway, meter=hold.meter, since_us=hold.since_us)
        earlier = alarms.resets_before(book=book.pk, key=key, before_us=now_us - ASK_AGAIN_US)
        about = {
            "gateway": hold.gateway,
            "meter": hold.meter,
            "author": person.pk,
            "asked": alarms.refusals(book=book.pk, hold=hold),
        }
        fact, new = facts.add(
            cursor=cursor,
            book=book.pk,
            kind="safety_reset",
            natural_key=f"{key}:{about['asked']}:{earlier}",
            wallet=hold.wallet,
            payload=about,
            raw=b"",
            now_us=now_us,
        )
        if new:
            note_deed(
                cursor=cursor,
                book=book.pk,
                kind="desk.safety_reset",
                author=person.pk,
                now_us=now_us,
                meter=(hold.gateway, hold.meter),
                wallet=hold.wallet,
                reason=hold.code,
                evidence={"words": said, "fact": fact},
            )
    return fact

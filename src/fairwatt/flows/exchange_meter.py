"""A meter is exchanged for another: looked at first, then asked for in one action.

What is asked for is a fact; the book's poster looks everything up again and does it (posting/exchanging.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.ids import exchange_key
from fairwatt.core.metering.transformer import Transformer
from fairwatt.flows.desk import DeskRefused, acting, meter_of
from fairwatt.flows.meter_end import MeterEnd, meter_end
from fairwatt.store import facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Fact, Installation, Meter

REASON_MAX: Final = 300
NUMBER_MAX: Final = 10**12


class ExchangeImpossible(DeskRefused):
    """The meter cannot be exchanged as asked. Nothing was changed."""

    code = "exchange_impossible"


@dataclass(frozen=True, kw_only=True)
class ExchangeAsked:
    """What a person who exchanged a meter says. Registers in Wh, as the meters show them."""

    meter_id: int
    """the meter that goes"""
    number: int
    """of the meter that comes"""
    at_us: int
    opening_wh: int
    final_wh: int | None = None
    """what the meter that goes showed at last; None: it could not be read"""
    transformer: Transformer | None = None
    """the current transformers in front of it; None: those that were there"""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a meter is at work, and what may take its place."""

    home: Installation
    transformer: Transformer
    spare: tuple[Meter, ...]
    """meters behind the same gateway that no home is charged by"""


@transaction.atomic
def place_of(*, book: Book, meter_id: int) -> Place:
    """Where a meter is at work. Raises NotFound, ExchangeImpossible."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        return _place(book, meter_of(book=book, meter_id=meter_id))


@transaction.atomic
def end_of(*, book: Book, asked: ExchangeAsked, now_us: int) -> MeterEnd:
    """Where the meter that goes stands at that moment, and what the use up to it costs. Raises DeskRefused."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        home = _checked(book, asked, now_us).home
        stated = {} if asked.final_wh is None else {home.pk: asked.final_wh}
        return meter_end(cursor=cursor, book=book, home=home, at_us=asked.at_us, stated=stated, prices={})


@transaction.atomic(durable=True)
def ask_exchange(*, book_id: int, asked: ExchangeAsked, ticket: str, user_id: int, now_us: int) -> int:
    """Ask the poster for an exchange; return the fact that it answers. Raises DeskRefused.

    ``ticket`` names the form: sent twice it is one exchange, also when the first was posted in between.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    reason = asked.reason.strip().replace("\x00", "")
    if len(reason) > REASON_MAX:
        raise ExchangeImpossible("Say it in at most %(most)d letters. Nothing was changed.", most=REASON_MAX)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        key = exchange_key(meter=asked.meter_id, ticket=ticket)
        known = Fact.objects.filter(book=book.pk, kind="move", natural_key=key).first()
        if known is not None and known.state != "refused":
            return int(known.pk)
        place = _checked(book, asked, now_us)
        home = place.home
        fact, fresh = facts.add(
            cursor=cursor,
            book=book.pk,
            kind="move",
            natural_key=facts.fresh_key(cursor=cursor, book=book.pk, kind="move", key=key),
            wallet=home.wallet_id,
            payload={
                "kind": "exchange",
                "installation": home.pk,
                "wallet": home.wallet_id,
                "at_us": asked.at_us,
                "author": person.pk,
                "final_wh": asked.final_wh,
                "opening_wh": asked.opening_wh,
                "meter": _described(home, asked.number),
                "transformer": _changed(asked.transformer, place.transformer),
                "reason": reason,
            },
            raw=b"",
            now_us=now_us,
        )
        if fresh:
            note_deed(
                cursor=cursor,
                book=book.pk,
                kind="desk.exchange_asked",
                author=person.pk,
                now_us=now_us,
                wallet=home.wallet_id,
                evidence={"fact": fact, "meter": home.meter.number, "new_meter": asked.number},
            )
    return fact


def _place(book: Book, meter: Meter) -> Place:
    homes = Installation.objects.select_related("meter", "unit")
    home = homes.filter(meter=meter, wallet__book=book, closed_us__isnull=True).first()
    if home is None:
        raise ExchangeImpossible(
            "No home is charged by this meter, so there is nothing to exchange. Nothing was changed."
        )
    behind = Meter.objects.filter(gateway=meter.gateway_id).order_by("number")
    at_work = Installation.objects.filter(closed_us__isnull=True).values("meter")
    transformer = Transformer(home.ct_primary, home.ct_secondary)
    return Place(home=home, transformer=transformer, spare=tuple(behind.exclude(pk__in=at_work)))


def _checked(book: Book, asked: ExchangeAsked, now_us: int) -> Place:
    place = _place(book, meter_of(book=book, meter_id=asked.meter_id))
    home, old = place.home, place.home.meter
    if not 0 < asked.number < NUMBER_MAX:
        raise ExchangeImpossible(
            "A meter's number has up to twelve digits, as printed on it. Nothing was changed."
        )
    if asked.number == old.number or (
        Installation.objects.filter(
            meter__gateway=old.gateway_id, meter__number=asked.number, closed_us__isnull=True
        ).exists()
    ):
        raise ExchangeImpossible(
            "Meter %(number)s is at work behind this gateway already. Nothing was changed; check the number.",
            number=f"{asked.number:012d}",
        )
    if not 0 < asked.at_us <= now_us:
        raise ExchangeImpossible(
            "An exchange is written down when it has been done. Nothing was changed; choose its moment."
        )
    if home.opened_us >= asked.at_us:
        raise ExchangeImpossible(
            "The account began only after that moment. Nothing was changed; choose a later moment."
        )
    if not 0 <= asked.opening_wh < int(_described(home, asked.number)["modulus_wh"]):
        raise ExchangeImpossible(
            "The new meter cannot show such a register. Nothing was changed; read it again."
        )
    return place


def _described(home: Installation, number: int) -> dict[str, Any]:
    """The meter that comes: as it was entered, else of the kind of the one that goes."""
    known = Meter.objects.filter(gateway=home.meter.gateway_id, number=number).first() or home.meter
    return {
        "number": number,
        "profile": known.profile,
        "modulus_wh": known.modulus_wh,
        "resolution_wh": known.resolution_wh,
        "max_power_w": known.max_power_w,
    }


def _changed(asked: Transformer | None, there: Transformer) -> list[int] | None:
    return None if asked is None or asked == there else [asked.primary, asked.secondary]

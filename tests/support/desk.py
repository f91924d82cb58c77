"""The poster of a street, by hand: post frames, pay, look at what became durable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from fairwatt.wire.commands import Command, Receipt, Result, hash8, verify_command
from support.house import as_role
from support.street import NOON_US, Street, reading


def part(name: str) -> Any:
    """A module of the poster, to be watched or broken; it needs Django, so ask inside a test."""
    return import_module(f"fairwatt.flows.posting.{name}")


class Desk:
    """One poster. Use it under the poster role; what the web does, it does as the web."""

    def __init__(self, street: Street) -> None:
        self.street = street
        self.state: Any = None
        self.acked: list[tuple[int, int, int]] = []

    def open(self, *, now_us: int = NOON_US) -> None:
        """Take the book and answer what waits about its set-up."""
        from fairwatt.flows.posting.loading import load_book

        self.state = load_book(book=self.street.book, now_us=now_us)
        self.post(now_us=now_us)

    def home(self, **wishes: Any) -> int:
        """Open one more home as the web and know it; return its meter."""
        with as_role("web"):
            meter = self.street.open_home(**wishes)
        self.open(now_us=self.street.opened_us)
        return meter

    def post(self, *frames: tuple[str, bytes], now_us: int, regrant: Iterable[int] = ()) -> Any:
        """Post one batch and remember what was acknowledged."""
        from fairwatt.flows.posting.post_batch import post_batch

        poster: Any = self.street.poster()
        result = post_batch(state=self.state, messages=frames, poster=poster, now_us=now_us, regrant=regrant)
        self.acked += result.acks
        return result

    def read(self, meter: int, at_us: int, wh: int, *, closed: bool = True, now_us: int | None = None) -> Any:
        """Post one reading, at its own instant unless told otherwise."""
        frame = self.street.readings(reading(meter, at_us, wh, closed=closed))
        return self.post(frame, now_us=now_us or at_us)

    def pay(self, meter: int, amount_minor: int, *, now_us: int, **changes: Any) -> int:
        """Pay as the web would take it; the poster has not seen it yet. Return the fact id."""
        with as_role("web"):
            return self.street.pay(home=meter, amount_minor=amount_minor, now_us=now_us, **changes)

    def receipt(self, order: Any, *, result: Result = Result.APPLIED, at_us: int) -> tuple[str, bytes]:
        """The gateway's receipt for an order in the outbox."""
        return self.street.receipt(
            Receipt(
                meter=order.meter,
                seq=order.seq,
                result=result,
                relay=order.relay,
                available_micro=None,
                meter_time_us=at_us,
                command_hash8=hash8(bytes(order.payload)),
            ),
            clock_us=at_us,
        )

    # What became durable

    def lines(self) -> list[Any]:
        """All lines of the book, by wallet and seq."""
        from fairwatt.store.models import Line

        return list(Line.objects.filter(book=self.street.book).order_by("wallet", "seq"))

    def quarantine(self) -> list[str]:
        """Codes of the quarantine, oldest first."""
        from fairwatt.store.models import Quarantine

        rows = Quarantine.objects.filter(book=self.street.book).order_by("id")
        return list(rows.values_list("code", flat=True))

    def events(self, kind: str = "") -> list[Any]:
        """Events of the book whose kind starts so, oldest first."""
        from fairwatt.store.models import Event

        return list(Event.objects.filter(book=self.street.book, kind__startswith=kind).order_by("id"))

    def orders(self) -> list[Any]:
        """The outbox, oldest first."""
        from fairwatt.store.models import Outbox

        return list(Outbox.objects.filter(book=self.street.book).order_by("id"))

    def command(self, order: Any) -> Command:
        """What the signed bytes of an order say."""
        return verify_command(message=bytes(order.payload), keys={b"issuer": self.street.issuer.public_key()})

    def fact(self, fact_id: int) -> Any:
        """One fact as it stands."""
        from fairwatt.store.models import Fact

        return Fact.objects.get(pk=fact_id)

    def balance(self, meter: int) -> int:
        """Balance after the last line of a home's wallet, 0 before the first."""
        wallet = self.street.wallets[self.street.homes.index(meter)]
        mine = [line for line in self.lines() if line.wallet == wallet]
        return int(mine[-1].balance_micro) if mine else 0

    def counts(self) -> dict[str, int]:
        """Rows of the book in every table of history."""
        from django.db import connection

        with connection.cursor() as cursor:
            counts = {}
            for table in ("line", "journal", "event", "quarantine", "outbox"):
                cursor.execute(f"SELECT count(*) FROM {table} WHERE book = %s", [self.street.book])
                counts[table] = int(cursor.fetchone()[0])
            return counts


@contextmanager
def opened_desk(street: Street) -> Iterator[Desk]:
    """A desk under the poster role."""
    with as_role("poster"):
        desk = Desk(street)
        desk.open(now_us=street.opened_us)
        yield desk

"""Many moves from one file: every row looked at first, then all of them asked for at once, or none.

A term ends, two hundred rooms change hands: one sheet says who leaves and who comes. Each row becomes a move of its
own, which the poster does or refuses by itself; the file is one action of one person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import QuerySet

from fairwatt.core.refusal import Refusal
from fairwatt.flows.desk import acting
from fairwatt.flows.meter_end import Prices
from fairwatt.flows.move_home import (
    Coming,
    MoveAsked,
    MoveImpossible,
    Preview,
    ask_in_transaction,
    likely_instant,
    preview_move,
)
from fairwatt.flows.sheets import Unreadable, read_sheet
from fairwatt.store import facts, moves
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Fact, Installation, Unit

COLUMNS: Final = ("home", "move", "at", "users", "refund", "to", "register_kwh", "reason")
_NEEDED: Final = ("home", "move")
_REGISTER: Final = re.compile(r"(\d{1,9})(?:\.(\d{1,3}))?")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a file as it was looked at: what it comes to, or why it cannot be."""

    line: int
    home: str
    move: str
    asked: MoveAsked | None
    seen: Preview | None
    error: Refusal | None


@dataclass(frozen=True, kw_only=True)
class RowResult:
    """What the poster made of one move of a file."""

    fact: int
    home: str
    move: str
    state: str
    code: str
    provisional: bool


def read_rows(*, data: bytes, name: str) -> list[dict[str, str]]:
    """The rows of a CSV or Excel file, by column. Raises MoveImpossible."""
    try:
        return read_sheet(data=data, name=name, columns=COLUMNS, needed=_NEEDED)
    except Unreadable as error:
        raise MoveImpossible(error.words, **error.places) from error


def look_at(*, book: Book, rows: Sequence[dict[str, str]], now_us: int) -> list[Row]:
    """Every row with what it comes to or why it cannot be; nothing is written."""
    units = {unit.label: unit for unit in Unit.objects.filter(site__book=book).select_related("site")}
    looked: list[Row] = []
    seen_homes: dict[str, int] = {}
    prices: Prices = {}
    for line, row in enumerate(rows, start=2):
        home, kind = row.get("home", ""), row.get("move", "").lower()
        asked, seen, error = None, None, None
        try:
            if home in seen_homes:
                raise MoveImpossible(
                    "Row %(line)d is about the same home. Nothing was changed; a home moves once in a file.",
                    line=seen_homes[home],
                )
            seen_homes[home] = line
            asked = _asked(book, units, row, kind, now_us)
            seen = preview_move(book=book, asked=asked, now_us=now_us, prices=prices)
        except Refusal as refused:
            error = refused
        looked.append(Row(line=line, home=home, move=kind, asked=asked, seen=seen, error=error))
    return looked


@transaction.atomic(durable=True)
def ask_all(
    *, book_id: int, rows: Sequence[dict[str, str]], user_id: int, now_us: int, entropy: bytes
) -> str:
    """Ask for every move of a file in one transaction; return the name they have together.

    Raises DeskRefused, also when a single row cannot be: then nothing was asked for. The same file again, by the same
    form, is the same moves, also when they were done meanwhile: nobody moves twice.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    together = sha256(entropy + repr([sorted(row.items()) for row in rows]).encode()).hexdigest()[:20]
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        moves.hold_file(cursor=cursor, book=book.pk, together=together)
    if _asked_together(book, together).exists():
        return together
    looked = look_at(book=book, rows=rows, now_us=now_us)
    wrong = next((row for row in looked if row.error is not None), None)
    if wrong is not None and wrong.error is not None:
        raise MoveImpossible("Row %(line)d: %(why)s", line=wrong.line, why=wrong.error)
    prices: Prices = {}
    for row in looked:
        assert row.asked is not None, "every row was looked at"
        made = sha256(entropy + row.home.encode()).digest()[:10]
        ask_in_transaction(
            book_id=book_id,
            asked=replace(row.asked, together=together),
            user_id=user_id,
            now_us=now_us,
            entropy=made,
            prices=prices,
        )
    with connection.cursor() as cursor:
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.moves_asked",
            author=person.pk,
            now_us=now_us,
            evidence={"together": together, "rows": len(looked)},
        )
    return together


@transaction.atomic
def results_of(*, book: Book, together: str) -> list[RowResult]:
    """What became of the moves of a file, in their order; empty where there is no such."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        found = list(_asked_together(book, together).order_by("pk"))
    labels = dict(
        Unit.objects.filter(pk__in=[fact.payload["unit"] for fact in found]).values_list("pk", "label")
    )
    return [
        RowResult(
            fact=fact.pk,
            home=labels.get(fact.payload["unit"], ""),
            move=fact.payload["kind"],
            state=fact.state,
            code=str((fact.result or {}).get("code", "")),
            provisional=bool((fact.result or {}).get("provisional", 0)),
        )
        for fact in found
    ]


def _asked_together(book: Book, together: str) -> QuerySet[Fact]:
    return Fact.objects.filter(book=book.pk, kind="move", payload__together=together)


def _asked(book: Book, units: dict[str, Unit], row: dict[str, str], kind: str, now_us: int) -> MoveAsked:
    unit = units.get(row.get("home", ""))
    if unit is None:
        raise MoveImpossible(
            "There is no home of that name in this book. Nothing was changed; check the name."
        )
    to = units.get(row.get("to", ""))
    at = row.get("at", "")
    return MoveAsked(
        kind=kind,
        unit_id=unit.pk,
        at_us=instant_of(at, book.zone) if at else likely_instant(book=book, unit=unit, now_us=now_us),
        settle="source" if row.get("refund", "").lower() == "source" else "window",
        coming=Coming(users=tuple(name for name in re.split(r"[,;\s]+", row.get("users", "")) if name)),
        stated=_stated(book, unit, row.get("register_kwh", "")),
        reason=row.get("reason", ""),
        to_unit_id=to.pk if to else 0,
    )


def _stated(book: Book, unit: Unit, text: str) -> dict[int, int]:
    if not text:
        return {}
    match = _REGISTER.fullmatch(text)
    homes = Installation.objects.filter(unit=unit, wallet__book=book, closed_us__isnull=True)
    at_work = list(homes.values_list("pk", flat=True))
    if match is None or len(at_work) != 1:
        raise MoveImpossible(
            "A register is written as 12345.6, and only for a home with one meter. Nothing was changed."
        )
    return {at_work[0]: int(match[1]) * 1_000 + int((match[2] or "0").ljust(3, "0"))}


def instant_of(text: str, zone: str) -> int:
    """A moment of a sheet, in the zone unless it says another, in microseconds. Raises MoveImpossible."""
    try:
        at = datetime.fromisoformat(text)
        local = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))
        return round(local.timestamp()) * 1_000_000
    except (ValueError, OverflowError) as error:
        raise MoveImpossible("A moment is written as 2026-11-30 12:00. Nothing was changed.") from error

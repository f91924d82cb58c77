"""Many lets from one file, a market or a season: every row looked at first, then all written down, or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from django.db import connection, transaction

from fairwatt.core.refusal import Refusal
from fairwatt.flows.desk import acting
from fairwatt.flows.move_batch import instant_of
from fairwatt.flows.plan_let import LetAsked, LetImpossible, LetSeen, look_at_let, plan_in_transaction
from fairwatt.flows.sheets import Unreadable, read_sheet
from fairwatt.store import facts, lets, moves
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Unit

COLUMNS: Final = ("unit", "merchant", "from", "to", "package", "trading", "users", "refund", "words")
_NEEDED: Final = ("unit", "merchant", "to")


@dataclass(frozen=True, kw_only=True)
class LetRow:
    """One row of a file as it was looked at: what it comes to, or why it cannot be."""

    line: int
    unit: str
    asked: LetAsked | None
    seen: LetSeen | None
    error: Refusal | None


def read_rows(*, data: bytes, name: str) -> list[dict[str, str]]:
    """The rows of a CSV or Excel file, by column. Raises LetImpossible."""
    try:
        return read_sheet(data=data, name=name, columns=COLUMNS, needed=_NEEDED)
    except Unreadable as error:
        raise LetImpossible(error.words, **error.places) from error


def look_at(*, book: Book, rows: Sequence[dict[str, str]], now_us: int) -> list[LetRow]:
    """Every row with what it comes to or why it cannot be; nothing is written."""
    units = {unit.label: unit for unit in Unit.objects.filter(site__book=book)}
    looked: list[LetRow] = []
    spans: dict[str, list[tuple[int, int, int]]] = {}
    for line, row in enumerate(rows, start=2):
        asked, seen, error = None, None, None
        label = row.get("unit", "")
        try:
            asked = _asked(book, units, row, now_us)
            for begin, end, other in spans.get(label, []):
                if begin < asked.end_us and asked.begin_us < end:
                    raise LetImpossible(
                        "Row %(line)d has this unit then. Nothing was changed; choose another time.",
                        line=other,
                    )
            seen = look_at_let(book=book, asked=asked, now_us=now_us)
            spans.setdefault(label, []).append((asked.begin_us, asked.end_us, line))
        except Refusal as refused:
            error = refused
        looked.append(LetRow(line=line, unit=label, asked=asked, seen=seen, error=error))
    return looked


@transaction.atomic(durable=True)
def plan_all(
    *, book_id: int, rows: Sequence[dict[str, str]], ticket: str, user_id: int, now_us: int
) -> list[int]:
    """Write down every let of a file in one transaction; return their numbers.

    Raises DeskRefused, also when a single row cannot be: then nothing was written. The same file by the same form
    again is the same lets.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    together = sha256(f"{ticket}:{sorted(rows[0].items())!r}".encode()).hexdigest()[:20]
    tickets = [
        sha256(f"{ticket}:{line}:{sorted(row.items())!r}".encode()).hexdigest()
        for line, row in enumerate(rows, start=2)
    ]
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        moves.hold_file(cursor=cursor, book=book.pk, together=together)
        before = [lets.let_by_ticket(cursor=cursor, book=book.pk, ticket=one) for one in tickets]
    known = [one.let for one in before if one is not None]
    if len(known) == len(rows):
        return known
    units = {unit.label: unit for unit in Unit.objects.filter(site__book=book)}
    made = []
    for line, (row, named) in enumerate(zip(rows, tickets, strict=True), start=2):
        try:
            made.append(
                plan_in_transaction(
                    book_id=book_id,
                    asked=_asked(book, units, row, now_us),
                    ticket=named,
                    user_id=user_id,
                    now_us=now_us,
                    together=together,
                )
            )
        except Refusal as refused:
            raise LetImpossible("Row %(line)d: %(why)s", line=line, why=refused) from refused
    with connection.cursor() as cursor:
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.lets_planned",
            author=person.pk,
            now_us=now_us,
            evidence={"together": together, "rows": len(made)},
        )
    return made


def _asked(book: Book, units: dict[str, Unit], row: dict[str, str], now_us: int) -> LetAsked:
    unit = units.get(row.get("unit", ""))
    if unit is None:
        raise LetImpossible(
            "There is no unit of that name in this book. Nothing was changed; check the name."
        )
    begin = row.get("from", "")
    return LetAsked(
        unit_id=unit.pk,
        begin_us=instant_of(begin, book.zone) if begin else now_us,
        end_us=instant_of(row.get("to", ""), book.zone),
        merchant=row.get("merchant", ""),
        users=tuple(name for name in re.split(r"[,;\s]+", row.get("users", "")) if name),
        package=row.get("package", ""),
        trading=row.get("trading", ""),
        settle="source" if row.get("refund", "").lower() == "source" else "window",
        words=row.get("words", ""),
    )

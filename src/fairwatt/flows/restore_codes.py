"""An emergency restore code is asked for at the desk, made by the poster, and read once by whoever asked."""

from __future__ import annotations

from typing import Final

from django.db import connection, transaction

from fairwatt.core.commands.restore_code import HOURS
from fairwatt.core.ids import uuid7
from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound, acting
from fairwatt.store import facts, restore_codes
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Installation, Role, User

KIND: Final = "restore_code"
WORDS_MAX: Final = 300


class CodeRefused(DeskRefused):
    """No code can be made as asked. Nothing was made."""

    code = "code_refused"


@transaction.atomic(durable=True)
def ask_restore_code(
    *, book_id: int, installation_id: int, hours: int, reason: str, user_id: int, now_us: int, entropy: bytes
) -> int:
    """Ask for a code for one home; return the fact that asks. Only an administrator may. Raises DeskRefused."""
    book = Book.objects.get(pk=book_id)
    person = _administrator(user_id=user_id, book=book)
    found = Installation.objects.filter(
        pk=installation_id, wallet__book=book, closed_us__isnull=True
    ).select_related("meter")
    row = found.first()
    if row is None:
        raise NotFound(
            "There is no such meter at work in this book. No code was made; choose the home again."
        )
    words = reason.strip().replace("\x00", "")
    if not words or len(words) > WORDS_MAX:
        raise CodeRefused(
            "Write why this home needs a code, in at most %(most)d letters. No code was made.", most=WORDS_MAX
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        policy = restore_codes.policy_of(cursor=cursor, book=book.pk)
        if hours not in HOURS or hours > policy.hours_max:
            raise CodeRefused(
                "A code of this building lasts %(choices)s hours. No code was made; choose one of these.",
                choices=", ".join(str(each) for each in HOURS if each <= policy.hours_max) or "0",
            )
        if restore_codes.count_lately(cursor=cursor, wallet=row.wallet_id, now_us=now_us) >= policy.per_month:
            raise CodeRefused(
                "This home had %(count)d codes in 30 days, which is all the policy allows. No code was made; help it "
                "to a top-up instead.",
                count=policy.per_month,
            )
        about = {"installation": row.pk, "hours": hours, "reason": words, "author": person.pk}
        fact, _ = facts.add(
            cursor=cursor,
            book=book.pk,
            kind=KIND,
            natural_key=f"{KIND}:{uuid7(now_us=now_us, entropy=entropy)}",
            wallet=row.wallet_id,
            payload=about,
            raw=b"",
            now_us=now_us,
        )
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.restore_code_asked",
            author=person.pk,
            now_us=now_us,
            meter=(row.meter.gateway_id, row.meter.number),
            wallet=row.wallet_id,
            evidence={"fact": fact, "hours": hours, "words": words},
        )
    return fact


@transaction.atomic(durable=True)
def show_restore_code(*, book_id: int, fact_id: int, user_id: int, now_us: int) -> str:
    """The digits, once, to whoever asked. Raises NotAllowed, CodeRefused when they are not to be had any more."""
    book = Book.objects.get(pk=book_id)
    person = _administrator(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        digits = restore_codes.take_answer(
            cursor=cursor, book=book.pk, fact=fact_id, author=person.pk, now_us=now_us
        )
        if digits is None:
            raise CodeRefused(
                "This code was shown already, or waited more than ten minutes. Ask for a new one "
                "if the home still needs it."
            )
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.restore_code_shown",
            author=person.pk,
            now_us=now_us,
            evidence={"fact": fact_id},
        )
    return digits


def _administrator(*, user_id: int, book: Book) -> User:
    person = acting(user_id=user_id, book=book)
    if person.role != Role.ADMIN:
        raise NotAllowed("Only an administrator issues restore codes. No code was made; ask one of them.")
    return person

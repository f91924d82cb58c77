"""A payment is carried by hand to a gateway without a line: asked for at the desk, made by the poster, read once."""

from __future__ import annotations

from typing import Final

from django.db import connection, transaction

from fairwatt.core.ids import uuid7
from fairwatt.flows.desk import DeskRefused, NotFound, acting
from fairwatt.store import cash_desk, facts, restore_codes
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Installation

KIND: Final = "carried_payment"


class TokenRefused(DeskRefused):
    """No token can be made or shown as asked."""

    code = "token_refused"


@transaction.atomic(durable=True)
def ask_token(
    *, book_id: int, installation_id: int, receipt: int, user_id: int, now_us: int, entropy: bytes
) -> int:
    """Ask for the token of one payment of a home, by its receipt; return the fact that asks. Raises DeskRefused."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    found = Installation.objects.filter(pk=installation_id, wallet__book=book, closed_us__isnull=True)
    row = found.select_related("meter").first()
    if row is None:
        raise NotFound(
            "There is no such meter at work in this book. No token was made; choose the home again."
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        paid = cash_desk.receipt_of(cursor=cursor, book=book.pk, number=receipt)
        if paid is None or paid.wallet != row.wallet_id:
            raise TokenRefused(
                "This home has no receipt %(receipt)s. No token was made; take the number from its receipt.",
                receipt=receipt,
            )
        fact, _ = facts.add(
            cursor=cursor,
            book=book.pk,
            kind=KIND,
            natural_key=f"{KIND}:{uuid7(now_us=now_us, entropy=entropy)}",
            wallet=row.wallet_id,
            payload={"installation": row.pk, "receipt": receipt, "author": person.pk},
            raw=b"",
            now_us=now_us,
        )
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.token_asked",
            author=person.pk,
            now_us=now_us,
            meter=(row.meter.gateway_id, row.meter.number),
            wallet=row.wallet_id,
            evidence={"fact": fact, "receipt": receipt},
        )
    return fact


@transaction.atomic(durable=True)
def show_token(*, book_id: int, fact_id: int, user_id: int, now_us: int) -> str:
    """The digits, once, to whoever asked. Raises NotAllowed, TokenRefused when they are not to be had any more."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        digits = restore_codes.take_answer(
            cursor=cursor, book=book.pk, fact=fact_id, author=person.pk, now_us=now_us
        )
        if digits is None:
            raise TokenRefused(
                "This token was shown already, or waited more than ten minutes. Ask again: the payment gets the same "
                "token, and it works once."
            )
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.token_shown",
            author=person.pk,
            now_us=now_us,
            evidence={"fact": fact_id},
        )
    return digits

"""What staff does about messages: send one again, answer the call list, and write an organisation's own words."""

from __future__ import annotations

from typing import Final

from django.db import connection, transaction

from fairwatt.core.notices.model import Channel, State, Step
from fairwatt.core.notices.wording import LANGUAGES, Wording, check_wording
from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound, acting
from fairwatt.flows.pacing import hold_pace
from fairwatt.store import contacts, escalations, facts, notices
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Role

ANSWERS: Final = ("called", "notice", "met", "not_found")
PACED: Final = frozenset({Channel.SMS, Channel.EMAIL})
"""Channels that ring or fill a box of anybody whose address it is."""
_SECRET: Final = frozenset({Step.CODE})


class NothingToSend(DeskRefused):
    """This message cannot be sent again."""

    code = "nothing_to_send"


@transaction.atomic(durable=True)
def send_again(*, book_id: int, message_id: int, user_id: int, now_us: int) -> None:
    """Ask for a message once more, to the same address. Raises NotAllowed, NotFound, NothingToSend, TooOften."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        found = notices.message(cursor=cursor, number=message_id)
        if found is None or found.book != book.pk:
            raise NotFound("There is no such message in this book. Nothing was sent.")
        if found.step in _SECRET or found.state == State.QUEUED:
            raise NothingToSend(
                "This message is on its way, or its code is of no use any more. Nothing was sent."
            )
        minute = now_us // 60_000_000
        if found.channel in PACED:
            hold_pace(cursor=cursor, keys={"again": found.address}, now_us=now_us)
        new = notices.add_notice(
            cursor=cursor,
            book=book.pk,
            wallet=found.wallet,
            step="again",
            key=f"again:{message_id}:{minute}",
            about={"message": message_id},
            now_us=now_us,
        )
        if new:
            note_deed(
                cursor=cursor,
                book=book.pk,
                kind="desk.message_again",
                author=person.pk,
                now_us=now_us,
                wallet=found.wallet,
                evidence={"message": message_id},
            )


@transaction.atomic(durable=True)
def answer_escalation(*, book_id: int, number: int, answer: str, user_id: int, now_us: int) -> None:
    """Write down what staff did about a home that no message reached; once. Raises NotAllowed, NotFound."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        found = escalations.escalations(cursor=cursor, book=book.pk, open_only=False, limit=1, number=number)
        if not found or answer not in ANSWERS:
            raise NotFound("There is no such entry on the call list, or no such answer. Nothing was written.")
        if found[0].answered_us is not None:
            return
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.escalation_answered",
            author=person.pk,
            now_us=now_us,
            wallet=found[0].wallet,
            reason=answer,
            evidence={"escalation": number},
        )


@transaction.atomic(durable=True)
def write_words(
    *, book_id: int, step: str, language: str, wording: Wording, user_id: int, now_us: int
) -> None:
    """Give a step an organisation's own words, in force from now. Raises NotAllowed, NotFound, BadWording."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if person.role != Role.ADMIN:
        raise NotAllowed(
            "Only administrators change what is said in the organisation's name. Nothing was changed."
        )
    if step not in set(Step) or language not in LANGUAGES:
        raise NotFound("There is no such message. Nothing was changed.")
    check_wording(step=Step(step), wording=wording)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        contacts.save_wording(
            cursor=cursor,
            organisation=book.organisation_id,
            step=step,
            language=language,
            words=(wording.subject, wording.body, wording.short),
            author=person.pk,
            now_us=now_us,
        )
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.message_words",
            author=person.pk,
            now_us=now_us,
            reason=step,
            evidence={"language": language},
        )


def unheralded(*, book_id: int) -> list[int]:
    """The law: events of cuts that no warning and no call list came before. There are none."""
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        return escalations.unheralded_cuts(cursor=cursor, book=book_id)

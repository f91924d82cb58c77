"""An administrator says whether cuts that were held back are meant."""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection, transaction

from fairwatt.flows.desk import DeskRefused, NotAllowed, acting
from fairwatt.store import facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Event, Role, WalletHead

ALARM, ANSWERS = "alarm.mass_cut", ("supply.mass_cut_allowed", "supply.mass_cut_refused")
WORDS_MAX = 400


class NothingAsked(DeskRefused):
    """No cuts are held back, so there is nothing to answer."""

    code = "nothing_asked"


class NoReason(DeskRefused):
    """Whoever lets many homes go dark writes down why."""

    code = "no_word"


class HeldCuts(NamedTuple):
    """An alarm that waits for an answer, and the figures it rests on."""

    since_us: int
    recent: int
    wanted: int
    limit: int
    meters: int
    homes: int


def held_cuts(*, book: int) -> HeldCuts | None:
    """What is held back in a book, or None. Call it where the book may be seen."""
    last = Event.objects.filter(book=book, kind__in=(ALARM, *ANSWERS)).order_by("-id").first()
    if last is None or last.kind != ALARM:
        return None
    recent, wanted, limit, meters = (
        int(last.evidence.get(name, 0)) for name in ("recent", "wanted", "limit", "meters")
    )
    homes = WalletHead.objects.filter(book=book, withheld="mass_cut").count()
    return HeldCuts(last.at_us, recent, wanted, limit, meters, homes or wanted)  # heads follow a second later


@transaction.atomic(durable=True)
def answer_mass_cut(
    *, book_id: int, since_us: int, allow: bool, words: str, user_id: int, now_us: int
) -> int:
    """Write the answer down and ask the poster to act on it; return the fact. Answered twice, it is the same fact.

    Raises NotAllowed, NoReason, NothingAsked.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if person.role != Role.ADMIN:
        raise NotAllowed(
            "Only an administrator of this organisation may let so many homes go dark. Nobody was cut; ask one of them."
        )
    said = words.strip()
    if not said or len(said) > WORDS_MAX:
        raise NoReason(
            "Write why, in at most %(most)d letters. Nobody was cut, and the cuts stay held back.",
            most=WORDS_MAX,
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        held = held_cuts(book=book.pk)
        if held is None or held.since_us != since_us:
            raise NothingAsked(
                "No cuts are held back any more, or others are. Nothing was answered; look again."
            )
        payload = {"allow": allow, "since_us": since_us, "author": person.pk}
        fact, new = facts.add(
            cursor=cursor,
            book=book.pk,
            kind="mass_cut_answer",
            natural_key=f"mass_cut:{since_us}:{'allow' if allow else 'refuse'}:{now_us}",
            wallet=None,
            payload=payload,
            raw=b"",
            now_us=now_us,
        )
        if new:
            note_deed(
                cursor=cursor,
                book=book.pk,
                kind="desk.mass_cut_answered",
                author=person.pk,
                now_us=now_us,
                reason="allow" if allow else "refuse",
                evidence={**payload, "words": said},
            )
    return fact

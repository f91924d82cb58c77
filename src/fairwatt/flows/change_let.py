"""What is said of a let later: another end, that it does not come about; and which circuits are never switched off."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.credit.contract import LONGEST_US
from fairwatt.core.ids import let_change_key
from fairwatt.flows.desk import NotAllowed, NotFound, acting
from fairwatt.flows.plan_let import WORDS_MAX, LetImpossible, meets
from fairwatt.store import facts, lets
from fairwatt.store.intervals import note_deed
from fairwatt.store.lets import Let
from fairwatt.store.models import Book, Installation, Meter, Role, User

CIRCUITS: Final = ("cold_store", "fire", "other", lets.ORDINARY)


@transaction.atomic(durable=True)
def end_let(*, book_id: int, let_id: int, until_us: int, words: str, user_id: int, now_us: int) -> None:
    """Agree on another end of a let that is open, later or earlier. Raises DeskRefused."""
    book, person = _clerk(book_id, user_id)
    with connection.cursor() as cursor:
        one = _open(cursor, book, let_id)
        if until_us <= max(now_us, one.begin_us) or until_us - one.begin_us > LONGEST_US:
            raise LetImpossible(
                "A let ends later than now and after it begins, and within two years. Nothing was changed."
            )
        if until_us == one.end_us:
            return
        meets(cursor, book, one.unit, one.begin_us, until_us, now_us, but=one.let)
        _say(cursor, book, one, "end", until_us, words, person, now_us)


@transaction.atomic(durable=True)
def cancel_let(*, book_id: int, let_id: int, words: str, user_id: int, now_us: int) -> None:
    """Take back a let that has not begun. Raises DeskRefused."""
    book, person = _clerk(book_id, user_id)
    with connection.cursor() as cursor:
        one = _open(cursor, book, let_id)
        if one.wallet is not None:
            raise LetImpossible("This let has begun. Nothing was changed; give it an earlier end instead.")
        _say(cursor, book, one, "cancel", None, words, person, now_us)


@transaction.atomic(durable=True)
def mark_circuit(*, book_id: int, meter_id: int, circuit: str, words: str, user_id: int, now_us: int) -> int:
    """Note what hangs on a meter: a cold store, a fire system, or nothing that must stay on. Raises DeskRefused.

    Whoever is at the desk may protect a circuit; that it may be switched off again an administrator says.
    """
    book, person = _clerk(book_id, user_id)
    said = words.strip().replace("\x00", "")
    if circuit not in CIRCUITS or not 0 < len(said) <= WORDS_MAX:
        raise LetImpossible(
            "Choose what hangs on the meter, and say why in at most %(most)d letters. Nothing was changed.",
            most=WORDS_MAX,
        )
    if circuit == lets.ORDINARY and person.role != Role.ADMIN:
        raise NotAllowed("That a circuit may be switched off an administrator says. Nothing was changed.")
    meter = Meter.objects.filter(pk=meter_id, gateway__site__book=book).first()
    if meter is None:
        raise NotFound("There is no such meter in this book. Nothing was changed.")
    home = Installation.objects.filter(meter=meter, closed_us__isnull=True).first()
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        mark = lets.mark_circuit(
            cursor=cursor,
            book=book.pk,
            gateway=meter.gateway_id,
            meter=meter.number,
            circuit=circuit,
            words=said,
            author=person.pk,
            now_us=now_us,
        )
        _tell(cursor, book, ("circuit", mark), [home.wallet_id] if home else [], now_us)
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.circuit_marked",
            author=person.pk,
            now_us=now_us,
            meter=(meter.gateway_id, meter.number),
            wallet=home.wallet_id if home else None,
            reason=circuit,
            evidence={"words": said},
        )
    return mark


def _clerk(book_id: int, user_id: int) -> tuple[Book, User]:
    book = Book.objects.get(pk=book_id)
    return book, acting(user_id=user_id, book=book)


def _open(cursor: Any, book: Book, let_id: int) -> Let:
    """A let that is open, and that neither begins nor is changed by anybody else meanwhile. Raises DeskRefused."""
    facts.see_book(cursor=cursor, book=book.pk)
    one = lets.let_of(cursor=cursor, book=book.pk, let=let_id)
    if one is not None:
        lets.lock_unit(cursor=cursor, unit=one.unit)
        one = lets.let_of(cursor=cursor, book=book.pk, let=let_id)  # as it stands now that nobody else may
    if one is None:
        raise NotFound("There is no such let in this book. Nothing was changed.")
    if not one.is_open:
        raise LetImpossible("This let is over. Nothing was changed; write down a new one.")
    return one


def _say(
    cursor: Any, book: Book, one: Let, word: str, until_us: int | None, words: str, person: User, now_us: int
) -> None:
    said = words.strip().replace("\x00", "")[:WORDS_MAX]
    lets.add_word(
        cursor=cursor,
        book=book.pk,
        let=one.let,
        word=word,
        until_us=until_us,
        words=said,
        author=person.pk,
        now_us=now_us,
    )
    if one.wallet is not None:
        _tell(cursor, book, ("let", one.let), [one.wallet], now_us)
    evidence = {"let": one.let, "merchant": one.merchant, "words": said, "until_us": until_us}
    kind = "desk.let_cancelled" if word == "cancel" else "desk.let_end_changed"
    _deed(cursor, book, kind, person, now_us, one.wallet, evidence)


def _tell(cursor: Any, book: Book, what: tuple[str, int], wallets: list[int], now_us: int) -> None:
    """Let the poster read again what holds; power that is off for an end that moved comes back by that."""
    facts.add(
        cursor=cursor,
        book=book.pk,
        kind="let_change",
        natural_key=f"{let_change_key(what=what[0], number=what[1])}:{now_us}",
        wallet=wallets[0] if wallets else None,
        payload={"wallets": wallets},
        raw=b"",
        now_us=now_us,
    )


def _deed(
    cursor: Any,
    book: Book,
    kind: str,
    person: User,
    now_us: int,
    wallet: int | None,
    evidence: dict[str, Any],
) -> None:
    note_deed(
        cursor=cursor,
        book=book.pk,
        kind=kind,
        author=person.pk,
        now_us=now_us,
        wallet=wallet,
        evidence=evidence,
    )

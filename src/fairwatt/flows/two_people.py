"""What moves money by people's word alone takes two of them: one asks, an administrator who is another agrees.

A wish is written down and changes nothing; agreed to, it is a fact that the book's poster looks up again and posts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, connection, transaction

from fairwatt.core.ids import money_wish_key, payment_key
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.borrow import credit_desk
from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound, acting
from fairwatt.flows.posting.voiding import BY_HAND
from fairwatt.store import cash_desk, facts, money_wishes
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, PaymentIntent, Role, User, Wallet
from fairwatt.store.money_wishes import NewWish, Wish

WORDS_MAX: Final = 400
WAYS: Final = ("paid_back", "not_received", "suspense")
_TICKET: Final = re.compile(r"[0-9a-f]{32}")


class CannotWish(DeskRefused):
    """It cannot be asked for so; no money was moved."""

    code = "cannot_wish"


@dataclass(frozen=True, kw_only=True)
class VoidAsked:
    """A payment by hand that is to be taken back: of which receipt, how much, and what became of the money."""

    number: int
    amount_minor: int
    way: str
    words: str
    ticket: str


@transaction.atomic(durable=True)
def ask_void(*, book_id: int, asked: VoidAsked, user_id: int, now_us: int) -> int:
    """Ask to take a payment back; return the wish. Never more than is unspent. Raises DeskRefused."""
    book, person = _clerk(book_id, user_id)
    words = _words(asked.words, asked.ticket)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        key = f"void:{asked.ticket}"
        known = money_wishes.wish_by_key(cursor=cursor, book=book.pk, key=key)
        if known is not None:
            return known.wish
        paid = cash_desk.receipt_of(cursor=cursor, book=book.pk, number=asked.number)
        if paid is None:
            raise NotFound("There is no receipt of that number. Nothing was taken back.")
        if paid.provider not in BY_HAND or asked.way not in WAYS:
            raise CannotWish(
                "Only money that people took by hand is taken back so. What came through a provider is refunded there."
            )
        amount = micro_from_minor(amount_minor=asked.amount_minor, minor_digits=book.minor_digits)
        if not 0 < amount <= paid.amount_micro - paid.void_micro:
            raise CannotWish("That is more than is left of this payment. Nothing was taken back.")
        home = credit_desk(wallet=Wallet.objects.get(pk=paid.wallet), now_us=now_us)
        facts.see_book(cursor=cursor, book=book.pk)  # the home was looked at alone
        if amount > home.available_micro - home.owing.emergency_micro:
            raise CannotWish(
                "The credit is spent by now, and what is spent cannot be taken back. Ask for less."
            )
        new = NewWish(
            book=book.pk,
            kind="void",
            key=key,
            amount_minor=asked.amount_minor,
            author=person.pk,
            wallet=paid.wallet,
            words=words,
            details={"of": paid.fact, "receipt": paid.number, "way": asked.way},
        )
        return write_wish(cursor=cursor, new=new, now_us=now_us)


@transaction.atomic(durable=True)
def ask_claim(
    *, book_id: int, of: int, wallet_id: int, words: str, user_id: int, ticket: str, now_us: int
) -> int:
    """Ask that money in suspense becomes a home's; return the wish. Raises DeskRefused."""
    book, person = _clerk(book_id, user_id)
    words = _words(words, ticket)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        key = f"claim:{ticket}"
        known = money_wishes.wish_by_key(cursor=cursor, book=book.pk, key=key)
        if known is not None:
            return known.wish
        waiting = money_wishes.in_suspense(cursor=cursor, book=book.pk, currency=book.currency, of=of)
        if not waiting:
            raise NotFound("This money does not wait any more. Nothing was moved.")
        if not Wallet.objects.filter(pk=wallet_id, book=book).exists():
            raise NotFound("There is no such account here. Nothing was moved; look for the home again.")
        new = NewWish(
            book=book.pk,
            kind="claim",
            key=key,
            amount_minor=waiting[0].amount_minor,
            author=person.pk,
            wallet=wallet_id,
            words=words,
            details={"of": of, "provider": waiting[0].provider},
        )
        return write_wish(cursor=cursor, new=new, now_us=now_us)


def write_wish(*, cursor: Any, new: NewWish, now_us: int) -> int:
    """Write a wish down, with its event, inside the caller's transaction; the same one again is the same."""
    wish, fresh = money_wishes.add_wish(cursor=cursor, new=new, now_us=now_us)
    if fresh:
        evidence = {"wish": wish, "kind": new.kind, "amount_minor": new.amount_minor}
        note_deed(
            cursor=cursor,
            book=new.book,
            kind="desk.money_wished",
            author=new.author,
            now_us=now_us,
            wallet=new.wallet,
            reason=new.kind,
            evidence=evidence,
        )
    return wish


@transaction.atomic(durable=True)
def answer_wish(
    *, book_id: int, wish_id: int, step: str, words: str, user_id: int, now_us: int
) -> int | None:
    """Agree to a wish, which leaves a fact to the poster, or refuse it; return the fact. Raises DeskRefused."""
    book, person = _clerk(book_id, user_id)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        wish = money_wishes.wish_of(cursor=cursor, book=book.pk, wish=wish_id)
        if wish is None or step not in ("approve", "refuse"):
            raise NotFound("There is nothing of that kind to agree to. No money was moved.")
        if wish.step:
            raise CannotWish("Somebody answered this before. Nothing more was moved.")
        if step == "approve" and person.role != Role.ADMIN:
            raise NotAllowed("An administrator agrees to what others ask. No money was moved; ask one.")
        if step == "approve" and wish.author == person.pk:
            raise NotAllowed("Nobody agrees to the own wish. No money was moved; ask another administrator.")
        if step == "approve" and not cash_desk.staff_role(cursor=cursor, book=book.pk, user=wish.author):
            raise CannotWish(
                "Who asked for this works here no more. No money was moved; refuse it, and let somebody ask again."
            )
        if step == "refuse" and person.role != Role.ADMIN and wish.author != person.pk:
            raise NotAllowed(
                "Who asked may take it back, and an administrator may refuse it. Nothing changed."
            )
        try:
            with transaction.atomic():
                money_wishes.add_step(
                    cursor=cursor,
                    wish=wish,
                    step=step,
                    author=person.pk,
                    words=words.strip()[:WORDS_MAX],
                    now_us=now_us,
                )
        except IntegrityError as error:
            raise CannotWish("Somebody answered this before. Nothing more was moved.") from error
        fact = _agreed(cursor, book, wish, person, now_us) if step == "approve" else None
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.money_answered",
            author=person.pk,
            now_us=now_us,
            wallet=wish.wallet,
            reason=step,
            evidence={"wish": wish.wish, "kind": wish.kind, "fact": fact},
        )
    return fact


def _agreed(cursor: Any, book: Book, wish: Wish, person: User, now_us: int) -> int:
    kind, key = wish.kind, money_wish_key(wish=wish.wish)
    payload: dict[str, Any] = {"wish": wish.wish}
    if wish.kind == "transfer":
        kind, key = "payment", payment_key(provider="transfer", event=wish.key)
        payload |= {"provider": "transfer"}
        if wish.wallet is not None:
            PaymentIntent.objects.create(
                book=book,
                wallet_id=wish.wallet,
                our_ref=wish.details["our_ref"],
                provider="transfer",
                amount_minor=wish.amount_minor,
                currency=book.currency,
                created_us=now_us,
                created_by=person,
            )
    fact, _ = facts.add(
        cursor=cursor,
        book=book.pk,
        kind=kind,
        natural_key=key,
        wallet=wish.wallet,
        payload=payload,
        raw=b"",
        now_us=now_us,
    )
    return fact


def _clerk(book_id: int, user_id: int) -> tuple[Book, User]:
    book = Book.objects.get(pk=book_id)
    return book, acting(user_id=user_id, book=book)


def _words(words: str, ticket: str) -> str:
    said = words.strip().replace("\x00", "")
    if not said or len(said) > WORDS_MAX or not _TICKET.fullmatch(ticket):
        raise CannotWish(
            "Say why, in at most %(most)d letters: another person must be able to judge it. Nothing was moved.",
            most=WORDS_MAX,
        )
    return said

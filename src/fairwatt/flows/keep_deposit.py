"""Deposits at the desk: credit is set aside, or one that is held from an earlier time is declared by two people.

They come back by themselves when the account ends (posting/settlement.py); before that, two people make one credit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

from fairwatt.core.ids import deposit_key
from fairwatt.core.units import is_amount, micro_from_minor
from fairwatt.flows.borrow import credit_desk
from fairwatt.flows.desk import DeskRefused, NotFound, acting
from fairwatt.flows.two_people import write_wish
from fairwatt.store import deposits, facts, money_wishes
from fairwatt.store.deposits import Held
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import AccountEnd, Book, Fact, LandlordAccount, Wallet
from fairwatt.store.money_wishes import FREED, NewWish

WORDS_MAX: Final = 400
_TICKET: Final = re.compile(r"[0-9a-f]{20,32}")


class DepositImpossible(DeskRefused):
    """The deposit cannot be kept so. No money was moved."""

    code = "deposit_impossible"


@dataclass(frozen=True, kw_only=True)
class DepositAsked:
    """What a person at the desk says: of which account, how much, why; `ticket` names the form."""

    wallet_id: int
    amount_minor: int
    words: str
    ticket: str


@transaction.atomic
def deposits_of(*, book: Book) -> list[Held]:
    """Every deposit of a book that is held, by home."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        return deposits.held_in(cursor=cursor, book=book.pk)


@transaction.atomic(durable=True)
def set_deposit_aside(*, book_id: int, asked: DepositAsked, user_id: int, now_us: int) -> int:
    """Ask the poster to hold credit of a home as a deposit; return the fact. The same form twice is one."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    words = _words(asked)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        key = deposit_key(ticket=asked.ticket)
        known = Fact.objects.filter(book=book.pk, kind="deposit", natural_key=key).first()
        if known is not None:
            return known.pk
        wallet = _living(book, asked.wallet_id)
        amount = micro_from_minor(amount_minor=asked.amount_minor, minor_digits=book.minor_digits)
        home = credit_desk(wallet=wallet, now_us=now_us)
        facts.see_book(cursor=cursor, book=book.pk)  # the home was looked at alone
        if not 0 < amount <= home.available_micro - home.owing.emergency_micro:
            raise DepositImpossible(
                "The home has less credit than that. Nothing was set aside; take the money first."
            )
        fact, _ = facts.add(
            cursor=cursor,
            book=book.pk,
            kind="deposit",
            natural_key=key,
            wallet=wallet.pk,
            payload={
                "wallet": wallet.pk,
                "amount_minor": asked.amount_minor,
                "author": person.pk,
                "words": words,
            },
            raw=b"",
            now_us=now_us,
        )
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.deposit_asked",
            author=person.pk,
            now_us=now_us,
            wallet=wallet.pk,
            evidence={"fact": fact, "amount_micro": amount, "words": words},
        )
    return fact


@transaction.atomic(durable=True)
def declare_deposit(*, book_id: int, asked: DepositAsked, user_id: int, now_us: int) -> int:
    """Ask a second person to agree that a deposit is held from an earlier time; return the wish."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    words = _words(asked)
    if not words:
        raise DepositImpossible("Say where the deposit comes from. Nothing was written down.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        key = f"deposit:{asked.ticket}"
        known = money_wishes.wish_by_key(cursor=cursor, book=book.pk, key=key)
        if known is not None:
            return known.wish
        wallet = _living(book, asked.wallet_id)
        sane = is_amount(amount_minor=asked.amount_minor, minor_digits=book.minor_digits)
        if asked.amount_minor == 0 or not sane:
            raise DepositImpossible(
                "A deposit is more than nothing, and no sum past all sums. Nothing was written down."
            )
        new = NewWish(
            book=book.pk,
            kind="deposit",
            key=key,
            amount_minor=asked.amount_minor,
            author=person.pk,
            wallet=wallet.pk,
            words=words,
        )
        return write_wish(cursor=cursor, new=new, now_us=now_us)


@transaction.atomic(durable=True)
def free_deposit(*, book_id: int, asked: DepositAsked, user_id: int, now_us: int) -> int:
    """Ask a second person to agree that a deposit, or a part of it, becomes credit again; return the wish."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    words = _words(asked)
    if not words:
        raise DepositImpossible("Say why it becomes credit again. Nothing was moved.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        key = f"deposit:{asked.ticket}"
        known = money_wishes.wish_by_key(cursor=cursor, book=book.pk, key=key)
        if known is not None:
            return known.wish
        wallet = _living(book, asked.wallet_id)
        held_micro = deposits.held_of(cursor=cursor, book=book.pk, wallet=wallet.pk)
        amount = micro_from_minor(amount_minor=asked.amount_minor, minor_digits=book.minor_digits)
        if not 0 < amount <= held_micro:
            raise DepositImpossible("No deposit of so much is held of this home. Nothing was moved.")
        new = NewWish(
            book=book.pk,
            kind="deposit",
            key=key,
            amount_minor=asked.amount_minor,
            author=person.pk,
            wallet=wallet.pk,
            words=words,
            details={"way": FREED},
        )
        return write_wish(cursor=cursor, new=new, now_us=now_us)


def _living(book: Book, wallet_id: int) -> Wallet:
    """The account of somebody who lives there; raises where there is none, or it ended, or it is the owner's."""
    wallet = Wallet.objects.filter(pk=wallet_id, book=book).first()
    if wallet is None:
        raise NotFound("There is no such account here. Nothing was moved; look for the home again.")
    ended = AccountEnd.objects.filter(book=book.pk, wallet=wallet.pk).exists()
    if ended or LandlordAccount.objects.filter(wallet=wallet).exists():
        raise DepositImpossible("Nobody lives there under this account. Nothing was moved.")
    return wallet


def _words(asked: DepositAsked) -> str:
    words = asked.words.strip().replace("\x00", "")
    if len(words) > WORDS_MAX or not _TICKET.fullmatch(asked.ticket):
        raise DepositImpossible("This form is too old or was changed. Nothing was done; open it again.")
    return words

"""Transfers on the bank's statement: entered or imported by one person, looked at first, credited when another agrees.

A row finds its home by the account number in its words. A row that finds none is money all the same: agreed to, it lies
in suspense until somebody claims it. The bank's own number of a row makes it the same row however often it is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.account_numbers import account_number, wallets_in
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import date_start, local_date
from fairwatt.flows.desk import acting
from fairwatt.flows.sheets import read_sheet
from fairwatt.flows.start_top_up import AMOUNT_MINOR_MAX
from fairwatt.flows.two_people import CannotWish, write_wish
from fairwatt.payments.amounts import minor_from_text
from fairwatt.store import facts, money_wishes
from fairwatt.store.models import Book, Wallet
from fairwatt.store.money_wishes import NewWish, Wish

COLUMNS: Final = ("date", "amount", "bank_ref", "text", "payer")
_NEEDED: Final = ("date", "amount", "bank_ref")
_WORD_MAX: Final = 140


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One row of a statement: what it says, whose home that is (0: nobody's by its words), or why it cannot be."""

    line: int
    day: str
    amount_minor: int
    bank_ref: str
    text: str
    payer: str
    booked_us: int = 0
    wallet: int = 0
    home: str = ""
    number: str = ""
    known: bool = False
    """the same row was entered before; it is not entered again"""
    error: Refusal | None = None


def read_statement(*, data: bytes, name: str) -> list[dict[str, str]]:
    """The rows of a CSV or Excel file. Raises Unreadable."""
    return read_sheet(data=data, name=name, columns=COLUMNS, needed=_NEEDED)


@transaction.atomic
def look_at(*, book: Book, rows: Sequence[dict[str, str]], now_us: int) -> list[Transfer]:
    """Every row with the home it is for or why it cannot be; nothing is written."""
    homes = dict(Wallet.objects.filter(book=book).values_list("pk", "unit__label"))
    looked: list[Transfer] = []
    seen: dict[str, int] = {}
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        for line, row in enumerate(rows, start=2):
            one = _read(book, homes, row, line, now_us)
            key = _key(one)
            if one.error is None and key in seen:
                error = CannotWish(
                    "Row %(line)d has the same bank number. Nothing was written; check it.", line=seen[key]
                )
                one = _wrong(one, error)
            seen.setdefault(key, line)
            if one.error is None:
                _, before = _standing(cursor, book, one)
                if before is not None and before.amount_minor != one.amount_minor:
                    error = CannotWish(
                        "This bank number was entered before, with another amount. Nothing was written; check it."
                    )
                    one = _wrong(one, error)
                elif before is not None:
                    one = replace(one, known=True)
            looked.append(one)
    return looked


@transaction.atomic(durable=True)
def enter_all(
    *, book_id: int, rows: Sequence[dict[str, str]], user_id: int, now_us: int, entropy: bytes
) -> list[int]:
    """Write every row down that was not before, for another person to agree to; return the wishes.

    Raises DeskRefused, also when a single row is wrong: then nothing is written.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if len(entropy) < 16:
        raise ValueError("a transfer's reference needs 16 random bytes")
    looked = look_at(book=book, rows=rows, now_us=now_us)
    wrong = next((row for row in looked if row.error is not None), None)
    if wrong is not None:
        raise CannotWish("Row %(line)d: %(why)s", line=wrong.line, why=wrong.error)
    made = []
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        for row in looked:
            key, _ = _standing(cursor, book, row)
            new = NewWish(
                book=book.pk,
                kind="transfer",
                key=key,
                amount_minor=row.amount_minor,
                author=person.pk,
                wallet=row.wallet or None,
                words=row.text,
                details={
                    "bank_ref": row.bank_ref,
                    "payer": row.payer,
                    "booked_us": row.booked_us,
                    "our_ref": sha256(entropy + key.encode()).hexdigest()[:32],
                },
            )
            made.append(write_wish(cursor=cursor, new=new, now_us=now_us))
    return made


def _read(book: Book, homes: dict[int, str], row: dict[str, str], line: int, now_us: int) -> Transfer:
    said = {name: row.get(name, "").replace("\x00", "")[:_WORD_MAX] for name in COLUMNS}
    one = Transfer(
        line=line,
        day=said["date"],
        amount_minor=0,
        bank_ref=said["bank_ref"],
        text=said["text"],
        payer=said["payer"],
    )
    try:
        day = date.fromisoformat(said["date"][:10])
    except ValueError:
        return _wrong(one, CannotWish("A day is written as 2026-11-30. Nothing was written."))
    if day > local_date(zone=book.zone, at_us=now_us):
        return _wrong(one, CannotWish("The day is still to come. Nothing was written; check its date."))
    try:
        amount = minor_from_text(said["amount"], digits=book.minor_digits)
    except ValueError:
        return _wrong(one, CannotWish("An amount is written as 120.50. Nothing was written."))
    if not 0 < amount <= AMOUNT_MINOR_MAX:
        return _wrong(one, CannotWish("Only money that came in is entered here. Nothing was written."))
    if not said["bank_ref"] or not said["bank_ref"].isprintable():
        return _wrong(one, CannotWish("The row has no number of the bank. Nothing was written; fill it in."))
    named = wallets_in(text=said["text"]) & homes.keys()
    wallet = next(iter(named)) if len(named) == 1 else 0
    return replace(
        one,
        # A day is written in more ways than one, and the same row by another is the same transfer.
        day=day.isoformat(),
        amount_minor=amount,
        booked_us=date_start(zone=book.zone, day=day),
        wallet=wallet,
        home=homes.get(wallet, ""),
        number=account_number(wallet=wallet) if wallet else "",
    )


def _key(row: Transfer) -> str:
    return f"transfer:{row.day}:{row.bank_ref}"


def _standing(cursor: Any, book: Book, row: Transfer) -> tuple[str, Wish | None]:
    """The key of a row, and the wish that stands for it; what was refused may be entered again."""
    key = _key(row)
    while True:
        before = money_wishes.wish_by_key(cursor=cursor, book=book.pk, key=key)
        if before is None or before.step != "refuse":
            return key, before
        key = f"{_key(row)}:after:{before.wish}"


def _wrong(row: Transfer, error: Refusal) -> Transfer:
    return replace(row, error=error)

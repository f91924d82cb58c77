"""What bookkeepers enter: closed months, suppliers' bills, bank statements, balances brought over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from fairwatt.core.ids import opening_key
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import date_start, local_date
from fairwatt.core.units import AMOUNT_MICRO_MAX
from fairwatt.store import facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import (
    Book,
    OpeningEntry,
    PeriodClose,
    Role,
    Site,
    SupplierBill,
    TrustStatement,
    User,
    Wallet,
)


class EntryRefused(Refusal):
    """What was entered cannot be right; nothing was written."""

    code = "entry_refused"


class CannotClose(EntryRefused):
    """The month cannot be closed as asked; it stays open and nothing changed."""

    code = "cannot_close"


@dataclass(frozen=True, kw_only=True)
class Bill:
    """A supplier's bill as it lies on the desk. Instants are local midnights, energy in Wh, money in micro-units."""

    supplier: str
    number: str
    start_us: int
    end_us: int
    energy_wh: int
    net_micro: int
    tax_micro: int
    site_id: int | None = None
    cap_micro_per_kwh: int | None = None
    cap_with_tax: bool = True
    cap_basis: str = ""
    replaces_id: int | None = None


@transaction.atomic(durable=True)
def close_month(
    *,
    book_id: int,
    month: str,
    first_batch: int,
    last_batch: int,
    as_of_batch: int,
    digest: str,
    user_id: int,
    now_us: int,
) -> PeriodClose:
    """Close a local month for ever, with the digest of its pack: later corrections are entries of an open month.

    The same month again with the same digest is the same row. Raises CannotClose.
    """
    book = _book_for(book_id=book_id, user_id=user_id, roles=(Role.ADMIN,))
    start = _first_of(month)
    start_us = date_start(zone=book.zone, day=start)
    end_us = date_start(zone=book.zone, day=(start.replace(day=28) + _FIVE_DAYS).replace(day=1))
    if now_us < end_us:
        raise CannotClose("The month is not over yet, so it stays open. Close it after its last day.")
    if len(digest) != 64:
        raise CannotClose(
            "The pack of the month has no digest, so the month stays open. Make the pack again."
        )
    known = PeriodClose.objects.filter(book=book, month=month).first()
    if known is not None:
        if known.digest == digest:
            return known
        raise CannotClose(
            "The month was closed before, with other figures. A closed month is never opened again."
        )
    _refuse_before_the_book(book, end_us)
    with _named(
        "The month does not follow the last closed one, so it stays open. Close the months in their order."
    ):
        closed = PeriodClose.objects.create(
            book=book,
            month=month,
            start_us=start_us,
            end_us=end_us,
            first_batch=first_batch,
            last_batch=last_batch,
            as_of_batch=as_of_batch,
            digest=digest,
            closed_us=now_us,
            closed_by_id=user_id,
        )
    _note(book, "desk.month_closed", user_id, now_us, month=month, digest=digest)
    return closed


@transaction.atomic(durable=True)
def enter_bill(*, book_id: int, bill: Bill, user_id: int, now_us: int) -> SupplierBill:
    """Write down a supplier's bill. A wrong one is entered again and names what it replaces. Raises EntryRefused."""
    book = _book_for(book_id=book_id, user_id=user_id, roles=(Role.ADMIN, Role.OPERATOR))
    if not bill.supplier.strip() or not bill.number.strip():
        raise EntryRefused("A bill needs its supplier and its number. Nothing was written; fill them in.")
    if bill.end_us <= bill.start_us:
        raise EntryRefused("The bill ends before it begins. Nothing was written; check its period.")
    _in_range(bill.net_micro, bill.tax_micro, bill.energy_wh * 1_000, bill.cap_micro_per_kwh or 0)
    if bill.energy_wh < 0:
        raise EntryRefused(
            "A bill has no energy below zero. Nothing was written; a credit note is money only."
        )
    if bill.site_id is not None and not Site.objects.filter(pk=bill.site_id, book=book).exists():
        raise EntryRefused("This book has no such building. Nothing was written; choose one of its own.")
    _replaceable(SupplierBill.objects.filter(book=book), bill.replaces_id)
    with _named(
        "This bill was entered before. Nothing was written; enter it as a replacement if it was wrong."
    ):
        entered = SupplierBill.objects.create(
            book=book,
            site_id=bill.site_id,
            supplier=bill.supplier.strip(),
            number=bill.number.strip(),
            start_us=bill.start_us,
            end_us=bill.end_us,
            energy_wh=bill.energy_wh,
            net_micro=bill.net_micro,
            tax_micro=bill.tax_micro,
            cap_micro_per_kwh=bill.cap_micro_per_kwh,
            cap_with_tax=bill.cap_with_tax,
            cap_basis=bill.cap_basis,
            replaces_id=bill.replaces_id,
            entered_us=now_us,
            entered_by_id=user_id,
        )
    _note(book, "desk.bill_entered", user_id, now_us, row=entered.pk, replaces=bill.replaces_id)
    return entered


@transaction.atomic(durable=True)
def enter_trust_statement(
    *,
    book_id: int,
    account: str,
    at_us: int,
    balance_micro: int,
    reference: str,
    user_id: int,
    now_us: int,
    replaces_id: int | None = None,
) -> TrustStatement:
    """Write down what the bank says the trust account held. Raises EntryRefused."""
    book = _book_for(book_id=book_id, user_id=user_id, roles=(Role.ADMIN, Role.OPERATOR))
    if not account.strip() or not reference.strip():
        raise EntryRefused("A statement needs its account and its number. Nothing was written; fill them in.")
    if at_us > now_us:
        raise EntryRefused("The statement is of a day to come. Nothing was written; check its date.")
    _in_range(balance_micro)
    _replaceable(TrustStatement.objects.filter(book=book), replaces_id)
    with _named(
        "A statement of this account and day was entered before. Nothing was written; enter a replacement."
    ):
        entered = TrustStatement.objects.create(
            book=book,
            account=account.strip(),
            at_us=at_us,
            balance_micro=balance_micro,
            reference=reference.strip(),
            replaces_id=replaces_id,
            entered_us=now_us,
            entered_by_id=user_id,
        )
    _note(book, "desk.trust_entered", user_id, now_us, row=entered.pk, replaces=replaces_id)
    return entered


@transaction.atomic(durable=True)
def bring_balance_over(*, wallet_id: int, amount_micro: int, reference: str, now_us: int) -> int:
    """Bring a balance over from an earlier system, as commissioning may; return the fact the poster will answer.

    The same balance again is the same fact; another one raises EntryRefused.
    """
    _in_range(amount_micro)
    if amount_micro == 0 or not reference.strip():
        raise EntryRefused("An opening balance needs an amount and where it comes from. Nothing was written.")
    wallet = Wallet.objects.get(pk=wallet_id)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=wallet.book_id)
        entry, fresh = OpeningEntry.objects.get_or_create(
            wallet=wallet,
            defaults={
                "book_id": wallet.book_id,
                "amount_micro": amount_micro,
                "reference": reference.strip(),
                "entered_us": now_us,
            },
        )
        if not fresh and entry.amount_micro != amount_micro:
            raise EntryRefused(
                "Another balance was brought over for this home. Nothing was written; correct by a ruling."
            )
        fact, _ = facts.add(
            cursor=cursor,
            book=wallet.book_id,
            kind="opening",
            natural_key=opening_key(wallet=wallet.pk),
            wallet=wallet.pk,
            payload={"row": entry.pk},
            raw=b"",
            now_us=now_us,
        )
    return fact


_FIVE_DAYS: Final = date(2000, 1, 6) - date(2000, 1, 1)


def _book_for(*, book_id: int, user_id: int, roles: tuple[Role, ...]) -> Book:
    """The book, seen by this transaction, if this person may write in it. Raises EntryRefused."""
    book = Book.objects.get(pk=book_id)
    user = User.objects.get(pk=user_id)
    if user.organisation_id != book.organisation_id or user.role not in roles or not user.is_active:
        raise EntryRefused(
            "You may not enter this. Nothing was written; ask an administrator of the organisation."
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
    return book


def _note(book: Book, kind: str, user_id: int, now_us: int, **evidence: Any) -> None:
    """Leave the deed where every deed is looked for, in the transaction that does it."""
    with connection.cursor() as cursor:
        note_deed(cursor=cursor, book=book.pk, kind=kind, author=user_id, now_us=now_us, evidence=evidence)


def _first_of(month: str) -> date:
    try:
        return date.fromisoformat(f"{month}-01")
    except ValueError as error:
        raise CannotClose(
            "This names no month. A month is written as 2026-11. Nothing was changed."
        ) from error


def _refuse_before_the_book(book: Book, end_us: int) -> None:
    """The first month that is closed is that of the first entry or the one before it: months close in order, so one
    of long ago would bar this year's for ever."""
    if PeriodClose.objects.filter(book=book).exists():
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(at_us) FROM batch WHERE book = %s", [book.pk])
        (began_us,) = cursor.fetchone()
    if began_us is None:
        return
    began = local_date(zone=book.zone, at_us=began_us).replace(day=1)
    if end_us < date_start(zone=book.zone, day=began):
        raise CannotClose(
            "The book has no entry that old, so the month stays open. Months close in order: "
            "begin with %(month)s, the first with an entry.",
            month=began.strftime("%Y-%m"),
        )


def _in_range(*amounts: int) -> None:
    if any(abs(amount) > AMOUNT_MICRO_MAX for amount in amounts):
        raise EntryRefused("An amount is too large to be right. Nothing was written; check the figures.")


def _replaceable(rows: QuerySet[Any], replaces_id: int | None) -> None:
    if replaces_id is not None and not rows.filter(pk=replaces_id).exists():
        raise EntryRefused(
            "What this should replace is not in the book. Nothing was written; look it up again."
        )


@contextmanager
def _named(words: str) -> Iterator[None]:
    """Let the database refuse, and say in words what that means."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise EntryRefused(words) from error

"""A month of a whole book at once: looked at first, asked for by a person, issued home by home in the background."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction

from fairwatt.core.invoices.documents import NotYet, Rate, Sums
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import date_start
from fairwatt.flows.desk import acting
from fairwatt.flows.invoicing.drafting import drafts
from fairwatt.flows.invoicing.issuing import CannotInvoice, documents_for, homes, issue, setup_for
from fairwatt.store import facts, invoice_runs, invoices
from fairwatt.store.intervals import note_deed
from fairwatt.store.invoice_runs import Run
from fairwatt.store.invoice_sources import Stretch, last_batch
from fairwatt.store.models import Book, Wallet


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A home of which nothing is issued, and why."""

    wallet: int
    home: str
    gross_micro: int
    why: Refusal


@dataclass(kw_only=True)
class Preview:
    """What a month would come to. Sums by rate are of all documents, credit notes taken off."""

    month: str
    until_batch: int
    end_us: int
    invoices: int = 0
    credit_notes: int = 0
    sums: dict[Rate, Sums] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def homes(self) -> int:
        """How many homes get a document."""
        return self.invoices + self.credit_notes

    @property
    def total(self) -> Sums:
        """All rates together."""
        whole = Sums()
        for one in self.sums.values():
            whole = whole.plus(one)
        return whole


def preview_month(*, book_id: int, month: str, now_us: int) -> Preview:
    """Work out what a month would come to; nothing is written. Raises CannotInvoice."""
    book = Book.objects.get(pk=book_id)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        return _preview(cursor, book, month, now_us)


@transaction.atomic(durable=True)
def ask_month(*, book_id: int, month: str, user_id: int, now_us: int) -> int:
    """Ask for a month's invoices; return the run. While it is at work it is the same one. Raises DeskRefused."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        found = _preview(cursor, book, month, now_us)
        if not found.homes:
            raise CannotInvoice(
                "No home has anything of this month that is not invoiced yet, so there is nothing to issue."
            )
        run = invoice_runs.add_run(
            cursor=cursor,
            book=book.pk,
            month=month,
            until_batch=found.until_batch,
            end_us=found.end_us,
            homes=found.homes,
            author=person.pk,
            now_us=now_us,
        )
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.invoices_asked",
            author=person.pk,
            now_us=now_us,
            evidence={"run": run, "month": month, "homes": found.homes},
        )
    return run


def work_runs(*, now_us: int, book_id: int | None = None) -> int:
    """Issue what months that were asked for still want; return how many homes. For the keeper; a crash
    loses nothing.
    """
    issued = 0
    books = Book.objects.order_by("pk") if book_id is None else Book.objects.filter(pk=book_id)
    for book in books:
        with transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=book.pk)
            waiting = invoice_runs.runs_of_book(cursor=cursor, book=book.pk, waiting=True)
        for run in reversed(waiting):
            issued += _work(book, run, now_us)
    return issued


def _work(book: Book, run: Run, now_us: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        setup = setup_for(cursor, book)
        found = drafts(cursor=cursor, setup=setup, stretch=Stretch(book.pk, run.until_batch))
        ready = homes(cursor, book, list(found.values())) if found else []
    issued = left_out = 0
    for home in ready:
        # Each home by itself: what is done stays done, and nobody waits for the whole month.
        try:
            with transaction.atomic(durable=True), connection.cursor() as cursor:
                facts.see_book(cursor=cursor, book=book.pk)
                invoices.lock_wallet(cursor=cursor, wallet=home.wallet.pk)
                issue(
                    cursor,
                    book,
                    setup,
                    home,
                    until=(run.until_batch, run.end_us),
                    title_id=None,
                    author=run.author,
                    run=run.run,
                    now_us=now_us,
                )
            issued += 1
        except Refusal:
            left_out += 1
        except IntegrityError:
            left_out += 1  # somebody asked for this home meanwhile: it has its document
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        invoice_runs.end_run(cursor=cursor, run=run, left_out=left_out, now_us=now_us)
    return issued


def _preview(cursor: Any, book: Book, month: str, now_us: int) -> Preview:
    first = month_start(month)
    end_us = date_start(zone=book.zone, day=(first + timedelta(days=32)).replace(day=1))
    if end_us > now_us:
        raise CannotInvoice("The month is not over yet. Its invoices are issued after its last day.")
    setup = setup_for(cursor, book)
    until = last_batch(cursor=cursor, book=book.pk, end_us=end_us)
    made = Preview(month=month, until_batch=until, end_us=end_us)
    found = drafts(cursor=cursor, setup=setup, stretch=Stretch(book.pk, until))
    labels = dict(Wallet.objects.filter(book=book).values_list("pk", "unit__label"))
    for home in homes(cursor, book, list(found.values())) if found else []:
        try:
            for document in documents_for(cursor, book, home):
                way = 1 if document.sort == "invoice" else -1
                for rate, one in document.sums.items():
                    made.sums[rate] = made.sums.get(rate, Sums()).plus(one, way)
            made.invoices += way > 0
            made.credit_notes += way < 0
        except Refusal as why:
            gross = home.draft.charge.gross_micro
            if gross or not isinstance(why, NotYet):
                made.left_out.append(
                    LeftOut(wallet=home.wallet.pk, home=labels[home.wallet.pk], gross_micro=gross, why=why)
                )
    made.sums = dict(
        sorted(made.sums.items(), key=lambda one: -1 if one[0] is None else one[0], reverse=True)
    )
    return made


def month_start(month: str) -> date:
    """The first day of a month written as 2026-11. Raises CannotInvoice."""
    try:
        return date.fromisoformat(f"{month}-01")
    except ValueError as error:
        raise CannotInvoice(
            "This names no month. A month is written as 2026-11. Nothing was issued."
        ) from error

"""Is all that was earned invoiced once, or waiting? Three sides that know nothing of each other are added up."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction

from fairwatt.flows.invoicing.drafting import waiting_micro
from fairwatt.flows.invoicing.issuing import setup_for
from fairwatt.store import facts
from fairwatt.store import invoice_sources as sources
from fairwatt.store.invoice_sources import Stretch
from fairwatt.store.models import Book


@dataclass(frozen=True, kw_only=True)
class Control:
    """Invoiced + waiting = earned, in micro-units, as of a batch. ``earned`` is the journal's word
    (or, where top-ups are
    invoiced, what was paid in less what went out), ``invoiced`` the documents', ``waiting`` the lines' behind them."""

    book: str
    currency: str
    minor_digits: int
    moment: str
    as_of_batch: int
    earned_micro: int
    earned_tax_micro: int
    invoiced_micro: int
    invoiced_tax_micro: int
    reopened_micro: int
    """taken back whole and not made out again"""
    waiting_micro: int
    landlord_micro: int
    """borne by the landlord, who invoices nobody"""
    invoices: int
    credit_notes: int
    on_paper_minor: int

    @property
    def difference_micro(self) -> int:
        """What does not add up: 0, or somebody has to look."""
        told = self.invoiced_micro + self.reopened_micro + self.waiting_micro + self.landlord_micro
        return self.earned_micro - told

    @property
    def covered_micro(self) -> int:
        """Invoiced, with what was taken back and waits to be made out again."""
        return self.invoiced_micro + self.reopened_micro

    @property
    def explained_micro(self) -> int:
        """The same, with what is not invoiced yet: the landlord bears the rest."""
        return self.covered_micro + self.waiting_micro

    @property
    def rounding_micro(self) -> int:
        """What documents are above or below the ledger because coins are whole."""
        return self.on_paper_minor * int(10 ** (6 - self.minor_digits)) - self.invoiced_micro


def control(*, book_id: int) -> Control:
    """Add it up as of the newest batch, on one snapshot. Raises CannotInvoice where nothing is set up."""
    book = Book.objects.get(pk=book_id)
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        facts.see_book(cursor=cursor, book=book.pk)
        setup = setup_for(cursor, book)
        batch = sources.last_batch(cursor=cursor, book=book.pk)
        done = sources.invoiced(cursor=cursor, book=book.pk, until_batch=batch)
        waits = waiting_micro(cursor=cursor, setup=setup, stretch=Stretch(book.pk, batch))
        if setup.moment == "top_up":
            earned, tax = sources.paid_in(cursor=cursor, book=book.pk, until_batch=batch), 0
            landlord = 0
        else:
            said = sources.earned(cursor=cursor, book=book.pk, until_batch=batch)
            earned, tax = said.net_micro + said.tax_micro, said.tax_micro
            landlord = sources.landlords(cursor=cursor, book=book.pk, until_batch=batch)
    return Control(
        book=book.slug,
        currency=book.currency,
        minor_digits=book.minor_digits,
        moment=setup.moment,
        as_of_batch=batch,
        earned_micro=earned,
        earned_tax_micro=tax,
        invoiced_micro=done.net_micro + done.tax_micro,
        invoiced_tax_micro=done.tax_micro,
        reopened_micro=done.open_micro,
        waiting_micro=waits,
        landlord_micro=landlord,
        invoices=done.documents,
        credit_notes=done.credit_notes,
        on_paper_minor=done.gross_minor,
    )

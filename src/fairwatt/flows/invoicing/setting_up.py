"""Commissioning says who sells, at which moment documents are due, and how they are numbered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db import IntegrityError, connection, transaction

from fairwatt.core.invoices.tax_numbers import tax_number
from fairwatt.flows.invoicing.issuing import CannotInvoice
from fairwatt.store import facts, invoices
from fairwatt.store.intervals import note_deed
from fairwatt.store.invoices import Setup
from fairwatt.store.models import Book

SELLER: Final = (
    "name",
    "tax_number",
    "street",
    "city",
    "postcode",
    "country",
    "registered",
    "bank",
    "contact",
)
"""What is known of a seller; `registered`: the register and number of the company, `contact`: telephone or e-mail."""


@transaction.atomic(durable=True)
def set_up_invoices(
    *,
    book_id: int,
    moment: str,
    series: str,
    seller: Mapping[str, str],
    author: str,
    now_us: int,
    language: str = "en",
    top_up_bp: int | None = None,
    untaxed: str = "Z",
    untaxed_words: str = "",
    due_days: int = 14,
) -> Setup:
    """Say how a book's documents are made, from the next one on. For the role that commissions.

    Raises CannotInvoice, or BadTaxNumber for a number that the seller cannot have.
    """
    book = Book.objects.get(pk=book_id)
    kept = {name: str(seller.get(name, "")).strip() for name in SELLER}
    kept["country"] = kept["country"].upper()
    missing = [name for name in ("name", "country", "street", "city") if not kept[name]]
    if missing or len(kept["country"]) != 2 or any(len(value) > 160 for value in kept.values()):
        raise CannotInvoice(
            "A seller has a name, a street, a city and a country of two letters, each of at most 160 letters. "
            "Nothing was set up."
        )
    checked = tax_number(text=kept["tax_number"], country=kept["country"])
    if checked.kind == "none":
        raise CannotInvoice("An invoice names its seller's tax number. Nothing was set up; give one.")
    kept |= {"tax_number": checked.number, "tax_kind": checked.kind}
    setup = Setup(
        0, book.pk, moment, series, language, kept, top_up_bp, untaxed, untaxed_words.strip(), due_days
    )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        try:
            with transaction.atomic():
                number = invoices.add_setup(cursor=cursor, setup=setup, author=author, now_us=now_us)
        except IntegrityError as error:
            raise CannotInvoice(
                "This cannot be set up: %(why)s. A series is capital letters, digits and dashes; what "
                "is exempt says why; "
                "a book that has invoices keeps its moment. Nothing was changed.",
                why=str(error).splitlines()[0][:120],
            ) from error
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.invoice_setup",
            author=None,
            now_us=now_us,
            evidence={"setup": number, "moment": moment, "series": series, "author_name": author},
        )
    return setup._replace(setup=number)

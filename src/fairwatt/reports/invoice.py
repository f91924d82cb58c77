"""An invoice on paper, with the same as data inside (EN 16931); the same document gives the same figures for ever."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import get_language, gettext, override

from fairwatt.core.invoices.documents import Rate, Sums
from fairwatt.core.spans import local_date
from fairwatt.core.units import format_money, micro_from_minor
from fairwatt.reports.invoice_data import invoice_xml, with_data
from fairwatt.reports.invoice_words import part_words, quantity_words, rate_words
from fairwatt.reports.typeset import set_sheet
from fairwatt.store import facts, invoices
from fairwatt.store.invoices import Invoice, Setup
from fairwatt.store.models import Book, Wallet

FORMS: Final = {"pdf": "application/pdf", "xml": "application/xml", "json": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Read:
    """A document with everything around it that is printed."""

    invoice: Invoice
    taxes: Mapping[Rate, Sums]
    setup: Setup
    book: Book
    place: str

    def money(self, minor: int) -> str:
        """An amount of the document as people read it."""
        digits = self.book.minor_digits
        micro = micro_from_minor(amount_minor=minor, minor_digits=digits)
        return format_money(micro=micro, currency=self.book.currency, places=digits)

    def day(self, at_us: int) -> str:
        """A date as it stands on documents: unmistakable everywhere."""
        return local_date(zone=self.book.zone, at_us=at_us).isoformat()


def read_invoice(*, book: Book, invoice_id: int, wallet: int | None = None) -> Read | None:
    """One document, of one home where a wallet is named; None where there is none."""
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        found = invoices.invoice_of(cursor=cursor, book=book.pk, invoice=invoice_id)
        if found is None or wallet not in (None, found.wallet):
            return None
        taxes = invoices.taxes_of(cursor=cursor, invoice=found.invoice)
        setup = invoices.setup_by_id(cursor=cursor, setup=found.setup)
    unit = Wallet.objects.select_related("unit__site").get(pk=found.wallet).unit
    return Read(invoice=found, taxes=taxes, setup=setup, book=book, place=f"{unit.site.name}, {unit.label}")


def as_file(*, read: Read, form: str) -> tuple[bytes, str]:
    """(content, file name) of a document as PDF with data inside, as the data alone, or as JSON."""
    if form not in FORMS:
        raise ValueError(f"an invoice is made as one of {', '.join(FORMS)}, not as {form!r}")
    name = f"{read.invoice.name}.{form}"
    if form == "json":
        return json.dumps(as_obj(read=read), ensure_ascii=False, indent=1).encode(), name
    # Data has one language for whoever reads it; paper that of the reader.
    with override("zh-hans" if read.setup.language == "zh" else "en"):
        xml = invoice_xml(
            invoice=read.invoice,
            taxes=read.taxes,
            setup=read.setup,
            zone=read.book.zone,
            currency=read.book.currency,
            minor_digits=read.book.minor_digits,
        )
    if form == "xml":
        return xml, name
    language = get_language() or "en"
    content = _content(read, language)
    pdf = set_sheet(sheet="invoice", content=content, at_us=read.invoice.issued_us, archived=True)
    title = str(content["title"])
    return with_data(pdf=pdf, xml=xml, language=language, title=title, author=read.setup.seller["name"]), name


def as_obj(*, read: Read) -> dict[str, Any]:
    """The document as plain data: amounts in whole coins and micro-units."""
    one = read.invoice
    return {
        "number": one.name,
        "sort": one.sort,
        "of": one.of_name or None,
        "currency": read.book.currency,
        "issued_us": one.issued_us,
        "start_us": one.start_us,
        "end_us": one.end_us,
        "home": read.place,
        "seller": read.setup.seller,
        "buyer": one.buyer,
        "parts": one.parts,
        "rates": [
            {
                "rate_bp": rate,
                "net_minor": sums.net_minor,
                "tax_minor": sums.tax_minor,
                "net_micro": sums.net_micro,
                "tax_micro": sums.tax_micro,
            }
            for rate, sums in read.taxes.items()
        ],
        "net_minor": one.net_minor,
        "tax_minor": one.tax_minor,
        "gross_minor": one.gross_minor,
        "paid_minor": one.paid_minor,
        "due_us": one.due_us,
        "reason": one.reason,
        "taken_back": one.cancelled,
    }


def title_of(*, invoice: Invoice, setup: Setup) -> str:
    """What a document is headed with. Where only the state's platform issues invoices, ours are not called so."""
    if invoice.sort != "invoice":
        words = gettext("Credit note %(number)s")
    elif setup.seller["country"] == "CN":
        words = gettext("Statement of charges %(number)s")
    else:
        words = gettext("Invoice %(number)s")
    return words % {"number": invoice.name}


def _content(read: Read, language: str) -> dict[str, Any]:
    one, money = read.invoice, read.money
    rates = [["", gettext("Net"), gettext("VAT")]] + [
        [rate_words(rate=rate, setup=read.setup), money(sums.net_minor), money(sums.tax_minor)]
        for rate, sums in read.taxes.items()
    ]
    issued = local_date(zone=read.book.zone, at_us=one.issued_us)
    return {
        "language": "zh" if language.startswith("zh") else "en",
        "day": [issued.year, issued.month, issued.day],
        "title": title_of(invoice=one, setup=read.setup),
        "seller": [read.setup.seller["name"]],
        "foot": _seller_lines(read.setup),
        "buyer_head": gettext("To"),
        "buyer": _buyer_lines(one.buyer),
        "facts": _facts(read),
        "mark": gettext("Taken back by a credit note; it stands no more.") if one.cancelled else "",
        "heads": [gettext("What"), gettext("Quantity"), gettext("VAT"), gettext("Net")],
        "lines": [
            [
                part_words(part),
                quantity_words(part),
                rate_words(rate=part.rate_bp, setup=read.setup),
                money(part.net_minor),
            ]
            for part in one.documents_parts()
        ],
        "rates": rates,
        "totals": _totals(read),
        "notes": _notes(read),
        "page": gettext("Page"),
    }


def _facts(read: Read) -> list[tuple[str, str]]:
    one = read.invoice
    rows = [
        (gettext("Number"), one.name),
        (gettext("Date"), read.day(one.issued_us)),
        (gettext("Period"), f"{read.day(one.start_us)} – {read.day(one.end_us - 1)}"),
        (gettext("Home or shop"), read.place),
    ]
    if one.of_issued_us is not None:
        rows.append((gettext("For invoice"), f"{one.of_name}, {read.day(one.of_issued_us)}"))
    if one.due_us is not None:
        rows.append((gettext("Due by"), read.day(one.due_us)))
    return rows


def _totals(read: Read) -> list[tuple[str, str, str]]:
    one, money = read.invoice, read.money
    rows = [
        (gettext("Net"), money(one.net_minor), ""),
        (gettext("VAT"), money(one.tax_minor), ""),
        (gettext("Total"), money(one.gross_minor), "1"),
    ]
    if one.sort == "credit_note":
        return [*rows, (gettext("Goes back to the account"), money(one.gross_minor), "")]
    rows.append((gettext("Paid from prepaid credit"), money(one.paid_minor), ""))
    rows.append((gettext("To be paid"), money(one.gross_minor - one.paid_minor), ""))
    return rows


def _notes(read: Read) -> list[str]:
    notes = []
    if None in read.taxes and read.setup.untaxed_words:
        notes.append(read.setup.untaxed_words)
    if read.setup.seller["country"] == "CN":
        notes.append(
            gettext("A statement of charges. It is not a tax invoice (fapiao) and cannot stand for one.")
        )
    notes.append(
        gettext(
            "The same document as data (EN 16931) lies inside this PDF. Amounts are rounded to whole coins."
        )
    )
    if read.invoice.reason:
        notes.insert(0, read.invoice.reason)
    return notes


def _seller_lines(setup: Setup) -> list[str]:
    seller = setup.seller
    place = " ".join(one for one in (seller["postcode"], seller["city"], seller["country"]) if one)
    number = gettext("Tax number %(number)s") % {"number": seller["tax_number"]}
    kept = (
        seller["name"],
        seller["street"],
        place,
        number,
        *(seller[n] for n in ("registered", "bank", "contact")),
    )
    return [line for line in kept if line]


def _buyer_lines(buyer: Mapping[str, str]) -> list[str]:
    place = " ".join(one for one in (buyer["postcode"], buyer["city"], buyer["country"]) if one)
    number = gettext("Tax number %(number)s") % {"number": buyer["tax_number"]} if buyer["tax_number"] else ""
    return [line for line in (buyer["name"], buyer["street"], place, number) if line]

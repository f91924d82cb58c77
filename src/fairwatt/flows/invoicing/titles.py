"""The title book of a home: whom its invoices are made out to. A wrong title is ended and entered anew."""

from __future__ import annotations

from django.db import connection, transaction

from fairwatt.core.cells import control_character
from fairwatt.core.invoices.tax_numbers import tax_number
from fairwatt.flows.invoicing.issuing import Asked, CannotInvoice, may_ask
from fairwatt.store import facts, invoices
from fairwatt.store.intervals import note_deed
from fairwatt.store.invoices import Title

TITLES_MAX = 20


@transaction.atomic(durable=True)
def add_title(
    *,
    book_id: int,
    wallet_id: int,
    name: str,
    number: str,
    country: str,
    street: str = "",
    city: str = "",
    postcode: str = "",
    user_id: int,
    now_us: int,
) -> int:
    """Add a title, its tax number checked; the same one again is the same. Raises DeskRefused or BadTaxNumber."""
    asked = Asked(book_id=book_id, wallet_id=wallet_id, user_id=user_id)
    book, person, wallet = may_ask(asked=asked, now_us=now_us)
    name, country = name.strip(), country.strip().upper()
    street, city, postcode = street.strip(), city.strip(), postcode.strip()
    if not 1 <= len(name) <= 120 or any(control_character(one) for one in (name, street, city, postcode)):
        raise CannotInvoice("A title has a name of at most 120 letters. Nothing was kept; type it again.")
    if len(country) != 2 or not (country.isascii() and country.isalpha()):
        raise CannotInvoice("A country is two letters, such as CN or DE. Nothing was kept; type it again.")
    if len(street) > 160 or len(city) > 80 or len(postcode) > 20:
        raise CannotInvoice("The address is too long for a document. Nothing was kept; make it shorter.")
    checked = tax_number(text=number, country=country)
    title = Title(0, wallet.pk, name, checked.kind, checked.number, street, city, postcode, country, now_us)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        known = invoices.titles_of(cursor=cursor, book=book.pk, wallet=wallet.pk)
        for one in known:
            if one.buyer() == title.buyer():
                return one.title
        if len(known) >= TITLES_MAX:
            raise CannotInvoice("This home has twenty titles. Nothing was kept; end one that is not used.")
        made = invoices.add_title(cursor=cursor, book=book.pk, title=title, author=person.pk)
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.buyer_title",
            author=person.pk,
            now_us=now_us,
            wallet=wallet.pk,
            evidence={"title": made, "name": name, "number": checked.number},
        )
    return made


@transaction.atomic(durable=True)
def end_title(*, book_id: int, wallet_id: int, title_id: int, user_id: int, now_us: int) -> None:
    """A title is offered no more; what was made out to it stays. Raises DeskRefused."""
    asked = Asked(book_id=book_id, wallet_id=wallet_id, user_id=user_id)
    book, person, wallet = may_ask(asked=asked, now_us=now_us)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        known = invoices.titles_of(cursor=cursor, book=book.pk, wallet=wallet.pk)
        for one in known:
            if one.title == title_id:
                invoices.end_title(cursor=cursor, book=book.pk, title=one, author=person.pk, now_us=now_us)
                note_deed(
                    cursor=cursor,
                    book=book.pk,
                    kind="desk.buyer_title_ended",
                    author=person.pk,
                    now_us=now_us,
                    wallet=wallet.pk,
                    evidence={"title": title_id, "name": one.name},
                )

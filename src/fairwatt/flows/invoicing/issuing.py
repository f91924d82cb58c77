"""Documents are issued for a home, by its resident or the desk, and taken back whole to be made out anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from fairwatt.core.invoices.documents import (
    Document,
    NotYet,
    Rate,
    Sums,
    documents_of,
    whole_credit,
)
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import date_start
from fairwatt.core.units import US_PER_DAY, micro_from_minor
from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound, acting
from fairwatt.flows.invoicing.drafting import Draft, drafts
from fairwatt.store import efapiao, facts, invoices
from fairwatt.store.intervals import note_deed
from fairwatt.store.invoice_sources import Stretch, last_batch
from fairwatt.store.invoices import Bill, Invoice, NewInvoice, Setup
from fairwatt.store.models import Book, Tenancy, User, Wallet


class CannotInvoice(DeskRefused):
    """No document can be made as asked; nothing was numbered, and nothing was charged."""

    code = "cannot_invoice"


@dataclass(frozen=True, kw_only=True)
class Home:
    """What is needed to issue for one home: its draft, what was issued before, and where its last bill ended."""

    wallet: Wallet
    draft: Draft
    so_far: Mapping[Rate, Sums]
    after_batch: int
    start_us: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A document asked for: whose, until when (everything so far, where no day is named), made out to whom."""

    book_id: int
    wallet_id: int
    user_id: int
    until: date | None = None
    """first day that is not in it"""
    title_id: int | None = None


@transaction.atomic(durable=True)
def issue_for_home(*, asked: Asked, now_us: int) -> list[int]:
    """Issue what waits of a home; return the documents. Raises DeskRefused, NotYet or VatUnclear."""
    book, person, wallet = may_ask(asked=asked, now_us=now_us)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        setup = setup_for(cursor, book)
        invoices.lock_wallet(cursor=cursor, wallet=wallet.pk)
        end_us = end_of(book=book, until=asked.until, now_us=now_us)
        stretch = Stretch(book.pk, last_batch(cursor=cursor, book=book.pk, end_us=end_us), wallet.pk)
        found = drafts(cursor=cursor, setup=setup, stretch=stretch).get(wallet.pk)
        if found is None:
            raise CannotInvoice(
                "Nothing was charged in this period that is not invoiced yet. Look at the invoices that are there."
            )
        (home,) = homes(cursor, book, [found])
        made = issue(
            cursor,
            book,
            setup,
            home,
            until=(stretch.until_batch, end_us or now_us),
            title_id=asked.title_id,
            author=person.pk,
            run=None,
            now_us=now_us,
        )
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.invoice_issued",
            author=person.pk,
            now_us=now_us,
            wallet=wallet.pk,
            evidence={"invoices": made},
        )
    return made


@transaction.atomic(durable=True)
def take_back(
    *,
    book_id: int,
    invoice_id: int,
    reason: str,
    again: bool,
    title_id: int | None,
    user_id: int,
    now_us: int,
) -> list[int]:
    """Take an invoice back by a credit note over all of it; `again`: make it out anew to a title. Raises DeskRefused.

    Return the credit note, and the new invoice.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if not reason.strip() or len(reason) > 300:
        raise CannotInvoice("Write why, in at most 300 letters. Nothing was taken back.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        old = invoices.invoice_of(cursor=cursor, book=book.pk, invoice=invoice_id)
        if old is None:
            raise NotFound("There is no such invoice in this book. Nothing was changed; look at the list.")
        invoices.lock_wallet(cursor=cursor, wallet=old.wallet)
        old = invoices.invoice_of(cursor=cursor, book=book.pk, invoice=invoice_id)
        assert old is not None, "it was there a moment ago, and nothing goes"
        _takable(old)
        _without_efapiao(cursor, old)
        setup = setup_for(cursor, book)
        sums = invoices.taxes_of(cursor=cursor, invoice=old.invoice)
        note = whole_credit(invoice=old.invoice, parts=old.documents_parts(), sums=sums)
        new = NewInvoice(
            setup=setup,
            wallet=old.wallet,
            bill=old.bill,
            title=old.title,
            buyer=old.buyer,
            paid_minor=note.total.gross_minor,
            due_us=None,
            reason=reason.strip(),
            author=person.pk,
        )
        made = [invoices.add_invoice(cursor=cursor, document=note, new=new, now_us=now_us)]
        if again:
            made.append(_again(cursor, book, setup, old, sums, title_id, person, now_us))
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.invoice_taken_back",
            author=person.pk,
            now_us=now_us,
            wallet=old.wallet,
            evidence={"invoice": old.invoice, "made": made, "words": reason.strip()},
        )
    return made


def may_ask(*, asked: Asked, now_us: int) -> tuple[Book, User, Wallet]:
    """Who asks for which home: somebody of the desk, or who lives there. Raises DeskRefused."""
    wallet = Wallet.objects.select_related("book", "unit__site").filter(pk=asked.wallet_id).first()
    if wallet is None or wallet.book_id != asked.book_id:
        raise NotFound("That home is not in this book. Nothing was changed; choose one of the list.")
    user = User.objects.filter(pk=asked.user_id, is_active=True).first()
    if user is not None and Tenancy.objects.filter(wallet=wallet, user=user, start_us__lte=now_us).exists():
        return wallet.book, user, wallet
    return wallet.book, acting(user_id=asked.user_id, book=wallet.book), wallet


def setup_for(cursor: Any, book: Book) -> Setup:
    """How documents of a book are made. Raises CannotInvoice where nobody said so."""
    setup = invoices.setup_of(cursor=cursor, book=book.pk)
    if setup is None:
        raise CannotInvoice(
            "Nobody said yet who sells here and when invoices are due, so none can be made. Whoever runs the "
            "installation says it with `fairwatt invoices setup`."
        )
    return setup


def end_of(*, book: Book, until: date | None, now_us: int) -> int | None:
    """The end of what is asked for; None: everything so far. Raises CannotInvoice for an end that is to come."""
    if until is None:
        return None
    end_us = date_start(zone=book.zone, day=until)
    if end_us > now_us:
        raise CannotInvoice("That period is not over yet. Ask when it is, or for everything so far.")
    return end_us


def homes(cursor: Any, book: Book, found: Sequence[Draft]) -> list[Home]:
    """Drafts with what was issued before them."""
    only = found[0].wallet if len(found) == 1 else None
    so_far = invoices.sums_so_far(cursor=cursor, book=book.pk, wallet=only)
    last = invoices.last_bills(cursor=cursor, book=book.pk)
    wallets = {
        one.pk: one
        for one in Wallet.objects.select_related("unit__site").filter(
            pk__in=[draft.wallet for draft in found]
        )
    }
    made = []
    for draft in found:
        wallet = wallets[draft.wallet]
        after, start_us = last.get(draft.wallet, (0, wallet.opened_us))
        made.append(
            Home(
                wallet=wallet,
                draft=draft,
                so_far=so_far.get(draft.wallet, {}),
                after_batch=after,
                start_us=start_us,
            )
        )
    return made


def documents_for(cursor: Any, book: Book, home: Home) -> tuple[Document, ...]:
    """What a home's draft comes to. Raises NotYet or VatUnclear."""
    if home.draft.refused is not None:
        raise home.draft.refused
    charge = home.draft.charge
    known = (
        invoices.originals(cursor=cursor, book=book.pk, wallet=home.wallet.pk)
        if charge.gross_micro < 0
        else ()
    )
    unit = micro_from_minor(amount_minor=1, minor_digits=book.minor_digits)
    return documents_of(charge=charge, so_far=home.so_far, originals=known, minor_micro=unit)


def issue(
    cursor: Any,
    book: Book,
    setup: Setup,
    home: Home,
    *,
    until: tuple[int, int],
    title_id: int | None,
    author: int | None,
    run: int | None,
    now_us: int,
) -> list[int]:
    """Write the bill and its documents; return them. Raises NotYet or VatUnclear, and then nothing is written."""
    made = documents_for(cursor, book, home)
    charge = home.draft.charge
    until_batch, end_us = until
    bill = Bill(
        0, home.wallet.pk, home.after_batch, until_batch, home.start_us, max(end_us, home.start_us + 1)
    )
    number = invoices.add_bill(
        cursor=cursor,
        book=book.pk,
        bill=bill,
        net_micro=sum(part.net_micro for part in charge.parts),
        tax_micro=sum(charge.tax_micro.values()),
        run=run,
        now_us=now_us,
    )
    title, buyer = buyer_of(cursor, book, setup, home.wallet, title_id)
    out = []
    for document in made:
        unpaid = _unpaid(book, home.draft, document) if setup.moment == "consumption" else 0
        new = NewInvoice(
            setup=setup,
            wallet=home.wallet.pk,
            bill=number,
            title=title,
            buyer=buyer,
            paid_minor=document.total.gross_minor - unpaid,
            due_us=now_us + setup.due_days * US_PER_DAY if unpaid else None,
            author=author,
        )
        out.append(invoices.add_invoice(cursor=cursor, document=document, new=new, now_us=now_us))
    return out


def buyer_of(
    cursor: Any, book: Book, setup: Setup, wallet: Wallet, title_id: int | None
) -> tuple[int | None, dict[str, str]]:
    """Whom a document is made out to: a title, the newest one where none is named, or who lives there.
    Raises NotFound.
    """
    known = invoices.titles_of(cursor=cursor, book=book.pk, wallet=wallet.pk)
    if title_id is not None:
        known = [one for one in known if one.title == title_id]
        if not known:
            raise NotFound(
                "That title is not in the book of this home. Nothing was made; choose one of the list."
            )
    if known:
        return known[0].title, known[0].buyer()
    # An owner who lives there, or did last: who only joined the household buys nothing.
    owners = Tenancy.objects.filter(wallet=wallet, role=Tenancy.Part.OWNER)
    newest = (F("end_us").desc(nulls_first=True), "-start_us")
    living = owners.order_by(*newest).select_related("user").first()
    name = living.user.get_full_name().strip() if living is not None else ""
    place = f"{wallet.unit.site.name}, {wallet.unit.label}"
    return None, {
        "name": name or place,
        "tax_kind": "none",
        "tax_number": "",
        "street": place if name else "",
        "city": setup.seller.get("city", ""),
        "postcode": "",
        "country": setup.seller["country"],
    }


def _unpaid(book: Book, draft: Draft, document: Document) -> int:
    """What of an invoice the home still owes, in coins: credit pays as it is used, so mostly nothing."""
    if document.sort != "invoice":
        return 0
    owed = max(0, -draft.balance_micro) + max(0, draft.arrears_micro)
    unit = micro_from_minor(amount_minor=1, minor_digits=book.minor_digits)
    return min(document.total.gross_minor, -(-owed // unit))


def _takable(old: Invoice) -> None:
    if old.sort != "invoice":
        raise CannotInvoice("A credit note is not taken back. Nothing was changed; issue a new invoice.")
    if old.cancelled:
        raise CannotInvoice("This invoice was taken back already. Nothing was changed.")
    if old.credited_minor:
        raise CannotInvoice(
            "A part of this invoice was taken back by a credit note that names it, so it can no longer be replaced. "
            "Nothing was changed."
        )


def _without_efapiao(cursor: Any, old: Invoice) -> None:
    """What the state's platform has issued, or may issue yet, is taken back there first."""
    known = efapiao.requests_of_invoice(cursor=cursor, invoice=old.invoice)
    red = {one.of for one in known if one.sort == "red" and one.state == "issued"}
    if any(one.sort == "blue" and one.state != "refused" and one.efapiao not in red for one in known):
        raise CannotInvoice(
            "An e-fapiao of this invoice is asked for or issued. Nothing was taken back; take that one back first, and "
            "wait until it is red."
        )


def _again(
    cursor: Any,
    book: Book,
    setup: Setup,
    old: Invoice,
    sums: Mapping[Rate, Sums],
    title_id: int | None,
    person: User,
    now_us: int,
) -> int:
    wallet = Wallet.objects.select_related("unit__site").get(pk=old.wallet)
    title, buyer = buyer_of(cursor, book, setup, wallet, title_id)
    new = NewInvoice(
        setup=setup,
        wallet=old.wallet,
        bill=old.bill,
        title=title,
        buyer=buyer,
        paid_minor=old.paid_minor,
        due_us=old.due_us,
        author=person.pk,
    )
    document = Document(sort="invoice", parts=old.documents_parts(), sums=sums)
    return invoices.add_invoice(cursor=cursor, document=document, new=new, now_us=now_us)


REFUSALS = (NotYet, Refusal, NotAllowed)
"""What may keep a home from being invoiced; the rest is an error."""

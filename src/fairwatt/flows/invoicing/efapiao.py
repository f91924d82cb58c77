"""An e-fapiao of one of our documents: asked for by people, issued by the state's platform alone.

A flow writes the request; the collector asks the platform until it is issued or refused (flows/collecting does the same
for payments). A document whose e-fapiao stands is not taken back before that one is red.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.invoices.documents import Part
from fairwatt.core.units import US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND
from fairwatt.flows.desk import NotFound, acting
from fairwatt.flows.invoicing.issuing import Asked, CannotInvoice, may_ask
from fairwatt.payments.efapiao import Said
from fairwatt.store import efapiao as store
from fairwatt.store import facts, invoices
from fairwatt.store.efapiao import Efapiao, Platform
from fairwatt.store.intervals import note_deed
from fairwatt.store.invoices import Invoice, Setup
from fairwatt.store.models import Book

IN_HAND_US: Final = US_PER_MINUTE
FIRST_US: Final = 2 * US_PER_SECOND
LONGEST_US: Final = US_PER_HOUR
_OPEN: Final = ("asked", "pending")


@transaction.atomic(durable=True)
def ask_efapiao(*, book_id: int, invoice_id: int, user_id: int, now_us: int) -> int:
    """Ask for the e-fapiao of an invoice, by its resident or the desk; asked again it is the same. Raises
    DeskRefused."""
    book = Book.objects.get(pk=book_id)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        found = invoices.invoice_of(cursor=cursor, book=book.pk, invoice=invoice_id)
        if found is None:
            raise NotFound("There is no such invoice in this book. Nothing was changed; look at the list.")
        asked = Asked(book_id=book_id, wallet_id=found.wallet, user_id=user_id)
        _, person, _ = may_ask(asked=asked, now_us=now_us)
        platform = _platform(cursor, book)
        invoices.lock_wallet(cursor=cursor, wallet=found.wallet)
        known = store.requests_of_invoice(cursor=cursor, invoice=found.invoice)
        blue = standing(known)
        if blue is not None:
            return blue.efapiao
        if found.sort != "invoice" or found.cancelled or found.credited_minor:
            raise CannotInvoice(
                "An e-fapiao is asked for an invoice that stands whole. Nothing was asked; take the newest invoice."
            )
        setup = invoices.setup_by_id(cursor=cursor, setup=found.setup)
        attempt = 1 + sum(one.sort == "blue" for one in known)
        made = store.add_request(
            cursor=cursor,
            book=book.pk,
            wallet=found.wallet,
            invoice=found.invoice,
            sort="blue",
            attempt=attempt,
            of=None,
            platform=platform.platform,
            serial=f"{platform.taxpayer}-{found.name}-{attempt}",
            body=_body(cursor, book, found, setup),
            author=person.pk,
            now_us=now_us,
        )
        _note(cursor, "desk.efapiao_asked", book, found, person.pk, now_us, {"efapiao": made})
    return made


@transaction.atomic(durable=True)
def ask_red(*, book_id: int, invoice_id: int, reason: str, user_id: int, now_us: int) -> int:
    """Ask to take an issued e-fapiao back (a red letter, once the other side confirms). Raises DeskRefused."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if not 1 <= len(reason.strip()) <= 200:
        raise CannotInvoice("Write why, in at most 200 letters. Nothing was asked.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        found = invoices.invoice_of(cursor=cursor, book=book.pk, invoice=invoice_id)
        if found is None:
            raise NotFound("There is no such invoice in this book. Nothing was changed; look at the list.")
        invoices.lock_wallet(cursor=cursor, wallet=found.wallet)
        known = store.requests_of_invoice(cursor=cursor, invoice=found.invoice)
        blue = standing(known)
        if blue is None or blue.state != "issued":
            raise CannotInvoice("No e-fapiao of this invoice is issued, so there is none to take back.")
        reds = [one for one in known if one.sort == "red" and one.of == blue.efapiao]
        if reds and reds[-1].state in _OPEN:
            return reds[-1].efapiao
        attempt = 1 + sum(one.sort == "red" for one in known)
        made = store.add_request(
            cursor=cursor,
            book=book.pk,
            wallet=found.wallet,
            invoice=found.invoice,
            sort="red",
            attempt=attempt,
            of=blue.efapiao,
            platform=blue.platform,
            serial=f"{blue.serial}-R{attempt}",
            body={"of_number": blue.number, "reason": reason.strip()},
            author=person.pk,
            now_us=now_us,
        )
        _note(
            cursor,
            "desk.efapiao_red_asked",
            book,
            found,
            person.pk,
            now_us,
            {"efapiao": made, "words": reason},
        )
    return made


def standing(known: list[Efapiao]) -> Efapiao | None:
    """The request of a document that counts: not refused, and not red."""
    red = {one.of for one in known if one.sort == "red" and one.state == "issued"}
    live = [one for one in known if one.sort == "blue" and one.state != "refused" and one.efapiao not in red]
    return live[-1] if live else None


@transaction.atomic(durable=True)
def take(*, efapiao: int, now_us: int) -> tuple[Efapiao, Platform] | None:
    """Take a request that is due in hand; None where somebody else has it. For the collector."""
    with connection.cursor() as cursor:
        if not store.take(cursor=cursor, efapiao=efapiao, now_us=now_us, until_us=now_us + IN_HAND_US):
            return None
        one = store.request_of(cursor=cursor, efapiao=efapiao)
        assert one is not None, "what is asked about was written"
        return one, store.platform_by_id(cursor=cursor, platform=one.platform)


def due(*, now_us: int, limit: int = 100) -> list[int]:
    """Requests to ask about now. For the collector."""
    with connection.cursor() as cursor:
        return store.due(cursor=cursor, now_us=now_us, limit=limit)


@transaction.atomic(durable=True)
def note_said(*, one: Efapiao, said: Said, now_us: int) -> None:
    """Write down what the platform said, and when it is asked again: later each time, never after the end."""
    with connection.cursor() as cursor:
        store.add_step(
            cursor=cursor,
            one=one,
            state=said.state,
            number=said.number,
            links=said.links,
            code=said.code,
            words=said.words,
            now_us=now_us,
        )
        again_us = next_ask_us(asks=one.asks, now_us=now_us) if said.state == "pending" else None
        store.ask_again(cursor=cursor, efapiao=one.efapiao, ask_us=again_us, trouble="")


@transaction.atomic(durable=True)
def note_trouble(*, one: Efapiao, code: str, now_us: int) -> None:
    """Nothing certain came back: asked again later under the same serial, so nothing is issued twice."""
    with connection.cursor() as cursor:
        store.ask_again(
            cursor=cursor,
            efapiao=one.efapiao,
            ask_us=next_ask_us(asks=one.asks, now_us=now_us),
            trouble=code[:60],
        )


def next_ask_us(*, asks: int, now_us: int) -> int:
    """Two seconds after the first question, twice as long after each, an hour at most."""
    return now_us + min(LONGEST_US, FIRST_US << min(max(0, asks - 1), 20))


def set_platform(
    *, book_id: int, origin: str, taxpayer: str, platform_key: bytes, author: str, now_us: int
) -> int:
    """Say where a book's e-fapiao are issued. For the role that commissions. Raises CannotInvoice."""
    loopback = origin.startswith(("http://127.0.0.1:", "http://localhost:"))
    if (
        not (origin.startswith("https://") or loopback)
        or len(platform_key) != 32
        or not 15 <= len(taxpayer) <= 20
    ):
        raise CannotInvoice(
            "A platform has an https address without a path, a tax number of 15 to 20 characters, and an Ed25519 key. "
            "Nothing was set up."
        )
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        made = store.add_platform(
            cursor=cursor,
            book=book_id,
            origin=origin.rstrip("/"),
            taxpayer=taxpayer,
            platform_key=platform_key,
            author=author,
            now_us=now_us,
        )
        note_deed(
            cursor=cursor,
            book=book_id,
            kind="desk.efapiao_platform",
            author=None,
            now_us=now_us,
            evidence={"platform": made, "origin": origin},
        )
    return made


def _platform(cursor: Any, book: Book) -> Platform:
    found = store.platform_of(cursor=cursor, book=book.pk)
    if found is None:
        raise CannotInvoice(
            "No platform for e-fapiao is set up here. Nothing was asked; whoever runs the installation sets it up with "
            "`fairwatt efapiao setup`."
        )
    return found


def _body(cursor: Any, book: Book, found: Invoice, setup: Setup) -> dict[str, Any]:
    """What the platform is told: seller, buyer, lines and sums in whole coins, never a float."""
    taxes = invoices.taxes_of(cursor=cursor, invoice=found.invoice)
    return {
        "document": found.name,
        "currency": book.currency,
        "minor_digits": book.minor_digits,
        "seller": {"name": setup.seller["name"], "tax_number": setup.seller["tax_number"]},
        "buyer": {"name": found.buyer["name"], "tax_number": found.buyer["tax_number"]},
        "lines": [_line(part) for part in found.documents_parts()],
        "taxes": [
            {"rate_bp": rate, "net_minor": one.net_minor, "tax_minor": one.tax_minor}
            for rate, one in taxes.items()
        ],
        "net_minor": found.net_minor,
        "tax_minor": found.tax_minor,
    }


def _line(part: Part) -> dict[str, Any]:
    return {
        "what": part.what,
        "name": part.name,
        "rate_bp": part.rate_bp,
        "net_minor": part.net_minor,
        "quantity": part.quantity,
        "unit": part.unit,
    }


def _note(
    cursor: Any, kind: str, book: Book, found: Invoice, author: int, now_us: int, evidence: dict[str, Any]
) -> None:
    note_deed(
        cursor=cursor,
        book=book.pk,
        kind=kind,
        author=author,
        now_us=now_us,
        wallet=found.wallet,
        evidence={"invoice": found.invoice, **evidence},
    )

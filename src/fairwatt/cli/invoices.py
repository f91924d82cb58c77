"""`fairwatt invoices`: who sells, documents by their numbers, a month at once, and whether everything adds up."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.store.models import Book as BookRow

app = typer.Typer(no_args_is_help=True, help=__doc__)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Month = Annotated[str, typer.Option(help="The month, such as 2026-11.")]
By = Annotated[str, typer.Option(help="Name under which somebody of the desk signs in.")]


@app.command("setup")
def setup(
    book: Book,
    series: Annotated[str, typer.Option(help="What stands before the number, such as MAPLE.")],
    name: Annotated[str, typer.Option(help="Who sells.")],
    tax_number: Annotated[str, typer.Option(help="The seller's tax number; it is checked.")],
    street: Annotated[str, typer.Option(help="Street and house.")],
    city: Annotated[str, typer.Option(help="City.")],
    country: Annotated[str, typer.Option(help="Country, two letters.")],
    postcode: Annotated[str, typer.Option(help="Postal code.")] = "",
    registered: Annotated[str, typer.Option(help="Register and number of the company.")] = "",
    bank: Annotated[str, typer.Option(help="Bank and account, as printed.")] = "",
    contact: Annotated[str, typer.Option(help="Telephone or e-mail, as printed.")] = "",
    moment: Annotated[str, typer.Option(help="consumption, or top_up.")] = "consumption",
    language: Annotated[str, typer.Option(help="Language of the data: en or zh.")] = "en",
    top_up_percent: Annotated[str, typer.Option(help="VAT within a top-up; empty: none is due yet.")] = "",
    untaxed: Annotated[
        str, typer.Option(help="What carries no VAT: Z zero rate, E exempt, O outside.")
    ] = "Z",
    untaxed_words: Annotated[str, typer.Option(help="Why, as printed.")] = "",
    due_days: Annotated[int, typer.Option(help="Days to pay what credit did not.", min=0, max=365)] = 14,
) -> None:
    """Say who sells in a book, and when documents are due. Documents that are there keep what they said.

    Example: fairwatt invoices setup --book 1 --series MAPLE --name "Maple Living" --tax-number DE136695976
    --street "Lindenallee 5" --city Berlin --country DE

    Exit code 0: set. 1: it cannot be so. 2: an option cannot be used.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="migrate")
    from django.conf import settings

    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.invoicing.setting_up import set_up_invoices

    found = _book(book)
    seller = {
        "name": name,
        "tax_number": tax_number,
        "street": street,
        "city": city,
        "country": country,
        "postcode": postcode,
        "registered": registered,
        "bank": bank,
        "contact": contact,
    }
    try:
        made = set_up_invoices(
            book_id=found.pk,
            moment=moment,
            series=series,
            seller=seller,
            author=getpass.getuser(),
            now_us=settings.FAIRWATT_CLOCK.now_us(),
            language=language,
            top_up_bp=_percent(top_up_percent),
            untaxed=untaxed,
            untaxed_words=untaxed_words,
            due_days=due_days,
        )
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    typer.echo(f"Book {book}: documents of series {made.series}, made of {moment}, by {name}.")


@app.command("check")
def check(book: Book, as_json: AsJson = False) -> None:
    """Hold the documents against the journal: invoiced + waiting = earned, to the micro-unit.

    Example: fairwatt invoices check --book 1 --json

    Exit code 0: it adds up. 1: it does not, or nothing is set up. 2: an option cannot be used.
    """
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.invoicing.control import control

    _web()
    try:
        found = control(book_id=_book(book).pk)
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    said = {
        **{name: getattr(found, name) for name in type(found).__dataclass_fields__},
        "rounding_micro": found.rounding_micro,
        "difference_micro": found.difference_micro,
    }
    if as_json:
        typer.echo(json.dumps(said))
    else:
        word = "earned" if found.moment == "consumption" else "paid in, less paid back"
        typer.echo(f"As of batch {found.as_of_batch}, in micro-units of {found.currency}:")
        for name, micro in (
            (
                f"invoiced ({found.invoices} invoices, {found.credit_notes} credit notes)",
                found.invoiced_micro,
            ),
            ("taken back and not made out again", found.reopened_micro),
            ("not invoiced yet", found.waiting_micro),
            ("borne by the landlord", found.landlord_micro),
            (word, found.earned_micro),
            ("difference", found.difference_micro),
        ):
            typer.echo(f"  {name:<46} {micro:>22,}")
    raise typer.Exit(1 if found.difference_micro else 0)


@app.command("list")
def list_(book: Book, as_json: AsJson = False, most: Annotated[int, typer.Option(min=1)] = 60) -> None:
    """List the newest documents of a book.

    Example: fairwatt invoices list --book 1 --json

    Exit code 0: listed. 1: there is no such book. 2: an option cannot be used.
    """
    from fairwatt.store import invoices

    with _reading(book) as (found, cursor):
        rows = invoices.invoices_of_book(cursor=cursor, book=found.pk, most=most)
        homes = _homes(found)
    from fairwatt.reports.invoice_data import coins

    said = [
        {
            "invoice": one.invoice,
            "number": one.name,
            "sort": one.sort,
            "of": one.of_name or None,
            "home": homes.get(one.wallet, ""),
            "buyer": one.buyer["name"],
            "total": coins(one.gross_minor, found.minor_digits),
            "due": coins(one.gross_minor - one.paid_minor, found.minor_digits),
            "currency": found.currency,
            "issued_us": one.issued_us,
            "taken_back": one.cancelled,
        }
        for one in rows
    ]
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False))
        return
    for row in said:
        typer.echo(
            f"{row['number']:<18} {row['sort']:<12} {row['home']:<10} {row['total']:>12} "
            f"{row['currency']}  {row['buyer']}"
        )
    if not said:
        typer.echo("No invoices.")


@app.command("show")
def show(
    number: Annotated[str, typer.Argument(help="What is printed on it, such as MAPLE-000017.")],
    book: Book,
    form: Annotated[str, typer.Option(help="json, xml (EN 16931) or pdf.")] = "json",
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
) -> None:
    """One document: as JSON, as EN 16931 data, or as PDF with the data inside.

    Example: fairwatt invoices show MAPLE-000017 --book 1 --form pdf --out invoice.pdf

    Exit code 0: shown. 1: there is no such document. 2: an option cannot be used.
    """
    from fairwatt.store import invoices

    series, _, digits = number.strip().rpartition("-")
    if not series or not (digits.isascii() and digits.isdecimal() and len(digits) < 18):
        raise BadInput(f"{number[:40]!r} is no number like MAPLE-000017.")
    if form not in ("json", "xml", "pdf"):
        raise BadInput("A document is shown as json, xml or pdf.")
    if form == "pdf" and out is None:
        raise BadInput("A PDF goes to a file; name it with --out.")
    with _reading(book) as (found, cursor):
        one = invoices.invoice_by_name(cursor=cursor, book=found.pk, series=series, number=int(digits))
    if one is None:
        raise OperatorError(f"Book {book} has no document {number}; `fairwatt invoices list` names them.")
    from fairwatt.reports.invoice import as_file, read_invoice

    read = read_invoice(book=found, invoice_id=one.invoice)
    assert read is not None, "it was there a moment ago, and nothing goes"
    content, _ = as_file(read=read, form=form)
    if out is None:
        typer.echo(content.decode())
    else:
        out.write_bytes(content)
        typer.echo(f"{one.name}: {out}, {len(content)} bytes.")


@app.command("issue")
def issue(
    book: Book,
    home: Annotated[str, typer.Argument(help="Label of the home.")],
    by: By,
    until: Annotated[str, typer.Option(help="First day that is not in it; empty: everything so far.")] = "",
    as_json: AsJson = False,
) -> None:
    """Issue what waits of one home.

    Example: fairwatt invoices issue 0301 --book 1 --by ada --until 2026-12-01

    Exit code 0: issued. 1: there is nothing to issue, or it cannot be. 2: an option cannot be used.
    """
    from datetime import date

    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.invoicing.issuing import Asked, issue_for_home

    _web()
    from django.conf import settings

    found = _book(book)
    wallets = [wallet for wallet, label in _homes(found).items() if label == home]
    if not wallets:
        raise OperatorError(f"Book {book} has no home {home!r} with an account.")
    try:
        day = date.fromisoformat(until) if until else None
    except ValueError as error:
        raise BadInput(f"{until[:20]!r} is no day like 2026-12-01.") from error
    asked = Asked(book_id=found.pk, wallet_id=wallets[-1], user_id=_person(by), until=day)
    try:
        made = issue_for_home(asked=asked, now_us=settings.FAIRWATT_CLOCK.now_us())
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    from fairwatt.reports.invoice import read_invoice

    names = [read.invoice.name for one in made if (read := read_invoice(book=found, invoice_id=one))]
    typer.echo(json.dumps(names) if as_json else " ".join(names))


@app.command("month")
def month(
    book: Book,
    month: Month,
    by: Annotated[str, typer.Option(help="Issue it, in the name of this person of the desk.")] = "",
    as_json: AsJson = False,
) -> None:
    """Look at the invoices of a month; with --by, issue them and say how far it went.

    Example: fairwatt invoices month --book 1 --month 2026-10 --by ada

    Exit code 0: done. 1: some homes were left out, or it cannot be. 2: an option cannot be used.
    """
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.invoicing.months import ask_month, preview_month, work_runs
    from fairwatt.reports.invoice_data import coins

    _web()
    from django.conf import settings

    found, now_us = _book(book), settings.FAIRWATT_CLOCK.now_us()
    try:
        seen = preview_month(book_id=found.pk, month=month, now_us=now_us)
        run = ask_month(book_id=found.pk, month=month, user_id=_person(by), now_us=now_us) if by else None
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    issued = work_runs(now_us=now_us, book_id=found.pk) if by else 0
    said: dict[str, Any] = {
        "month": month,
        "invoices": seen.invoices,
        "credit_notes": seen.credit_notes,
        "total": coins(seen.total.gross_minor, found.minor_digits),
        "currency": found.currency,
        "left_out": [{"home": one.home, "why": str(one.why)} for one in seen.left_out],
        "run": run,
        "issued": issued,
    }
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False))
    else:
        typer.echo(
            f"{month}: {said['invoices']} invoices and {said['credit_notes']} credit notes of together {said['total']} "
            f"{found.currency}; issued now: {issued}."
        )
        for one in seen.left_out:
            typer.echo(f"  left out {one.home}: {one.why}")
    raise typer.Exit(1 if seen.left_out else 0)


@contextmanager
def _reading(book: int) -> Iterator[tuple[BookRow, Any]]:
    _web()
    from django.db import connection

    from fairwatt.web.access import scope_of_book, seeing

    found = _book(book)
    with seeing(scope=scope_of_book(book=found)), connection.cursor() as cursor:
        yield found, cursor


def _web() -> None:
    from fairwatt.server.wiring import use_django

    use_django(role="web")


def _book(number: int) -> BookRow:
    from fairwatt.store.models import Book as Books

    found = Books.objects.filter(pk=number).first()
    if found is None:
        raise OperatorError(f"There is no book {number}; name one with --book.")
    return found


def _homes(book: BookRow) -> dict[int, str]:
    from fairwatt.store.models import Wallet

    return dict(Wallet.objects.filter(book=book).order_by("pk").values_list("pk", "unit__label"))


def _person(name: str) -> int:
    from fairwatt.store.models import User

    found = User.objects.filter(username=name).first()
    if found is None:
        raise OperatorError(f"Nobody signs in as {name!r}.")
    return found.pk


def _percent(text: str) -> int | None:
    from fairwatt.payments.amounts import minor_from_text

    if not text.strip():
        return None
    try:
        return minor_from_text(text.strip(), digits=2)
    except ValueError as error:
        raise BadInput(f"{text[:20]!r} is no percentage like 6 or 5.5.") from error

"""`fairwatt shift`: cash desks are set up, their shifts listed and shown to the last coin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.store.cash_desk import Shift, Taking
    from fairwatt.store.models import Book as BookRow

app = typer.Typer(
    no_args_is_help=True,
    help="Cash desks and their shifts. Example: fairwatt shift list --book 1 --json",
)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def shift() -> None:
    """Money is taken on the page of the cash desk; here desks are set up and shifts looked at."""


@app.command()
def desk(
    name: Annotated[str, typer.Argument(help="What people call the desk.")],
    book: Book,
    most: Annotated[str, typer.Option(help="The most taken at once, such as 500 or 500.00.")] = "500",
    day: Annotated[str, typer.Option(help="The most taken there on a day.")] = "5000",
) -> None:
    """Set up a cash desk, or set how much may be taken there. This bounds what a page could ever credit by itself.

    Example: fairwatt shift desk Lobby --book 1 --most 500 --day 5000

    Exit code 0: set. 1: there is no such book. 2: an option cannot be used.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="migrate")
    from django.conf import settings

    from fairwatt.flows.provision import set_cash_desk

    found = _book(book)
    try:
        set_cash_desk(
            book_id=found.pk,
            name=name,
            taking_most_minor=_minor(most, found.minor_digits),
            day_most_minor=_minor(day, found.minor_digits),
            now_us=settings.FAIRWATT_CLOCK.now_us(),
        )
    except ValueError as error:
        raise BadInput(f"The desk was not set up: {error}.") from error
    typer.echo(
        f"{name.strip()}: at most {most} {found.currency} at once and {day} a day. Operators open its shifts."
    )


@app.command("list")
def list_shifts(book: Book, as_json: AsJson = False) -> None:
    """The newest shifts of a book, with what was over or short.

    Example: fairwatt shift list --book 1 --json

    Exit code 0: listed. 1: there is no such book. 2: an option cannot be used.
    """
    from fairwatt.store import cash_desk

    with _reading(book) as (found, cursor):
        shown = [_said(one, found) for one in cash_desk.shifts(cursor=cursor, book=found.pk)]
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    for one in shown:
        count = "open" if one["closed_us"] is None else f"over {one['over']}"
        typer.echo(
            f"{one['shift']:>6}  {one['desk']:<16} {one['cashier']:<16} cash {one['cash']:>12}  {count}"
        )


@app.command("report")
def report(
    number: Annotated[int, typer.Argument(help="Number of the shift, as `shift list` says it.")],
    book: Book,
    as_json: AsJson = False,
) -> None:
    """One shift with every payment in it.

    Example: fairwatt shift report 17 --book 1 --json

    Exit code 0: shown. 1: there is no such shift. 2: an option cannot be used.
    """
    from fairwatt.store import cash_desk

    with _reading(book) as (found, cursor):
        one = cash_desk.shift_of(cursor=cursor, book=found.pk, shift=number)
        if one is None:
            raise OperatorError(f"Book {book} has no shift {number}; `fairwatt shift list` names them.")
        takings = cash_desk.takings_of(cursor=cursor, book=found.pk, shift=number)
        said = {**_said(one, found), "takings": [_taking(row, found) for row in reversed(takings)]}
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False))
        return
    for name, value in said.items():
        if name != "takings":
            typer.echo(f"{name:<10} {'' if value is None else value}")
    for row in said["takings"]:
        typer.echo(
            f"  no. {row['receipt']:<6} {row['home']:<10} {row['tender']:<9} {row['amount']:>12} {row['slip']}"
        )


@contextmanager
def _reading(book: int) -> Iterator[tuple[BookRow, Any]]:
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    from django.db import connection

    from fairwatt.web.access import scope_of_book, seeing

    found = _book(book)
    with seeing(scope=scope_of_book(book=found)), connection.cursor() as cursor:
        yield found, cursor


def _book(number: int) -> BookRow:
    from fairwatt.store.models import Book as Books

    found = Books.objects.filter(pk=number).first()
    if found is None:
        raise OperatorError(f"There is no book {number}; name one with --book.")
    return found


def _said(one: Shift, book: BookRow) -> dict[str, Any]:
    from fairwatt.payments.amounts import text_from_minor

    def text(minor: int | None) -> str | None:
        return None if minor is None else text_from_minor(minor, digits=book.minor_digits)

    return {
        "shift": one.shift,
        "desk": one.desk_name,
        "cashier": one.cashier_name,
        "opened_us": one.opened_us,
        "closed_us": one.closed_us,
        "currency": book.currency,
        "payments": one.takings,
        "float": text(one.float_minor),
        "cash": text(one.cash_minor),
        "card": text(one.card_minor),
        "out": text(one.out_minor),
        "expected": text(one.expected_minor),
        "counted": text(one.counted_minor),
        "over": text(one.over_minor),
        "terminal": text(one.slips_minor),
    }


def _taking(row: Taking, book: BookRow) -> dict[str, Any]:
    from fairwatt.payments.amounts import text_from_minor

    return {
        "receipt": row.number,
        "home": row.home,
        "tender": row.tender,
        "amount": text_from_minor(row.amount_minor, digits=book.minor_digits),
        "slip": row.slip,
        "at_us": row.at_us,
        "taken_back_micro": row.void_micro,
    }


def _minor(text: str, digits: int) -> int:
    from fairwatt.payments.amounts import minor_from_text

    try:
        return minor_from_text(text, digits=digits)
    except ValueError as error:
        raise BadInput(f"{text!r} is no amount; write it as 500 or 500.00.") from error

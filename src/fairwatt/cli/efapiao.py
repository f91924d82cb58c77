"""`fairwatt efapiao`: the platform that issues e-fapiao, and requests to it; a platform to practise with."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.cli.foreground import serve_until_stopped
from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.store.models import Book as BookRow

app = typer.Typer(no_args_is_help=True, help=__doc__)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
By = Annotated[str, typer.Option(help="Name under which somebody of the desk signs in.")]
Number = Annotated[str, typer.Argument(help="What is printed on our document, such as MAPLE-000017.")]


@app.command("setup")
def setup(
    book: Book,
    origin: Annotated[str, typer.Option(help="Address of the platform, such as https://einvoice.example.")],
    taxpayer: Annotated[str, typer.Option(help="Our tax number there.")],
    platform_key: Annotated[str, typer.Option(help="The platform's Ed25519 key, in hexadecimal.")],
) -> None:
    """Say where a book's e-fapiao are issued; prints the key that the platform checks our requests with.

    Example: fairwatt efapiao setup --book 1 --origin https://einvoice.example --taxpayer
    91110000600037341L --platform-key 3f..

    Exit code 0: set. 1: it cannot be so. 2: an option cannot be used.
    """
    from fairwatt.core.refusal import Refusal

    now_us = _ready("migrate")
    from fairwatt.flows.invoicing.efapiao import set_platform

    try:
        key = bytes.fromhex(platform_key)
    except ValueError as error:
        raise BadInput("The key is 64 hexadecimal digits.") from error
    try:
        set_platform(
            book_id=_book(book).pk,
            origin=origin.rstrip("/"),
            taxpayer=taxpayer,
            platform_key=key,
            author=getpass.getuser(),
            now_us=now_us,
        )
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    typer.echo(f"Book {book} asks {origin}. Our key there: {_our_key()}")


@app.command("ask")
def ask(number: Number, book: Book, by: By) -> None:
    """Ask for the e-fapiao of a document; the collector carries it to the platform.

    Example: fairwatt efapiao ask MAPLE-000017 --book 1 --by ada

    Exit code 0: asked. 1: it cannot be. 2: an option cannot be used.
    """
    from fairwatt.core.refusal import Refusal

    now_us = _ready("web")
    from fairwatt.flows.invoicing.efapiao import ask_efapiao

    try:
        made = ask_efapiao(
            book_id=book, invoice_id=_invoice(book, number), user_id=_person(by), now_us=now_us
        )
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    typer.echo(f"Request {made} waits for the platform.")


@app.command("red")
def red(number: Number, book: Book, by: By, why: Annotated[str, typer.Option(help="Why.")]) -> None:
    """Ask to take the issued e-fapiao of a document back.

    Example: fairwatt efapiao red MAPLE-000017 --book 1 --by ada --why "wrong title"

    Exit code 0: asked. 1: it cannot be. 2: an option cannot be used.
    """
    from fairwatt.core.refusal import Refusal

    now_us = _ready("web")
    from fairwatt.flows.invoicing.efapiao import ask_red

    try:
        made = ask_red(
            book_id=book, invoice_id=_invoice(book, number), reason=why, user_id=_person(by), now_us=now_us
        )
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    typer.echo(f"Request {made} waits for the platform and for the other side.")


@app.command("list")
def list_(book: Book, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List requests and how they stand.

    Example: fairwatt efapiao list --book 1 --json

    Exit code 0: nothing waits. 1: something is asked or pending. 2: an option cannot be used.
    """
    from django.db import connection, transaction

    _ready("web")
    from fairwatt.store import efapiao, facts

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book)
        found = efapiao.requests_of_book(cursor=cursor, book=book)
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in found], ensure_ascii=False))
    else:
        for one in found:
            typer.echo(
                f"{one.efapiao:>6}  {one.sort:<5} {one.serial:<44} {one.state:<8} {one.number} {one.words}"
            )
        if not found:
            typer.echo("No requests.")
    raise typer.Exit(1 if any(one.state in ("asked", "pending") for one in found) else 0)


@app.command("practice")
def practice(
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1024, max=65535)] = 9480,
) -> None:
    """Run a platform to practise with, on this machine only, until Ctrl-C.

    Example: fairwatt efapiao practice --port 9480
    """
    from fairwatt.server.clock import clock_for
    from fairwatt.server.config import Config
    from fairwatt.server.keys import EINVOICE, load_public_key
    from fairwatt.simulate.einvoice import PracticePlatform, serving

    config = Config.load()
    platform = PracticePlatform(
        taxpayer_key=load_public_key(config.keys, name=EINVOICE), now_us=clock_for(config).now_us
    )
    with serving(platform, port=port) as origin:
        key = platform.key.public_key().public_bytes_raw().hex()
        told = f"{origin}, its key: {key}\nWhat it issues is practice, and no tax invoice. Ctrl-C ends it."
        serve_until_stopped(announce=lambda: typer.echo(told))


def _our_key() -> str:
    from fairwatt.server.config import Config
    from fairwatt.server.keys import EINVOICE, load_public_key

    return load_public_key(Config.load().keys, name=EINVOICE).public_bytes_raw().hex()


def _ready(role: Any) -> int:
    from fairwatt.server.wiring import use_django

    use_django(role=role)
    from django.conf import settings

    return int(settings.FAIRWATT_CLOCK.now_us())


def _book(number: int) -> BookRow:
    from fairwatt.store.models import Book as Books

    found = Books.objects.filter(pk=number).first()
    if found is None:
        raise OperatorError(f"There is no book {number}; name one with --book.")
    return found


def _invoice(book: int, number: str) -> int:
    from django.db import connection, transaction

    from fairwatt.store import facts, invoices

    series, _, digits = number.strip().rpartition("-")
    if not series or not (digits.isascii() and digits.isdecimal() and len(digits) < 18):
        raise BadInput(f"{number[:40]!r} is no number like MAPLE-000017.")
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=_book(book).pk)
        one = invoices.invoice_by_name(cursor=cursor, book=book, series=series, number=int(digits))
    if one is None:
        raise OperatorError(f"Book {book} has no document {number}; `fairwatt invoices list` names them.")
    return one.invoice


def _person(name: str) -> int:
    from fairwatt.store.models import User

    found = User.objects.filter(username=name).first()
    if found is None:
        raise OperatorError(f"Nobody signs in as {name!r}.")
    return found.pk

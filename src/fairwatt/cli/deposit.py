"""`fairwatt deposit`: what is held of residents beside their credit."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any, Literal

import typer

from fairwatt.server.config import Config
from fairwatt.server.errors import BadInput, OperatorError

app = typer.Typer(
    no_args_is_help=True,
    help="What is held of residents beside their credit. Example: fairwatt deposit list --book 1",
)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
By = Annotated[str, typer.Option(help="User name of the operator who does it.")]
Home = Annotated[str, typer.Argument(help="Room or account number.")]
Amount = Annotated[str, typer.Argument(help="Amount, such as 500.00.")]
Reason = Annotated[str, typer.Option(help="A word for the record.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def deposit() -> None:
    """A deposit pays what is owed when the account ends; the rest goes back with the credit."""


@app.command("list")
def list_(book: Book, as_json: AsJson = False) -> None:
    """List every deposit that is held. Amounts in micro-units, instants in microseconds UTC.

    Example: fairwatt deposit list --book 1 --json
    Exit code 0: done. 2: there is no such book.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="auditor")
    from fairwatt.core.account_numbers import account_number
    from fairwatt.flows.keep_deposit import deposits_of
    from fairwatt.store.models import Book as BookRow

    row = BookRow.objects.filter(pk=book).first()
    if row is None:
        raise BadInput(f"There is no book {book}.")
    held = deposits_of(book=row)
    if as_json:
        told = [{**one._asdict(), "account": account_number(wallet=one.wallet)} for one in held]
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for one in held:
        typer.echo(
            f"{one.label:<10} {account_number(wallet=one.wallet):>12} {one.held_micro:>16} micro-units"
        )
    typer.echo(f"{len(held)} deposits, {sum(one.held_micro for one in held)} micro-units in all.")


@app.command("take")
def take(
    home: Home, amount: Amount, book: Book, by: By, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Hold credit of a home as a deposit; the head-end posts it.

    Example: fairwatt deposit take 4-201 500.00 --book 1 --by operator
    Exit code 0: asked for. 1: refused, and no money was moved. 2: an option cannot be used.
    """
    fact = _ask("set_deposit_aside", home, amount, book, by, reason)
    typer.echo(json.dumps({"fact": fact}) if as_json else f"asked for as fact {fact}")


@app.command("declare")
def declare(
    home: Home,
    amount: Amount,
    book: Book,
    by: By,
    reason: Annotated[str, typer.Option(help="Where it comes from.")],
    as_json: AsJson = False,
) -> None:
    """Declare a deposit that is held from an earlier time; an administrator who is another agrees on the page.

    Example: fairwatt deposit declare 4-201 500.00 --reason "lease of 2019" --book 1 --by operator
    Exit code 0: waits for a second person. 1: refused, and nothing was written. 2: an option cannot be used.
    """
    wish = _ask("declare_deposit", home, amount, book, by, reason)
    typer.echo(json.dumps({"wish": wish}) if as_json else f"waits for a second person as wish {wish}")


@app.command("free")
def free(
    home: Home,
    amount: Amount,
    book: Book,
    by: By,
    reason: Annotated[str, typer.Option(help="Why it becomes credit again.")],
    as_json: AsJson = False,
) -> None:
    """Make a deposit that was taken by mistake credit again; an administrator who is another agrees on the page.

    Example: fairwatt deposit free 4-201 500.00 --reason "was meant for electricity" --book 1 --by operator
    Exit code 0: waits for a second person. 1: refused, and no money was moved. 2: an option cannot be used.
    """
    wish = _ask("free_deposit", home, amount, book, by, reason)
    typer.echo(json.dumps({"wish": wish}) if as_json else f"waits for a second person as wish {wish}")


def _ask(
    how: Literal["set_deposit_aside", "declare_deposit", "free_deposit"],
    home: str,
    amount: str,
    book: int,
    by: str,
    reason: str,
) -> int:
    from fairwatt.server.clock import clock_for
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="web")
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows import keep_deposit
    from fairwatt.flows.cash_desk import find_homes
    from fairwatt.payments.amounts import minor_from_text
    from fairwatt.store.models import Book as BookRow
    from fairwatt.store.models import User

    row, person = BookRow.objects.filter(pk=book).first(), User.objects.filter(username=by).first()
    if row is None or person is None:
        raise BadInput(f"There is no book {book}, or no user {by!r}. Nothing was changed.")
    now_us = clock_for(config).now_us()
    try:
        found = find_homes(book=row, text=home, now_us=now_us)
        if len(found) != 1:
            raise BadInput(f"{home!r} names no home, or more than one. Nothing was changed.")
        asked = keep_deposit.DepositAsked(
            wallet_id=found[0].wallet,
            amount_minor=minor_from_text(amount, digits=row.minor_digits),
            words=reason,
            ticket=os.urandom(16).hex(),
        )
        about: Any = {"book_id": book, "asked": asked, "user_id": person.pk, "now_us": now_us}
        return int(getattr(keep_deposit, how)(**about))
    except Refusal as error:
        raise OperatorError(str(error)) from error
    except ValueError as error:
        raise BadInput(f"{error} Nothing was changed.") from error

"""`fairwatt let`: booths, merchants and short lets, with an end that comes by itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.cli.files import read_bytes
from fairwatt.server.config import Config
from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.store.models import Book as BookRow

app = typer.Typer(
    no_args_is_help=True,
    help="Booths, merchants, short lets. Example: fairwatt let list --book 1",
)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
By = Annotated[str, typer.Option(help="User name of the operator who does it.")]
To = Annotated[str, typer.Option(help="When it ends, such as 2026-12-06T22:00 in the book's zone.")]
Reason = Annotated[str, typer.Option(help="A word for the record.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what it would come to.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Number = Annotated[int, typer.Argument(help="Number of the let.", min=1)]


@app.callback()
def let() -> None:
    """A let begins and ends by the clock of the book's head-end, which must run then."""


@app.command("plan")
def plan(
    unit: Annotated[str, typer.Argument(help="Label of the unit.")],
    merchant: Annotated[str, typer.Option(help="Who rents.")],
    to: To,
    book: Book,
    by: By,
    begin: Annotated[str, typer.Option("--from", help="When it begins; left out: now.")] = "",
    package: Annotated[str, typer.Option(help="Short name of the tariff with the package.")] = "",
    trading: Annotated[str, typer.Option(help="Hours without cuts, such as 08:00-14:00, 18:00-02:00.")] = "",
    user: Annotated[
        list[str] | None, typer.Option("--user", help="User name of a resident. May be repeated.")
    ] = None,
    refund: Annotated[str, typer.Option(help="How credit is paid back: window or source.")] = "window",
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a unit until a moment: then power goes off as the rules allow, and what is left goes back.

    Example: fairwatt let plan B-07 --merchant "Li, noodles" --to 2026-12-06T22:00 --book 1 --by operator
    Exit code 0: written down. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    row, person, now_us = _desk(book, by)
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.move_batch import instant_of
    from fairwatt.flows.plan_let import LetAsked, look_at_let, plan_let
    from fairwatt.store.models import Unit

    found = Unit.objects.filter(site__book=row, label=unit).first()
    if found is None:
        raise BadInput(f"There is no unit {unit!r} in book {book}. Nothing was changed.")
    try:
        asked = LetAsked(
            unit_id=found.pk,
            begin_us=instant_of(begin, row.zone) if begin else now_us,
            end_us=instant_of(to, row.zone),
            merchant=merchant,
            users=tuple(user or ()),
            package=package,
            trading=trading,
            settle=refund,
            words=reason,
        )
        seen = look_at_let(book=row, asked=asked, now_us=now_us)
        told: dict[str, Any] = {
            "unit": unit,
            "merchant": merchant,
            "begin_us": asked.begin_us,
            "end_us": asked.end_us,
            "warn_us": seen.warn_us,
            "fixed_micro": seen.fixed_micro,
        }
        if not dry_run:
            made = plan_let(
                book_id=book, asked=asked, ticket=os.urandom(10).hex(), user_id=person, now_us=now_us
            )
            told["let"] = made
    except Refusal as error:
        raise OperatorError(str(error)) from error
    _show(told, as_json, f"{unit}: {merchant}, due before any use {seen.fixed_micro} micro-units")


@app.command("list")
def list_(
    book: Book,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """List lets: open ones, or all; the first to begin first. Instants in microseconds UTC.

    Example: fairwatt let list --book 1 --json
    Exit code 0: done. 2: there is no such book.
    """
    from fairwatt.server.clock import clock_for
    from fairwatt.server.wiring import use_django

    use_django(role="auditor")
    from django.db import connection

    from fairwatt.store.lets import lets_of_book
    from fairwatt.store.models import Unit
    from fairwatt.web.access import Scope, seeing

    now_us = clock_for(Config.load()).now_us()
    labels = dict(Unit.objects.filter(site__book=book).values_list("pk", "label"))
    if not labels:
        raise BadInput(f"There is no book {book}, or no unit in it.")
    with seeing(scope=Scope(books=(book,))), connection.cursor() as cursor:
        found = lets_of_book(cursor=cursor, book=book, since_us=0 if everything else now_us)
    rows = [
        {
            "let": one.let,
            "unit": labels.get(one.unit, ""),
            "merchant": one.merchant,
            "begin_us": one.begin_us,
            "end_us": one.end_us,
            "account": one.wallet,
            "warned_us": one.warned_us,
            "closed_us": one.closed_us,
            "cancelled_us": one.cancelled_us,
        }
        for one in found
        if everything or one.is_open
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for told in rows:
        state = "over" if told["closed_us"] else "running" if told["account"] else "agreed"
        typer.echo(f"{told['let']:>6}  {told['unit']:<10} {state:<8} {told['merchant']}")
    if not rows:
        typer.echo("Nothing is let.")


@app.command("end")
def end(number: Number, to: To, book: Book, by: By, reason: Reason = "", as_json: AsJson = False) -> None:
    """Agree on another end, later or earlier; made longer, power that went off comes back.

    Example: fairwatt let end 12 --to 2026-12-08T22:00 --book 1 --by operator
    Exit code 0: agreed. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    row, person, now_us = _desk(book, by)
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.change_let import end_let
    from fairwatt.flows.move_batch import instant_of

    try:
        until_us = instant_of(to, row.zone)
        end_let(book_id=book, let_id=number, until_us=until_us, words=reason, user_id=person, now_us=now_us)
    except Refusal as error:
        raise OperatorError(str(error)) from error
    _show({"let": number, "end_us": until_us}, as_json, f"let {number} ends {to}")


@app.command("cancel")
def cancel(number: Number, book: Book, by: By, reason: Reason = "", as_json: AsJson = False) -> None:
    """Take back a let that has not begun.

    Example: fairwatt let cancel 12 --book 1 --by operator
    Exit code 0: taken back. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    _, person, now_us = _desk(book, by)
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.change_let import cancel_let

    try:
        cancel_let(book_id=book, let_id=number, words=reason, user_id=person, now_us=now_us)
    except Refusal as error:
        raise OperatorError(str(error)) from error
    _show({"let": number, "cancelled": True}, as_json, f"let {number} is taken back")


@app.command("batch")
def batch(
    file: Annotated[Path, typer.Argument(help="CSV or Excel: unit,merchant,from,to,package,trading,...")],
    book: Book,
    by: By,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write down every let of a file, or none when a row is wrong.

    Example: fairwatt let batch market.csv --book 1 --by operator --dry-run
    Exit code 0: all written down. 1: a row is wrong. 2: the file or an option cannot be used.
    """
    row, person, now_us = _desk(book, by)
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.let_batch import look_at, plan_all, read_rows

    try:
        rows = read_rows(data=read_bytes(file), name=file.name)
        looked = look_at(book=row, rows=rows, now_us=now_us)
        wrong = [one for one in looked if one.error is not None]
        for one in wrong:
            typer.echo(f"line {one.line}: {one.unit}: {one.error}", err=True)
        if wrong:
            raise OperatorError(f"{len(wrong)} of {len(looked)} rows are wrong. Nothing was changed.")
        told: dict[str, Any] = {
            "rows": len(looked),
            "fixed_micro": sum(one.seen.fixed_micro for one in looked if one.seen is not None),
        }
        if not dry_run:
            told["lets"] = plan_all(
                book_id=book, rows=rows, ticket=os.urandom(10).hex(), user_id=person, now_us=now_us
            )
    except Refusal as error:
        raise OperatorError(str(error)) from error
    _show(told, as_json, f"{len(looked)} rows are {'right' if dry_run else 'written down'}.")


@app.command("circuit")
def circuit(
    meter: Annotated[int, typer.Argument(help="Number of the meter.", min=1)],
    kind: Annotated[str, typer.Argument(help="cold_store, fire, other or ordinary.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    book: Book,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Note what hangs on a meter: what is not ordinary is never switched off, whatever is owed or ends.

    Example: fairwatt let circuit 100000000001 cold_store --reason "fish" --book 1 --by operator
    Exit code 0: noted. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    row, person, now_us = _desk(book, by)
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.change_let import mark_circuit
    from fairwatt.flows.desk import meter_of

    try:
        found = meter_of(book=row, number=str(meter))
        mark = mark_circuit(
            book_id=book, meter_id=found.pk, circuit=kind, words=reason, user_id=person, now_us=now_us
        )
    except Refusal as error:
        raise OperatorError(str(error)) from error
    _show({"mark": mark, "meter": meter, "circuit": kind}, as_json, f"meter {meter}: {kind}")


def _desk(book: int, by: str) -> tuple[BookRow, int, int]:
    """The book, the person who acts, and the present."""
    from fairwatt.server.clock import clock_for
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="migrate")
    from fairwatt.store.models import Book as BookRow
    from fairwatt.store.models import User

    row, person = BookRow.objects.filter(pk=book).first(), User.objects.filter(username=by).first()
    if row is None or person is None:
        raise BadInput(f"There is no book {book}, or no user {by!r}. Nothing was changed.")
    return row, person.pk, clock_for(config).now_us()


def _show(told: dict[str, Any], as_json: bool, said: str) -> None:
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else said)

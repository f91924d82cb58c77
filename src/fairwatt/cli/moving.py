"""`fairwatt move`: people move out and in; each is charged the own part, and what is left goes with its person."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fairwatt.cli.files import read_bytes
from fairwatt.server.config import Config
from fairwatt.server.errors import BadInput, OperatorError

app = typer.Typer(
    no_args_is_help=True,
    help="People move out and in. Example: fairwatt move out 4-201 --book 1 --by operator",
)
Home = Annotated[str, typer.Argument(help="Label of the unit.")]
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
By = Annotated[str, typer.Option(help="User name of the operator who does it.")]
At = Annotated[
    str, typer.Option(help="The moment, such as 2026-11-30T12:00 in the book's zone; left out: now.")
]
Refund = Annotated[
    str, typer.Option(help="How credit is paid back: window, or source (the way it was paid).")
]
Reads = Annotated[
    list[str] | None, typer.Option("--read", help="A register a person read: METER=WH. May be repeated.")
]
Reason = Annotated[str, typer.Option(help="A word for the record.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what it would come to.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Users = Annotated[list[str] | None, typer.Option("--user", help="User name of a resident. May be repeated.")]


@app.callback()
def move() -> None:
    """A move is posted by the head-end of the book, which must run."""


@app.command("out")
def out(
    home: Home,
    book: Book,
    by: By,
    at: At = "",
    refund: Refund = "window",
    read: Reads = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let who lives in a home move out; from then on what is used there is its owner's.

    Example: fairwatt move out 4-201 --book 1 --by operator
    Exit code 0: done. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    terms = {"settle": refund, "reason": reason, "stated": _reads(read)}
    _move("out", home, book, by, at, terms, dry_run, as_json)


@app.command("in")
def come_in(
    home: Home,
    book: Book,
    by: By,
    user: Users = None,
    at: At = "",
    read: Reads = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let somebody move into a home where nobody lives; the account begins at zero.

    Example: fairwatt move in 4-201 --book 1 --by operator --user mei
    Exit code 0: done. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    terms = {"reason": reason, "stated": _reads(read), "users": tuple(user or ())}
    _move("in", home, book, by, at, terms, dry_run, as_json)


@app.command("change")
def change(
    home: Home,
    book: Book,
    by: By,
    user: Users = None,
    at: At = "",
    refund: Refund = "window",
    read: Reads = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let one move out and another move in at the same moment.

    Example: fairwatt move change 4-201 --book 1 --by operator --user mei
    Exit code 0: done. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    terms = {"settle": refund, "reason": reason, "stated": _reads(read), "users": tuple(user or ())}
    _move("change", home, book, by, at, terms, dry_run, as_json)


@app.command("transfer")
def transfer(
    home: Home,
    to: Annotated[str, typer.Argument(help="Label of the empty unit the person goes to.")],
    book: Book,
    by: By,
    at: At = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a person go from one home to another that is empty; the balance goes along, credit or debt.

    Example: fairwatt move transfer 4-201 5-102 --book 1 --by operator
    Exit code 0: done. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    _move("transfer", home, book, by, at, {"reason": reason, "stated": {}, "to": to}, dry_run, as_json)


@app.command("exchange")
def exchange(
    meter: Annotated[int, typer.Argument(help="Number of the meter that goes.", min=1)],
    new: Annotated[int, typer.Argument(help="Number of the meter that comes.", min=1)],
    opening: Annotated[int, typer.Option(help="What the new meter shows, in Wh.", min=0)],
    book: Book,
    by: By,
    final: Annotated[
        int | None, typer.Option(help="What the old meter showed, in Wh; left out: estimated.", min=0)
    ] = None,
    transformer: Annotated[str, typer.Option(help="Other current transformers, such as 100:5.")] = "",
    at: At = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put another meter in the place of one; account, prices and the blocks of the month go on.

    Example: fairwatt move exchange 100000000001 200000000001 --opening 0 --final 1234560 --book 1 --by operator
    Exit code 0: done. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    from fairwatt.server.clock import clock_for
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="migrate")
    from fairwatt.core.metering.transformer import TransformerError, parse_ratio
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.desk import meter_of
    from fairwatt.flows.exchange_meter import ExchangeAsked, ask_exchange, end_of
    from fairwatt.store.models import Book as BookRow
    from fairwatt.store.models import User

    row, person = BookRow.objects.filter(pk=book).first(), User.objects.filter(username=by).first()
    if row is None or person is None:
        raise BadInput(f"There is no book {book}, or no user {by!r}. Nothing was changed.")
    now_us = clock_for(config).now_us()
    try:
        asked = ExchangeAsked(
            meter_id=meter_of(book=row, number=str(meter)).pk,
            number=new,
            at_us=_instant(at, row.zone) if at else now_us,
            opening_wh=opening,
            final_wh=final,
            transformer=parse_ratio(transformer) if transformer else None,
            reason=reason,
        )
        seen = end_of(book=row, asked=asked, now_us=now_us)
        told = {"meter": meter, "new_meter": new, "at_us": asked.at_us, **_end_told(seen)}
        if not dry_run:
            fact = ask_exchange(
                book_id=book, asked=asked, ticket=os.urandom(10).hex(), user_id=person.pk, now_us=now_us
            )
            told = {**told, "fact": fact, "final_wh": _posted(row, fact)["final_wh"]}
    except TransformerError as error:
        raise BadInput(f"{error} Nothing was changed.") from error
    except Refusal as error:
        raise OperatorError(str(error)) from error
    typer.echo(
        json.dumps(told)
        if as_json
        else f"meter {meter}: {told['register_wh']} Wh, {told['basis']}; meter {new} goes on"
    )


@app.command("batch")
def batch(
    file: Annotated[
        Path, typer.Argument(help="CSV or Excel with the columns home,move,at,users,refund,to,...")
    ],
    book: Book,
    by: By,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Do every move of a file, or none when a row is wrong; tell what became of each.

    Example: fairwatt move batch term-end.csv --book 1 --by operator --dry-run
    Exit code 0: all done. 1: a row is wrong or was refused. 2: the file or an option cannot be used.
    """
    from fairwatt.server.clock import clock_for
    from fairwatt.server.couriering import wait_until
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="migrate")
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.move_batch import ask_all, look_at, read_rows, results_of
    from fairwatt.store.models import Book as BookRow
    from fairwatt.store.models import User

    row, person = BookRow.objects.filter(pk=book).first(), User.objects.filter(username=by).first()
    if row is None or person is None:
        raise BadInput(f"There is no book {book}, or no user {by!r}. Nothing was changed.")
    now_us = clock_for(config).now_us()
    try:
        rows = read_rows(data=read_bytes(file), name=file.name)
        looked = look_at(book=row, rows=rows, now_us=now_us)
        wrong = [one for one in looked if one.error is not None]
        for one in wrong:
            typer.echo(f"line {one.line}: {one.home}: {one.error}", err=True)
        if wrong:
            raise OperatorError(f"{len(wrong)} of {len(looked)} rows are wrong. Nothing was changed.")
        if dry_run:
            told = [{**_told(one.seen), "line": one.line} for one in looked]
            typer.echo(json.dumps(told) if as_json else f"{len(looked)} rows are right. Nothing was changed.")
            return
        together = ask_all(book_id=book, rows=rows, user_id=person.pk, now_us=now_us, entropy=os.urandom(10))
    except Refusal as error:
        raise OperatorError(str(error)) from error

    def answered() -> bool:
        return all(one.state != "waiting" for one in results_of(book=row, together=together))

    if not wait_until(answered, within_s=60):
        raise OperatorError(f"The head-end of book {book} does not answer; the moves are done when it runs.")
    results = results_of(book=row, together=together)
    refused = [one for one in results if one.state == "refused"]
    done = [{"home": one.home, "move": one.move, "state": one.state, "code": one.code} for one in results]
    typer.echo(
        json.dumps(done) if as_json else f"{len(results) - len(refused)} of {len(results)} moves are done."
    )
    if refused:
        raise OperatorError("Refused: " + ", ".join(f"{one.home} ({one.code})" for one in refused))


def _move(
    kind: str, home: str, book: int, by: str, at: str, terms: dict[str, Any], dry_run: bool, as_json: bool
) -> None:
    from fairwatt.server.clock import clock_for
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="migrate")
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.move_home import ask_move, preview_move
    from fairwatt.store.models import Book as BookRow

    row = BookRow.objects.filter(pk=book).first()
    if row is None:
        raise BadInput(f"There is no book {book}. Nothing was changed.")
    now_us = clock_for(config).now_us()
    person, asked = _asked(kind, home, row, by, at, terms, now_us)
    try:
        seen = preview_move(book=row, asked=asked, now_us=now_us)
        if dry_run:
            _show(_told(seen), as_json)
            return
        fact = ask_move(book_id=book, asked=asked, user_id=person, now_us=now_us, entropy=os.urandom(10))
    except Refusal as error:
        raise OperatorError(str(error)) from error

    _show({**_told(seen), "fact": fact, "new_account": _posted(row, fact).get("new_wallet")}, as_json)


def _posted(book: Any, fact: int) -> Mapping[str, Any]:
    """What the head-end made of a move, as soon as it says so. Raises OperatorError when it refuses or is silent."""
    from fairwatt.flows.move_home import move_answer
    from fairwatt.server.couriering import wait_until

    def answered() -> bool:
        found = move_answer(book=book, fact_id=fact)
        return found is not None and found.state != "waiting"

    if not wait_until(answered, within_s=20):
        raise OperatorError(
            f"The head-end of book {book.pk} does not answer; the move is asked for and done when it runs."
        )
    answer = move_answer(book=book, fact_id=fact)
    if answer is None or answer.state == "refused":
        code = answer.code if answer else "unknown"
        raise OperatorError(f"The head-end refused the move: {code}. Nothing was changed.")
    return answer.result


def _asked(
    kind: str, home: str, book: Any, by: str, at: str, terms: dict[str, Any], now_us: int
) -> tuple[int, Any]:
    from fairwatt.flows.move_home import Coming, MoveAsked, likely_instant
    from fairwatt.store.models import Installation, Unit, User

    person = User.objects.filter(username=by).first()
    unit = Unit.objects.filter(site__book=book, label=home).first()
    if person is None or unit is None:
        raise BadInput(
            f"There is no user {by!r}, or no home {home!r} in book {book.pk}. Nothing was changed."
        )
    numbers = {
        row.meter.number: row.pk
        for row in Installation.objects.filter(unit=unit, closed_us__isnull=True).select_related("meter")
    }
    if unknown := set(terms["stated"]) - set(numbers):
        raise BadInput(f"No meter {min(unknown)} is at work in {home}. Nothing was changed.")
    asked = MoveAsked(
        kind=kind,
        unit_id=unit.pk,
        at_us=_instant(at, book.zone) if at else likely_instant(book=book, unit=unit, now_us=now_us),
        settle=terms.get("settle", "window"),
        coming=Coming(users=terms.get("users", ())),
        stated={numbers[number]: wh for number, wh in terms["stated"].items()},
        reason=terms["reason"],
        to_unit_id=_unit(book, terms["to"]) if terms.get("to") else 0,
    )
    return person.pk, asked


def _unit(book: Any, label: str) -> int:
    from fairwatt.store.models import Unit

    unit = Unit.objects.filter(site__book=book, label=label).first()
    if unit is None:
        raise BadInput(f"There is no home {label!r} in book {book.pk}. Nothing was changed.")
    return int(unit.pk)


def _told(seen: Any) -> dict[str, Any]:
    return {
        "move": seen.kind,
        "home": seen.unit.label,
        "at_us": seen.at_us,
        "provisional": seen.provisional,
        "balance_micro": seen.balance_micro,
        "owed_micro": seen.owed_micro,
        "deposit_micro": seen.deposit_micro,
        "left_micro": seen.left_micro,
        "meters": [{"number": meter.number, **_end_told(meter)} for meter in seen.meters],
    }


def _end_told(end: Any) -> dict[str, Any]:
    return {"register_wh": end.register_wh, "basis": end.basis, "charge_micro": end.charge_micro}


def _show(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told))
        return
    for meter in told["meters"]:
        kwh = f"{meter['register_wh'] // 1000}.{meter['register_wh'] % 1000:03d} kWh"
        typer.echo(f"meter {meter['number']}: {kwh}, {meter['basis']}")
    ends = "settled when the meter speaks" if told["provisional"] else "settled"
    typer.echo(f"{told['home']}: {told['move']}, {ends}")


def _reads(read: list[str] | None) -> dict[int, int]:
    stated = {}
    for one in read or ():
        number, _, wh = one.partition("=")
        if not (number.isascii() and number.isdecimal() and wh.isascii() and wh.isdecimal()):
            raise BadInput(f"{one!r} is not METER=WH, such as 100000000001=1234560. Nothing was changed.")
        stated[int(number)] = int(wh)
    return stated


def _instant(text: str, zone: str) -> int:
    from zoneinfo import ZoneInfo

    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{text!r} is no moment such as 2026-11-30T12:00. Nothing was changed.") from error
    at = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))
    return round(at.timestamp()) * 1_000_000

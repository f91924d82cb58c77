"""`fairwatt postpaid`: homes that pay after use, readings by hand, opening debts, and waves that change homes."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.cli.files import read_bytes, read_text
from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.flows.postpaid.opening_debts import DebtRow
    from fairwatt.store.models import Book as BookRow

app = typer.Typer(no_args_is_help=True, help=__doc__)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
By = Annotated[str, typer.Option(help="Name under which somebody of the desk signs in.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Homes = Annotated[list[str], typer.Argument(help="Labels of homes.")]
COLUMNS = ("home", "amount", "reference", "daily", "share_percent", "week_cap")


@app.command("set")
def set_(
    homes: Homes,
    book: Book,
    by: By,
    due_day: Annotated[int, typer.Option(help="Day of the month by which they pay.", min=1, max=28)] = 15,
    why: Annotated[str, typer.Option(help="Why.")] = "as before",
    as_json: AsJson = False,
) -> None:
    """Let homes pay after use: measured and charged as all are, and never cut for credit.

    Example: fairwatt postpaid set 0301 0302 --book 1 --by ada --due-day 15 --why "contract of 2011"

    Exit code 0: done. 1: it cannot be so. 2: an option cannot be used.
    """
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.postpaid.homes import set_postpaid

    now_us = _ready("web")
    try:
        fresh = set_postpaid(
            book_id=book, homes=homes, due_day=due_day, words=why, user_id=_person(by), now_us=now_us
        )
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    typer.echo(json.dumps(fresh) if as_json else f"{len(fresh)} homes pay after use from now on.")


@app.command("list")
def list_(book: Book, as_json: AsJson = False) -> None:
    """List the homes that pay after use, or changed since.

    Example: fairwatt postpaid list --book 1 --json

    Exit code 0: listed. 1: there is no such book. 2: an option cannot be used.
    """
    from django.db import connection, transaction

    from fairwatt.flows.postpaid.waves import labels_of
    from fairwatt.store import facts, postpaid

    _ready("web")
    found = _book(book)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=found.pk)
        known = postpaid.postpaid_of_book(cursor=cursor, book=found.pk)
    labels = labels_of(book=found)
    rows = [{"home": labels.get(wallet, ""), **one._asdict()} for wallet, one in known.items()]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        state = "pays first" if row["switched_us"] else f"pays by day {row['due_day']}"
        typer.echo(f"{row['home']:<12} {state:<20} {row['words']}")


@app.command("debts")
def debts(
    file: Annotated[Path, typer.Argument(help=f"CSV with the columns {', '.join(COLUMNS)}.")],
    book: Book,
    by: By,
    apply: Annotated[bool, typer.Option("--apply", help="Bring them over; otherwise only look.")] = False,
    agreed_by: Annotated[str, typer.Option(help="Another administrator, who agreed.")] = "",
    as_json: AsJson = False,
) -> None:
    """Look at debts of an earlier system row by row; with --apply, bring them over with their plans.

    Example: fairwatt postpaid debts debts.csv --book 1 --by ada --apply --agreed-by bea

    Exit code 0: every row is good. 1: some are wrong, and nothing was brought over. 2: the file cannot be used.
    """
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.postpaid.opening_debts import bring_debts

    now_us = _ready("migrate")
    found = _book(book)
    rows = list(read_debts(read_text(file, bytes_max=5_000_000), digits=found.minor_digits))
    try:
        seen = bring_debts(
            book_id=found.pk,
            rows=rows,
            apply=apply,
            user_id=_person(by),
            agreed_by=_person(agreed_by) if agreed_by else None,
            now_us=now_us,
        )
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    said = [{name: getattr(one, name) for name in type(one).__slots__} for one in seen]
    if as_json:
        typer.echo(json.dumps({"applied": apply, "rows": said}, ensure_ascii=False))
    else:
        for row in said:
            typer.echo(f"line {row['line']:>5}  {row['home']:<12} {row['state']:<6} {row['text']}")
        typer.echo("Brought over." if apply else "Only looked at; --apply brings them over.")
    raise typer.Exit(1 if any(row["state"] == "fault" for row in said) else 0)


def read_debts(text: str, *, digits: int) -> list[DebtRow]:
    """The rows of a list of debts; what cannot be read is a fault of its row. Raises BadInput for a wrong head."""
    from fairwatt.flows.postpaid.opening_debts import DebtRow
    from fairwatt.payments.amounts import minor_from_text

    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    if not set(COLUMNS[:3]) <= set(table.fieldnames or ()):
        raise BadInput(
            f"The first line names the columns, at least {', '.join(COLUMNS[:3])}. Nothing was read."
        )
    rows = []
    for line, row in enumerate(table, start=2):
        said = {name: (row.get(name) or "").strip() for name in COLUMNS}
        try:
            amount, daily = (
                minor_from_text(said[name] or "0", digits=digits) for name in ("amount", "daily")
            )
            cap = minor_from_text(said["week_cap"], digits=digits) if said["week_cap"] else None
            share = minor_from_text(said["share_percent"] or "0", digits=2)
            fault = ""
        except ValueError:
            amount, daily, share, cap, fault = 0, 0, 0, None, "an amount or percentage of it cannot be read."
        rows.append(
            DebtRow(
                line=line,
                home=said["home"],
                amount_minor=amount,
                daily_minor=daily,
                share_bp=share,
                week_cap_minor=cap,
                reference=said["reference"],
                fault=fault,
            )
        )
    return rows


@app.command("read")
def read(
    home: Annotated[str, typer.Argument(help="Label of the home.")],
    register: Annotated[str, typer.Argument(help="What the register shows, such as 12345.6.")],
    photo: Annotated[Path, typer.Argument(help="Photo of the register.")],
    book: Book,
    by: By,
    sure: Annotated[bool, typer.Option(help="Read twice: take it although it is far.")] = False,
    as_json: AsJson = False,
) -> None:
    """Enter a register that a person read.

    Example: fairwatt postpaid read 0301 12345.6 photo.jpg --book 1 --by ada

    Exit code 0: taken. 1: refused, or far from what the home uses: look again, then say --sure. 2: bad option.
    """
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.postpaid.reading_round import enter_reading, look_again
    from fairwatt.store.models import Installation

    now_us = _ready("web")
    found, wh = _book(book), _wh(register)
    at = (
        Installation.objects.filter(wallet__book=found, unit__label=home, closed_us__isnull=True)
        .order_by("pk")
        .first()
    )
    if at is None:
        raise OperatorError(f"Book {book} has no home {home!r} with a meter.")
    try:
        taken = enter_reading(
            book_id=found.pk,
            installation_id=at.pk,
            register_wh=wh,
            photo=read_bytes(photo, bytes_max=13_000_000),
            words="",
            user_id=_person(by),
            now_us=now_us,
        )
        word = ""
        if taken.doubt and sure:
            word = look_again(
                book_id=found.pk, reading_id=taken.reading, register_wh=wh, user_id=_person(by), now_us=now_us
            )
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    said = {name: getattr(taken, name) for name in type(taken).__dataclass_fields__} | {"word": word}
    if as_json:
        typer.echo(json.dumps(said))
    else:
        typer.echo(
            f"Used since the last reading: {taken.used_wh} Wh. {'Waits for a second look.' if taken.doubt else ''}"
        )
    raise typer.Exit(1 if taken.doubt and not word else 0)


@app.command("waves")
def waves(book: Book, as_json: AsJson = False) -> None:
    """List the waves of a book and how far each has come.

    Example: fairwatt postpaid waves --book 1 --json

    Exit code 0: listed. 1: there is no such book. 2: an option cannot be used.
    """
    from django.db import connection, transaction

    from fairwatt.store import facts, postpaid

    _ready("web")
    found = _book(book)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=found.pk)
        rows = [one._asdict() for one in postpaid.waves_of_book(cursor=cursor, book=found.pk)]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        state = (
            "called off" if row["off"] else "agreed" if row["agreed"] else "waits for a second administrator"
        )
        typer.echo(f"{row['wave']:>5}  {row['name']:<24} {row['done']}/{row['homes']} homes  {state}")


@app.command("wave")
def wave(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    homes: Homes,
    book: Book,
    by: By,
    day: Annotated[str, typer.Option(help="First day on which they pay first, such as 2027-01-01.")],
    notice_days: Annotated[int, typer.Option(help="Days of notice that the law asks for.")] = 30,
    grace_days: Annotated[int, typer.Option(help="Days without cuts afterwards.")] = 7,
    daily: Annotated[str, typer.Option(help="What a day takes of a debt.")] = "0",
    share: Annotated[
        int, typer.Option(help="Percent of each top-up that goes to a debt.", min=0, max=100)
    ] = 20,
    write: Annotated[bool, typer.Option("--write", help="Write it down; otherwise only look.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at homes that would pay first from a day on: what each owes, what credit it needs; with --write, plan it.

    Example: fairwatt postpaid wave "East wing" 0301 0302 --book 1 --by ada --day 2027-01-01 --write

    Exit code 0: looked at, or written. 1: it cannot be so. 2: an option cannot be used.
    """
    from fairwatt.core.refusal import Refusal
    from fairwatt.core.units import micro_from_minor
    from fairwatt.flows.postpaid.waves import NewWave, plan_from, preview_wave, write_wave
    from fairwatt.payments.amounts import minor_from_text

    now_us = _ready("web")
    found = _book(book)
    try:
        minor = minor_from_text(daily, digits=found.minor_digits)
        first = date.fromisoformat(day)
    except ValueError as error:
        raise BadInput("An amount is written as 5 or 5.50, a day as 2027-01-01.") from error
    try:
        plan = plan_from(
            daily_micro=micro_from_minor(amount_minor=minor, minor_digits=found.minor_digits),
            share_bp=share * 100,
            week_cap_micro=None,
        )
        new = NewWave(
            book_id=found.pk,
            name=name,
            day=first,
            homes=homes,
            notice_days=notice_days,
            grace_days=grace_days,
            plan=plan,
        )
        seen = preview_wave(new=new, now_us=now_us)
        number = write_wave(new=new, user_id=_person(by), now_us=now_us) if write else None
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    rows: list[dict[str, Any]] = [
        {name: getattr(one, name) for name in type(one).__dataclass_fields__} for one in seen
    ]
    if as_json:
        typer.echo(json.dumps({"wave": number, "homes": rows}, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(
            f"{row['home']:<12} owes {row['owed_micro']:>14,}  debts {row['debt_micro']:>14,}  "
            f"week {row['advised_micro']:>14,}  {row['why_not']}"
        )
    typer.echo(
        f"Wave {number} waits for another administrator." if number else "Only looked at; --write plans it."
    )


@app.command("step")
def step(
    wave: Annotated[int, typer.Argument(help="Number of the wave.")],
    what: Annotated[str, typer.Argument(help="agreed, called_off, noticed or postponed.")],
    book: Book,
    by: By,
    home: Annotated[list[str] | None, typer.Option(help="Homes that are noticed or postponed.")] = None,
    day: Annotated[str, typer.Option(help="The day a home is postponed to.")] = "",
) -> None:
    """Agree to a wave or call it off; say that homes were given their notice, or are postponed.

    Example: fairwatt postpaid step 3 postponed --book 1 --by ada --home 0301 --day 2027-02-01

    Exit code 0: done. 1: it cannot be so. 2: an option cannot be used.
    """
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.postpaid.homes import open_wallets
    from fairwatt.flows.postpaid.waves import step_wave

    now_us = _ready("web")
    found = _book(book)
    known = open_wallets(found)
    unknown = [label for label in home or () if label not in known]
    if unknown:
        raise OperatorError(f"Book {book} has no home {unknown[0]!r} with an account.")
    try:
        done = step_wave(
            book_id=found.pk,
            wave_id=wave,
            step=what,
            user_id=_person(by),
            now_us=now_us,
            wallets=[known[label] for label in home or ()],
            day=date.fromisoformat(day) if day else None,
        )
    except Refusal as refused:
        raise OperatorError(str(refused)) from refused
    except ValueError as error:
        raise BadInput(f"{day[:20]!r} is no day like 2027-02-01.") from error
    typer.echo(f"{what}: {done}.")


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


def _person(name: str) -> int:
    from fairwatt.store.models import User

    found = User.objects.filter(username=name).first()
    if found is None:
        raise OperatorError(f"Nobody signs in as {name!r}.")
    return found.pk


def _wh(text: str) -> int:
    from fairwatt.payments.amounts import minor_from_text

    try:
        return minor_from_text(text.strip(), digits=3)
    except ValueError as error:
        raise BadInput(f"{text[:20]!r} is no register like 12345.6.") from error

"""`fairwatt commission`: checklists of meters, lists of meters, wiring, and what alarms are set to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.cli.files import read_text
from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.server.config import DatabaseRole

app = typer.Typer(
    no_args_is_help=True, help="Meters and their rooms: checklists, lists, wiring, what alarms are set to."
)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
User = Annotated[str, typer.Option("--user", help="Your sign-in name; what you do is written down.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MeterNumber = Annotated[str, typer.Argument(help="The meter's number.")]
PHOTO_MAX = 12 * 1024 * 1024


def as_person[T](role: DatabaseRole, user: str, work: Callable[[int, int], T]) -> T:
    """Do a thing as somebody who works here; refusals become words on stderr."""
    from fairwatt.server.wiring import use_django

    use_django(role=role)
    from fairwatt.flows.desk import DeskRefused
    from fairwatt.store.models import User as Person
    from fairwatt.web.access import now_us

    person = Person.objects.filter(username=user).first()
    if person is None:
        raise OperatorError(f"There is no person {user[:60]}. Nothing was written down.")
    try:
        return work(person.pk, now_us())
    except DeskRefused as error:
        raise OperatorError(str(error)) from error


@app.command("status")
def status(book: Book, as_json: AsJson = False) -> None:
    """Show how many homes are signed off, and what the others lack.

    Example: fairwatt commission status --book 1 --json | jq '.buildings[0].open'
    Exit code 0: all are. 1: some are not.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    from fairwatt.store.models import Book as BookRow
    from fairwatt.web.access import Scope, seeing
    from fairwatt.web.metering import overview

    with seeing(scope=Scope(books=(book,))):
        buildings = overview(book=BookRow.objects.get(pk=book))
    told = [
        {
            "site": one.site.name,
            "homes": one.total,
            "done": one.done,
            "open": [
                {
                    "unit": home.unit.label,
                    "meters": [
                        {"meter": row.meter.number, "missing": [str(step) for step in row.checklist.missing]}
                        for row in home.meters
                    ],
                }
                for home in one.homes
                if not home.complete
            ],
        }
        for one in buildings
    ]
    if as_json:
        typer.echo(json.dumps({"buildings": told}, ensure_ascii=False))
    for one in [] if as_json else buildings:
        typer.echo(f"{one.site.name}: {one.done} of {one.total} homes signed off")
        for home in one.homes:
            lacks = "; ".join(
                f"{row.meter.number}: {', '.join(row.checklist.missing) or 'to be signed'}"
                for row in home.meters
            )
            if not home.complete:
                typer.echo(f"  {home.unit.label:<12} {lacks or 'no meter'}")
    raise typer.Exit(0 if all(one.done == one.total for one in buildings) else 1)


@app.command("show")
def show(meter: MeterNumber, book: Book, as_json: AsJson = False) -> None:
    """Show a meter's checklist.

    Example: fairwatt commission show 202700000001 --book 1
    Exit code 0: signed off. 1: not, or there is no such meter.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    from fairwatt.flows.commission import site_of
    from fairwatt.flows.desk import NotFound, meter_of
    from fairwatt.store.models import Book as BookRow
    from fairwatt.web.access import Scope, seeing

    row = BookRow.objects.get(pk=book)
    try:
        with seeing(scope=Scope(books=(book,))):
            site = site_of(book=row, meter=meter_of(book=row, number=meter))
    except NotFound as error:
        raise OperatorError(str(error)) from error
    found = site.checklist
    told = {
        "meter": site.meter.number,
        "unit": site.unit.label if site.unit else None,
        "complete": found.complete,
        "steps": [
            {
                "step": str(item.step),
                "state": str(item.state),
                "value": dict(item.record.value) if item.record else None,
                "words": item.record.words if item.record else "",
                "photo": item.record.photo if item.record else None,
                "author": item.record.author if item.record else None,
                "at_us": item.record.at_us if item.record else None,
            }
            for item in found.items
        ],
    }
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo(f"meter {told['meter']}, {told['unit'] or 'no room yet'}")
        for item in found.items:
            typer.echo(
                f"  {item.step:<12} {item.state:<8} {json.dumps(dict(item.record.value)) if item.record else ''}"
            )
    raise typer.Exit(0 if found.complete else 1)


@app.command("step")
def step(
    meter: MeterNumber,
    name: Annotated[str, typer.Argument(help="scanned, mapped, ratio, pulse, opening, certificate or seal.")],
    book: Book,
    user: User,
    value: Annotated[str, typer.Option(help="What was found, as JSON.")] = "{}",
    source: Annotated[
        Path | None, typer.Option("--from", help="What edge scan or edge pulse printed with --json.")
    ] = None,
    watts: Annotated[int, typer.Option(help="The load of the pulse test.")] = 2000,
    ratio: Annotated[str, typer.Option(help="What is printed on the transformers, such as 100:5.")] = "",
    register: Annotated[str, typer.Option(help="The register as shown, in kWh or m³.")] = "",
    photo: Annotated[Path | None, typer.Option(help="A photo: JPEG, PNG or WebP.")] = None,
    unit: Annotated[str, typer.Option(help="The room, where no home is open yet.")] = "",
    words: Annotated[str, typer.Option(help="A comment.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="It was not so.")] = False,
) -> None:
    """Write down a step of a meter's checklist, or withdraw it.

    Examples: fairwatt commission step 202700000001 ratio --ratio 100:5 --book 1 --user lin
    fairwatt commission step 202700000001 pulse --from pulse.json --watts 2000 --book 1 --user lin
    fairwatt commission step 202700000001 opening --register 1204.56 --photo meter.jpg --book 1 --user lin
    """
    found = {"withdrawn": True} if withdraw else _found(name, meter, value, source, watts, ratio, register)
    sent = None if photo is None else _photo(photo)

    def work(person: int, now_us: int) -> int:
        from fairwatt.flows.commission import record_step
        from fairwatt.flows.desk import meter_of
        from fairwatt.store.models import Book as BookRow

        at = meter_of(book=BookRow.objects.get(pk=book), number=meter)
        return record_step(
            book_id=book,
            meter_id=at.pk,
            step=name,
            value=found,
            words=words,
            user_id=person,
            now_us=now_us,
            photo=sent,
            unit_label=unit,
        )

    typer.echo(f"Written down as row {as_person('web', user, work)}.")


@app.command("sign")
def sign(
    meter: MeterNumber, book: Book, user: User, words: Annotated[str, typer.Option(help="A comment.")] = ""
) -> None:
    """Sign a checklist whose every step is done.

    Example: fairwatt commission sign 202700000001 --book 1 --user lin
    """

    def work(person: int, now_us: int) -> int:
        from fairwatt.flows.commission import sign_off
        from fairwatt.flows.desk import meter_of
        from fairwatt.store.models import Book as BookRow

        at = meter_of(book=BookRow.objects.get(pk=book), number=meter)
        return sign_off(book_id=book, meter_id=at.pk, words=words, user_id=person, now_us=now_us)

    typer.echo(f"Signed, as row {as_person('web', user, work)}.")


def _found(
    name: str, meter: str, value: str, source: Path | None, watts: int, ratio: str, register: str
) -> dict[str, Any]:
    """What a step found, from the options that belong to it."""
    from fairwatt.core.metering.transformer import TransformerError, parse_ratio
    from fairwatt.intervals.values import BadCell, energy_wh

    if source is not None:
        return _from_file(name, meter, source, watts)
    if name == "ratio" and ratio:
        try:
            read = parse_ratio(ratio)
        except TransformerError as error:
            raise BadInput(f"{error} Nothing was written down.") from error
        return {"primary": read.primary, "secondary": read.secondary}
    if name == "opening" and register:
        try:
            wh, rounded = energy_wh(text=register, per_unit_wh=1000)
        except BadCell as error:
            raise BadInput(
                f"{register!r} is no register such as 1204.56. Nothing was written down."
            ) from error
        if wh is None or rounded:
            raise BadInput(f"{register!r} is no register such as 1204.56. Nothing was written down.")
        return {"register_wh": wh}
    try:
        found = json.loads(value)
    except ValueError as error:
        raise BadInput(f"--value is not JSON: {error}. Nothing was written down.") from error
    if not isinstance(found, dict):
        raise BadInput("--value is not a JSON object. Nothing was written down.")
    return found


def _from_file(name: str, meter: str, source: Path, watts: int) -> dict[str, Any]:
    """What edge scan or edge pulse found about this meter."""
    try:
        told = json.loads(read_text(source))
        if name == "pulse":
            found = {
                "watts": watts,
                "verdict": told["verdict"],
                "confidence_per_mille": told["confidence_per_mille"],
            }
            return found | ({} if told["meter"] is None else {"meter": told["meter"]})
        rows = [row for bus in told["buses"] for row in bus["meters"] if str(row["meter"]) == meter]
        row = rows[0]
        return {
            "address": row["address"],
            "answered": row["state"] == "configured",
            "trouble": row["trouble"] or ("" if row["state"] == "configured" else row["state"]),
        }
    except (ValueError, LookupError, TypeError) as error:
        raise BadInput(
            f"{source} is not what `fairwatt edge {'pulse' if name == 'pulse' else 'scan'} --json` printed about meter "
            f"{meter}. Nothing was written down."
        ) from error


def _photo(file: Path) -> bytes:
    try:
        if file.stat().st_size > PHOTO_MAX:
            raise BadInput(f"{file} is larger than 12 MB. Nothing was written down.")
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error}. Nothing was written down.") from error

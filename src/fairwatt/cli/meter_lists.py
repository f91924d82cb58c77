"""`fairwatt commission meters|wire`: a list of meters held against the books; where a meter is wired."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.cli.commission import AsJson, Book, MeterNumber, User, as_person
from fairwatt.cli.files import read_text

if TYPE_CHECKING:
    from fairwatt.edge.room_map import Row
    from fairwatt.flows.enter_meters import Compared


def add_to(app: typer.Typer) -> None:
    """Put these commands beside the checklists."""
    app.command("meters")(meters)
    app.command("wire")(wire)


def meters(
    file: Annotated[
        Path,
        typer.Argument(help="The map of `fairwatt edge map`; feeder and feeds_gateway may be columns too."),
    ],
    book: Book,
    gateway: Annotated[str, typer.Option(help="Whose meters they are.")],
    user: User,
    apply: Annotated[
        bool, typer.Option("--apply", help="Enter what is new; without it nothing is changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare a list of meters with the units and meters of the books; with --apply, enter what is new.

    Example: fairwatt commission meters rooms.csv --book 1 --gateway east --user lin
    Exit code 0: every line is good. 1: some are not, each is named, and nothing is entered. 2: the file cannot be read.
    """
    from fairwatt.edge.room_map import read_map

    rows, faults = read_map(text=read_text(file))
    found = as_person("migrate", user, _entering(book, gateway, rows, apply=apply and not faults))
    wrong = [(one.line, one.text) for one in faults] + [(one.line, one.text) for one in found.faults]
    if as_json:
        typer.echo(json.dumps(_compared(found, wrong), ensure_ascii=False))
    else:
        _say(file, found, wrong)
    raise typer.Exit(1 if wrong else 0)


def wire(
    meter: MeterNumber,
    book: Book,
    user: User,
    feeder: Annotated[str | None, typer.Option(help="Which feeder it is on.")] = None,
    feeds_gateway: Annotated[
        bool | None,
        typer.Option(
            "--feeds-gateway/--feeds-no-gateway", help="Whether its gateway's power comes through it."
        ),
    ] = None,
) -> None:
    """Write down a meter's feeder, and whether its gateway's own power comes through it: such a meter is never cut.

    Example: fairwatt commission wire 202700000001 --feeds-gateway --feeder riser-2 --book 1 --user lin
    """

    def work(person: int, now_us: int) -> tuple[str, bool]:
        from fairwatt.flows.enter_meters import wire_meter

        row = wire_meter(
            book_id=book,
            number=meter,
            user_id=person,
            now_us=now_us,
            feeder=feeder,
            feeds_gateway=feeds_gateway,
        )
        return row.feeder, row.feeds_gateway

    on, feeds = as_person("migrate", user, work)
    typer.echo(f"Meter {meter} is on feeder {on or '-'}" + (" and feeds its gateway." if feeds else "."))


def _entering(book: int, gateway: str, mapped: list[Row], *, apply: bool) -> Callable[[int, int], Compared]:
    def work(person: int, now_us: int) -> Compared:
        from fairwatt.flows.enter_meters import ListedMeter, enter_meters

        rows = [
            ListedMeter(
                line=row.line,
                room=row.room,
                number=row.number,
                address=row.address,
                profile=row.profile,
                transformer=row.transformer,
                feeder=row.feeder,
                feeds_gateway=row.feeds_gateway,
            )
            for row in mapped
        ]
        compared = enter_meters(
            book_id=book, gateway=gateway, rows=rows, apply=False, user_id=person, now_us=now_us
        )
        if not apply or compared.faults:
            return compared
        return enter_meters(
            book_id=book, gateway=gateway, rows=rows, apply=True, user_id=person, now_us=now_us
        )

    return work


def _compared(found: Compared, wrong: list[tuple[int, str]]) -> dict[str, Any]:
    return {
        "applied": found.applied,
        "rows": [
            {"line": one.line, "room": one.room, "meter": one.number, "state": one.state, "text": one.text}
            for one in found.findings
        ],
        "faults": [{"line": line, "text": text} for line, text in sorted(wrong)],
        "not_listed": list(found.not_listed),
        "without_meter": list(found.without_meter),
    }


def _say(file: Path, found: Compared, wrong: list[tuple[int, str]]) -> None:
    for line, text in sorted(wrong):
        typer.echo(f"{file}, line {line}: {text}")
    counts = {
        state: sum(one.state == state for one in found.findings) for state in ("new", "entered", "open")
    }
    typer.echo(
        f"{counts['new']} new, {counts['entered']} entered before, {counts['open']} charged already, "
        f"{len(wrong)} wrong."
    )
    if found.not_listed:
        typer.echo(f"In the books, not in the list: {', '.join(map(str, found.not_listed))}")
    if found.without_meter:
        typer.echo(f"Rooms without a meter: {', '.join(found.without_meter)}")
    if found.applied:
        typer.echo("What was new is entered; nobody is charged by it until its home is opened.")
    else:
        typer.echo("Nothing was changed." + ("" if wrong else " Do it with --apply."))

"""Taking over readings from files of other systems."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fairwatt.intervals.contract import IntervalFile
    from fairwatt.intervals.examine import Examined, Terms

BAD_INPUT = 2
_HELP = """Take data over from other systems.

Example: fairwatt import readings use.csv.gz --zone Europe/London

Exit code 0: read. 1: refused. 2: the file cannot be used.
"""
app = typer.Typer(no_args_is_help=True, help=_HELP)


@app.callback()
def _group() -> None:
    """Take data over from other systems."""


@app.command("readings")
def readings(
    file: Annotated[Path, typer.Argument(help="CSV (also .gz), Parquet or Green Button (ESPI XML).")],
    meter: Annotated[str, typer.Option(help="Number of our meter that these are readings of.")] = "",
    home: Annotated[str, typer.Option(help="The home inside the file, where it holds more than one.")] = "",
    zone: Annotated[str, typer.Option(help="Wall clock of stamps without an offset, and of days.")] = "",
    stamps: Annotated[str, typer.Option(help="What a stamp says: start or end of its interval.")] = "start",
    book: Annotated[str, typer.Option(help="With --commit: the book the meter is in.")] = "",
    by: Annotated[str, typer.Option(help="With --commit: user name of who takes them over.")] = "",
    commit: Annotated[bool, typer.Option("--commit", help="Store values and estimates.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a file of interval readings: every defect, and what would be done with it. Nothing is stored.

    With --commit the rows are stored as they were sent, and beside them checked values and marked estimates. No balance
    moves. The same file again changes nothing. Example: fairwatt import readings use.csv.gz --zone Europe/London.
    Exit code 0: read. 2: the file cannot be used.
    """
    from fairwatt.core.spans import UnknownZone
    from fairwatt.intervals.contract import IntervalFileError
    from fairwatt.intervals.reader import read_file

    if stamps not in ("start", "end"):
        raise typer.BadParameter("say start or end", param_hint="--stamps")
    if commit and not (meter and book and by):
        raise typer.BadParameter("--commit needs --meter, --book and --by", param_hint="--commit")
    try:
        found = read_file(path=file, zone=zone or "UTC")
        if commit:
            _commit(found, file, meter, home, book, by, stamps == "end", as_json)
            return
        examined = _examined(found, home, zone, stamps == "end")
    except (IntervalFileError, UnknownZone, OSError) as error:
        _refuse(error)
    if as_json:
        print(
            json.dumps({"file": file.name, "format": found.format, "homes": [_told(one) for one in examined]})
        )
    else:
        for one in examined:
            _show(found, one)


def _examined(found: IntervalFile, home: str, zone: str, stamps_end: bool) -> list[Examined]:
    from fairwatt.intervals.contract import UnknownColumns
    from fairwatt.intervals.examine import Terms, examine
    from fairwatt.server.clock import clock_for
    from fairwatt.server.config import Config

    if home and home not in found.homes:
        raise UnknownColumns(f"{found.name} has no home {home}; it has {', '.join(list(found.homes)[:8])}.")
    terms: Terms = Terms(
        zone=zone or found.zone or "UTC", now_us=clock_for(Config.load()).now_us(), stamps_end=stamps_end
    )
    return [examine(file=found, home=one, terms=terms) for one in ([home] if home else found.homes)]


def _commit(
    found: IntervalFile,
    path: Path,
    meter: str,
    home: str,
    book: str,
    by: str,
    stamps_end: bool,
    as_json: bool,
) -> None:
    from fairwatt.server.clock import clock_for
    from fairwatt.server.config import Config
    from fairwatt.server.errors import OperatorError
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    from fairwatt.flows.desk import DeskRefused
    from fairwatt.flows.import_readings import import_readings

    try:
        done = import_readings(
            file=found,
            digest=_digest(path),
            home=home,
            book_slug=book,
            meter_number=meter,
            author=by,
            stamps_end=stamps_end,
            now_us=clock_for(Config.load()).now_us(),
        )
    except DeskRefused as error:
        raise OperatorError(str(error)) from error
    told = {"import": done.import_id, "known_before": done.known_before, "rows": done.rows}
    told |= {"versions": done.versions, "conflicts": done.conflicts}
    if as_json:
        print(json.dumps({**told, **(_told(done.examined) if done.examined else {})}))
        return
    if done.examined is not None:
        _show(found, done.examined)
    if done.known_before:
        print(f"This file was taken over before (import {done.import_id}); nothing was changed.")
    else:
        print(
            f"Stored as import {done.import_id}: {done.rows} rows as sent, {done.versions} values and estimates. "
            "No balance moved."
        )
    if done.conflicts:
        print(
            f"{done.conflicts} values differ from what was measured before; the earlier ones stand. Look at them."
        )


def _digest(path: Path) -> str:
    from hashlib import file_digest

    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _told(one: Examined) -> dict[str, Any]:
    estimated = one.completed.estimated
    return {
        "home": one.home,
        "rows": len(one.rows),
        "intervals": len(one.completed.values),
        "step_minutes": one.step_us // 60_000_000,
        "from": _stamp(one.validated.series.span.start_us),
        "to": _stamp(one.validated.series.span.end_us),
        "wh": sum(value.wh for value in one.completed.values),
        "status": {
            str(status): count
            for status, count in sorted(Counter(v.status for v in one.completed.values).items())
        },
        "estimated": len(estimated),
        "estimated_wh": sum(value.wh for value in estimated),
        "defects": [
            {
                "kind": found.rule,
                "count": found.count,
                "first_row": found.first_row,
                "first_at": _stamp(found.first_us) if found.first_us else None,
                "done": str(found.effect),
                "detail": found.detail,
                "meaning": found.meaning,
            }
            for found in one.findings
        ],
    }


_DONE = {"set_aside": "not used", "dropped": "counted once", "estimated": "estimated", "kept": "used, look"}


def _show(found: IntervalFile, one: Examined) -> None:
    from rich.console import Console
    from rich.table import Table

    told = _told(one)
    table = Table(title=f"{found.name}, {one.home}", title_justify="left", padding=(0, 1))
    for name in ("defect", "count", "first row", "first at", "what was done"):
        table.add_column(name, justify="right" if name in ("count", "first row") else "left")
    for defect in told["defects"]:
        table.add_row(
            defect["kind"],
            str(defect["count"]),
            str(defect["first_row"] or "–"),
            defect["first_at"] or "–",
            f"{_DONE[defect['done']]}: {defect['meaning']}",
        )
    screen = Console()
    screen.print(
        f"{told['rows']:,} rows, {told['intervals']:,} intervals of {told['step_minutes']} minutes from {told['from']} "
        f"to {told['to']}, {told['wh']:,} Wh; {told['estimated']} intervals estimated ({told['estimated_wh']:,} Wh).",
        highlight=False,
    )
    if one.defects:
        screen.print(table)
    else:
        screen.print("No defect was found.")


def _stamp(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%MZ")


def _refuse(error: Exception) -> None:
    if isinstance(error, OSError):
        print(
            f"fairwatt: file_unreadable: {error.filename}: {error.strerror}. Nothing was read.",
            file=sys.stderr,
        )
    else:
        print(f"fairwatt: {getattr(error, 'code', 'zone')}: {error}", file=sys.stderr)
    raise typer.Exit(BAD_INPUT) from error

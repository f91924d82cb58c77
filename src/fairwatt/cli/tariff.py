"""`fairwatt tariff`: check a tariff file and its own examples, show it in sentences, print its schema."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer

from fairwatt.cli.tariff_files import load_tariff
from fairwatt.core.rating.check import Outcome, run_example
from fairwatt.core.rating.closing import live_from
from fairwatt.core.rating.describe import describe
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.tariff_file import TariffFile, TariffFileError
from fairwatt.core.spans import to_datetime

_HELP = """Write tariffs: check, show, schema.

Example: fairwatt tariff check homes.yaml

Exit code 0: all holds. 1: an example differs. 2: a file is broken.
"""
tariff = typer.Typer(
    no_args_is_help=True,
    help=_HELP,
)
Files = Annotated[list[Path], typer.Argument(help="Tariff files (YAML), or folders of them.")]
File = Annotated[Path, typer.Argument(help="Tariff file (YAML).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EXAMPLES_DIFFER = 1
BROKEN = 2


@dataclass(frozen=True)
class Checked:
    """What became of one file: the tariff with the outcomes of its examples, or its errors."""

    file: Path
    made: TariffFile | None
    outcomes: list[Outcome]
    errors: list[dict[str, Any]]

    @property
    def failed(self) -> list[Outcome]:
        """The examples that do not hold."""
        return [outcome for outcome in self.outcomes if not outcome.holds]


@tariff.command()
def check(files: Files, as_json: AsJson = False) -> None:
    """Validate tariff files and recompute the worked examples they carry; a folder stands for all in and below it.

    Example: fairwatt tariff check homes.yaml --json
    Exit code 0: all holds. 1: an example comes out otherwise. 2: a file is broken.
    """
    several = len(files) > 1 or files[0].is_dir()
    checked = [_checked(file) for given in files for file in _below(given)]
    if as_json:
        said = _totals(checked) if several else _figures(checked[0])
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
    else:
        for one in checked:
            _say(one, brief=several)
    broken, failed = any(one.errors for one in checked), any(one.failed for one in checked)
    raise typer.Exit(BROKEN if broken else EXAMPLES_DIFFER if failed else 0)


def _below(given: Path) -> list[Path]:
    """A file is itself; of a folder all tariff files, the folders in it too. A folder without any is unreadable."""
    if not given.is_dir():
        return [given]
    found = [path for end in ("*.yaml", "*.yml") for path in given.rglob(end) if path.is_file()]
    return sorted(found) or [given]


def _checked(file: Path) -> Checked:
    try:
        made = load_tariff(file)
    except TariffFileError as error:
        return Checked(file, None, [], [_fault(fault) for fault in error.all])
    except (OSError, UnicodeDecodeError) as error:
        return Checked(file, None, [], [_unreadable(file, error)])
    return Checked(file, made, [run_example(schedule=made.schedule, example=e) for e in made.examples], [])


@tariff.command()
def show(file: File) -> None:
    """Say in sentences what a tariff file charges, version by version.

    Example: fairwatt tariff show homes.yaml
    Exit code 0: said. 2: the file is broken.
    """
    try:
        made = load_tariff(file)
    except TariffFileError as error:
        _say_errors(file, [_fault(fault) for fault in error.all])
        raise typer.Exit(BROKEN) from error
    except (OSError, UnicodeDecodeError) as error:
        _say_errors(file, [_unreadable(file, error)])
        raise typer.Exit(BROKEN) from error
    for line in describe(made):
        typer.echo(line)


@tariff.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of the tariff format, for editors.

    Example: fairwatt tariff schema > tariff.schema.json
    Exit code 0: printed.
    """
    typer.echo(schema_text())


def schema_text() -> str:
    """The JSON Schema as shipped."""
    return resources.files("fairwatt.core.rating").joinpath("tariff.schema.json").read_text(encoding="utf-8")


def _figures(one: Checked) -> dict[str, Any]:
    return {
        "ok": not one.errors and not one.failed,
        "examples": len(one.outcomes),
        "passed": len(one.outcomes) - len(one.failed),
        "failed": [entry for outcome in one.failed for entry in _differences(outcome)],
        "errors": one.errors,
        "live": None if one.made is None else _live(one.made.schedule),
    }


def _live(schedule: Schedule) -> dict[str, Any]:
    """Whether wallets can be charged by it, from which version on, and what stands against it."""
    first, why = live_from(schedule)
    version = None if first is None else schedule.versions[first]
    return {
        "ok": version is not None,
        "from": None if version is None else f"{to_datetime(version.effective_us):%Y-%m-%dT%H:%M:%SZ}",
        "why": why,
    }


def _totals(checked: list[Checked]) -> dict[str, Any]:
    """The figures of all files together, and of each under its path."""
    each = [{"file": str(one.file), **_figures(one)} for one in checked]
    return {
        "ok": all(one["ok"] for one in each),
        "examples": sum(one["examples"] for one in each),
        "passed": sum(one["passed"] for one in each),
        "failed": [{"file": one["file"], **entry} for one in each for entry in one["failed"]],
        "errors": [{"file": one["file"], **entry} for one in each for entry in one["errors"]],
        "files": each,
    }


def _differences(outcome: Outcome) -> list[dict[str, Any]]:
    """Both figures of each difference; an example that cannot be computed has its error instead."""
    about = {"name": outcome.example.name, "line": outcome.example.line}
    if outcome.error:
        return [{**about, "figure": "total", "expected": None, "computed": None, "error": outcome.error}]
    return [
        {**about, "figure": d.figure, "expected": d.expected, "computed": d.computed}
        for d in outcome.differences
    ]


def _fault(error: TariffFileError) -> dict[str, Any]:
    return {"line": error.line, "column": error.column, "code": error.code, "message": error.meaning}


def _unreadable(file: Path, error: Exception) -> dict[str, Any]:
    said = error.strerror if isinstance(error, OSError) else "it is not a text file in UTF-8"
    if file.is_dir():
        said = "there is no tariff file (*.yaml) in this folder"
    return {"line": 1, "column": 1, "code": "file_unreadable", "message": f"{file} cannot be read: {said}"}


def _say_errors(file: Path, errors: list[dict[str, Any]]) -> None:
    for error in errors:
        print(
            f"{file}:{error['line']}:{error['column']}: {error['code']}: {error['message']}", file=sys.stderr
        )
    print(f"{len(errors)} fault{'s' * (len(errors) != 1)}; nothing was computed.", file=sys.stderr)


def _say(one: Checked, *, brief: bool) -> None:
    """Of several files, those that hold get a line each."""
    if one.errors:
        _say_errors(one.file, one.errors)
    elif brief and not one.failed:
        print(f"{one.file}: {len(one.outcomes)} of {len(one.outcomes)} examples hold.")
    elif one.made is not None:
        _say_outcomes(one.file, one.made, one.outcomes)


def _say_live(schedule: Schedule) -> None:
    live = _live(schedule)
    if not live["ok"]:
        print(f"Bills only, it cannot be published for live wallets: {live['why']}.")
    elif live["why"]:
        print(f"Live wallets can be charged by it from {live['from']} on; before that, {live['why']}.")
    else:
        print("Live wallets can be charged by it.")


def _say_outcomes(file: Path, made: TariffFile, outcomes: list[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    versions = len(made.schedule.versions)
    console.print(f"{file}: {made.name}, {made.schedule.currency}, {versions} version{'s' * (versions != 1)}")
    _say_live(made.schedule)
    if not outcomes:
        console.print(
            "The file is valid. It carries no examples; add some, so that its figures can be tried."
        )
        return
    table = Table("example", "figure", "expected", "computed", "")
    for outcome in outcomes:
        if outcome.holds:
            expected = outcome.example.total or outcome.example.units or outcome.example.energy
            said = expected.text if expected else ""
            table.add_row(outcome.example.name, "all", said, said, "[green]holds[/]")
        elif outcome.error:
            table.add_row(outcome.example.name, "", "", outcome.error, "[red]error[/]")
        for d in outcome.differences:
            table.add_row(outcome.example.name, d.figure, d.expected, d.computed, "[red]differs[/]")
    console.print(table)
    held = sum(outcome.holds for outcome in outcomes)
    console.print(f"{held} of {len(outcomes)} examples hold.")

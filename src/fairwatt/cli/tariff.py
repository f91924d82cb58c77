"""`fairwatt tariff`: check a tariff file and its own examples, show it in sentences, print its schema."""

from __future__ import annotations

import json
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer

from fairwatt.cli.tariff_files import load_tariff
from fairwatt.core.rating.check import Outcome, run_example
from fairwatt.core.rating.describe import describe
from fairwatt.core.rating.tariff_file import TariffFile, TariffFileError

tariff = typer.Typer(no_args_is_help=True, help="Write tariffs: check, show, schema.")
File = Annotated[Path, typer.Argument(help="Tariff file (YAML).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EXAMPLES_DIFFER = 1
BROKEN = 2


@tariff.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Validate a tariff file and recompute the worked examples it carries.

    Example: fairwatt tariff check homes.yaml --json.
    Exit code 0: all holds. 1: an example comes out otherwise. 2: the file is broken.
    """
    errors: list[dict[str, Any]] = []
    outcomes: list[Outcome] = []
    made: TariffFile | None = None
    try:
        made = load_tariff(file)
        outcomes = [run_example(schedule=made.schedule, example=example) for example in made.examples]
    except TariffFileError as error:
        errors = [_fault(fault) for fault in error.all]
    except (OSError, UnicodeDecodeError) as error:
        errors = [_unreadable(file, error)]
    failed = [outcome for outcome in outcomes if not outcome.holds]
    if as_json:
        typer.echo(json.dumps(_figures(outcomes, failed, errors), ensure_ascii=False, indent=2))
    elif errors:
        _say_errors(file, errors)
    elif made is not None:
        _say_outcomes(file, made, outcomes)
    raise typer.Exit(BROKEN if errors else EXAMPLES_DIFFER if failed else 0)


@tariff.command()
def show(file: File) -> None:
    """Say in sentences what a tariff file charges, version by version."""
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
    """Print the JSON Schema (draft 2020-12) of the tariff format, for editors."""
    typer.echo(schema_text())


def schema_text() -> str:
    """The JSON Schema as shipped."""
    return resources.files("fairwatt.core.rating").joinpath("tariff.schema.json").read_text(encoding="utf-8")


def _figures(outcomes: list[Outcome], failed: list[Outcome], errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "ok": not errors and not failed,
        "examples": len(outcomes),
        "passed": len(outcomes) - len(failed),
        "failed": [entry for outcome in failed for entry in _differences(outcome)],
        "errors": errors,
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
    return {"line": 1, "column": 1, "code": "file_unreadable", "message": f"{file} cannot be read: {said}"}


def _say_errors(file: Path, errors: list[dict[str, Any]]) -> None:
    for error in errors:
        print(
            f"{file}:{error['line']}:{error['column']}: {error['code']}: {error['message']}", file=sys.stderr
        )
    print(f"{len(errors)} fault{'s' * (len(errors) != 1)}; nothing was computed.", file=sys.stderr)


def _say_outcomes(file: Path, made: TariffFile, outcomes: list[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    versions = len(made.schedule.versions)
    console.print(f"{file}: {made.name}, {made.schedule.currency}, {versions} version{'s' * (versions != 1)}")
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

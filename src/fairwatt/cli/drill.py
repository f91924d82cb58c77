"""Drills: what would happen, played without touching anything real."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    no_args_is_help=True, help="Drills: what would happen, played without touching anything real."
)

WRONG_PER_MILLE_MAX = 20


@app.command()
def dark(
    seed: Annotated[int, typer.Option(help="Which incidents are drawn.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask of 140 dark homes why it is dark, and count the answers against the truth.

    Seven causes, twenty incidents each, pairs among them, with late, lost and doubled events. Of two causes the one
    that must be removed first is right. Exit code 1 when more than 2 % got a wrong answer; "unknown" is not wrong.

    Example: fairwatt drill dark --seed 7 --json
    """
    from fairwatt.simulate.darkness import confusion, incidents, wrong_per_mille

    told = incidents(seed=seed)
    matrix = confusion(told)
    wrong = wrong_per_mille(matrix)
    unknown = sum(row["unknown"] for row in matrix.values())
    if as_json:
        pairs = sum(len(one.causes) > 1 for one in told)
        summary = {
            "seed": seed,
            "incidents": len(told),
            "pairs": pairs,
            "unknown": unknown,
            "wrong_per_mille": wrong,
        }
        typer.echo(json.dumps({**summary, "matrix": matrix}, indent=2))
    else:
        _draw(matrix)
        typer.echo(f"{len(told)} incidents, {unknown} unknown, {wrong / 10:.1f} % wrong")
    raise typer.Exit(1 if wrong > WRONG_PER_MILLE_MAX else 0)


def _draw(matrix: dict[str, dict[str, int]]) -> None:
    answers = list(next(iter(matrix.values())))
    table = Table("it was \\ said", *(answer.replace("_", " ") for answer in answers), box=None)
    for true, row in matrix.items():
        table.add_row(true.replace("_", " "), *(str(row[answer] or "·") for answer in answers))
    Console().print(table)

"""`python -m benchmarks [NAME ...]`: measure the hot paths on services of their own, in a fresh folder."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.report import Report, show
from benchmarks.suite import ALL, measure


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Which: {', '.join(ALL)}; by default all.")
    ] = None,
) -> None:
    """Run benchmarks one after another on embedded services; a missed target makes the exit code 1."""
    unknown = set(names or ()) - set(ALL)
    if unknown:
        raise typer.BadParameter(
            f"no benchmark is called {', '.join(sorted(unknown))}; take {', '.join(ALL)}"
        )
    reports: list[Report] = []
    for name in names or list(ALL):
        # Each in a process and on a database of its own: nobody's figures depend on who ran before.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
            reports.append(elsewhere.submit(measure, name).result())
        reports[-1].save()
    show(reports, Console())
    if any(figure.held is False for report in reports for figure in report.figures):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)

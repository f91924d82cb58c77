"""Drills: what would happen, played without touching anything real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fairwatt.cli.files import Force, check_target
from fairwatt.cli.simulation import LAW_BROKEN, AsJson, Out, Verbose, quiet, report_verdict, run_judged

app = typer.Typer(
    no_args_is_help=True, help="Drills: what would happen, played without touching anything real."
)

WRONG_PER_MILLE_MAX = 20
_DRILL_HOLDS = {
    "outages_of_6h": 4,
    "price_changes_in_outages": 4,
    "topups_in_outage": 4,
    "local_trips": 1,
    "restores": 1,
    "memories_rolled_back": 1,
    "codes_accepted": 1,
}
_RETURN_S = 5.0
"""After a line has come back, everything that waited for it is done within this."""


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


@app.command()
def outage(
    hours: Annotated[int, typer.Option(help="How long no gateway has a line.")] = 72,
    homes: Annotated[int, typer.Option(help="How many homes, on four gateways.")] = 50,
    seed: Annotated[int, typer.Option(help="Draws people, balances and registers.")] = 1,
    as_json: AsJson = False,
    out: Out = None,
    force: Force = False,
    verbose: Verbose = False,
) -> None:
    """Cut a whole street off for days, bring it back, and judge every law.

    Inside: a price change, payments, trips by the gateways' own decision, a restore code typed at a dark home, a
    gateway whose memory is rolled back.
    After it every order that waited must be carried out within 5 s, once, and the ledger equal the registers to the
    micro-unit. Exit code 0: every law held. 1: a law was broken, named with where to look. 2: a number cannot be used.

    Example: fairwatt drill outage --hours 72 --json
    """
    from fairwatt.simulate.outage import outage_drill

    try:
        scenario = outage_drill(hours=hours, homes=homes, seed=seed)
    except ValueError as error:
        typer.echo(f"fairwatt: {error}. Nothing was run.", err=True)
        raise typer.Exit(2) from error
    run_judged(
        scenario,
        as_json=as_json,
        out=out,
        force=force,
        verbose=verbose,
        at_least=_DRILL_HOLDS,
        at_most_s={"return_max_s": _RETURN_S},
    )


@app.command()
def payments(
    count: Annotated[int, typer.Option(help="How many payments.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Draws payers, amounts and faults.")] = 1,
    folder: Annotated[
        Path | None,
        typer.Option(help="Keep the drill there: stopped or killed, the same command goes on with it."),
    ] = None,
    as_json: AsJson = False,
    out: Out = None,
    force: Force = False,
    verbose: Verbose = False,
) -> None:
    """Let many people pay at four platforms while reports double, vanish and overtake each other, and processes die.

    Of the reports 20 % come two to four times, 5 % out of order, 5 % never; web, collector and poster are killed with
    -9 twice each, and two platforms sign with new keys in the middle. The last payments are reported at a steady 200 a
    second and the answers timed. Then the clock moves to the next morning: the bills are fetched and compared.

    Nothing may be lost or doubled: the platforms' own books must equal the ledger, each day agree with its bill, and
    99 % of the timed answers come within 150 ms. Exit code 0: so it was. 1: not, with where to look. 2: a number or a
    folder cannot be used. 130: stopped by Ctrl-C.

    A long drill may be stopped, or its machine may fall: with --folder the same command goes on where it was. The
    folder is removed when every law held.

    Example: fairwatt drill payments --count 100000 --seed 7

    Example: fairwatt drill payments --count 1000000 --seed 7 --folder ./million
    """
    from fairwatt.simulate.paydrill.journal import OtherDrill
    from fairwatt.simulate.paydrill.plan import Plan
    from fairwatt.simulate.paydrill.stage import run_payments_drill

    try:
        plan = Plan.of(count=count, seed=seed)
    except ValueError as error:
        typer.echo(f"fairwatt: {error}. Nothing was run.", err=True)
        raise typer.Exit(2) from error
    if out is not None:
        check_target(out, force=force)
    quiet(verbose)
    screen = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeElapsedColumn(),
        console=screen,
        disable=not screen.is_terminal,
    ) as progress:
        task = progress.add_task("opening", total=count)
        try:
            verdict = run_payments_drill(
                plan=plan,
                folder=folder,
                tell=lambda what, done, total: progress.update(
                    task, description=what, completed=done, total=max(total, 1)
                ),
            )
        except OtherDrill as error:
            typer.echo(f"fairwatt: {error}. Nothing was run; name another folder.", err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt:
            if folder is not None:
                typer.echo("fairwatt: stopped; the same command goes on from here.", err=True)
            raise
    report_verdict(verdict, as_json=as_json, out=out, force=force)
    if not verdict.held:
        raise typer.Exit(LAW_BROKEN)


def _draw(matrix: dict[str, dict[str, int]]) -> None:
    answers = list(next(iter(matrix.values())))
    table = Table("it was \\ said", *(answer.replace("_", " ") for answer in answers), box=None)
    for true, row in matrix.items():
        table.add_row(true.replace("_", " "), *(str(row[answer] or "·") for answer in answers))
    Console().print(table)

"""`fairwatt allocation`: adding a published shared cost up again, without a database."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fairwatt.cli.files import read_text
from fairwatt.core.costs.proof import ProofError, Verdict, read_proof, verify
from fairwatt.core.units import format_money
from fairwatt.server.errors import BadInput

app = typer.Typer(
    no_args_is_help=True,
    help="Shared costs. Example: fairwatt allocation verify stairs.csv. Exit codes 0, 1, 2.",
)


@app.callback()
def allocation() -> None:
    """Shared costs. Example: fairwatt allocation verify stairs.csv. Exit code 0: right. 1: wrong. 2: no such file."""


@app.command("verify")
def verify_file(
    file: Annotated[Path, typer.Argument(help="The JSON or CSV file of a published shared cost.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Work every share of a published cost out again and compare.

    Example: fairwatt allocation verify stairs-2026-11.csv
    Exit code 0: every share is right. 1: a figure is wrong. 2: the file cannot be used.
    """
    verdict = _verdict(file)
    if as_json:
        typer.echo(json.dumps(_as_obj(verdict), ensure_ascii=False))
    else:
        _tell(verdict)
    raise typer.Exit(1 if verdict.faults else 0)


def _verdict(file: Path) -> Verdict:
    try:
        return verify(read_proof(read_text(file)))
    except ProofError as error:
        raise BadInput(f"{file}: {error}. Nothing was compared.") from error


def _tell(verdict: Verdict) -> None:
    total, added = (_money(micro, verdict.currency) for micro in (verdict.total_micro, verdict.sum_micro))
    typer.echo(verdict.title)
    typer.echo(f"{verdict.shares} shares add up to {added}; the total is {total}")
    for fault in verdict.faults:
        typer.echo(f"wrong: {fault}")
    typer.echo("every share is right" if not verdict.faults else f"{len(verdict.faults)} figures are wrong")
    typer.echo(verdict.digest)


def _money(micro: int, currency: str) -> str:
    return format_money(micro=micro, currency=currency, places=6)


def _as_obj(verdict: Verdict) -> dict[str, object]:
    return {
        "title": verdict.title,
        "currency": verdict.currency,
        "shares": verdict.shares,
        "total_micro": verdict.total_micro,
        "sum_micro": verdict.sum_micro,
        "digest": verdict.digest,
        "faults": list(verdict.faults),
        "right": not verdict.faults,
    }

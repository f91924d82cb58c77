"""`fairwatt explain`: why a line of the ledger is what it is, and whether a wallet's chain holds."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from fairwatt.cli.languages import language_named
from fairwatt.server.errors import BadInput, OperatorError


def explain(
    line: Annotated[str, typer.Argument(help="Id of a line, book-wallet-place, such as 1-17-342.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: every step, whole numbers only.")
    ] = False,
    language: Annotated[str, typer.Option(help="Language of the sentence: en or zh.")] = "en",
    replay: Annotated[bool, typer.Option(help="Recompute the wallet's whole chain as well.")] = False,
) -> None:
    """Explain one charge, top-up or correction, recomputed from stored facts.

    Example: fairwatt explain 1-17-342 --language zh
    Exit code 0: works out again. 1: a figure does not, or there is no such line. 2: an option cannot be used.
    """
    from fairwatt.server.wiring import use_django

    spoken = language_named(language)
    use_django(role="auditor")
    from django.utils import translation

    with translation.override(spoken):
        agrees = _explain(line, as_json=as_json, replay=replay)
    raise typer.Exit(0 if agrees else 1)


def _explain(line: str, *, as_json: bool, replay: bool) -> bool:
    from django.utils.translation import gettext

    from fairwatt.flows.explaining.account import account_to_obj
    from fairwatt.flows.explaining.ids import NotALineId, parse_line_id
    from fairwatt.flows.explaining.line import NoSuchLine, explain_line
    from fairwatt.flows.explaining.replay import replay_wallet
    from fairwatt.web.access import Scope, seeing
    from fairwatt.web.design import arithmetic, sentences

    try:
        asked = parse_line_id(line)
        with seeing(scope=Scope(books=(asked.book,))):
            account = explain_line(line_id=asked)
            chain = replay_wallet(book=asked.book, wallet=asked.wallet) if replay else None
    except NotALineId as error:
        raise BadInput(str(error)) from error
    except NoSuchLine as error:
        raise OperatorError(str(error)) from error
    said = sentences.sentence(account=account)
    if as_json:
        obj = {"sentence": said, **account_to_obj(account=account)}
        if chain is not None:
            obj["replay"] = {**asdict(chain), "agrees": chain.agrees}
        typer.echo(json.dumps(obj, ensure_ascii=False))
    else:
        typer.echo(said)
        typer.echo("")
        for step in arithmetic.steps(account=account):
            detail = f"  ({step.detail})" if step.detail else ""
            typer.echo(f"{step.label}: {step.figure}{detail}")
        typer.echo("")
        typer.echo(
            gettext("Works out again, bit for bit.")
            if account.agrees
            else gettext("DOES NOT WORK OUT AGAIN.")
        )
        if chain is not None:
            typer.echo(
                gettext(
                    "Whole wallet: %(lines)d lines, %(charges)d charges rated again; %(wrong)d figures differ."
                )
                % {"lines": chain.lines, "charges": chain.charges, "wrong": chain.wrong}
            )
    return account.agrees and (chain is None or chain.agrees)

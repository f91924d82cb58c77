"""`fairwatt issuer`: the key that signs orders to meters, and one command to change it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from fairwatt.server.config import Config

app = typer.Typer(
    no_args_is_help=True, help="The key that signs orders to meters. Example: fairwatt issuer status"
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show which key signs, and which gateways obey which. Example: fairwatt issuer status --json"""
    _say(_rotation().found(), as_json=as_json)


@app.command()
def rotate(
    user: Annotated[str, typer.Option(help="Your sign-in name; what you do is written down.")],
    why: Annotated[str, typer.Option(help="Why.")] = "change of the issuer's key",
    force: Annotated[
        bool,
        typer.Option("--force", help="Go on without gateways that do not answer: each must then be visited."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take the change of the key its next step, as often as it takes; nothing is done twice.

    First a new key is made and offered to every gateway, signed by the old one. Once all of them obey it, it is
    promoted; restart the head-ends then. Once these have started with it, the old key is withdrawn from the gateways,
    and deleted when the last of them reports that.

    Example: fairwatt issuer rotate --user admin --why "yearly change"

    Exit code 0: the change is complete. 1: something is still to be done; the text says what.
    """
    rotation = _rotation()
    found = rotation.step(user=user, words=why, force=force)
    _say(found, as_json=as_json)
    raise typer.Exit(0 if found["step"] == "complete" else 1)


def _rotation() -> Any:
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    from fairwatt.server.issuer_rotation import Rotation

    return Rotation(Config.load().keys)


def _say(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(found["text"])
    for one in found["behind"]:
        typer.echo(
            f"  book {one['book']}, gateway {one['gateway']}: obeys {one['obeys'] or 'nobody asked yet'}"
        )

"""`fairwatt household`: who shares a home, and who is invited into it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.server.config import Config
from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.store.models import User, Wallet

app = typer.Typer(
    no_args_is_help=True,
    help="Who shares a home. Example: fairwatt household list 4-201 --book 1 --by mei",
)
Home = Annotated[str, typer.Argument(help="Label of the unit.")]
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
By = Annotated[str, typer.Option(help="User name of the resident who does it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def household() -> None:
    """What a resident does on the page "Who shares this home"; the head-end of the book posts it."""


@app.command("list")
def list_(home: Home, book: Book, by: By, as_json: AsJson = False) -> None:
    """List who shares a home, and the open invitations. Instants in microseconds UTC.

    Example: fairwatt household list 4-201 --book 1 --by mei --json
    Exit code 0: done. 2: that person has no such home.
    """
    wallet, person, now_us = _home(home, book, by)
    from fairwatt.flows.household import household_of

    found = household_of(wallet=wallet, user_id=person.pk, now_us=now_us)
    told: dict[str, Any] = {
        "people": [
            {"user": one.user.get_username(), "part": one.role, "since_us": one.start_us}
            for one in found.people
        ],
        "invites": [
            {"invite": one.invite, "name": one.name, "expires_us": one.expires_us} for one in found.invites
        ],
    }
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for one in told["people"]:
        typer.echo(f"{one['part']:<7} {one['user']}")
    for one in told["invites"]:
        typer.echo(f"invited {one['invite']} {one['name']}")


@app.command("invite")
def invite(
    home: Home,
    book: Book,
    by: By,
    name: Annotated[str, typer.Option(help="Who it is for, as a note.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a code that lets one person into a home, once, within three days; it is shown this once.

    Example: fairwatt household invite 4-201 --book 1 --by mei --name grandmother
    Exit code 0: made. 1: refused, and nobody was invited. 2: that person has no such home.
    """
    wallet, person, now_us = _home(home, book, by)
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.household import invite as make

    try:
        code = make(wallet_id=wallet.pk, name=name, user_id=person.pk, now_us=now_us, entropy=os.urandom(10))
    except Refusal as error:
        raise OperatorError(str(error)) from error
    typer.echo(json.dumps({"code": code}) if as_json else code)


@app.command("leave")
def leave(
    home: Home,
    book: Book,
    by: By,
    person: Annotated[str, typer.Option(help="User name of the member; left out: who does it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Leave a home as a member, or take a member out as an owner.

    Example: fairwatt household leave 4-201 --book 1 --by mei --person bo
    Exit code 0: asked for. 1: refused, and nothing changed. 2: that person has no such home.
    """
    wallet, actor, now_us = _home(home, book, by)
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.household import leave_home
    from fairwatt.store.models import User

    gone = User.objects.filter(username=person or by).first()
    if gone is None:
        raise BadInput(f"There is no user {person!r}. Nothing changed.")
    try:
        fact = leave_home(wallet_id=wallet.pk, person_id=gone.pk, user_id=actor.pk, now_us=now_us)
    except Refusal as error:
        raise OperatorError(str(error)) from error
    typer.echo(json.dumps({"fact": fact}) if as_json else f"asked for as fact {fact}")


def _home(home: str, book: int, by: str) -> tuple[Wallet, User, int]:
    """The home as this resident has it, and the present."""
    from fairwatt.server.clock import clock_for
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="web")
    from fairwatt.store.models import User
    from fairwatt.web.access import wallets_of

    now_us = clock_for(config).now_us()
    person = User.objects.filter(username=by).first()
    found = None
    if person is not None:
        mine = wallets_of(user=person, at_us=now_us)
        found = mine.filter(book=book, unit__label=home).first()
    if person is None or found is None:
        raise BadInput(f"{by!r} has no home {home!r} in book {book}. Nothing changed.")
    return found, person, now_us

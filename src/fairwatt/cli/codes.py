"""`fairwatt code`: restore codes and carried payments: made for a home, allowed, made possible at a gateway."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from fairwatt.server.config import Config
from fairwatt.server.errors import BadInput, OperatorError

app = typer.Typer(
    no_args_is_help=True,
    help='Codes typed at a gateway. Example: fairwatt code issue --home 4-201 --book 1 --by admin --reason "card lost"',
)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str, typer.Option(help="User name of the administrator who does it.")]


@app.callback()
def code() -> None:
    """What works with no line to anybody: sixteen digits for hours of supply, twenty that carry a payment."""


@app.command()
def issue(
    home: Annotated[str, typer.Option(help="Label of the unit.")],
    book: Book,
    by: By,
    reason: Annotated[str, typer.Option(help="Why this home needs it.")],
    hours: Annotated[int, typer.Option(help="1, 2, 4, 8, 12, 24, 48 or 72.")] = 24,
    meter: Annotated[int, typer.Option(help="Number of the meter, where the home has several.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Issue a code for a home; the head-end of the book makes it and must run. It is shown once.

    Example: fairwatt code issue --home 4-201 --book 1 --by admin --hours 24 --reason "card lost"
    """
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="migrate")
    from fairwatt.core.commands.restore_code import grouped
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.restore_codes import KIND, ask_restore_code, show_restore_code

    person, installation = _who_and_where(book=book, by=by, home=home, meter=meter)
    try:
        fact = ask_restore_code(
            book_id=book,
            installation_id=installation,
            hours=hours,
            reason=reason,
            user_id=person,
            now_us=_now_us(config),
            entropy=os.urandom(10),
        )
        _wait_for(book=book, fact=fact, author=person, kind=KIND)
        digits = show_restore_code(book_id=book, fact_id=fact, user_id=person, now_us=_now_us(config))
    except Refusal as error:
        raise OperatorError(str(error)) from error
    told = {"home": home, "hours": hours, "code": digits}
    typer.echo(
        json.dumps(told)
        if as_json
        else f"{grouped(digits)}\n{hours} h for {home}; it works once, within 3 days."
    )


@app.command()
def carry(
    home: Annotated[str, typer.Option(help="Label of the unit.")],
    book: Book,
    by: Annotated[str, typer.Option(help="User name of the operator or administrator who does it.")],
    receipt: Annotated[int, typer.Option(help="Number of the payment's receipt.", min=1)],
    meter: Annotated[int, typer.Option(help="Number of the meter, where the home has several.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Put a payment into 20 digits (an STS token), for a home whose gateway has no line: typed there, it counts there.

    The payment is in the ledger already and counts once. The head-end of the book makes the token and must run.
    Example: fairwatt code carry --home 4-201 --book 1 --by chen --receipt 812
    """
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="migrate")
    from fairwatt.core.commands.carried_payment import TYPED_WITHIN_DAYS
    from fairwatt.core.commands.restore_code import grouped
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.carry_payment import KIND, ask_token, show_token

    person, installation = _who_and_where(book=book, by=by, home=home, meter=meter)
    try:
        fact = ask_token(
            book_id=book,
            installation_id=installation,
            receipt=receipt,
            user_id=person,
            now_us=_now_us(config),
            entropy=os.urandom(10),
        )
        _wait_for(book=book, fact=fact, author=person, kind=KIND)
        digits = show_token(book_id=book, fact_id=fact, user_id=person, now_us=_now_us(config))
    except Refusal as error:
        raise OperatorError(str(error)) from error
    told = {"home": home, "receipt": receipt, "code": digits}
    typer.echo(
        json.dumps(told)
        if as_json
        else f"{grouped(digits)}\nCarries receipt {receipt} to {home}; it works once, within {TYPED_WITHIN_DAYS} days "
        "of the payment, until the gateway has heard of it."
    )


def _who_and_where(*, book: int, by: str, home: str, meter: int) -> tuple[int, int]:
    """(user, installation). Raises BadInput."""
    from fairwatt.store.models import Installation, User

    person = User.objects.filter(username=by).first()
    works = Installation.objects.filter(wallet__book=book, unit__label=home, closed_us__isnull=True)
    found = list(works.filter(meter__number=meter) if meter else works)
    if person is None or len(found) != 1:
        raise BadInput(
            f"There is no user {by!r}, or {len(found)} meters are at work in {home!r} of book {book}; name one with "
            "--meter. No code was made."
        )
    return person.pk, found[0].pk


def _wait_for(*, book: int, fact: int, author: int, kind: str) -> None:
    """Wait until the head-end left the digits. Raises OperatorError."""
    from django.db import connection, transaction

    from fairwatt.server.couriering import wait_until
    from fairwatt.store import facts, restore_codes

    def answered() -> bool:
        with transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=book)
            told = restore_codes.answer_to(cursor=cursor, book=book, fact=fact, author=author, kind=kind)
        if told is not None and told.state == "refused":
            raise OperatorError(f"The head-end made no code: {told.code}. See docs/runbooks/gateways.md.")
        return told is not None and told.state == "ready"

    if not wait_until(answered, within_s=20):
        raise OperatorError(f"The head-end of book {book} does not answer; no code was shown. Is it running?")


@app.command()
def policy(
    book: Book,
    by: By,
    hours_max: Annotated[int, typer.Option(help="Most hours of a code; 0 allows none.", min=0, max=72)] = 24,
    per_month: Annotated[int, typer.Option(help="Most codes a home in 30 days.", min=0, max=31)] = 3,
) -> None:
    """Say how long a code may last and how many a home may get. Example: fairwatt code policy --book 1 --by admin
    --hours-max 48 --per-month 2"""
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="migrate")
    from django.db import connection, transaction

    from fairwatt.store import facts, restore_codes

    wanted = restore_codes.RestorePolicy(hours_max, per_month)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book)
        restore_codes.set_policy(cursor=cursor, book=book, policy=wanted, author=by, now_us=_now_us(config))
    typer.echo(
        f"Codes of book {book} last {hours_max} h at most, {per_month} a home in 30 days, from now on."
    )


@app.command()
def key(
    gateway: Annotated[str, typer.Option(help="The gateway's name in the books.")],
    out: Annotated[Path, typer.Option(help="New file (0600): the code_key of its edge.toml.")],
) -> None:
    """Write the secret that lets one gateway judge codes; at commissioning, and carried there by a safe way.

    Example: fairwatt code key --gateway gw1 --out restore.key
    """
    from fairwatt.server.code_keys import code_keys

    secret = code_keys(Config.load()).gateway_secret(gateway)
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret.hex() + "\n")
    except FileExistsError as error:
        raise BadInput(f"{out} exists already. Nothing was written; choose another name.") from error
    typer.echo(f"The key of {gateway} is in {out}; it opens no other gateway's meters.")


def _now_us(config: Config) -> int:
    from fairwatt.server.clock import clock_for

    return clock_for(config).now_us()

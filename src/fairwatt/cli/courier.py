"""`fairwatt courier`: what a person carries to a gateway without a line, and brings from it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from fairwatt.server.config import Config
from fairwatt.server.errors import BadInput, OperatorError

app = typer.Typer(
    no_args_is_help=True,
    help="What is carried to a gateway without a line. Example: fairwatt courier take --gateway gw1 --out bag",
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Gateway = Annotated[str, typer.Option("--gateway", help="The gateway's name in the books.")]
RIGHTS = {"look": 1, "code": 2, "restore": 4, "courier": 8}


@app.callback()
def courier() -> None:
    """Take signed orders to a gateway, bring its readings. A courier can lose a bag; he can bend nothing unnoticed."""


@app.command()
def take(
    gateway: Gateway, out: Annotated[Path, typer.Option(help="File to write.")], as_json: AsJson = False
) -> None:
    """Write what a gateway should hear: its open signed orders, and how far its records are stored.

    Example: fairwatt courier take --gateway gw1 --out gw1.bag, and there: fairwatt edge courier --tcp 10.0.0.7:7420
    --pass lin.pass load gw1.bag
    """
    from fairwatt.server.keys import ISSUER, issuer_kid, load_private_key
    from fairwatt.server.wiring import use_django

    config = Config.load()
    key = load_private_key(config.keys, name=ISSUER)
    use_django(role="poster")
    from fairwatt.flows.couriers import BagRefused, pack_bag
    from fairwatt.wire.courier import encode_bag

    try:
        bag = pack_bag(gateway=gateway, key=key, kid=issuer_kid(key.public_key()), now_us=_now_us(config))
    except BagRefused as error:
        raise OperatorError(str(error)) from error
    out.write_bytes(encode_bag(bag))
    told = {
        "gateway": gateway,
        "orders": len(bag.commands),
        "acknowledges": bag.ack is not None,
        "file": str(out),
    }
    _tell(told, f"{len(bag.commands)} orders for {gateway} are in {out}.", as_json)


@app.command()
def bring(
    file: Annotated[Path, typer.Argument(help="The bag from the gateway.", exists=True)],
    wait_s: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for the head-end to store it.")
    ] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Hand in what was carried out of a gateway; bringing it twice changes nothing.

    Exit code 0: stored. 1: refused, a part is missing, or not stored in time. Example: fairwatt courier bring gw1.bag
    """
    from fairwatt.server.couriering import run_publish, wait_until
    from fairwatt.server.wiring import use_django
    from fairwatt.wire.courier import BagUnreadable, FromGateway, decode_bag

    config = Config.load()
    try:
        bag = decode_bag(file.read_bytes())
    except BagUnreadable as error:
        raise BadInput(str(error)) from error
    if not isinstance(bag, FromGateway):
        raise BadInput(f"{file} goes to a gateway; load it there. Nothing was stored.")
    use_django(role="poster")
    from fairwatt.flows.couriers import BagRefused, is_stored, look_through

    try:
        brought = look_through(bag=bag)
    except BagRefused as error:
        raise OperatorError(str(error)) from error
    run_publish(url=config.backbone_url(), subject=brought.subject, frames=brought.frames)
    stored = wait_until(lambda: is_stored(brought=brought), within_s=wait_s)
    told = {
        "gateway": bag.gateway,
        "frames": len(brought.frames),
        "up_to": brought.reaches,
        "stored": stored,
        "missing": [list(span) for span in brought.missing],
    }
    words = f"{len(brought.frames)} frames of {bag.gateway} " + (
        f"are stored up to record {brought.reaches}."
        if stored
        else "are in the log; its head-end has not stored them yet."
    )
    if brought.missing:
        spans = ", ".join(f"{first}-{last}" for first, last in brought.missing)
        words += f" The bag lacks records {spans}; the gateway still has them, fetch it again."
    _tell(told, words, as_json)
    raise typer.Exit(0 if stored and not brought.missing else 1)


@app.command()
def permit(
    gateway: Annotated[
        list[str], typer.Option("--gateway", help="A gateway of one site; give it again for more.")
    ],
    who: Annotated[str, typer.Option(help="Whose permit it is.")],
    out: Annotated[Path, typer.Option(help="New file for permit and key; give it to nobody else.")],
    by: Annotated[str, typer.Option(help="User name of the administrator who permits it.")],
    may: Annotated[
        str, typer.Option(help="look, code, restore, courier; several with commas.")
    ] = "look,courier",
    meter: Annotated[
        list[int] | None, typer.Option("--meter", help="Only these meters; a resident's permit.")
    ] = None,
    hours: Annotated[int, typer.Option(help="How long it is good.", min=1, max=24 * 31)] = 8,
    restore_hours: Annotated[int, typer.Option(help="Most hours of one restore.", min=0, max=72)] = 24,
    as_json: AsJson = False,
) -> None:
    """Sign a permit to walk up to gateways. It leaves an event in the book.

    Example: fairwatt courier permit --gateway gw1 --who Lin --by admin --out lin.pass --may look,courier
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from fairwatt.edge.local.visitor import Pass, write_pass
    from fairwatt.server.keys import ISSUER, issuer_kid, load_private_key
    from fairwatt.server.wiring import use_django
    from fairwatt.wire.permits import sign_permit

    config = Config.load()
    rights = [name.strip() for name in may.split(",")]
    if strange := [name for name in rights if name not in RIGHTS]:
        raise BadInput(f"{strange[0]!r} is no right; there are {', '.join(RIGHTS)}. Nothing was signed.")
    issuer, holder = load_private_key(config.keys, name=ISSUER), Ed25519PrivateKey.generate()
    use_django(role="migrate")
    from fairwatt.flows.permits import PermitRefused, give_permit

    try:
        given = give_permit(
            gateways=gateway,
            holder=who,
            holder_key=holder.public_key().public_bytes_raw(),
            meters=meter or [],
            rights=sum(RIGHTS[name] for name in set(rights)),
            hours_max=restore_hours,
            last_us=hours * 3_600_000_000,
            author=by,
            now_us=_now_us(config),
            serial=os.urandom(16),
        )
    except PermitRefused as error:
        raise OperatorError(str(error)) from error
    try:
        write_pass(
            out, Pass(sign_permit(permit=given, key=issuer, kid=issuer_kid(issuer.public_key())), holder)
        )
    except FileExistsError as error:
        raise BadInput(f"{out} exists already. Nothing was written; choose another name.") from error
    until = datetime.fromtimestamp(given.until_us / 1e6, tz=UTC).isoformat(timespec="minutes")
    told = {"serial": given.serial.hex(), "holder": who, "gateways": gateway, "may": rights, "until": until}
    _tell(
        told,
        f"{who} may {', '.join(rights)} at {', '.join(gateway)} until {until}; the pass is {out}.",
        as_json,
    )


def _tell(told: Mapping[str, object], words: str, as_json: bool) -> None:
    typer.echo(json.dumps(told) if as_json else words)


def _now_us(config: Config) -> int:
    from fairwatt.server.clock import clock_for

    return clock_for(config).now_us()

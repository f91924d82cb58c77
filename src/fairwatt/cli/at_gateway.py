"""`fairwatt edge code|pin|courier`: what is done at a gateway itself."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.cli.files import read_bytes
from fairwatt.edge.tables import PORT_MAX
from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.edge.local.visitor import Visitor

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The gateway's settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Language = Annotated[str, typer.Option("--lang", help="en or zh.")]


def code(
    meter: Annotated[int, typer.Argument(help="Number of the meter.", min=1)],
    text: Annotated[list[str], typer.Argument(help="The code, with blanks or without.")],
    config: ConfigFile = Path("edge.toml"),
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Type a restore code (16 digits) or the token of a payment (20) for a meter of the gateway that runs here.

    Works with no line to anybody. Exit code 0: accepted. 1: refused, and why. 2: the agent does not run here.
    Example: fairwatt edge code 100 1234 5678 9012 3456 --config edge.toml
    """
    from fairwatt.edge.config import ConfigError
    from fairwatt.edge.local.answers import Answer, sentence
    from fairwatt.edge.local.desk import Op
    from fairwatt.edge.settings_file import load

    spoken = _language(language)  # before anything is typed: a code is used up once
    try:
        found = load(config)
    except ConfigError as error:
        raise BadInput(str(error)) from error
    if found.local is None or found.local.socket is None:
        raise BadInput(
            f"{config} has no [local] table, so this gateway takes no codes. Add one and start it again."
        )
    value = asyncio.run(_ask_owner(found.local.socket, Op.CODE, [meter, " ".join(text)]))
    answer = Answer(*value)
    words = sentence(answer, language=spoken, zone=found.zone)
    told = {"meter": meter, **answer._asdict(), "text": words}
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else words)
    raise typer.Exit(0 if answer.accepted else 1)


async def _ask_owner(path: Path, op: int, args: list[object]) -> Any:
    from fairwatt.wire import cbor
    from fairwatt.wire.local_frames import HANDSHAKE_BYTES, Framer, frame

    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:
        raise BadInput(f"No agent listens at {path} ({error}). Start it with fairwatt edge run.") from error
    try:
        writer.write(frame(cbor.encode([1, int(op), args])))
        framer = Framer()
        async with asyncio.timeout(90):
            while data := await reader.read(4096):
                for payload in framer.feed(data):
                    value = cbor.decode(payload, max_bytes=HANDSHAKE_BYTES, what="the agent's answer")
                    _, refused, said = cbor.array(value, length=3, what="the agent's answer")
                    if refused is not None:
                        raise OperatorError(f"{said} ({refused}).")
                    return said
    except TimeoutError:
        raise OperatorError("The agent does not answer. What it did so far it will not do twice.") from None
    finally:
        writer.close()
    raise OperatorError("The agent ended the link. What it did so far it will not do twice.")


def pin(
    meter: Annotated[int, typer.Argument(help="Number of the meter.", min=1)],
    name: Annotated[str, typer.Argument(help="Name of the home, as on its door.")],
) -> None:
    """Print the lines of one home for homes.toml; the PIN is asked for and only its hash is written.

    Example: fairwatt edge pin 100 4-201 >> homes.toml
    """
    from fairwatt.edge.local.homes import PIN_DIGITS_MIN, hash_pin

    said = getpass.getpass("PIN: ")
    if len(said) < PIN_DIGITS_MIN or said != getpass.getpass("Again: "):
        raise BadInput(
            f"A PIN has {PIN_DIGITS_MIN} signs or more, and both are the same. Nothing was written."
        )
    hashed = hash_pin(said, salt=os.urandom(16))
    typer.echo(
        f'[[home]]\nmeter = {meter}\nname = {json.dumps(name, ensure_ascii=False)}\npin = "{hashed}"\n'
    )


def courier(
    what: Annotated[str, typer.Argument(help="load, unload, look, code or restore.")],
    rest: Annotated[
        list[str] | None, typer.Argument(help="load|unload FILE, code METER DIGITS, restore METER HOURS.")
    ] = None,
    holds: Annotated[Path, typer.Option("--pass", help="Your pass: permit and key.")] = Path("courier.pass"),
    tcp: Annotated[str, typer.Option(help="The gateway's host:port.")] = "",
    serial: Annotated[str, typer.Option(help="The serial device you are plugged into.")] = "",
    ble: Annotated[str, typer.Option(help="The gateway's Bluetooth address (needs the extra ble).")] = "",
    baud: Annotated[int, typer.Option(help="Speed of the serial line.")] = 115_200,
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Stand before a gateway: carry orders in, carry readings out, look, type a code, restore on your permit.

    Examples: fairwatt edge courier --tcp 10.0.0.7:7420 --pass lin.pass load gw1.bag
    fairwatt edge courier --serial /dev/ttyUSB0 --pass lin.pass unload gw1.out

    Exit code 0: done. 1: the gateway refused or did not answer. 2: an argument cannot be used.
    """
    from fairwatt.edge.local.visitor import PassUnusable, Silent
    from fairwatt.wire.courier import BagUnreadable
    from fairwatt.wire.errors import FrameError
    from fairwatt.wire.local import LocalRefused

    try:
        told, words = asyncio.run(
            _visit(what, rest or [], holds, (tcp, serial, ble, baud), _language(language))
        )
    except (PassUnusable, BagUnreadable) as error:
        raise BadInput(str(error)) from error
    except (LocalRefused, FrameError, Silent) as error:
        raise OperatorError(f"{error}.") from error
    except OSError as error:
        raise OperatorError(
            f"The line broke ({error}). What was done so far is not done twice: do it again."
        ) from error
    typer.echo(json.dumps(told, ensure_ascii=False, default=str) if as_json else words)
    raise typer.Exit(0 if told.get("done", True) else 1)


async def _visit(
    what: str, rest: list[str], holds: Path, way: tuple[str, str, str, int], language: str
) -> tuple[dict[str, Any], str]:
    from fairwatt.edge.local.visitor import Visitor, read_pass

    wanted = {"load": 1, "unload": 1, "look": 0, "code": 2, "restore": 2}
    if what not in wanted or len(rest) < wanted[what]:
        raise BadInput(
            "Say load FILE, unload FILE, look, code METER DIGITS or restore METER HOURS. Nothing was sent."
        )
    one = read_pass(holds)
    async with _streams(*way) as (reader, writer):
        visitor = await Visitor.enter(reader=reader, writer=writer, holds=one)
        match what:
            case "load":
                return await _load(visitor, Path(rest[0]))
            case "unload":
                return await _unload(visitor, Path(rest[0]))
            case "look":
                return await _look(visitor)
            case _:
                return await _restore(visitor, what, rest, language)


@asynccontextmanager
async def _streams(tcp: str, serial: str, ble: str, baud: int) -> AsyncIterator[tuple[Any, Any]]:
    from fairwatt.edge.local.streams import serial_streams

    if sum(map(bool, (tcp, serial, ble))) != 1:
        raise BadInput("Say one way: --tcp HOST:PORT, --serial DEVICE or --ble ADDRESS. Nothing was sent.")
    streams: tuple[Any, Any]
    async with AsyncExitStack() as stack:
        try:
            if ble:
                from fairwatt.edge.local.ble_visitor import ble_streams

                streams = await stack.enter_async_context(ble_streams(ble))
            else:
                streams = await (_call(tcp) if tcp else serial_streams(serial, baud=baud))
                stack.callback(streams[1].close)
        except OSError as error:
            raise OperatorError(
                f"The gateway is not reached at {tcp or serial or ble} ({error}). Nothing was sent and supply is as it "
                "was; compare the way with [local] of its edge.toml, and see that you are on its network or plugged in."
            ) from error
        yield streams


async def _call(tcp: str) -> tuple[Any, Any]:
    host, _, port = tcp.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= PORT_MAX:
        raise BadInput(f"{tcp!r} is no host:port. Nothing was sent; write it as 10.0.0.7:7420.")
    return await asyncio.open_connection(host.strip("[]"), int(port))


async def _load(visitor: Visitor, file: Path) -> tuple[dict[str, Any], str]:
    from fairwatt.wire.courier import ToGateway, decode_bag

    bag = decode_bag(read_bytes(file))
    if not isinstance(bag, ToGateway) or bag.gateway != visitor.welcome.gateway:
        raise BadInput(f"{file} is not for gateway {visitor.welcome.gateway}. Nothing was sent.")
    loaded = await visitor.load(bag)
    words = (
        f"Messages taken: {loaded.taken}, refused: {loaded.refused}. "
        f"Records it need not keep now: {loaded.forgotten}."
    )
    return {**loaded._asdict(), "done": not loaded.refused}, words


async def _unload(visitor: Visitor, file: Path) -> tuple[dict[str, Any], str]:
    from fairwatt.wire.courier import encode_bag

    bag = await visitor.unload()
    try:
        file.write_bytes(encode_bag(bag))
    except OSError as error:
        raise BadInput(
            f"{file} cannot be written ({error.strerror}). The gateway keeps everything; name another file."
        ) from error
    told = {"gateway": bag.gateway, "frames": len(bag.frames), "file": str(file)}
    return (
        told,
        f"All that {bag.gateway} keeps is in {file} (frames: {len(bag.frames)}). It keeps its copy until that is "
        f"stored: hand it in with fairwatt courier bring {file}.",
    )


async def _look(visitor: Visitor) -> tuple[dict[str, Any], str]:
    from fairwatt.edge.local.look import kwh, money

    seen = await visitor.look()
    homes = [home._asdict() for home in seen.homes]
    lines = [f"{seen.gateway}, records that wait: {seen.waiting}"]
    for home in seen.homes:
        state = {0: "off", 1: "on"}.get(home.relay, "?")
        register = "not read yet" if home.register_wh is None else kwh(home.register_wh)
        left = (
            "no account here"
            if home.available_micro is None
            else f"{money(home.available_micro, currency='')} left"
        )
        lines.append(f"{home.home:<16} {state:<4} {register:>16}  {left}")
    return {"gateway": seen.gateway, "waiting": seen.waiting, "homes": homes}, "\n".join(lines)


async def _restore(visitor: Visitor, what: str, rest: list[str], language: str) -> tuple[dict[str, Any], str]:
    from fairwatt.edge.local.answers import sentence

    if not rest[0].isdecimal() or (what == "restore" and not rest[1].isdecimal()):
        raise BadInput("A meter and hours are numbers. Nothing was sent.")
    if what == "code":
        answer = await visitor.type_code(meter=int(rest[0]), text=" ".join(rest[1:]))
    else:
        answer = await visitor.restore(meter=int(rest[0]), hours=int(rest[1]))
    words = sentence(answer, language=language, zone="UTC")
    return {**answer._asdict(), "text": words, "done": answer.accepted}, words


def _language(said: str) -> str:
    if said not in ("en", "zh"):
        raise BadInput(f"Language {said[:20]!r} is not spoken here; take en or zh. Nothing was sent.")
    return said


def add_to(app: typer.Typer) -> None:
    """Put these commands beside the other ones of the agent."""
    app.command("code")(code)
    app.command("pin")(pin)
    app.command("courier")(courier)

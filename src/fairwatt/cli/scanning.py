"""`fairwatt edge scan`: who is on a bus."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.drivers.profile import MeterProfile
    from fairwatt.edge.config import BusConfig
    from fairwatt.edge.scan import Heard, Progress

_WORDS = {
    "": "",
    "shared": "two meters answer to this address: give one of them another before anything is charged",
    "spoiled": "answers never came whole: a bad line, or two meters with this address",
    "refused": "answers, but has no such register: another model than the profile",
    "unreadable": "answers, but not as the profile reads it: another model, or two with this address",
}


def scan(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The gateway's settings: its buses are scanned.")
    ] = None,
    bus: Annotated[str, typer.Option("--bus", help="Only this bus of the settings.")] = "",
    host: Annotated[str, typer.Option(help="A TCP converter, without settings.")] = "",
    port: Annotated[int, typer.Option(help="Its port.", min=0, max=65535)] = 0,
    serial: Annotated[str, typer.Option(help="A serial port, without settings.")] = "",
    baud: Annotated[int, typer.Option(help="Its speed.", min=300)] = 2400,
    parity: Annotated[str, typer.Option(help="none, even or odd.")] = "even",
    profile: Annotated[
        list[str] | None, typer.Option(help="Meter model to look for; may be said again.", show_default=False)
    ] = None,
    wait_ms: Annotated[int, typer.Option("--wait-ms", help="How long each answer may take.", min=5)] = 800,
    thorough: Annotated[
        bool,
        typer.Option("--thorough", help="Also look behind a meter that answers alone: 100 questions more."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find the meters on a bus: DL/T 645 by wildcards, Modbus units and M-Bus primary addresses one by one.

    Nothing is changed in any meter. The agent must not run on the same bus. Exit code 0: every meter of the settings
    answered (or, without settings, somebody did) and none is in doubt. 1: somebody is missing or in doubt, or the
    line failed. 2: an option cannot be used.

    Examples: fairwatt edge scan --config edge.toml; fairwatt edge scan --serial /dev/ttyUSB0;
    fairwatt edge scan --host 10.0.0.7 --port 8899 --profile modbus_single_phase --json
    """
    from fairwatt.cli.buses import by_hand, of_settings

    if config is not None and (host or serial):
        raise BadInput(
            "Give --config, or a line by --host and --port or --serial, not both. Nothing was asked."
        )
    if config is None and not (host or serial):
        config = Path("edge.toml")
    buses = (
        by_hand(host=host, port=port, device=serial, baud=baud, parity=parity)
        if config is None
        else of_settings(config, bus)
    )
    told = [
        one
        for each in buses
        for one in asyncio.run(_scan_one(each, profile or [], wait_ms=wait_ms, thorough=thorough))
    ]
    if as_json:
        typer.echo(json.dumps({"buses": told}, ensure_ascii=False))
    else:
        _show(told)
    found = any(one["meters"] for one in told)
    doubt = any(
        one["gave_up"] or any(m["state"] == "silent" or m["trouble"] for m in one["meters"]) for one in told
    )
    raise typer.Exit(0 if found and not doubt else 1)


async def _scan_one(
    config: BusConfig, profiles: list[str], *, wait_ms: int, thorough: bool
) -> list[dict[str, Any]]:
    from dataclasses import replace

    from fairwatt.drivers.contract import DriverError
    from fairwatt.drivers.profile import load_profile
    from fairwatt.edge.bus import Bus
    from fairwatt.edge.config import DEFAULT_PROFILE
    from fairwatt.edge.scan import can_scan, scan_bus

    keys = profiles or sorted({meter.profile for meter in config.meters}) or [DEFAULT_PROFILE]
    line = Bus(config=replace(config, reply_within_ms=wait_ms, attempts=1))
    told = []
    try:
        # One search finds every model of a protocol that has wildcards; the others are asked for their own register.
        models: dict[str, MeterProfile] = {}
        for key in keys:
            model = load_profile(key=key)
            if not can_scan(protocol=model.protocol):
                raise BadInput(
                    f"Meters of {key} ({model.protocol}) cannot be looked for. Nothing was asked; enter their "
                    "addresses by hand."
                )
            models.setdefault(model.protocol, model)
        for protocol, model in models.items():
            known = {m.address: m for m in config.meters if load_profile(key=m.profile).protocol == protocol}
            found = await scan_bus(
                bus=line, profile=model, known=known, thorough=thorough, progress=_progress(config.name)
            )
            told.append(
                {
                    "bus": config.name,
                    "protocol": protocol,
                    "questions": found.questions,
                    "gave_up": found.gave_up,
                    "meters": _rows(found.meters, known, protocol),
                }
            )
    except DriverError as error:
        raise OperatorError(
            f"{error}. No meter was changed; mend the line or the profile and scan again."
        ) from error
    finally:
        line.close()
        if sys.stderr.isatty():
            print(file=sys.stderr)
    return told


def _progress(bus: str) -> Progress:
    def told(asked: int, found: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{bus}: {asked} questions, {found} meters", end="", file=sys.stderr, flush=True)
        elif asked % 50 == 0:
            print(f"{bus}: {asked} questions, {found} meters", file=sys.stderr, flush=True)

    return told


def _rows(heard: tuple[Heard, ...], known: dict[str, Any], protocol: str) -> list[dict[str, Any]]:
    wide = 12 if protocol.startswith("dlt645") else 0
    numbers = {address.upper().zfill(wide): meter.number for address, meter in known.items()}
    rows = [
        {
            "address": one.address,
            "state": "configured" if one.address in numbers else "new",
            "meter": numbers.get(one.address),
            "register": one.register_wh,
            "trouble": one.trouble,
        }
        for one in heard
    ]
    silent = sorted(numbers.keys() - {one.address for one in heard})
    return rows + [
        {"address": one, "state": "silent", "meter": numbers[one], "register": None, "trouble": ""}
        for one in silent
    ]


def _show(told: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for bus in told:
        answering = sum(one["state"] != "silent" for one in bus["meters"])
        console.print(
            f"{bus['bus']}, {bus['protocol']}: {answering} meters answer, {bus['questions']} questions",
            highlight=False,
        )
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in ("address", "state", "meter", "Wh or l", ""):
            table.add_column(column, justify="right" if column in ("meter", "Wh or l") else "left")
        for one in bus["meters"]:
            words = _WORDS.get(one["trouble"], one["trouble"])
            if one["state"] == "silent":
                words = "in the settings, but does not answer: look at its wiring, power and address"
            shown = ("" if one[name] is None else str(one[name]) for name in ("meter", "register"))
            table.add_row(one["address"], one["state"], *shown, words)
        console.print(table)
        if bus["gave_up"]:
            console.print("! The line is too noisy to come to an end: mend it and scan again.", style="red")

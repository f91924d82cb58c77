"""`fairwatt edge map`: which meter is in which room, checked before anybody is charged by it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairwatt.cli.files import read_text
from fairwatt.server.errors import BadInput

if TYPE_CHECKING:
    from fairwatt.edge.room_map import Row


def rooms(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with room,bus,address and, if wanted, number,profile,ct_primary,ct_secondary."
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The gateway's settings: their buses are the known ones."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a map of rooms and meters line by line, and print the tables (\\[\\[bus.meter]]) it makes for edge.toml.

    Nothing is changed. Passwords are not in a map: add them to the tables. Exit code 0: every line is good. 1: some
    are not, each is named, and no table is printed. 2: the file cannot be read.

    Examples: fairwatt edge map rooms.csv --config edge.toml; fairwatt edge map rooms.csv --json | jq .faults
    """
    from fairwatt.edge.room_map import read_map

    rows, faults = read_map(text=read_text(file), buses=_buses(config))
    if as_json:
        told = {"rows": [asdict(row) for row in rows], "faults": [asdict(fault) for fault in faults]}
        typer.echo(json.dumps(told, ensure_ascii=False))
    elif faults:
        for fault in faults:
            typer.echo(f"{file}, line {fault.line}: {fault.text}")
        typer.echo(f"{len(faults)} lines are wrong, {len(rows)} are good. Nothing was made of any.")
    else:
        typer.echo(_tables(rows))
    raise typer.Exit(1 if faults else 0)


def _buses(config: Path | None) -> list[str]:
    from fairwatt.edge.config import ConfigError
    from fairwatt.edge.settings_file import load

    if config is None:
        return []
    try:
        return [bus.name for bus in load(config).buses]
    except ConfigError as error:
        raise BadInput(str(error)) from error


def _tables(rows: list[Row]) -> str:
    """TOML for each bus; names are JSON strings, which TOML reads the same."""
    from fairwatt.core.metering.transformer import DIRECT

    parts = []
    for bus in dict.fromkeys(row.bus for row in rows):
        parts.append(f"# below [[bus]] of bus {json.dumps(bus, ensure_ascii=False)}")
        for row in rows:
            if row.bus == bus:
                room = json.dumps(row.room, ensure_ascii=False)
                parts.append(
                    f"[[bus.meter]]  # room {room}\nnumber = {row.number}\naddress = {json.dumps(row.address)}\n"
                    f"profile = {json.dumps(row.profile)}"
                    + ("" if row.transformer == DIRECT else f"  # behind transformers {row.transformer}")
                )
    return "\n".join(parts)

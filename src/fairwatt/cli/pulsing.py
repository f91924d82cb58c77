"""`fairwatt edge pulse`: prove with a kettle that a meter is this room's."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.edge.pulse import PulseRun


def pulse(
    config: Annotated[Path, typer.Option("--config", "-c", help="The gateway's settings.")] = Path(
        "edge.toml"
    ),
    watts: Annotated[int, typer.Option(help="What the load takes: 2000 for a kettle.", min=300)] = 2000,
    bus: Annotated[str, typer.Option("--bus", help="Only the meters of this bus.")] = "",
    expect: Annotated[
        int | None, typer.Option(help="Number of the meter it should be; another is exit code 1.")
    ] = None,
    slack_ms: Annotated[
        int, typer.Option("--slack-ms", help="How late a hand may switch, and a meter show it.", min=100)
    ] = 3_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON at the end.")] = False,
) -> None:
    """Say when to switch a known load on and off in a room, and which meter saw it.

    Stand in the room with a kettle full of water. About 100 seconds with quick buses; words on stderr. The agent must
    not run meanwhile. Exit code 0: one meter is proven (and is the expected one). 1: none, several, or another; do
    it again, or look at the wiring. 2: an option cannot be used.

    Examples: fairwatt edge pulse --config edge.toml --watts 2000; fairwatt edge pulse --expect 202700000001 --json
    """
    from fairwatt.cli.buses import of_settings
    from fairwatt.core.insight.pulse import PulseError, Verdict
    from fairwatt.drivers.contract import DriverError
    from fairwatt.edge import pulse as live

    buses = of_settings(config, bus)
    known = {meter.number for each in buses for meter in each.meters}
    if expect is not None and expect not in known:
        raise BadInput(f"{config} has no meter {expect} there. Nothing was asked; name one of its meters.")
    _say(f"{len(known)} meters are watched. Leave everything as it is and wait for the word.")
    try:
        run = asyncio.run(live.pulse(buses=buses, watts=watts, say=_switch, slack_ms=slack_ms))
    except (DriverError, PulseError) as error:
        raise OperatorError(
            f"The test was broken off: {error}. No meter was changed; do it again."
        ) from error
    right = run.result.verdict is Verdict.PROVEN and expect in (None, run.result.meter)
    if as_json:
        typer.echo(json.dumps(_told(run, expect, right=right)))
    else:
        typer.echo(_sentence(run, expect))
    raise typer.Exit(0 if right else 1)


async def _switch(on: bool) -> None:
    _say("Switch ON now." if on else "Switch OFF now.")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _told(run: PulseRun, expect: int | None, *, right: bool) -> dict[str, Any]:
    result = run.result
    return {
        "verdict": result.verdict,
        "meter": result.meter,
        "confidence_per_mille": result.confidence_per_mille,
        "expected": expect,
        "as_expected": right,
        "close": list(result.close),
        "slack_ms": run.slack_ms,
        "without_power": list(run.without_power),
        "candidates": [asdict(one) for one in result.candidates],
    }


def _sentence(run: PulseRun, expect: int | None) -> str:
    from fairwatt.core.insight.pulse import Verdict

    result = run.result
    if result.verdict is Verdict.PROVEN:
        sure = f"{result.confidence_per_mille // 10}.{result.confidence_per_mille % 10} %"
        proven = f"Meter {result.meter} is this room's: it took every step, no other did (confidence {sure})."
        if expect in (None, result.meter):
            return proven
        return (
            f"{proven} Meter {expect} was expected: the map or the wiring is wrong, and this room would pay for "
            "another. Mend it before the home is opened."
        )
    unheard = [str(one.meter) for one in result.candidates if not one.seen]
    silent = f" Not heard often enough to judge: {', '.join(unheard)}." if unheard else ""
    if result.verdict is Verdict.AMBIGUOUS:
        names = ", ".join(map(str, result.close))
        return (
            f"Not proven: {names} may have seen the load, but no one meter alone and clearly.{silent} Turn off what "
            "else runs in the room and do it again; two that always agree are wired one behind the other."
        )
    return (
        f"No meter saw the load.{silent} Its room's meter is not on these buses, or the load is not of the watts "
        "given. Check both and do it again."
    )

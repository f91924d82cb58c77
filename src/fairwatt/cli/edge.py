"""`fairwatt edge`: the agent at the meters, what it knows, and a bench to try it on."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from fairwatt.server.errors import BadInput

if TYPE_CHECKING:
    from fairwatt.edge.config import EdgeConfig
    from fairwatt.simulate.gateway import Bench

app = typer.Typer(
    no_args_is_help=True,
    help="The agent at the meters. Example: fairwatt edge run --config edge.toml",
)

DEFAULT: Final = Path("edge.toml")
Settings = Annotated[Path | None, typer.Argument(help="The same as --config.", show_default=False)]
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The gateway's settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def edge() -> None:
    """The agent at the meters: run it, look at it, try it on virtual meters. Exit code 0, 1 or 2."""


@app.command()
def run(
    settings: Settings = None,
    config: ConfigFile = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Log in JSON, one object a line.")] = False,
) -> None:
    """Run the agent of one gateway until Ctrl-C: read meters, keep, send, obey, stand guard when alone.

    Example: fairwatt edge run --config edge.toml
    """
    path = _there(settings or config)
    sys.stdout.flush()
    # The agent runs for months on a small box: what has read the command line makes way for it (15 MB less).
    program = [
        sys.executable,
        "-m",
        "fairwatt.server.edge_process",
        str(path),
        *(["--json"] if as_json else []),
    ]
    os.execv(sys.executable, program)  # noqa: S606 - our own program, no shell


@app.command()
def status(
    settings: Settings = None,
    config: ConfigFile = DEFAULT,
    as_json: AsJson = False,
    watch_s: Annotated[
        float, typer.Option("--watch", metavar="SECONDS", help="Look again so often, until Ctrl-C.", min=0.0)
    ] = 0.0,
) -> None:
    """Show what a gateway knows: meters and their last readings, trouble, what waits, link, clock, balances.

    Asks the running agent; without one, reads its file. Exit code 0: it runs and all is well; 1: it does not run,
    or something is wrong; 2: the settings cannot be used.

    Examples: fairwatt edge status --config edge.toml --watch 2; fairwatt edge status --json | jq .trouble
    """
    found = _settings(settings or config)
    try:
        while True:
            told = _look(found)
            if as_json:
                typer.echo(json.dumps(told))
            else:
                _show(told, clear=watch_s > 0)
            if not watch_s:
                raise typer.Exit(1 if told["trouble"] else 0)
            time.sleep(watch_s)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@app.command()
def simulate(
    meters: Annotated[int, typer.Option(help="How many meters.", min=1, max=200)] = 3,
    folder: Annotated[Path, typer.Option(help="Where edge.toml, keys and password go.")] = Path("edge-bench"),
    load_w: Annotated[
        int, typer.Option("--load", help="What a home uses on average, in watts.", min=0)
    ] = 600,
    serial: Annotated[bool, typer.Option("--serial", help="On a serial port instead of TCP.")] = False,
    port: Annotated[int, typer.Option(help="TCP port of the meters; 0: a free one.", min=0, max=65535)] = 0,
    mqtt: Annotated[str, typer.Option(help="Where the head-end's broker is, host:port.")] = "127.0.0.1:1883",
    as_json: AsJson = False,
) -> None:
    """Answer for virtual DL/T 645 meters that use energy, and write an edge.toml for the agent that reads them.

    No head-end is needed: alone, the agent reads and keeps. Runs until Ctrl-C.

    Example: fairwatt edge simulate --meters 3; then, in other windows, fairwatt edge run --config
    edge-bench/edge.toml and fairwatt edge status --config edge-bench/edge.toml --watch 2
    """
    import asyncio

    from fairwatt.server.running import run_until_signalled
    from fairwatt.simulate.gateway import Bench, Wishes

    host, _, mqtt_port = mqtt.rpartition(":")
    if not host or not mqtt_port.isdecimal():
        raise BadInput(f"{mqtt!r} is no host:port. Nothing was started; say for example 127.0.0.1:1883.")
    bench = Bench(
        Wishes(
            folder=folder,
            meters=meters,
            load_w=load_w,
            serial=serial,
            port=port,
            mqtt_host=host,
            mqtt_port=int(mqtt_port),
        )
    )

    async def serve() -> None:
        ready = asyncio.Event()
        answering = asyncio.create_task(bench.run(ready))
        told = asyncio.create_task(ready.wait())
        try:
            await asyncio.wait([answering, told], return_when=asyncio.FIRST_COMPLETED)
            if ready.is_set():
                _say_bench(bench, as_json=as_json)
            await answering
        finally:
            answering.cancel()
            told.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    try:
        run_until_signalled(serve())
    except OSError as error:
        raise BadInput(f"The bench cannot be set up: {error}. Name another --folder or --port.") from error


def _say_bench(bench: Bench, *, as_json: bool) -> None:
    from fairwatt.simulate.gateway import PAGE, PIN

    config, line, meters = bench.config, bench.line, [int(meter.number) for meter in bench.meters]
    if as_json:
        told = {"config": str(config), "line": line, "meters": meters, "page": f"http://{PAGE}/"}
        print(json.dumps({**told, "home": bench.home(0), "pin": PIN, "code": bench.code}), flush=True)
        return
    print(f"{len(meters)} meters answer at {line}. In other windows:", flush=True)
    print(f"  fairwatt edge run --config {config}")
    print(f"  fairwatt edge status --config {config} --watch 2")
    print(f"The gateway's own page is then at http://{PAGE}/ (home {bench.home(0)}, PIN {PIN}).")
    print(f"A restore code for that home, good once: {bench.code}", flush=True)


def _there(path: Path) -> Path:
    if not path.is_file():
        raise BadInput(
            f"There is no file {path}. Nothing was done; name the gateway's settings with --config, or make some "
            "with `fairwatt edge simulate`."
        )
    return path


def _settings(path: Path) -> EdgeConfig:
    from fairwatt.edge.config import ConfigError
    from fairwatt.edge.settings_file import load

    try:
        return load(_there(path))
    except ConfigError as error:
        raise BadInput(str(error)) from error


def _look(config: EdgeConfig) -> dict[str, Any]:
    from fairwatt.edge.status import ask, at_rest

    return ask(spool=config.spool) or at_rest(config)


def _show(told: dict[str, Any], *, clear: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if clear:
        console.clear()
    zone = ZoneInfo(told["zone"])
    for name, text in _facts(told, zone):
        console.print(f"{name:<9} {text}", highlight=False, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("meter", "bus", "read at", "kWh", "W", "V", "relay", ""):
        table.add_column(column, justify="right" if column in ("kWh", "W", "V") else "left")
    for meter in told["meters"]:
        table.add_row(*_row(meter, zone))
    console.print(table)
    for wallet in told["wallets"]:
        text = f"{_units(wallet['available_micro'])} {wallet['currency']}, {wallet['meters']} meter(s) here"
        console.print(f"wallet {wallet['wallet']}: {text}", highlight=False)
    for trouble in told["trouble"]:
        console.print(f"! {trouble['text']}", highlight=False, markup=False, soft_wrap=True, style="red")


def _facts(told: dict[str, Any], zone: ZoneInfo) -> list[tuple[str, str]]:
    facts = [("gateway", f"{told['gateway']} (book {told['book']}, site {told['site']})")]
    if told["running"]:
        link, clock = told["link"], told["clock"]
        state = "alone" if link["alone"] else "connected" if link["connected"] else "away for a moment"
        answered = (
            "never answered" if link["answered_us"] is None else f"answered {_at(link['answered_us'], zone)}"
        )
        facts.append(("link", f"{link['broker']}: {state}, {answered}"))
        known = "" if clock["known"] else ", not yet compared with the head-end's"
        corrected = (
            f"corrected by {clock['corrected_us'] / 1e6:+.3f} s, {clock['drift_ppb'] / 1e3:+.1f} ppm{known}"
        )
        facts.append(("clock", f"{_at(told['at_us'], zone)}, {corrected}"))
    spool = told["spool"]
    facts.append(
        (
            "waiting",
            "no memory yet" if spool is None else f"{spool['records']} records, {spool['bytes']} bytes",
        )
    )
    return facts


def _row(meter: dict[str, Any], zone: ZoneInfo) -> list[str]:
    if "read_us" not in meter:
        return [
            str(meter["meter"]),
            meter["bus"],
            "",
            "",
            "",
            "",
            meter.get("relay", ""),
            meter["trouble"] or "",
        ]
    wh, power, volts = meter["register_wh"], meter["power_w"], meter["voltage_dv"]
    marks = [meter["trouble"] or "", "cut here" if meter["tripped_here"] else ""]
    return [
        str(meter["meter"]),
        meter["bus"],
        _at(meter["read_us"], zone),
        f"{wh // 1000}.{wh % 1000:03d}",
        "" if power is None else str(power),
        "" if volts is None else f"{volts // 10}.{volts % 10}",
        meter["relay"],
        " ".join(filter(None, marks)),
    ]


def _at(at_us: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_us // 1_000_000, tz=UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _units(micro: int) -> str:
    sign, rest = "-" if micro < 0 else "", abs(micro)
    return f"{sign}{rest // 1_000_000}.{rest % 1_000_000:06d}"

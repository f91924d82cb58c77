"""Commands that run the product against a simulated street and judge it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fairwatt.cli.files import Force, check_target, writing
from fairwatt.server.errors import OperatorError

if TYPE_CHECKING:
    from fairwatt.simulate.demo import Welcome
    from fairwatt.simulate.scenario import Scenario
    from fairwatt.simulate.verdict import Verdict

AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON on standard output.")]
Out = Annotated[Path | None, typer.Option(help="Also write the figures to this JSON file.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show what gateways and processes log.")]
LAW_BROKEN = 1
BAD_INPUT = 2

_DEMO_HOLDS = {
    "topups": 200,
    "warnings": 20,
    "cuts": 20,
    "restores": 20,
    "restores_timed": 20,
    "local_trips": 1,
    "outages_of_6h": 5,
    "topups_in_outage": 1,
    "price_changes_in_outages": 1,
    "kills_poster": 1,
    "kills_postgres": 1,
    "kills_nats": 1,
    "payment_reports_repeated": 1,
    "payments_in_review": 1,
    "frames_lost": 1,
    "frames_doubled": 1,
    "frames_reordered": 1,
    "lies_told": 2,
    "quarantined": 2,
    "moves_while_offline": 2,
    "moves_trued_up": 4,
    "warnings_by_forecast": 2,
    "forecast_days_before_cut_median": 2,
}
_RESTORE_P99_S = 2.0
"""What the demo street must contain for its verdict to mean something."""


def demo(
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the last demo and start over.")] = False,
    verbose: Verbose = False,
) -> None:
    """Serve the whole product live over a street of real homes; Ctrl-C stops all of it.

    The first start runs two weeks of history, then time goes on at sixty times its pace. The next start
    finds its data.
    """
    import shutil

    from fairwatt.cli.foreground import stop_signals
    from fairwatt.server.config import Config
    from fairwatt.server.launcher.process import noted_processes
    from fairwatt.server.running import run_until_signalled
    from fairwatt.simulate.demo import HISTORY_DAYS, Demo, saved_us, scenario
    from fairwatt.simulate.stack import Stack

    quiet(verbose)
    state = Config.load().state / "demo"
    if fresh and state.exists():
        if any(alive for _, _, alive in noted_processes(state / "run")):
            raise OperatorError(
                "a demo is running from this folder; stop it with Ctrl-C before starting afresh."
            )
        note = state / "postgres.home"
        if note.exists():
            shutil.rmtree(note.read_text().strip(), ignore_errors=True)
        shutil.rmtree(state)
    began_us = saved_us(state)
    screen = Console(stderr=True)
    with (
        stop_signals(),
        Stack(state=state, domain_us=began_us or scenario().start_us) as stack,
        Progress(
            TextColumn("two weeks of history"),
            BarColumn(),
            TextColumn("day {task.completed:.0f} of {task.total:.0f}"),
            console=screen,
            disable=began_us is not None or not screen.is_terminal,
            transient=True,
        ) as progress,
    ):
        task = progress.add_task("", total=HISTORY_DAYS)
        if began_us is None and not screen.is_terminal:
            print("opening; two weeks of history come first, about a minute", file=sys.stderr, flush=True)
        show = Demo(
            stack=stack,
            folder=state,
            progress=lambda tick: progress.update(task, completed=tick // 48),
        )
        welcome = show.prepare()

        def ready() -> None:
            progress.stop()
            _welcome(
                welcome,
                folder=state,
                dark=show.dark_rooms(),
                moved=show.moved_rooms(),
                told=show.told_rooms(),
            )

        def tell(line: str) -> None:
            print(line, flush=True)

        run_until_signalled(show.live(ready=ready, tell=tell))
    print("stopped; the next `fairwatt demo` goes on from here")


def _welcome(
    welcome: Welcome,
    *,
    folder: Path,
    dark: list[str],
    moved: list[tuple[str, str]],
    told: list[tuple[str, str, int | None]],
) -> None:
    from fairwatt.simulate.pay.menu import ADDRESS as TELEPHONE

    first, last = welcome.rooms[0], welcome.rooms[-1]
    table = Table(title=f"Fairwatt is live: {welcome.url}", show_header=True)
    table.add_column("who")
    table.add_column("user name")
    table.add_column("sees")
    table.add_row("a resident", f"{first} ... {last}", "balance, days left, top up, why it is off")
    table.add_row("the front desk", "desk", "Today: the building, fees, reports, meters")
    table.add_row("the cashier", "cashier", "takes cash: a room, Enter, an amount, Enter")
    table.add_row("the manager", "manager", "the same, and closes months, approves rulings")
    table.add_row("an auditor", "auditor", "the same, and can change nothing")
    screen = Console()
    screen.print(table)
    screen.print(f"password for all of them: [bold]{welcome.password}[/bold]", highlight=False)
    screen.print(f"letters, short messages and staff's chat arrive at {welcome.postbox}", highlight=False)
    screen.print(
        f"a telephone to pay a home's account number with (M-PESA PayBill): {welcome.paysim}{TELEPHONE}",
        highlight=False,
    )
    for room, newcomer in moved:
        screen.print(
            f"changed hands while its gateway had no line, and was set right when the meter spoke: {room} "
            f"(sign in as {room}, who moved out, and as {newcomer}, who came; as manager see Refunds)",
            highlight=False,
        )
    waiting = [f"{room} ({when})" for room, when, hours in told if hours is None][:3]
    if waiting:
        screen.print(f"told days ahead that credit runs out: {', '.join(waiting)}", highlight=False)
    for room, when, hours in [one for one in told if one[2] is not None][:2]:
        screen.print(
            f"told on {when}, {(hours or 0) // 24} d {(hours or 0) % 24} h before its power went off: {room}",
            highlight=False,
        )
    if dark:
        screen.print(f"without power at this moment, and told why: {', '.join(dark)}", highlight=False)
    screen.print(
        f"for `fairwatt report`, `explain`, `status` and `dsn` of this demo: export FAIRWATT_STATE={folder} "
        f"FAIRWATT_CLOCK={folder / 'clock'}",
        highlight=False,
        soft_wrap=True,
    )
    screen.print(
        "London, spring 2013: real half-hourly use of 20 homes; an hour passes in a minute. Ctrl-C stops it all."
    )


def demo_check(
    as_json: AsJson = False, out: Out = None, force: Force = False, verbose: Verbose = False
) -> None:
    """Run the demo street (20 homes, 30 days, faults and crashes) without a person, and judge it.

    Exit code 0: every law held. 1: a law was broken, named with where to look.
    """
    from fairwatt.simulate.scenario import Scenario

    run_judged(
        Scenario.demo(),
        as_json=as_json,
        out=out,
        force=force,
        verbose=verbose,
        at_least=_DEMO_HOLDS,
        by_channel=True,
        at_most_s={"restore_p99_s": _RESTORE_P99_S},
    )


def replay(
    readings: Annotated[Path, typer.Option(help="Interval file, Parquet or CSV: lclid or meter, ts, wh.")],
    tariff: Annotated[Path, typer.Option(help="Tariff file (YAML).")],
    days: Annotated[
        int | None, typer.Option(min=1, max=366, help="Days to run; by default at most 30.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws people, faults and crashes.")] = 1,
    as_json: AsJson = False,
    out: Out = None,
    force: Force = False,
    verbose: Verbose = False,
) -> None:
    """Run any interval file under any tariff through the whole product, and judge it.

    Example: fairwatt replay --readings homes.parquet --tariff tariff.yaml --days 7 --json
    Exit code 0: every law held. 1: a law was broken. 2: a file cannot be used.
    """
    from fairwatt.core.rating.model import TariffError
    from fairwatt.core.spans import UnknownZone
    from fairwatt.intervals.contract import IntervalFileError
    from fairwatt.simulate.replay import replay_of

    try:
        made = replay_of(readings=readings, tariff=tariff, days=days, seed=seed)
    except (IntervalFileError, TariffError, UnknownZone, OSError, UnicodeDecodeError) as error:
        print(f"fairwatt: {_complaint(error).rstrip('.')}. Nothing was replayed.", file=sys.stderr)
        raise typer.Exit(BAD_INPUT) from error
    for home in made.left_out:
        print(f"left out: {home} has no data over the whole span", file=sys.stderr)
    if made.missing_intervals:
        print(
            f"{made.missing_intervals} intervals have no data; the meter stood still there", file=sys.stderr
        )
    run_judged(made.scenario, as_json=as_json, out=out, force=force, verbose=verbose)


def _complaint(error: Exception) -> str:
    """An error about a file as code and sentence."""
    if isinstance(error, OSError):
        return f"file_unreadable: {error.filename}: {error.strerror}."
    if isinstance(error, UnicodeDecodeError):
        return "tariff_not_text: the tariff file is not a text file."
    return f"{getattr(error, 'code', 'tariff')}: {error}"


def simulate(
    seed: Annotated[str, typer.Option(help="A number, or a range such as 1..20.")],
    days: Annotated[int, typer.Option(min=5, max=60)] = 10,
    homes: Annotated[int, typer.Option(min=4, max=96)] = 12,
    soak: Annotated[bool, typer.Option("--soak", help="Go on with the next seed until stopped.")] = False,
    as_json: AsJson = False,
    out: Out = None,
    force: Force = False,
    verbose: Verbose = False,
) -> None:
    """Run seeded streets with lost, doubled, late messages, outages and crashes; judge each.

    Example: fairwatt simulate --seed 1..20 --days 6
    A broken law prints its seed and stops.
    """
    from fairwatt.simulate.scenario import Scenario

    seeds = _seeds(seed, soak=soak)
    if len(seeds) == 1:
        run_judged(
            Scenario.from_seed(seeds[0], days=days, homes=homes),
            as_json=as_json,
            out=out,
            force=force,
            verbose=verbose,
        )
        return
    for number in seeds:
        _run_apart(["--seed", str(number), "--days", str(days), "--homes", str(homes)], as_json=as_json)


def _run_apart(options: list[str], *, as_json: bool) -> None:
    """Run one seed in a process of its own (Django knows one installation a process) and print a line of it."""
    command = [sys.executable, "-m", "fairwatt.cli", "simulate", *options, "--json"]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if as_json:
        print(child.stdout, end="", flush=True)
    elif child.stdout:
        figures = json.loads(child.stdout)
        said = "every law held" if figures["laws_held"] else f"BROKEN: {'; '.join(figures['broken'][:3])}"
        print(
            f"seed {figures['seed']}: {figures['readings']} readings, {figures['topups']} top-ups, "
            f"{figures['cuts']} cuts, {figures['local_trips']} of them local, {figures['run_s']} s: {said}",
            flush=True,
        )
    if child.returncode:
        print(f"stopped at: fairwatt simulate {' '.join(options)}", file=sys.stderr)
        raise typer.Exit(child.returncode)


def _seeds(text: str, *, soak: bool) -> range:
    first, _, last = text.partition("..")
    try:
        start = int(first)
        end = int(last) if last else start
    except ValueError as error:
        raise OperatorError(f"{text!r} is no seed; give a number or a range such as 1..20.") from error
    if end < start:
        raise OperatorError(f"the range of seeds {text} is empty; give the smaller number first.")
    return range(start, start + 1_000_000) if soak else range(start, end + 1)


def run_judged(
    scenario: Scenario,
    *,
    as_json: bool,
    out: Path | None,
    force: bool,
    verbose: bool,
    at_least: dict[str, int] | None = None,
    at_most_s: dict[str, float] | None = None,
    by_channel: bool = False,
) -> None:
    """Run a scenario with a bar of progress, print its verdict; exit code 1 when a law was broken.

    `at_least`: figures without which the verdict would mean little. `at_most_s`: seconds that may not be exceeded.
    """
    from fairwatt.simulate.runner import run_scenario

    if out is not None:
        check_target(out, force=force)
    quiet(verbose)
    screen = Console(stderr=True)
    with Progress(
        TextColumn(f"seed {scenario.seed}, {scenario.homes} homes"),
        BarColumn(),
        TextColumn("day {task.completed:.0f} of {task.total:.0f}"),
        TimeElapsedColumn(),
        console=screen,
        disable=not screen.is_terminal,
    ) as progress:
        task = progress.add_task("", total=scenario.days)
        verdict = run_scenario(
            scenario=scenario,
            progress=lambda tick: progress.update(task, completed=tick // 48),
            by_channel=by_channel,
        )
    for name, least in (at_least or {}).items():
        if int(verdict.figures[name] or 0) < least:
            verdict.broken.append(
                f"{name} is {verdict.figures[name]}; it must be {least} or more for the verdict to mean something"
            )
    for name, most_s in (at_most_s or {}).items():
        if float(verdict.figures[name] or 0) > most_s:
            verdict.broken.append(f"{name} is {verdict.figures[name]}, more than {most_s}")
    report_verdict(verdict, as_json=as_json, out=out, force=force)
    if not verdict.held:
        raise typer.Exit(LAW_BROKEN)


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)


def quiet(verbose: bool) -> None:
    import logging

    if not verbose:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        logging.getLogger().setLevel(logging.CRITICAL)
        logging.getLogger("mqtt").setLevel(logging.CRITICAL)


def report_verdict(verdict: Verdict, *, as_json: bool, out: Path | None, force: bool) -> None:
    content = {
        **verdict.figures,
        "laws_held": verdict.held,
        "broken": verdict.broken,
        "bill_of_homes": verdict.bills,
    }
    if out is not None:
        with writing(out, force=force) as file:
            file.write((json.dumps(content, indent=2) + "\n").encode())
    if as_json:
        print(json.dumps(content))
        return
    table = Table(title="What happened, and what must be zero", show_header=False)
    for name, value in verdict.figures.items():
        table.add_row(name.replace("_", " "), _shown(value))
    Console().print(table)
    for line in verdict.broken[:40]:
        print(f"BROKEN  {line}")
    print("every law held" if verdict.held else f"{len(verdict.broken)} complaints")

"""The benchmarks by name, their sizes and their targets."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tests.support.house import running_house

from benchmarks.report import Figure, Report
from fairwatt.server.launcher.services import Services

console = Console()
GATEWAYS = 20
TICKS_A_BATCH = 13
"""As many readings as the head-end takes in one batch during a flood (headend.main.BATCH_BYTES)."""


def lines(services: Services, progress: Progress) -> Report:
    """Readings to durable lines against a bare COPY; pgbench beside it."""
    from benchmarks.lines import METERS_EACH, run_lines
    from benchmarks.tpcb import CLIENTS, run_tpcb

    rows = 7_500_000
    task = progress.add_task("lines", total=rows)
    run = run_lines(
        config=services.config,
        rows=rows,
        gateways=GATEWAYS,
        ticks_a_batch=TICKS_A_BATCH,
        batches_a_round=60,
        progress=lambda n: progress.advance(task, n),
    )
    tpcb = progress.add_task("pgbench", total=1)
    tps = run_tpcb(config=services.config, seconds=15)
    progress.advance(tpcb)
    return Report(
        name="lines",
        title="reading -> rated -> balanced -> durable line, caches flushed once a second",
        figures=[
            Figure(name="lines", value=run.lines_a_s, unit="/s"),
            Figure(name="bare readings, binary COPY", value=run.bare_a_s, unit="/s"),
            Figure(name="lines per bare row (median of rounds)", value=run.ratio, at_least=0.45),
            Figure(name=f"pgbench TPC-B, {CLIENTS} clients", value=tps, unit="tps"),
        ],
        settings={
            "rows": run.rows,
            "homes": GATEWAYS * METERS_EACH,
            "rows_a_batch": GATEWAYS * METERS_EACH * TICKS_A_BATCH,
            "rounds": [round(each.ratio, 3) for each in run.rounds],
        },
    )


def sustained(services: Services, progress: Progress) -> Report:
    """The same over more than three million rows: does it stay as fast?"""
    from benchmarks.lines import METERS_EACH, run_lines

    rows = 3_300_000
    task = progress.add_task("sustained", total=rows)
    run = run_lines(
        config=services.config,
        rows=rows,
        gateways=GATEWAYS,
        ticks_a_batch=TICKS_A_BATCH,
        batches_a_round=4,
        progress=lambda n: progress.advance(task, n),
    )
    tenths = run.tenths()
    first, last = tenths[0], tenths[-1]
    return Report(
        name="sustained",
        title="lines per bare row, last tenth of the batches against the first",
        figures=[
            Figure(name="rows", value=run.rows, at_least=3_000_000),
            Figure(name="first tenth", value=first),
            Figure(name="last tenth", value=last),
            Figure(name="last to first", value=last / first, at_least=0.85),
        ],
        settings={"homes": GATEWAYS * METERS_EACH, "tenths": [round(ratio, 3) for ratio in tenths]},
    )


def door(services: Services, progress: Progress) -> Report:
    """MQTT QoS 1 to durable to our acknowledgement, with the head-end as its own process."""
    from benchmarks.door import run_door

    gateways, single_frames, full_frames = 50, 96_000, 5_000
    task = progress.add_task("door", total=None)
    single, full = run_door(
        services=services,
        gateways=gateways,
        single_frames=single_frames,
        full_frames=full_frames,
        progress=lambda what: progress.update(task, description=f"door: {what}"),
    )
    progress.update(task, total=1, completed=1)
    return Report(
        name="door",
        title="MQTT QoS 1 -> durable -> our acknowledgement",
        figures=[
            Figure(name="frames of one reading", value=single.messages_a_s, unit="/s", at_least=10_000),
            Figure(name="readings in frames of 96", value=full.readings_a_s, unit="/s", at_least=60_000),
        ],
        settings={
            "gateways": gateways,
            "single": {"messages": single.published.messages, "puback_s": single.published.puback_s},
            "full": {"messages": full.published.messages, "puback_s": full.published.puback_s},
        },
    )


def restore(services: Services, progress: Progress) -> Report:
    """From the bytes of a confirmed payment to closed contacts at a DL/T 645 meter."""
    from benchmarks.restore import run_restore

    task = progress.add_task("restore", total=None)
    run = run_restore(
        services=services,
        payments=125,
        progress=lambda what: progress.update(task, description=f"restore: {what}"),
    )
    progress.update(task, total=1, completed=1)
    return Report(
        name="restore",
        title="confirmed payment -> relay closed at the meter, wall time",
        figures=[
            Figure(name="payments", value=len(run.closed_s), at_least=100),
            Figure(name="relay closed, p50", value=_percentile(run.closed_s, 50), unit="s"),
            Figure(name="relay closed, p99", value=_percentile(run.closed_s, 99), unit="s", at_most=2.0),
            Figure(name="proven by a stored reading, p99", value=_percentile(run.proven_s, 99), unit="s"),
        ],
    )


def bill(_services: Services, progress: Progress) -> Report:
    """One home's bills of a year, ours and the System Advisor Model's in turns."""
    from benchmarks.rating import run_bill

    rounds = 200
    figures: list[Figure] = []
    for tariff, what in (
        ("sam_two_blocks_two_periods", "blocks by time of use"),
        ("sam_daily_baseline", "daily baseline"),
    ):
        for minutes, steps in ((60, "hourly"), (30, "half-hourly")):
            task = progress.add_task(f"bill: {what}, {steps}", total=rounds)
            run = run_bill(
                minutes=minutes,
                tariff=tariff,
                rounds=rounds,
                progress=partial(progress.advance, task),
            )
            name = f"{what}, {steps}"
            figures += [
                Figure(name=f"{name}: by month", value=1e3 * statistics.median(run.months_s), unit="ms"),
                Figure(name=f"{name}: itemised", value=1e3 * statistics.median(run.itemised_s), unit="ms"),
                Figure(name=f"{name}: PySAM", value=1e3 * statistics.median(run.theirs_s), unit="ms"),
                Figure(name=f"{name}: PySAM per ours by month", value=run.ratio, at_least=1.0),
                Figure(name=f"{name}: PySAM per ours itemised", value=run.itemised_ratio, at_least=1.0),
                Figure(
                    name=f"{name}: greatest difference of a month", value=run.off, unit="USD", at_most=0.01
                ),
            ]
    return Report(
        name="bill",
        title="one home, one year: sums by month, an itemised bill, and PySAM execute; kept objects, in turns",
        figures=figures,
        settings={"rounds": rounds},
    )


def rating(_services: Services, progress: Progress) -> Report:
    """Half hours of a year, yearly blocks by time of use with tax, one core."""
    from benchmarks.rating import run_rating

    homes, rounds = 10, 60
    task = progress.add_task("rating", total=rounds)
    rates = run_rating(homes=homes, rounds=rounds, progress=lambda: progress.advance(task))
    return Report(
        name="rating",
        title="half-hourly readings rated, blocks by time of use with tax, one core",
        figures=[
            Figure(
                name="readings, of one core's time",
                value=statistics.median(core for core, _ in rates),
                unit="/s",
                at_least=3_000_000,
            ),
            Figure(
                name="readings, by the wall", value=statistics.median(wall for _, wall in rates), unit="/s"
            ),
            Figure(name="slowest round, by the wall", value=min(wall for _, wall in rates), unit="/s"),
        ],
        settings={"homes": homes, "rounds": rounds},
    )


def rerating(services: Services, progress: Progress) -> Report:
    """A site of 1,000 meters: a year of half hours rated again, from the approved correction to its last line."""
    from benchmarks.rerating import ROUNDS, run_rerating

    meters = 1_000
    task = progress.add_task("rerating", total=53 + ROUNDS)
    runs = run_rerating(config=services.config, meters=meters, progress=lambda: progress.advance(task))
    seconds = statistics.median(run.whole_s for run in runs)
    return Report(
        name="rerating",
        title="a tariff corrected in the past: 1,000 meters, a year of half hours, approval -> last durable line",
        figures=[
            Figure(name="the whole correction (median of rounds)", value=seconds, unit="s", at_most=20.0),
            Figure(name="readings re-rated and posted", value=runs[0].readings / seconds, unit="/s"),
            Figure(name="correction lines", value=runs[0].lines),
            Figure(
                name="longest batch: so long a payment waits (median of rounds)",
                value=statistics.median(max(run.batches_s) for run in runs),
                unit="s",
            ),
            Figure(
                name="preview of the correction",
                value=statistics.median(run.preview_s for run in runs),
                unit="s",
            ),
        ],
        settings={
            "meters": meters,
            "readings": runs[0].readings,
            "batches": len(runs[0].batches_s),
            "rounds_s": [round(run.whole_s, 1) for run in runs],
        },
    )


def seconds(services: Services, progress: Progress) -> Report:
    """What 64 meters do every second: kept, in which shape, and the poster beside it."""
    from benchmarks.seconds import METERS, run_seconds
    from benchmarks.seconds_load import FASTER

    task = progress.add_task("seconds", total=7)
    run = run_seconds(config=services.config, progress=lambda n: progress.advance(task, n))
    return Report(
        name="seconds",
        title="what 64 meters do every second (power, voltage, current), kept beside the ledger",
        figures=[
            Figure(name="points kept", value=run.points_a_s, unit="/s", at_least=METERS * FASTER),
            Figure(
                name=f"poster beside {FASTER} times that pace, over without", value=run.ratio, at_least=0.9
            ),
            Figure(name="on the wire", value=run.wire_bytes, unit="B a point"),
            Figure(name="in the database, a block a row (chosen)", value=run.block_bytes, unit="B a point"),
            Figure(name="in the database, a second a row", value=run.row_bytes, unit="B a point"),
            Figure(name="as Parquet, zstd", value=run.parquet_bytes, unit="B a point"),
        ],
        settings={"meters": METERS, "rounds": [round(one, 3) for one in run.rounds]},
    )


def edge(_services: Services, progress: Progress) -> Report:
    """A gateway with 64 DL/T 645 meters on one line of 2,400 baud, energy and status every 2 minutes."""
    from benchmarks.edge import run_edge

    meters, baud, interval_s, passes = 64, 2400, 120, 2
    task = progress.add_task("edge", total=passes)
    run = run_edge(
        meters=meters,
        baud=baud,
        interval_s=interval_s,
        passes=passes,
        progress=lambda: progress.advance(task),
    )
    return Report(
        name="edge",
        title=f"one gateway, {meters} meters on one bus at {baud} baud, read every {interval_s} s",
        figures=[
            Figure(name="meters with energy and status, worst pass", value=min(run.whole), at_least=meters),
            Figure(name="longest pass", value=max(run.passes_s), unit="s", at_most=interval_s),
            Figure(name="memory of the agent, peak RSS", value=run.rss_mb, unit="MB", at_most=60),
            Figure(name="processor of the agent, of one core", value=run.cpu_percent, unit="%"),
        ],
        settings={"meters": meters, "baud": baud, "interval_s": interval_s, "passes_s": run.passes_s},
    )


def days_left(_services: Services, progress: Progress) -> Report:
    """Forecasts of 126 London homes beside plain means: are residents warned in time, and does the range hold?"""
    from benchmarks.days_left import DAYS_AHEAD, FOLDS, run_days_left

    task = progress.add_task("days left", total=4)
    run = run_days_left(progress=lambda: progress.advance(task))
    daily, live, tiers = run.daily["forecast"], run.live["forecast"], run.tiered["forecast"]
    figures = [
        Figure(
            name="T-3 warnings 2-4 days ahead, asked each morning", value=daily.good, unit="%", at_least=90.0
        ),
        Figure(name="  less than 1 day ahead or none", value=daily.late, unit="%", at_most=1.3),
        Figure(name="  more than 5 days ahead", value=daily.early, unit="%", at_most=5.5),
        *_beside(run.daily, "good", "  2-4 days ahead", at_most=daily.good),
        *_beside(run.daily, "late", "  less than 1 day or none"),
        Figure(
            name="T-3 warnings 2-4 days ahead, at every reading", value=live.good, unit="%", at_least=90.0
        ),
        Figure(name="  less than 1 day ahead or none", value=live.late, unit="%", at_most=1.3),
        *_beside(run.live, "good", "  2-4 days ahead", at_most=live.good),
        Figure(
            name="  the same with blocks and a standing charge", value=tiers.good, unit="%", at_least=90.0
        ),
        *_beside(run.tiered, "good", "  with blocks, 2-4 days ahead", at_most=tiers.good),
        Figure(name="80 % range: truth inside, at the top-up", value=run.held, unit="%"),
        Figure(name="  from 80", value=abs(run.held - 80), unit="points", at_most=2.0),
        Figure(
            name="  truth inside, every morning until empty", value=run.held_falling, unit="%", at_least=77.0
        ),
        Figure(name="  with blocks and a standing charge", value=run.held_tiered, unit="%", at_least=77.0),
        Figure(name="  paths as drawn, before widening", value=run.held_raw, unit="%"),
        Figure(name="days off at the top-up, middle", value=run.days_off["forecast"], unit="d", at_most=2.12),
        *(
            Figure(name=f"  {name}", value=off, unit="d")
            for name, off in run.days_off.items()
            if name != "forecast"
        ),
        *(Figure(name=f"  with blocks: {name}", value=off, unit="d") for name, off in run.tiered_off.items()),
        *(
            Figure(name=f"pinball loss at {at}", value=loss, unit="d", at_most=bar)
            for at, loss, bar in zip((0.1, 0.5, 0.9), run.pinball, (0.52, 1.06, 0.73), strict=True)
        ),
        Figure(name="factors in force, furthest from a new fit", value=run.fit_off, unit="%", at_most=1.0),
        Figure(name="10,000 wallets with blocks, of one core", value=run.many_s, unit="s", at_most=15.0),
    ]
    return Report(
        name="days_left",
        title="days left: London homes of 2013 that pay in for a fortnight",
        figures=figures,
        settings={
            "homes": run.homes,
            "cases": run.cases,
            "folds": FOLDS,
            "days_ahead": DAYS_AHEAD,
            "factors": {"low": run.fit.low, "high": run.fit.high},
        },
    )


def _beside(
    shares: Mapping[str, Any], what: str, name: str, *, at_most: float | None = None
) -> Iterator[Figure]:
    """The plain means' share of the same run; the forecast is to be no worse than they are."""
    for method in ("mean7", "mean28"):
        value = getattr(shares[method], what)
        yield Figure(name=f"{name}: {method}", value=value, unit="%", at_most=at_most)


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


ALL: dict[str, Callable[[Services, Progress], Report]] = {
    bench.__name__: bench
    for bench in (lines, sustained, door, restore, bill, rating, rerating, edge, seconds, days_left)
}


def measure(name: str) -> Report:
    """Run one benchmark on services of its own, showing progress."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with running_house() as services, Progress(*columns, console=console) as progress:
        return ALL[name](services, progress)

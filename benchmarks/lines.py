"""Readings to durable lines, beside a bare COPY of the same readings, round by round in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from django.db import connection

from benchmarks.aged import age_log
from benchmarks.bare import BareReadings
from benchmarks.town import JULY_2013_US, Town, frame_of
from fairwatt.flows.posting.flushing import CacheFlusher
from fairwatt.flows.posting.loading import load_book
from fairwatt.flows.posting.pipeline import Pipeline
from fairwatt.flows.posting.planning import BatchResult
from fairwatt.server.config import Config
from fairwatt.server.wiring import database_role, poster_for
from fairwatt.wire.frames import Kind

FLUSH_S: Final = 1.0
"""Seconds of posting between two flushes of the caches, as in the head-end."""
METERS_EACH: Final = 96
WARM_BATCHES: Final = 3

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Round:
    """The same batches down both paths, in seconds; the lines with their share of cache flushes."""

    rows: int
    lines_s: float
    bare_s: float

    @property
    def ratio(self) -> float:
        """Lines per bare row."""
        return self.bare_s / self.lines_s


@dataclass
class LinesRun:
    """The rounds of a run. Ratios are bare seconds over line seconds: lines per bare row."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.rounds)

    @property
    def lines_a_s(self) -> float:
        return statistics.median(each.rows / each.lines_s for each in self.rounds)

    @property
    def bare_a_s(self) -> float:
        return statistics.median(each.rows / each.bare_s for each in self.rounds)

    @property
    def ratio(self) -> float:
        """Median over the rounds."""
        return statistics.median(each.ratio for each in self.rounds)

    def tenths(self) -> list[float]:
        """Median ratio of each tenth of the rounds, in order; a stalled disk hits few of them."""
        cuts = [len(self.rounds) * k // 10 for k in range(11)]
        return [
            statistics.median(each.ratio for each in self.rounds[start:end]) for start, end in pairwise(cuts)
        ]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One batch in both forms: frames as they come from the log, and bare columns."""

    frames: list[tuple[str, bytes]]
    ts: Int64s
    meter: Int64s
    register: Int64s
    now_us: int


def run_lines(
    *,
    config: Config,
    rows: int,
    gateways: int,
    ticks_a_batch: int,
    batches_a_round: int,
    progress: Callable[[int], None] = lambda rows: None,
) -> LinesRun:
    """Post `rows` readings of a town with 96 meters a gateway; caches are flushed as the head-end does.

    In a round the pipeline fills and runs empty once; in the head-end it does so only when a flood ends. The
    first batches after a start are posted before the clock runs.
    """
    age_log(dsn=config.dsn(role="admin"))
    town = Town(config=config, gateways=gateways, meters_each=METERS_EACH, opened_us=JULY_2013_US)
    town.build()
    run = LinesRun()
    with (
        database_role("poster"),
        ThreadPoolExecutor(1) as posting,
        ThreadPoolExecutor(1) as caching,
    ):
        state = load_book(book=town.book, now_us=town.opened_us)
        seqs = town.settle(state=state, now_us=town.opened_us)
        state = load_book(book=town.book, now_us=town.opened_us)  # nobody is owed a grant any more
        flusher = CacheFlusher(state=state, beside=caching)
        flusher.catch_up()
        flusher.flush(state=state)
        pipeline = Pipeline(
            state=state, flusher=flusher, poster=poster_for(config), posting=posting, beside=caching
        )
        bare = BareReadings(dsn=config.dsn(role="admin"))
        batches = _batches(town, seqs, rows, ticks_a_batch)
        _, _, since_flush_s = _round(pipeline, bare, list(islice(batches, WARM_BATCHES)), 0.0)
        while len(part := list(islice(batches, batches_a_round))) == batches_a_round:
            lines_s, bare_s, since_flush_s = _round(pipeline, bare, part, since_flush_s)
            run.rounds.append(Round(sum(len(batch.ts) for batch in part), lines_s, bare_s))
            progress(run.rounds[-1].rows)
        bare.close()
        for thread in (posting, caching):
            thread.submit(lambda: connection.close()).result()
    return run


def _round(
    pipeline: Pipeline, bare: BareReadings, part: list[Batch], since_flush_s: float
) -> tuple[float, float, float]:
    """The same batches down both paths: seconds of each, and those since the last flush."""
    lines_s, since_flush_s = _post(pipeline, part, since_flush_s)
    started = time.perf_counter()
    for batch in part:
        bare.store(ts=batch.ts, meter=batch.meter, register=batch.register)
    return lines_s, time.perf_counter() - started, since_flush_s


def _post(pipeline: Pipeline, batches: list[Batch], since_flush_s: float) -> tuple[float, float]:
    """Make the batches durable; return the seconds it took, and those since the last flush of the caches."""
    results: list[Future[BatchResult]] = []
    started = time.perf_counter()
    flushed = started - since_flush_s
    for batch in batches:
        results.append(pipeline.submit(messages=batch.frames, now_us=batch.now_us, ahead=True))
        if time.perf_counter() - flushed >= FLUSH_S:
            flushed = time.perf_counter()
            pipeline.flush()
    pipeline.drain()
    done = time.perf_counter()
    for batch, result in zip(batches, results, strict=True):
        if result.result().readings != len(batch.ts):
            raise RuntimeError(f"{result.result().readings} of {len(batch.ts)} readings became lines")
    return done - started, done - flushed


def _batches(town: Town, seqs: list[int], rows: int, ticks_a_batch: int) -> Iterator[Batch]:
    ticks = town.ticks(count=rows // town.homes)
    meter = np.tile(np.arange(town.homes, dtype=np.int64), ticks_a_batch)
    while True:
        part = [tick for _, tick in zip(range(ticks_a_batch), ticks, strict=False)]
        if len(part) < ticks_a_batch:
            return
        now_us = part[-1][0]
        frames: list[tuple[str, bytes]] = []
        for at_us, register in part:
            seqs = [seq + 1 for seq in seqs]
            bodies = town.records(at_us=at_us, register=register)
            frames += [
                (slug, frame_of([(Kind.READINGS, body)], first_seq=seq, clock_us=now_us))
                for slug, body, seq in zip(town.slugs, bodies, seqs, strict=True)
            ]
        yield Batch(
            frames=frames,
            ts=np.repeat(np.array([at_us for at_us, _ in part], dtype=np.int64), town.homes),
            meter=meter,
            register=np.concatenate([register for _, register in part]),
            now_us=now_us,
        )

"""Readings to durable lines, beside a bare COPY of the same readings, batch by batch in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from tests.support.house import as_role

from benchmarks.bare import BareReadings
from benchmarks.town import JULY_2013_US, Town, frame_of
from fairwatt.flows.posting.flushing import CacheFlusher
from fairwatt.flows.posting.loading import load_book
from fairwatt.flows.posting.post_batch import post_batch
from fairwatt.server.config import Config
from fairwatt.server.wiring import poster_for
from fairwatt.wire.frames import Kind

FLUSH_S: Final = 1.0
"""Seconds of posting between two flushes of the caches, as in the head-end."""
METERS_EACH: Final = 96

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pair:
    """The same batch down both paths, in seconds."""

    rows: int
    lines_s: float
    bare_s: float


@dataclass
class Round:
    """The batches between two flushes of the caches, and that flush."""

    pairs: list[Pair] = field(default_factory=list)
    flush_s: float = 0.0

    @property
    def rows(self) -> int:
        return sum(pair.rows for pair in self.pairs)

    @property
    def lines_s(self) -> float:
        return sum(pair.lines_s for pair in self.pairs) + self.flush_s

    @property
    def bare_s(self) -> float:
        return sum(pair.bare_s for pair in self.pairs)

    def spread(self) -> Iterator[Pair]:
        """The pairs, each with its share of the flush."""
        for pair in self.pairs:
            share_s = self.flush_s * pair.rows / self.rows
            yield Pair(pair.rows, pair.lines_s + share_s, pair.bare_s)


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
        return statistics.median(each.bare_s / each.lines_s for each in self.rounds)

    def tenths(self) -> list[float]:
        """Median ratio of the pairs in each tenth of the run, in order; a stalled disk hits few pairs."""
        pairs = [pair for each in self.rounds for pair in each.spread()]
        ratios = [pair.bare_s / pair.lines_s for pair in pairs]
        n = len(ratios) // 10
        return [statistics.median(ratios[k * n : (k + 1) * n]) for k in range(10)]


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
    progress: Callable[[int], None] = lambda rows: None,
) -> LinesRun:
    """Post `rows` readings of a town with 96 meters a gateway; caches are flushed as the head-end does."""
    town = Town(config=config, gateways=gateways, meters_each=METERS_EACH, opened_us=JULY_2013_US)
    town.build()
    poster = poster_for(config)
    run, this = LinesRun(), Round()
    with as_role("poster"):
        state = load_book(book=town.book, now_us=town.opened_us)
        seqs = town.settle(state=state, now_us=town.opened_us)
        flusher = CacheFlusher(state=state)
        flusher.flush(state=state)
        bare = BareReadings(dsn=config.dsn(role="admin"))
        for batch in _batches(town, seqs, rows, ticks_a_batch):
            started = time.perf_counter()
            result = post_batch(state=state, messages=batch.frames, poster=poster, now_us=batch.now_us)
            flusher.note(touched=result.touched, lines=result.lines)
            posted = time.perf_counter()
            bare.store(ts=batch.ts, meter=batch.meter, register=batch.register)
            stored = time.perf_counter()
            if result.readings != len(batch.ts):
                raise RuntimeError(f"{result.readings} of {len(batch.ts)} readings became lines")
            this.pairs.append(Pair(len(batch.ts), posted - started, stored - posted))
            progress(len(batch.ts))
            if this.lines_s >= FLUSH_S:
                started = time.perf_counter()
                flusher.flush(state=state)
                this.flush_s = time.perf_counter() - started
                run.rounds.append(this)
                this = Round()
        bare.close()
    return run


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

"""Readings to durable lines, beside a bare COPY of the same readings, batch by batch in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.bare import BareReadings
from benchmarks.town import JULY_2013_US, Town, frame_of
from fairwatt.server.config import Config
from fairwatt.server.wiring import poster_for
from fairwatt.wire.frames import Kind
from tests.support.house import as_role

FLUSH_S = 1.0


@dataclass
class Round:
    """Everything between two flushes of the caches: seconds of either path over the same rows."""

    rows: int = 0
    lines_s: float = 0.0
    flush_s: float = 0.0
    bare_s: float = 0.0

    @property
    def ratio(self) -> float:
        """Lines per bare row."""
        return self.bare_s / (self.lines_s + self.flush_s)


@dataclass
class Run:
    """The rounds of a run."""

    homes: int
    batch_rows: int
    rounds: list[Round] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Lines written."""
        return sum(r.rows for r in self.rounds)


def run_lines(
    *, rows: int, homes: int, ticks_a_batch: int, progress: Callable[[int], None] = lambda rows: None
) -> Run:
    """Post `rows` readings of a town of `homes`, flushing caches once a second of posting as the head-end does."""
    from fairwatt.flows.posting.flushing import CacheFlusher
    from fairwatt.flows.posting.loading import load_book
    from fairwatt.flows.posting.post_batch import post_batch

    config = Config.load()
    town = Town(config=config, gateways=homes // 96, meters_each=96, opened_us=JULY_2013_US)
    town.build()
    with as_role("poster"):
        state = load_book(book=town.book, now_us=town.opened_us)
        seqs = town.settle(state=state, now_us=town.opened_us)
        flusher = CacheFlusher(state=state)
        flusher.flush(state=state)
        bare = BareReadings(dsn=config.dsn(role="admin"))
        poster = poster_for(config)
        run = Run(homes=town.homes, batch_rows=ticks_a_batch * town.homes)
        meters = np.tile(np.arange(town.homes, dtype=np.int64), ticks_a_batch)
        ticks = town.ticks(count=-(-rows // town.homes))
        pending: list[tuple[int, np.ndarray]] = []
        round_ = Round()
        for at, register in ticks:
            pending.append((at, register))
            if len(pending) < ticks_a_batch:
                continue
            frames: list[tuple[str, bytes]] = []
            for tick_at, tick_register in pending:
                seqs = [seq + 1 for seq in seqs]
                bodies = town.records(at_us=tick_at, register=tick_register)
                frames += [
                    (slug, frame_of([(Kind.READINGS, body)], first_seq=seq, clock_us=at))
                    for slug, body, seq in zip(town.slugs, bodies, seqs, strict=True)
                ]
            ts = np.repeat(np.array([t for t, _ in pending], dtype=np.int64), town.homes)
            registers = np.concatenate([r for _, r in pending])
            pending.clear()

            started = time.perf_counter()
            result = post_batch(state=state, messages=frames, poster=poster, now_us=at)
            flusher.note(touched=result.touched, lines=result.lines)
            round_.lines_s += time.perf_counter() - started
            assert result.readings == len(ts), result
            round_.rows += result.readings

            started = time.perf_counter()
            bare.store(ts=ts, meter=meters, register=registers)
            round_.bare_s += time.perf_counter() - started
            progress(len(ts))
            if round_.lines_s >= FLUSH_S:
                started = time.perf_counter()
                flusher.flush(state=state)
                round_.flush_s = time.perf_counter() - started
                run.rounds.append(round_)
                round_ = Round()
        bare.close()
    return run


def report(run: Run) -> None:
    for r in run.rounds:
        print(f"{r.rows:>8} lines {r.lines_s:.2f} flush {r.flush_s:.2f} bare {r.bare_s:.2f} ratio {r.ratio:.3f} "
              f"lines/s {r.rows / (r.lines_s + r.flush_s):,.0f} bare/s {r.rows / r.bare_s:,.0f}")
    print("median", statistics.median(r.ratio for r in run.rounds))

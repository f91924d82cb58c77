"""What meters do second by second: how fast it is kept, how much it takes, and that the poster does not feel it."""

from __future__ import annotations

import io
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from tests.support.desk import opened_desk
from tests.support.house import as_role
from tests.support.street import HOUR_US, NOON_US, Street, reading

from benchmarks.seconds_load import BLOCK_S, a_minute
from fairwatt.server.config import Config
from fairwatt.wire import topics
from fairwatt.wire.telemetry import Block, TeleFrame, encode_tele, pack

METERS = 64
MINUTES = 60


@dataclass(frozen=True, kw_only=True)
class SecondsRun:
    """Points a second, bytes a point in three shapes, and the poster's rate with telemetry over without."""

    points_a_s: float
    wire_bytes: float
    block_bytes: float
    row_bytes: float
    parquet_bytes: float
    ratio: float
    rounds: tuple[float, ...]


def run_seconds(*, config: Config, progress: Callable[[int], None]) -> SecondsRun:
    """Keep an hour of 64 meters; then post readings with and without telemetry at ten times its pace beside it."""
    street = Street(opened_us=NOON_US)
    for _ in range(METERS):
        street.open_home()
    frames = [_frame(street, NOON_US // 1_000_000 + minute * BLOCK_S) for minute in range(MINUTES)]
    points = METERS * BLOCK_S * MINUTES
    took_s = _keep(street, frames)
    progress(1)
    blocks = _size(
        config,
        "SELECT sum(pg_total_relation_size(i.inhrelid)) FROM pg_inherits i "
        "WHERE i.inhparent = 'tele_second'::regclass",
    )
    rows, parquet = _other_shapes(config, street)
    progress(1)
    rounds = _beside_the_poster(street, config, progress)
    return SecondsRun(
        points_a_s=points / took_s,
        wire_bytes=sum(map(len, frames)) / points,
        block_bytes=blocks / points,
        row_bytes=rows / points,
        parquet_bytes=parquet / points,
        ratio=statistics.median(rounds),
        rounds=tuple(rounds),
    )


def _frame(street: Street, start_s: int) -> bytes:
    dice = random.Random(start_s)
    bodies = tuple((meter, pack(a_minute(dice, start_s))) for meter in street.homes)
    return encode_tele(TeleFrame(1, NOON_US, (Block(start_s, start_s, BLOCK_S, bodies),)))


def _address(street: Street) -> topics.Address:
    return topics.Address(str(street.book), street.site.slug, street.gateway.slug)


def _keep(street: Street, frames: list[bytes]) -> float:
    from fairwatt.flows.keep_telemetry import Places, keep_frames

    places, now_us = Places(), NOON_US + 2 * HOUR_US
    with as_role("telemetry"):
        began = time.perf_counter()
        for frame in frames:
            kept = keep_frames(messages=[(_address(street), frame)], places=places, now_us=now_us)
            assert kept.points == METERS * BLOCK_S
        return time.perf_counter() - began


def _other_shapes(config: Config, street: Street) -> tuple[int, int]:
    """Bytes of the same hour as a row a second with a key, and as Parquet with zstd, for the choice of shape."""
    columns: list[list[int]] = [[], [], [], [], []]
    for minute in range(MINUTES):
        start_s = NOON_US // 1_000_000 + minute * BLOCK_S
        dice = random.Random(start_s)
        for meter in street.homes:
            series = a_minute(dice, start_s)
            columns[0] += [meter] * BLOCK_S
            columns[1] += range(start_s, start_s + BLOCK_S)
            for column, channel in zip(columns[2:], series, strict=True):
                column += channel
    with psycopg.connect(config.dsn(role="admin")) as link, link.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE plain (meter bigint, at_s bigint, p int, v int, c int, PRIMARY KEY (meter, at_s))"
        )
        with cursor.copy("COPY plain FROM STDIN") as copy:
            for row in zip(*columns, strict=True):
                copy.write_row(row)
        cursor.execute("SELECT pg_total_relation_size('plain')")
        found = cursor.fetchone()
        assert found is not None
        rows = int(found[0])
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, names=["meter", "at_s", "p", "v", "c"]), sink, compression="zstd")
    return rows, len(sink.getvalue())


def _size(config: Config, query: str) -> int:
    with psycopg.connect(config.dsn(role="admin")) as link:
        row = link.execute(query).fetchone()
        assert row is not None
        return int(row[0])


def _beside_the_poster(street: Street, config: Config, progress: Callable[[int], None]) -> list[float]:
    """The poster's batches a second with telemetry over without, round by round, taking turns."""
    ratios, at_us, wh = [], NOON_US + 3 * HOUR_US, 0
    with opened_desk(street) as desk:
        for turn in range(5):
            rates = []
            for loaded in (False, True):
                load = _load(street, config, turn) if loaded else None
                began, batches = time.perf_counter(), 0
                while time.perf_counter() - began < 4:
                    at_us, wh, batches = at_us + 1_000_000, wh + 10, batches + 1
                    desk.post(street.readings(*(reading(m, at_us, wh) for m in street.homes)), now_us=at_us)
                rates.append(batches / (time.perf_counter() - began))
                if load is not None:
                    load.terminate()
                    load.wait(20)
            ratios.append(rates[1] / rates[0])
            progress(1)
    return ratios


def _load(street: Street, config: Config, turn: int) -> subprocess.Popen[bytes]:
    """Another process that keeps telemetry at ten times the pace of 64 meters."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.seconds_load",
            str(street.book),
            street.site.slug,
            street.gateway.slug,
            ",".join(map(str, street.homes)),
            str(NOON_US // 1_000_000 + (turn + 1) * 86_400),
        ],
        env=config.child_env(role="telemetry"),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", "the load did not start"
    return process

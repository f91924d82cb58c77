"""From a gateway's PUBLISH to our own acknowledgement: MQTT door, log, poster, commit, and back."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.publisher import Job, Published, publish
from benchmarks.town import DAY_US, READING_BYTES, Town, frame_of
from fairwatt.server.launcher.fleet import Fleet
from fairwatt.server.launcher.nats import door_password
from fairwatt.server.launcher.services import Services
from fairwatt.server.wiring import database_role
from fairwatt.wire import topics
from fairwatt.wire.frames import Kind


@dataclass(frozen=True, kw_only=True)
class DoorRun:
    """One flood through the door."""

    readings_a_frame: int
    published: Published

    @property
    def messages_a_s(self) -> float:
        """Frames stored and acknowledged a second."""
        return self.published.messages / self.published.stored_s

    @property
    def readings_a_s(self) -> float:
        """Readings stored and acknowledged a second."""
        return self.messages_a_s * self.readings_a_frame


def run_door(
    *,
    services: Services,
    gateways: int,
    single_frames: int,
    full_frames: int,
    progress: Callable[[str], None] = lambda what: None,
) -> tuple[DoorRun, DoorRun]:
    """Flood the head-end with single readings, then with frames of one reading per meter."""
    opened_us = time.time_ns() // 1000 - 60 * DAY_US
    town = Town(config=services.config, gateways=gateways, meters_each=96, opened_us=opened_us)
    progress("building a town")
    town.build()
    with database_role("poster"):
        from fairwatt.flows.posting.loading import load_book

        state = load_book(book=town.book, now_us=opened_us)
        seqs = town.settle(state=state, now_us=opened_us)
    ticks = town.ticks(count=-(-single_frames // town.homes) + -(-full_frames // gateways))
    with head_end(services, book=town.book, epoch=state.epoch):
        progress("single readings")
        singles = _single_frames(town, ticks, seqs, single_frames)
        single = DoorRun(readings_a_frame=1, published=_flood(services, town, singles, seqs))
        seqs = [seq + len(frames) for seq, frames in zip(seqs, singles, strict=True)]
        progress("full frames")
        fulls = _full_frames(town, ticks, seqs, full_frames)
        full = DoorRun(readings_a_frame=96, published=_flood(services, town, fulls, seqs))
    return single, full


@contextmanager
def head_end(services: Services, *, book: int, epoch: int) -> Iterator[None]:
    """The head-end process of a book, as the product starts it, with every gateway let in."""
    fleet = Fleet(services)
    fleet.keep_in_step()
    deadline = time.monotonic() + 30
    while _epoch(book) == epoch:
        if time.monotonic() > deadline:
            raise RuntimeError("the head-end did not take the book within 30 s")
        time.sleep(0.05)
    try:
        yield
    finally:
        services.supervisor.stop(f"headend-{book}")


def _epoch(book: int) -> int:
    from django.db import connection

    with database_role("poster"), connection.cursor() as cursor:
        cursor.execute("SELECT epoch FROM shard WHERE book = %s", [book])
        return int(cursor.fetchone()[0])


def _single_frames(
    town: Town, ticks: Iterator[tuple[int, npt.NDArray[np.int64]]], seqs: list[int], count: int
) -> list[list[bytes]]:
    frames: list[list[bytes]] = [[] for _ in town.slugs]
    now_us = time.time_ns() // 1000
    while count > 0:
        at_us, register = next(ticks)
        for n, body in enumerate(town.records(at_us=at_us, register=register)):
            for k in range(town.meters_each):
                one = body[k * READING_BYTES : (k + 1) * READING_BYTES]
                seq = seqs[n] + len(frames[n]) + 1
                frames[n].append(frame_of([(Kind.READINGS, one)], first_seq=seq, clock_us=now_us))
        count -= town.homes
    return frames


def _full_frames(
    town: Town, ticks: Iterator[tuple[int, npt.NDArray[np.int64]]], seqs: list[int], count: int
) -> list[list[bytes]]:
    frames: list[list[bytes]] = [[] for _ in town.slugs]
    now_us = time.time_ns() // 1000
    while count > 0:
        at_us, register = next(ticks)
        for n, body in enumerate(town.records(at_us=at_us, register=register)):
            seq = seqs[n] + len(frames[n]) + 1
            frames[n].append(frame_of([(Kind.READINGS, body)], first_seq=seq, clock_us=now_us))
        count -= town.gateways
    return frames


def _flood(services: Services, town: Town, frames: list[list[bytes]], seqs: list[int]) -> Published:
    jobs = []
    for slug, mine, seq in zip(town.slugs, frames, seqs, strict=True):
        place: dict[str, Any] = {"book": str(town.book), "site": town.site, "gateway": slug}
        jobs.append(
            Job(
                user=slug,
                password=door_password(services.config, gateway=slug),
                up=topics.up(**place),
                down=topics.down(**place),
                frames=mine,
                last_seq=seq + len(mine),
            )
        )
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as elsewhere:
        return elsewhere.submit(publish, address=services.config.mqtt_address(), jobs=jobs).result()

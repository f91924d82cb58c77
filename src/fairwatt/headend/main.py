"""The poster process of one book: frames and facts in; lines, acknowledgements and orders out.

One thread owns the database connection and the state; the event loop only carries. Whatever fails, the
answer is the same: forget what was not committed, know the book again, go on. Nothing is acknowledged
that is not durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, connection, connections
from nats.aio.client import Client

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.flushing import CacheFlusher
from fairwatt.flows.posting.loading import load_book, reload_book
from fairwatt.flows.posting.post_batch import BatchResult, Poster, post_batch
from fairwatt.headend.backbone import Frame, Intake, connect, ensure_log
from fairwatt.headend.metrics import Metrics
from fairwatt.store.posting import PosterFenced
from fairwatt.wire import topics
from fairwatt.wire.frames import encode_ack, encode_commands

log = structlog.get_logger()

FRAMES_MAX: Final = 2000
BATCH_BYTES: Final = 1 << 20
"""About 26,000 readings: enough to fill a COPY, and a payment never waits behind more than that."""
FLUSH_S: Final = 1.0
RESEND_S: Final = 0.5
POLL_FACTS_S: Final = 2.0
HEARD_S: Final = 60.0
RETRY_S: Final = 0.2


class Clock(Protocol):
    """Domain time."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...


@dataclass
class _Desk:
    """What the one posting thread holds."""

    state: BookState
    flusher: CacheFlusher
    regrant: set[int] = field(default_factory=set)


async def run(
    *, book: int, nats_url: str, poster: Poster, clock: Clock, metrics: Metrics | None = None
) -> None:
    """Be the poster of a book until SIGTERM or SIGINT, or until another poster takes it."""
    head = HeadEnd(book=book, poster=poster, clock=clock, metrics=metrics or Metrics())
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, head.stop)
    client = await _connected(nats_url, head)
    if client is None:
        return
    try:
        await head.serve(client)
    finally:
        with contextlib.suppress(Exception):
            await client.drain()


async def _connected(url: str, head: HeadEnd) -> Client | None:
    while not head.stopping:
        try:
            return await connect(url=url)
        except (OSError, TimeoutError) as error:
            log.warning("backbone.unreachable", error=str(error))
            await asyncio.sleep(RETRY_S)
    return None


class HeadEnd:
    """Carries between the backbone, the posting thread and the gateways of one book."""

    def __init__(self, *, book: int, poster: Poster, clock: Clock, metrics: Metrics) -> None:
        self._book = book
        self._poster = poster
        self._clock = clock
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="poster")
        self._wake = asyncio.Event()
        self._fact_waits = True
        self._heard: dict[int, float] = {}
        self._sent_at = 0.0
        self._flushed_at = 0.0
        self._polled_at = 0.0
        self.stopping = False

    def stop(self) -> None:
        """Finish the batch in hand, flush, and end."""
        self.stopping = True
        self._wake.set()

    async def serve(self, client: Client) -> None:
        """Post until stopped or fenced."""
        listener = asyncio.create_task(self._listen())
        intake: Intake | None = None
        try:
            consumer = await self._until_done(lambda: ensure_log(client=client, book=str(self._book)))
            if consumer is None:
                return
            intake = Intake(client=client, consumer=consumer, wake=self._wake.set)
            await intake.start()
            desk = await self._open_desk()
            while not self.stopping and desk is not None:
                try:
                    await self._turn(client, intake, desk)
                except PosterFenced as fenced:
                    log.error("poster.fenced", detail=str(fenced))
                    return
                except (DatabaseError, psycopg.Error) as error:
                    # Was it committed? Only the database knows: read everything again.
                    log.warning("poster.database_error", error=str(error)[:300])
                    intake.forget()
                    desk = await self._open_desk()
            if desk is not None:
                with contextlib.suppress(DatabaseError, psycopg.Error, PosterFenced):
                    await self._in_thread(lambda: desk.flusher.flush(state=desk.state))
        finally:
            if intake is not None:
                await intake.stop()
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
            self._thread.submit(lambda: connection.close()).result()
            self._thread.shutdown()

    async def _turn(self, client: Client, intake: Intake, desk: _Desk) -> None:
        frames = await intake.take(most=FRAMES_MAX, most_bytes=BATCH_BYTES)
        now = time.monotonic()
        if now - self._polled_at > POLL_FACTS_S:
            self._polled_at, self._fact_waits = now, True
        if frames or self._fact_waits or desk.regrant:
            self._fact_waits = False
            result = await self._in_thread(lambda: self._post(desk, frames))
            await self._carry(client, desk.state, result)
            if frames:
                await intake.done(frames[-1])
        elif now - self._sent_at > RESEND_S:
            self._sent_at = now
            await self._resend(client, desk.state)
        if desk.flusher.pending and now - self._flushed_at > FLUSH_S:
            self._flushed_at = now
            await self._in_thread(lambda: desk.flusher.flush(state=desk.state))
        if not len(intake) and not self._fact_waits and not desk.regrant:
            self._wake.clear()
            if not len(intake):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), timeout=RESEND_S / 2)

    def _post(self, desk: _Desk, frames: list[Frame]) -> BatchResult:
        now_us = self._clock.now_us()
        regrant, desk.regrant = desk.regrant, set()
        result = post_batch(
            state=desk.state,
            messages=[(frame.gateway, frame.data) for frame in frames],
            poster=self._poster,
            now_us=now_us,
            regrant=regrant,
        )
        desk.flusher.note(touched=result.touched, lines=result.lines)
        self._metrics.count(result, frames=len(frames))
        if result.reload:
            desk.flusher.flush(state=desk.state)
            desk.state = reload_book(state=desk.state)
            desk.flusher.resize(state=desk.state)
            desk.regrant = result.regrant
        return result

    async def _carry(self, client: Client, state: BookState, result: BatchResult) -> None:
        """Commands first, then the acknowledgement: who sees the ack has been offered the orders."""
        now_us = self._clock.now_us()
        for gateway, messages in result.send.items():
            await client.publish(self._down(state, gateway), encode_commands(messages))
        for gateway, epoch, seq in result.acks:
            self._heard[gateway] = time.monotonic()
            await client.publish(self._down(state, gateway), encode_ack(epoch=epoch, seq=seq, now_us=now_us))

    async def _resend(self, client: Client, state: BookState) -> None:
        """Offer open orders again to gateways that were heard lately."""
        since = time.monotonic() - HEARD_S
        waiting: dict[int, list[bytes]] = {}
        for n, order in state.orders.items():
            gateway = int(state.registers["gateway"][n])
            if order.state != "accepted" and self._heard.get(gateway, 0.0) > since:
                waiting.setdefault(gateway, []).append(order.payload)
        for gateway, messages in waiting.items():
            await client.publish(self._down(state, gateway), encode_commands(messages))

    def _down(self, state: BookState, gateway: int) -> str:
        at = state.gateways[gateway]
        return topics.down_subject(book=str(state.book), site=at.site, gateway=at.slug)

    async def _open_desk(self) -> _Desk | None:
        """Take the book and know it; keep trying while the database is away."""
        return await self._until_done(lambda: self._in_thread(self._load))

    def _load(self) -> _Desk:
        connections.close_all()
        state = load_book(book=self._book, now_us=self._clock.now_us())
        flusher = CacheFlusher(state=state)
        flusher.catch_up()
        self._fact_waits = True
        log.info(
            "poster.took_book",
            book=self._book,
            epoch=state.epoch,
            batch=state.last_batch,
            registers=len(state.registers),
            open_orders=len(state.orders),
        )
        return _Desk(state=state, flusher=flusher)

    async def _until_done[T](self, step: Callable[[], Awaitable[T]]) -> T | None:
        while not self.stopping:
            try:
                return await step()
            except (DatabaseError, psycopg.Error, OSError, TimeoutError) as error:
                log.warning("headend.waiting", error=str(error)[:300])
            except Exception as error:
                if not type(error).__module__.startswith("nats"):
                    raise
                log.warning("headend.waiting", error=str(error)[:300])
            await asyncio.sleep(RETRY_S)
        return None

    async def _in_thread[T](self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _listen(self) -> None:
        """Wake when a fact is committed; the poll covers what a broken connection misses."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(_dsn(), autocommit=True) as listening:
                    await listening.execute("LISTEN fact")
                    self._fact_waits = True
                    self._wake.set()
                    async for _ in listening.notifies():
                        self._fact_waits = True
                        self._wake.set()
            except (psycopg.Error, OSError) as error:
                log.warning("headend.listen_broken", error=str(error)[:200])
            await asyncio.sleep(RETRY_S)


def _dsn() -> str:
    database = settings.DATABASES["default"]
    return psycopg.conninfo.make_conninfo(
        host=database["HOST"],
        port=database["PORT"],
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        application_name="fairwatt-listener",
    )

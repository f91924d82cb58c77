"""The poster process of one book: frames and facts in; lines, acknowledgements and orders out.

One thread owns the database connection and the state, one prepares the next batch meanwhile; the event loop
only carries. Whatever fails, the answer is the same: forget what was not committed, know the book again, go
on. Nothing is acknowledged that is not durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Protocol

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, connections
from nats.aio.client import Client

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.flushing import CacheFlusher
from fairwatt.flows.posting.loading import load_book
from fairwatt.flows.posting.pipeline import Pipeline
from fairwatt.flows.posting.planning import BatchResult, Poster
from fairwatt.flows.raise_due import raise_due
from fairwatt.headend.backbone import Frame, Intake, connect, ensure_log
from fairwatt.headend.listening import listen_for_facts
from fairwatt.headend.metrics import Metrics
from fairwatt.headend.suspicion import Suspicion
from fairwatt.headend.wishes import Wishes
from fairwatt.store.posting import PosterFenced
from fairwatt.wire import topics
from fairwatt.wire.cose import MAX_MESSAGE_BYTES
from fairwatt.wire.frames import command_frames, encode_ack, encode_say_again

log = structlog.get_logger()

FRAMES_MAX: Final = 2000
BATCH_BYTES: Final = 1 << 20
"""About 26,000 readings: enough to fill a COPY, and a payment never waits behind more than that."""
AHEAD_FRAMES: Final = FRAMES_MAX // 4
AHEAD_BYTES: Final = BATCH_BYTES // 4
"""So much must wait before a batch is prepared beside the one that is being posted: small batches are better
joined."""
GATHER_S: Final = 0.1
"""Batches of facts alone begin no faster than this: the first of a rush is posted at once, the others join."""
FLUSH_S: Final = 1.0
RESEND_S: Final = 0.5
RESEND_BUSY_S: Final = 2.0
"""Under load open orders are offered again less often, but never not at all."""
POLL_FACTS_S: Final = 2.0
DUE_S: Final = 15.0
"""How often the calendar is asked for fees and shared costs that fell due."""
HEARD_S: Final = 60.0
ASK_AGAIN_S: Final = 1.0
RETRY_S: Final = 0.2
SETBACK_S: Final = 2.0


class Clock(Protocol):
    """Domain time."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...


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
        self._posting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="posting")
        self._planning = ThreadPoolExecutor(max_workers=1, thread_name_prefix="planning")
        self._caching = ThreadPoolExecutor(max_workers=1, thread_name_prefix="caching")
        self._carrying: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._fact_waits = True
        self._in_hand: list[Frame] = []
        """frames taken and not yet durable"""
        self._suspicion = Suspicion()
        self._wishes = Wishes(book=book, sign=poster.sign, now_us=clock.now_us)
        self._heard: dict[int, float] = {}
        self._asked: dict[int, float] = {}
        self._sent_at = 0.0
        self._posted_at = 0.0
        self._flushed_at = 0.0
        self._polled_at = 0.0
        self._due_at = 0.0
        self.stopping = False

    def stop(self) -> None:
        """Finish the batch in hand, flush, and end."""
        self.stopping = True
        self._wake.set()

    def _hear_of_a_fact(self) -> None:
        self._fact_waits = True
        self._wake.set()

    async def serve(self, client: Client) -> None:
        """Post until stopped or fenced."""
        listener = asyncio.create_task(listen_for_facts(heard=self._hear_of_a_fact))
        intake: Intake | None = None
        try:
            consumer = await self._until_done(lambda: ensure_log(client=client, book=str(self._book)))
            if consumer is None:
                return
            intake = Intake(client=client, consumer=consumer, wake=self._wake.set)
            await intake.start()
            pipeline = await self._open_book()
            while not self.stopping and pipeline is not None:
                try:
                    await self._turn(client, intake, pipeline)
                except PosterFenced as fenced:
                    log.error("poster.fenced", detail=str(fenced))
                    return
                except (OperationalError, InterfaceError, psycopg.Error) as error:
                    # Was it committed? Only the database knows: read everything again.
                    log.warning("poster.database_error", error=str(error)[:300])
                    await self._abandon()
                    self._in_hand = []
                    intake.forget()
                    pipeline = await self._open_book()
                except Exception as error:
                    if _of_backbone(error):
                        log.warning("backbone.error", error=str(error)[:300])
                        await self._abandon()
                        self._in_hand = []
                        intake.forget()
                        pipeline = await self._open_book()
                        continue
                    # Not the database but what it was given, or we: one frame may not stop a whole book.
                    log.error("poster.batch_failed", frames=len(self._in_hand), exc_info=True)
                    await self._abandon()
                    await self._suspect(intake)
                    pipeline = await self._open_book()
            if pipeline is not None:
                with contextlib.suppress(DatabaseError, psycopg.Error, PosterFenced):
                    await self._carried()
                    await asyncio.to_thread(pipeline.drain)
                    await asyncio.wrap_future(pipeline.flush())
        finally:
            await self._abandon()
            if intake is not None:
                await intake.stop()
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
            for thread in (self._posting, self._planning, self._caching):
                thread.submit(lambda: connection.close()).result()
                thread.shutdown()

    async def _turn(self, client: Client, intake: Intake, pipeline: Pipeline) -> None:
        now = time.monotonic()
        if now - self._polled_at > POLL_FACTS_S:
            self._polled_at, self._fact_waits = now, True
        free = self._carrying is None or self._carrying.done()
        if free:
            await self._carried()
            await self._look_at_the_calendar(now)
            self._fact_waits |= await self._wishes.look(posting=self._posting, now_s=now)
        flood = self._flooded(intake)
        ripe_s = 0.0 if len(intake) or pipeline.owes_grants else self._posted_at + GATHER_S - now
        waits = len(intake) or self._fact_waits or pipeline.owes_grants
        if flood or (free and waits and ripe_s <= 0):
            self._posted_at = now
            await self._post(client, intake, pipeline, ahead=flood)
            due_s = RESEND_BUSY_S
        else:
            due_s = RESEND_S if free else RESEND_BUSY_S
        if now - self._sent_at > due_s:
            self._sent_at = now
            await self._resend(client, pipeline.state)
        if pipeline.stale and now - self._flushed_at > FLUSH_S:
            self._flushed_at = now
            self._carrying = asyncio.create_task(self._flush(self._carrying, pipeline.flush()))
        busy = self._carrying is not None and not self._carrying.done()
        if busy or not (len(intake) or self._fact_waits or pipeline.owes_grants):
            await self._rest(intake)
        elif ripe_s > 0:
            await self._rest(intake, most_s=ripe_s)

    async def _look_at_the_calendar(self, now: float) -> None:
        """Raise what fell due; a fee that cannot be worked out stops no reading and no payment."""
        if now - self._due_at < DUE_S:
            return
        self._due_at, at_us = now, self._clock.now_us()
        due = self._posting.submit(lambda: raise_due(book_id=self._book, now_us=at_us))
        try:
            self._fact_waits |= await asyncio.wrap_future(due) > 0
        except (DatabaseError, psycopg.Error):
            raise
        except Exception:
            log.error("costs.calendar_failed", exc_info=True)

    def _flooded(self, intake: Intake) -> bool:
        """So much waits that the next batch is prepared beside the one in hand; never while one is suspected."""
        much = len(intake) >= AHEAD_FRAMES or intake.size >= AHEAD_BYTES
        return much and not self._suspicion.careful

    async def _suspect(self, intake: Intake) -> None:
        """Post what was in hand again in smaller batches, down to the frame that stops them; then without it."""
        frames, self._in_hand = self._in_hand, []
        intake.put_back(frames)
        culprit = self._suspicion.failed([frame.data for frame in frames])
        if culprit is not None:
            self._metrics.condemn()
            log.error("poster.frame_condemned", gateway=frames[0].gateway, bytes=len(frames[0].data))
        if not frames:
            await asyncio.sleep(SETBACK_S)  # no frame is to blame: do not spin on whatever it is

    async def _rest(self, intake: Intake, *, most_s: float = RESEND_S / 2) -> None:
        """Sleep until there is something to do: frames, a fact, or a batch that became durable."""
        self._wake.clear()
        if not self._flooded(intake) and (self._carrying is None or not self._carrying.done()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), timeout=most_s)

    async def _post(self, client: Client, intake: Intake, pipeline: Pipeline, *, ahead: bool) -> None:
        """Hand the next batch over; what the one before it came to has been carried by then."""
        frames = await intake.take(most=self._suspicion.most(FRAMES_MAX), most_bytes=BATCH_BYTES)
        self._in_hand += frames
        self._fact_waits = False
        messages = [(frame.gateway, frame.data) for frame in frames]
        now_us = self._clock.now_us()
        future = await asyncio.get_running_loop().run_in_executor(
            self._planning, lambda: pipeline.submit(messages=messages, now_us=now_us, ahead=ahead)
        )
        await self._carried()
        self._carrying = asyncio.create_task(self._finish(client, intake, pipeline, frames, future))

    async def _finish(
        self,
        client: Client,
        intake: Intake,
        pipeline: Pipeline,
        frames: list[Frame],
        posted: Future[BatchResult],
    ) -> None:
        """Wait until a batch is durable; only then send what it ordered and acknowledge what it stored."""
        try:
            result = await asyncio.wrap_future(posted)
            del self._in_hand[: len(frames)]
            self._suspicion.passed(len(frames))
            self._metrics.count(result, frames=len(frames))
            self._fact_waits |= result.facts_wait
            await self._carry(client, pipeline.state, result)
            if frames:
                await intake.done(frames[-1])
        finally:
            self._wake.set()

    async def _carried(self) -> None:
        """Everything handed over is durable and answered; raises what stopped it."""
        carrying, self._carrying = self._carrying, None
        if carrying is not None:
            await carrying

    async def _abandon(self) -> None:
        """Let the batch in the database's hands end, however it ends."""
        if self._carrying is not None:
            await asyncio.gather(self._carrying, return_exceptions=True)
            self._carrying = None

    async def _flush(self, batch: asyncio.Task[None] | None, flushed: Future[None]) -> None:
        try:
            if batch is not None:
                await batch
            await asyncio.wrap_future(flushed)
        finally:
            self._wake.set()

    async def _carry(self, client: Client, state: BookState, result: BatchResult) -> None:
        """Commands first, then the acknowledgement: who sees the ack has been offered the orders."""
        now_us = self._clock.now_us()
        for gateway, messages in result.send.items():
            await self._send(client, state, gateway, messages)
        for gateway, epoch, seq in result.acks:
            self._heard[gateway] = time.monotonic()
            ack = encode_ack(epoch=epoch, seq=seq, now_us=now_us, answers=result.answered.get(gateway))
            await client.publish(self._down(state, gateway), ack)
        for gateway, epoch, seq in result.again:
            await self._ask_again(client, state, gateway, epoch, seq)

    async def _ask_again(
        self, client: Client, state: BookState, gateway: int, epoch: int, after_seq: int
    ) -> None:
        """Ask for what is missing, seldom: every frame behind a hole finds it, and the answer is under way."""
        now_s = time.monotonic()
        if now_s - self._asked.get(gateway, -ASK_AGAIN_S) >= ASK_AGAIN_S:
            self._asked[gateway] = now_s
            await client.publish(
                self._down(state, gateway), encode_say_again(epoch=epoch, after_seq=after_seq)
            )

    async def _resend(self, client: Client, state: BookState) -> None:
        """Offer open orders again to gateways that were heard lately."""
        since = time.monotonic() - HEARD_S
        waiting = {
            g: list(some) for g, some in self._wishes.waiting.items() if self._heard.get(g, 0.0) > since
        }
        for n, order in state.orders.items():
            gateway = int(state.registers["gateway"][n])
            if order.state != "accepted" and self._heard.get(gateway, 0.0) > since:
                waiting.setdefault(gateway, []).append(order.payload)
        for gateway, messages in waiting.items():
            await self._send(client, state, gateway, messages)

    async def _send(self, client: Client, state: BookState, gateway: int, messages: list[bytes]) -> None:
        """Offer commands to a gateway, in as many frames as it takes."""
        if gateway not in state.gateways:
            return
        for frame in command_frames(message for message in messages if len(message) <= MAX_MESSAGE_BYTES):
            await client.publish(self._down(state, gateway), frame)

    def _down(self, state: BookState, gateway: int) -> str:
        at = state.gateways[gateway]
        return topics.down_subject(book=str(state.book), site=at.site, gateway=at.slug)

    async def _open_book(self) -> Pipeline | None:
        """Take the book and know it; keep trying while the database is away."""
        return await self._until_done(lambda: asyncio.wrap_future(self._posting.submit(self._load)))

    def _load(self) -> Pipeline:
        connections.close_all()
        state = load_book(book=self._book, now_us=self._clock.now_us())
        state.condemned = self._suspicion.condemned
        flusher = CacheFlusher(state=state, beside=self._caching)
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
        return Pipeline(
            state=state,
            flusher=flusher,
            poster=self._poster,
            posting=self._posting,
            beside=self._caching,
        )

    async def _until_done[T](self, step: Callable[[], Awaitable[T]]) -> T | None:
        while not self.stopping:
            try:
                return await step()
            except (DatabaseError, psycopg.Error, OSError, TimeoutError) as error:
                log.warning("headend.waiting", error=str(error)[:300])
            except Exception as error:
                if not _of_backbone(error):
                    raise
                log.warning("headend.waiting", error=str(error)[:300])
            await asyncio.sleep(RETRY_S)
        return None


def _of_backbone(error: Exception) -> bool:
    return type(error).__module__.startswith("nats")

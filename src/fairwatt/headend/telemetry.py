"""The telemetry process: its own stream in, its own tables out, its own logins. The poster never waits for it.

Where it falls behind, the stream's oldest messages go (what a gateway still has, it sends again); readings travel
in another stream, on another connection, into tables that this process cannot even name.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Final, Protocol

import nats
import psycopg
import structlog
from django.db import DatabaseError, connection
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
)
from nats.js.client import JetStreamContext
from nats.js.errors import APIError

from fairwatt.flows.keep_telemetry import Kept, Places, downsample, keep_frames
from fairwatt.headend.backbone import ensure_stream
from fairwatt.wire import topics
from fairwatt.wire.errors import BadTopic
from fairwatt.wire.telemetry import encode_kept, encode_watch

log = structlog.get_logger()

STREAM: Final = "TELE"
CONSUMER: Final = "telemetry"
MAX_BYTES: Final = 512 << 20
BATCH: Final = 100
DOWNSAMPLE_S: Final = 600.0
RETRY_S: Final = 0.5
WATCH_CHANNEL: Final = "fairwatt_watch"
WATCH_S: Final = 20


class Clock(Protocol):
    """Domain time."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...


@dataclass(kw_only=True)
class Counts:
    """What this process did since it began."""

    blocks: int = 0
    points: int = 0
    refused: int = 0


class TelemetryKeeper:
    """Carries frames from the stream into rows, answers gateways, and passes on who is watched."""

    def __init__(self, *, url: str, dsn: str, clock: Clock) -> None:
        self._url = url
        self._dsn = dsn
        self._clock = clock
        self._places = Places()
        self.counts = Counts()

    async def run(self) -> None:
        """Keep telemetry until cancelled; a database or a broker that is away is waited for."""
        client = await self._connected()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._take(client))
                tasks.create_task(self._pass_on_watchers(client))
                tasks.create_task(self._tidy())
        finally:
            with contextlib.suppress(Exception):
                await client.close()  # nothing is under way that would not come again

    async def _connected(self) -> Client:
        while True:
            try:
                return await nats.connect(
                    self._url, name="fairwatt-telemetry", max_reconnect_attempts=-1, connect_timeout=2
                )
            except Exception as error:
                log.warning("telemetry.backbone_unreachable", error=str(error))
                await asyncio.sleep(RETRY_S)

    async def _take(self, client: Client) -> None:
        pull: JetStreamContext.PullSubscription | None = None
        while True:
            try:
                if pull is None:
                    pull = await _subscribed(client)
                messages: list[Msg] = await pull.fetch(BATCH, timeout=2)
                await self._keep(client, messages)
            except NatsTimeout:
                continue  # nobody spoke
            except (DatabaseError, psycopg.Error, APIError, OSError, nats.errors.Error) as error:
                # Not acknowledged, so it comes again.
                log.warning("telemetry.setback", error=str(error)[:300])
                pull = None
                await asyncio.to_thread(connection.close)
                await asyncio.sleep(RETRY_S)

    async def _keep(self, client: Client, messages: list[Msg]) -> None:
        frames: list[tuple[topics.Address, bytes]] = []
        for message in messages:
            try:
                frames.append((topics.parse_subject(message.subject), message.data))
            except BadTopic:
                log.warning("telemetry.foreign_subject", subject=message.subject)
        now_us = self._clock.now_us()
        kept: Kept = await asyncio.to_thread(keep_frames, messages=frames, places=self._places, now_us=now_us)
        self.counts.blocks += kept.blocks
        self.counts.points += kept.points
        self.counts.refused += kept.refused
        # Only after the commit: what is not kept is still the gateway's to send.
        for address, (epoch, seq) in kept.upto.items():
            await client.publish(topics.tack_subject(**address._asdict()), encode_kept(epoch=epoch, seq=seq))
        for message in messages:
            await message.ack()

    async def _pass_on_watchers(self, client: Client) -> None:
        """Pages that show a meter live say so by NOTIFY; its gateway then sends small blocks for a while."""
        told: dict[str, float] = {}
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as link:
                    await link.execute(f"LISTEN {WATCH_CHANNEL}")
                    async for note in link.notifies():
                        now = time.monotonic()
                        if now - told.get(note.payload, -WATCH_S) >= WATCH_S / 2:
                            told[note.payload] = now
                            await self._tell(client, note.payload)
            except (psycopg.Error, OSError) as error:
                log.warning("telemetry.watch_setback", error=str(error)[:200])
                await asyncio.sleep(RETRY_S)

    async def _tell(self, client: Client, payload: str) -> None:
        try:
            address = topics.parse_subject(f"tele.{payload}")
        except BadTopic:
            log.warning("telemetry.foreign_watch", payload=payload[:80])
            return
        await client.publish(topics.tack_subject(**address._asdict()), encode_watch(for_s=WATCH_S))

    async def _tidy(self) -> None:
        while True:
            try:
                made, dropped = await asyncio.to_thread(downsample, now_us=self._clock.now_us())
                if made or dropped:
                    log.info("telemetry.downsampled", days=len(made), dropped=len(dropped))
            except (DatabaseError, psycopg.Error) as error:
                log.warning("telemetry.tidy_setback", error=str(error)[:300])
                await asyncio.to_thread(connection.close)
            await asyncio.sleep(DOWNSAMPLE_S)


async def _subscribed(client: Client) -> JetStreamContext.PullSubscription:
    """Make the stream and the consumer, or find them."""
    js = client.jetstream(timeout=5)
    await ensure_stream(
        js=js,
        name=STREAM,
        subjects=topics.TELE_SUBJECTS,
        stored_as=topics.TELE_TRANSFORM,
        max_bytes=MAX_BYTES,
        max_age_s=2 * 86_400,
    )
    config = ConsumerConfig(
        durable_name=CONSUMER, ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_ack_pending=5 * BATCH
    )
    await js.add_consumer(STREAM, config)
    return await js.pull_subscribe_bind(CONSUMER, STREAM)

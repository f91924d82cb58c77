"""Capture, memory and an MQTT session of its own: a backlog here never stands before a reading."""

import asyncio
from contextlib import suppress
from typing import Final

import aiomqtt
import structlog

from fairwatt.edge.clock import Clock
from fairwatt.edge.config import EdgeConfig, TelemetryConfig
from fairwatt.edge.meters import Meters
from fairwatt.edge.mqtt import session
from fairwatt.edge.spool import Spool
from fairwatt.edge.telemetry.capture import Capture
from fairwatt.edge.telemetry.memory import Memory
from fairwatt.wire import topics
from fairwatt.wire.errors import FrameError
from fairwatt.wire.telemetry import Kept, TeleFrame, decode_tack, encode_tele

log = structlog.get_logger(__name__)

_FRAME_BYTES: Final = 48 * 1024
_WINDOW: Final = 4


class Telemetry:
    """Second by second from the meters to the head-end, or dropped; nothing else waits for it."""

    def __init__(
        self,
        *,
        config: EdgeConfig,
        settings: TelemetryConfig,
        meters: Meters,
        spool: Spool,
        clock: Clock,
        boot_id: bytes,
    ) -> None:
        self._config = config
        self._now_us = clock.now_us
        self._boot_id = boot_id
        place = {"book": config.book, "site": config.site, "gateway": config.gateway}
        self._tele = topics.tele(**place)
        self._tack = topics.tack(**place)
        self.memory = Memory(
            path=config.spool.with_name(config.spool.name + ".telemetry"),
            now_us=clock.now_us(),
            room=lambda: min(settings.max_bytes, spool.room),
        )
        lines = [(branch.points, branch.turn.locked) for branch in meters.branches]
        self._capture = Capture(config=settings, lines=lines, now_us=clock.now_us, keep=self._keep_block)
        self._wake = asyncio.Event()
        self._sent_upto = 0
        self._in_flight: list[int] = []

    def _keep_block(self, start_s: int, seconds: int, bodies: list[tuple[int, bytes]]) -> None:
        self.memory.append(start_s=start_s, seconds=seconds, bodies=bodies)
        self._wake.set()

    async def run(self) -> None:
        """Capture and send until cancelled. Raises nothing: the agent goes on without it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._capture.run())
                tasks.create_task(self._uplink())
        except* Exception:
            log.critical("telemetry_stopped", exc_info=True)
        finally:
            self.memory.close()

    async def _uplink(self) -> None:
        broker = self._config.broker
        pause_s = broker.reconnect_min_s
        while True:
            try:
                async with self._client() as client:
                    pause_s = broker.reconnect_min_s
                    await self._session(client)
            except* (aiomqtt.MqttError, OSError) as group:
                log.warning("telemetry_link_down", error=str(group.exceptions[0])[:200], retry_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, broker.reconnect_max_s)

    def _client(self) -> aiomqtt.Client:
        config = self._config
        return session(broker=config.broker, gateway=config.gateway, boot_id=self._boot_id, purpose="tele-")

    async def _session(self, client: aiomqtt.Client) -> None:
        await client.subscribe(self._tack, qos=1)
        self._rewind()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(client))
            tasks.create_task(self._send(client))

    def _rewind(self) -> None:
        self._sent_upto = 0
        self._in_flight.clear()

    async def _send(self, client: aiomqtt.Client) -> None:
        resend_s = self._config.broker.resend_s
        while True:
            self._wake.clear()
            while len(self._in_flight) < _WINDOW and (frame := self._next_frame()):
                await client.publish(self._tele, encode_tele(frame), qos=1)
            with suppress(TimeoutError):
                async with asyncio.timeout(resend_s if self._in_flight else None):
                    await self._wake.wait()
                continue
            # Unanswered for so long: the oldest goes again. Kept twice is kept once.
            self._rewind()

    def _next_frame(self) -> TeleFrame | None:
        blocks = self.memory.read(after_seq=self._sent_upto, max_bytes=_FRAME_BYTES)
        if not blocks:
            return None
        self._sent_upto = blocks[-1].seq
        self._in_flight.append(self._sent_upto)
        return TeleFrame(self.memory.epoch, self._now_us(), tuple(blocks))

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload
            try:
                said = decode_tack(payload if isinstance(payload, bytes) else b"")
            except FrameError as error:
                log.warning("telemetry_answer_refused", code=error.code, error=str(error))
                continue
            if isinstance(said, Kept):
                self._take_kept(said)
            else:
                self._capture.watch(for_s=said.for_s)

    def _take_kept(self, kept: Kept) -> None:
        if kept.epoch != self.memory.epoch:
            return
        self.memory.forget(epoch=kept.epoch, upto_seq=kept.seq)
        self._in_flight = [seq for seq in self._in_flight if seq > kept.seq]
        self._wake.set()

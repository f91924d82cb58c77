"""A virtual DTU: the modem of a meter line, which dials the gateway instead of being dialled."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from fairwatt.drivers.dlt645.stream import FrameStream

from .bus import Dlt645Bus


class SimDtu:
    """Dials `host:port`, says `registration`, then carries a simulated bus; a heartbeat whenever told or due.

    It dials again after a broken call, as the real ones do. `beat()` sends one heartbeat at once; with
    `beat_every_s` one is sent by itself. `answers` collects what the gateway said to the unit itself
    (bytes that are no frame).
    """

    def __init__(
        self,
        *,
        bus: Dlt645Bus,
        host: str,
        port: int,
        registration: bytes = b"",
        heartbeat: bytes = b"",
        beat_every_s: float = 0.0,
        redial_s: float = 0.05,
    ) -> None:
        self.bus = bus
        self.host, self.port = host, port
        self.registration, self.heartbeat = registration, heartbeat
        self.beat_every_s, self.redial_s = beat_every_s, redial_s
        self.calls = 0
        self.answers = b""
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def start(self) -> None:
        """Begin dialling; the call comes about by itself."""
        self._task = asyncio.create_task(self._keep_dialling())

    async def stop(self) -> None:
        """Hang up for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def hang_up(self) -> None:
        """Lose the call, as when the radio fails; it dials again."""
        if self._writer is not None:
            self._writer.transport.abort()

    def beat(self) -> None:
        """Send one heartbeat."""
        if self._writer is not None:
            self._writer.write(self.heartbeat)

    async def __aenter__(self) -> SimDtu:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _keep_dialling(self) -> None:
        while True:
            try:
                reader, self._writer = await asyncio.open_connection(self.host, self.port)
            except OSError:
                await asyncio.sleep(self.redial_s)
                continue
            self.calls += 1
            beats = asyncio.create_task(self._keep_beating()) if self.beat_every_s else None
            try:
                with suppress(OSError):
                    await self._carry(reader, self._writer)
            finally:
                if beats is not None:
                    beats.cancel()
                self._writer.close()
                self._writer = None
            await asyncio.sleep(self.redial_s)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.registration)
        stream = FrameStream()
        while data := await reader.read(4_096):
            frames = stream.feed(data)
            if not frames:
                self.answers += data
            for frame in frames:
                for heard, delay_ms in self.bus.answer(frame=frame):
                    if delay_ms:
                        await asyncio.sleep(delay_ms / 1000)
                    writer.write(heard)

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self.beat_every_s)
            self.beat()

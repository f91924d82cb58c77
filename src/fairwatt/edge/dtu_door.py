"""Where DTUs call: a TCP port of the gateway, for modems that cannot be called themselves.

A DTU says its registration first, then carries bytes like any converter, with heartbeats in between. Which bus it
is follows from the registration; a bus that waits for none takes whoever calls.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import structlog

from fairwatt.drivers.dtu import DtuStream, UnknownDtu
from fairwatt.edge.config import BusConfig
from fairwatt.edge.lines import Line

log = structlog.get_logger(__name__)

_REGISTER_WITHIN_S: Final = 30.0
_CALLERS_MAX: Final = 256
_STILL_S: Final = 0.15
"""A line that says nothing for so long has said what it had to say: half a heartbeat was none."""


class DtuDoor:
    """One listening port, the buses that wait at it, and who has called."""

    def __init__(self, *, host: str, port: int, buses: Iterable[BusConfig]) -> None:
        self.host = host
        self.port = port
        self.buses = tuple(buses)
        self._lines: dict[str, Line] = {}
        self._callers: dict[_Caller, None] = {}
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(partial(_Caller, self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Hang up on everyone and stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for caller in tuple(self._callers):
            caller.close()

    def line(self, *, bus: str) -> Line | None:
        """The open line of a bus; None while its DTU has not called."""
        line = self._lines.get(bus)
        return line if line is not None and line.alive else None

    def came(self, caller: "_Caller") -> None:
        """Count a caller in; for one too many, whoever has said nothing for longest goes."""
        self._callers[caller] = None
        if len(self._callers) > _CALLERS_MAX:
            idle = next((one for one in self._callers if not one.is_known), caller)
            self.went(idle)
            idle.close()

    def went(self, caller: "_Caller") -> None:
        """Count a caller out."""
        self._callers.pop(caller, None)

    def registered(self, bus: str, line: Line) -> None:
        """A DTU is on the line; one that calls again after a broken radio link takes its old line's place."""
        old = self._lines.get(bus)
        self._lines[bus] = line
        if old is not None and old is not line:
            old.close()
        log.info("dtu_registered", bus=bus, port=self.port)


class _Caller(Line):
    """A line that somebody else opened, and who has to say first who they are."""

    def __init__(self, door: DtuDoor) -> None:
        super().__init__()
        self._door = door
        self._open = [(bus, DtuStream(dialect=bus.dialect())) for bus in door.buses]
        self._stream: DtuStream | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_known(self) -> bool:
        """Whether it has said who it is."""
        return self._stream is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._door.came(self)
        self._after(_REGISTER_WITHIN_S, self._lose_patience)
        self._identify(b"")

    def data_received(self, data: bytes) -> None:
        if self._stream is None:
            self._identify(data)
            return
        heard = self._stream.feed(data)
        self._say(heard.reply)
        super().data_received(heard.payload)
        self._after(_STILL_S, self._release)

    def _identify(self, data: bytes) -> None:
        """Try what was said on every bus that waits here; one that it cannot be is asked no more."""
        candidates, self._open = self._open, []
        for bus, stream in candidates:
            try:
                heard = stream.feed(data)
            except UnknownDtu:
                continue
            if stream.name is None:
                self._open.append((bus, stream))
            elif bus.dtu in ("", stream.name):
                self._stream = stream
                self._after(_STILL_S, self._release)
                self._door.registered(bus.name, self)
                self._say(heard.reply)
                super().data_received(heard.payload)
                return
        if not self._open:
            log.warning("dtu_unknown", port=self._door.port, said=data[:40].hex())
            self.close()

    def _release(self) -> None:
        if self._stream is not None:
            super().data_received(self._stream.release())

    def _lose_patience(self) -> None:
        log.warning("dtu_unknown", port=self._door.port, said="")
        self.close()

    def _after(self, seconds: float, deed: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, deed)

    def _say(self, reply: bytes) -> None:
        if reply and self._transport is not None:
            self._transport.write(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()
        self._door.went(self)

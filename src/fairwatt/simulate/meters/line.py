"""A TCP port with one device or one bus behind it: bytes in, bytes out, as a transparent converter does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Line:
    """A TCP server that hands what it hears to `answer` and says what that returns, piece by piece.

    ``answer`` gets everything heard so far from one caller and returns the bytes to say and how many of the
    heard bytes are done with. With ``pace_ms`` every byte is sent alone, with that much silence behind it.
    Port 0 picks a free port; read it from `port` after `start`.
    """

    def __init__(
        self,
        *,
        answer: Callable[[bytes], tuple[bytes, int]],
        host: str = "127.0.0.1",
        port: int = 0,
        pace_ms: int = 0,
    ) -> None:
        self.host = host
        self.port = port
        self.pace_ms = pace_ms
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.Transport] = set()

    async def start(self) -> None:
        """Listen; after a `stop`, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Caller(self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up on everyone and stop listening."""
        if self._server is None:
            return
        self._server.close()
        for caller in tuple(self._callers):
            caller.abort()
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Line:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def hear(self, heard: bytes) -> tuple[bytes, int]:
        """What the devices say to this, and how much of it they have taken."""
        return self._answer(heard)

    def linked(self, caller: asyncio.Transport) -> None:
        """Count a caller in."""
        self._callers.add(caller)

    def unlinked(self, caller: asyncio.Transport) -> None:
        """Count a caller out."""
        self._callers.discard(caller)


class _Caller(asyncio.Protocol):
    def __init__(self, line: Line) -> None:
        self._line = line
        self._heard = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._line.linked(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._line.unlinked(self._transport)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._heard += data
        said, taken = self._line.hear(self._heard)
        self._heard = self._heard[taken:]
        if self._line.pace_ms:
            self._say_slowly(said)
        elif self._transport is not None and said:
            self._transport.write(said)

    def _say_slowly(self, rest: bytes) -> None:
        if self._transport is not None and rest:
            self._transport.write(rest[:1])
            asyncio.get_running_loop().call_later(self._line.pace_ms / 1000, self._say_slowly, rest[1:])

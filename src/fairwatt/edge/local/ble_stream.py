"""A stream of bytes over Bluetooth LE: one service, written in one direction, notified in the other.

Like a serial line: the order is kept, how the bytes were cut means nothing. docs/protocol/local.md names the UUIDs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

SERVICE: Final = "7e6f0001-5c1d-4a53-9c0e-2f6661697277"
TO_GATEWAY: Final = "7e6f0002-5c1d-4a53-9c0e-2f6661697277"
"""The visitor writes here."""
FROM_GATEWAY: Final = "7e6f0003-5c1d-4a53-9c0e-2f6661697277"
"""The gateway notifies here."""
ATT_HEAD: Final = 3
SMALLEST_MTU: Final = 23


class ChunkWriter:
    """The written half: what is drained goes out in pieces that fit one packet."""

    def __init__(
        self, *, send: Callable[[bytes], Awaitable[None]], mtu: Callable[[], int], end: Callable[[], None]
    ) -> None:
        self._send, self._mtu, self._end = send, mtu, end
        self._held = bytearray()
        self._sending = asyncio.Lock()

    def write(self, data: bytes, /) -> None:
        """Keep bytes until they are drained."""
        self._held += data

    async def drain(self) -> None:
        """Send what is kept. Raises what the radio raises when the link is gone."""
        async with self._sending:
            size = max(SMALLEST_MTU, self._mtu()) - ATT_HEAD
            while self._held:
                piece = bytes(self._held[:size])
                await self._send(piece)
                del self._held[: len(piece)]

    def close(self) -> None:
        """End the link."""
        self._held.clear()
        self._end()

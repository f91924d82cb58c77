"""Sessions over any stream of bytes: TCP, serial, BLE. One loop for all; what differs is who makes the stream."""

import asyncio
import os
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import structlog

from fairwatt.edge.local.desk import Desk, Session
from fairwatt.wire.errors import FrameError
from fairwatt.wire.local_frames import MAX_FRAME_BYTES, Framer, frame
from fairwatt.wire.permits import Permit

log = structlog.get_logger(__name__)

VISITORS_MAX: Final = 4
"""who proved themselves, at once"""
AT_DOOR_MAX: Final = 16
"""who did not yet"""
IDLE_S: Final = 60.0
HANDSHAKE_S: Final = 10.0
"""from the first byte to the proof, however many bytes come in between"""
UNPROVEN_MAX: Final = 8
"""so much is answered without a proof: each costs the gateway a signature"""
PENALTY_S: Final = 0.5
_READ: Final = 4096


class Reads(Protocol):
    """The half of a stream that is read. Empty bytes: it ended."""

    async def read(self, count: int, /) -> bytes: ...


class Writes(Protocol):
    """The half of a stream that is written."""

    def write(self, data: bytes, /) -> None: ...

    async def drain(self) -> None: ...

    def close(self) -> None: ...


class Visits:
    """Lets visitors in, a few at a time, and forgets whoever says nothing."""

    def __init__(
        self,
        *,
        desk: Desk,
        session: Callable[[], Session],
        idle_s: float = IDLE_S,
        handshake_s: float = HANDSHAKE_S,
    ) -> None:
        self._desk, self._session = desk, session
        self._idle_s, self._handshake_s = idle_s, handshake_s
        self._at_door: list[str] = []
        self._inside: dict[Writes, bytes] = {}
        """who proved himself, by the key he did it with"""

    async def visit(self, reader: Reads, writer: Writes, /, *, address: str = "") -> None:
        """Serve one stream that ends: a TCP connection, a BLE link.

        Before the proof an ``address`` has one place, so that nobody who cannot prove himself keeps out who can; after
        it a holder has one, and whoever comes again takes his own: no resident keeps out an administrator.
        """
        if len(self._at_door) >= AT_DOOR_MAX or (address and address in self._at_door):
            writer.close()
            return
        self._at_door.append(address)
        entered = False

        def let_in(permit: Permit) -> bool:
            nonlocal entered
            if not entered and self._has_place(permit.holder_key):
                self._at_door.remove(address)
                self._inside[writer], entered = permit.holder_key, True
            return entered

        try:
            with suppress(OSError, TimeoutError):
                await self._serve(reader, writer, let_in=let_in)
        finally:
            if entered:
                self._inside.pop(writer, None)
            else:
                self._at_door.remove(address)
            writer.close()

    def _has_place(self, holder: bytes) -> bool:
        """Say whether one more may come in; an earlier visit of the same holder ends."""
        for other in [writer for writer, key in self._inside.items() if key == holder and holder]:
            del self._inside[other]
            other.close()
        return len(self._inside) < VISITORS_MAX

    async def stand_by(self, reader: Reads, writer: Writes, /) -> None:
        """Serve a stream that never ends, a serial line: a greeting begins a new visit at any time."""
        await self._serve(reader, writer, let_in=None)

    async def _serve(self, reader: Reads, writer: Writes, *, let_in: Callable[[Permit], bool] | None) -> None:
        """One visit; with nobody to let in, a line that never ends, and one visit after the other."""
        framer, session, unproven = Framer(), self._session(), 0
        for_ever, now_s = let_in is None, asyncio.get_running_loop().time
        prove_until_s = now_s() + self._handshake_s
        while True:
            inside = session.permit is not None
            if session.permit is not None:
                if let_in is not None and not let_in(session.permit):
                    return
                prove_until_s = now_s() + self._handshake_s  # a greeting begins anew at any time
            until_s = now_s() + self._idle_s if inside else prove_until_s
            async with asyncio.timeout_at(None if for_ever else until_s):
                data = await reader.read(_READ)
            if not data:
                return
            for payload in framer.feed(data):
                await asyncio.sleep(0)  # meters and other visitors have their turn, however much is said here
                unproven = 0 if session.permit is not None else unproven + 1
                if unproven > UNPROVEN_MAX and not for_ever:
                    return
                try:
                    answer, request = session.take(payload)
                except FrameError as error:
                    log.warning("local_session_ended", code=error.code, error=str(error))
                    await asyncio.sleep(PENALTY_S)
                    if not for_ever:
                        return
                    framer, session = Framer(), self._session()
                    break
                if request is not None:
                    answer = await self._desk.serve(session, request)
                framer.max_bytes = MAX_FRAME_BYTES if session.permit is not None else Framer().max_bytes
                if answer is not None:
                    writer.write(frame(answer))
                    async with asyncio.timeout(None if for_ever else self._idle_s):
                        await writer.drain()


def open_tty(fd: int, *, baud: int = 0) -> None:
    """Make a terminal a bare line of bytes. ``baud`` 0 leaves the speed (a pseudo-terminal has none)."""
    tty.setraw(fd)
    if baud:
        settings = termios.tcgetattr(fd)
        speed = getattr(termios, f"B{baud}", None)
        if speed is None:
            raise OSError(f"this machine knows no speed of {baud} baud")
        settings[4] = settings[5] = speed
        termios.tcsetattr(fd, termios.TCSANOW, settings)


async def serial_streams(device: str, /, *, baud: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a serial device as a pair of streams. Raises OSError."""
    fd = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        open_tty(fd, baud=0 if device.startswith("/dev/pts/") else baud)
        return await fd_streams(fd)
    except BaseException:
        os.close(fd)
        raise


async def fd_streams(fd: int, /) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Streams over an open terminal; each half has a descriptor of its own, as pipes need."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0)
    )
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(), os.fdopen(os.dup(fd), "wb", buffering=0)
    )
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)

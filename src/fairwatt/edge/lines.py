"""Wires to meters: a TCP converter that we call, a serial port, a DTU that calls us.

Whatever it is made of, a line carries bytes of one question at a time; what arrives while nobody asks is a late
answer, and is thrown away.
"""

import asyncio
import fcntl
import os
import termios
from typing import Any, Final, Protocol

from fairwatt.drivers.contract import Exchange, Step

_READ_BYTES: Final = 4096


class Writer(Protocol):
    """What a line needs of a transport."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Line(asyncio.Protocol):
    """One open wire. Make it with one of the openers below; it ends when `alive` is False."""

    def __init__(self) -> None:
        self.alive = False
        self._transport: Writer | None = None
        self._exchange: Exchange[Any] | None = None
        self._reply: asyncio.Future[Any] | None = None

    async def converse[ReplyT](self, exchange: Exchange[ReplyT], reply_within_s: float) -> ReplyT:
        """Send and wait for the reply, through all its steps; nothing that was not heard is sent twice.

        Raises TimeoutError, OSError or what the exchange raises.
        """
        try:
            while True:
                heard = await self._send(exchange, reply_within_s)
                if not isinstance(heard, Step):
                    return heard
        finally:
            self._reply = self._exchange = None

    async def _send[ReplyT](self, exchange: Exchange[ReplyT], reply_within_s: float) -> ReplyT | Step:
        if self._transport is None or not self.alive:
            raise ConnectionResetError("the line was closed from the other side")
        reply: asyncio.Future[ReplyT | Step] = asyncio.get_running_loop().create_future()
        self._reply, self._exchange = reply, exchange
        # How long to wait is a property of the line: a modem adds seconds, a simulated line none.
        self._transport.write(exchange.request())
        async with asyncio.timeout(reply_within_s):
            return await reply

    def opened(self, transport: Writer) -> None:
        """The wire is there."""
        self._transport = transport
        self.alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.opened(transport)

    def data_received(self, data: bytes) -> None:
        if not data or self._exchange is None or self._reply is None or self._reply.done():
            return
        try:
            reply = self._exchange.feed(data)
        except Exception as error:
            # It belongs to whoever asked, not to the event loop.
            self._reply.set_exception(error)
            return
        if reply is not None:
            self._reply.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(exc or ConnectionResetError("the line was closed from the other side"))

    def close(self) -> None:
        """Hang up."""
        self.alive = False
        if self._transport is not None:
            self._transport.close()


async def call(*, host: str, port: int) -> Line:
    """Call a TCP converter. Raises OSError."""
    _, line = await asyncio.get_running_loop().create_connection(Line, host, port)
    return line


def open_serial(*, device: str, baud: int, parity: str) -> Line:
    """Open a serial port, 8 data bits, 1 stop bit, for nobody but us. Raises OSError, termios.error as OSError."""
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise OSError(f"{baud} baud is no speed of this machine's serial ports")
    handle = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _make_raw(handle, speed, parity)
    except termios.error as error:
        os.close(handle)
        raise OSError(f"{device} does not take {baud} baud, parity {parity}: {error}") from error
    except OSError:
        os.close(handle)
        raise
    line = Line()
    line.opened(_Serial(handle, line))
    return line


def _make_raw(handle: int, speed: int, parity: str) -> None:
    flags = termios.CS8 | termios.CREAD | termios.CLOCAL
    flags |= {"none": 0, "even": termios.PARENB, "odd": termios.PARENB | termios.PARODD}[parity]
    control = termios.tcgetattr(handle)[6]
    control[termios.VMIN], control[termios.VTIME] = 0, 0
    termios.tcsetattr(handle, termios.TCSANOW, [termios.IGNPAR, 0, flags, 0, speed, speed, control])
    termios.tcflush(handle, termios.TCIOFLUSH)


class _Serial:
    """A serial port in the event loop."""

    def __init__(self, handle: int, line: Line) -> None:
        self._handle = handle
        self._line = line
        self._waiting = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(handle, self._read)

    def write(self, data: bytes) -> None:
        self._waiting += data
        self._push()

    def _push(self) -> None:
        try:
            self._waiting = self._waiting[os.write(self._handle, self._waiting) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self._lost(error)
            return
        # A port takes a few thousand bytes at once; a frame has two hundred.
        if self._waiting:
            self._loop.add_writer(self._handle, self._push)
        else:
            self._loop.remove_writer(self._handle)

    def _read(self) -> None:
        try:
            data = os.read(self._handle, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)
            return
        if data:
            self._line.data_received(data)
        else:
            self._lost(ConnectionResetError("the serial port was unplugged"))

    def _lost(self, error: OSError) -> None:
        self.close()
        self._line.connection_lost(error)

    def close(self) -> None:
        if self._handle < 0:
            return
        self._loop.remove_reader(self._handle)
        self._loop.remove_writer(self._handle)
        os.close(self._handle)
        self._handle = -1

"""One meter line behind a transparent TCP converter: one question at a time."""

import asyncio
from typing import Any

from fairwatt.drivers.contract import DriverError, Exchange, Step
from fairwatt.edge.config import BusConfig


class BusDown(DriverError):
    """The line itself cannot be reached, so none of its meters can be."""

    code = "bus_down"


class Silent(DriverError):
    """The line is up, but the meter did not answer."""

    code = "no_answer"


class Garbled(DriverError):
    """The meter's answer made its driver fail: nothing of it is used."""

    code = "garbled"


class TcpBus:
    """Carries exchanges over one TCP connection, which is opened when needed and again after a failure."""

    def __init__(self, *, config: BusConfig) -> None:
        self.config = config
        self._lock = asyncio.Lock()
        self._line: _Line | None = None

    async def ask[ReplyT](self, exchange: Exchange[ReplyT], /, *, attempts: int | None = None) -> ReplyT:
        """Return the meter's reply; ask it ``attempts`` times at most (default: as the bus is configured).

        Raises BusDown when the line fails, Silent when the meter does not answer, or the driver's own error.
        """
        async with self._lock:
            line = await self._connected()
            for _ in range(self.config.attempts if attempts is None else attempts):
                try:
                    return await line.converse(exchange, self.config.reply_within_ms / 1000)
                except TimeoutError:
                    continue
                except DriverError as error:
                    # The driver counts attempts too; whoever gives up first, the meter was silent.
                    if error.code == Silent.code:
                        raise Silent(str(error)) from error
                    raise
                except OSError as error:
                    line.close()
                    raise BusDown(f"bus {self.config.name} broke: {error}") from error
                except Exception as error:
                    # Whatever one meter answers, its neighbours are still to be read.
                    raise Garbled(f"an answer on bus {self.config.name} cannot be read: {error!r}") from error
            raise Silent(f"a meter on bus {self.config.name} did not answer; its supply is as it was")

    async def _connected(self) -> "_Line":
        if self._line is not None and self._line.alive:
            return self._line
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.config.connect_timeout_ms / 1000):
                _, self._line = await loop.create_connection(_Line, self.config.host, self.config.port)
        except (OSError, TimeoutError) as error:
            raise BusDown(f"bus {self.config.name} cannot be reached: {error}") from error
        return self._line

    def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.close()
            self._line = None


class _Line(asyncio.Protocol):
    """The socket. Bytes that arrive while nobody asks are late answers, and are thrown away."""

    def __init__(self) -> None:
        self.alive = False
        self._transport: asyncio.Transport | None = None
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
            raise ConnectionResetError("the converter closed the connection")
        reply: asyncio.Future[ReplyT | Step] = asyncio.get_running_loop().create_future()
        self._reply, self._exchange = reply, exchange
        # How long to wait is a property of the line: a modem adds seconds, a simulated line none.
        self._transport.write(exchange.request())
        async with asyncio.timeout(reply_within_s):
            return await reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.alive = True

    def data_received(self, data: bytes) -> None:
        if self._exchange is None or self._reply is None or self._reply.done():
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
            self._reply.set_exception(exc or ConnectionResetError("the converter closed the connection"))

    def close(self) -> None:
        self.alive = False
        if self._transport is not None:
            self._transport.close()

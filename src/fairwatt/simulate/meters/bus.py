"""Virtual meters behind one TCP port, as behind a transparent DTU on an RS-485 line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from fairwatt.drivers.dlt645.frame import (
    BROADCAST,
    FREEZE,
    SET_TIME,
    WILDCARD,
    WRITE_ADDRESS,
    Frame,
    address_matches,
)
from fairwatt.drivers.dlt645.stream import FrameStream

from .faults import Fault, FaultKind
from .meter import SimMeter


class Dlt645Bus:
    """A TCP server that answers for many meters by their addresses.

    `now` tells domain time in microseconds: validity times, spans of faults and the log of emitted
    registers follow it, never the wall clock. Port 0 picks a free port; read it from `port` after `start`.
    """

    def __init__(
        self,
        *,
        meters: Iterable[SimMeter],
        now: Callable[[], int],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.host = host
        self.port = port
        self.meters: dict[str, SimMeter] = {}
        self.requests = 0
        self.replies = 0
        self._by_address: dict[bytes, SimMeter] = {}
        self._now = now
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        for meter in meters:
            self.add(meter)

    def add(self, meter: SimMeter) -> None:
        """Wire one more meter to the line. Two meters with one address are a wiring fault: refused."""
        if meter.number in self.meters:
            raise ValueError(f"Two meters on one bus have the address {meter.number}.")
        self.meters[meter.number] = meter
        self._by_address[meter.address] = meter

    async def start(self) -> None:
        """Listen; after a `stop`, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Link(self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up on everyone and stop listening, as a DTU that lost its power."""
        if self._server is None:
            return
        self._server.close()
        self.drop_links()
        await self._server.wait_closed()
        self._server = None

    def drop_links(self) -> None:
        """Hang up on everyone; they may dial again at once."""
        for link in tuple(self._links):
            link.close()

    async def __aenter__(self) -> Dlt645Bus:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def answer(self, *, frame: Frame) -> list[tuple[bytes, int]]:
        """Let every meter that is meant obey, and return what is heard on the line: (bytes, delay ms)."""
        self.requests += 1
        now_us = self._now()
        meter = self._by_address.get(frame.address)
        if meter is not None:
            heard = self._ask(meter, frame, now_us)
            return [] if heard is None else [heard]
        if frame.address == BROADCAST:
            if frame.control in (
                SET_TIME,
                FREEZE,
            ):  # all a meter obeys by broadcast; a broadcast trip is ignored
                for each in self._by_address.values():
                    self._ask(each, frame, now_us)
            return []
        if WILDCARD not in frame.address:
            return []
        meant = [m for a, m in self._by_address.items() if address_matches(pattern=frame.address, address=a)]
        replies = [heard for m in meant if (heard := self._ask(m, frame, now_us)) is not None]
        return replies if len(replies) < 2 else [_collision(replies)]

    def _ask(self, meter: SimMeter, frame: Frame, now_us: int) -> tuple[bytes, int] | None:
        faults = meter.faults
        if faults.strikes(FaultKind.MUTE, now_us=now_us) or faults.strikes(
            FaultKind.POWER_FAIL, now_us=now_us
        ):
            return None
        answered = meter.answer(frame=frame, now_us=now_us)
        if frame.control == WRITE_ADDRESS:
            self._sort_again()
        if answered is None or faults.strikes(FaultKind.DEAF_LINE, now_us=now_us):
            return None
        reply, register_wh = answered
        damaged = _damage(reply, meter, now_us)
        if damaged is None and register_wh is not None:
            meter.note_emitted(at_us=now_us, register_wh=register_wh)
        heard = reply if damaged is None else damaged
        if noise := faults.strikes(FaultKind.NOISE, now_us=now_us):
            heard = _noise(meter, noise) + heard + _noise(meter, noise)
        slow = faults.strikes(FaultKind.SLOW, now_us=now_us)
        self.replies += 1
        return heard, (slow.amount or 300) if slow else 0

    def _sort_again(self) -> None:
        """A meter may answer to another address now. Two that share one are answered for by the last."""
        self.meters = {meter.number: meter for meter in self.meters.values()}
        self._by_address = {meter.address: meter for meter in self.meters.values()}

    def linked(self, link: _Link) -> None:
        """Count a caller in."""
        self._links.add(link)

    def unlinked(self, link: _Link) -> None:
        """Count a caller out."""
        self._links.discard(link)


class _Link(asyncio.Protocol):
    """One TCP caller. A bare protocol: the lock-step simulation makes thousands of exchanges a second."""

    def __init__(self, bus: Dlt645Bus) -> None:
        self._bus = bus
        self._stream = FrameStream()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._bus.linked(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._bus.unlinked(self)

    def data_received(self, data: bytes) -> None:
        for frame in self._stream.feed(data):
            for heard, delay_ms in self._bus.answer(frame=frame):
                if delay_ms:
                    asyncio.get_running_loop().call_later(delay_ms / 1000, self._say, heard)
                else:
                    self._say(heard)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _say(self, heard: bytes) -> None:
        if self._transport is not None:
            self._transport.write(heard)


def _damage(reply: bytes, meter: SimMeter, now_us: int) -> bytes | None:
    """Return the reply as the line spoils it, or None when it comes through whole."""
    if cut := meter.faults.strikes(FaultKind.CUT, now_us=now_us):
        through = cut.amount or meter.faults.chance.randrange(1, len(reply))
        if through < len(reply):
            return reply[:through]
    if meter.faults.strikes(FaultKind.CHECKSUM, now_us=now_us):
        return reply[:-2] + bytes([reply[-2] ^ 0x5A]) + reply[-1:]
    return None


def _noise(meter: SimMeter, fault: Fault) -> bytes:
    return meter.faults.chance.randbytes(fault.amount or 8)


def _collision(replies: list[tuple[bytes, int]]) -> tuple[bytes, int]:
    """Garble replies that were spoken at once: on the line a driven 0 wins over an idle 1."""
    longest = max(len(reply) for reply, _ in replies)
    mixed = (1 << (8 * longest)) - 1
    for reply, _ in replies:
        mixed &= int.from_bytes(reply.ljust(longest, b"\xff"))
    return mixed.to_bytes(longest), max(delay for _, delay in replies)

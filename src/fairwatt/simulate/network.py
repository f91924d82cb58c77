"""A bad line between a gateway and the broker: loses, doubles, delays and reorders MQTT messages, and goes
away.

`FaultyLink` is a TCP proxy that understands just enough MQTT 3.1.1 to act on whole PUBLISH packets and lets
everything else (connects, pings, subscriptions) pass untouched. A lost QoS 1 publish is acknowledged by the
link itself: the sender believes it delivered, which is exactly the lie a broker's acknowledgement can be. One
link per gateway, so that one gateway can be cut off while its neighbours talk on.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

MAX_PACKET_BYTES = 1 << 20
_PUBLISH, _PUBACK = 3, 4


@dataclass(frozen=True, slots=True)
class LinkFaults:
    """Chances per PUBLISH packet, in per mille; at most one fault strikes a packet. Times are wall
    milliseconds.

    A reordered packet waits until the next PUBLISH of its direction has passed, or `reorder_wait_ms` at most.
    """

    lose: int = 0
    double: int = 0
    delay: int = 0
    reorder: int = 0
    delay_ms: tuple[int, int] = (20, 400)
    reorder_wait_ms: int = 500

    def __post_init__(self) -> None:
        chances = (self.lose, self.double, self.delay, self.reorder)
        if min(chances) < 0 or sum(chances) > 1000:
            raise ValueError(f"fault chances must be per mille and sum to at most 1000, got {chances}")


@dataclass(slots=True)
class LinkCounters:
    """What one direction of a link did to its PUBLISH packets."""

    seen: int = 0
    passed: int = 0
    lost: int = 0
    doubled: int = 0
    delayed: int = 0
    reordered: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """One whole MQTT control packet."""

    raw: bytes
    body_at: int  # where the variable header begins

    @property
    def kind(self) -> int:
        """Control packet type, the high four bits (3 is PUBLISH)."""
        return self.raw[0] >> 4

    @property
    def qos(self) -> int:
        """Quality of service of a PUBLISH."""
        return (self.raw[0] >> 1) & 3

    @property
    def packet_id(self) -> int | None:
        """Identifier of a QoS 1 PUBLISH or of a PUBACK; None where the packet has none."""
        if self.kind == _PUBACK:
            at = self.body_at
        elif self.kind == _PUBLISH and self.qos:
            at = self.body_at + 2 + int.from_bytes(self.raw[self.body_at : self.body_at + 2])
        else:
            return None
        return int.from_bytes(self.raw[at : at + 2])

    def again(self) -> bytes:
        """The same packet as a repeat: the DUP flag is set where the protocol wants it (QoS above 0)."""
        return bytes([self.raw[0] | 0x08]) + self.raw[1:] if self.qos else self.raw


class BrokenPacket(Exception):
    """The stream is not MQTT, or a packet is larger than any of ours; the link closes the connection."""


def split_packets(buffer: bytearray) -> list[Packet]:
    """Take every whole packet off the front of `buffer`, leaving the unfinished rest. Raises BrokenPacket."""
    packets: list[Packet] = []
    while len(buffer) >= 2:
        length, at = 0, 1
        while True:
            if at == len(buffer):
                return packets
            if at == 5:
                raise BrokenPacket("remaining length is longer than four bytes")
            length |= (buffer[at] & 0x7F) << (7 * (at - 1))
            at += 1
            if not buffer[at - 1] & 0x80:
                break
        if length > MAX_PACKET_BYTES:
            raise BrokenPacket(f"a packet of {length} bytes is over the limit of {MAX_PACKET_BYTES}")
        if len(buffer) < at + length:
            return packets
        packets.append(Packet(bytes(buffer[: at + length]), at))
        del buffer[: at + length]
    return packets


@dataclass(slots=True)
class _Pump:
    """One direction of one connection."""

    link: "FaultyLink"
    reader: asyncio.StreamReader
    out: asyncio.StreamWriter
    back: asyncio.StreamWriter  # towards the sender, for acknowledgements of our own
    draw: Random
    counters: LinkCounters
    spare_acks: Counter[int]  # acknowledgements of doubled packets that the other pump must swallow
    owed_acks: Counter[int]  # the same, owed by this direction's stream
    held: list[bytes] = field(default_factory=list)

    async def run(self) -> None:
        buffer = bytearray()
        while data := await self.reader.read(65536):
            buffer += data
            for packet in split_packets(buffer):
                if self.link.silent:
                    continue
                await self._handle(packet)

    async def _handle(self, packet: Packet) -> None:
        identifier = packet.packet_id
        if packet.kind == _PUBACK and identifier is not None and self.owed_acks[identifier]:
            self.owed_acks[identifier] -= 1
            return
        if packet.kind != _PUBLISH:
            await self._send(packet.raw)
            return
        self.counters.seen += 1
        await self._publish(packet)

    async def _publish(self, packet: Packet) -> None:
        fault = self._strike() if packet.qos < 2 else "passed"  # the QoS 2 handshake is left alone
        setattr(self.counters, fault, getattr(self.counters, fault) + 1)
        if fault == "reordered":
            self._hold_back(packet.raw)
            return  # the next one to pass lets it go, not this one itself
        if fault == "lost":
            await self._acknowledge(packet)
        elif fault == "doubled":
            if packet.packet_id is not None:
                self.spare_acks[packet.packet_id] += 1
            await self._send(packet.raw + packet.again())
        elif fault == "delayed":
            self._later(packet.raw)
        else:
            await self._send(packet.raw)
        await self._release()

    def _strike(self) -> str:
        """Draw one packet's fate; the names are those of the counters."""
        faults, chance = self.link.faults, self.draw.randrange(1000)
        for name, share in (
            ("lost", faults.lose),
            ("doubled", faults.double),
            ("delayed", faults.delay),
            ("reordered", faults.reorder),
        ):
            if chance < share:
                return name
            chance -= share
        return "passed"

    async def _acknowledge(self, packet: Packet) -> None:
        if packet.packet_id is not None:
            self.back.write(bytes([_PUBACK << 4, 2]) + packet.packet_id.to_bytes(2))
            await self.back.drain()

    def _hold_back(self, raw: bytes) -> None:
        self.held.append(raw)
        self.link.hold(1)
        self.link.spawn(self._release_late(raw))

    async def _release(self) -> None:
        while self.held:
            raw = self.held.pop(0)
            self.link.hold(-1)
            await self._send(raw)

    async def _release_late(self, raw: bytes) -> None:
        await asyncio.sleep(self.link.faults.reorder_wait_ms / 1000)
        if raw in self.held:
            self.held.remove(raw)
            self.link.hold(-1)
            await self._send(raw)

    def _later(self, raw: bytes) -> None:
        wait_ms = self.draw.randint(*self.link.faults.delay_ms)

        async def deliver() -> None:
            try:
                await asyncio.sleep(wait_ms / 1000)
                await self._send(raw)
            finally:
                self.link.hold(-1)

        self.link.hold(1)
        self.link.spawn(deliver())

    async def _send(self, raw: bytes) -> None:
        if self.link.silent or self.out.is_closing():
            return  # the line went away while the packet was under way: it is lost, as on a real line
        self.out.write(raw)
        await self.out.drain()


class FaultyLink:
    """A seeded bad line to one MQTT broker port.

    `faults` may be replaced at any time. `in_transit` counts packets the link is holding back: a lock-step
    driver waits for 0. `up` is sender to broker, `down` is broker to client; all counters live across
    reconnects.
    """

    def __init__(
        self,
        *,
        name: str,
        target_port: int,
        seed: int,
        faults: LinkFaults | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.name = name
        self.faults = faults or LinkFaults()
        self.up, self.down = LinkCounters(), LinkCounters()
        self.connects = self.refused = self.partitions = self.in_transit = 0
        self.silent = False
        self.port = 0
        self._host, self._target_port = host, target_port
        self._draws = Random(f"{seed}/{name}/up"), Random(f"{seed}/{name}/down")
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut = False

    async def start(self, *, port: int = 0) -> int:
        """Open the door on loopback and return its port (0: any free one)."""
        self._server = await asyncio.start_server(self._serve, self._host, port or self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Close the door and every connection; packets held back are lost."""
        if self._server is not None:
            self._server.close()
        self._drop_all()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.in_transit = 0

    async def partition(self, *, silent: bool = False) -> None:
        """Take the line away until `heal`.

        By default open connections break at once and new ones are closed before a byte passes. With `silent`
        the connections stay open and everything in them vanishes: only the peers' own timeouts notice.
        """
        self.partitions += 1
        self.silent = silent
        self._cut = not silent
        if not silent:
            self._drop_all()

    async def heal(self) -> None:
        """Bring the line back; connections that lived through a silent partition are broken."""
        if self.silent:
            self._drop_all()
        self.silent = self._cut = False

    @property
    def partitioned(self) -> bool:
        """Whether the line is away, loudly or silently."""
        return self._cut or self.silent

    def hold(self, change: int) -> None:
        """Count packets held back (+1) and let go (-1)."""
        self.in_transit = max(0, self.in_transit + change)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a delayed delivery; a line that breaks meanwhile swallows it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a write into a line that broke under it is the fault we are here to make

    def _drop_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            self.refused += 1
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._target_port)
        except OSError:  # the broker itself is down: to the gateway that looks like a refused connection
            self.refused += 1
            writer.transport.abort()
            return
        self.connects += 1
        self._writers |= {writer, far_writer}
        acks_for_up: Counter[int] = Counter()
        acks_for_down: Counter[int] = Counter()
        up_draw, down_draw = self._draws
        up = _Pump(self, reader, far_writer, writer, up_draw, self.up, acks_for_up, acks_for_down)
        down = _Pump(self, far_reader, writer, far_writer, down_draw, self.down, acks_for_down, acks_for_up)
        try:
            await self._until_one_ends(up, down)
        finally:
            for end in (writer, far_writer):
                self._writers.discard(end)
                end.transport.abort()
            for pump in (up, down):
                self.hold(-len(pump.held))
                pump.held.clear()

    @staticmethod
    async def _until_one_ends(*pumps: _Pump) -> None:
        tasks = [asyncio.create_task(pump.run()) for pump in pumps]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

"""A lean MQTT 3.1.1 load generator: many gateways in one process, frames encoded ahead, no client library.

A gateway is done when the head-end's own acknowledgement of its last record arrives on its down topic;
the broker's PUBACK only opens its window.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fairwatt.wire.frames import Ack, decode_down

WINDOW: Final = 64
"""PUBLISH packets a gateway may have without a PUBACK."""
_PATIENCE_S: Final = 120.0


@dataclass(kw_only=True)
class Job:
    """What one gateway has to say."""

    user: str
    password: str
    up: str
    down: str
    frames: list[bytes]
    last_seq: int


@dataclass(frozen=True, kw_only=True)
class Published:
    """How a run went, in seconds from the first PUBLISH."""

    messages: int
    puback_s: float
    """until the broker had taken everything"""
    stored_s: float
    """until the head-end had acknowledged everything as stored"""


class NotDone(RuntimeError):
    """The run did not end: some gateway was refused, or never heard its last acknowledgement."""


@dataclass
class _Gateway:
    job: Job
    link: socket.socket
    packets: list[bytes]
    sent: int = 0
    pubacks: int = 0
    stored: int = 0
    inbox: bytearray = field(default_factory=bytearray)
    outbox: bytearray = field(default_factory=bytearray)

    @property
    def done(self) -> bool:
        return self.stored >= self.job.last_seq

    def fill(self) -> None:
        upto = min(len(self.packets), self.pubacks + WINDOW)
        # A window that opens packet by packet would cost a system call for each.
        if upto - self.sent >= WINDOW // 2 or (upto == len(self.packets) and upto > self.sent):
            self.outbox += b"".join(self.packets[self.sent : upto])
            self.sent = upto

    def flush(self) -> None:
        while self.outbox:
            try:
                del self.outbox[: self.link.send(self.outbox)]
            except BlockingIOError:
                return

    def hear(self) -> None:
        try:
            piece = self.link.recv(256 * 1024)
        except BlockingIOError:
            return
        if not piece:
            raise NotDone(f"the broker hung up on {self.job.user}")
        self.inbox += piece
        at = 0
        while (packet := _next_packet(self.inbox, at)) is not None:
            kind, start, end = packet
            if kind == 0x40:
                self.pubacks += 1
            elif kind == 0x30:
                self._take(bytes(self.inbox[start:end]))
            at = end
        del self.inbox[:at]

    def _take(self, body: bytes) -> None:
        payload = body[2 + int.from_bytes(body[:2]) :]
        frame = decode_down(payload)
        if isinstance(frame, Ack):
            self.stored = max(self.stored, frame.seq)


def publish(*, address: tuple[str, int], jobs: Sequence[Job]) -> Published:
    """Connect all gateways, then say everything as fast as the windows allow; raises NotDone."""
    gateways = [_connect(address, job) for job in jobs]
    with selectors.DefaultSelector() as waiting:
        for gateway in gateways:
            waiting.register(gateway.link, selectors.EVENT_READ, gateway)
        started = time.perf_counter()
        for gateway in gateways:
            gateway.fill()
            gateway.flush()
        puback_s = 0.0
        left = len(gateways)
        unheard = sum(len(gateway.packets) for gateway in gateways)
        while left:
            ready = waiting.select(timeout=1.0)
            if time.perf_counter() - started > _PATIENCE_S:
                raise NotDone(f"{left} gateways were not acknowledged within {_PATIENCE_S:.0f} s")
            for key, events in ready:
                gateway = key.data
                if events & selectors.EVENT_READ:
                    before, was_done = gateway.pubacks, gateway.done
                    gateway.hear()
                    unheard -= gateway.pubacks - before
                    left -= gateway.done and not was_done
                gateway.fill()
                gateway.flush()
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if gateway.outbox else 0)
                if wanted != key.events:
                    waiting.modify(gateway.link, wanted, gateway)
            if not unheard and not puback_s:
                puback_s = time.perf_counter() - started
        stored_s = time.perf_counter() - started
    for gateway in gateways:
        gateway.link.close()
    return Published(
        messages=sum(len(gateway.packets) for gateway in gateways), puback_s=puback_s, stored_s=stored_s
    )


def _connect(address: tuple[str, int], job: Job) -> _Gateway:
    link = socket.create_connection(address, timeout=10)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    hello = (
        _text("MQTT") + b"\x04\xc2" + struct.pack(">H", 0)
    )  # level 4; user, password, clean session; no keep-alive
    link.sendall(_packet(0x10, hello + _text(job.user) + _text(job.user) + _text(job.password)))
    _expect(link, b"\x20\x02\x00\x00", job.user)
    link.sendall(_packet(0x82, b"\x00\x01" + _text(job.down) + b"\x01"))
    _expect(link, b"\x90\x03\x00\x01\x01", job.user)
    link.setblocking(False)
    topic = _text(job.up)
    packets = [
        _packet(0x32, topic + struct.pack(">H", 1 + n % 65535) + frame) for n, frame in enumerate(job.frames)
    ]
    return _Gateway(job, link, packets)


def _expect(link: socket.socket, answer: bytes, user: str) -> None:
    heard = b""
    while len(heard) < len(answer):
        piece = link.recv(len(answer) - len(heard))
        if not piece:
            break
        heard += piece
    if heard != answer:
        raise NotDone(f"the broker refused {user}: {heard.hex()} instead of {answer.hex()}")


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack(">H", len(raw)) + raw


def _packet(kind: int, body: bytes) -> bytes:
    left, length = len(body), bytearray()
    while True:
        left, low = left >> 7, left & 0x7F
        length.append(low | (0x80 if left else 0))
        if not left:
            return bytes((kind,)) + bytes(length) + body


def _next_packet(inbox: bytearray, at: int) -> tuple[int, int, int] | None:
    """(kind, start of body, end) of the packet at `at`, or None when it is not whole yet."""
    length, shift = 0, 0
    for k in range(at + 1, min(at + 5, len(inbox))):
        length |= (inbox[k] & 0x7F) << shift
        shift += 7
        if not inbox[k] & 0x80:
            end = k + 1 + length
            return (inbox[at] & 0xF0, k + 1, end) if end <= len(inbox) else None
    return None

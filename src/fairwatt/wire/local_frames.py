"""Frames on a bare stream of bytes: TCP, a serial line, BLE. One zero byte ends each; nothing inside is zero.

``COBS(payload | crc32) 0x00``. Noise, a cut or a lost byte costs the frames it touches and no more: the reader
takes up again at the next zero. What is worth reading twice, the session above asks for again.
"""

import zlib
from typing import Final

MAX_FRAME_BYTES: Final = 192 * 1024
HANDSHAKE_BYTES: Final = 12 * 1024
"""So much a side that has proven nothing may make the other keep."""
_CRC: Final = 4
_RUN: Final = 254


def frame(payload: bytes, /) -> bytes:
    """The bytes of one frame, its end included."""
    assert 0 < len(payload) <= MAX_FRAME_BYTES
    body = payload + zlib.crc32(payload).to_bytes(_CRC, "big")
    out = bytearray()
    for run in body.split(b"\x00"):
        while len(run) >= _RUN:
            out += b"\xff" + run[:_RUN]
            run = run[_RUN:]
        out += bytes([len(run) + 1]) + run
    return bytes(out) + b"\x00"


class Framer:
    """Takes bytes as they come, gives the payloads of whole frames; what is damaged is counted and dropped."""

    def __init__(self) -> None:
        self.max_bytes = HANDSHAKE_BYTES
        self.damaged = 0
        self._held = bytearray()
        self._overlong = False

    def feed(self, data: bytes, /) -> list[bytes]:
        """Payloads that are complete with these bytes. Never keeps more than one longest frame."""
        payloads: list[bytes] = []
        *ended, rest = data.split(b"\x00")
        for part in ended:
            self._take(part)
            payload = None if self._overlong else _payload(bytes(self._held))
            if payload is not None and len(payload) <= self.max_bytes:
                payloads.append(payload)
            elif self._held or self._overlong:
                self.damaged += 1
            self._held.clear()
            self._overlong = False
        self._take(rest)
        return payloads

    def _take(self, part: bytes) -> None:
        if len(self._held) + len(part) > self.max_bytes + self.max_bytes // _RUN + 2 * _CRC:
            self._overlong = True
            self._held.clear()
        elif not self._overlong:
            self._held += part


def _payload(coded: bytes) -> bytes | None:
    """What a frame carries; None when it is damaged."""
    out = bytearray()
    at = 0
    while at < len(coded):
        run = coded[at]
        if at + run > len(coded):
            return None
        out += coded[at + 1 : at + run]
        at += run
        if run <= _RUN and at < len(coded):
            out.append(0)
    if len(out) <= _CRC:
        return None
    payload = bytes(out[:-_CRC])
    return payload if zlib.crc32(payload).to_bytes(_CRC, "big") == out[-_CRC:] else None

"""A bench for drivers: a question goes to a device's message function, and the line between them may be bad."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fairwatt.drivers.contract import Exchange, Step

type Device = Callable[[bytes], bytes]
type Line = Callable[[bytes], Iterable[bytes]]


def whole(said: bytes) -> list[bytes]:
    """A good line: everything at once."""
    return [said]


def one_by_one(said: bytes) -> list[bytes]:
    """A slow line: a byte at a time."""
    return [said[at : at + 1] for at in range(len(said))]


def ask[ReplyT](exchange: Exchange[ReplyT], device: Device, *, line: Line = whole) -> ReplyT:
    """Put a question as the edge does: silence repeats it, an answer may lead to the next. Raises as it does."""
    while True:
        asked = exchange.request()
        for piece in line(device(asked)):
            reply = exchange.feed(piece)
            if isinstance(reply, Step):
                break
            if reply is not None:
                return reply

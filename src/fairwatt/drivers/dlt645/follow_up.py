"""Items too long for one frame: the first part by 11H, each further part by 12H with its sequence number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from fairwatt.drivers.contract import NEXT, Step
from fairwatt.drivers.errors import NoAnswer

from .errors import Edition1997, ReplyTooLong
from .exchange import STANDARD_RETRY, Retry, refusal
from .frame import READ_DATA, READ_MORE, Frame, address_matches, build_frame, wire_address
from .stream import FrameStream

SEQUENCE_MAX: Final = 255
JOINED_BYTES_MAX: Final = 4_096
"""The longest item of the standard is far below; more is a meter that never ends."""


class JoinedExchange[ReplyT]:
    """One question whose answer may come in several frames; `parse` gets them joined, without identifier.

    A part is taken only with the identifier and the sequence number that were asked for, so a part that
    comes late or twice is never joined in. A lost part is asked for again under its own number.
    """

    __slots__ = ("_address", "_identifier", "_parse", "_parts", "_sent", "_sequence", "_stream", "retry")

    def __init__(
        self,
        *,
        address: str,
        identifier: int,
        parse: Callable[[bytes], ReplyT],
        retry: Retry = STANDARD_RETRY,
    ) -> None:
        self._address = wire_address(number=address)
        self._identifier = identifier.to_bytes(4, "little")
        self._parse = parse
        self._parts = b""
        self._sent = 0
        self._sequence = 0
        self._stream = FrameStream()
        self.retry = retry

    @property
    def reply_within_ms(self) -> int:
        """How long to wait after each send before asking again."""
        return self.retry.reply_within_ms

    def request(self) -> bytes:
        """Return the request for the part that is missing. Raises `NoAnswer` when its attempts are used up."""
        if self._sent >= self.retry.attempts:
            raise NoAnswer(number=self._address[::-1].hex().upper(), attempts=self._sent)
        self._sent += 1
        self._stream.reset()
        further = bytes([self._sequence]) if self._sequence else b""
        return build_frame(
            address=self._address,
            control=READ_MORE if self._sequence else READ_DATA,
            data=self._identifier + further,
            preamble=self.retry.wake,
        )

    def feed(self, data: bytes) -> ReplyT | Literal[Step.NEXT] | None:
        """Take bytes from the line; return NEXT while parts are missing, the reply after the last one.

        Raises `MeterRefused`, `Edition1997`, `UnreadableValue` or `ReplyTooLong`.
        """
        for frame in self._stream.feed(data):
            part = self._part(frame)
            if part is None:
                continue
            self._parts += part
            if not frame.more_follows:
                return self._parse(self._parts)
            self._sequence += 1
            self._sent = 0
            if self._sequence > SEQUENCE_MAX or len(self._parts) > JOINED_BYTES_MAX:
                raise ReplyTooLong(number=frame.number, size=len(self._parts))
            return NEXT
        return None

    def _part(self, frame: Frame) -> bytes | None:
        """Return what a frame adds, or None when it is not the part that was asked for."""
        if not frame.from_meter or not address_matches(pattern=self._address, address=frame.address):
            return None
        if frame.is_1997:
            raise Edition1997(number=frame.number)
        if frame.function != (READ_MORE if self._sequence else READ_DATA):
            return None
        if frame.is_abnormal:
            raise refusal(frame=frame)
        if not frame.data.startswith(self._identifier):
            return None
        if not self._sequence:
            return frame.data[4:]
        is_ours = len(frame.data) > 4 and frame.data[-1] == self._sequence
        return frame.data[4:-1] if is_ours else None

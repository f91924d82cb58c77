"""One request to a meter and its one answer: what is taken for it, how often it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.errors import BadRequest, NoAnswer

from .errors import Edition1997, MeterRefused, ReplyContinues
from .frame import (
    BROADCAST,
    FUNCTION_BITS,
    SECURITY,
    WILDCARD,
    Frame,
    address_matches,
    build_frame,
    wire_address,
)
from .stream import FrameStream


@dataclass(frozen=True, slots=True)
class Retry:
    """How often to ask, and how long to wait for each answer.

    A meter may think for 500 ms and needs 0.1 s to say 20 bytes at 2400 bit/s; the rest is the network
    between us and the bus. `wake` is the number of FEH bytes in front of a request.
    """

    attempts: int = 3
    reply_within_ms: int = 1500
    wake: int = 4


STANDARD_RETRY: Final = Retry()


class FrameExchange[ReplyT]:
    """One question to one meter, answered by exactly one frame.

    Frames that are not the answer (our own echo on a two-wire line, another meter's reply, a late reply
    about another item) are stepped over. `answers_as` is the address the answer comes from, where the
    question changes it.
    """

    __slots__ = (
        "_address",
        "_answers_as",
        "_control",
        "_echo",
        "_parse",
        "_request",
        "_sent",
        "_stream",
        "retry",
    )

    def __init__(
        self,
        *,
        address: bytes,
        control: int,
        data: bytes,
        parse: Callable[[bytes], ReplyT],
        echo: bytes = b"",
        answers_as: bytes | None = None,
        retry: Retry = STANDARD_RETRY,
    ) -> None:
        self._address = address
        self._answers_as = address if answers_as is None else answers_as
        self._control = control
        self._echo = echo
        self._parse = parse
        self._request = build_frame(address=address, control=control, data=data, preamble=retry.wake)
        self._sent = 0
        self._stream = FrameStream()
        self.retry = retry

    @property
    def reply_within_ms(self) -> int:
        """How long to wait after each send before asking again."""
        return self.retry.reply_within_ms

    @property
    def damaged(self) -> int:
        """Frames this exchange dropped for a wrong checksum: a sign of a bad line."""
        return self._stream.damaged

    def request(self) -> bytes:
        """Return the bytes to send, first or again. Raises `NoAnswer` when all attempts are used up."""
        if self._sent >= self.retry.attempts:
            raise NoAnswer(number=self._number, attempts=self._sent)
        self._sent += 1
        self._stream.reset()
        return self._request

    def feed(self, data: bytes) -> ReplyT | None:
        """Take bytes from the line; return the reply once it is whole.

        Raises `MeterRefused`, `Edition1997`, `UnreadableValue` or `ReplyContinues`: asking again would
        bring the same, so the exchange is over.
        """
        for frame in self._stream.feed(data):
            if self._is_answer(frame):
                return self._parse(frame.data[len(self._echo) :])
        return None

    def _is_answer(self, frame: Frame) -> bool:
        if not frame.from_meter or not self._is_from(frame.address):
            return False
        if frame.is_1997:
            raise Edition1997(number=frame.number)
        if frame.control & FUNCTION_BITS != self._control:
            return False
        if frame.is_abnormal:
            raise refusal(frame=frame)
        if not frame.data.startswith(self._echo):
            return False
        if frame.more_follows:
            raise ReplyContinues(number=frame.number)
        return True

    def _is_from(self, address: bytes) -> bool:
        patterns = {self._address, self._answers_as}
        return any(address_matches(pattern=pattern, address=address) for pattern in patterns)

    @property
    def _number(self) -> str:
        return self._address[::-1].hex().upper()


def one_meter(*, number: str) -> bytes:
    """Return the address of exactly one meter. Raises `BadRequest` for a wildcard or the broadcast address.

    An order, a write or a clearing must never reach a neighbour.
    """
    target = wire_address(number=number)
    if WILDCARD in target or target == BROADCAST:
        raise BadRequest(f"An order needs the full address of one meter, not {number}. Nothing was sent.")
    return target


def refusal(*, frame: Frame) -> MeterRefused:
    """Return the error that an abnormal reply stands for."""
    security = frame.function == SECURITY
    err = int.from_bytes(frame.data[: 2 if security else 1], "little")
    return MeterRefused(number=frame.number, function=frame.function, err=err, security=security)

"""Questions and answers over a line, for every protocol that is asked: one conversation, many questions.

A driver writes a conversation down as a generator: it yields an `Ask` (bytes to send, and how to find the
answer in what comes back), is handed the answer, and returns the reply when it has heard enough.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final, Literal

from .contract import NEXT, Step
from .errors import NoAnswer

HEARD_MAX: Final = 1024
"""No frame of any protocol here is longer than 263 bytes; more than this without an answer is noise."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often to ask each question, and how long to wait for each answer."""

    attempts: int = 3
    reply_within_ms: int = 1500


STANDARD_RETRY: Final = Retry()


@dataclass(frozen=True, slots=True)
class Ask[AnswerT]:
    """One question: its bytes, and a search for its answer in everything heard since it was sent.

    ``hear`` returns None while the answer is not whole, and raises `DriverError` where asking again would
    bring the same.
    """

    frame: bytes
    hear: Callable[[bytes], AnswerT | None]


type Talk[ReplyT] = Generator[Ask[Any], Any, ReplyT]


class Conversation[ReplyT]:
    """An `Exchange` of one or more questions to one meter.

    Each question has all the attempts of ``retry``; `feed` returns `NEXT` when its answer led to another.
    """

    __slots__ = ("_asked", "_ended", "_heard", "_sent", "_talk", "number", "retry")

    def __init__(self, *, number: str, talk: Talk[ReplyT], retry: Retry = STANDARD_RETRY) -> None:
        self.number = number
        self.retry = retry
        self._talk = talk
        self._asked = next(talk)
        self._heard = b""
        self._sent = 0
        self._ended = False

    @property
    def reply_within_ms(self) -> int:
        """How long to wait after each send before asking again."""
        return self.retry.reply_within_ms

    def request(self) -> bytes:
        """Return the bytes to send, first or again. Raises `NoAnswer` when all attempts are used up."""
        if self._sent >= self.retry.attempts:
            raise NoAnswer(number=self.number, attempts=self._sent)
        self._sent += 1
        self._heard = b""
        return self._asked.frame

    def feed(self, data: bytes) -> ReplyT | Literal[Step.NEXT] | None:
        """Take bytes from the line; return the reply once the last answer is whole. Raises `DriverError`."""
        if self._ended:
            return None
        heard = self._heard + data
        answer = self._asked.hear(heard)
        if answer is None:
            self._heard = heard[-HEARD_MAX:]
            return None
        try:
            self._asked = self._talk.send(answer)
        except StopIteration as told:
            self._ended = True
            reply: ReplyT = told.value
            return reply
        self._sent = 0
        self._heard = b""
        return NEXT


def single[ReplyT](ask: Ask[ReplyT]) -> Talk[ReplyT]:
    """A conversation of one question whose answer is the reply."""
    reply: ReplyT = yield ask
    return reply

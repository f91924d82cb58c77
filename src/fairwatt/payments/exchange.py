"""Questions to a provider, without a network: an adapter yields an `HttpAsk` and is handed an `HttpReply`.

Who carries them is not the adapter's affair (`collector/carrier.py` does, over HTTPS; a test does, by hand).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When an exchange begins, and dice for it: adapters have neither clock nor chance of their own."""

    now_us: int
    nonce: str
    """At least 128 random bits in hexadecimal, fresh for each exchange."""


DOWNLOAD_S: Final = 300.0
"""So long the download of a day's bill may take: 400,000 payments are a hundred megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAsk:
    """One request, whole and signed. `keep_s`: its answer may be given again for so long (a login, not a state)."""

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    keep_s: int = 0
    answers: frozenset[int] = frozenset()
    """statuses from 500 on that this provider answers with, where others would say that they are ill"""
    bytes_max: int = 1 << 20
    total_s: float | None = None
    """so long the whole answer may take; None: as long as any question"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What came back: the whole answer, never a part of it. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


type Exchange[T] = Generator[HttpAsk, HttpReply, T]


class ProviderTrouble(RuntimeError):
    """A provider did not do what it was asked. `code` is stable; the text names no secret."""

    code: ClassVar[str] = "trouble"
    outcome_known: ClassVar[bool] = False
    """False: it may have been done all the same. Ask for the state, or ask again under the same key."""


class NoAnswer(ProviderTrouble):
    """No whole answer came in time: the line was down, too slow, or cut short."""

    code = "no_answer"


class ProviderBusy(ProviderTrouble):
    """The provider answered that it cannot answer now (429, 5xx, or its own word for it)."""

    code = "busy"


class ReplyNotBelieved(ProviderTrouble):
    """An answer came that its provider did not sign, or that is not what it documents."""

    code = "reply_not_believed"


class CircuitOpen(ProviderTrouble):
    """Nothing was asked: this provider failed too often just now."""

    code = "circuit_open"
    outcome_known = True


class ProviderRefused(ProviderTrouble):
    """The provider said no, and nothing was done. `reason` is its own code."""

    code = "refused"
    outcome_known = True

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotFound(ProviderRefused):
    """The provider knows no such order."""

    code = "not_found"


def no_disputes[T](provider: str) -> Exchange[T]:
    """What every provider answers that cannot be asked about a payment taken back: its bill says it."""
    raise ProviderRefused(
        f"{provider} cannot be asked about a payment it took back; its bill says it", reason="not_supported"
    )
    yield


def answer_now[T](exchange: Exchange[T]) -> T:
    """The result of an exchange that needs no answer from outside. Raises RuntimeError where it does."""
    try:
        next(exchange)
    except StopIteration as done:
        result: T = done.value
        return result
    exchange.close()
    raise RuntimeError("this exchange has to be carried: it asks its provider")

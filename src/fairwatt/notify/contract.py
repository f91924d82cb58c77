"""What every sender is: a message becomes bytes to send, an answer becomes an outcome, a report a receipt."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from fairwatt.core.notices.model import Channel, State


class NotifyError(Exception):
    """Something about a line of messages is wrong; `.code` names what."""

    code = "notify"


class BadAccount(NotifyError):
    """The settings of an account cannot be used."""

    code = "bad_account"


class BadReport(NotifyError):
    """What came in does not prove who it is from, or is no report; nothing was believed."""

    code = "bad_report"


class CannotSay(NotifyError):
    """This message cannot be sent by this line, now or later: it has no approved template, no such address."""

    code = "cannot_say"


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, and a number that comes once."""

    now_us: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as a sender needs it. `ref`: our number, given to the provider where it takes one."""

    ref: str
    step: str
    language: str
    address: str
    subject: str
    body: str
    link: str
    made_us: int
    urgent: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HttpAsk:
    """One HTTP request. `keep_s`: so long its answer may be used again (tokens); `anew`: but not this time.

    `named`: somebody else named the server, so it is asked only where it is one of the open network.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    keep_s: int = 0
    anew: bool = False
    named: bool = False


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back; header names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message at the provider.

    ``SENT``: taken. ``FAILED``: it never will be. ``QUEUED``: not now; it may be tried again, and was not taken.
    ``line``: the trouble is the line's, not the message's: others would fail as well. ``gone``: the address is no more.
    """

    state: State
    provider_ref: str = ""
    code: str = ""
    line: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider reports of a message it took, by its own number or by ours."""

    state: State
    provider_ref: str = ""
    ref: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A short message that somebody sent to us."""

    sender: str
    text: str
    key: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What a report says. `answer`: what the provider wants to hear back."""

    receipts: tuple[Receipt, ...] = ()
    inbound: tuple[Inbound, ...] = ()


type Talk[T] = Generator[HttpAsk, HttpReply, T]
"""Yields requests, is sent replies, and returns what they mean."""


class Sender(Protocol):
    """One account at one provider of messages."""

    channel: Channel

    def deliver(self, *, letter: Letter, at: Moment) -> Talk[Outcome]:
        """Hand a message over. Raises CannotSay."""
        ...


@runtime_checkable
class LooksUp(Protocol):
    """A provider that can be asked whether it took a message whose answer was never noted."""

    def look_up(self, *, letter: Letter, since_us: int, at: Moment) -> Talk[Outcome | None]:
        """What became of it; None when the provider knows nothing of it."""
        ...


@runtime_checkable
class Reports(Protocol):
    """A provider that calls us: receipts, and messages that came in."""

    def hear(self, *, url: str, headers: Mapping[str, str], body: bytes, at: Moment) -> Heard:
        """What a call says. Raises BadReport where it is not proven, or makes no sense."""
        ...


def trouble(reply: HttpReply) -> Outcome | None:
    """What a status alone says: a line in trouble, or None where the answer has to be read."""
    if reply.status == 429 or reply.status >= 500:
        return Outcome(State.QUEUED, code=f"http_{reply.status}", line=True)
    return None

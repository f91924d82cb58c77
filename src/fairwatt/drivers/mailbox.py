"""Orders for devices that sleep: one desired position, handed out at every wake until it is seen or lapses.

Pure: a mailbox is a value, each step returns the next one. Whoever keeps it stores it; whoever carries messages
asks it what to send. An acknowledgement settles nothing here, only a later message that shows the relay there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from .contract import Heard


class Outcome(StrEnum):
    """How an order ended."""

    PROVEN = "proven"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class WaitingOrder:
    """Where the relay or valve shall be, since and until when that is so, and how often it was said."""

    order_id: str
    closed: bool
    decided_us: int
    valid_until_us: int
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What one event came to: the mailbox now, what to send, and which order ended how."""

    mailbox: Mailbox
    send: WaitingOrder | None = None
    ended: tuple[str, Outcome] | None = None


@dataclass(frozen=True, slots=True)
class Mailbox:
    """At most one order waits for a device: a newer one supersedes it."""

    waiting: WaitingOrder | None = None

    def put(self, *, order: WaitingOrder, reachable: bool) -> Step:
        """Take an order. It is sent now if the device listens now, else at its next wake; twice is once."""
        if self.waiting is not None and self.waiting.order_id == order.order_id:
            return Step(self)
        ended = None if self.waiting is None else (self.waiting.order_id, Outcome.SUPERSEDED)
        return replace(Mailbox(order)._send() if reachable else Step(Mailbox(order)), ended=ended)

    def hear(self, *, heard: Heard, now_us: int) -> Step:
        """Take a message of the device: it woke, and may show where its relay is.

        A message without a relay in it proves nothing, nor does one that was measured before the order. An order
        that is shown done is proven also when it was never sent: somebody at the meter may have done it.
        """
        if self.waiting is None:
            return Step(self)
        is_later = heard.at_us is None or heard.at_us >= self.waiting.decided_us
        if is_later and heard.relay is not None and heard.relay.closed == self.waiting.closed:
            return Step(Mailbox(), ended=(self.waiting.order_id, Outcome.PROVEN))
        if now_us >= self.waiting.valid_until_us:
            return Step(Mailbox(), ended=(self.waiting.order_id, Outcome.EXPIRED))
        return self._send()

    def lapse(self, *, now_us: int) -> Step:
        """Let go of an order whose time is over, heard or not."""
        if self.waiting is None or now_us < self.waiting.valid_until_us:
            return Step(self)
        return Step(Mailbox(), ended=(self.waiting.order_id, Outcome.EXPIRED))

    def _send(self) -> Step:
        assert self.waiting is not None
        sent = replace(self.waiting, sent=self.waiting.sent + 1)
        return Step(Mailbox(sent), send=sent)

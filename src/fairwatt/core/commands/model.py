"""The life of an order to a relay, as one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where an order stands."""

    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    PROVEN = "proven"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    FAILED = "failed"


# SENT returns to QUEUED when a gateway says hello after losing its link; a reading may prove an order
# before its receipt arrives.
NEXT: Final[Mapping[State, frozenset[State]]] = {
    State.QUEUED: frozenset({State.SENT, State.EXPIRED, State.SUPERSEDED}),
    State.SENT: frozenset(
        {State.QUEUED, State.ACCEPTED, State.PROVEN, State.EXPIRED, State.SUPERSEDED, State.FAILED}
    ),
    State.ACCEPTED: frozenset({State.PROVEN, State.SUPERSEDED, State.FAILED}),
    State.PROVEN: frozenset(),
    State.EXPIRED: frozenset(),
    State.SUPERSEDED: frozenset(),
    State.FAILED: frozenset(),
}
OPEN_STATES: Final = frozenset(state for state, following in NEXT.items() if following)


class IllegalTransition(ValueError):
    """An order was asked to move to a state it cannot reach from where it is."""


@dataclass(frozen=True, slots=True)
class RelayOrder:
    """An order that a relay be closed or open, given at an instant and void after another (microseconds).

    ``seq`` rises strictly per meter; each order carries the whole desired state, so a newer one supersedes
    every older one that is still open.
    """

    meter: int
    seq: int
    closed: bool
    issued_us: int
    expires_us: int

    def __post_init__(self) -> None:
        if self.seq <= 0:
            raise ValueError(f"order sequence {self.seq} must be above zero")
        if self.expires_us <= self.issued_us:
            raise ValueError("an order must expire after it is issued")

    def supersedes(self, *, older: "RelayOrder") -> bool:
        """Say whether this order makes another one for the same meter void."""
        return self.meter == older.meter and self.seq > older.seq

    def expired(self, *, now_us: int) -> bool:
        """Say whether the order may no longer be carried out."""
        return now_us >= self.expires_us

    def proven_by(self, *, reading_at_us: int, relay_closed: bool | None) -> bool:
        """Say whether a reading proves the order: taken after it was given, with the relay as ordered.

        An acknowledgement never proves anything, nor does a reading from before the order.
        """
        return reading_at_us > self.issued_us and relay_closed is self.closed


def advance(state: State, to: State) -> State:
    """Move an order to its next state, or raise ``IllegalTransition`` naming both."""
    if to not in NEXT[state]:
        allowed = ", ".join(sorted(NEXT[state])) or "nothing, it is final"
        raise IllegalTransition(f"an order that is {state} cannot become {to}; it can become: {allowed}")
    return to

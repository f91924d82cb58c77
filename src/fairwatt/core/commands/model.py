"""The life of an order to a relay, as one table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where an order stands. There is no "sent": what was handed to a network proves nothing."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    PROVEN = "proven"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    FAILED = "failed"


NEXT: Final[Mapping[State, frozenset[State]]] = {
    State.QUEUED: frozenset({State.ACCEPTED, State.EXPIRED, State.SUPERSEDED, State.FAILED}),
    State.ACCEPTED: frozenset({State.PROVEN, State.SUPERSEDED, State.FAILED}),
    State.PROVEN: frozenset(),
    State.EXPIRED: frozenset(),
    State.SUPERSEDED: frozenset(),
    State.FAILED: frozenset(),
}
OPEN_STATES: Final = frozenset(state for state, following in NEXT.items() if following)
_UNKNOWN: Final = 2


class IllegalTransition(ValueError):
    """An order was asked to move to a state it cannot reach from where it is."""


def advance(state: State, to: State) -> State:
    """Move an order to its next state, or raise ``IllegalTransition`` naming both."""
    if to not in NEXT[state]:
        allowed = ", ".join(sorted(NEXT[state])) or "nothing, it is final"
        raise IllegalTransition(f"an order that is {state} cannot become {to}; it can become: {allowed}")
    return to


def proves(*, ordered: int, shown: int, receipt_seq: int, reading_seq: int) -> bool | None:
    """Say whether a reading proves an order (True), contradicts it (False), or says nothing about it (None).

    ``ordered`` and ``shown`` are relay positions: 0 open, 1 closed, and 2 where the meter did not tell. The
    two numbers are places in the gateway's spool: a reading spooled before the receipt was taken before
    the relay was switched, whatever the clocks say.
    """
    if reading_seq <= receipt_seq or shown == _UNKNOWN:
        return None
    return shown == ordered

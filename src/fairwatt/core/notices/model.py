"""The steps of the ladder, the channels, and the life of a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MINUTE_US: Final = 60_000_000


class Step(StrEnum):
    """What people are told, in the order of a descent; then what is not about credit."""

    DAYS = "days"
    DAY = "day"
    LOW = "low"
    CRITICAL = "critical"
    EMERGENCY = "emergency"
    HOURS = "hours"
    EMPTY = "empty"
    CUT = "cut"
    RESTORED = "restored"
    AUTO = "auto"
    AUTO_FAILED = "auto_failed"
    AUTO_ENDED = "auto_ended"
    CONTRACT = "contract"
    ENDED = "ended"
    BALANCE = "balance"
    CODE = "code"
    CONTACT = "contact"
    TRY = "try"
    DIGEST = "digest"
    ALARM = "alarm"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a step is told.

    ``safety``: cannot be silenced wholly. ``at_night``: quiet hours do not hold it. ``capped``: counts against
    how often a person is written to. ``calls``: when nobody was reached, a person of the staff is.
    ``once_a_day``: a person hears of it once on a local day.
    """

    safety: bool = False
    at_night: bool = False
    capped: bool = True
    calls: bool = False
    once_a_day: bool = True


MANNERS: Final[Mapping[Step, Manner]] = {
    Step.DAYS: Manner(),
    Step.DAY: Manner(safety=True),
    Step.LOW: Manner(),
    Step.CRITICAL: Manner(safety=True, capped=False, calls=True),
    Step.EMERGENCY: Manner(safety=True, capped=False),
    Step.HOURS: Manner(safety=True, at_night=True, capped=False, calls=True),
    # A cut comes next: one is told each time credit has come to its end, also twice a day.
    Step.EMPTY: Manner(safety=True, at_night=True, capped=False, calls=True, once_a_day=False),
    Step.CUT: Manner(safety=True, at_night=True, capped=False, once_a_day=False),
    Step.RESTORED: Manner(safety=True, at_night=True, capped=False, once_a_day=False),
    # The card's own rules: who is charged hears of it, then and not in the morning.
    Step.AUTO: Manner(safety=True, at_night=True, capped=False, once_a_day=False),
    Step.AUTO_FAILED: Manner(safety=True, capped=False, once_a_day=False),
    Step.AUTO_ENDED: Manner(safety=True, capped=False, once_a_day=False),
    # A let ends when it ends, also at night; who has it must know before power goes off.
    Step.CONTRACT: Manner(safety=True, at_night=True, capped=False, calls=True, once_a_day=False),
    Step.ENDED: Manner(safety=True, at_night=True, capped=False, once_a_day=False),
    Step.BALANCE: Manner(at_night=True, capped=False, once_a_day=False),
    Step.CODE: Manner(at_night=True, capped=False, once_a_day=False),
    # Somebody may be taking an account over: the addresses that were there before hear of it at once.
    Step.CONTACT: Manner(safety=True, at_night=True, capped=False, once_a_day=False),
    Step.TRY: Manner(at_night=True, capped=False, once_a_day=False),
    Step.DIGEST: Manner(capped=False),
    Step.ALARM: Manner(safety=True, at_night=True, capped=False, once_a_day=False),
    Step.CALL: Manner(safety=True, at_night=True, capped=False, once_a_day=False),
}
LADDER: Final = (
    Step.DAYS,
    Step.DAY,
    Step.LOW,
    Step.CRITICAL,
    Step.EMERGENCY,
    Step.HOURS,
    Step.EMPTY,
    Step.CUT,
    Step.RESTORED,
)


class Channel(StrEnum):
    """How a message travels, the cheapest first."""

    PUSH = "push"
    WECHAT = "wechat"
    EMAIL = "email"
    SMS = "sms"
    STAFF = "staff"


SHORT: Final = frozenset({Channel.SMS, Channel.PUSH, Channel.WECHAT})
"""Channels that carry the short wording."""


class State(StrEnum):
    """The life of a message."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


NEXT: Final[Mapping[State, frozenset[State]]] = {
    State.QUEUED: frozenset({State.SENT, State.DELIVERED, State.READ, State.FAILED, State.SUPPRESSED}),
    State.SENT: frozenset({State.DELIVERED, State.READ, State.FAILED}),
    State.DELIVERED: frozenset({State.READ}),
    State.READ: frozenset(),
    # A provider gives up, and the phone still gets it: what arrived arrived.
    State.FAILED: frozenset({State.DELIVERED, State.READ}),
    State.SUPPRESSED: frozenset(),
}


def may_move(before: State, after: State) -> bool:
    """Whether a message may go from one state to another."""
    return after in NEXT[before]

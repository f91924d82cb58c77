"""How often: messages that somebody asks for, tries that failed, lines that rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fairwatt.core.refusal import Refusal

_S: Final = 1_000_000
_MINUTE: Final = 60 * _S
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


class TooOften(Refusal):
    """So many messages were asked for that no more go out for a while; nothing was sent."""

    code = "too_often"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many within a time that slides."""

    most: int
    within_us: int


LIMITS: Final[Mapping[str, tuple[Limit, ...]]] = {
    # Codes sent to a stranger's phone are a weapon; what a person may need in a day is not.
    "to": (Limit(1, _MINUTE), Limit(5, _HOUR), Limit(10, _DAY)),
    # A network has as many addresses as one likes; a person is one.
    "person": (Limit(6, _HOUR), Limit(15, _DAY)),
    "ip": (Limit(10, _HOUR), Limit(30, _DAY)),
    "organisation": (Limit(200, _HOUR), Limit(1_000, _DAY)),
    # Answers to short messages that come in: their sender's number can be forged.
    "answer": (Limit(1, _MINUTE), Limit(5, _HOUR), Limit(10, _DAY)),
    # What the desk sends once more, whoever presses the button.
    "again": (Limit(1, _MINUTE), Limit(5, _HOUR), Limit(10, _DAY)),
    # A payment that asks for the PIN on a telephone rings whichever number somebody typed.
    "rung": (Limit(2, _MINUTE), Limit(6, _HOUR), Limit(15, _DAY)),
    "ringing": (Limit(4, _MINUTE), Limit(12, _HOUR), Limit(30, _DAY)),
}
KEPT_US: Final = _DAY


def admit(*, kind: str, past_us: Sequence[int], now_us: int) -> None:
    """Say whether one more may go. Raises TooOften with how long to wait."""
    for limit in LIMITS[kind]:
        inside = sorted(at_us for at_us in past_us if at_us > now_us - limit.within_us)
        if len(inside) >= limit.most:
            wait_us = inside[-limit.most] + limit.within_us - now_us
            raise TooOften(
                "So much was asked for that nothing more goes out for now. Nothing was sent and nothing charged; "
                "try again in %(minutes)d min.",
                minutes=max(1, -(-wait_us // _MINUTE)),
            )


TRIES_MAX: Final = 6
_PAUSES_US: Final = (5 * _S, 30 * _S, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE)


def retry_us(*, tries: int, now_us: int) -> int | None:
    """When a message that failed for now is tried again after so many tries; None: not any more."""
    return None if tries >= TRIES_MAX else now_us + _PAUSES_US[min(tries, len(_PAUSES_US)) - 1]


FAILURES_MAX: Final = 5
_REST_US: Final = 15 * _S
_REST_US_MAX: Final = 10 * _MINUTE


def rest_until_us(*, failures: int, now_us: int) -> int:
    """Until when a line that failed so often in a row is left alone; after that one message tries it."""
    beyond = failures - FAILURES_MAX
    return 0 if beyond < 0 else now_us + min(_REST_US * 2 ** min(beyond, 10), _REST_US_MAX)

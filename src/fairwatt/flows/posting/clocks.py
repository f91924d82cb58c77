"""How far the clocks of gateways are from ours, as well as one can tell from what arrives.

A frame says what its gateway's clock showed when it was sent. Ours is read when it is taken in, so the way it took
makes the clock seem slower than it is, and never faster. So of many frames the one that says "furthest ahead" is
right: a larger figure is believed at once, a smaller one only when a whole quarter of an hour brought nothing larger,
or when the gateway says that it set its clock. A row is written when the figure moves by a second; else nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fairwatt.store.clocks import ClockRow

if TYPE_CHECKING:
    from fairwatt.flows.posting.book_state import GatewayState
    from fairwatt.flows.posting.intake import Intake

MATERIAL_US: Final = 1_000_000
LOOK_AGAIN_US: Final = 900 * 1_000_000
_BEYOND_US: Final = 400 * 86_400 * 1_000_000
"""No clock is told to be further off than that: a frame may claim any instant there is."""


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """What is written of a gateway's clock, and the most that was seen since `since_us`."""

    ahead_us: int
    most_us: int
    since_us: int

    @classmethod
    def read_again(cls, *, ahead_us: int, now_us: int) -> ClockSeen:
        """What a poster that starts knows: what is written, and nothing seen since."""
        return cls(ahead_us, -_BEYOND_US, now_us)


def look_at_clock(known: ClockSeen | None, *, ahead_us: int, now_us: int, was_set: bool = False) -> ClockSeen:
    """What is known of a clock after one more frame. `was_set`: the gateway says that it set it."""
    ahead_us = max(-_BEYOND_US, min(ahead_us, _BEYOND_US))
    if known is None or ahead_us >= known.ahead_us + MATERIAL_US:
        return ClockSeen(ahead_us, ahead_us, now_us)
    most_us = ahead_us if was_set else max(known.most_us, ahead_us)
    if not was_set and now_us - known.since_us < LOOK_AGAIN_US:
        return known if most_us == known.most_us else replace(known, most_us=most_us)
    if most_us <= known.ahead_us - MATERIAL_US:
        return ClockSeen(most_us, most_us, now_us)
    return ClockSeen(known.ahead_us, ahead_us, now_us)


def heard_clocks(
    *, intake: Intake, gateways: Mapping[int, GatewayState], now_us: int
) -> dict[int, ClockSeen]:
    """What is known of the clocks of the gateways that a batch hears, after it."""
    were_set = {gateway for gateway, _, event in intake.events if event.code == "clock_offset"}
    return {
        gateway: look_at_clock(
            gateways[gateway].clock, ahead_us=ahead_us, now_us=now_us, was_set=gateway in were_set
        )
        for gateway, ahead_us in intake.clocks.items()
    }


def clocks_moved(
    *, heard: Iterable[int], before: Mapping[int, GatewayState], after: Mapping[int, GatewayState]
) -> list[ClockRow]:
    """What a batch must write of the clocks of the gateways that it heard."""
    rows = []
    for gateway in heard:
        was, clock = before[gateway].clock, after[gateway].clock
        if clock is not None and (was is None or was.ahead_us != clock.ahead_us):
            rows.append(ClockRow(gateway, clock.ahead_us))
    return rows

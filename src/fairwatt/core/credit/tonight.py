"""What-if: whom the rules would cut until the next quiet hours are over, if nobody paid and everybody used as ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from fairwatt.core.credit.decide import Action, SupplyDecision, SupplyFacts, decide_supply
from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE

STEP_US: Final = 30 * US_PER_MINUTE
LONGEST_US: Final = 96 * US_PER_HOUR


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is decided for a home that runs out: the cut and when, or what withholds it at the end of the time."""

    decision: SupplyDecision
    at_us: int
    until_us: int
    available_micro: int
    """forecast for `until_us`"""

    @property
    def cut(self) -> bool:
        """Whether the home would be cut."""
        return self.decision.action is Action.CUT


def quiet_until(*, policy: CreditPolicy, now_us: int) -> int:
    """Return when the hours without cuts that run now, or come next, are over; a day from now where none come."""

    def quiet_at(at_us: int) -> bool:
        return policy.friendly_at(at_us=at_us) or policy.holiday_at(at_us=at_us)

    seen = False
    for at_us in range(now_us, now_us + LONGEST_US + 1, STEP_US):
        quiet = quiet_at(at_us)
        if seen and not quiet:
            return _first(lambda one: not quiet_at(one), after_us=at_us - STEP_US, at_us=at_us)
        seen = seen or quiet
    return now_us + (LONGEST_US if seen else US_PER_DAY)


def look_ahead(
    *, facts: SupplyFacts, policy: CreditPolicy, low_micro: int, day_micro: int, now_us: int, until_us: int
) -> Outlook | None:
    """Say what becomes of a home until an instant; None when its credit lasts, or when it is off already.

    `day_micro`: what a day of it costs. Readings are taken to keep coming where they come now, and a home that falls
    below `low_micro` to be warned there.
    """
    left = _left(facts.available_micro, day_micro, until_us - now_us)
    if left > 0:
        return None
    warned = facts.warned_at_us
    heard = facts.newest_reading_us is not None and now_us - facts.newest_reading_us <= policy.stale_after_us

    def decided(at_us: int, warned_us: int | None) -> SupplyDecision:
        then = replace(
            facts,
            available_micro=_left(facts.available_micro, day_micro, at_us - now_us),
            warned_at_us=warned_us,
            newest_reading_us=at_us if heard else facts.newest_reading_us,
        )
        return decide_supply(facts=then, policy=policy, now_us=at_us)

    last: SupplyDecision | None = None
    before_us = now_us
    for at_us in _instants(now_us, until_us):
        if warned is None and _left(facts.available_micro, day_micro, at_us - now_us) < max(1, low_micro):
            warned = at_us
        last = decided(at_us, warned)
        if last.action is Action.CUT:
            break
        before_us = at_us
    if last is None or last.action not in (Action.CUT, Action.WITHHOLD):
        return None
    if last.action is Action.WITHHOLD:
        return Outlook(last, until_us, until_us, left)
    cut_us = _first(
        lambda one: decided(one, warned).action is Action.CUT,
        after_us=before_us,
        at_us=at_us,
    )
    return Outlook(decided(cut_us, warned), cut_us, until_us, left)


def _left(available_micro: int, day_micro: int, span_us: int) -> int:
    return available_micro - max(0, day_micro) * max(0, span_us) // US_PER_DAY


def _first(holds: Callable[[int], bool], *, after_us: int, at_us: int) -> int:
    """The first instant of a stretch at whose end something holds, which once true stays so."""
    while at_us - after_us > 1:
        middle_us = (after_us + at_us) // 2
        after_us, at_us = (after_us, middle_us) if holds(middle_us) else (middle_us, at_us)
    return at_us


def _instants(now_us: int, until_us: int) -> Iterator[int]:
    yield from range(now_us, until_us, STEP_US)
    yield until_us

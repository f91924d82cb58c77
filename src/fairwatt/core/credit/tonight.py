"""What-if: whom the rules would cut until the next quiet hours are over, if nobody paid and everybody used as ever.

Instants are worked out, not stepped to: between two of those named here nothing changes that a rule looks at, so an
answer does not depend on when it was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from fairwatt.core.credit.decide import Action, SupplyDecision, SupplyFacts, decide_supply
from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.core.spans import local_day_start, next_day_start
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE

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
    seen = False
    for at_us in (now_us, *_wall_turns(policy, now_us, now_us + LONGEST_US)):
        quiet = policy.friendly_at(at_us=at_us) or policy.holiday_at(at_us=at_us)
        if seen and not quiet:
            return at_us
        seen = seen or quiet
    return now_us + (LONGEST_US if seen else US_PER_DAY)


def look_ahead(
    *, facts: SupplyFacts, policy: CreditPolicy, low_micro: int, day_micro: int, now_us: int, until_us: int
) -> Outlook | None:
    """Say what becomes of a home until an instant; None when its credit lasts, or when it is off already.

    `day_micro`: what a day of it costs. Readings are taken to keep coming where they come now, and a home that falls
    below `low_micro` to be warned there. The cut is at the first instant at which the rules let it be.
    """
    left = _left(facts.available_micro, day_micro, until_us - now_us)
    if left > 0:
        return None
    warned = facts.warned_at_us
    if warned is None:
        falls_us = _falls_to(facts.available_micro, max(1, low_micro) - 1, day_micro)
        warned = None if falls_us is None else now_us + falls_us
    heard = facts.newest_reading_us is not None and now_us - facts.newest_reading_us <= policy.stale_after_us
    last: SupplyDecision | None = None
    for at_us in _instants(facts, policy, warned, day_micro, now_us, until_us):
        then = replace(
            facts,
            available_micro=_left(facts.available_micro, day_micro, at_us - now_us),
            warned_at_us=None if warned is None or warned > at_us else warned,
            newest_reading_us=at_us if heard else facts.newest_reading_us,
        )
        last = decide_supply(facts=then, policy=policy, now_us=at_us)
        if last.action is Action.CUT:
            return Outlook(last, at_us, until_us, left)
    if last is None or last.action is not Action.WITHHOLD:
        return None
    return Outlook(last, until_us, until_us, left)


def _left(available_micro: int, day_micro: int, span_us: int) -> int:
    return available_micro - max(0, day_micro) * max(0, span_us) // US_PER_DAY


def _falls_to(available_micro: int, level_micro: int, day_micro: int) -> int | None:
    """In how many microseconds no more than a level is left; None where it never is."""
    if available_micro <= level_micro:
        return 0
    return None if day_micro <= 0 else -((level_micro - available_micro) * US_PER_DAY // day_micro)


def _instants(
    facts: SupplyFacts,
    policy: CreditPolicy,
    warned_us: int | None,
    day_micro: int,
    now_us: int,
    until_us: int,
) -> list[int]:
    """Every instant until `until_us` at which the decision may become another one, in order; both ends are in."""
    found = [*_wall_turns(policy, now_us, until_us), facts.restored_until_us]
    for shelter in policy.shelters:
        found += [shelter.start_us, shelter.end_us]
    found.append(None if warned_us is None else warned_us + policy.warn_lead_us)
    if facts.contract is not None:
        told_us = facts.contract.warned_us
        found += [facts.contract.end_us, None if told_us is None else told_us + policy.warn_lead_us]
    levels = [0] if policy.max_debt_micro is None else [0, -policy.max_debt_micro - 1]
    for level in levels:
        falls_us = _falls_to(facts.available_micro, level, day_micro)
        found.append(None if falls_us is None else now_us + falls_us)
    return sorted({now_us, until_us, *(at for at in found if at is not None and now_us < at < until_us)})


def _wall_turns(policy: CreditPolicy, start_us: int, end_us: int) -> Iterator[int]:
    """The instants in between at which friendly hours or a holiday may begin or end, by the local wall clock."""
    minutes = sorted({0, *(minute for window in policy.friendly for minute in window if minute < 1_440)})
    day_us = local_day_start(zone=policy.zone, at_us=start_us)
    while day_us < end_us:
        next_us = next_day_start(zone=policy.zone, at_us=day_us)
        # Where clocks are put forward or back that day, the wall says which minute it is, not the time since midnight.
        changed = next_us - day_us != US_PER_DAY
        for minute in range((next_us - day_us) // US_PER_MINUTE) if changed else minutes:
            at_us = day_us + minute * US_PER_MINUTE
            if start_us < at_us <= end_us:
                yield at_us
        day_us = next_us

"""Who is told, by which channels, and when: a pure function of the notice, the person and what was said lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from fairwatt.core.notices.model import MANNERS, MINUTE_US, Channel, State, Step
from fairwatt.core.spans import date_start, local_date
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR

QUIET_FROM_US: Final = 21 * US_PER_HOUR
QUIET_UNTIL_US: Final = 8 * US_PER_HOUR
RECEIPT_WAIT_US: Final = 10 * MINUTE_US
"""So long the first channels have to show that a message arrived, before the next one is tried."""
CAP_A_DAY: Final = 6
DIGEST_AT_US: Final = 18 * US_PER_HOUR
WAVES: Final = (frozenset({Channel.PUSH, Channel.WECHAT, Channel.EMAIL}), frozenset({Channel.SMS}))
"""First what costs nothing, then the short message; after the last one staff is called."""


@dataclass(frozen=True, slots=True)
class Contact:
    """An address of a person that may be used: it was proven, or needs no proof."""

    id: int | None
    channel: Channel
    address: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person wants. `channels` None: every one there is. `digest`: what can wait comes once a day."""

    language: str = ""
    channels: frozenset[Channel] | None = None
    silent: frozenset[Step] = frozenset()
    digest: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to be told. `lately_us`: when messages that count against the cap were made."""

    id: int | None
    language: str
    contacts: tuple[Contact, ...]
    choice: Choice = Choice()
    lately_us: tuple[int, ...] = ()
    told_today: frozenset[Step] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """One message to be: to which address, when; suppressed with its reason, or queued."""

    person: Person
    contact: Contact | None
    channel: Channel
    due_us: int
    state: State = State.QUEUED
    reason: str = ""
    digest: bool = False


@dataclass(frozen=True, slots=True)
class Routed:
    """What a notice comes to now, and when it is looked at again (None: it is over)."""

    plans: tuple[Plan, ...]
    next_wave: int
    next_us: int | None
    call_staff: str = ""
    """why a person of the staff has to call, or empty"""


def due_at(*, step: Step, zone: str, now_us: int) -> int:
    """When a step may be told: not from nine in the evening to eight in the morning, unless it cannot wait."""
    if MANNERS[step].at_night:
        return now_us
    today = local_date(zone=zone, at_us=now_us)
    # Wall clock hours: on a day of 23 or 25 hours quiet hours still end at eight on the wall.
    if now_us < _wall(zone, today, QUIET_UNTIL_US):
        return _wall(zone, today, QUIET_UNTIL_US)
    if now_us >= _wall(zone, today, QUIET_FROM_US):
        return _wall(zone, today + timedelta(days=1), QUIET_UNTIL_US)
    return now_us


def _wall(zone: str, day: Any, hour_us: int) -> int:
    start_us = date_start(zone=zone, day=day)
    length_us = date_start(zone=zone, day=day + timedelta(days=1)) - start_us
    # Clocks change in the small hours: before all of our hours, never between them.
    return start_us + hour_us + (length_us - US_PER_DAY)


def route(
    *,
    step: Step,
    persons: Sequence[Person],
    zone: str,
    now_us: int,
    wave: int,
    reached: bool,
    offered: frozenset[Channel],
) -> Routed:
    """Plan one wave of a notice: nothing more once somebody was reached, the next channels while nobody was.

    `offered`: channels that have a line at all. A wave that adds nobody is skipped, so that nobody waits for nothing.
    """
    if reached:
        return Routed((), wave, None)
    due_us = due_at(step=step, zone=zone, now_us=now_us)
    fresh = wave == 0
    while wave < len(WAVES):
        plans = [
            plan
            for person in persons
            for plan in _plans(step, person, WAVES[wave] & offered, fresh, zone, due_us, now_us)
        ]
        wave += 1
        if any(plan.state is State.QUEUED for plan in plans):
            latest_us = max(plan.due_us for plan in plans if plan.state is State.QUEUED)
            return Routed(tuple(plans), wave, latest_us + RECEIPT_WAIT_US)
        if plans:
            # Told today already, or chosen to be left in peace: another channel would not be less of a nuisance.
            return Routed(tuple(plans), len(WAVES), None)
    if not MANNERS[step].calls:
        return Routed((), wave, None)
    known = any(_usable(person, step, offered) for person in persons)
    return Routed((), wave, None, call_staff="no_receipt" if known else "no_contact")


def _plans(
    step: Step, person: Person, channels: frozenset[Channel], fresh: bool, zone: str, due_us: int, now_us: int
) -> list[Plan]:
    manner = MANNERS[step]
    usable = [one for one in _usable(person, step, frozenset(Channel)) if one.channel in channels]
    if not usable:
        return []
    first, hold = usable[0], ""
    if manner.once_a_day and step in person.told_today and fresh:
        hold = "told_today"
    elif step in person.choice.silent and not manner.safety:
        hold = "silenced"
    elif manner.capped and sum(at_us > now_us - US_PER_DAY for at_us in person.lately_us) >= CAP_A_DAY:
        hold = "too_many"
    if hold:
        return [Plan(person, first, first.channel, due_us, State.SUPPRESSED, hold)]
    if person.choice.digest and not manner.safety and manner.capped:
        today = local_date(zone=zone, at_us=now_us)
        at_us = _wall(zone, today, DIGEST_AT_US)
        if at_us <= now_us:
            at_us = _wall(zone, today + timedelta(days=1), DIGEST_AT_US)
        return [Plan(person, first, first.channel, at_us, digest=True)]
    return [Plan(person, one, one.channel, due_us) for one in usable]


def _usable(person: Person, step: Step, offered: frozenset[Channel]) -> list[Contact]:
    """The addresses that this step may use: the chosen channels, or for safety whatever there is when none is left."""
    order = list(Channel)
    there = sorted(
        (one for one in person.contacts if one.channel in offered), key=lambda one: order.index(one.channel)
    )
    chosen = person.choice.channels
    if chosen is None:
        return there
    wanted = [one for one in there if one.channel in chosen]
    if wanted or not MANNERS[step].safety:
        return wanted
    return there

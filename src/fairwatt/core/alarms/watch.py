"""One meter watched over time: what is raised and cleared, when power is cut, when it may return.

Pure: a state and a picture give a state, the transitions that are told, and at most one act. The state is a
plain value that survives a restart; starting again from it is the same as never having stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from fairwatt.core.alarms.model import AlarmCode, AlarmError, Evidence, Finding, Restores, Severity
from fairwatt.core.alarms.picture import Picture
from fairwatt.core.alarms.policy import AlarmPolicy
from fairwatt.core.alarms.rules import Rule, judge
from fairwatt.core.alarms.rules.overload import Overload
from fairwatt.core.spans import local_datetime

FORGOTTEN_US: Final = 3_600_000_000
"""After so long without a picture nobody knows whether a thing lasted: its delay begins anew."""
_STRICTER: Final = tuple(Restores)


class Deed(StrEnum):
    """What is to be done at the relay."""

    CUT = "cut"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm of one meter. ``turning_us`` is since when it has looked the other way than ``raised``."""

    raised: bool = False
    turning_us: int | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A relay kept open for safety: why, since when, until when; ``None`` waits for a person."""

    code: AlarmCode
    since_us: int
    until_us: int | None
    when_clear: bool = False


@dataclass(frozen=True, slots=True)
class WatchState:
    """All that must survive a restart: ``tries`` counts cuts for overload, ``tried_us`` is the last one's end."""

    alarms: Mapping[AlarmCode, Alarm] = field(default_factory=lambda: MappingProxyType({}))
    before: Picture | None = None
    hold: Hold | None = None
    tries: int = 0
    tried_us: int | None = None

    @property
    def raised(self) -> tuple[AlarmCode, ...]:
        """The alarms that are open, in the order of the closed list."""
        return tuple(code for code in AlarmCode if code in self.alarms and self.alarms[code].raised)


@dataclass(frozen=True, slots=True)
class Transition:
    """An alarm was raised, or is over."""

    code: AlarmCode
    severity: Severity
    raised: bool
    protects: bool
    at_us: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Act:
    """What to do at the relay, why, and whether it is the same act as before, tried again."""

    deed: Deed
    code: AlarmCode
    again: bool = False
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """The state after one picture, what is to be told, and the act, if any."""

    state: WatchState
    transitions: tuple[Transition, ...] = ()
    act: Act | None = None


def watch(*, policy: AlarmPolicy, state: WatchState, now: Picture, feeds_gateway: bool) -> Watched:
    """Look at one more picture of a meter. An older one, or the same again, changes nothing.

    ``feeds_gateway``: the meter feeds the gateway that watches it. It is never cut, only told about: a cut would
    silence every meter behind that gateway, and nobody could undo it from afar.
    """
    if state.before is not None and now.at_us <= state.before.at_us:
        return Watched(state)
    at = local_datetime(zone=policy.zone, at_us=now.at_us)
    minute = at.hour * 60 + at.minute
    alarms: dict[AlarmCode, Alarm] = {}
    told: list[Transition] = []
    for rule in policy.rules:
        alarm = state.alarms.get(rule.code, Alarm())
        finding = judge(
            rule=rule,
            now=now,
            before=state.before,
            raised=alarm.raised,
            memory=alarm.memory,
            minute=minute,
        )
        after = alarm if finding is None else _turn(rule, alarm, finding, now.at_us, state.before)
        if finding is not None and after.raised != alarm.raised:
            told.append(_told(rule, after.raised, now.at_us, finding.evidence))
        alarms[rule.code] = after
    for code in state.raised:
        if code not in alarms:
            # The rule was taken out of the policy: what it raised is over, or it would stay open for ever.
            told.append(Transition(code, Severity.NOTICE, False, False, now.at_us, ()))
    looked = replace(state, alarms=MappingProxyType(alarms), before=now)
    after_all, act = _protect(policy, looked, now, feeds_gateway)
    return Watched(after_all, tuple(told), act)


def set_back(*, state: WatchState, now_us: int) -> WatchState:
    """The state after the clock was found ahead and set back to ``now_us``: nothing it remembers is later than now.

    What was seen under the wrong clock would else be newer than every picture to come, and nobody would be watched
    until the clock has been there again. Delays begin anew; a hold lasts as long as it was to last.
    """
    before, hold = state.before, state.hold
    if hold is not None and hold.since_us > now_us:
        until_us = None if hold.until_us is None else now_us + hold.until_us - hold.since_us
        hold = replace(hold, since_us=now_us, until_us=until_us)
    alarms = {
        code: replace(alarm, turning_us=None)
        if alarm.turning_us is not None and alarm.turning_us > now_us
        else alarm
        for code, alarm in state.alarms.items()
    }
    return replace(
        state,
        alarms=MappingProxyType(alarms),
        hold=hold,
        before=None if before is None or before.at_us > now_us else before,
        tried_us=None if state.tried_us is None else min(state.tried_us, now_us),
    )


def released_by_person(*, policy: AlarmPolicy, state: WatchState, at_us: int) -> WatchState:
    """The state after a person has looked and let power return. Raises ``AlarmError`` while it is still unsafe."""
    open_now = protecting(policy=policy, state=state)
    if open_now:
        raise AlarmError(
            f"the alarm {open_now[0]} is still open, so the relay stays open: power into it would endanger the home. "
            "Mend the cause; the alarm clears by itself, and power can be released then"
        )
    return replace(state, hold=None, tries=0, tried_us=at_us)


def protecting(*, policy: AlarmPolicy, state: WatchState) -> tuple[AlarmCode, ...]:
    """The open alarms that power must not return into."""
    cuts = {rule.code for rule in policy.rules if rule.protects}
    return tuple(code for code in state.raised if code in cuts)


def _turn(rule: Rule, alarm: Alarm, finding: Finding, at_us: int, before: Picture | None) -> Alarm:
    """Move one alarm on: it turns when what it sees has lasted as long as the rule wants."""
    if finding.bad == alarm.raised:
        return Alarm(alarm.raised, None, finding.memory)
    since_us = alarm.turning_us
    wait_us = rule.clear_after_us if alarm.raised else rule.raise_after_us
    if since_us is None or before is None or at_us - before.at_us > max(FORGOTTEN_US, wait_us):
        since_us = at_us
    if at_us - since_us < wait_us:
        return Alarm(alarm.raised, since_us, finding.memory)
    return Alarm(not alarm.raised, None, finding.memory)


def _told(rule: Rule, raised: bool, at_us: int, evidence: Evidence) -> Transition:
    return Transition(rule.code, rule.severity, raised, rule.protects, at_us, evidence)


def _protect(
    policy: AlarmPolicy, state: WatchState, now: Picture, feeds_gateway: bool
) -> tuple[WatchState, Act | None]:
    dangers = protecting(policy=policy, state=state)
    if state.hold is None:
        return _cut(policy, state, dangers, now) if dangers and not feeds_gateway else (state, None)
    if feeds_gateway:
        # It was not known when the relay was opened: undo it, whatever is open.
        return replace(state, hold=None), Act(Deed.RELEASE, state.hold.code)
    hold = _stricter(policy, state, dangers)
    state = replace(state, hold=hold)
    if not dangers and (hold.when_clear or (hold.until_us is not None and now.at_us >= hold.until_us)):
        return replace(state, hold=None, tried_us=now.at_us), Act(Deed.RELEASE, hold.code)
    if now.relay_closed:
        return state, Act(Deed.CUT, hold.code, again=True, until_us=hold.until_us)
    return state, None


def _cut(
    policy: AlarmPolicy, state: WatchState, dangers: tuple[AlarmCode, ...], now: Picture
) -> tuple[WatchState, Act]:
    rules = [rule for rule in policy.rules if rule.code in dangers]
    worst = max(rules, key=lambda rule: _STRICTER.index(rule.restores))
    tries, until_us = state.tries, None
    if isinstance(worst, Overload):
        if state.tried_us is not None and now.at_us - state.tried_us > worst.tries_reset_us:
            tries = 0
        tries += 1
        until_us = now.at_us + worst.restore_after_us if tries <= worst.tries else None
    hold = Hold(worst.code, now.at_us, until_us, when_clear=worst.restores is Restores.WHEN_CLEAR)
    return replace(state, hold=hold, tries=tries), Act(Deed.CUT, worst.code, until_us=until_us)


def _stricter(policy: AlarmPolicy, state: WatchState, dangers: tuple[AlarmCode, ...]) -> Hold:
    """The hold, made to wait for a person when a danger has come that needs one."""
    hold = state.hold
    assert hold is not None, "asked only of a relay that is held"
    for code in dangers:
        rule = policy.rule(code)
        if rule is not None and rule.restores is Restores.PERSON and (hold.until_us or hold.when_clear):
            return Hold(code, hold.since_us, None)
    return hold

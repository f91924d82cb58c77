"""Which meter is this room's? A known load is switched on and off in the room, and every candidate is watched.

A wrong answer sells one home's electricity to another, so the only confident answer is a meter that took every step,
at the right time, up and down, and was calm between them, while no other meter did. Anything less says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

STEPS_MIN: Final = 6
"""On and off three times. With two, 2 of 8,000 lively buildings had a neighbour who kept in step by accident."""
SURE_PER_MILLE: Final = 990
_SAMPLES_MIN: Final = 2
_UNEVEN: Final = 4
"""Two times on differ by so many slacks at least: whatever cycles evenly, a hob or a boiler, cannot keep in step."""

type Sample = tuple[int, int]
"""(milliseconds, watts), in order of time."""


class Verdict(StrEnum):
    """What the test says."""

    PROVEN = "proven"
    AMBIGUOUS = "ambiguous"
    NONE = "none"


class PulseError(ValueError):
    """The test was not done in a way that can tell anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One meter: steps that were seen to be the load's, of how many; ``calm`` between them; ``seen`` often enough."""

    meter: int
    matched: int
    steps: int
    calm: bool
    seen: bool

    @property
    def is_it(self) -> bool:
        """Whether it did everything the room's meter does."""
        return self.seen and self.calm and self.matched == self.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseResult:
    """The verdict, the meter if it is proven, and every candidate, the likeliest first.

    ``confidence_per_mille`` is one minus the chance that some meter takes all the steps by accident, by how often
    meters stepped like that when nobody asked them to. ``close``: the meters that cannot be told apart.
    """

    verdict: Verdict
    meter: int | None
    confidence_per_mille: int
    close: tuple[int, ...]
    candidates: tuple[Candidate, ...]


def judge_pulses(
    *,
    powers: Mapping[int, Sequence[Sample]],
    switches_ms: Sequence[int],
    until_ms: int,
    watts: int,
    slack_ms: int = 3_000,
    tolerance_percent: int = 30,
) -> PulseResult:
    """Say whose meter saw a load of ``watts`` go on at the first switch, off at the second, and so on.

    Samples from ``slack_ms`` after a switch (a person's hand, a meter's averaging) to the next switch count; those
    before the first are the rest before it. ``until_ms`` ends the last rest. Raises PulseError for fewer than six
    switches, an odd number, switches closer than twice the slack, or times on that are too much alike.
    """
    ends = [*switches_ms, until_ms]
    if len(switches_ms) < STEPS_MIN or len(switches_ms) % 2:
        raise PulseError(
            f"a pulse test is at least {STEPS_MIN} switches, ending with off; got {len(switches_ms)}"
        )
    if any(later - earlier < 2 * slack_ms for earlier, later in pairwise(ends)):
        raise PulseError(
            f"switches must be at least {2 * slack_ms} ms apart, or the hand is not told from the load"
        )
    times_on = [off - on for on, off in zip(switches_ms[::2], switches_ms[1::2], strict=True)]
    if max(times_on) - min(times_on) < _UNEVEN * slack_ms:
        raise PulseError(
            f"one time on must be {_UNEVEN * slack_ms} ms longer than another, or a hob can keep in step"
        )
    if watts <= 0:
        raise PulseError("the load must use power: give its watts, such as 2000 for a kettle")
    within_w = watts * tolerance_percent // 100
    found = [
        _look(meter, samples, switches_ms, until_ms, watts, within_w, slack_ms)
        for meter, samples in sorted(powers.items())
    ]
    # A step that nobody ordered: other meters at the switches, and every meter between them.
    candidates = sorted((one for one, _ in found), key=lambda one: (one.is_it, one.matched), reverse=True)
    return _verdict(tuple(candidates), idle=[steps for _, steps in found])


def _verdict(candidates: tuple[Candidate, ...], *, idle: list[tuple[int, int]]) -> PulseResult:
    sure = [one for one in candidates if one.is_it]
    close = tuple(one.meter for one in candidates if one.seen and 2 * one.matched > one.steps)
    others = candidates[1:]
    hits = sum(one.matched for one in others) + sum(hit for hit, _ in idle) + 1
    tries = sum(one.steps for one in others) + sum(tried for _, tried in idle) + 2
    steps = candidates[0].steps if candidates else 0
    # min(1, meters x (hits / tries) ^ steps), in thousandths, rounded up: the doubt is never made smaller.
    doubt = min(1_000, -(-1_000 * len(candidates) * hits**steps // tries**steps))
    if len(sure) == 1 and close == (sure[0].meter,) and 1_000 - doubt >= SURE_PER_MILLE:
        return PulseResult(
            verdict=Verdict.PROVEN,
            meter=sure[0].meter,
            confidence_per_mille=1_000 - doubt,
            close=close,
            candidates=candidates,
        )
    verdict = Verdict.AMBIGUOUS if close else Verdict.NONE
    return PulseResult(
        verdict=verdict, meter=None, confidence_per_mille=0, close=close, candidates=candidates
    )


def _look(
    meter: int,
    samples: Sequence[Sample],
    switches_ms: Sequence[int],
    until_ms: int,
    watts: int,
    within_w: int,
    slack_ms: int,
) -> tuple[Candidate, tuple[int, int]]:
    """What one meter did at the switches, and (load-like steps, chances for one) between them."""
    starts = [None, *(at + slack_ms for at in switches_ms)]
    rests = [
        [power for at, power in samples if (start is None or at >= start) and at < end]
        for start, end in zip(starts, [*switches_ms, until_ms], strict=True)
    ]
    seen = all(len(rest) >= _SAMPLES_MIN for rest in rests)
    if not seen:
        return Candidate(meter=meter, matched=0, steps=len(switches_ms), calm=False, seen=False), (0, 0)
    levels = [_median(rest) for rest in rests]
    steps = [after - before for before, after in pairwise(levels)]
    matched = sum(
        abs(step - (watts if place % 2 == 0 else -watts)) <= within_w for place, step in enumerate(steps)
    )
    calm = all(
        10 * sum(abs(power - level) > within_w for power in rest) <= len(rest)
        for rest, level in zip(rests, levels, strict=True)
    )
    halves = [(_median(rest[: len(rest) // 2]), _median(rest[len(rest) // 2 :])) for rest in rests]
    idle = sum(abs(abs(after - before) - watts) <= within_w for before, after in halves)
    return Candidate(meter=meter, matched=matched, steps=len(steps), calm=calm, seen=True), (idle, len(rests))


def _median(powers: list[int]) -> int:
    return sorted(powers)[len(powers) // 2]

"""Power returns to many homes: one after the other, or the feeder that came back goes again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Spacing:
    """At most ``homes`` closings on one feeder in each ``interval_us``."""

    homes: int
    interval_us: int

    def __post_init__(self) -> None:
        if self.homes < 1 or self.interval_us < 0:
            raise ValueError("at least one home in each interval, and no interval below zero")


SPACING: Final = Spacing(homes=5, interval_us=10_000_000)
"""Five homes every ten seconds: what a street's transformer takes after a cold night, 60 homes in two minutes."""


@dataclass(frozen=True, slots=True)
class Closing:
    """One relay to be closed. ``load_w`` is what its home draws as far as anybody knows.

    ``asked`` marks a person who paid and waits, against a crowd that is let in by a rule or after an outage.
    """

    key: int
    feeder: str
    load_w: int
    asked: bool = False


def stagger(
    *,
    closings: Iterable[Closing],
    closed_us: Mapping[str, Iterable[int]],
    spacing: Spacing,
    now_us: int,
) -> dict[int, int]:
    """Say for each relay from which instant on it may be closed: ``now_us`` for those whose turn it is.

    Smallest loads first and the largest last; a person who waits goes before the crowd, and never longer than
    one interval. ``closed_us`` are the closings of each feeder so far. Feeders do not wait for one another.
    """
    waiting: dict[str, list[Closing]] = {}
    for closing in closings:
        waiting.setdefault(closing.feeder, []).append(closing)
    due: dict[int, int] = {}
    for feeder, some in waiting.items():
        since_us = now_us - spacing.interval_us
        recent = sorted(at_us for at_us in closed_us.get(feeder, ()) if since_us < at_us <= now_us)
        for closing in sorted(some, key=lambda one: (not one.asked, one.load_w, one.key)):
            at_us = _turn(recent, spacing, now_us)
            if closing.asked:
                at_us = min(at_us, now_us + spacing.interval_us)
            recent.append(at_us)
            due[closing.key] = at_us
    return due


def _turn(closings: list[int], spacing: Spacing, now_us: int) -> int:
    """The first instant that leaves no interval with more closings than are allowed."""
    if len(closings) < spacing.homes:
        return now_us
    return max(now_us, sorted(closings)[-spacing.homes] + spacing.interval_us)

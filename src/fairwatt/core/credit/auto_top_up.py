"""When a top-up that a resident agreed to is taken, and when it is not: one answer for one look, with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fairwatt.core.units import US_PER_DAY

FAILS_MAX: Final = 3
"""Failures in a row that switch it off; also how often one fall is tried."""
AGAIN_US: Final = US_PER_DAY
"""A card that said no is asked again a day later, not sooner: banks block who asks too often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoTerms:
    """What was agreed: a level in money or in days, an amount, and how often and how much in a local month."""

    below_micro: int | None
    below_days: int | None
    amount_minor: int
    times_most: int
    month_most_minor: int

    def __post_init__(self) -> None:
        if (self.below_micro is None) == (self.below_days is None):
            raise ValueError("a level is one of money or one of days")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoSeen:
    """What is known of a home at one look.

    `left_us` is how long credit lasts by the newest forecast; None without one, or beyond what it sees. `tries` and
    `failed_us` are of the fall that goes on; `taken_times` and `taken_minor` of this local month, without what failed.
    """

    available_micro: int
    left_us: int | None
    below: bool
    in_flight: bool
    answered: bool
    """a payment of this fall was credited"""
    tries: int
    failed_us: int
    taken_times: int
    taken_minor: int


class AutoDo(StrEnum):
    """What comes of a look."""

    NOTHING = "nothing"
    ROSE = "rose"
    TAKE = "take"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class AutoDecision:
    """What to do, and why; `fell` where this look is the first to see credit below the level."""

    do: AutoDo
    reason: str = ""
    fell: bool = False


def is_below(*, terms: AutoTerms, seen: AutoSeen) -> bool:
    """Whether credit is below the level. Without a forecast only used-up credit is below a number of days."""
    if terms.below_micro is not None:
        return seen.available_micro < terms.below_micro
    assert terms.below_days is not None
    if seen.available_micro <= 0:
        return True
    return seen.left_us is not None and seen.left_us < terms.below_days * US_PER_DAY


def decide_auto(*, terms: AutoTerms, seen: AutoSeen, now_us: int) -> AutoDecision:
    """Say what comes of a look at a home.

    One fall below the level is answered by one payment that arrives. While any payment into the home is on its way
    nothing is taken; a refused one is tried again a day later; the limits of the month hold what they do not allow.
    """
    if not is_below(terms=terms, seen=seen):
        return AutoDecision(AutoDo.ROSE if seen.below else AutoDo.NOTHING)
    fell = not seen.below
    if fell:
        # What was tried and answered belongs to the fall before.
        return AutoDecision(*_of_fall(terms, seen, tries=0), fell=True)
    if seen.answered or seen.tries >= FAILS_MAX:
        return AutoDecision(AutoDo.NOTHING, "answered")
    if seen.tries and now_us < seen.failed_us + AGAIN_US:
        return AutoDecision(AutoDo.NOTHING, "wait")
    return AutoDecision(*_of_fall(terms, seen, tries=seen.tries))


def _of_fall(terms: AutoTerms, seen: AutoSeen, *, tries: int) -> tuple[AutoDo, str]:
    if seen.in_flight:
        return AutoDo.NOTHING, "in_flight"
    if seen.taken_times >= terms.times_most:
        return AutoDo.HOLD, "limit_times"
    if seen.taken_minor + terms.amount_minor > terms.month_most_minor:
        return AutoDo.HOLD, "limit_money"
    if tries:
        return AutoDo.TAKE, "again"
    return AutoDo.TAKE, "below_money" if terms.below_micro is not None else "below_days"

"""What a home owes beside its energy: emergency credit and debts, and how a top-up is split before it is credit.

Emergency credit is repaid first and whole; then each debt takes its share of what is left, up to its cap a week. Time
takes instalments besides, but never below the level at which a home is warned: debt alone warns and cuts nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from fairwatt.core.units import BP

WEEK_DAYS: Final = 7


class DebtError(ValueError):
    """A plan of recovery that cannot be applied as written."""


@dataclass(frozen=True, slots=True)
class DebtPlan:
    """How a debt is recovered: so much a day, so much on a weekday (0 is Monday), and a share of each top-up.

    ``share_bp`` in hundredths of a percent, at most ``week_cap_micro`` in a local week; ``None`` is without a cap.
    """

    daily_micro: int = 0
    weekly_micro: int = 0
    weekday: int = 0
    share_bp: int = 0
    week_cap_micro: int | None = None

    def __post_init__(self) -> None:
        if min(self.daily_micro, self.weekly_micro, self.week_cap_micro or 0) < 0:
            raise DebtError("what is taken of a debt is never below zero")
        if not 0 <= self.weekday < WEEK_DAYS or not 0 <= self.share_bp <= BP:
            raise DebtError("a weekday is 0 to 6, a share of a top-up between 0 and 100 %")
        if not (self.daily_micro or self.weekly_micro or self.share_bp):
            raise DebtError("a plan that takes nothing recovers nothing")


@dataclass(frozen=True, slots=True)
class Debt:
    """A debt as it stands: what is owed, and what its share of top-ups took in this local week already.

    ``since_us``: when it began.
    """

    debt: int
    owed_micro: int
    plan: DebtPlan
    taken_this_week_micro: int = 0
    paused: bool = False
    since_us: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """Where a top-up goes. The parts and ``credit_micro`` add up to what was paid."""

    emergency_micro: int
    debts: tuple[tuple[int, int], ...]
    credit_micro: int

    @property
    def debt_micro(self) -> int:
        """What all debts take."""
        return sum(amount for _, amount in self.debts)


def split_top_up(*, paid_micro: int, emergency_owed_micro: int, debts: Sequence[Debt]) -> Split:
    """Split a top-up: emergency credit first, then the debts in the order of their numbers, the rest is credit."""
    emergency = min(paid_micro, emergency_owed_micro)
    left = after = paid_micro - emergency
    parts = []
    for one in sorted(debts, key=lambda debt: debt.debt):
        part = min(after * one.plan.share_bp // BP, one.owed_micro, left)
        if one.plan.week_cap_micro is not None:
            part = min(part, max(0, one.plan.week_cap_micro - one.taken_this_week_micro))
        if part > 0 and not one.paused:
            parts.append((one.debt, part))
            left -= part
    return Split(emergency, tuple(parts), left)


def instalment(*, debt: Debt, day: date, available_micro: int, reserve_micro: int) -> int:
    """What time takes of a debt on a local day: never below the reserve, which energy needs."""
    if debt.paused:
        return 0
    due = debt.plan.daily_micro + (debt.plan.weekly_micro if day.weekday() == debt.plan.weekday else 0)
    return max(0, min(due, debt.owed_micro, available_micro - max(1, reserve_micro)))


def least_to_restore(
    *, available_micro: int, emergency_owed_micro: int, debts: Sequence[Debt], minor_micro: int
) -> int | None:
    """The least payment, in minor units, after which credit is above zero; 0 where it is; ``None`` where none helps.

    None helps only where debts take all of every top-up, without a cap.
    """
    if available_micro > 0:
        return 0

    def enough(minor: int) -> bool:
        split = split_top_up(
            paid_micro=minor * minor_micro, emergency_owed_micro=emergency_owed_micro, debts=debts
        )
        return available_micro + split.credit_micro > 0

    low, high = 0, 1
    most = (-available_micro + emergency_owed_micro + sum(one.owed_micro for one in debts)) // minor_micro + 1
    while high < most and not enough(high):
        low, high = high, high * 2
    high = min(high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if enough(high) else None

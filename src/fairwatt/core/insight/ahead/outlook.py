"""When credit runs out: the cost of the days to come as three running totals, and when they come to what is left."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from fairwatt.core.units import US_PER_MINUTE

SLOT_US: Final = 30 * US_PER_MINUTE
Side = Literal["low", "mid", "high"]


class Range(NamedTuple):
    """Instants; ``None`` is beyond what is looked at."""

    early_us: int | None
    mid_us: int | None
    late_us: int | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a wallet will pay from the beginning of a local day on: micro-units for use by the end of each day.

    In eight of ten cases use costs between ``low`` and ``high``, in half of them less than ``mid``. ``first`` and
    ``last`` are running totals of what falls due by the calendar: up to and with the beginning of a day, and up to and
    with its end. ``starts_us`` are the beginnings of the days and the end of the last. ``shape`` is when in a day use
    falls, half hour by half hour, in any measure. ``day_micro`` is what a day costs that one in twenty exceeds.
    ``history`` counts the days it rests on.
    """

    starts_us: tuple[int, ...]
    low: tuple[int, ...]
    mid: tuple[int, ...]
    high: tuple[int, ...]
    first: tuple[int, ...]
    last: tuple[int, ...]
    shape: tuple[int, ...]
    day_micro: int
    history: int
    guessed_from: int | None = None
    """the first day ahead with a price that is not published yet"""

    @property
    def from_us(self) -> int:
        """Where it begins."""
        return self.starts_us[0]

    @property
    def end_us(self) -> int:
        """Where it ends: nothing is said beyond."""
        return self.starts_us[-1]

    def cost_by(self, *, at_us: int, side: Side = "mid") -> int:
        """All that will have been charged from the beginning to an instant."""
        curve = self._curve(side)
        if at_us >= self.end_us:
            return curve[-1] + self.last[-1]
        day = max(0, bisect_right(self.starts_us, at_us) - 1)
        before = curve[day - 1] if day else 0
        used = before + self._part(day, curve[day] - before, at_us)
        return used + self.first[day] + (self.last[day - 1] if day else 0)

    def cost_between(self, *, start_us: int, end_us: int, side: Side = "mid") -> int:
        """What lies between two instants will cost."""
        return self.cost_by(at_us=end_us, side=side) - self.cost_by(at_us=start_us, side=side)

    def runs_out(self, *, available_micro: int, now_us: int, side: Side = "mid") -> int | None:
        """The first instant, to the half hour or better, at which credit is used up; ``None`` beyond the end."""
        if available_micro <= 0:
            return now_us
        target = self.cost_by(at_us=now_us, side=side) + available_micro
        curve = self._curve(side)
        first = max(0, bisect_right(self.starts_us, now_us) - 1)
        for day in range(first, len(curve)):
            due = self.first[day] + (self.last[day - 1] if day else 0)
            before = (curve[day - 1] if day else 0) + due
            start_us = self.starts_us[day]
            if before >= target and start_us > now_us:
                return start_us
            if curve[day] + due >= target:
                return max(now_us, self._instant(day, target - before, curve[day] + due - before))
            if curve[day] + self.last[day] + self.first[day] >= target:
                return self.starts_us[day + 1]
        return None

    def range(self, *, available_micro: int, now_us: int) -> Range:
        """When credit is used up: early in one case of ten, late in one of ten, and the middle of all cases."""
        early, mid, late = (
            self.runs_out(available_micro=available_micro, now_us=now_us, side=side)
            for side in ("high", "mid", "low")
        )
        # Later in the day the curves go on from where they are then, which may bring them closer than the middle.
        if mid is None:
            return Range(early, None, None)
        return Range(mid if early is None else min(early, mid), mid, None if late is None else max(mid, late))

    def _curve(self, side: Side) -> tuple[int, ...]:
        return self.low if side == "low" else self.high if side == "high" else self.mid

    def _weights(self, day: int) -> tuple[Sequence[int], int]:
        length = self.starts_us[day + 1] - self.starts_us[day]
        slots = -(-length // SLOT_US)
        # Where clocks change a day is longer or shorter: it ends as any other does, and the last half hour repeats.
        weights = [*self.shape[:slots], *[self.shape[-1]] * (slots - len(self.shape))]
        return (weights, sum(weights)) if sum(weights) > 0 else ([1] * slots, slots)

    def _part(self, day: int, amount: int, at_us: int) -> int:
        """How much of a day's use has fallen by an instant in it."""
        inside = max(0, at_us - self.starts_us[day])
        slot, rest = divmod(inside, SLOT_US)
        weights, whole = self._weights(day)
        done = sum(weights[:slot]) * SLOT_US + (weights[slot] * rest if slot < len(weights) else 0)
        return amount * done // (whole * SLOT_US)

    def _instant(self, day: int, wanted: int, amount: int) -> int:
        """When in a day use has come to so much of what it comes to in all."""
        start_us = self.starts_us[day]
        if amount <= 0 or wanted <= 0:
            return start_us
        weights, whole = self._weights(day)
        goal = wanted * whole * SLOT_US
        done = 0
        for slot, weight in enumerate(weights):
            step = weight * SLOT_US * amount
            if weight and done + step >= goal:
                return start_us + slot * SLOT_US + -(-(goal - done) // (weight * amount))
            done += step
        return self.starts_us[day + 1]

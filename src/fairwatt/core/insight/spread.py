"""How a difference is spread over many homes: who pays more, who less, the middle, the tenths, a drawing in bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_BARS: Final = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """Homes whose difference lies above ``low_micro`` up to ``high_micro`` (below zero: from it to below).

    The homes for which nothing changes are a bar of their own, from 0 to 0.
    """

    low_micro: int
    high_micro: int
    homes: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Differences of homes in micro-units. ``tenths`` holds the 1st to the 9th decile by nearest rank."""

    homes: int
    more: int
    less: int
    total_micro: int
    median_micro: Fraction
    tenths: tuple[int, ...]
    bars: tuple[Bar, ...]

    @property
    def same(self) -> int:
        """Homes that pay what they paid."""
        return self.homes - self.more - self.less


def spread_of(differences: Sequence[int]) -> Spread:
    """Sum up the differences of one home or more."""
    ordered = sorted(differences)
    count = len(ordered)
    return Spread(
        homes=count,
        more=sum(1 for d in ordered if d > 0),
        less=sum(1 for d in ordered if d < 0),
        total_micro=sum(ordered),
        median_micro=Fraction(ordered[(count - 1) // 2] + ordered[count // 2], 2),
        tenths=tuple(ordered[-(-count * k // 10) - 1] for k in range(1, 10)),
        bars=_bars(ordered),
    )


def share_of(*, difference: int, old: int) -> Fraction | None:
    """A difference as a part of what was paid; ``None`` where nothing was."""
    return Fraction(difference, abs(old)) if old else None


def _bars(ordered: Sequence[int]) -> tuple[Bar, ...]:
    # The bars reach to zero, so that one sees on which side of it the homes lie.
    reach = max(0, ordered[-1]) - min(0, ordered[0])
    width = _round_width(-(-max(1, reach) // _BARS))
    counts: dict[int, int] = {}
    for difference in ordered:
        # Bar k > 0 reaches from (k-1) widths, excluded, to k widths; bar -k is its mirror; bar 0 is zero itself.
        number = -(-abs(difference) // width)
        number = number if difference >= 0 else -number
        counts[number] = counts.get(number, 0) + 1
    if counts.get(0) and len(counts) == 1:
        return (Bar(0, 0, counts[0]),)
    lowest, highest = min(0, *counts), max(0, *counts)
    bars = []
    for number in range(lowest, highest + 1):
        if number == 0:
            if counts.get(0):
                bars.append(Bar(0, 0, counts[0]))
            continue
        edges = (
            (number * width, (number + 1) * width) if number < 0 else ((number - 1) * width, number * width)
        )
        bars.append(Bar(*edges, counts.get(number, 0)))
    return tuple(bars)


def _round_width(least: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 ... that is not less."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= least:
                return step * power
        power *= 10

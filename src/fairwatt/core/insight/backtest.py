"""A draft tariff beside the one in force, over past use: what comes in, who pays more, who would be cut sooner.

Everything is told: use, prices, what moved the wallets. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fairwatt.core.insight.cut_sooner import SupplyStory, WalletPast, live_again
from fairwatt.core.insight.past_use import PastUse
from fairwatt.core.insight.spread import Spread, share_of, spread_of
from fairwatt.core.insight.try_tariff import FAMILIES, Dates, Tried, as_if_in_force, try_tariff
from fairwatt.core.rating.day_prices import DayPrices
from fairwatt.core.rating.model import Schedule
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import Span


class NotComparable(Refusal):
    """Two tariffs whose sums cannot be set beside each other."""

    code = "not_comparable"


@dataclass(frozen=True, slots=True)
class HomeTrial:
    """One home under both tariffs, in micro-units; ``old_story`` and ``new_story`` where its wallet is known."""

    name: str
    used_wh: int
    old: Mapping[str, int]
    new: Mapping[str, int]
    old_story: SupplyStory | None = None
    new_story: SupplyStory | None = None

    @property
    def old_micro(self) -> int:
        """All that the tariff in force charged."""
        return sum(self.old.values())

    @property
    def new_micro(self) -> int:
        """All that the draft would have charged."""
        return sum(self.new.values())

    @property
    def difference_micro(self) -> int:
        """What the home would have paid more (or less, below zero)."""
        return self.new_micro - self.old_micro

    @property
    def share(self) -> Fraction | None:
        """The difference as a part of what was paid."""
        return share_of(difference=self.difference_micro, old=self.old_micro)

    @property
    def cut_sooner(self) -> bool:
        """Whether the first cut would have come earlier, or at all."""
        old, new = self._cuts()
        return new is not None and (old is None or new < old)

    @property
    def cut_later(self) -> bool:
        """Whether the first cut would have come later, or not at all."""
        old, new = self._cuts()
        return old is not None and (new is None or new > old)

    def _cuts(self) -> tuple[int | None, int | None]:
        old, new = self.old_story, self.new_story
        return None if old is None else old.cut_us, None if new is None else new.cut_us


@dataclass(frozen=True, slots=True)
class Trial:
    """Both tariffs over a span. ``rows`` counts the intervals; a home without use in the span is not in it."""

    span: Span
    homes: tuple[HomeTrial, ...]
    spread: Spread
    rows: int
    current: Schedule
    draft: Schedule

    def revenue(self, family: str) -> tuple[int, int]:
        """What a family of elements came to under the tariff in force and under the draft."""
        return sum(home.old[family] for home in self.homes), sum(home.new[family] for home in self.homes)

    @property
    def old_micro(self) -> int:
        """Revenue under the tariff in force."""
        return sum(home.old_micro for home in self.homes)

    @property
    def new_micro(self) -> int:
        """Revenue under the draft."""
        return sum(home.new_micro for home in self.homes)


def back_test(
    *,
    use: PastUse,
    span: Span,
    current: Schedule,
    draft: Schedule,
    dates: Dates = "auto",
    wallets: Mapping[int, WalletPast] | None = None,
) -> Trial:
    """Try a draft against the tariff in force on the same use.

    ``wallets`` are by the number of the home; without them nobody's supply is replayed. ``dates`` is how the draft's
    dates are taken (``as_if_in_force``); the tariff in force keeps its own. Raises ``NotComparable``, ``NothingUsed``,
    and what rating raises.
    """
    _check(current, draft)
    cut = use.within(span=span)
    old_schedule = as_if_in_force(schedule=current, use=cut, span=span, dates="keep")
    new_schedule = as_if_in_force(schedule=draft, use=cut, span=span, dates=dates)
    old = try_tariff(schedule=old_schedule, use=cut, span=span)
    counted = _counts_alike(old_schedule, new_schedule)
    new = try_tariff(schedule=new_schedule, use=cut, span=span, counted=counted)
    homes = _homes(cut, span, old, new, wallets or {})
    return Trial(
        span=span,
        homes=homes,
        spread=spread_of([home.difference_micro for home in homes]),
        rows=int((cut.at > span.start_us).sum()),
        current=old_schedule,
        draft=new_schedule,
    )


def counted_since(*, schedule: Schedule, span: Span) -> int:
    """From when on use has to be known so that the counters are right where a span begins."""
    version = schedule.versions[0]
    at_us = max(span.start_us, version.effective_us)
    return min(span.start_us, DayPrices(schedule=schedule.for_account()).window_us_at(at_us) or span.start_us)


def _check(current: Schedule, draft: Schedule) -> None:
    for what, one, other in (
        ("currency", current.currency, draft.currency),
        ("unit", current.unit, draft.unit),
    ):
        if one != other:
            raise NotComparable(
                "the tariff in force has %(what)s %(one)s, the draft %(other)s; a difference between them says "
                "nothing, so nothing was computed. Give the draft the same %(what)s",
                what=what,
                one=one,
                other=other,
            )


def _counts_alike(one: Schedule, other: Schedule) -> bool:
    first, second = one.versions[0].counting, other.versions[0].counting
    return (first.counter, first.start_day, first.start_date) == (
        second.counter,
        second.start_day,
        second.start_date,
    )


def _homes(
    use: PastUse, span: Span, old: Tried, new: Tried, wallets: Mapping[int, WalletPast]
) -> tuple[HomeTrial, ...]:
    inside = use.at > span.start_us
    home_of_row = use.home_of[use.register]
    used = np.zeros(len(use.homes), dtype=np.int64)
    np.add.at(used, home_of_row, np.where(inside, use.energy_wh, 0))
    seen = np.unique(home_of_row[inside]).tolist()
    # Rows of one home lie together only where it has one register; sorted by home they are a stretch each.
    rows = np.flatnonzero(inside)
    rows = rows[np.argsort(home_of_row[rows], kind="stable")]
    begins = np.searchsorted(home_of_row[rows], seen).tolist()
    made = []
    for n, begin, end in zip(seen, begins, [*begins[1:], len(rows)], strict=True):
        stories: list[SupplyStory | None] = [None, None]
        if n in wallets:
            mine = rows[begin:end]
            stories = [
                live_again(
                    past=wallets[n],
                    at=use.at[mine],
                    charge_micro=side.rows[mine],
                    dearest_micro_per_kwh=side.schedule.dearest_micro_per_kwh,
                    span=span,
                )
                for side in (old, new)
            ]
        old_parts, new_parts = ({f: int(side.families[f][n]) for f in FAMILIES} for side in (old, new))
        made.append(HomeTrial(use.homes[n], int(used[n]), old_parts, new_parts, stories[0], stories[1]))
    return tuple(made)

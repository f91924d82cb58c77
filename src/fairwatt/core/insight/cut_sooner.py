"""A wallet lived again under other charges: when it would have been empty, cut off, and how long in the dark.

The thresholds and the decision are the decider's own. Top-ups come as they came and use stays as it was, though a
home in the dark would have used nothing and somebody would have paid sooner: the sentence belongs beside the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairwatt.core.credit.decide import Action, Reason, SupplyFacts, decide_supply
from fairwatt.core.credit.levels import low_threshold_micro
from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.core.insight.past_use import Ints
from fairwatt.core.spans import Span, local_date

_NEVER_CUT = frozenset({Reason.PROTECTED, Reason.FEEDS_GATEWAY})


@dataclass(frozen=True, slots=True)
class WalletPast:
    """What moved a wallet besides use: its balance where the span begins, top-ups and fees, and how it is held.

    ``moves`` are instants and amounts (micro-units, credit is positive), in time order.
    """

    opening_micro: int
    moves: Sequence[tuple[int, int]]
    policy: CreditPolicy
    protected: bool = False
    feeds_gateway: bool = False


@dataclass(frozen=True, slots=True)
class SupplyStory:
    """When a wallet was first empty and first cut (``None``: never), how often, how long, on how many local days."""

    empty_us: int | None
    cut_us: int | None
    cuts: int
    dark_us: int
    dark_days: int
    closing_micro: int


def live_again(
    *, past: WalletPast, at: Ints, charge_micro: Ints, dearest_micro_per_kwh: int, span: Span
) -> SupplyStory:
    """Replay a wallet over a span: charges fall at the instants of its readings, in any order of registers."""
    events = _Events.of(past, at, charge_micro, span)
    empty = events.balance <= 0
    closing = int(events.balance[-1])
    if not empty.any():
        return SupplyStory(None, None, 0, 0, 0, closing)
    low = low_threshold_micro(policy=past.policy, dearest_micro_per_kwh=dearest_micro_per_kwh)
    warned = events.warned_us(low_micro=low)
    begins = np.flatnonzero(empty & ~np.append(False, empty[:-1])).tolist()
    dark: list[tuple[int, int]] = []
    for begin in begins:
        ends = np.flatnonzero(~empty[begin:])
        end = begin + int(ends[0]) if ends.size else empty.size
        cut_us = _cut_between(events, warned, past, begin, end)
        if cut_us is not None:
            dark.append((cut_us, int(events.at[end]) if end < empty.size else span.end_us))
    zone = past.policy.zone
    days = {
        day
        for start_us, end_us in dark
        for day in range(
            local_date(zone=zone, at_us=start_us).toordinal(),
            local_date(zone=zone, at_us=max(start_us, end_us - 1)).toordinal() + 1,
        )
    }
    return SupplyStory(
        empty_us=int(events.at[begins[0]]),
        cut_us=dark[0][0] if dark else None,
        cuts=len(dark),
        dark_us=sum(end_us - start_us for start_us, end_us in dark),
        dark_days=len(days),
        closing_micro=closing,
    )


@dataclass(frozen=True, slots=True)
class _Events:
    """All that moves a wallet, in time order, the balance after each, and the newest reading up to each."""

    at: Ints
    balance: Ints
    credited: np.ndarray[tuple[int], np.dtype[np.bool_]]
    read_us: Ints

    @classmethod
    def of(cls, past: WalletPast, at: Ints, charge_micro: Ints, span: Span) -> _Events:
        """Money first where it came with a reading, as one batch would have it."""
        moves = np.array(past.moves, dtype=np.int64).reshape(-1, 2)
        moves = moves[(moves[:, 0] > span.start_us) & (moves[:, 0] <= span.end_us)]
        instants = np.concatenate([[span.start_us], moves[:, 0], at]).astype(np.int64)
        amounts = np.concatenate([[0], moves[:, 1], -charge_micro]).astype(np.int64)
        order = np.argsort(instants, kind="stable")
        instants = instants[order]
        read = np.where(order > len(moves), instants, span.start_us)
        balance = past.opening_micro + np.cumsum(amounts[order])
        last = np.append(instants[1:] != instants[:-1], True)
        credited = (order > 0) & (order <= len(moves)) & (amounts[order] > 0)
        return cls(
            at=instants[last],
            balance=balance[last],
            credited=np.logical_or.reduceat(credited, np.flatnonzero(np.append(True, last[:-1]))),
            read_us=np.maximum.accumulate(read)[last],
        )

    def warned_us(self, *, low_micro: int) -> Ints:
        """When the warning that stands at each event was given: as credit fell low, or again after paying."""
        low = (self.balance < low_micro) | (self.balance <= 0)
        begins = low & ~np.append(False, low[:-1])
        again = low & self.credited & (self.balance > 0)
        standing: Ints = np.maximum.accumulate(np.where(begins | again, self.at, 0))
        return standing


def _cut_between(events: _Events, warned: Ints, past: WalletPast, begin: int, end: int) -> int | None:
    """The first event of an empty stretch at which the decider would have cut."""
    for n in range(begin, end):
        now_us = int(events.at[n])
        facts = SupplyFacts(
            available_micro=int(events.balance[n]),
            relay_closed=True,
            warned_at_us=int(warned[n]),
            payment_in_flight=False,
            protected=past.protected,
            feeds_gateway=past.feeds_gateway,
            quarantined=False,
            newest_reading_us=int(events.read_us[n]),
            cut_by_credit=False,
            ordered_closed=None,
        )
        decision = decide_supply(facts=facts, policy=past.policy, now_us=now_us)
        if decision.action is Action.CUT:
            return now_us
        if decision.reason in _NEVER_CUT:
            return None
    return None

"""Many homes looked ahead at once: past days in, an outlook of each wallet out, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fairwatt.core.insight.ahead.calibrated import CALIBRATED
from fairwatt.core.insight.ahead.cost import cost_ahead
from fairwatt.core.insight.ahead.outlook import Outlook
from fairwatt.core.insight.ahead.picks import PATHS, Words, picks
from fairwatt.core.insight.ahead.prices import PricesAhead
from fairwatt.core.insight.ahead.use import DAYS_AHEAD, DAYS_TO_SPEAK, Ints, history_of, use_ahead
from fairwatt.core.insight.ahead.widening import Widening, widened

METHOD: Final = 1
"""Raised whenever the same past would give another outlook; stored beside every forecast."""
_AT_ONCE: Final = 16
_TENTH, _MIDDLE, _TWENTIETH = PATHS // 10, PATHS // 2, PATHS // 20


@dataclass(frozen=True, slots=True)
class PastUse:
    """What is known of homes, one row a register, sorted by wallet.

    ``energy_wh`` (rows, 56): whole local days, yesterday last, ``UNKNOWN`` where nothing is known. ``shape`` (rows, 2,
    48): use by half hour on working days and at weekends. ``counter_wh``: what the counting window holds as today
    begins. ``prices``: which of the prices the register is charged by.
    """

    wallet: Ints
    energy_wh: Ints
    shape: Ints
    counter_wh: Ints
    prices: Ints


@dataclass(frozen=True, slots=True)
class Tenths:
    """Running totals of the cost of use, (rows, days): tenth, middle, ninth tenth; and the cost of a dear first day."""

    low: Ints
    mid: Ints
    high: Ints
    day_micro: Ints


def outlooks(
    *,
    past: PastUse,
    prices: Sequence[PricesAhead],
    starts_us: tuple[int, ...],
    seed: int,
    widening: Widening = CALIBRATED,
) -> dict[int, Outlook]:
    """The outlook of every wallet of which at least three days are known.

    A wallet's registers are drawn together, so that a cold week is cold for all of them. The answer for a wallet is the
    same alone or among thousands.
    """
    drawn = picks(seed=seed, draws=DAYS_AHEAD)
    made: dict[int, Outlook] = {}
    for rows, costs in _costs(past, prices, drawn):
        known = (past.energy_wh[rows[0]] >= 0).sum(axis=1)
        for other in rows[1:]:
            known = np.minimum(known, (past.energy_wh[other] >= 0).sum(axis=1))
        tenths = tenths_of(costs)
        for history in np.unique(known[known >= DAYS_TO_SPEAK]).tolist():
            some = np.flatnonzero(known == history)
            low, high = widened(
                low=tenths.low[some],
                mid=tenths.mid[some],
                high=tenths.high[some],
                history=history,
                by=widening,
            )
            for at, n in enumerate(some.tolist()):
                mine = [int(row[n]) for row in rows]
                made[int(past.wallet[mine[0]])] = Outlook(
                    starts_us=starts_us,
                    low=tuple(low[at].tolist()),
                    mid=tuple(tenths.mid[n].tolist()),
                    high=tuple(high[at].tolist()),
                    first=_due([prices[int(past.prices[row])].first_micro for row in mine]),
                    last=_due([prices[int(past.prices[row])].last_micro for row in mine]),
                    shape=tuple(past.shape[mine].sum(axis=(0, 1)).tolist()),
                    day_micro=int(tenths.day_micro[n]),
                    history=history,
                    guessed_from=_guessed([prices[int(past.prices[row])] for row in mine]),
                )
    return made


def tenths_of(costs: Ints) -> Tenths:
    """Sort the paths of each day (in place) and take their tenths."""
    costs.sort(axis=2)
    middle = (costs[:, :, _MIDDLE - 1] + costs[:, :, _MIDDLE]) // 2
    return Tenths(
        low=costs[:, :, _TENTH - 1].copy(),
        mid=np.maximum.accumulate(middle, axis=1),
        high=costs[:, :, PATHS - _TENTH].copy(),
        day_micro=costs[:, 0, PATHS - _TWENTIETH].copy(),
    )


def _costs(past: PastUse, prices: Sequence[PricesAhead], drawn: Words) -> Iterator[tuple[list[Ints], Ints]]:
    """Wallets with one register in stretches that are alike, then the others one by one: rows and costs of paths.

    The rows are one array a register: with its place in them a wallet has all of its registers.
    """
    length = history_of(past.energy_wh)
    speaks = length > 0
    wallets, counts = np.unique(past.wallet, return_counts=True)
    alone = np.isin(past.wallet, wallets[counts == 1]) & speaks
    for ix in np.unique(past.prices[alone]).tolist():
        for days in np.unique(length[alone & (past.prices == ix)]).tolist():
            rows = np.flatnonzero(alone & (past.prices == ix) & (length == days))
            for begin in range(0, rows.size, _AT_ONCE):
                some = rows[begin : begin + _AT_ONCE]
                yield [some], _cost(past, prices[ix], some, drawn)
    for wallet in wallets[counts > 1].tolist():
        mine = np.flatnonzero((past.wallet == wallet) & speaks)
        if mine.size:
            costs = sum(
                (_cost(past, prices[int(past.prices[row])], np.array([row]), drawn) for row in mine[1:]),
                _cost(past, prices[int(past.prices[mine[0]])], mine[:1], drawn),
            )
            yield [np.array([row]) for row in mine], costs


def _cost(past: PastUse, prices: PricesAhead, rows: Ints, drawn: Words) -> Ints:
    use = use_ahead(
        energy_wh=past.energy_wh[rows],
        kinds=prices.kinds_back,
        kinds_ahead=prices.kinds_ahead,
        drawn=drawn,
    )
    return cost_ahead(use_wh=use, prices=prices, shape=past.shape[rows], counter_wh=past.counter_wh[rows])


def _due(amounts: Sequence[Ints]) -> tuple[int, ...]:
    return tuple(np.cumsum(sum(amounts[1:], amounts[0])).tolist())


def _guessed(prices: Sequence[PricesAhead]) -> int | None:
    return min((one.guessed_from for one in prices if one.guessed_from is not None), default=None)

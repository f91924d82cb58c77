"""Homes that change hands while their gateway has no line: planned from a street's seed alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fairwatt.simulate.scenario import Outage, Scenario

LEFT_BEFORE_US: Final = 13 * 60_000_000
"""Who leaves hands over the keys this long before the desk writes it down: between two readings of the meter."""
_MOST: Final = 2
_BEFORE_TICKS: Final = 2
_EMPTY_TICKS: Final = 2
_AFTER_TICKS: Final = 3


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """Within an outage one household leaves a home, and later in the same outage the next one comes."""

    home: int
    out_tick: int
    in_tick: int
    back_tick: int
    """when the line returns, and the meter tells what it showed all the while"""


def draw_moves(street: Scenario, *, staying: Collection[int]) -> tuple[PlannedMove, ...]:
    """The first outage that has room for a move, and the one over the change of prices; nobody in `staying` moves.

    Where a gateway's own trip is planned, or the line to the meter is bad meanwhile, nobody moves.
    """
    draw = Random(f"{street.seed}/moves")
    moves: list[PlannedMove] = []
    for outage in sorted(street.outages, key=lambda o: (not moved_prices(street, o), o.start_tick)):
        taken = {move.home for move in moves} | {*staying, outage.topup.home}
        free = [home for home in street.homes_of(outage.gateway) if home not in taken]
        free = [home for home in free if not _bad_line(street, home, outage)]
        first, last = outage.start_tick + _BEFORE_TICKS, outage.end_tick - _AFTER_TICKS
        if outage.surge_w or not free or last - first < _EMPTY_TICKS:
            continue
        out_tick = draw.randint(first, last - _EMPTY_TICKS)
        in_tick = draw.randint(out_tick + _EMPTY_TICKS, last)
        moves.append(PlannedMove(draw.choice(free), out_tick, in_tick, outage.end_tick))
        if len(moves) == _MOST:
            break
    return tuple(sorted(moves, key=lambda move: move.out_tick))


def moved_prices(street: Scenario, outage: Outage) -> bool:
    """Whether the prices change while this outage lasts."""
    return outage.start_tick < street.change_tick < outage.end_tick


def _bad_line(street: Scenario, home: int, outage: Outage) -> bool:
    return any(
        fault.home == home and fault.start_tick <= outage.end_tick and fault.end_tick >= outage.start_tick
        for fault in street.meter_faults
    )

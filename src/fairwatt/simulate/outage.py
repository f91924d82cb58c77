"""The outage drill: a whole street cut off for days, with everything inside that makes it hard.

All gateways lose their line at the same instant. Meanwhile prices change, people pay, the poorest homes of two
gateways draw so much that they trip by the gateway's own decision, and one gateway is given an old copy of its
memory; at a dark home a restore code is typed.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from fairwatt.simulate.network import LinkFaults
from fairwatt.simulate.paysim import PayFaults
from fairwatt.simulate.rollbacks import Rollback
from fairwatt.simulate.scenario import (
    SURGE_W,
    TICK_US,
    TICKS_PER_DAY,
    Outage,
    PlannedTopup,
    Scenario,
    TypedCode,
)
from fairwatt.simulate.terms import STREET_GBP

HOURS = (12, 240)
HOMES = (8, 96)
GATEWAYS = 4
_BEFORE_TICKS = 36
_AFTER_TICKS = 2 * TICKS_PER_DAY
_TRIPPING = (0, 1)
_ROLLED_BACK = 2
_HOURS_KEPT_BEFORE = 6
_CODE_HOURS = 8


def outage_drill(*, hours: int, homes: int, seed: int) -> Scenario:
    """Draw the drill. Raises ValueError outside of HOURS and HOMES."""
    if not (HOURS[0] <= hours <= HOURS[1] and HOMES[0] <= homes <= HOMES[1]):
        raise ValueError(
            f"a drill lasts {HOURS[0]} to {HOURS[1]} hours and has {HOMES[0]} to {HOMES[1]} homes, "
            f"not {hours} hours and {homes} homes"
        )
    draw = Random(f"{seed}/drill")
    length = 2 * hours
    change_tick = -(-(_BEFORE_TICKS + length // 2) // TICKS_PER_DAY) * TICKS_PER_DAY  # at a midnight
    start = change_tick - length // 2
    days = -(-(start + length + _AFTER_TICKS) // TICKS_PER_DAY)
    scenario = Scenario(
        seed=seed,
        days=days,
        homes=homes,
        gateways=GATEWAYS,
        start_us=STREET_GBP.change_us - change_tick * TICK_US,
        terms=STREET_GBP,
        outages=(),
        kills=(),
        meter_faults=(),
        link_faults=LinkFaults(
            lose=10, double=30, delay=20, reorder=20, delay_ms=(1, 25), reorder_wait_ms=20
        ),
        pay_faults=PayFaults(duplicate=200, late=100),
        rollbacks=(Rollback(_ROLLED_BACK, start - 2 * _HOURS_KEPT_BEFORE, start + length // 3),),
    )
    codes = (TypedCode(_TRIPPING[0], start + length // 2 + TICKS_PER_DAY // 4, _CODE_HOURS),)
    outages = (_outage(draw, scenario, gateway, start, start + length) for gateway in range(GATEWAYS))
    return replace(scenario, outages=tuple(outages), codes=codes)


def _outage(draw: Random, scenario: Scenario, gateway: int, start: int, end: int) -> Outage:
    home = draw.choice(scenario.homes_of(gateway))
    topup = PlannedTopup(draw.randint(start + 2, end - 2), home, draw.choice((300, 500, 750, 1000)))
    surge_w = SURGE_W if gateway in _TRIPPING else 0
    return Outage(gateway, start, end, topup, silent=gateway == GATEWAYS - 1, surge_w=surge_w)

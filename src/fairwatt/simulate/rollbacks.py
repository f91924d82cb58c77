"""Gateways that are given an old copy of their memory: what they, and everybody, then know no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairwatt.simulate.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Rollback:
    """A gateway's memory is copied at one tick and put back at another, which lies in an outage."""

    gateway: int
    kept_tick: int
    back_tick: int


def forgets(*, scenario: Scenario, gateway: int, at_us: int) -> bool:
    """Say whether what a gateway read at this instant was only in the memory that was rolled back."""
    for rollback in scenario.rollbacks:
        outage = scenario.outage_of(gateway=gateway, tick=rollback.back_tick)
        if rollback.gateway == gateway and outage is not None:
            first = max(rollback.kept_tick, outage.start_tick)
            if scenario.at_us(first) <= at_us < scenario.at_us(rollback.back_tick):
                return True
    return False


def unlearns(*, scenario: Scenario, gateway: int, at_us: int) -> bool:
    """Say whether the copy that a gateway is given later knows nothing of this instant."""
    return any(
        rollback.gateway == gateway
        and scenario.at_us(rollback.kept_tick) <= at_us < scenario.at_us(rollback.back_tick)
        for rollback in scenario.rollbacks
    )


def copied_us(*, scenario: Scenario, gateway: int, at_us: int) -> int | None:
    """When the memory that a gateway has at this instant was copied; None: it is its own."""
    for rollback in scenario.rollbacks:
        if rollback.gateway == gateway and at_us >= scenario.at_us(rollback.back_tick):
            return scenario.at_us(rollback.kept_tick)
    return None

"""A household with meters behind two gateways: one wallet, its credit in leases, judged as one home."""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairwatt.simulate.estate import Door, Gate
    from fairwatt.simulate.scenario import Scenario


def with_a_household(scenario: Scenario, *, busy: Collection[int]) -> Scenario:
    """Let the neighbours at the border of the first two gateways be one household; none that another plot needs."""
    first, second = ([home for home in scenario.homes_of(gateway) if home not in busy] for gateway in (0, 1))
    return replace(scenario, household=(first[-1], second[0])) if first and second else scenario


def join(*, scenario: Scenario, doors: list[Door]) -> None:
    """Tell two doors that they are one household."""
    if scenario.household is not None:
        mine = tuple(doors[home] for home in scenario.household)
        for door in mine:
            door.household = mine


def is_apart(*, scenario: Scenario, door: Door, at_us: int) -> bool:
    """Say whether a household with two gateways has one without a line, or one that came back at this very instant."""
    return len(door.household) > 1 and bool(_away_since(scenario, door, at_us))


def _away_since(scenario: Scenario, door: Door, at_us: int) -> list[int]:
    return [
        scenario.at_us(outage.start_tick)
        for outage in scenario.outages
        for one in door.household
        if outage.gateway == one.home.gateway
        and scenario.at_us(outage.start_tick) <= at_us <= scenario.at_us(outage.end_tick)
    ]


def surely_left(*, scenario: Scenario, door: Door, topups: list[tuple[int, int]], at_us: int) -> int:
    """The least that a household's meter may still use while the other's gateway is away.

    That is what came since, less its own use: what the other's lease holds nobody outside knows, but it is no more than
    there was when the line went.
    """
    starts = _away_since(scenario, door, at_us)
    then_us = max((us for us in door.costs if us < min(starts)), default=0)
    owed = sum(amount for us, amount in topups if us <= then_us) - cost(door, then_us)
    came = sum(amount for us, amount in topups if then_us < us <= at_us)
    return min(owed, 0) + came - (door.costs.get(at_us, 0) - door.costs.get(then_us, 0))


def cost(door: Door, at_us: int) -> int:
    """What a household's meters cost until an instant."""
    return sum(one.costs.get(at_us, 0) for one in (door, *others(door)))


def others(door: Door) -> list[Door]:
    """The household's doors besides this one."""
    return [one for one in door.household if one.home.index != door.home.index]


def credit(door: Door, told: Container[str]) -> int:
    """What a household has by the oracle: payments that the platform ``told`` of, less what the ledger must charge."""
    paid = sum(p.amount_micro for one in door.household for p in one.paid if p.our_ref in told)
    return paid - sum(one.account.total.amount_micro for one in door.household)


def beyond_credit(door: Door, *, gates: list[Gate], told: Container[str]) -> bool:
    """Say whether the gateways of a household were let use more together than there is, asked once a household.

    What one of them used past its share within one reading, or unseen behind a dead line, is gone from the credit and
    not from the shares the others hold: so only shares that grow are held against the credit, with what was overdrawn.
    """
    if len(door.household) == 1 or door is not door.household[0]:
        return False
    agents = [gates[one.home.gateway].agent for one in door.household]
    shares = [agent.guard.available_micro(wallet=door.wallet) or 0 for agent in agents if agent is not None]
    usable = sum(max(0, share) for share in shares)
    before, door.usable_micro = door.usable_micro, usable
    return usable > before and sum(shares) > max(0, credit(door, told))

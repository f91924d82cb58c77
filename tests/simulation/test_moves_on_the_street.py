"""Homes of the street change hands while their gateway has no line, and the judge knows whose register was whose."""

from __future__ import annotations

from random import Random
from typing import cast

import pytest

from fairwatt.simulate.estate import make_door
from fairwatt.simulate.meters.meter import Emitted, RelayMove
from fairwatt.simulate.movers import Moved, Movers
from fairwatt.simulate.oracle import Opening, OracleError, Tariff, expect, register_at
from fairwatt.simulate.oracle import Wallet as Judged
from fairwatt.simulate.scenario import STAYING_HOMES, Scenario
from fairwatt.simulate.stays import stays_of, supplied
from fairwatt.simulate.street import Street


@pytest.mark.parametrize(
    "scenario", [Scenario.demo(), *(Scenario.from_seed(n, days=6, homes=8) for n in (1, 2, 3))]
)
def test_a_street_with_offline_time_enough_has_homes_that_change_hands_in_it(scenario: Scenario) -> None:
    assert 1 <= len(scenario.moves) <= 2
    for move in scenario.moves:
        gateway = scenario.gateway_of(move.home)
        outage = scenario.outage_of(gateway=gateway, tick=move.out_tick)
        assert outage is not None and outage == scenario.outage_of(gateway=gateway, tick=move.in_tick)
        assert outage.start_tick < move.out_tick < move.in_tick < move.back_tick == outage.end_tick
        assert move.home not in STAYING_HOMES


def test_in_the_street_that_is_shown_two_homes_change_hands_and_one_over_the_change_of_prices() -> None:
    shown = Scenario.demo()
    assert len(shown.moves) == 2
    assert any(
        outage.start_tick < shown.change_tick < outage.end_tick
        for outage in shown.outages
        for move in shown.moves
        if outage.end_tick == move.back_tick
    )


def test_a_register_between_two_readings_lies_on_their_line_rounded_down_also_where_it_rolls_over() -> None:
    opening, shown = Opening(0, 999_999_990), [(100, 999_999_995), (200, 6)]
    assert register_at(shown=shown, before=opening, at_us=100) == 999_999_995
    assert register_at(shown=shown, before=opening, at_us=50) == 999_999_992
    assert register_at(shown=shown, before=opening, at_us=199) == 5
    with pytest.raises(OracleError):
        register_at(shown=shown, before=opening, at_us=201)


def test_three_accounts_of_a_door_share_its_use_and_nobody_is_judged_by_anothers_supply() -> None:
    scenario = Scenario.from_seed(1, days=6, homes=8)
    plan, tariff = scenario.moves[0], Tariff(text=scenario.terms.tariff_text)
    door = make_door(scenario=scenario, home=scenario.cast()[plan.home], tariff=tariff)
    draw, register = Random("moves"), door.home.opening.register_wh
    for tick in range(1, plan.back_tick + 6):
        register += draw.randrange(0, 900, 10)
        door.meter.emitted.append(Emitted(scenario.at_us(tick), register, True))
        door.account.read(at_us=scenario.at_us(tick), register_wh=register)
    back_us = scenario.at_us(plan.back_tick)
    door.meter.moves = [RelayMove(back_us, False), RelayMove(back_us, True)]
    moved = Moved(
        plan=plan,
        door=door,
        out_us=scenario.at_us(plan.out_tick) - 1,
        old_wallet=1,
        owner_wallet=2,
        provisional=2,
        old_paid=[],
        facts=[7, 8],
        in_us=scenario.at_us(plan.in_tick),
        new_wallet=3,
        back_us=back_us,
        old_account=door.account,
    )
    street = cast("Street", _Street(scenario, [moved]))

    stays = stays_of(street, door)
    bills = [
        expect(wallet=Judged(0, scenario.terms.tariff_text, [(stay.opening, stay.shown)])) for stay in stays
    ]
    assert [stay.wallet for stay in stays] == [1, 2, 3]
    assert all(bill.charge.energy_wh > 0 for bill in bills)
    assert sum(bill.charge.energy_wh for bill in bills) == register - door.home.opening.register_wh
    (left, _), (came, _) = supplied(street, door, [])
    assert not left.meter.moves and len(came.meter.moves) == 2
    assert {e.at_us for e in left.meter.emitted} < {e.at_us for e in door.meter.emitted}


class _Street:
    """What of a street a judge of stays looks at."""

    def __init__(self, scenario: Scenario, moved: list[Moved]) -> None:
        self.scenario = scenario
        self.movers = Movers(street=cast("Street", self))
        self.movers.moved = moved

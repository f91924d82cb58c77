"""A scenario is drawn whole from its seed, and the demo street is busy enough to prove something."""

from itertools import pairwise

import pytest

from fairwatt.simulate.dryrun import Outcome, dry_run
from fairwatt.simulate.oracle import Wallet, expect
from fairwatt.simulate.scenario import REGISTER_MODULUS_WH, Scenario


@pytest.fixture(scope="module")
def demo() -> tuple[Scenario, Outcome]:
    scenario = Scenario.demo()
    return scenario, dry_run(scenario=scenario)


def test_the_demo_street_pays_often_and_goes_dark_often(demo: tuple[Scenario, Outcome]) -> None:
    scenario, outcome = demo
    figures = outcome.figures()

    assert (scenario.homes, scenario.days, figures["readings"]) == (20, 30, 28_800)
    assert figures["topups"] >= 200
    assert figures["cuts"] >= 20
    assert figures["restores"] >= figures["cuts"] - scenario.homes
    assert figures["withheld_friendly"] and figures["withheld_not_warned"]


def test_the_demo_holds_a_rollover_a_price_change_a_clock_change_and_a_months_end(
    demo: tuple[Scenario, Outcome],
) -> None:
    scenario, outcome = demo
    registers = [wh for _, wh in outcome.doors[2].emitted]

    assert max(registers) > 999_900_000 > min(registers)
    assert 0 < scenario.change_tick < scenario.ticks
    hours = {
        outcome.doors[0].account.tariff.local(scenario.at_us(tick)).utcoffset()
        for tick in (0, scenario.ticks)
    }
    months = {
        outcome.doors[0].account.tariff.local(scenario.at_us(tick)).month for tick in (0, scenario.ticks)
    }
    assert len(hours) == 2 and months == {3, 4}


def test_step_by_step_and_in_one_go_the_oracle_finds_the_same_balance(demo: tuple[Scenario, Outcome]) -> None:
    scenario, outcome = demo
    for door in outcome.doors:
        paid = [amount * 10_000 for _, home, amount in outcome.topups if home == door.home.index]
        meters = [(door.home.opening, list(reversed(door.emitted)))]
        wallet = Wallet(door.home.opening_micro, scenario.terms.tariff_text, meters, paid)

        expected = expect(wallet=wallet, modulus_wh=REGISTER_MODULUS_WH, max_power_w=15_840)

        assert expected.balance_micro == door.balance_micro
        assert not expected.refused


@pytest.mark.parametrize(("seed", "days", "homes"), [(1, 5, 4), (2, 14, 20), (3, 7, 30)])
def test_any_seed_has_payments_trips_and_a_price_change_inside_its_outages(
    seed: int, days: int, homes: int
) -> None:
    scenario = Scenario.from_seed(seed, days=days, homes=homes)
    outcome = dry_run(scenario=scenario)

    def inside(tick: int, home: int) -> bool:
        return scenario.outage_of(gateway=scenario.gateway_of(home), tick=tick) is not None

    assert len(scenario.outages) >= 5
    assert all(outage.end_tick - outage.start_tick >= 12 for outage in scenario.outages)
    assert all(outage.start_tick < outage.topup.tick < outage.end_tick for outage in scenario.outages)
    assert all(inside(outage.topup.tick, outage.topup.home) for outage in scenario.outages)
    assert any(outage.start_tick < scenario.change_tick < outage.end_tick for outage in scenario.outages)
    assert all(inside(tick, home) for tick, home in outcome.trips)
    planned = [outage for outage in scenario.outages if outage.surge_w]
    assert len(planned) == 2
    for outage in planned:
        homes = scenario.homes_of(outage.gateway)
        trips = [t for t, home in outcome.trips if home in homes and outage.start_tick <= t < outage.end_tick]
        assert trips, f"nobody tripped during {outage}"


@pytest.mark.parametrize("seed", range(40))
def test_a_seed_says_everything_about_a_scenario(seed: int) -> None:
    scenario = Scenario.from_seed(seed, days=5 + seed, homes=4 + 2 * seed)

    assert scenario == Scenario.from_seed(seed, days=5 + seed, homes=4 + 2 * seed)
    assert {kill.target for kill in scenario.kills} == {"poster", "postgres", "nats"}
    assert all(0 < kill.tick < scenario.ticks for kill in scenario.kills)
    assert all(0 < outage.start_tick < outage.end_tick < scenario.ticks for outage in scenario.outages)
    spans = sorted((o.gateway, o.start_tick, o.end_tick) for o in scenario.outages)
    assert all(a[0] != b[0] or a[2] < b[1] for a, b in pairwise(spans)), "outages overlap"
    doors = {home for gateway in range(scenario.gateways) for home in scenario.homes_of(gateway)}
    assert doors == set(range(scenario.homes))
    assert sum(len(scenario.faults_of(home)) for home in doors) == len(scenario.meter_faults)


def test_a_street_too_small_or_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="4 to 96 homes"):
        Scenario.from_seed(1, days=4)
    with pytest.raises(ValueError, match="4 to 96 homes"):
        Scenario.from_seed(1, homes=97)

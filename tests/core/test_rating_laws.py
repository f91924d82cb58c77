"""The laws of rating: split invariance, the exact definition, calendar corners, negative prices."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.builders import day_night, instant, journeys, schedule, schedules
from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks, Period
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.model import NoTariff, Schedule, TariffVersion
from fairwatt.core.rating.scalar import EnergyOutOfRange, NotAfterState, opening_state, pieces, rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import Charge, RegisterState
from fairwatt.core.spans import local_datetime
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE


def rate_all(
    table: SegmentTable, state: RegisterState, steps: list[tuple[int, int]]
) -> tuple[list[Charge], RegisterState]:
    """Rate (instant, energy) steps one after another."""
    charges = []
    for at_us, energy_wh in steps:
        charge, state = rate(
            table=table,
            state=state,
            at_us=at_us,
            register_wh=state.register_wh + energy_wh,
            energy_wh=energy_wh,
        )
        charges.append(charge)
    return charges, state


def totals(charges: list[Charge]) -> tuple[int, int, int]:
    return (
        sum(c.energy_micro for c in charges),
        sum(c.standing_micro for c in charges),
        sum(c.tax_micro for c in charges),
    )


@given(tariff=schedules(), opening=st.integers(0, 70_000), data=st.data())
@settings(max_examples=150)
def test_splits_that_keep_the_boundary_readings_cost_the_same_and_end_the_same(
    tariff: Schedule, opening: int, data: st.DataObject
) -> None:
    table = SegmentTable(schedule=tariff)
    start, ((end, energy),) = data.draw(journeys(tariff, max_size=1))
    state = opening_state(schedule=tariff, at_us=start, register_wh=5, counter_wh=opening)
    whole, after_whole = rate_all(table, state, [(end, energy)])

    first, last = table.locate(start_us=start, end_us=end)
    steps: list[tuple[int, int]] = []
    at_us, used = start, 0
    for end_us in [*table.starts_us[first + 1 : last + 1], end]:
        upto = energy * (end_us - start) // (end - start)
        inside = [m for m in table.midnights_us if at_us < m < end_us][:1]
        if end_us - at_us > 1:
            inside.append(data.draw(st.integers(at_us + 1, end_us - 1)))
        for cut_us in sorted(set(inside)):
            part = data.draw(st.integers(0, upto - used))
            steps.append((cut_us, part))
            used += part
        steps.append((end_us, upto - used))
        at_us, used = end_us, upto
    parts, after_parts = rate_all(table, state, steps)

    assert totals(parts) == totals(whole)
    assert after_parts == after_whole


@given(tariff=schedules(), data=st.data())
@settings(max_examples=100)
def test_the_pieces_explain_every_watt_hour_and_every_micro_unit(
    tariff: Schedule, data: st.DataObject
) -> None:
    table = SegmentTable(schedule=tariff)
    opening, readings = data.draw(journeys(tariff))
    state = opening_state(schedule=tariff, at_us=opening, register_wh=0)
    for at_us, energy in readings:
        lines = list(pieces(table=table, state=state, at_us=at_us, energy_wh=energy))
        charge, after = rate(table=table, state=state, at_us=at_us, register_wh=0, energy_wh=energy)
        assert sum(line.energy_wh for line in lines) == energy
        exact = state.carry_nano + sum(line.nano for line in lines)
        assert charge.energy_micro * 1_000 + after.carry_nano == exact
        assert (lines[0].start_us, lines[-1].end_us) == (state.at_us, at_us)
        state = after


def charge_by_definition(
    tariff: Schedule, readings: list[tuple[int, int]], counter_wh: int
) -> tuple[int, int, int]:
    """Price watt-hour by watt-hour from the wall clock, in fractions, with no table and no carry.

    Right for tariffs whose prices change on whole minutes.
    """
    energy, standing, tax = Fraction(0), 0, Fraction(0)
    (t0, _), *rest = readings
    counted, window = counter_wh, _price_key(tariff, t0)[2]
    for t1, used in rest:
        done, edge = 0, t0 - t0 % US_PER_MINUTE + US_PER_MINUTE
        key = _price_key(tariff, t0)
        while True:
            following = _price_key(tariff, edge) if edge < t1 else None
            if edge < t1 and following == key:
                edge += US_PER_MINUTE
                continue
            upto = used if edge >= t1 else used * (edge - t0) // (t1 - t0)
            version = tariff.versions[key[0]]
            if key[2] != window:
                counted, window = 0, key[2]
            for wh in range(counted, counted + upto - done):
                block = sum(wh >= bound for bound in version.energy.bounds_wh)
                price = Fraction(version.energy.periods[key[1]].prices_micro[block], 1_000)
                energy += price
                tax += price * version.energy_tax_bp / 10_000
            counted, done = counted + upto - done, upto
            if following is None:
                break
            key = following
        at = t0 - t0 % US_PER_MINUTE + US_PER_MINUTE
        while at <= t1:
            if _date(tariff, at) != _date(tariff, at - US_PER_MINUTE):
                version = tariff.versions[tariff.version_index_at(at_us=at - 1)]
                standing += version.standing_micro_per_day
                tax += Fraction(version.standing_micro_per_day * version.standing_tax_bp, 10_000)
            at += US_PER_MINUTE
        t0 = t1
    return energy.__floor__(), standing, tax.__floor__()


def _date(tariff: Schedule, at_us: int) -> object:
    return local_datetime(zone=tariff.zone, at_us=at_us).date()


def _price_key(tariff: Schedule, at_us: int) -> tuple[int, int, object]:
    index = tariff.version_index_at(at_us=at_us)
    at = local_datetime(zone=tariff.zone, at_us=at_us)
    energy, minute = tariff.versions[index].energy, at.hour * 60 + at.minute
    (period,) = (
        i
        for i, p in enumerate(energy.periods)
        if p.applies_on(month=at.month, weekday=at.weekday()) and any(a <= minute < b for a, b in p.windows)
    )
    window = {"year": (at.year,), "month": (at.year, at.month), "none": ()}[energy.counter]
    return index, period, (energy.counter, window)


@given(
    tariff=schedules(),
    near=st.sampled_from(
        ["2024-03-10", "2024-03-31", "2024-02-29", "2024-04-06", "2024-04-26", "2024-11-03"]
    ),
    lead=st.integers(0, 2 * US_PER_DAY),
    steps=st.lists(st.tuples(st.integers(1, 30 * US_PER_HOUR), st.integers(0, 400)), min_size=1, max_size=3),
    opening=st.integers(0, 2_000),
)
@settings(max_examples=60)
def test_rating_equals_the_definition_watt_hour_by_watt_hour_around_clock_changes_and_the_leap_day(
    tariff: Schedule, near: str, lead: int, steps: list[tuple[int, int]], opening: int
) -> None:
    whole_minutes = tuple(
        TariffVersion(v.number, v.effective_us - v.effective_us % US_PER_MINUTE, v.name, v.elements)
        for v in tariff.versions
    )
    if len({v.effective_us for v in whole_minutes}) < len(whole_minutes):
        whole_minutes = whole_minutes[:1]
    tariff = Schedule(tariff.currency, tariff.zone, whole_minutes)
    at_us = instant(near, tariff.zone) - US_PER_DAY + lead
    readings, rows = [(at_us, 0)], []
    for step, energy in steps:
        at_us += step
        readings.append((at_us, energy))
        rows.append((at_us, energy))
    state = opening_state(schedule=tariff, at_us=readings[0][0], register_wh=0, counter_wh=opening)
    charges, _ = rate_all(SegmentTable(schedule=tariff), state, rows)
    assert totals(charges) == charge_by_definition(tariff, readings, opening)


def test_a_table_grown_in_any_order_is_the_table_made_at_once() -> None:
    tariff = schedule(
        day_night(day_micro=500_000, night_micro=300_000), StandingCharge(100_000), zone="Europe/London"
    )
    grown = SegmentTable(schedule=tariff)
    for day in ("2024-06-15", "2024-01-05", "2024-11-01", "2024-03-31"):
        grown.ensure(start_us=instant(day), end_us=instant(day) + US_PER_DAY)
    at_once = SegmentTable(schedule=tariff)
    at_once.ensure(start_us=instant("2024-01-05"), end_us=instant("2024-11-02"))
    assert grown.starts_us == at_once.starts_us
    assert grown.midnights_us == at_once.midnights_us
    assert grown.standing_micro == at_once.standing_micro


@pytest.mark.parametrize(
    ("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-02-29", 24), ("2024-06-01", 24)]
)
def test_a_day_of_any_length_pays_one_standing_charge_and_night_price_for_its_real_night(
    day: str, hours: int
) -> None:
    zone = "Europe/London"
    tariff = schedule(day_night(day_micro=1_000_000, night_micro=100_000), StandingCharge(500_000), zone=zone)
    start = instant(day, zone)
    end = start + hours * US_PER_HOUR
    state = opening_state(schedule=tariff, at_us=start, register_wh=0)
    # One kWh in each real hour: 14 hours of day whatever the clocks do, the rest is night.
    charges, _ = rate_all(
        SegmentTable(schedule=tariff), state, [(start + h * US_PER_HOUR, 1_000) for h in range(1, hours + 1)]
    )
    assert local_datetime(zone=zone, at_us=end).strftime("%H:%M") == "00:00"
    assert totals(charges) == (14 * 1_000_000 + (hours - 14) * 100_000, 500_000, 0)


def test_the_leap_day_is_counted_and_the_month_counter_restarts_after_it() -> None:
    tariff = schedule(
        EnergyBlocks("month", (1_000,), (Period("all", ((0, 1440),), None, None, (100_000, 900_000)),))
    )
    state = opening_state(schedule=tariff, at_us=instant("2024-02-29"), register_wh=0, counter_wh=1_000)
    charges, after = rate_all(
        SegmentTable(schedule=tariff),
        state,
        [(instant("2024-03-01"), 1_000), (instant("2024-03-01 01:00"), 1_000)],
    )
    assert [c.energy_micro for c in charges] == [900_000, 100_000]
    assert (after.window_us, after.counter_wh) == (instant("2024-03-01"), 1_000)


def test_a_new_version_prices_from_its_very_microsecond_and_keeps_the_counter() -> None:
    def blocks(low: int, high: int) -> EnergyBlocks:
        return EnergyBlocks("month", (1_500,), (Period("all", ((0, 1440),), None, None, (low, high)),))

    change = instant("2024-05-06 10:17") + 123_457
    tariff = Schedule(
        "CNY",
        "Asia/Shanghai",
        (
            TariffVersion(1, instant("2024-01-01"), "old", (blocks(100_000, 200_000),)),
            TariffVersion(2, change, "new", (blocks(300_000, 400_000),)),
        ),
    )
    table = SegmentTable(schedule=tariff)
    state = opening_state(schedule=tariff, at_us=change - US_PER_HOUR, register_wh=0)
    (crossing,), _ = rate_all(table, state, [(change + US_PER_HOUR, 2_000)])
    assert crossing.energy_micro == 100_000 + 150_000 + 200_000
    (before, after), _ = rate_all(table, state, [(change, 1_000), (change + US_PER_HOUR, 1_000)])
    assert (before.energy_micro, after.energy_micro) == (100_000, 350_000)


def test_a_negative_price_is_floored_toward_the_resident_and_adds_up_exactly() -> None:
    tariff = schedule(EnergyBlocks.flat(price_micro=-1))
    state = opening_state(schedule=tariff, at_us=instant("2024-01-01"), register_wh=0)
    steps = [(instant("2024-01-01") + n * US_PER_MINUTE, 1) for n in range(1, 1_001)]
    charges, after = rate_all(SegmentTable(schedule=tariff), state, steps)
    assert charges[0].energy_micro == -1
    assert {c.energy_micro for c in charges[1:]} == {0}
    assert totals(charges) == (-1, 0, 0)
    assert after.carry_nano == 0


def test_midnight_alone_is_no_boundary_for_energy() -> None:
    tariff = schedule(EnergyBlocks.flat(price_micro=500_000), StandingCharge(1_000))
    table = SegmentTable(schedule=tariff)
    state = opening_state(schedule=tariff, at_us=instant("2024-01-01 12:00"), register_wh=0)
    until_us = instant("2024-01-04 12:00")
    (charge,), _ = rate_all(table, state, [(until_us, 10)])
    assert charge.standing_micro == 3_000
    first, last = table.locate(start_us=state.at_us, end_us=until_us)
    assert first == last


def test_the_opening_day_is_free_and_a_reading_on_midnight_closes_its_day() -> None:
    tariff = schedule(
        EnergyBlocks.flat(price_micro=0),
        StandingCharge(1_000),
        Tax("VAT", 500_000_000, frozenset({"standing"})),
    )
    table = SegmentTable(schedule=tariff)
    state = opening_state(schedule=tariff, at_us=instant("2024-01-01"), register_wh=0)
    charges, _ = rate_all(
        table,
        state,
        [(instant("2024-01-01 23:59"), 0), (instant("2024-01-02"), 0), (instant("2024-01-02 08:00"), 0)],
    )
    assert [c.standing_micro for c in charges] == [0, 1_000, 0]
    assert [c.tax_micro for c in charges] == [0, 50, 0]


@given(price=st.integers(0, 3_000_000), less=st.integers(0, 10**6), more=st.integers(0, 10**6))
def test_more_energy_never_costs_less_where_prices_rise(price: int, less: int, more: int) -> None:
    tariff = schedule(
        EnergyBlocks("year", (5_000,), (Period("all", ((0, 1440),), None, None, (price, price + 1)),))
    )
    table = SegmentTable(schedule=tariff)
    state = opening_state(schedule=tariff, at_us=instant("2024-01-01"), register_wh=0)
    end = instant("2024-01-02")
    (small,), _ = rate_all(table, state, [(end, less)])
    (large,), _ = rate_all(table, state, [(end, less + more)])
    assert small.amount_micro <= large.amount_micro


def test_what_cannot_be_rated_is_named_and_charges_nothing() -> None:
    tariff = schedule(EnergyBlocks.flat(price_micro=1), effective="2024-01-01")
    table = SegmentTable(schedule=tariff)
    with pytest.raises(NoTariff, match="publish a version"):
        opening_state(schedule=tariff, at_us=instant("2023-12-31"), register_wh=0)
    early = RegisterState(instant("2023-12-31"), 0, 0, 0, 0, 0)
    with pytest.raises(NoTariff, match="supply stays on"):
        rate(table=table, state=early, at_us=instant("2024-01-02"), register_wh=1, energy_wh=1)
    state = opening_state(schedule=tariff, at_us=instant("2024-01-01"), register_wh=0)
    with pytest.raises(NotAfterState):
        rate(table=table, state=state, at_us=state.at_us, register_wh=0, energy_wh=0)
    for energy in (-1, 1_000_000_001):
        with pytest.raises(EnergyOutOfRange):
            rate(table=table, state=state, at_us=state.at_us + 1, register_wh=0, energy_wh=energy)

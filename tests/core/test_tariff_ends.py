"""Where a tariff knows no price: after its end, in a block the source does not print, under charges only."""

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.builders import instant
from fairwatt.core.rating.bill import Bill, bill
from fairwatt.core.rating.difference import keeps_past_of
from fairwatt.core.rating.model import NoTariff, Schedule
from fairwatt.core.rating.scalar import opening_state, rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.tariff_file import (
    TariffFileError,
    parse_schedule,
    schedule_from_obj,
    schedule_to_obj,
)
from fairwatt.core.rating.unit_rates import UnknownPrice
from fairwatt.core.rating.vector import rate_rows
from fairwatt.core.rating.vector_cells import use_cells
from fairwatt.core.rating.vector_table import VectorTable
from fairwatt.core.rating.vending import BeyondKnownPrices, TillState, payment_for, quote
from fairwatt.core.spans import Span
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE

ZONE = "Asia/Kolkata"


def tariff(*elements: dict[str, Any], until: str = "", after: dict[str, Any] | None = None) -> Schedule:
    version = {"effective": "2024-01-01", **({"until": until} if until else {}), "elements": list(elements)}
    versions = [version] if after is None else [version, after]
    head = {"fairwatt_tariff": 1, "name": "ends", "currency": "INR", "zone": ZONE}
    made = parse_schedule(json.dumps({**head, "versions": versions}))
    assert schedule_from_obj(schedule_to_obj(made)) == made
    return made


def scalar(schedule: Schedule, start_us: int, readings: list[tuple[int, int]], counter_wh: int = 0) -> int:
    state = opening_state(schedule=schedule, at_us=start_us, register_wh=0, counter_wh=counter_wh)
    table, total = SegmentTable(schedule=schedule), 0
    for at_us, wh in readings:
        charge, state = rate(table=table, state=state, at_us=at_us, register_wh=0, energy_wh=wh)
        total += charge.amount_micro
    return total


def batch(schedule: Schedule, start_us: int, readings: list[tuple[int, int]], counter_wh: int = 0) -> int:
    columns, state = columns_of(start_us, readings), None
    state = opening_state(schedule=schedule, at_us=start_us, register_wh=0, counter_wh=counter_wh)
    one = np.ones(len(readings), dtype=np.int64)
    made = rate_rows(
        vtable=VectorTable(SegmentTable(schedule=schedule)),
        **columns,
        counter=one * counter_wh,
        window=one * state.window_us,
        carry_nano=one * 0,
        carry_tax=one * 0,
    )
    return int(made.energy_micro.sum() + made.standing_micro.sum() + made.tax_micro.sum())


def cells(schedule: Schedule, start_us: int, readings: list[tuple[int, int]], counter_wh: int = 0) -> int:
    columns = columns_of(start_us, readings)
    vtable = VectorTable(SegmentTable(schedule=schedule))
    use_cells(vtable=vtable, home=np.zeros(len(readings), dtype=np.int64), **columns, counter_wh=counter_wh)
    return wallet(schedule, start_us, readings, counter_wh)


def wallet(schedule: Schedule, start_us: int, readings: list[tuple[int, int]], counter_wh: int = 0) -> int:
    return billed(schedule, start_us, readings, counter_wh).wallet_micro


def billed(schedule: Schedule, start_us: int, readings: list[tuple[int, int]], counter_wh: int = 0) -> Bill:
    span = Span(start_us, readings[-1][0])
    return bill(schedule=schedule, readings=readings, span=span, counter_wh=counter_wh)


def columns_of(start_us: int, readings: list[tuple[int, int]]) -> dict[str, Any]:
    at = np.array([at_us for at_us, _ in readings], dtype=np.int64)
    return {
        "first": np.arange(at.size) == 0,
        "prev_at": np.concatenate([[start_us], at[:-1]]),
        "at": at,
        "energy_wh": np.array([wh for _, wh in readings], dtype=np.int64),
    }


PATHS = pytest.mark.parametrize("path", [scalar, batch, cells, wallet], ids=lambda path: path.__name__)
Path = Callable[..., int]
FLAT = {"energy": {"price": "2"}}


@PATHS
@pytest.mark.parametrize("until", ["2024-02-01", "2024-01-31T13:45:00", "2024-01-31T08:15:00+00:00"])
def test_use_up_to_the_end_has_its_price_and_after_it_none(path: Path, until: str) -> None:
    schedule = tariff(FLAT, {"standing": {"per_day": "1"}}, until=until)
    end_us = schedule.versions[0].until_us
    assert end_us == instant("2024-02-01" if len(until) == 10 else "2024-01-31 13:45", ZONE)
    start_us = instant("2024-01-30", ZONE)
    days = (end_us - start_us) // US_PER_DAY
    assert path(schedule, start_us, [(end_us - US_PER_HOUR, 500), (end_us, 500)]) == (2 + days) * 10**6
    with pytest.raises(
        NoTariff, match=r"the last ended at 2024-01-31 .* nothing is charged and supply stays on"
    ):
        path(schedule, start_us, [(end_us, 500), (end_us + 1, 0)])
    with pytest.raises(NoTariff, match="the last ended"):
        path(schedule, end_us, [(end_us + US_PER_HOUR, 1)])


def test_what_a_till_sells_after_the_end_is_nothing() -> None:
    schedule = tariff(FLAT, until="2024-02-01")
    last_us = instant("2024-02-01", ZONE) - 1
    assert quote(schedule=schedule, at_us=last_us, paid_micro=10**6, state=TillState()).energy_wh == 500
    with pytest.raises(NoTariff, match="the last ended"):
        quote(schedule=schedule, at_us=last_us + 1, paid_micro=10**6, state=TillState())


def test_a_grant_made_when_the_tariff_has_ended_still_tells_its_end() -> None:
    schedule = tariff(FLAT, until="2024-02-01")
    later = schedule.since(at_us=instant("2024-03-01", ZONE))
    assert later.versions[-1].until_us == schedule.versions[-1].until_us
    with pytest.raises(NoTariff):
        schedule.since(at_us=instant("2023-12-31", ZONE))


def test_an_end_may_be_set_or_lifted_for_the_time_to_come_only() -> None:
    open_, ended = tariff(FLAT), tariff(FLAT, until="2024-02-01")
    follows = {"effective": "2024-02-01", "elements": [{"energy": {"price": "3"}}]}
    prolonged = tariff(FLAT, after=follows)
    before, after = (instant(day, ZONE) for day in ("2024-01-15", "2024-03-01"))
    assert keeps_past_of(ended, open_, now_us=before)
    assert not keeps_past_of(ended, open_, now_us=after)
    assert keeps_past_of(prolonged, ended, now_us=after)
    assert not keeps_past_of(prolonged, open_, now_us=after)
    assert not keeps_past_of(tariff({"energy": {"price": "3"}}), ended, now_us=after)


BLOCKS = {"counter": "month", "blocks": ["1", "2.5"]}


def blocks(last: str, **more: Any) -> Schedule:
    tax = {"tax": {"name": "VAT", "percent": "15", "on": ["energy"]}}
    return tariff({"energy": {**BLOCKS, "prices": ["2", "3", last], **more}}, tax)


@PATHS
@given(data=st.data())
@settings(max_examples=25)
def test_use_below_an_unknown_block_costs_the_same_whatever_its_price_would_be(
    path: Path, data: st.DataObject
) -> None:
    start_us = instant("2024-01-10 11:00", ZONE)
    counter_wh = data.draw(st.integers(0, 2_500))
    left, readings = 2_500 - counter_wh, []
    for n in range(data.draw(st.integers(1, 4))):
        used = data.draw(st.integers(0, left))
        left -= used
        readings.append((start_us + (n + 1) * US_PER_HOUR, used))
    unknown = blocks("unknown")
    assert path(unknown, start_us, readings, counter_wh) == path(blocks("99"), start_us, readings, counter_wh)
    beyond = [*readings, (readings[-1][0] + US_PER_HOUR, left + 1)]
    with pytest.raises(
        UnknownPrice, match=r"'energy' is written as unknown for use above 2\.5 units at 2024-01"
    ):
        path(unknown, start_us, beyond, counter_wh)


@PATHS
def test_an_unknown_price_is_named_in_the_middle_of_blocks_and_in_a_second_element(path: Path) -> None:
    start_us = instant("2024-01-10", ZONE)
    levy = {"energy": {"name": "levy", **BLOCKS, "prices": ["0", "unknown", "0"]}}
    schedule = tariff({"energy": {"price": "1"}}, levy)
    assert path(schedule, start_us, [(start_us + US_PER_HOUR, 1_000)]) == 10**6
    with pytest.raises(UnknownPrice, match="'levy' is written as unknown for use above 1 units"):
        path(schedule, start_us, [(start_us + US_PER_HOUR, 3_000)])


def test_a_till_sells_up_to_the_bound_of_what_it_knows() -> None:
    schedule, at_us = blocks("unknown"), instant("2024-01-10", ZONE)
    full = (Fraction(2) + Fraction("4.5")) * Fraction("1.15") * 10**6
    sold = quote(schedule=schedule, at_us=at_us, paid_micro=int(full), state=TillState())
    assert (sold.exact_wh, sold.energy_micro) == (2_500, full)
    with pytest.raises(BeyondKnownPrices, match="at most 2500 Wh can be sold now"):
        quote(schedule=schedule, at_us=at_us, paid_micro=int(full) + 1, state=TillState())
    assert payment_for(schedule=schedule, at_us=at_us, energy_wh=2_500, state=TillState()) == full
    with pytest.raises(BeyondKnownPrices):
        payment_for(schedule=schedule, at_us=at_us, energy_wh=2_501, state=TillState())


def test_a_whole_band_needs_all_its_prices() -> None:
    with pytest.raises(TariffFileError, match="`band: whole` needs all its prices"):
        blocks("unknown", band="whole")


FIXED = {"vending": {"name": "service", "per_month": "200"}}
VAT = {"tax": {"name": "VAT", "percent": "15", "on": ["service"]}}


def test_charges_only_are_taken_at_the_till_and_the_money_left_buys_no_units() -> None:
    schedule, at_us = tariff(FIXED, VAT), instant("2024-01-10", ZONE)
    sold = quote(schedule=schedule, at_us=at_us, paid_micro=1_000 * 10**6, state=TillState())
    assert (sold.parts, sold.energy_micro, sold.exact_wh) == ({"service": 230 * 10**6}, 770 * 10**6, 0)


@PATHS
def test_use_under_charges_only_is_named_and_idle_days_are_charged(path: Path) -> None:
    schedule, start_us = tariff({"standing": {"per_day": "3"}}), instant("2024-01-10", ZONE)
    assert path(schedule, start_us, [(start_us + 2 * US_PER_DAY, 0)]) == 6 * 10**6
    with pytest.raises(UnknownPrice, match=r"charges only and no price for use at .* supply stays on"):
        path(schedule, start_us, [(start_us + US_PER_DAY, 1)])


def test_a_version_of_packages_needs_no_energy_element() -> None:
    stall = {"package": {"per": "day", "price": "2", "included": "1", "beyond": "0.5", "weekdays": ["wed"]}}
    schedule, start_us = tariff(stall), instant("2024-01-10", ZONE)
    assert wallet(schedule, start_us, [(start_us + US_PER_DAY, 3_000)]) == 3 * 10**6
    with pytest.raises(UnknownPrice, match="no price for use"):
        wallet(schedule, start_us + US_PER_DAY, [(start_us + 2 * US_PER_DAY, 1)])


def test_a_day_that_two_packages_choose_has_the_first() -> None:
    fair = {
        "package": {
            "name": "fair",
            "per": "day",
            "price": "9",
            "included": "9",
            "beyond": "1",
            "dates": ["01-10"],
        }
    }
    weekly = {"package": {"per": "day", "price": "2", "included": "1", "beyond": "0.5", "weekdays": ["wed"]}}
    start_us = instant("2024-01-10", ZONE)
    for first, micro in ((fair, 9 * 10**6), (weekly, 3 * 10**6)):
        schedule = tariff(first, fair if first is weekly else weekly, FLAT)
        for path in (scalar, batch, cells):
            assert path(schedule, start_us, [(start_us + US_PER_DAY, 3_000)]) == micro


@pytest.mark.parametrize("interval", [15, 30, 60])
def test_demand_intervals_begin_at_local_midnight(interval: int) -> None:
    demand = {"demand": {"per_kw": "1", "interval_min": interval, "window": "bill"}}
    schedule, start_us = tariff(FLAT, demand), instant("2024-01-10 09:00", ZONE)
    quarter = US_PER_HOUR // 4
    wh = [100, 100, 100, 100, 900, 0, 0, 0]
    readings = [(start_us + (n + 1) * quarter, used) for n, used in enumerate(wh)]
    made = billed(schedule, start_us, readings)
    # 900 Wh in the first quarter of an hour of the local clock, which begins at half past in UTC.
    assert made.element("demand") == Fraction(900 * 60, interval) / 1_000 * 10**6


@pytest.mark.parametrize(("minutes", "watts"), [(30, 200), (70, 85)])
def test_power_is_whole_watts_rounded_down_however_long_the_use(minutes: int, watts: int) -> None:
    demand = {"demand": {"per_kw": "1", "interval_min": 30, "window": "bill"}}
    start_us = instant("2024-01-10", ZONE)
    made = billed(tariff(FLAT, demand), start_us, [(start_us + minutes * US_PER_MINUTE, 100)])
    assert made.element("demand") == Fraction(watts, 1_000) * 10**6


def test_the_fractions_that_a_wallet_still_carries_are_named() -> None:
    levies = [{"levy": {"name": name, "percent": "0.0003", "on": ["energy", "standing"]}} for name in "ab"]
    schedule = tariff({"energy": {"price": "0.000777"}}, {"standing": {"per_day": "0.01"}}, *levies)
    start_us = instant("2024-01-10", ZONE)
    readings = [(start_us + US_PER_DAY, 999)]
    made = billed(schedule, start_us, readings)
    assert made.settled_micro == 0
    assert made.wallet_micro == scalar(schedule, start_us, readings)
    assert made.wallet_micro + made.residue == made.exact_micro
    assert 0 < made.residue < 2


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        (
            [
                {"energy": {"counter": "year", "blocks": [9], "prices": [1, 2]}},
                {"energy": {"name": "levy", "counter": "month", "free": 3, "price": 1}},
            ],
            "'energy' by year and 'levy' by month.*`by: use`",
        ),
        (
            [FLAT, {"minimum": {"per_month": "5"}}, {"demand": {"per_kw": "1", "window": "bill"}}],
            "'minimum' by month and 'demand' by bill.*`per_month`",
        ),
    ],
)
def test_a_refusal_says_what_to_write_instead(elements: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(TariffFileError, match=said):
        tariff(*elements)

"""Every element against a definition of its own, in fractions and minute by minute; and the laws over all of them."""

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.builders import instant
from core.naive_tariff import Naive
from fairwatt.core.rating.bill import bill, bill_of_cells
from fairwatt.core.rating.scalar import opening_state, rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.tariff_file import parse_schedule, schedule_from_obj, schedule_to_obj
from fairwatt.core.rating.vector import rate_rows
from fairwatt.core.rating.vector_cells import use_cells
from fairwatt.core.rating.vector_table import VectorTable
from fairwatt.core.spans import Span
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE

PRICES = st.integers(-500_000, 3_000_000).map(
    lambda micro: f"{Fraction(micro, 10**6).numerator / Fraction(micro, 10**6).denominator:.6f}"
)
MONEY = st.integers(-200, 90_000).map(lambda cents: f"{cents / 100:.2f}")
PERCENT = st.integers(0, 4_000).map(lambda bp: f"{bp / 100:.2f}")
ZONES = st.sampled_from(["Europe/London", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"])
NEAR = ["2024-02-28", "2024-03-09", "2024-03-30", "2024-04-06", "2024-10-26", "2024-12-30"]
SEASONS = {"warm": ["04-01..10-31"], "cold": ["11-01..03-31"]}
CALENDAR = {"holiday": ["2024-03-29", "12-25", "01-01"], "workday": ["2024-03-31"], "event": ["2024-10-28"]}


@st.composite
def periods(draw: st.DrawFn, blocks: int, *, adds: bool = False) -> list[dict[str, Any]]:
    def priced() -> dict[str, Any]:
        if adds:
            return {"add": draw(PRICES), **draw(st.sampled_from([{}, {"coefficient": "1.2"}]))}
        return {"prices": [draw(PRICES) for _ in range(blocks)]}

    shape = draw(st.sampled_from(["hours", "season", "days", "sharp"]))
    hours = draw(
        st.sampled_from([["08:00-22:00"], ["22:30-06:15"], ["07:00-11:00", "17:00-19:00"], ["00:30-01:30"]])
    )
    rest = {"name": "rest", "otherwise": True, **priced()}
    if shape == "hours":
        return [{"name": "peak", "hours": hours, **priced()}, rest]
    if shape == "season":
        weekdays = draw(st.sampled_from([["mon", "sat"], ["sun"], ["tue", "wed", "thu"]]))
        some = {"name": "cold peak", "season": "cold", "hours": hours, "weekdays": weekdays, **priced()}
        return [
            some,
            {"name": "days of march", "dates": ["03-30..04-02"], "over": ["cold peak"], **priced()},
            rest,
        ]
    if shape == "days":
        work = {"name": "work", "days": ["workday"], "hours": hours, **priced()}
        return [work, {"name": "free day", "days": ["weekend", "holiday"], **priced()}, rest]
    peak = {"name": "peak", "hours": ["08:00-20:00"], **priced()}
    sharp = {
        "name": "sharp",
        "months": [3, 10, 12],
        "hours": ["11:00-13:00", "19:00-20:30"],
        "over": ["peak", "flat"],
    }
    return [peak, {"name": "flat", "hours": ["20:00-08:00"], **priced()}, {**sharp, **priced()}]


@st.composite
def energies(draw: st.DrawFn, window: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = dict(window)
    kind = draw(
        st.sampled_from(["flat", "blocks", "blocks", "scaled", "daily", "free", "cases", "whole", "dynamic"])
    )
    if window["counter"] == "none" and kind not in ("flat", "dynamic"):
        kind = "flat"
    blocks = 1
    if kind in ("blocks", "scaled", "whole"):
        bounds = sorted(draw(st.sets(st.integers(1, 9_000), min_size=1, max_size=3)))
        body["blocks"] = [f"{wh / 1000:.3f}" for wh in bounds]
        blocks = len(bounds) + 1
    if kind == "scaled":
        body["per_days"], body["block_unit"] = draw(st.sampled_from([(30, "0.001"), (30, "1"), (7, "0.5")]))
        body["block_unit"] = str(body["block_unit"])
        body["blocks"] = [str(40 * n) for n in range(1, blocks)]
    if kind == "daily":
        body["blocks_per_day"] = {"warm": ["0.25"], "cold": ["0.312"]}
        blocks = 2
    if kind == "free":
        body["free"] = "1.5"
    if kind == "cases":
        body["cases"] = [
            {"upto": "2", "price": draw(PRICES)},
            {"upto": "6", "blocks": ["1", "3"], "prices": [draw(PRICES) for _ in range(3)]},
            {"blocks": ["4"], "prices": [draw(PRICES), draw(PRICES)]},
        ]
        return body
    if kind == "whole":
        prices = [draw(PRICES) for _ in range(blocks)]
        body["cases"] = [{"upto": b, "price": p} for b, p in zip(body["blocks"], prices, strict=False)]
        body["cases"].append({"price": prices[-1]})
        del body["blocks"]
        return body
    if kind == "dynamic":
        body.pop("counter", None)
        rule = {"series": "market", "coefficient": draw(st.sampled_from(["1", "2.2", "-0.35"]))}
        body["dynamic"] = {
            **rule,
            "add": "0.01",
            **draw(st.sampled_from([{}, {"cap": "0.3", "floor": "-0.1"}])),
        }
        if draw(st.booleans()):
            body["periods"] = draw(periods(1, adds=True))
        return body
    if kind in ("blocks", "scaled") and draw(st.booleans()):
        body["extra"] = [{"parameter": "persons", "above": "3", "each": "0.75"}]
    if draw(st.booleans()):
        body["periods"] = draw(periods(blocks))
    elif blocks == 1:
        body["price"] = draw(PRICES)
    else:
        body["prices"] = [draw(PRICES) for _ in range(blocks)]
    return body


@st.composite
def versions(draw: st.DrawFn, effective: str) -> dict[str, Any]:
    window = draw(
        st.sampled_from(
            [
                {"counter": "none"},
                {"counter": "day"},
                {"counter": "month"},
                {"counter": "month", "start_day": 30 - 2},
                {"counter": "year"},
                {"counter": "year", "start_date": "03-31"},
            ]
        )
    )
    elements: list[dict[str, Any]] = [{"energy": draw(energies(window))}]
    if draw(st.booleans()):
        elements.append({"energy": {"name": "levy", **draw(energies(window))}})
    if draw(st.booleans()):
        elements.append({"standing": draw(st.sampled_from([{"per_day": "0.5137"}, {"per_month": "13.37"}]))})
    if draw(st.booleans()):
        elements.append({"standing": {"name": "credit", "per_day": draw(MONEY), "months": [3, 10]}})
    on = [["energy"], ["standing"], ["all"]]
    if draw(st.booleans()):
        elements.append(
            {"surcharge": {"name": "fuel", "percent": draw(PERCENT), "on": draw(st.sampled_from(on))}}
        )
        if draw(st.booleans()):
            elements.append({"rebate": {"name": "early", "percent": draw(PERCENT), "on": ["fuel", "energy"]}})
        elements.append(
            {
                "tax": {
                    "name": "VAT",
                    "percent": draw(PERCENT),
                    "on": draw(st.sampled_from([["all"], ["fuel"]])),
                }
            }
        )
    return {"effective": effective, "elements": elements}


@st.composite
def sheets(draw: st.DrawFn, near: str) -> dict[str, Any]:
    made = [draw(versions("2023-01-01"))]
    if draw(st.booleans()):
        made.append(draw(versions(f"{near}T13:20")))
    return {
        "fairwatt_tariff": 1,
        "name": "drawn",
        "currency": "EUR",
        "zone": draw(ZONES),
        "parameters": {"persons": {"default": 3}},
        "seasons": SEASONS,
        "calendar": CALENDAR,
        "series": {
            "market": {
                "step_min": 60,
                "start": f"{near}T00:00:00+14:00",
                "values": [f"{((n * 7919) % 997 - 200) / 1000:.3f}" for n in range(24 * 9)],
            }
        },
        "versions": made,
    }


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], int, list[tuple[int, int]], int, int]:
    """A tariff, an opening instant near an awkward day, readings, the count before, persons in the home."""
    near = draw(st.sampled_from(NEAR))
    sheet = draw(sheets(near))
    at_us = start_us = (
        instant(near, sheet["zone"]) + US_PER_DAY // 2 + draw(st.integers(0, 1440)) * US_PER_MINUTE
    )
    readings = []
    for _ in range(draw(st.integers(1, 4))):
        at_us += draw(st.sampled_from([30 * US_PER_MINUTE, US_PER_HOUR, 7 * US_PER_HOUR, 26 * US_PER_HOUR]))
        readings.append((at_us, draw(st.integers(0, 700))))
    return sheet, start_us, readings, draw(st.sampled_from([0, 250, 1_999, 5_500])), draw(st.integers(1, 6))


@given(cases())
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
def test_every_element_costs_what_its_definition_says_on_all_paths(case: Any) -> None:
    sheet, start_us, readings, counter_wh, persons = case
    naive = Naive(sheet, start_us, counter_wh, {"persons": Fraction(persons)})
    for at_us, wh in readings:
        naive.read(at_us, wh)
    in_order = naive.percentages()
    naive.true_up()
    settled = naive.percentages()

    text = json.dumps(sheet)
    schedule = parse_schedule(text)
    assert schedule_from_obj(schedule_to_obj(schedule)) == schedule
    assert parse_schedule(yaml.safe_dump(sheet, sort_keys=False)) == schedule
    mine = schedule.for_account({"persons": persons * 1_000})
    span = Span(start_us, readings[-1][0])

    made = bill(
        schedule=schedule,
        readings=readings,
        span=span,
        account={"persons": persons * 1_000},
        counter_wh=counter_wh,
        settle_open=True,
    )
    floors = {name: amount.__floor__() for name, amount in in_order.items()}
    assert made.exact_micro == sum(settled.values())
    if settled == in_order:
        assert (made.settled_micro, made.wallet_micro) == (0, sum(floors.values()))
    assert {"energy": made.energy_micro, "standing": made.standing_micro, "tax": made.tax_micro} == floors
    assert sum((e.exact_micro for e in made.elements), Fraction(0)) == made.exact_micro

    table = SegmentTable(schedule=mine)
    state = opening_state(schedule=mine, at_us=start_us, register_wh=0, counter_wh=counter_wh)
    sums = {"energy": 0, "standing": 0, "tax": 0}
    for at_us, wh in readings:
        charge, state = rate(table=table, state=state, at_us=at_us, register_wh=0, energy_wh=wh)
        sums["energy"] += charge.energy_micro
        sums["standing"] += charge.standing_micro
        sums["tax"] += charge.tax_micro
    exact = {name: abs(sums[name] - floors[name]) for name in sums}
    # A taxed unit price beyond twelve decimals is rounded once; over a few kWh that may move one floor by one.
    assert (exact["energy"], exact["standing"]) == (0, 0)
    assert exact["tax"] <= 1
    assert vector_sums(mine, start_us, readings, counter_wh) == sums
    assert vector_sums(mine, start_us, split_at_boundaries(table, start_us, readings), counter_wh) == sums

    home = np.zeros(len(readings), dtype=np.int64)
    at = np.array([at_us for at_us, _ in readings], dtype=np.int64)
    bill_table = SegmentTable(schedule=mine, span=span, bill=span)
    cells = use_cells(
        vtable=VectorTable(bill_table),
        home=home,
        first=np.arange(at.size) == 0,
        prev_at=np.concatenate([[start_us], at[:-1]]),
        at=at,
        energy_wh=np.array([wh for _, wh in readings], dtype=np.int64),
        counter_wh=counter_wh,
    )
    again = bill_of_cells(
        table=bill_table, span=span, cells=cells[0], counter_wh=counter_wh, powers={}, settle_open=True
    )
    assert (again.exact_micro, again.elements) == (made.exact_micro, made.elements)


def split_at_boundaries(
    table: SegmentTable, start_us: int, readings: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The same use with a reading at every price boundary, where the straight line says, and at midnights between."""
    made, t0 = [], start_us
    for at_us, wh in readings:
        first, last = table.locate(start_us=t0, end_us=at_us)
        done = 0
        for edge in [*table.starts_us[first + 1 : last + 1], at_us]:
            upto = wh * (edge - t0) // (at_us - t0)
            made.append((edge, upto - done))
            done = upto
        t0 = at_us
    return made


@given(
    steps=st.lists(st.integers(0, 4_000), min_size=2, max_size=2),
    prices=st.lists(st.integers(0, 900_000), min_size=3, max_size=3),
    more=st.integers(1, 5_000),
)
@settings(max_examples=40)
def test_more_use_never_costs_less_where_prices_are_not_negative(
    steps: list[int], prices: list[int], more: int
) -> None:
    texts = [f"{micro // 10**6}.{micro % 10**6:06d}" for micro in prices]
    energy = {"counter": "month", "blocks": ["1", "3"], "prices": texts}
    tax = {"name": "VAT", "percent": "19", "on": ["energy"]}
    sheet = {
        "fairwatt_tariff": 1,
        "name": "rising use",
        "currency": "EUR",
        "zone": "Europe/Berlin",
        "versions": [{"effective": "2024-01-01", "elements": [{"energy": energy}, {"tax": tax}]}],
    }
    schedule = parse_schedule(json.dumps(sheet))
    start_us = instant("2024-05-01", "Europe/Berlin")
    less = [(start_us + (n + 1) * US_PER_HOUR, wh) for n, wh in enumerate(steps)]
    span = Span(start_us, less[-1][0])
    greater = [(at_us, wh + more * (n == 1)) for n, (at_us, wh) in enumerate(less)]
    cost = [bill(schedule=schedule, readings=rows, span=span).exact_micro for rows in (less, greater)]
    assert cost[0] <= cost[1]


def vector_sums(
    schedule: Any, start_us: int, readings: list[tuple[int, int]], counter_wh: int
) -> dict[str, int]:
    at = np.array([at_us for at_us, _ in readings], dtype=np.int64)
    state = opening_state(schedule=schedule, at_us=start_us, register_wh=0, counter_wh=counter_wh)
    same = np.ones(at.size, dtype=np.int64)
    rated = rate_rows(
        vtable=VectorTable(SegmentTable(schedule=schedule)),
        first=np.arange(at.size) == 0,
        prev_at=np.concatenate([[start_us], at[:-1]]),
        at=at,
        energy_wh=np.array([wh for _, wh in readings], dtype=np.int64),
        counter=same * counter_wh,
        window=same * state.window_us,
        carry_nano=same * 0,
        carry_tax=same * 0,
    )
    return {
        "energy": int(rated.energy_micro.sum()),
        "standing": int(rated.standing_micro.sum()),
        "tax": int(rated.tax_micro.sum()),
    }


@pytest.mark.parametrize("wh", [0, 1])
def test_a_moment_without_a_market_price_is_named_and_nothing_is_charged(wh: int) -> None:
    from fairwatt.core.rating.scalar import MissingPrice

    sheet = {
        "fairwatt_tariff": 1,
        "name": "short series",
        "currency": "EUR",
        "zone": "Europe/Berlin",
        "series": {"w": {"step_min": 15, "start": "2025-10-01T00:00:00+02:00", "values": ["0.1", "-0.2"]}},
        "versions": [{"effective": "2025-01-01", "elements": [{"energy": {"dynamic": {"series": "w"}}}]}],
    }
    schedule = parse_schedule(json.dumps(sheet))
    start_us = instant("2025-10-01", "Europe/Berlin")
    state = opening_state(schedule=schedule, at_us=start_us, register_wh=0)
    table = SegmentTable(schedule=schedule)
    charge, _ = rate(
        table=table, state=state, at_us=start_us + 30 * US_PER_MINUTE, register_wh=0, energy_wh=2_000
    )
    assert charge.energy_micro == 1_000 * (100_000 - 200_000) // 1_000
    with pytest.raises(MissingPrice, match="2025-09-30 22:30 UTC; nothing is charged and supply stays on"):
        rate(table=table, state=state, at_us=start_us + 31 * US_PER_MINUTE, register_wh=0, energy_wh=wh)
    with pytest.raises(MissingPrice, match="22:30"):
        vector_sums(schedule, start_us, [(start_us + 31 * US_PER_MINUTE, wh)], 0)

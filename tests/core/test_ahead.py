"""What a home will pay in the days to come: exact where it can be, honest where not, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwatt.core.insight.ahead.look import PastUse, outlooks
from fairwatt.core.insight.ahead.outlook import SLOT_US, Outlook
from fairwatt.core.insight.ahead.past_days import known_days
from fairwatt.core.insight.ahead.picks import PATHS, picks
from fairwatt.core.insight.ahead.prices import Days, PricesAhead, days_around, prices_ahead
from fairwatt.core.insight.ahead.top_up import suggest
from fairwatt.core.insight.ahead.use import DAYS_AHEAD, UNKNOWN, Ints
from fairwatt.core.insight.ahead.warning import warning_level_micro
from fairwatt.core.insight.past_use import of_intervals
from fairwatt.core.insight.try_tariff import try_tariff
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import Span
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR

NOW = 1_771_545_600_000_000
"""2026-02-20, UTC"""
HEAD = "fairwatt_tariff: 1\nname: T\ncurrency: CNY\nzone: {zone}\n"
FLAT = HEAD + 'versions:\n  - effective: 2020-01-01\n    elements:\n      - energy: {{price: "0.5"}}\n'
DEARER = (
    HEAD
    + """versions:
  - effective: 2020-01-01
    elements:
      - energy: {{counter: month, blocks: [100, 250], prices: ["0.5", "0.75", "1.25"]}}
      - standing: {{per_day: "0.3"}}
      - tax: {{name: VAT, percent: "10", on: [energy, standing]}}
  - effective: 2026-03-10
    elements:
      - energy: {{counter: month, blocks: [60], prices: ["0.8", "2"]}}
      - standing: {{per_day: "0.5"}}
"""
)
HOURS = (
    HEAD
    + """versions:
  - effective: 2020-01-01
    elements:
      - energy:
          periods:
            - {{name: peak, hours: ["18:00-22:00"], weekdays: [mon, tue, wed, thu, fri], price: "1.2"}}
            - {{name: spring, months: [3, 4], weekdays: [sat, sun], price: "0.9"}}
            - {{name: rest, otherwise: true, price: "0.3"}}
      - package: {{name: fair, per: day, price: "12", included: "4", beyond: "2", weekdays: [sun]}}
"""
)


def ahead(tariff: str, zone: str = "UTC", now_us: int = NOW) -> tuple[PricesAhead, Days]:
    days = days_around(zone=zone, at_us=now_us)
    return prices_ahead(schedule=parse_schedule(tariff.format(zone=zone)), days=days), days


def past(*rows: list[int], wallets: list[int] | None = None, counter_wh: int = 0) -> PastUse:
    """Days of registers, the newest last; what comes before them is not known."""
    energy = np.full((len(rows), 56), UNKNOWN, dtype=np.int64)
    for n, row in enumerate(rows):
        energy[n, 56 - len(row) :] = row
    count = len(rows)
    return PastUse(
        wallet=np.array(wallets or range(count), dtype=np.int64),
        energy_wh=energy,
        shape=np.ones((count, 2, 48), dtype=np.int64),
        counter_wh=np.full(count, counter_wh, dtype=np.int64),
        prices=np.zeros(count, dtype=np.int64),
    )


def look(tariff: str, *rows: list[int], zone: str = "UTC", now_us: int = NOW, seed: int = 1) -> Outlook:
    prices, days = ahead(tariff, zone, now_us)
    return outlooks(past=past(*rows), prices=[prices], starts_us=days.starts_us, seed=seed)[0]


def charged(tariff: str, zone: str, days: Days, wh_a_slot: int, counter_wh: int = 0) -> Ints:
    """What the rating core charges by the end of each day when every half hour uses the same."""
    edges = np.arange(days.starts_us[0], days.starts_us[-1] + 1, SLOT_US, dtype=np.int64)
    use = of_intervals(
        home=np.zeros(edges.size - 1, dtype=np.int64),
        start_at=edges[:-1],
        end_at=edges[1:],
        energy_wh=np.full(edges.size - 1, wh_a_slot, dtype=np.int64),
        span=Span(int(edges[0]), int(edges[-1])),
        homes=("home",),
    )
    use = replace(use, counter_wh=np.array([counter_wh], dtype=np.int64))
    schedule = parse_schedule(tariff.format(zone=zone))
    rows = try_tariff(schedule=schedule, use=use, span=Span(int(edges[0]), int(edges[-1]))).rows
    ends = np.searchsorted(edges[1:], days.starts_us[1:])
    total: Ints = np.cumsum(rows)[ends]
    return total


@pytest.mark.parametrize("tariff", [FLAT, DEARER, HOURS])
def test_constant_use_costs_what_the_rating_core_will_charge_through_versions_blocks_hours_and_packages(
    tariff: str,
) -> None:
    prices, days = ahead(tariff)
    told = outlooks(
        past=past([9_600] * 56, counter_wh=80_000), prices=[prices], starts_us=days.starts_us, seed=3
    )[0]
    truth = charged(tariff, "UTC", days, 200, counter_wh=80_000)
    said = np.array(told.mid) + np.array(told.first) + np.array(told.last)
    # Only micro-units are rounded.
    assert np.abs(said - truth).max() <= 2 * DAYS_AHEAD
    for available in (1, 700_000, int(truth[8]) + 12_345, int(truth[40])):
        end_us = told.runs_out(available_micro=available, now_us=NOW)
        assert end_us is not None
        day = int(np.searchsorted(truth, available - 2 * DAYS_AHEAD))
        assert days.starts_us[day] <= end_us <= days.starts_us[day + 1]
    assert told.guessed_from is None


def test_flat_constant_use_runs_out_to_the_second_and_summer_time_shifts_nothing() -> None:
    zone, before = "Europe/London", NOW + 36 * US_PER_DAY
    told = look(FLAT, [9_600] * 56, zone=zone, now_us=before)
    lengths = {b - a for a, b in zip(told.starts_us, told.starts_us[1:], strict=False)}
    assert lengths == {US_PER_DAY, 23 * US_PER_HOUR}
    start = told.from_us
    assert told.runs_out(available_micro=1_200_000, now_us=start) == start + 6 * US_PER_HOUR
    assert told.runs_out(available_micro=4_800_000, now_us=start) == told.starts_us[1]


DAYS = st.lists(st.integers(0, 60_000) | st.just(UNKNOWN), min_size=3, max_size=56)


@settings(max_examples=40, deadline=None)
@given(DAYS, st.integers(1, 80_000_000), st.integers(0, 40_000_000), st.integers(0, 72))
def test_more_credit_never_runs_out_earlier_and_the_range_holds_its_middle(
    row: list[int], credit: int, more: int, hours: int
) -> None:
    prices, days = _DEARER
    made = outlooks(past=past(row), prices=[prices], starts_us=days.starts_us, seed=5)
    known = sum(wh != UNKNOWN for wh in row)
    assert (0 in made) == (known >= 3)
    if not made:
        return
    told, now = made[0], NOW + hours * US_PER_HOUR
    end = told.end_us
    early, mid, late = (one or end for one in told.range(available_micro=credit, now_us=now))
    assert now <= early <= mid <= late <= end
    richer = told.runs_out(available_micro=credit + more, now_us=now) or end
    assert mid <= richer
    # It is the inverse of the cost: by then credit is used up, half an hour before it is not.
    if mid < end:
        assert told.cost_between(start_us=now, end_us=mid) >= credit - 1
        sooner = max(now, mid - SLOT_US)
        assert mid == now or told.cost_between(start_us=now, end_us=sooner) <= credit


_DEARER = ahead(DEARER)


def test_the_same_seed_gives_the_same_answer_alone_and_among_others_bit_for_bit() -> None:
    random = np.random.default_rng(11)
    rows = [random.integers(0, 20_000, size=56).tolist() for _ in range(5)]
    prices, days = _DEARER
    crowd = past(*rows[:2], rows[2][30:], rows[3], rows[4], wallets=[1, 2, 3, 4, 4])
    both = past(rows[3], rows[4], wallets=[4, 4])
    ask = {"prices": [prices], "starts_us": days.starts_us}
    among = outlooks(past=crowd, seed=8, **ask)
    assert among == outlooks(past=crowd, seed=8, **ask)
    assert outlooks(past=both, seed=8, **ask) == {4: among[4]}
    assert outlooks(past=past(rows[2][30:], wallets=[3]), seed=8, **ask) == {3: among[3]}
    assert outlooks(past=both, seed=9, **ask)[4].mid != among[4].mid
    # Two meters of one wallet share their weeks, so their tenths do not simply add up.
    alone = [outlooks(past=past(row), seed=8, **ask)[0] for row in rows[3:5]]
    assert among[4].high[-1] <= alone[0].high[-1] + alone[1].high[-1]
    assert among[4].last == tuple(2 * due for due in alone[0].last)
    drawn = picks(seed=8, draws=3)
    assert all(
        np.bincount((row * np.uint64(50)) >> np.uint64(32)).tolist() == [PATHS // 50] * 50 for row in drawn
    )
    # Frozen: a forecast of the past must come out the same in ten years.
    assert drawn[0, :3].tolist() == FROZEN


FROZEN = [2634583678, 2571626591, 2883325844]


def test_few_days_widen_the_range_unknown_days_are_not_days_without_use_and_an_empty_home_pays_its_standing() -> (
    None
):
    wide = [look(FLAT, [9_600, 9_000, 10_200] * (n // 3)) for n in (3, 27, 54)]
    width = [one.high[6] - one.low[6] for one in wide]
    assert width[0] > width[1] > width[2] > 0
    assert [one.history for one in wide] == [3, 27, 54]
    even, holes = look(FLAT, [8_000] * 56), look(FLAT, [8_000, UNKNOWN, 8_000, 8_000] * 14)
    assert even.mid == holes.mid and even.history > holes.history
    empty = look(DEARER, [0] * 56)
    assert empty.mid == (0,) * DAYS_AHEAD
    assert empty.runs_out(available_micro=3_300_000, now_us=NOW) == NOW + 10 * US_PER_DAY
    assert empty.runs_out(available_micro=100_000_000, now_us=NOW) is None
    assert empty.runs_out(available_micro=0, now_us=NOW) == NOW


def test_one_amount_is_suggested_through_the_holiday_to_the_usual_day_of_paying_or_for_thirty_days() -> None:
    told = look(FLAT, [9_600] * 56)
    ask = {"outlook": told, "now_us": NOW, "zone": "UTC", "owed_micro": 0}
    feast = {date(2026, 2, 24) + timedelta(days=n) for n in range(4)}
    monthly = [date(2025, 11, 5), date(2025, 12, 5), date(2026, 1, 6), date(2026, 2, 5)]
    none: dict[str, Any] = {"holidays": set(), "paid_on": []}
    through = suggest(**ask, available_micro=10_000_000, holidays=feast, paid_on=monthly)
    # Tuesday to Friday, and the weekend after it.
    assert through is not None and (through.until, through.until_us) == ("holiday", NOW + 10 * US_PER_DAY)
    # With credit for longer than that, the holiday is no reason.
    beyond = suggest(**ask, available_micro=60_000_000, holidays=feast, paid_on=[])
    assert beyond is not None and beyond.until == "month"
    payday = suggest(**ask, available_micro=20_000_000, holidays=set(), paid_on=monthly)
    assert payday is not None and (payday.until, payday.until_us) == ("payday", NOW + 14 * US_PER_DAY)
    month = suggest(**ask, available_micro=20_000_000, **none)
    assert month is not None and (month.until, month.until_us) == ("month", NOW + 30 * US_PER_DAY)
    # It is what nine of ten cases need beyond what is there, and more where something is repaid first.
    cost = told.cost_between(start_us=NOW, end_us=month.until_us, side="high")
    assert month.amount_micro == cost - 20_000_000
    owing = suggest(**{**ask, "owed_micro": 7_000_000}, available_micro=20_000_000, **none)
    assert owing is not None and owing.amount_micro == month.amount_micro + 7_000_000
    assert suggest(**ask, available_micro=cost, **none) is None


def test_days_that_were_dark_are_no_habit_and_what_a_silent_meter_told_at_once_is_spread() -> None:
    energy = np.array([[8_000, UNKNOWN, UNKNOWN, 24_000, 7_000, 9_000, 100, 0, 8_000]], dtype=np.int64)
    close = np.array([[5, 1, 1, 5, 5, 5, 0, -1, 5]], dtype=np.int64)
    clean = known_days(energy_wh=energy, close_micro=close)
    assert clean.tolist() == [[8_000, 8_000, 8_000, 8_000, 7_000, 9_000, UNKNOWN, UNKNOWN, 8_000]]


def test_a_home_is_warned_about_three_days_ahead_and_sooner_where_one_day_in_twenty_is_dear() -> None:
    even = look(FLAT, [9_600] * 56)
    assert warning_level_micro(outlook=even, days=3) == 4_800_000 * 7 // 2
    away = look(FLAT, ([20_000] * 4 + [400] * 10) * 4)
    quiet = look(FLAT, ([400] * 14) * 4)
    assert warning_level_micro(outlook=away, days=3) > 2 * warning_level_micro(outlook=quiet, days=3)
    assert warning_level_micro(outlook=away, days=3) >= away.day_micro * 3 // 2

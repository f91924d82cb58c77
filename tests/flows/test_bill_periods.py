"""By `bill` on a live wallet: counted and settled by the month that begins on the day the account was opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fairwatt.server.launcher.services import Services
from flows.test_explain import explained, replayed
from flows.test_windows import HEAD, charged, close, set_values, true_ups
from support.desk import Desk, opened_desk
from support.laws import check_laws
from support.street import DAY_US, HOUR_US, Street

pytestmark = pytest.mark.usefixtures("house")

BY_BILL = (
    HEAD
    + """
      - energy: {counter: bill, per_days: 30, blocks: [20, 60], prices: ["0.11", "0.2303", "0.4"]}
      - standing: {per_day: "0.251"}
      - standing: {name: by use, by: use, bands: [{upto: 30, per_bill: "1"}, {per_bill: "2.5"}]}
      - minimum: {per_bill: "19.123457", on: [energy]}
      - demand: {per_kw: "1.77", window: bill, interval_min: 60}
      - rebate: {name: subsidy, window: bill, on: [all], cases: [{upto: 40, percent: "50"}, {percent: "10", cap: "3"}]}
      - tax: {name: VAT, percent: "5.5", on: [all]}
"""
)


def london_us(month: int, day: int, year: int = 2013, zone: str = "Europe/London") -> int:
    return int(datetime(year, month, day, tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp()) * 1_000_000


@contextmanager
def opened(tariff: str, opened_us: int) -> Iterator[Desk]:
    street = Street(tariff=tariff, opened_us=opened_us)
    with opened_desk(street) as desk:
        yield desk
        check_laws(street.book, acked=desk.acked, judged=False)


def bills(tariff: str, shown: list[tuple[int, int]], edges: list[int], **account: int) -> int:
    """What the rating core bills for each period in turn, from the tariff as it was written."""
    from fairwatt.core.rating.bill import bill
    from fairwatt.core.rating.tariff_file import parse_schedule
    from fairwatt.core.spans import Span

    total, readings = 0, [(edges[0], 0), *shown]
    used = [(later[0], later[1] - earlier[1]) for earlier, later in pairwise(readings)]
    for start_us, end_us in pairwise(edges):
        mine = [row for row in used if start_us < row[0] <= end_us]
        made = bill(
            schedule=parse_schedule(tariff),
            readings=mine,
            span=Span(start_us, end_us),
            account=account or None,
        )
        total += made.wallet_micro
    return total


@settings(
    max_examples=8,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    day=st.sampled_from([1, 10, 28]),
    steps=st.lists(st.tuples(st.integers(1, 400), st.integers(0, 9_999)), min_size=1, max_size=6),
    data=st.data(),
)
def test_a_period_comes_to_its_bill_to_the_micro_unit_in_any_order(
    house: Services, day: int, steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    start_us, end_us = london_us(7, day), london_us(8, day)
    shown, at, wh = [], start_us, 0
    for hours, used in steps:
        at, wh = at + hours * HOUR_US // 2, wh + used
        if at < end_us:
            shown.append((at, wh))
    shown.append((end_us, wh))
    now = end_us + DAY_US
    with opened(BY_BILL, start_us) as desk:
        meter = desk.home()
        for part in data.draw(st.permutations(shown), label="arrivals"):
            desk.read(meter, *part, now_us=now)
            close(desk, now)
        assert charged(desk, meter) == bills(BY_BILL, shown, [start_us, end_us])
        assert all(account.differences == () for account in explained(desk))
        assert replayed(desk).slips == []


def test_two_periods_are_two_bills_and_neighbours_have_days_of_their_own() -> None:
    tenth, later = london_us(7, 10), london_us(7, 15)
    with opened(BY_BILL, tenth) as desk:
        first = desk.home()
        desk.street.opened_us = later
        second = desk.home()
        ends = {first: [tenth, london_us(8, 10), london_us(9, 10)], second: [later, london_us(8, 15)]}
        shown: dict[int, list[tuple[int, int]]] = {first: [], second: []}
        wh = 0
        for month, day in [(7, 20), (8, 10), (8, 15), (8, 29), (9, 10)]:
            wh += 17_003
            for meter in (first, second):
                at = london_us(month, day)
                desk.read(meter, at, wh)
                if at <= ends[meter][-1]:
                    shown[meter].append((at, wh))
        assert close(desk, london_us(9, 10)) == 3
        assert len(desk.state.plans) == 3, "the tariff, and once for each day"
        owed = bills(BY_BILL, shown[first], ends[first])
        # The fraction of a micro-unit in each component goes on from one period to the next.
        assert abs(charged(desk, first) - owed) <= 3
        assert (len(true_ups(desk, first)), len(true_ups(desk, second))) == (2, 1)


def test_an_account_of_the_31st_is_settled_on_the_28th() -> None:
    opened_us = london_us(7, 31)
    with opened(BY_BILL, opened_us) as desk:
        meter = desk.home()
        desk.read(meter, london_us(8, 28), 5_000)
        assert close(desk, london_us(8, 28)) == 1
        [settled] = [e.evidence for e in desk.events("window.settled")]
        assert (settled["window_us"], settled["end_us"]) == (london_us(7, 28), london_us(8, 28))


def test_the_tariff_may_name_the_day_itself() -> None:
    tariff = BY_BILL.replace("counter: bill,", "counter: bill, start_day: 15,")
    with opened(tariff, london_us(7, 15)) as desk:
        meter = desk.home()
        desk.street.opened_us = london_us(7, 20)
        other = desk.home()
        for home in (meter, other):
            desk.read(home, london_us(8, 15), 31_007)
        assert close(desk, london_us(8, 15)) == 2
        shown = [(london_us(8, 15), 31_007)]
        assert charged(desk, meter) == bills(tariff, shown, [london_us(7, 15), london_us(8, 15)])


@pytest.mark.parametrize("company", ["", ".brpl", ".bypl", ".tpddl"])
def test_the_tariffs_of_delhi_are_charged_live(company: str) -> None:
    name = f"in-delhi-domestic{company}.yaml"
    text = resources.files("fairwatt.tariffs").joinpath(name).read_text(encoding="utf-8")
    zone = "Asia/Kolkata"
    start_us, end_us = (london_us(month, 1, 2024, zone) for month in (6, 7))
    with opened(text, start_us) as desk:
        meter = desk.home()
        set_values(desk, start_us, start_us + HOUR_US, kw=3_000)
        desk.post(now_us=start_us + HOUR_US)
        desk.open(now_us=start_us + HOUR_US)
        shown = [(start_us + 11 * DAY_US, 150_000), (end_us, 350_000)]
        for at, wh in shown:
            desk.read(meter, at, wh)
        close(desk, end_us)
        assert charged(desk, meter) == bills(text, shown, [start_us, end_us], kw=3_000)
        told: list[Any] = explained(desk)
        assert all(account.differences == () for account in told)


def test_versions_that_would_be_cut_by_each_other_are_refused_by_name() -> None:
    from fairwatt.core.rating.closing import NotLive, refuse_unchargeable
    from fairwatt.core.rating.tariff_file import parse_schedule

    monthly = BY_BILL[BY_BILL.index("      - energy") :].replace("bill", "month")
    both = (
        BY_BILL
        + "  - effective: 2013-10-01\n    elements:\n"
        + monthly.replace("window: month", "window: month")
    )
    with pytest.raises(NotLive, match="different windows"):
        refuse_unchargeable(parse_schedule(both))

"""What is known only when a window closes is posted as one visible line, once, and comes to what a bill would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fairwatt.server.launcher.services import Services
from support.costs import flush, run_due
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, HOUR_US, NOON_US, Street, reading

pytestmark = pytest.mark.usefixtures("house")

JULY_US = 1_372_633_200_000_000
"""2013-07-01 00:00 in London"""
AUGUST_US = JULY_US + 31 * DAY_US
SEPTEMBER_US = AUGUST_US + 31 * DAY_US
HEAD = """
fairwatt_tariff: 1
name: Windows
currency: GBP
zone: Europe/London
parameters:
  persons: {default: "2"}
versions:
  - effective: 2013-01-01
    elements:
"""
MINIMUM = (
    HEAD
    + """
      - energy: {price: "0.20"}
      - standing: {per_day: "0.25"}
      - minimum: {per_month: "12.345678"}
      - tax: {name: VAT, percent: "5.5", on: [all]}
"""
)
DEMAND = (
    HEAD
    + """
      - energy: {price: "0.20"}
      - demand: {per_kw: "7.77", interval_min: 30}
      - tax: {name: VAT, percent: "19", on: [all]}
"""
)
WHOLE = (
    HEAD
    + """
      - energy: {counter: month, band: whole, blocks: [50, 100], prices: ["0.30", "0.20", "0.40"]}
      - tax: {name: VAT, percent: "5", on: [energy]}
"""
)
PERSONS = (
    HEAD
    + """
      - energy:
          counter: year
          blocks: [100]
          prices: ["0.10", "0.50"]
          extra: [{parameter: persons, above: 2, each: "50"}]
"""
)


@contextmanager
def windows(tariff: str, **wishes: Any) -> Iterator[Desk]:
    """A desk whose laws are checked at the end, but for the oracle, which knows no such tariff."""
    street = Street(tariff=tariff, opened_us=JULY_US)
    with opened_desk(street) as desk:
        yield desk
        check_laws(street.book, acked=desk.acked, judged=False)


def close(desk: Desk, now_us: int) -> int:
    """Look at the calendar and post what fell due."""
    return run_due(desk, now_us)


def true_ups(desk: Desk, meter: int) -> list[Any]:
    wallet = desk.street.wallets[desk.street.homes.index(meter)]
    return [line for line in desk.lines() if line.wallet == wallet and line.kind == 8]


def charged(desk: Desk, meter: int) -> int:
    wallet = desk.street.wallets[desk.street.homes.index(meter)]
    return -sum(line.amount_micro for line in desk.lines() if line.wallet == wallet and line.kind != 2)


def billed(tariff: str, readings: list[tuple[int, int]], start_us: int, end_us: int, **account: int) -> int:
    """What the rating core takes from the wallet for the registers shown, the first since zero."""
    from fairwatt.core.rating.bill import bill
    from fairwatt.core.rating.tariff_file import parse_schedule
    from fairwatt.core.spans import Span

    used, before = [], 0
    for at, wh in readings:
        used.append((at, wh - before))
        before = wh
    made = bill(
        schedule=parse_schedule(tariff), readings=used, span=Span(start_us, end_us), account=account or None
    )
    return made.wallet_micro


def test_a_month_below_the_minimum_is_filled_up_once() -> None:
    with windows(MINIMUM) as desk:
        meter = desk.home()
        desk.pay(meter, 100_00, now_us=JULY_US + HOUR_US)
        shown = [(JULY_US + 10 * DAY_US, 3_001), (AUGUST_US, 7_003)]
        for at, wh in shown[:1]:
            desk.read(meter, at, wh)
        assert close(desk, AUGUST_US + HOUR_US) == 0, "nothing was read since the month ended"
        desk.read(meter, AUGUST_US, shown[1][1], now_us=AUGUST_US + HOUR_US)
        assert close(desk, AUGUST_US + HOUR_US) == 1
        assert close(desk, AUGUST_US + 2 * HOUR_US) == 0
        [line] = true_ups(desk, meter)
        assert line.amount_micro < 0
        assert charged(desk, meter) == billed(MINIMUM, shown, JULY_US, AUGUST_US)
        assert [event.reason for event in desk.events("window.settled")] == ["closed"]


def test_the_highest_half_hour_of_a_month_is_paid_when_it_ends() -> None:
    with windows(DEMAND) as desk:
        meter = desk.home()
        half_us = HOUR_US // 2
        steps = [300, 2_150, 100, 0, 1_999]
        shown, wh = [], 0
        for k, used in enumerate(steps):
            wh += used
            shown.append((JULY_US + (k + 1) * half_us, wh))
        shown.append((AUGUST_US, wh + 40))
        desk.post(desk.street.readings(*(reading(meter, at, w) for at, w in shown)), now_us=AUGUST_US)
        assert close(desk, AUGUST_US) == 1
        [line] = true_ups(desk, meter)
        assert line.standing_micro == 33_411_000, "4.3 kW at 7.77"
        assert line.tax_micro == 33_411_000 * 19 // 100
        assert charged(desk, meter) == billed(DEMAND, shown, JULY_US, AUGUST_US)


def test_a_late_reading_after_the_close_settles_a_whole_band_again_and_gives_money_back() -> None:
    with windows(WHOLE) as desk:
        meter = desk.home()
        desk.pay(meter, 100_00, now_us=JULY_US + HOUR_US)
        desk.read(meter, JULY_US + 20 * DAY_US, 45_000)
        after = AUGUST_US + 10 * DAY_US
        desk.read(meter, after, 121_000)
        assert close(desk, after) == 1
        late = (AUGUST_US, 48_000)
        desk.read(meter, *late, now_us=after + HOUR_US)
        assert close(desk, after + HOUR_US) == 1
        assert close(desk, after + 2 * HOUR_US) == 0
        first, second = true_ups(desk, meter)
        kept = [(JULY_US + 20 * DAY_US, 45_000), late]
        july = -sum(line.amount_micro for line in desk.lines() if line.kind != 2)
        august = 50_000 * 300 + 23_000 * 200
        assert july - august * 105 // 100 == billed(WHOLE, kept, JULY_US, AUGUST_US)
        assert first.amount_micro != 0 != second.amount_micro
        assert [event.reason for event in desk.events("window.settled")] == ["closed", "again"]


def test_an_edit_of_a_closed_window_settles_it_again() -> None:
    from support.corrections import edit

    with windows(MINIMUM) as desk:
        meter = desk.home()
        desk.pay(meter, 100_00, now_us=JULY_US + HOUR_US)
        desk.read(meter, JULY_US + DAY_US, 1_000)
        desk.read(meter, AUGUST_US, 2_000)
        desk.read(meter, AUGUST_US + DAY_US, 90_000)
        now = AUGUST_US + DAY_US
        assert close(desk, now) == 1
        edit(desk, AUGUST_US, 80_000, now_us=now)
        desk.post(now_us=now)
        desk.open(now_us=now)
        assert close(desk, now) == 1
        first, again = true_ups(desk, meter)
        assert (first.amount_micro < 0, first.amount_micro + again.amount_micro) == (True, 0), "a retreat"


def set_values(desk: Desk, from_us: int, now_us: int, n: int = 0, **values: int) -> int:
    from fairwatt.flows.account_values import set_account_values

    with as_role("migrate"):
        return set_account_values(
            installation_id=desk.street.installations[n],
            values=values,
            from_us=from_us,
            author="ada",
            now_us=now_us,
        )


def test_persons_raise_the_bounds_from_their_day_on() -> None:
    with windows(PERSONS) as desk:
        more, same = desk.home(), desk.home()
        for meter in (more, same):
            desk.read(meter, JULY_US + 9 * DAY_US, 90_000)
        tenth = JULY_US + 10 * DAY_US
        set_values(desk, tenth, tenth - HOUR_US, persons=4_000)
        result = desk.post(now_us=tenth - HOUR_US)
        assert result.reload and result.regrant == {desk.street.wallets[0]}
        desk.open(now_us=tenth - HOUR_US)
        for meter in (more, same):
            desk.read(meter, tenth, 120_000)
            desk.read(meter, tenth + DAY_US, 220_000)
        assert charged(desk, same) == 100_000 * 100 + 120_000 * 500
        assert charged(desk, more) == 100_000 * 100 + 20_000 * 500 + 80_000 * 100 + 20_000 * 500
        from flows.test_explain import explained, replayed

        assert all(account.differences == () for account in explained(desk))
        assert replayed(desk, 0).slips == []


@pytest.mark.parametrize(
    ("values", "from_day", "says"),
    [
        ({"rooms": 1_000}, 12, "asks for no parameter 'rooms'"),
        ({"persons": -1}, 12, "below zero"),
        ({"persons": 3_000}, 2, "still to come"),
    ],
)
def test_a_value_the_tariff_cannot_use_is_refused(values: dict[str, int], from_day: int, says: str) -> None:
    from fairwatt.flows.account_values import AccountValueRefused

    with windows(PERSONS) as desk:
        meter = desk.home()
        desk.read(meter, JULY_US + 9 * DAY_US, 90_000)
        with pytest.raises(AccountValueRefused, match=says):
            set_values(desk, JULY_US + from_day * DAY_US, JULY_US + 11 * DAY_US, **values)


def test_before_the_first_charge_values_hold_from_the_opening_and_homes_alike_share_a_plan() -> None:
    with windows(PERSONS) as desk:
        homes = [desk.home(), desk.home(), desk.home()]
        for n in (0, 1):
            set_values(desk, JULY_US, JULY_US + HOUR_US, n=n, persons=3_000)
        desk.post(now_us=JULY_US + HOUR_US)
        desk.open(now_us=JULY_US + HOUR_US)
        assert len(desk.state.plans) == 2
        for meter in homes:
            desk.read(meter, JULY_US + DAY_US, 150_000)
        assert [charged(desk, meter) for meter in homes] == [15_000_000, 15_000_000, 35_000_000]


def test_a_crash_between_fact_and_posting_and_facts_raised_twice_post_once() -> None:
    from fairwatt.flows.raise_due import raise_due
    from fairwatt.store import facts

    with windows(MINIMUM) as desk:
        meter = desk.home()
        desk.read(meter, AUGUST_US, 0)
        flush(desk, AUGUST_US)
        assert raise_due(book_id=desk.street.book, now_us=AUGUST_US) == 1
        assert raise_due(book_id=desk.street.book, now_us=AUGUST_US) == 0
        from django.db import connection, transaction

        with transaction.atomic(), connection.cursor() as cursor:
            for key, window_us in (("again", JULY_US), ("never", JULY_US + 1), ("early", AUGUST_US)):
                facts.add(
                    cursor=cursor,
                    book=desk.street.book,
                    kind="window_close",
                    natural_key=key,
                    wallet=None,
                    payload={"installation": desk.street.installations[0], "window_us": window_us},
                    raw=b"",
                    now_us=AUGUST_US,
                )
        desk.open(now_us=AUGUST_US)  # the poster died after the fact was committed
        assert len(true_ups(desk, meter)) == 1
        assert {e.reason for e in desk.events("fact.refused")} == {"window_unknown", "window_open"}
        assert charged(desk, meter) == billed(MINIMUM, [(AUGUST_US, 0)], JULY_US, AUGUST_US)


def test_a_true_up_that_empties_a_wallet_warns_before_any_cut_and_sends_a_grant() -> None:
    with windows(MINIMUM) as desk:
        meter = desk.home()
        desk.pay(meter, 15_00, now_us=JULY_US + HOUR_US)
        morning = AUGUST_US + 10 * HOUR_US
        desk.read(meter, morning, 0)
        before = len(desk.orders())
        assert desk.balance(meter) > 0
        assert close(desk, morning) == 1
        assert desk.balance(meter) <= 0
        assert len(desk.events("credit.corrected")) == 1
        assert desk.events("warning.empty")
        assert not desk.events("supply.cut")
        assert len(desk.orders()) > before


def test_a_line_of_a_closed_window_is_explained_by_working_it_out_again() -> None:
    from flows.test_explain import explained

    with windows(WHOLE) as desk:
        meter = desk.home()
        desk.read(meter, JULY_US + 20 * DAY_US, 45_000)
        desk.read(meter, AUGUST_US + 10 * DAY_US, 121_000)
        close(desk, AUGUST_US + 10 * DAY_US)
        desk.read(meter, AUGUST_US, 48_000, now_us=AUGUST_US + 11 * DAY_US)
        close(desk, AUGUST_US + 11 * DAY_US)
        told = [account for account in explained(desk) if account.what == "true_up"]
        assert len(told) == 2
        assert all(account.recomputed and account.differences == () for account in told)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("persons", "persons"), None),
        (('standing: {per_day: "0.25"}', 'standing: {per_day: "0.25", vacant: none}'), None),
        (('standing: {per_day: "0.25"}', 'standing: {per_day: "0.25", vacant: owner}'), "vacant"),
        (('standing: {per_day: "0.25"}', 'vending: {name: rent, per_month: "4"}'), "till"),
        (
            (
                'energy: {price: "0.20"}',
                'energy: {counter: purchase_month, blocks: [50], prices: ["0.2", "0.3"]}',
            ),
            "bought",
        ),
    ],
)
def test_what_no_wallet_can_be_charged_is_refused_by_name(change: tuple[str, str], says: str | None) -> None:
    from fairwatt.flows.provision import TariffNotLive, publish_tariff

    street = Street(opened_us=JULY_US)
    with as_role("migrate"):
        wishes: dict[str, Any] = {"book_id": street.book, "slug": "new", "name": "New", "now_us": NOON_US}
        if says is None:
            publish_tariff(text=MINIMUM.replace(*change), **wishes)
            return
        with pytest.raises(TariffNotLive, match=says):
            publish_tariff(text=MINIMUM.replace(*change), **wishes)


elements = st.sampled_from(
    [
        '- minimum: {per_month: "9.13"}',
        '- minimum: {name: least, per_day: "0.41", on: [energy, standing]}',
        '- demand: {per_kw: "3.3", interval_min: 60, least_kw: "0.5"}',
        '- rebate: {name: subsidy, on: [energy], cases: [{upto: 40, percent: "100"}, {percent: "50", cap: "8"}]}',
        '- standing: {name: by use, by: use, bands: [{upto: 30, per_month: "1"}, {per_month: "2.5"}]}',
    ]
)
energies = st.sampled_from(
    [
        'energy: {price: "0.2107"}',
        'energy: {counter: month, band: whole, blocks: [30, 60], prices: ["0.3", "0.21", "0.4"]}',
        'energy: {counter: month, blocks: [30], prices: ["0.1", "0.337"]}',
    ]
)


@settings(
    max_examples=12,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    energy=energies,
    more=st.lists(elements, max_size=3, unique=True),
    percent=st.sampled_from(["0.1", "5", "19.6"]),
    steps=st.lists(st.tuples(st.integers(1, 200), st.integers(0, 9_999)), min_size=1, max_size=6),
    data=st.data(),
)
def test_a_live_month_comes_to_its_bill_to_the_micro_unit_in_any_order(
    house: Services,
    energy: str,
    more: list[str],
    percent: str,
    steps: list[tuple[int, int]],
    data: st.DataObject,
) -> None:
    lines = [f"- {energy}", '- standing: {per_day: "0.123457"}', *more]
    lines.append(f'- tax: {{name: VAT, percent: "{percent}", on: [all]}}')
    tariff = HEAD + "".join(f"      {line}\n" for line in lines)
    shown, at, wh = [], JULY_US, 0
    for hours, used in steps:
        at, wh = at + hours * HOUR_US // 2, wh + used
        if at < AUGUST_US:
            shown.append((at, wh))
    shown.append((AUGUST_US, wh))
    now = AUGUST_US + DAY_US
    with windows(tariff) as desk:
        meter = desk.home()
        for part in data.draw(st.permutations(shown), label="arrivals"):
            desk.read(meter, *part, now_us=now)
            close(desk, now)
        assert charged(desk, meter) == billed(tariff, shown, JULY_US, AUGUST_US)

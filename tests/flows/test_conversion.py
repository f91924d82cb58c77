"""Gas is metered in litres and charged in kWh, live: the energy is the growth of the converted register."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise
from math import floor
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fairwatt.server.launcher.services import Services
from flows.test_explain import explained, replayed
from flows.test_windows import charged, close, true_ups, windows
from support.corrections import edit
from support.street import DAY_US, HOUR_US, Street, reading

pytestmark = pytest.mark.usefixtures("house")

JULY_US = 1_372_633_200_000_000
AUGUST_US = JULY_US + 31 * DAY_US
MODULUS = 10**9
FACTOR = Fraction("1.02264") * Fraction("39.5") / Fraction("3.6")
GAS = """
fairwatt_tariff: 1
name: Gas
currency: GBP
zone: Europe/London
conversion: {multiply: ["1.02264", "39.5"], divide: ["3.6"]}
versions:
  - effective: 2013-01-01
    elements:
      - energy: {counter: month, blocks: [300], prices: ["0.0421", "0.0377"]}
      - standing: {per_day: "0.27"}
      - minimum: {per_month: "40.123456", on: [energy, standing]}
      - tax: {name: VAT, percent: "5.5", on: [all]}
  - effective: 2013-07-20
    elements:
      - energy: {counter: month, blocks: [250], prices: ["0.0512", "0.0401"]}
      - standing: {per_day: "0.28"}
      - minimum: {per_month: "40.123456", on: [energy, standing]}
      - tax: {name: VAT, percent: "5.5", on: [all]}
"""


def in_wh(litres: int) -> int:
    return floor(litres * FACTOR)


def billed(shown: list[tuple[int, int]], opening: int) -> int:
    """The bill of the rating core over July, from what the register showed."""
    from fairwatt.core.rating.bill import bill
    from fairwatt.core.rating.tariff_file import parse_schedule
    from fairwatt.core.spans import Span

    used = [(later[0], later[1] - earlier[1]) for earlier, later in pairwise([(JULY_US, opening), *shown])]
    span = Span(JULY_US, AUGUST_US)
    return bill(schedule=parse_schedule(GAS), readings=used, span=span, register=opening).wallet_micro


steps = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 3_000)), min_size=1, max_size=7)


@settings(
    max_examples=10,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps=steps, opening=st.sampled_from([0, 123_457]), data=st.data())
def test_a_month_of_gas_comes_to_its_bill_in_any_order_of_arrival(
    house: Services, steps: list[tuple[int, int]], opening: int, data: st.DataObject
) -> None:
    ats = accumulate((JULY_US, *(hours * HOUR_US for hours, _ in steps)))
    totals = accumulate((opening, *(litres for _, litres in steps)))
    shown = [pair for pair in zip(ats, totals, strict=True) if JULY_US < pair[0] < AUGUST_US]
    shown.append((AUGUST_US, shown[-1][1] + 7 if shown else opening))
    now = AUGUST_US + DAY_US
    with windows(GAS) as desk:
        meter = desk.home(opening_wh=opening)
        for part in data.draw(st.permutations(shown), label="arrivals"):
            desk.read(meter, *part, now_us=now)
            close(desk, now)
        assert charged(desk, meter) == billed(shown, opening)
        lines = [line for line in desk.lines() if line.kind in (1, 3, 7)]
        assert sum(line.energy_wh for line in lines) == in_wh(shown[-1][1]) - in_wh(opening)
        last = [line for line in lines if line.kind == 1][-1]
        assert last.register_wh == shown[-1][1], "the line keeps what the meter shows"
        assert all(account.differences == () for account in explained(desk))
        assert replayed(desk).slips == []


def test_nothing_is_lost_where_the_register_begins_again_however_it_is_read() -> None:
    shown = [MODULUS - 400, MODULUS - 7, 5, 999, 1_731]
    opening = MODULUS - 5_003
    orders = [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [2, 4, 1, 3, 0]]
    told = set()
    for order in orders:
        with windows(GAS) as desk:
            meter = desk.home(opening_wh=opening)
            for n in order:
                desk.read(meter, JULY_US + (n + 1) * DAY_US, shown[n], now_us=JULY_US + 9 * DAY_US)
            energy = sum(line.energy_wh for line in desk.lines())
            assert energy == in_wh(MODULUS) - in_wh(opening) + in_wh(shown[-1])
            assert all(account.differences == () for account in explained(desk))
            told.add((energy, charged(desk, meter)))
    assert len(told) == 1


def test_an_edit_changes_the_energy_by_what_the_litres_are_worth_and_settles_again() -> None:
    with windows(GAS) as desk:
        meter = desk.home()
        kept = [(JULY_US + DAY_US, 10_007), (AUGUST_US, 21_013)]
        for at, litres in (*kept[:1], (AUGUST_US, 31_013), (AUGUST_US + DAY_US, 31_999)):
            desk.read(meter, at, litres)
        now = AUGUST_US + DAY_US
        assert close(desk, now) == 1
        edit(desk, AUGUST_US, kept[1][1], now_us=now)
        desk.post(now_us=now)
        desk.open(now_us=now)
        close(desk, now)
        assert sum(line.energy_wh for line in desk.lines()) == in_wh(31_999)
        [first, again] = true_ups(desk, meter)
        from fairwatt.core.rating.segments import SegmentTable
        from fairwatt.core.rating.tariff_file import parse_schedule

        table = SegmentTable(schedule=parse_schedule(GAS))
        midnight = table.standing_between(start_us=AUGUST_US, end_us=now)[0]
        august = (in_wh(31_999) - in_wh(kept[1][1])) * 512 // 10 + midnight  # below 250 kWh, at 0.0512
        late = floor(Fraction(august) * Fraction("1.055"))
        assert abs(charged(desk, meter) - late - billed(kept, 0)) <= 3, "fractions are carried over the month"
        assert first.amount_micro != 0 != again.amount_micro
        assert all(account.differences == () for account in explained(desk))


def test_the_gateway_counts_gas_as_the_poster_does() -> None:
    from fairwatt.core.metering.register import RegisterSpec
    from fairwatt.edge.guard import Guard
    from fairwatt.wire.records import Reading, Relay

    with windows(GAS) as desk:
        meter = desk.home()
        desk.pay(meter, 20_00, now_us=JULY_US)
        desk.read(meter, JULY_US + HOUR_US, 0)
        grant: Any = desk.command(desk.orders()[-1]).body.grant
        spec = RegisterSpec(modulus_wh=MODULUS, resolution_wh=10, max_power_w=20_000)
        guard = Guard(specs={meter: spec})
        guard.take_grant(meter=meter, grant=grant)
        for day, litres in enumerate([333, 1_501, 27_777], start=1):
            at = JULY_US + day * DAY_US
            guard.take_reading(Reading(meter, at, litres, relay=Relay.CLOSED))
            desk.read(meter, at, litres)
            wallet = desk.street.wallets[0]
            assert guard.available_micro(wallet=wallet) == desk.balance(meter)


def test_a_batch_of_registers_equals_one_by_one() -> None:
    import numpy as np

    from fairwatt.core.rating.tariff_file import parse_schedule
    from fairwatt.core.rating.vector_conversion import billed_between

    schedule = parse_schedule(GAS)
    many = np.array([0, 1, 999, 123_456_789, MODULUS - 1], dtype=np.int64)
    for turn in range(len(many)):
        after = np.roll(many, turn)
        made = billed_between(schedule=schedule, before=many, after=after, modulus=MODULUS)
        assert made.tolist() == [
            schedule.grown(before=int(b), after=int(a), modulus=MODULUS)
            for b, a in zip(many, after, strict=True)
        ]


def test_a_correction_may_change_prices_of_gas_and_not_how_litres_become_energy() -> None:
    from fairwatt.flows.correct_tariff import CannotPlace
    from support.corrections import confirm, place

    with windows(GAS) as desk:
        meter = desk.home()
        shown = [(JULY_US + DAY_US, 10_007), (JULY_US + 9 * DAY_US, 20_011)]
        frame = desk.street.readings(*(reading(meter, at, wh) for at, wh in shown))
        desk.post(frame, now_us=JULY_US + 9 * DAY_US)
        now = JULY_US + 10 * DAY_US
        with pytest.raises(CannotPlace, match="litres"):
            place(desk.street, GAS.replace("39.5", "39.4"), now_us=now)
        right = GAS.replace('["0.0421", "0.0377"]', '["0.05", "0.04"]')
        confirm(desk.street, place(desk.street, right, now_us=now))
        desk.post(now_us=now)
        desk.open(now_us=now)
        energy = sum(line.energy_micro for line in desk.lines())
        assert energy == in_wh(20_011) * 50
        assert all(account.differences == () for account in explained(desk))


def test_what_is_shown_is_a_volume_before_and_an_energy_after() -> None:
    from fairwatt.web.design.arithmetic import steps as steps_of

    street = Street(tariff=GAS, opened_us=JULY_US)
    from support.desk import opened_desk

    with opened_desk(street) as desk:
        meter = desk.home()
        desk.read(meter, JULY_US + HOUR_US, 2_500)
        [account] = explained(desk)
        figures = {step.label: step.figure for step in steps_of(account=account)}
        assert (figures["Register after"], figures["Used"]) == ("2.5 m³", "28.051 kWh")

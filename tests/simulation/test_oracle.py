"""The second opinion: apart from the product, right on worked bills, of one mind with its rating."""

import ast
import sys
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwatt.core.rating.scalar import opening_state, rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import local_midnights
from fairwatt.simulate import oracle
from fairwatt.simulate.oracle import Account, Charge, Opening, OracleError, Tariff, Wallet, expect
from fairwatt.simulate.terms import ALL_TERMS, TARIFFS

HALF_HOUR = 1_800_000_000
FLAT = """
fairwatt_tariff: 1
name: Flat
currency: CNY
zone: Asia/Shanghai
versions:
  - effective: 2012-07-01
    elements: [{energy: {price: "0.538"}}]
"""
TIERS_TOU = """
fairwatt_tariff: 1
name: Tiers and hours
currency: CNY
zone: Asia/Shanghai
versions:
  - effective: 2012-07-01
    elements:
      - energy:
          counter: month
          blocks_kwh: [100]
          periods:
            - {name: peak, hours: ["08:00-22:00"], prices: ["0.568", "0.618"]}
            - {name: valley, hours: ["22:00-08:00"], prices: ["0.288", "0.338"]}
      - standing: {per_day: "0.30"}
      - tax: {name: VAT, percent: "13", on: [energy, standing]}
"""


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * 1_000_000


def bill(
    text: str, readings: list[tuple[str, int]], *, opening: tuple[str, int], counter_wh: int = 0
) -> Charge:
    start = Opening(at(opening[0]), opening[1], counter_wh)
    emitted = [(at(when), wh) for when, wh in readings]
    return expect(wallet=Wallet(0, text, [(start, emitted)])).charge


def test_the_oracle_imports_the_standard_library_and_yaml_and_nothing_else() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import would reach into the product"
            roots.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.Call):
            named = getattr(node.func, "id", getattr(node.func, "attr", ""))
            assert named not in {"__import__", "import_module", "exec", "eval"}
    assert roots <= set(sys.stdlib_module_names) | {"yaml"}


def test_a_flat_price_charges_energy_times_price() -> None:
    charge = bill(FLAT, [("2013-05-01T12:00+08:00", 250_000)], opening=("2013-05-01T10:00+08:00", 0))

    assert charge == Charge(energy_wh=250_000, energy_micro=134_500_000)


def test_the_second_block_begins_at_its_bound_and_counts_energy_of_every_period() -> None:
    charge = bill(
        TIERS_TOU,
        [
            ("2013-05-01T21:00+08:00", 90_000),
            ("2013-05-01T22:00+08:00", 95_000),
            ("2013-05-01T23:00+08:00", 115_000),
        ],
        opening=("2013-05-01T09:00+08:00", 0),
    )

    # 95 kWh of peak and 5 of valley in the first block, 15 of valley in the second.
    assert charge.energy_micro == 95 * 568_000 + 5 * 288_000 + 15 * 338_000
    assert charge.tax_micro == charge.energy_micro * 13 // 100


def test_energy_over_a_price_boundary_is_split_at_the_whole_watt_hour_below_the_straight_line() -> None:
    charge = bill(TIERS_TOU, [("2013-05-01T22:20+08:00", 1_001)], opening=("2013-05-01T21:50+08:00", 0))

    before = 1_001 * 10 // 30
    assert charge.energy_micro == (before * 568_000 + (1_001 - before) * 288_000) // 1000


def test_the_opening_day_is_free_and_each_midnight_costs_one_standing_charge() -> None:
    charge = bill(TIERS_TOU, [("2013-05-04T00:00+08:00", 0)], opening=("2013-05-01T00:00+08:00", 0))

    assert (charge.standing_micro, charge.tax_micro) == (900_000, 117_000)


def test_a_new_month_starts_the_tiers_again() -> None:
    charge = bill(
        TIERS_TOU,
        [("2013-06-01T00:00+08:00", 1_000), ("2013-06-01T01:00+08:00", 2_000)],
        opening=("2013-05-31T23:00+08:00", 0),
        counter_wh=500_000,
    )

    assert charge.energy_micro == 338_000 + 288_000


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2013-03-31", 23), ("2013-10-27", 25), ("2013-07-01", 24)],
    ids=["short", "long", "plain"],
)
def test_a_local_day_has_one_midnight_however_long_it_is(day: str, hours: int) -> None:
    tariff = Tariff(text=(TARIFFS / "street_gbp.yaml").read_text(encoding="utf-8"))
    first = oracle._instant(datetime.fromisoformat(day).date(), tariff.zone)

    midnights = tariff.midnights(after_us=first - 1, until_us=first + 30 * 2 * HALF_HOUR)

    assert midnights == [first, first + hours * 2 * HALF_HOUR]


def test_order_and_repetition_of_readings_change_nothing() -> None:
    opening = Opening(at("2013-05-01T09:00+08:00"), 0)
    emitted = [(opening.at_us + n * HALF_HOUR, n * 777) for n in range(1, 40)]
    shuffled = [*reversed(emitted), *emitted[::3]]

    straight = expect(wallet=Wallet(0, TIERS_TOU, [(opening, emitted)]))

    assert expect(wallet=Wallet(0, TIERS_TOU, [(opening, shuffled)])) == straight
    assert straight.refused == ()


def test_a_backward_register_costs_nothing_and_is_reported() -> None:
    opening = Opening(at("2013-05-01T09:00+08:00"), 5_000)
    emitted = [(opening.at_us + HALF_HOUR, 4_000), (opening.at_us + 2 * HALF_HOUR, 6_000)]

    expected = expect(wallet=Wallet(0, FLAT, [(opening, emitted)]))

    assert expected.refused == ((opening.at_us + HALF_HOUR, 4_000),)
    assert expected.charge.energy_micro == 538_000


def test_a_register_that_rolls_over_is_charged_for_what_was_used() -> None:
    opening = Opening(at("2013-05-01T09:00+08:00"), 999_999_500)

    expected = expect(wallet=Wallet(0, FLAT, [(opening, [(opening.at_us + HALF_HOUR, 500)])]))

    assert expected.charge.energy_wh == 1_000


def test_more_energy_than_the_meter_can_pass_is_refused_when_its_limit_is_known() -> None:
    opening = Opening(at("2013-05-01T09:00+08:00"), 0)
    wallet = Wallet(0, FLAT, [(opening, [(opening.at_us + HALF_HOUR, 50_000)])])

    assert expect(wallet=wallet, max_power_w=15_840).refused
    assert not expect(wallet=wallet).refused


def test_the_balance_is_what_came_in_less_what_was_used_on_every_meter() -> None:
    opening = Opening(at("2013-05-01T09:00+08:00"), 0)
    meter = (opening, [(opening.at_us + HALF_HOUR, 1_000)])

    expected = expect(wallet=Wallet(1_000_000, FLAT, [meter, meter], [5_000_000, 250_000]))

    assert expected.balance_micro == 6_250_000 - 2 * 538_000


def test_fractions_carry_from_reading_to_reading() -> None:
    opening = Opening(at("2013-05-01T09:00+08:00"), 0)
    emitted = [(opening.at_us + n, n) for n in range(1, 1001)]
    text = FLAT.replace("0.538", "0.000999")

    expected = expect(wallet=Wallet(0, text, [(opening, emitted)]))

    # Each watt-hour costs 0.999 micro-units: the first is free, a thousand of them cost 999.
    assert expected.charges[0][0].energy_micro == 0
    assert expected.charge.energy_micro == 999


def test_a_time_before_the_first_version_has_no_price() -> None:
    opening = Opening(at("2011-01-01T00:00+08:00"), 0)

    with pytest.raises(OracleError, match="no tariff version"):
        expect(wallet=Wallet(0, FLAT, [(opening, [(opening.at_us + HALF_HOUR, 10)])]))


@pytest.mark.parametrize("terms", ALL_TERMS, ids=lambda terms: terms.tariff_file)
def test_each_street_tariff_changes_when_its_terms_say(terms: object) -> None:
    assert isinstance(terms, type(ALL_TERMS[0]))
    assert Tariff(text=terms.tariff_text).effective_us[-1] == terms.change_us


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, Opening, list[tuple[int, int]]]:
    """A meter's readings around a price change, at odd instants, minutes to days apart."""
    terms = draw(st.sampled_from(ALL_TERMS))
    start_us = terms.change_us - draw(st.integers(0, 12 * 48)) * HALF_HOUR - draw(st.integers(0, 10**9))
    opening = Opening(
        start_us,
        draw(st.integers(0, 10**8)),
        counter_wh=draw(st.integers(0, 400_000)),
        carry_nano=draw(st.integers(0, 999)),
        carry_tax=draw(st.integers(0, 999_999_999)),
    )
    at_us, register_wh, emitted = start_us, opening.register_wh, []
    for gap, use in draw(
        st.lists(
            st.tuples(st.integers(1, 3 * 86_400_000_000), st.integers(0, 60_000)), min_size=1, max_size=12
        )
    ):
        at_us, register_wh = at_us + gap, register_wh + use
        emitted.append((at_us, register_wh))
    return terms.tariff_text, opening, emitted


@settings(max_examples=60)
@given(histories())
def test_oracle_and_product_agree_to_the_micro_unit_on_every_component(
    history: tuple[str, Opening, list[tuple[int, int]]],
) -> None:
    text, opening, emitted = history
    account = Account(oracle._tariff(text), opening)
    schedule = parse_schedule(text)
    table = SegmentTable(schedule=schedule)
    state = opening_state(
        schedule=schedule, at_us=opening.at_us, register_wh=opening.register_wh, counter_wh=opening.counter_wh
    )
    state = type(state)(
        state.at_us,
        state.register_wh,
        state.counter_wh,
        state.window_us,
        opening.carry_nano,
        opening.carry_tax,
    )
    for at_us, register_wh in emitted:
        energy_wh = register_wh - state.register_wh
        charge, state = rate(
            table=table, state=state, at_us=at_us, register_wh=register_wh, energy_wh=energy_wh
        )
        theirs = Charge(charge.energy_wh, charge.energy_micro, charge.standing_micro, charge.tax_micro)
        assert account.read(at_us=at_us, register_wh=register_wh) == theirs


def test_reading_often_or_seldom_costs_the_same_where_the_boundaries_are_read() -> None:
    text = (TARIFFS / "street_gbp.yaml").read_text(encoding="utf-8")
    opening = Opening(round(datetime(2013, 3, 30, tzinfo=UTC).timestamp()) * 1_000_000, 0)
    often = [(opening.at_us + n * HALF_HOUR, n * 333) for n in range(1, 480)]
    tariff = oracle._tariff(text)
    edges = {*tariff.changes(after_us=opening.at_us, before_us=often[-1][0]), often[-1][0]}
    seldom = [reading for reading in often if reading[0] in edges]

    assert len(seldom) < len(often) // 3
    assert (
        expect(wallet=Wallet(0, text, [(opening, often)])).charge
        == expect(wallet=Wallet(0, text, [(opening, seldom)])).charge
    )


def test_an_exact_total_never_strays_from_the_sum_of_its_charges() -> None:
    text = (TARIFFS / "street_cny.yaml").read_text(encoding="utf-8")
    account = Account(oracle._tariff(text), Opening(at("2013-05-19T23:07+08:00"), 0))
    for n in range(1, 200):
        account.read(at_us=account.opening.at_us + n * 1_234_567_891, register_wh=n * 17)

    exact = sum(account._exact, Fraction(0))
    assert 0 <= exact - account.total.amount_micro < 2


@pytest.mark.parametrize(
    ("zone", "after", "midnights"),
    [
        # Newfoundland put its clocks back at 00:01, so that 7 November 2010 began, ended and began again.
        ("America/St_Johns", "2010-11-06T12:00Z", ["2010-11-07T02:30Z", "2010-11-08T03:30Z"]),
        # Brazil put its clocks forward at midnight: 21 October 2012 began at one o'clock.
        ("America/Sao_Paulo", "2012-10-20T12:00Z", ["2012-10-21T03:00Z", "2012-10-22T02:00Z"]),
    ],
)
def test_each_local_day_is_charged_once_though_its_midnight_comes_twice_or_never(
    zone: str, after: str, midnights: list[str]
) -> None:
    text = TIERS_TOU.replace("Asia/Shanghai", zone).replace("2012-07-01", "2009-01-01")
    span = at(after), at(after) + 2 * 86_400_000_000

    theirs = local_midnights(zone=zone, start_us=span[0], end_us=span[1])

    assert (
        Tariff(text=text).midnights(after_us=span[0], until_us=span[1])
        == [at(m) for m in midnights]
        == theirs
    )

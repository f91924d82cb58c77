"""A manager's tariff file is read exactly, or refused with its line and what is wrong there."""

import pytest
from hypothesis import given, settings

from core.builders import instant, schedules
from fairwatt.core.rating.elements.energy_blocks import (
    MAX_PRICE_MICRO,
    DoublyPriced,
    EnergyBlocks,
    Period,
    PriceOutOfRange,
    TariffError,
    UnpricedInstant,
)
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.model import Schedule, TariffVersion
from fairwatt.core.rating.tariff_file import (
    ScheduleObjError,
    TariffFileError,
    parse_schedule,
    schedule_from_obj,
    schedule_to_obj,
)

FULL = """\
fairwatt_tariff: 1
name: Riverside homes
currency: CNY
zone: Asia/Shanghai
versions:
  - effective: 2012-07-01
    name: opening prices
    elements:
      - energy:
          counter: month
          blocks_kwh: [100, 200.5]
          periods:
            - {name: peak, hours: ["08:00-22:00"], prices: ["0.568", "0.618", "0.868"]}
            - {name: valley, hours: ["22:00-08:00"], prices: ["0.288", "0.338", "-0.000001"]}
      - standing: {per_day: "0.30"}
      - tax: {name: VAT, percent: "7.25", on: [energy, standing]}
  - effective: 2013-01-01T06:30:00+08:00
    elements:
      - energy: {price: "0.538"}
"""


def test_the_dearest_price_is_that_of_any_version_period_and_block() -> None:
    assert parse_schedule(FULL).dearest_micro_per_kwh == 868_000


def test_a_full_file_is_read_exactly() -> None:
    schedule = parse_schedule(FULL)
    assert schedule == Schedule(
        "CNY",
        "Asia/Shanghai",
        (
            TariffVersion(
                1,
                instant("2012-07-01"),
                "opening prices",
                (
                    EnergyBlocks(
                        "month",
                        (100_000, 200_500),
                        (
                            Period("peak", ((480, 1320),), None, None, (568_000, 618_000, 868_000)),
                            Period("valley", ((1320, 1440), (0, 480)), None, None, (288_000, 338_000, -1)),
                        ),
                    ),
                    StandingCharge(300_000),
                    Tax("VAT", 725_000_000, frozenset({"energy", "standing"})),
                ),
            ),
            TariffVersion(
                2,
                instant("2013-01-01 06:30"),
                "2013-01-01T06:30:00+08:00",
                (EnergyBlocks.flat(price_micro=538_000),),
            ),
        ),
    )


def test_seasons_and_weekdays_are_read() -> None:
    text = FULL.replace(
        '{name: peak, hours: ["08:00-22:00"], prices: ["0.568", "0.618", "0.868"]}',
        '{name: peak, hours: ["08:00-22:00"], weekdays: [mon, sun], months: [7, 8], '
        'prices: ["1", "2", "3"]}\n'
        '            - {name: mild, hours: ["08:00-22:00"], weekdays: [tue, wed, thu, fri, sat], '
        'prices: ["1", "2", "3"]}\n'
        '            - {name: cool, hours: ["08:00-22:00"], weekdays: [mon, sun], '
        'months: [1, 2, 3, 4, 5, 6, 9, 10, 11, 12], prices: ["1", "2", "3"]}',
    )
    peak = parse_schedule(text).versions[0].energy.periods[0]
    assert (peak.weekdays, peak.months) == (frozenset({0, 6}), frozenset({7, 8}))


@pytest.mark.parametrize(
    ("old", "new", "line", "meaning"),
    [
        ("fairwatt_tariff: 1", "fairwatt_tariff: 2", 1, "reads tariff format 1"),
        ("currency: CNY", "curency: CNY", 3, "'curency' is not known here"),
        ("currency: CNY", "currency: CNY\ncurrency: GBP", 4, "written twice"),
        ("currency: CNY\n", "", 1, "'currency' is missing"),
        ("currency: CNY", "currency: yuan", 1, "ISO 4217"),
        ("zone: Asia/Shanghai", "zone: China", 4, "no time zone is called 'China'"),
        ("2012-07-01", "July 2012", 6, "neither a date"),
        ("2012-07-01", "2014-07-01", 17, "does not take effect after"),
        ("counter: month", "counter: week", 10, "none of none, day, month, year, bill, purchase_month"),
        ("counter: month\n          ", "", 10, "blocks need a counter"),
        ("[100, 200.5]", "[200, 100]", 11, "must rise"),
        ("[100, 200.5]", "[100, 200.0005]", 11, "more than 3 decimals"),
        ("[100, 200.5]", "[]", 11, "at least one entry"),
        ("08:00-22:00", "8-22", 13, "not a time of day"),
        ("08:00-22:00", "08:00-24:30", 13, "does not lie in a day"),
        ("08:00-22:00", "08:00-08:00", 13, "does not lie in a day"),
        ("08:00-22:00", "09:00-22:00", 10, "no period prices minute 480 (08:00) of a Monday"),
        ("08:00-22:00", "07:00-22:00", 10, "which another period prices too"),
        ('"0.568"', '"0.5680001"', 13, "more than 6 decimals"),
        ('"0.568"', '"5,68"', 13, "not a plain decimal"),
        ('"0.568"', '"1e3"', 13, "not a plain decimal"),
        ('"0.568"', '"99999999"', 13, "is the currency or the decimal point right"),
        ('"0.568", ', "", 13, "2 prices for 3 blocks"),
        ('percent: "7.25"', 'percent: "1001"', 16, "0 to 1000 percent"),
        ("on: [energy, standing]", "on: [water]", 16, "can lie on"),
        ("standing: {", "rent: {", 15, "'rent' is not known here"),
        ("standing: {", "standing: {", 0, ""),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_meaning(old: str, new: str, line: int, meaning: str) -> None:
    assert old in FULL
    text = FULL.replace(old, new, 1)
    if not line:
        assert parse_schedule(text)
        return
    with pytest.raises(TariffFileError) as refused:
        parse_schedule(text)
    assert (refused.value.line, meaning in str(refused.value)) == (line, True), str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "a: [", "just words", "- 1", "x: *y", "a: &b [1]\nc: *b", "[" * 5_000, "#" * 300_000]
)
def test_what_is_no_tariff_file_at_all_is_refused_politely(text: str) -> None:
    with pytest.raises(TariffFileError, match="line "):
        parse_schedule(text)


@given(schedules())
@settings(max_examples=50)
def test_a_schedule_survives_the_wire(tariff: Schedule) -> None:
    assert schedule_from_obj(schedule_to_obj(tariff)) == tariff


@pytest.mark.parametrize(
    "obj",
    [
        None,
        [2, "CNY", "Asia/Shanghai", []],
        [1, "CNY", "Asia/Shanghai", [[1, 0, "v"]]],
        [1, "CNY", "Asia/Shanghai", [[1, 0, "v", [[9, 1]]]]],
        [1, "CNY", "Asia/Shanghai", [[1, 0, "v", [[1, "none", [], [["p", [[0]], None, None, [1]]]]]]]],
        [
            1,
            "CNY",
            "Asia/Shanghai",
            [[1, 0, "v", [[1, "none", [], [["p", [[0, 1440]], None, None, [0.5]]]]]]],
        ],
        [1, "CNY", "Asia/Shanghai", [[1, 0, "v", [[1, "none", [], ["p"]]]]]],
        [1, "CNY", "Asia/Shanghai", [[1, 0, "v", [[3, "VAT", 1, [1]]]]]],
    ],
)
def test_anything_else_on_the_wire_is_no_schedule(obj: object) -> None:
    with pytest.raises(ScheduleObjError):
        schedule_from_obj(obj)


def everyday(*windows: tuple[int, int], price: int = 1) -> Period:
    return Period("p", windows, None, None, (price,))


def test_a_minute_without_a_price_or_with_two_is_refused_naming_it() -> None:
    with pytest.raises(UnpricedInstant, match=r"minute 1439 \(23:59\) of a Monday in month 1"):
        EnergyBlocks("none", (), (everyday((0, 1439)),))
    with pytest.raises(DoublyPriced, match=r"minute 719 \(11:59\) of a Monday in month 1"):
        EnergyBlocks("none", (), (everyday((0, 720)), everyday((719, 1440))))
    weekdays = Period("work", ((0, 1440),), None, frozenset(range(5)), (1,))
    with pytest.raises(UnpricedInstant, match="Saturday in month 1"):
        EnergyBlocks("none", (), (weekdays,))


def test_a_price_that_could_overflow_exact_rating_is_refused() -> None:
    EnergyBlocks.flat(price_micro=-MAX_PRICE_MICRO)
    with pytest.raises(PriceOutOfRange, match="decimal point"):
        EnergyBlocks.flat(price_micro=MAX_PRICE_MICRO + 1)
    with pytest.raises(PriceOutOfRange):
        StandingCharge(10**12)


def test_a_version_has_elements_and_each_has_a_name_of_its_own() -> None:
    flat, rent = EnergyBlocks.flat(price_micro=1), StandingCharge(1)
    for elements in ((), (flat, flat), (flat, rent, rent)):
        with pytest.raises(TariffError):
            TariffVersion(1, 0, "v", elements)


@pytest.mark.parametrize(
    "period",
    [
        lambda: everyday((720, 720)),
        lambda: everyday((0, 1441)),
        lambda: Period("p", ((0, 1440),), frozenset({0}), None, (1,)),
        lambda: Period("p", ((0, 1440),), None, frozenset({7}), (1,)),
    ],
)
def test_a_period_outside_the_calendar_is_refused(period: object) -> None:
    with pytest.raises(TariffError):
        period()  # type: ignore[operator]


def test_versions_come_in_order_with_rising_numbers() -> None:
    flat = (EnergyBlocks.flat(price_micro=1),)
    with pytest.raises(TariffError, match="at least one version"):
        Schedule("CNY", "Asia/Shanghai", ())
    with pytest.raises(TariffError, match="numbers must not fall"):
        Schedule("CNY", "Asia/Shanghai", (TariffVersion(2, 0, "a", flat), TariffVersion(1, 9, "b", flat)))

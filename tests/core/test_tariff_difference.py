"""Two texts of a tariff differ where they first price otherwise: also by a market price, a holiday, a default."""

import json
from datetime import date
from typing import Any

import pytest

from core.builders import instant
from fairwatt.core.rating.difference import first_difference_us, keeps_past_of
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR

ZONE = "Europe/London"
MARKET = {"energy": {"dynamic": {"series": "spot", "add": "0.02"}}}
BY_TYPE = {
    "energy": {
        "periods": [
            {"name": "holiday", "days": ["holiday"], "price": "0.10"},
            {"name": "rest", "otherwise": True, "price": "0.30"},
        ]
    }
}
SPOT_US = instant("2024-03-01", ZONE)


def tariff(*elements: dict[str, Any], later: dict[str, Any] | None = None, **head: Any) -> Schedule:
    versions = [{"effective": "2024-01-01", "elements": list(elements)}]
    versions += [{"effective": "2024-06-01", "elements": [later]}] if later else []
    said = {"fairwatt_tariff": 1, "name": "differs", "currency": "GBP", "zone": ZONE, "versions": versions}
    return parse_schedule(json.dumps({**said, **head}))


def spot(*prices: str, later: dict[str, Any] | None = None, element: Any = MARKET) -> Schedule:
    series = {"spot": {"step_min": 60, "start": "2024-03-01T00:00:00+00:00", "values": list(prices)}}
    return tariff(element, later=later, series=series)


def days(*dated: str) -> Schedule:
    return tariff(BY_TYPE, calendar={"holiday": list(dated)})


def test_a_market_price_rewritten_is_found_at_its_instant() -> None:
    old, new = spot("0.1", "0.2", "0.3"), spot("0.1", "0.9", "0.3")
    assert first_difference_us(old, old) is None
    assert first_difference_us(old, new) == SPOT_US + US_PER_HOUR
    assert keeps_past_of(new, old, now_us=SPOT_US)
    assert not keeps_past_of(new, old, now_us=SPOT_US + US_PER_HOUR)
    taken_away = spot("0.1")
    assert not keeps_past_of(taken_away, old, now_us=SPOT_US + US_PER_DAY)


def test_a_market_price_that_came_late_rewrites_nothing() -> None:
    old, new = spot("0.1"), spot("0.1", "0.2")
    assert first_difference_us(old, new) == SPOT_US + US_PER_HOUR
    assert keeps_past_of(new, old, now_us=SPOT_US + US_PER_DAY)


def test_a_series_counts_only_where_a_version_looks_at_it() -> None:
    flat = {"energy": {"price": "0.2"}}
    assert first_difference_us(spot("1", element=flat), spot("2", element=flat)) is None
    old, new = spot("1", element=flat, later=MARKET), spot("2", element=flat, later=MARKET)
    assert first_difference_us(old, new) is None, "the price that differs is over when the version begins"


def test_a_holiday_rewritten_is_found_at_the_start_of_its_local_day() -> None:
    old, new = days("2024-05-06", "2024-12-25"), days("2024-05-07", "2024-12-25")
    assert first_difference_us(old, new) == instant("2024-05-06", ZONE)
    assert not keeps_past_of(new, old, now_us=instant("2024-05-06", ZONE))
    assert keeps_past_of(new, old, now_us=instant("2024-05-05", ZONE))


def test_a_yearly_holiday_counts_from_the_first_year_on() -> None:
    old, new = days("2024-05-06"), days("2024-05-06", "02-29", "12-26")
    assert first_difference_us(old, new) == instant(str(date(2024, 2, 29)), ZONE)


@pytest.mark.parametrize("milli", ["1.0", "2.0"])
def test_a_default_changes_everything_from_the_beginning(milli: str) -> None:
    charge = {"standing": {"per_month": "1", "times": "kva"}}
    flat = {"energy": {"price": "0.2"}}
    old, new = (tariff(flat, charge, parameters={"kva": {"default": value}}) for value in ("1.0", milli))
    expected = None if milli == "1.0" else instant("2024-01-01", ZONE)
    assert first_difference_us(old, new) == expected

"""Local days, months and years are right where clocks change."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.builders import ZONES, instant
from fairwatt.core.spans import (
    Span,
    UnknownZone,
    date_start,
    from_datetime,
    local_date,
    local_day_start,
    local_midnights,
    month_start,
    to_datetime,
    year_start,
    zone_info,
)
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR

INSTANTS = st.integers(instant("1990-01-01"), instant("2045-01-01"))


@given(st.sampled_from(ZONES), INSTANTS)
def test_a_local_day_starts_with_the_first_instant_of_its_date(zone: str, at_us: int) -> None:
    start = local_day_start(zone=zone, at_us=at_us)
    assert start <= at_us
    assert local_date(zone=zone, at_us=start) == local_date(zone=zone, at_us=at_us)
    assert local_date(zone=zone, at_us=start - 1) < local_date(zone=zone, at_us=at_us)


@given(st.sampled_from(ZONES), INSTANTS, st.integers(0, 40 * US_PER_DAY), st.integers(0, 40 * US_PER_DAY))
def test_midnights_of_joined_spans_are_the_midnights_of_both(zone: str, a: int, ab: int, bc: int) -> None:
    def midnights(start: int, end: int) -> list[int]:
        return local_midnights(zone=zone, start_us=start, end_us=end)

    b, c = a + ab, a + ab + bc
    assert midnights(a, b) + midnights(b, c) == midnights(a, c)
    assert len(midnights(a, c)) == (local_date(zone=zone, at_us=c) - local_date(zone=zone, at_us=a)).days


def test_the_opening_midnight_is_left_out_and_the_closing_one_kept() -> None:
    day = [instant(f"2024-02-{d}") for d in (28, 29)] + [instant("2024-03-01")]
    assert local_midnights(zone="Asia/Shanghai", start_us=day[0], end_us=day[2]) == day[1:]
    assert local_midnights(zone="Asia/Shanghai", start_us=day[0], end_us=day[0]) == []


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/London", date(2024, 3, 31), 23),
        ("Europe/London", date(2024, 10, 27), 25),
        ("Australia/Lord_Howe", date(2024, 4, 7), 24.5),
        # Clocks skip midnight itself, and go back over it.
        ("Africa/Cairo", date(2024, 4, 26), 23),
        ("America/Havana", date(2024, 11, 3), 25),
        ("Asia/Shanghai", date(2024, 2, 29), 24),
    ],
)
def test_a_day_is_as_long_as_its_clocks_make_it(zone: str, day: date, hours: float) -> None:
    following = date.fromordinal(day.toordinal() + 1)
    assert date_start(zone=zone, day=following) - date_start(zone=zone, day=day) == int(hours * US_PER_HOUR)


def test_a_date_that_never_happened_has_no_midnight_of_its_own() -> None:
    zone = "Pacific/Apia"
    start, end = instant("2011-12-29 12:00", zone), instant("2011-12-31 12:00", zone)
    assert len(local_midnights(zone=zone, start_us=start, end_us=end)) == 1


def test_month_and_year_start_at_local_midnight() -> None:
    at_us = from_datetime(datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=zone_info("Asia/Shanghai")))
    assert month_start(zone="Asia/Shanghai", at_us=at_us) == instant("2024-02-01")
    assert month_start(zone="Asia/Shanghai", at_us=at_us + 1) == instant("2024-03-01")
    assert year_start(zone="Asia/Shanghai", at_us=at_us) == instant("2024-01-01")


@given(st.integers(-(2**55), 2**57))
def test_instants_survive_a_round_trip_through_datetime(us: int) -> None:
    assert from_datetime(to_datetime(us)) == us
    assert to_datetime(us).tzinfo is UTC


def test_a_time_without_a_zone_names_no_instant() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        from_datetime(datetime(2024, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Asia"])
def test_an_unknown_zone_is_named(name: str) -> None:
    with pytest.raises(UnknownZone, match="IANA"):
        zone_info(name)


def test_a_span_holds_its_start_and_not_its_end() -> None:
    span = Span(10, 20)
    assert 10 in span
    assert 20 not in span
    with pytest.raises(ValueError, match="before its start"):
        Span(2, 1)

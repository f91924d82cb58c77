"""How long credit lasts: exact for even days, honest about uneven ones, silent about too few."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.spans import local_date
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.web.forecast import HORIZON_DAYS, Forecast, days_until, forecast, pace_of

NOW_US = 1_700_000_000_000_000
YUAN = 1_000_000
ZONE = "Asia/Shanghai"


def told(available: int, costs: list[int]) -> Forecast:
    found = forecast(available_micro=available, pace=pace_of(costs_micro=costs), now_us=NOW_US, zone=ZONE)
    assert found is not None
    return found


def test_even_days_give_the_exact_date_and_no_range_to_speak_of() -> None:
    found = told(12 * 5 * YUAN, [5 * YUAN] * 14)
    assert found.days_left == 12
    assert found.runs_out_us == found.early_us == found.late_us == NOW_US + 12 * US_PER_DAY


def test_uneven_days_give_a_range_around_the_date() -> None:
    found = told(60 * YUAN, [2 * YUAN, 8 * YUAN] * 7)
    assert found.early_us is not None and found.late_us is not None and found.runs_out_us is not None
    assert found.early_us < found.runs_out_us < found.late_us


def test_two_days_of_history_are_too_few_to_speak() -> None:
    pace = pace_of(costs_micro=[YUAN] * 2)
    assert forecast(available_micro=60 * YUAN, pace=pace, now_us=NOW_US, zone=ZONE) is None


def test_four_days_give_a_date_but_no_range() -> None:
    found = told(8 * YUAN, [YUAN] * 4)
    assert (found.days_left, found.ranged, found.early_us, found.late_us) == (8, False, None, None)


def test_only_the_last_fourteen_days_count() -> None:
    assert pace_of(costs_micro=[100 * YUAN] * 30 + [YUAN] * 14).mean_micro == YUAN


@given(hours=st.integers(0, 24 * 59), minutes=st.integers(0, 59))
def test_the_days_left_are_the_days_to_the_date(hours: int, minutes: int) -> None:
    end_us = NOW_US + hours * US_PER_HOUR + minutes * US_PER_HOUR // 60
    left = days_until(zone=ZONE, now_us=NOW_US, end_us=end_us)
    if hours < 24:
        assert left == 0
    else:
        today, last = (local_date(zone=ZONE, at_us=at_us) for at_us in (NOW_US, end_us))
        assert today.toordinal() + left == last.toordinal()


def test_an_empty_wallet_has_no_forecast() -> None:
    pace = pace_of(costs_micro=[YUAN] * 14)
    assert forecast(available_micro=0, pace=pace, now_us=NOW_US, zone=ZONE) is None


def test_credit_beyond_the_horizon_names_no_date() -> None:
    assert told((HORIZON_DAYS + 5) * YUAN, [YUAN] * 14).runs_out_us is None


@given(
    costs=st.lists(st.integers(1, 50 * YUAN), min_size=5, max_size=20),
    credit=st.integers(1, 500 * YUAN),
    more=st.integers(0, 100 * YUAN),
)
def test_more_credit_never_runs_out_earlier(costs: list[int], credit: int, more: int) -> None:
    poorer, richer = told(credit, costs), told(credit + more, costs)
    end = NOW_US + 1000 * US_PER_DAY
    assert (poorer.runs_out_us or end) <= (richer.runs_out_us or end)
    assert (poorer.early_us or end) <= (richer.early_us or end)
    assert (poorer.early_us or end) <= (poorer.runs_out_us or end) + US_PER_HOUR

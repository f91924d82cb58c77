"""Checks and estimates of interval values: each rule bites, nothing is invented, registers are met to the watt-hour."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.metering.vee.estimate import SCALED, SOURCE, complete, supersedes
from fairwatt.core.metering.vee.methods import METHODS
from fairwatt.core.metering.vee.model import Case, Effect, Register, Row, Status, Value
from fairwatt.core.metering.vee.rules import ROW_RULES, SERIES_RULES
from fairwatt.core.metering.vee.scale import share_out
from fairwatt.core.metering.vee.validate import NothingToValidate, SpanTooLong, step_of, validate
from fairwatt.core.spans import Span

STEP = 1_800_000_000
DAY = 48 * STEP


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


START = at("2013-06-03")
"""A Monday."""


def rows(*wh: int | None, start: int = START) -> list[Row]:
    return [Row(n + 1, "m", start + n * STEP, use) for n, use in enumerate(wh)]


def case(found: list[Row], **changes: Any) -> Case:
    known: dict[str, Any] = {"step_us": STEP, "zone": "UTC", "now_us": at("2014-01-01"), **changes}
    return Case(rows=found, **known)


def rules_of(one: Case) -> dict[str, list[int]]:
    """The row numbers each rule found something in."""
    found: dict[str, list[int]] = {}
    for defect in validate(case=one).defects:
        found.setdefault(defect.rule, []).append(defect.row)
    return found


def without(found: list[Row], *numbers: int) -> list[Row]:
    return [row for row in found if row.number not in numbers]


WEEKS = rows(*[100 + n % 48 * 10 for n in range(28 * 48)])


# --- rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "row", "changes"),
    [
        ("meter_id", Row(49, "other", START + DAY, 5), {"meter": "m"}),
        ("time_check", Row(49, "m", at("2014-01-01"), 5), {}),
        ("off_grid", Row(49, "m", START + DAY + 7_000_000, 5), {}),
        ("null", Row(49, "m", START + DAY, None, text="Null"), {}),
        ("negative", Row(49, "m", START + DAY, -5), {}),
        ("over_limit", Row(49, "m", START + DAY, 9_001), {"limit_wh": 9_000}),
        ("source_doubt", Row(49, "m", START + DAY, 5, note="doubted"), {}),
        ("rounded", Row(49, "m", START + DAY, 5, note="rounded"), {}),
        ("duplicate_equal", Row(49, "m", START, 100), {}),
    ],
)
def test_a_row_that_is_wrong_is_named_by_its_rule(rule: str, row: Row, changes: dict[str, Any]) -> None:
    assert rules_of(case([*WEEKS[:48], row], **changes))[rule] == [49]


def test_two_values_for_one_instant_are_both_set_aside_and_estimated() -> None:
    one = case([*WEEKS[:10], Row(11, "m", WEEKS[5].at_us, 7_777)])
    done = complete(validated=validate(case=one))
    assert rules_of(one)["duplicate_different"] == [6, 11]
    assert done.values[5] == Value(WEEKS[5].at_us, 150, Status.ESTIMATED, "linear")


def test_one_row_may_break_two_rules_and_both_are_told() -> None:
    """The London home's "Null" stands at a stamp off the grid."""
    found = rules_of(case([*WEEKS[:4], Row(5, "m", START + 7_000_000, None, text="Null")]))
    assert found["null"] == found["off_grid"] == [5]


def test_a_clock_that_was_off_takes_every_row_out() -> None:
    with pytest.raises(NothingToValidate):
        validate(case=case(WEEKS[:48], clock_offset_us=-121_000_000))
    assert "clock_offset" not in rules_of(case(WEEKS[:48], clock_offset_us=120_000_000))


def test_a_spike_is_more_than_two_point_eight_times_the_third_peak() -> None:
    def day(peak: int) -> dict[str, list[int]]:
        return rules_of(case(rows(*[100, 110] * 23, 120, peak)))

    assert "spike" not in day(308)
    assert day(309)["spike"] == [48]


def test_a_stuck_value_is_told_from_true_zeros() -> None:
    found = rules_of(case(rows(5, 70, 70, 70, 3, 0, 0, 0, 9, 2, 2, 9, 9, 9)))
    assert found["frozen"] == [2]
    assert found["true_zero"] == [6]


def test_days_far_from_the_usual_are_named() -> None:
    use = [use for use in range(40, 64) for _ in range(2)]
    week = use * 10 + [wh * 5 for wh in use] + [0] * 47 + [3] + use
    found = {(d.rule, (d.at_us - START) // DAY) for d in validate(case=case(rows(*week))).defects}
    assert {("high_use", 10), ("low_use", 11)} <= found


def test_intervals_that_do_not_add_up_to_the_register_are_named_beyond_one_step_of_it() -> None:
    def found(register: int) -> bool:
        ends = (Register(START, 1_000), Register(START + 4 * STEP, 1_000 + register))
        return "sum_check" in rules_of(case(rows(10, 20, 30, 40), registers=ends, resolution_wh=10))

    assert [found(wh) for wh in (89, 90, 110, 111)] == [True, False, False, True]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/London", "2013-03-31", 23),
        ("Europe/London", "2013-10-27", 25),
        ("Asia/Shanghai", "2013-03-31", 24),
    ],
)
def test_a_day_has_as_many_intervals_as_hours_also_where_clocks_change(
    zone: str, day: str, hours: int
) -> None:
    start = at(day) - 2 * DAY
    whole = rows(*[n % 7 + 1 for n in range(5 * 48)], start=start)
    validated = validate(case=case(whole, zone=zone))
    assert "interval_count" not in {defect.rule for defect in validated.defects}
    lengths = [(span.end_us - span.start_us) // (2 * STEP) for span in validated.series.days()]
    assert hours in lengths
    holed = [
        d for d in validate(case=case(without(whole, 120), zone=zone)).defects if d.rule == "interval_count"
    ]
    assert len(holed) == 1


def test_every_rule_and_method_has_its_own_id_and_words() -> None:
    ids = [one.id for one in (*ROW_RULES, *SERIES_RULES, *METHODS)]
    assert len(set(ids)) == len(ids) == 23
    assert all(len(one.meaning) > 30 for one in (*ROW_RULES, *SERIES_RULES, *METHODS))


def test_a_wrong_year_is_refused_instead_of_filled() -> None:
    with pytest.raises(SpanTooLong, match="Row 48 and row 49"):
        validate(case=case([*WEEKS[:48], Row(49, "m", at("2020-01-01"), 1)], now_us=at("2024-01-01")))


def test_the_grid_is_what_most_stamps_share() -> None:
    stamps = [n * 900_000_000 for n in range(50)]
    assert step_of(instants=[*stamps, 7_000_000, stamps[3]]) == 900_000_000
    with pytest.raises(ValueError, match="minutes apart"):
        step_of(instants=[0, 420_000_000, 840_000_000])


# --- estimates --------------------------------------------------------------------------------------------------


def test_a_gap_of_two_hours_is_a_line_and_a_longer_one_the_mean_of_like_days() -> None:
    short = complete(validated=validate(case=case(without(WEEKS, *range(505, 509)))))
    assert [value.wh for value in short.estimated] == [340, 350, 360, 370]
    assert {value.rule for value in short.estimated} == {"linear"}
    long = complete(validated=validate(case=case(without(WEEKS, *range(481, 529)))))
    assert [value.wh for value in long.estimated] == [100 + n * 10 for n in range(48)]
    assert {(value.rule, value.status) for value in long.estimated} == {("like_days", Status.ESTIMATED)}


def test_a_weekday_is_estimated_from_weekdays_and_a_holiday_from_days_off() -> None:
    def use(n: int) -> int:
        return 900 if n // 48 % 7 >= 5 else 100 + n % 3

    whole = rows(*[use(n) for n in range(28 * 48)])
    holed = without(whole, *range(14 * 48 + 1, 15 * 48 + 1))  # a Monday

    def mean(**changes: Any) -> int:
        done = complete(validated=validate(case=case(holed, **changes)))
        return sum(value.wh for value in done.estimated) // 48

    assert mean() == 101
    assert mean(holidays=frozenset({date(2013, 6, 17)})) == 900


def test_a_day_with_an_outage_says_nothing_about_others() -> None:
    whole = rows(
        *[0 if 11 <= n // 48 < 14 else 500 for n in range(28 * 48)]
    )  # Friday to Sunday without supply
    holed = without(whole, *range(14 * 48 + 1, 15 * 48 + 1))
    out = (Span(START + 11 * DAY, START + 14 * DAY),)
    seen = complete(validated=validate(case=case(holed, outages=out)))
    assert {value.wh for value in seen.estimated} == {500}
    blind = complete(validated=validate(case=case(holed)))
    assert {value.wh for value in blind.estimated} == {333}


def test_a_value_that_was_itself_estimated_is_no_model_for_others() -> None:
    sent = [
        Row(r.number, "m", r.at_us, 9_999 if r.number <= 480 else r.wh, Status.ESTIMATED) for r in WEEKS[:480]
    ]
    holed = without([*sent, *WEEKS[480:]], *range(577, 577 + 48))
    done = complete(validated=validate(case=case(holed)))
    assert max(value.wh for value in done.estimated if value.rule == "like_days") < 1_000


def test_without_like_days_the_usual_shape_is_taken_at_the_meters_own_height() -> None:
    done = complete(validated=validate(case=case(without(rows(*[500] * 96), *range(30, 80)))))
    assert {value.rule for value in done.estimated} == {"profile"}
    assert 250 <= min(v.wh for v in done.estimated) < 500 < max(v.wh for v in done.estimated) < 800


holes = st.sets(st.integers(2, 28 * 48 - 1), min_size=1, max_size=200)


@given(
    holes=holes,
    gaps=st.lists(st.tuples(st.integers(1, 1_200), st.integers(1, 140)), max_size=3),
    marks=st.lists(st.integers(0, 28 * 48), min_size=2, max_size=6, unique=True),
    more=st.lists(st.integers(0, 50_000), min_size=6, max_size=6),
)
def test_known_and_estimated_intervals_meet_the_register_to_the_watt_hour(
    holes: set[int], gaps: list[tuple[int, int]], marks: list[int], more: list[int]
) -> None:
    """Wherever the holes and the register readings lie, whatever the register says beyond what is known."""
    gone = holes | {n for first, length in gaps for n in range(first, first + length) if 1 < n < 28 * 48}
    kept = without(WEEKS, *gone)
    registers, total = [], 10_000
    for k, mark in enumerate(sorted(marks)):
        if registers:
            low = (registers[-1].at_us - START) // STEP
            total += sum(row.wh or 0 for row in kept if low < row.number <= mark) + more[k]
        registers.append(Register(START + mark * STEP, total))
    done = complete(validated=validate(case=case(kept, registers=tuple(registers))))
    value = {one.at_us: one for one in done.values}
    assert len(value) == 28 * 48, "every interval has exactly one value"
    for before, after in pairwise(registers):
        inside = [value[at_us] for at_us in range(before.at_us, after.at_us, STEP)]
        if any(one.status is Status.ESTIMATED for one in inside):
            assert sum(one.wh for one in inside) == after.wh - before.wh
            assert all(one.rule.endswith(SCALED) for one in inside if one.status is Status.ESTIMATED)
    for row in kept:
        assert value[row.at_us] == Value(row.at_us, row.wh or 0, Status.ACTUAL, SOURCE), "what was sent stays"


def test_known_intervals_beyond_the_register_leave_nothing_to_estimate_and_are_told() -> None:
    ends = (Register(START, 0), Register(START + 4 * STEP, 50))
    done = complete(validated=validate(case=case(without(rows(10, 20, 30, 40), 2), registers=ends)))
    assert [value.wh for value in done.estimated] == [0]
    assert [defect.rule for defect in done.defects] == ["over_register"]


@given(total=st.integers(0, 10**9), weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
def test_shares_add_up_and_none_is_off_by_a_whole_watt_hour(total: int, weights: list[int]) -> None:
    parts = share_out(total=total, weights=weights)
    assert sum(parts) == total
    whole = sum(weights)
    if whole:
        assert all(
            abs(part * whole - total * weight) < whole for part, weight in zip(parts, weights, strict=True)
        )


def test_doing_it_twice_is_doing_it_once() -> None:
    one = case(without(WEEKS, *range(481, 529)))
    assert complete(validated=validate(case=one)) == complete(validated=validate(case=one))


@pytest.mark.parametrize(
    ("old", "new", "replaces"),
    [
        ((100, "E"), (100, "A"), True),
        ((100, "E"), (120, "E"), True),
        ((100, "E"), (100, "E"), False),
        ((100, "A"), (120, "A"), False),
        ((100, "A"), (120, "E"), False),
        ((100, "X"), (120, "A"), False),
        ((100, "S"), (120, "X"), True),
    ],
)
def test_a_measurement_replaces_an_estimate_and_never_the_other_way(
    old: tuple[int, str], new: tuple[int, str], replaces: bool
) -> None:
    known = {0: Value(0, old[0], Status(old[1]), SOURCE)}
    assert supersedes(newer=Value(0, new[0], Status(new[1]), SOURCE), known=known) is replaces


def test_what_a_finding_did_is_one_of_four_words() -> None:
    assert {rule.effect for rule in (*ROW_RULES, *SERIES_RULES)} == set(Effect)

"""Alarms: nothing is raised that was not measured, nothing flaps, nothing is forgotten, nothing closes into danger."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.builders import instant
from fairwatt.core.alarms.kept import state_from_obj, state_to_obj
from fairwatt.core.alarms.model import AlarmCode, AlarmError, Restores
from fairwatt.core.alarms.picture import Picture
from fairwatt.core.alarms.policy import (
    default_policy,
    with_settings,
)
from fairwatt.core.alarms.rules import RULES
from fairwatt.core.alarms.watch import (
    Deed,
    Transition,
    Watched,
    WatchState,
    protecting,
    released_by_person,
    watch,
)

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
NOON = instant("2024-05-08 12:00")
POLICY = with_settings(
    policy=default_policy(zone="Asia/Shanghai", rated_w=3_000),
    settings={"suspect_load": {"hours": [[0, 1_440]]}},
)
_phase = st.one_of(st.none(), st.integers(-40_000, 40_000))


def _phases(values: st.SearchStrategy[int | None]) -> st.SearchStrategy[tuple[int | None, ...]]:
    return st.lists(values, max_size=3).map(tuple)


@st.composite
def pictures(draw: st.DrawFn, at_us: int = 0) -> Picture:
    return Picture(
        at_us=at_us,
        voltages_dv=draw(_phases(st.one_of(st.none(), st.integers(0, 3_000)))),
        currents_ma=draw(_phases(_phase)),
        powers_w=draw(_phases(st.one_of(st.none(), st.integers(-5_000, 9_000)))),
        power_w=draw(st.one_of(st.none(), st.integers(-5_000, 9_000))),
        power_factors_milli=draw(_phases(st.one_of(st.none(), st.integers(-1_000, 1_000)))),
        neutral_current_ma=draw(_phase),
        terminal_temperature_dc=draw(st.one_of(st.none(), st.integers(-200, 1_500))),
        residual_current_ma=draw(st.one_of(st.none(), st.integers(0, 1_000))),
        voltage_thd_pm=draw(st.one_of(st.none(), st.integers(0, 200))),
        current_thd_pm=draw(st.one_of(st.none(), st.integers(0, 1_500))),
        relay_closed=draw(st.one_of(st.none(), st.booleans())),
        register_wh=draw(st.one_of(st.none(), st.integers(0, 100_000))),
        counts=draw(
            st.lists(
                st.tuples(st.sampled_from(["cover_open", "magnetic_field"]), st.integers(0, 3)), max_size=1
            ).map(tuple)
        ),
        conditions=draw(st.sampled_from([None, (), ("leak",), ("leak", "low_battery")])),
    )


@st.composite
def films(draw: st.DrawFn) -> list[Picture]:
    """Pictures of one meter, seconds to an hour apart."""
    at_us, film = NOON, []
    for _ in range(draw(st.integers(1, 18))):
        at_us += draw(st.sampled_from((1, 15, 60, 120, 400, 3_700))) * SECOND_US
        film.append(replace(draw(pictures()), at_us=at_us))
    return film


def look(
    film: list[Picture], state: WatchState | None = None, *, feeds_gateway: bool = False
) -> list[Watched]:
    seen: list[Watched] = []
    for picture in film:
        state = state or WatchState()
        seen.append(watch(policy=POLICY, state=state, now=picture, feeds_gateway=feeds_gateway))
        state = seen[-1].state
    return seen


def steady(
    count: int = 6, *, every_us: int = MINUTE_US, from_us: int = NOON, **measured: object
) -> list[Picture]:
    return [Picture(at_us=from_us + n * every_us, **measured) for n in range(count)]  # type: ignore[arg-type]


def told(seen: list[Watched]) -> list[tuple[str, bool]]:
    return [(one.code.value, one.raised) for watched in seen for one in watched.transitions]


def acts(seen: list[Watched]) -> list[tuple[str, str]]:
    return [
        (one.act.deed.value, one.act.code.value) for one in seen if one.act is not None and not one.act.again
    ]


# --- laws ---------------------------------------------------------------------------------------------------


def test_nothing_is_raised_by_a_meter_that_measures_nothing() -> None:
    blind = steady(30, every_us=10 * MINUTE_US)
    assert told(look(blind)) == []
    assert told(look([replace(one, relay_closed=False) for one in blind])) == []


_NEEDS = {
    AlarmCode.OVERLOAD: {"power_w", "powers_w"},
    AlarmCode.SURGE: {"power_w", "powers_w"},
    AlarmCode.PHASE_UNBALANCE: {"currents_ma"},
    AlarmCode.OVERVOLTAGE: {"voltages_dv"},
    AlarmCode.UNDERVOLTAGE: {"voltages_dv"},
    AlarmCode.NEUTRAL_MISMATCH: {"neutral_current_ma"},
    AlarmCode.SUSPECT_LOAD: {"power_w", "powers_w"},
    AlarmCode.COVER_OPEN: {"counts"},
    AlarmCode.TERMINAL_COVER_OPEN: {"counts"},
    AlarmCode.MAGNETIC_FIELD: {"counts"},
    AlarmCode.REVERSE_FLOW: {"power_w", "powers_w"},
    AlarmCode.USE_WHILE_OPEN: {"relay_closed"},
    AlarmCode.TERMINAL_TEMPERATURE: {"terminal_temperature_dc"},
    AlarmCode.RESIDUAL_CURRENT: {"residual_current_ma"},
    AlarmCode.HARMONICS: {"voltage_thd_pm", "current_thd_pm"},
    AlarmCode.LEAK: {"conditions"},
    AlarmCode.LOW_BATTERY: {"conditions"},
    AlarmCode.VALVE_FAULT: {"conditions"},
    AlarmCode.METER_FAULT: {"conditions"},
}
_BLANK = {one.name: one.default for one in fields(Picture)}


@given(films(), st.sampled_from(list(AlarmCode)))
def test_no_alarm_without_its_measurement(film: list[Picture], code: AlarmCode) -> None:
    blind = [replace(one, **{name: _BLANK[name] for name in _NEEDS[code]}) for one in film]  # type: ignore[arg-type]
    assert code.value not in {name for name, _ in told(look(blind))}


@given(films())
def test_an_alarm_never_turns_more_than_once_in_its_delay(film: list[Picture]) -> None:
    last: dict[AlarmCode, Transition] = {}
    for watched in look(film):
        for one in watched.transitions:
            rule = POLICY.rule(one.code)
            assert rule is not None
            before = last.get(one.code)
            assert before is None or before.raised != one.raised
            if before is not None:
                wait = rule.raise_after_us if one.raised else rule.clear_after_us
                assert one.at_us - before.at_us >= wait
            last[one.code] = one


@given(films(), st.integers(0, 18), st.booleans())
def test_a_restart_is_no_restart(film: list[Picture], cut: int, feeds: bool) -> None:
    whole = look(film, feeds_gateway=feeds)
    first = look(film[:cut], feeds_gateway=feeds)
    kept = state_from_obj(state_to_obj(first[-1].state)) if first else WatchState()
    again = look(film[cut:], kept, feeds_gateway=feeds)
    assert [one.transitions for one in first + again] == [one.transitions for one in whole]
    assert [one.act for one in first + again] == [one.act for one in whole]
    assert (first + again)[-1].state == whole[-1].state


@given(films())
def test_power_is_never_released_into_an_open_danger_and_the_gateways_feed_is_never_cut(
    film: list[Picture],
) -> None:
    for watched in look(film):
        if watched.act is not None and watched.act.deed is Deed.RELEASE:
            assert protecting(policy=POLICY, state=watched.state) == ()
            assert watched.state.hold is None
    assert all(one.act is None and one.state.hold is None for one in look(film, feeds_gateway=True))


@given(films())
def test_the_same_picture_again_or_an_older_one_changes_nothing(film: list[Picture]) -> None:
    seen = look(film)
    for picture in film:
        again = watch(policy=POLICY, state=seen[-1].state, now=picture, feeds_gateway=False)
        assert again == Watched(seen[-1].state)


# --- overload -----------------------------------------------------------------------------------------------


def test_overload_cuts_after_its_delay_is_tried_again_and_after_three_tries_waits_for_a_person() -> None:
    state, at_us, story = WatchState(), NOON, []
    closed = True
    for _ in range(60):
        at_us += MINUTE_US
        picture = Picture(at_us=at_us, power_w=5_000 if closed else 0, relay_closed=closed)
        watched = watch(policy=POLICY, state=state, now=picture, feeds_gateway=False)
        state = watched.state
        if watched.act is not None:
            closed = watched.act.deed is Deed.RELEASE
            story.append(watched.act.deed.value)
    assert story == ["cut", "release"] * 3 + ["cut"]
    assert state.hold is not None
    assert state.hold.until_us is None
    free = released_by_person(policy=POLICY, state=state, at_us=at_us)
    assert (free.hold, free.tries) == (None, 0)


def test_a_motor_that_starts_is_no_overload() -> None:
    film = [
        Picture(at_us=NOON + n * 10 * SECOND_US, power_w=w, relay_closed=True)
        for n, w in enumerate((500, 5_000, 900, 900))
    ]
    assert ("overload", True) not in told(look(film))


def test_between_the_two_limits_an_overload_stays_as_it_was() -> None:
    calm = steady(power_w=2_800, relay_closed=True)
    assert told(look(calm)) == []
    hot = look(steady(power_w=3_100, relay_closed=True))[-1].state
    after = look(steady(20, from_us=NOON + 60 * MINUTE_US, power_w=2_800, relay_closed=None), hot)
    assert AlarmCode.OVERLOAD in after[-1].state.raised


def test_tries_are_forgotten_after_an_hour_of_good_power() -> None:
    once = look(steady(power_w=5_000, relay_closed=True))[-1].state
    dark = look(steady(10, from_us=NOON + 6 * MINUTE_US, power_w=0, relay_closed=False), once)
    assert acts(dark) == [("release", "overload")]
    calm = look(steady(80, from_us=NOON + 20 * MINUTE_US, power_w=500, relay_closed=True), dark[-1].state)
    again = look(steady(from_us=NOON + 120 * MINUTE_US, power_w=5_000, relay_closed=True), calm[-1].state)
    assert again[-1].state.tries == 1


def test_a_relay_that_did_not_open_is_ordered_again_and_said_once() -> None:
    seen = look(steady(6, power_w=5_000, relay_closed=True))
    deeds = [one.act for one in seen if one.act is not None]
    assert [one.again for one in deeds] == [False, True, True, True, True]


def test_a_danger_that_needs_a_person_makes_a_timed_hold_wait_for_one() -> None:
    cut = look(steady(2, power_w=5_000, relay_closed=True))[-1].state
    hot = look(
        steady(5, from_us=NOON + 3 * MINUTE_US, power_w=0, relay_closed=False, terminal_temperature_dc=900),
        cut,
    )
    cool = look(
        steady(60, from_us=NOON + 30 * MINUTE_US, power_w=0, relay_closed=False, terminal_temperature_dc=300),
        hot[-1].state,
    )
    assert acts(cool) == []
    with pytest.raises(AlarmError, match="still open"):
        released_by_person(policy=POLICY, state=hot[-1].state, at_us=NOON)
    assert released_by_person(policy=POLICY, state=cool[-1].state, at_us=NOON).hold is None


# --- the other rules, one story each ------------------------------------------------------------------------

_OK = {"relay_closed": True, "power_w": 400}
STORIES = {
    AlarmCode.SURGE: [_OK, {"relay_closed": True, "power_w": 3_200}],
    AlarmCode.PHASE_UNBALANCE: [{"currents_ma": (20_000, 19_000, 2_000)}] * 12,
    AlarmCode.OVERVOLTAGE: [{"voltages_dv": (2_900,)}] * 2,
    AlarmCode.UNDERVOLTAGE: [{"voltages_dv": (1_500,)}] * 2,
    AlarmCode.NEUTRAL_MISMATCH: [{"currents_ma": (9_000,), "neutral_current_ma": 3_000}] * 7,
    AlarmCode.SUSPECT_LOAD: [
        {"power_w": 300, "power_factors_milli": (800,)},
        {"power_w": 1_800, "power_factors_milli": (990,)},
    ],
    AlarmCode.COVER_OPEN: [{"counts": (("cover_open", 2),)}, {"counts": (("cover_open", 3),)}],
    AlarmCode.TERMINAL_COVER_OPEN: [
        {"counts": (("terminal_cover_open", 0),)},
        {"counts": (("terminal_cover_open", 1),)},
    ],
    AlarmCode.MAGNETIC_FIELD: [{"counts": (("magnetic_field", 7),)}, {"counts": (("magnetic_field", 9),)}],
    AlarmCode.REVERSE_FLOW: [{"power_w": -900}] * 3,
    AlarmCode.USE_WHILE_OPEN: [{"relay_closed": False, "register_wh": 1_000 + 40 * n} for n in range(4)],
    AlarmCode.TERMINAL_TEMPERATURE: [{"terminal_temperature_dc": 950}] * 2,
    AlarmCode.RESIDUAL_CURRENT: [{"residual_current_ma": 450}],
    AlarmCode.HARMONICS: [{"voltage_thd_pm": 90}] * 12,
    AlarmCode.LEAK: [{"conditions": ("leak",)}],
    AlarmCode.LOW_BATTERY: [{"conditions": ("low_battery",)}],
    AlarmCode.VALVE_FAULT: [{"conditions": ("valve_fault",)}],
    AlarmCode.METER_FAULT: [{"conditions": ("meter_fault",)}],
    AlarmCode.OVERLOAD: [{"power_w": 4_000}] * 2,
}


@pytest.mark.parametrize("code", list(AlarmCode))
def test_each_rule_has_a_story_that_raises_it_and_nothing_else(code: AlarmCode) -> None:
    film = [Picture(at_us=NOON + n * MINUTE_US, **one) for n, one in enumerate(STORIES[code])]  # type: ignore[arg-type]
    raised = [name for name, now in told(look(film)) if now]
    assert raised == [code.value]


def test_the_list_of_rules_the_codes_and_the_default_policy_are_the_same() -> None:
    assert set(RULES) == set(AlarmCode) == {rule.code for rule in default_policy(zone="UTC", rated_w=1).rules}
    assert {rule.restores for rule in POLICY.rules} == set(Restores)


def test_a_cover_is_told_once_and_again_when_it_is_opened_on_another_day() -> None:
    counts = [0] + [1] * 10 + [2] * 10
    film = [
        Picture(at_us=NOON + n * 4 * 60 * MINUTE_US, counts=(("cover_open", count),))
        for n, count in enumerate(counts)
    ]
    assert told(look(film)) == [
        ("cover_open", True),
        ("cover_open", False),
        ("cover_open", True),
        ("cover_open", False),
    ]


def test_a_heater_is_seen_behind_a_running_motor_and_a_motor_is_no_heater() -> None:
    heater = [
        Picture(at_us=NOON, power_w=600, power_factors_milli=(600,)),
        Picture(at_us=NOON + MINUTE_US, power_w=2_100, power_factors_milli=(934,)),
    ]
    assert told(look(heater)) == [("suspect_load", True)]
    motor = [
        Picture(at_us=NOON, power_w=600, power_factors_milli=(600,)),
        Picture(at_us=NOON + MINUTE_US, power_w=2_100, power_factors_milli=(700,)),
    ]
    assert told(look(motor)) == []


def test_a_heater_outside_the_hours_of_the_rule_is_nobodys_business() -> None:
    policy = with_settings(policy=POLICY, settings={"suspect_load": {"hours": [[1_380, 1_440]]}})
    state = WatchState()
    for n, watts in enumerate((300, 1_800)):
        picture = Picture(at_us=NOON + n * MINUTE_US, power_w=watts, power_factors_milli=(1_000,))
        watched = watch(policy=policy, state=state, now=picture, feeds_gateway=False)
        assert watched.transitions == ()
        state = watched.state


def test_power_that_comes_back_with_the_relay_is_no_surge() -> None:
    film = [
        Picture(at_us=NOON, power_w=0, relay_closed=False),
        Picture(at_us=NOON + MINUTE_US, power_w=2_900, relay_closed=True),
    ]
    assert told(look(film)) == []


def test_a_neutral_of_three_phases_may_carry_their_difference() -> None:
    assert told(look(steady(30, currents_ma=(9_000, 8_000, 7_000), neutral_current_ma=2_000))) == []


def test_what_a_meter_says_of_itself_is_told_at_once_and_over_at_once_however_seldom_it_speaks() -> None:
    day = 24 * 60 * MINUTE_US
    said = [(), ("leak",), ("leak", "low_battery"), None, ("low_battery",), ()]
    film = [Picture(at_us=NOON + n * day, conditions=one) for n, one in enumerate(said)]
    told = [[(one.code.value, one.raised) for one in seen.transitions] for seen in look(film)]
    assert told == [
        [],
        [("leak", True)],
        [("low_battery", True)],
        [],
        [("leak", False)],
        [("low_battery", False)],
    ]


def test_a_state_that_an_earlier_release_kept_is_taken_up() -> None:
    state = look([Picture(at_us=NOON, power_w=9_000)])[-1].state
    kept = state_to_obj(state)
    assert isinstance(kept[2], list)
    kept[2] = kept[2][:-1]
    assert state_from_obj(kept) == state

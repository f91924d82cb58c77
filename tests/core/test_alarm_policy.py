"""Alarm policies and kept states: data that comes back as it was, or is refused by name."""

from __future__ import annotations

import pytest

from core.test_alarms import MINUTE_US, NOON, POLICY, look, steady, told
from fairwatt.core.alarms.kept import state_from_obj
from fairwatt.core.alarms.model import AlarmCode, AlarmError
from fairwatt.core.alarms.picture import Picture
from fairwatt.core.alarms.policy import AlarmPolicy, policy_from_obj, policy_to_obj, with_settings
from fairwatt.core.alarms.watch import watch


def test_a_policy_comes_back_from_the_wire_as_it_was() -> None:
    assert policy_from_obj(policy_to_obj(POLICY)) == POLICY


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        [2, "UTC", []],
        [1, "Nowhere/At_All", []],
        [1, "UTC", [["no_such_rule", {}]]],
        [1, "UTC", [["overload", {"limit_w": 3_000}]]],
        [1, "UTC", [["harmonics", 7]]],
    ],
)
def test_a_policy_that_cannot_be_used_is_refused(broken: object) -> None:
    with pytest.raises(AlarmError):
        policy_from_obj(broken)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"overlord": {}}, "no alarm"),
        ({"overload": {"limit_kw": 3}}, "no setting limit_kw"),
        ({"overload": {"limit_w": "3000"}}, "cannot be"),
        ({"overload": {"limit_w": True}}, "cannot be"),
        ({"overload": {"back_pct": 101}}, "back_pct"),
        ({"overvoltage": {"back_dv": 2_700}}, "back_dv"),
        ({"overload": {"restore_after_s": 1.5}}, "whole number of seconds"),
        ({"overload": 5}, "table of settings"),
        ({"suspect_load": {"hours": [[5, 2]]}}, "inside one day"),
        ({"undervoltage": {"back_dv": 100}}, "undervoltage"),
    ],
)
def test_a_wish_that_cannot_be_granted_is_named(wish: dict[str, object], words: str) -> None:
    with pytest.raises(AlarmError, match=words):
        with_settings(policy=POLICY, settings=wish)


def test_a_rule_may_be_left_out_and_what_it_raised_is_over() -> None:
    raised = look(steady(3, power_w=-900))[-1].state
    without = with_settings(policy=POLICY, settings={"reverse_flow": False})
    assert without.rule(AlarmCode.REVERSE_FLOW) is None
    watched = watch(
        policy=without,
        state=raised,
        now=Picture(at_us=NOON + 9 * MINUTE_US, power_w=-900),
        feeds_gateway=False,
    )
    assert told([watched]) == [("reverse_flow", False)]


def test_a_policy_has_each_rule_once() -> None:
    with pytest.raises(AlarmError, match="twice"):
        AlarmPolicy("UTC", (POLICY.rules[0], POLICY.rules[0]))


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [1],
        [2, [], None, None, 0, None],
        [1, [["x", True, None, None]], None, None, 0, None],
        [1, [], [1, 2], None, 0, None],
    ],
)
def test_a_kept_state_that_cannot_be_read_is_refused_by_name(broken: object) -> None:
    with pytest.raises(AlarmError):
        state_from_obj(broken)

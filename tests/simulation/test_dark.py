"""A dark home is told why, and where the facts leave a doubt it is told that."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from fairwatt.core.alarms.dark import CAUSES, Cause, DarkFacts, Heard, Sign, why_dark
from fairwatt.core.alarms.dark_words import said
from fairwatt.simulate.darkness import EACH, PAIRS_FROM, confusion, incidents, wrong_per_mille

NOW = 1_700_000_000_000_000
MINUTE_US = 60_000_000
LIT = DarkFacts(
    now_us=NOW,
    said_dark=True,
    read_us=NOW - MINUTE_US,
    relay_closed=True,
    power_w=300,
    voltage_dv=2_210,
    voltage_us=NOW - MINUTE_US,
    closed_us=NOW - MINUTE_US,
    used_us=NOW - MINUTE_US,
    gateway_us=NOW - MINUTE_US,
    neighbours=6,
    neighbours_silent=0,
    heard=(),
)
OPEN = replace(
    LIT, relay_closed=False, power_w=0, closed_us=NOW - 60 * MINUTE_US, used_us=NOW - 60 * MINUTE_US
)


def cause(facts: DarkFacts, *heard: Heard) -> Cause:
    return why_dark(facts=replace(facts, heard=heard)).cause


def sign(minutes_ago: int, kind: Sign, about: str = "") -> Heard:
    return Heard(NOW - minutes_ago * MINUTE_US, kind, about)


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_dark_home_is_told_its_cause_and_hardly_ever_a_wrong_one(seed: int) -> None:
    told = incidents(seed=seed)
    assert len(told) == len(CAUSES) * EACH
    assert sum(len(one.causes) == 2 for one in told) == (len(CAUSES) - 1) * (EACH - PAIRS_FROM)
    matrix = confusion(told)
    assert wrong_per_mille(matrix) <= 20, matrix
    right = sum(matrix[str(one)][str(one)] for one in CAUSES)
    assert right >= len(told) * 8 // 10, "not wrong is not enough: most homes get an answer"
    assert all(matrix[str(one)][str(one)] * 2 >= EACH for one in CAUSES), matrix


def test_signs_repeated_and_in_any_order_change_nothing() -> None:
    for one in incidents(seed=3):
        again = replace(one.facts, heard=(*one.facts.heard[::-1], *one.facts.heard))
        assert why_dark(facts=again) == why_dark(facts=one.facts)


def test_the_cause_nearer_the_street_is_named_first_and_the_other_is_not_hidden() -> None:
    facts = replace(OPEN, heard=(sign(50, Sign.CREDIT_CUT), sign(50, Sign.SAFETY_CUT, "residual_current")))
    answer = why_dark(facts=facts)
    assert (answer.cause, answer.also) == (Cause.SAFETY, (Cause.CREDIT,))


def test_a_breaker_is_named_only_when_somebody_says_that_it_is_dark_and_power_was_used_before() -> None:
    dark = replace(LIT, power_w=0, used_us=NOW - 40 * MINUTE_US)
    assert cause(dark) is Cause.BREAKER
    assert cause(replace(dark, said_dark=False)) is Cause.UNKNOWN
    assert cause(replace(dark, used_us=None)) is Cause.UNKNOWN
    assert cause(replace(dark, power_w=None)) is Cause.UNKNOWN
    assert cause(replace(dark, power_w=250)) is Cause.UNKNOWN


def test_an_open_relay_that_nobody_explains_is_unknown() -> None:
    assert cause(OPEN) is Cause.UNKNOWN
    assert cause(OPEN, sign(50, Sign.CREDIT_CUT), sign(40, Sign.CREDIT_RESTORED)) is Cause.UNKNOWN
    assert cause(OPEN, sign(59, Sign.CREDIT_CUT), sign(50, Sign.ALARM_RAISED, "overload")) is Cause.UNKNOWN


def test_an_old_reading_explains_nothing_about_now() -> None:
    old = replace(OPEN, read_us=NOW - 90 * MINUTE_US, gateway_us=NOW - 90 * MINUTE_US)
    assert cause(old, sign(95, Sign.CREDIT_CUT)) is Cause.UNKNOWN


def test_a_street_that_fell_silent_is_an_outage_when_somebody_sits_in_the_dark() -> None:
    silent = replace(LIT, read_us=NOW - 45 * MINUTE_US, voltage_us=NOW - 45 * MINUTE_US, neighbours_silent=6)
    assert cause(silent) is Cause.GRID
    assert cause(replace(silent, said_dark=False)) is Cause.UNKNOWN, "it may be the gateway's line"
    assert cause(replace(silent, neighbours_silent=0), sign(40, Sign.METER_SILENT)) is Cause.METER_FAULT
    assert cause(replace(silent, gateway_us=None)) is Cause.UNKNOWN
    assert cause(replace(silent, said_dark=False), sign(44, Sign.ON_BATTERY)) is Cause.GRID


def test_a_gateway_on_battery_whose_meters_answer_lost_only_its_own_plug() -> None:
    assert cause(OPEN, sign(55, Sign.ON_BATTERY), sign(58, Sign.CREDIT_CUT)) is Cause.CREDIT


def test_every_cause_has_its_words_and_one_next_step_in_both_languages() -> None:
    for one in Cause:
        english, chinese = said(cause=one, language="en-gb"), said(cause=one, language="zh-hans")
        assert all(english) and all(chinese)
        assert english != chinese


def test_the_drill_prints_the_matrix() -> None:
    from fairwatt.cli.main import app

    done = CliRunner().invoke(app, ["drill", "dark", "--seed", "2", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["incidents"] == 140
    assert sum(sum(row.values()) for row in told["matrix"].values()) == 140
    assert "credit" in CliRunner().invoke(app, ["drill", "dark"]).output

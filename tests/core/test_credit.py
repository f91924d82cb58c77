"""Nobody is cut who should not be, nobody stays on who should not, and every decision says why."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.builders import instant
from fairwatt.core.credit.decide import (
    Action,
    Reason,
    SupplyDecision,
    SupplyFacts,
    decide_supply,
)
from fairwatt.core.credit.landing import power_limit_w
from fairwatt.core.credit.levels import LEVEL_NAMES, WarningLevel, low_threshold_micro, warning_level
from fairwatt.core.credit.policy import (
    CreditPolicy,
    CutRule,
    PolicyError,
    Shelter,
    Why,
    policy_from_obj,
    policy_to_obj,
)
from fairwatt.core.units import US_PER_HOUR, US_PER_MINUTE

POLICY = CreditPolicy(
    zone="Asia/Shanghai",
    low_micro=20_000_000,
    low_wh=10_000,
    critical_micro=5_000_000,
    friendly=((0, 480), (1_080, 1_440)),
    friendly_weekends=True,
    warn_lead_us=6 * US_PER_HOUR,
    stale_after_us=2 * US_PER_HOUR,
)
# A Wednesday, and the friendly hours are over.
NOON = instant("2024-05-08 12:00")
EMPTY = SupplyFacts(
    available_micro=-1,
    relay_closed=True,
    warned_at_us=NOON - 7 * US_PER_HOUR,
    payment_in_flight=False,
    protected=False,
    feeds_gateway=False,
    quarantined=False,
    newest_reading_us=NOON - US_PER_MINUTE,
    cut_by_credit=False,
    ordered_closed=None,
)


def decide(facts: SupplyFacts, now_us: int = NOON, policy: CreditPolicy = POLICY) -> SupplyDecision:
    return decide_supply(facts=facts, policy=policy, now_us=now_us)


def verdict(facts: SupplyFacts, now_us: int = NOON) -> tuple[Action, Reason]:
    decision = decide(facts, now_us)
    return decision.action, decision.reason


def test_an_empty_wallet_that_was_warned_is_cut_at_noon() -> None:
    assert verdict(EMPTY) == (Action.CUT, Reason.BALANCE_EMPTY)
    assert verdict(replace(EMPTY, available_micro=0)) == (Action.CUT, Reason.BALANCE_EMPTY)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"feeds_gateway": True}, Reason.FEEDS_GATEWAY),
        ({"protected": True}, Reason.PROTECTED),
        ({"payment_in_flight": True}, Reason.PAYMENT_IN_FLIGHT),
        ({"newest_reading_us": NOON - 2 * US_PER_HOUR - 1}, Reason.STALE_DATA),
        ({"newest_reading_us": None}, Reason.STALE_DATA),
        ({"quarantined": True}, Reason.QUARANTINED),
        ({"warned_at_us": None}, Reason.NOT_WARNED),
        ({"warned_at_us": NOON - 6 * US_PER_HOUR + 1}, Reason.NOT_WARNED),
    ],
)
def test_each_rule_withholds_the_cut_and_is_named(change: dict[str, object], reason: Reason) -> None:
    assert verdict(replace(EMPTY, **change)) == (Action.WITHHOLD, reason)  # type: ignore[arg-type]


def test_data_and_warnings_exactly_as_old_as_allowed_do_not_withhold() -> None:
    edge = replace(EMPTY, newest_reading_us=NOON - 2 * US_PER_HOUR, warned_at_us=NOON - 6 * US_PER_HOUR)
    assert verdict(edge) == (Action.CUT, Reason.BALANCE_EMPTY)


@pytest.mark.parametrize(
    ("at", "friendly"),
    [
        ("2024-05-08 07:59", True),
        ("2024-05-08 08:00", False),
        ("2024-05-08 17:59", False),
        ("2024-05-08 18:00", True),
        ("2024-05-11 12:00", True),
        ("2024-05-13 12:00", False),
    ],
)
def test_friendly_hours_follow_the_local_clock_and_weekends(at: str, friendly: bool) -> None:
    now = instant(at)
    fresh = replace(EMPTY, newest_reading_us=now, warned_at_us=now - 24 * US_PER_HOUR)
    expected = (Action.WITHHOLD, Reason.FRIENDLY_HOURS) if friendly else (Action.CUT, Reason.BALANCE_EMPTY)
    assert verdict(fresh, now) == expected


def test_friendly_hours_end_at_the_debt_limit_where_a_policy_has_one() -> None:
    night = instant("2024-05-08 23:00")
    facts = replace(EMPTY, newest_reading_us=night, available_micro=-5_000_000)
    limited = replace(POLICY, max_debt_micro=5_000_000)
    assert decide(facts, night, limited).reason is Reason.FRIENDLY_HOURS
    assert decide(replace(facts, available_micro=-5_000_001), night, limited).action is Action.CUT


def test_credit_brings_power_back_to_a_home_cut_for_credit_and_to_no_other() -> None:
    paid = replace(EMPTY, available_micro=1, relay_closed=False)
    assert verdict(replace(paid, cut_by_credit=True)) == (Action.RESTORE, Reason.CREDIT_RETURNED)
    assert verdict(paid) == (Action.KEEP, Reason.HAS_CREDIT)


def test_a_restore_on_its_way_is_not_ordered_twice_and_a_cut_on_its_way_is_undone() -> None:
    paid = replace(EMPTY, available_micro=1, relay_closed=False, cut_by_credit=True)
    assert verdict(replace(paid, ordered_closed=True)) == (Action.KEEP, Reason.ALREADY_ORDERED)
    closed = replace(paid, relay_closed=True)
    assert verdict(closed) == (Action.KEEP, Reason.HAS_CREDIT)
    assert verdict(replace(closed, ordered_closed=False)) == (Action.RESTORE, Reason.CREDIT_RETURNED)
    assert verdict(replace(paid, relay_closed=None)) == (Action.RESTORE, Reason.CREDIT_RETURNED)


def test_a_cut_is_ordered_once_and_recalled_when_a_rule_appears() -> None:
    ordered = replace(EMPTY, ordered_closed=False, cut_by_credit=True)
    assert verdict(ordered) == (Action.KEEP, Reason.ALREADY_ORDERED)
    recalled = replace(ordered, payment_in_flight=True)
    assert verdict(recalled) == (Action.WITHHOLD, Reason.PAYMENT_IN_FLIGHT)


def test_a_home_already_off_counts_as_no_withheld_cut() -> None:
    off = replace(EMPTY, relay_closed=False, cut_by_credit=True, payment_in_flight=True)
    assert verdict(off) == (Action.KEEP, Reason.ALREADY_OFF)


def test_a_restore_on_its_way_to_a_wallet_empty_again_is_cut_again() -> None:
    again = replace(EMPTY, relay_closed=False, cut_by_credit=True, ordered_closed=True)
    assert verdict(again) == (Action.CUT, Reason.BALANCE_EMPTY)


def test_a_home_that_may_never_be_cut_gets_its_power_back() -> None:
    off = replace(EMPTY, relay_closed=False, cut_by_credit=True)
    assert verdict(replace(off, protected=True)) == (Action.RESTORE, Reason.PROTECTED)
    assert verdict(replace(off, feeds_gateway=True)) == (Action.RESTORE, Reason.FEEDS_GATEWAY)
    assert verdict(replace(off, protected=True, cut_by_credit=False)) == (Action.KEEP, Reason.ALREADY_OFF)


RELAY = st.sampled_from([True, False, None])
FACTS = st.builds(
    SupplyFacts,
    available_micro=st.integers(-(10**8), 10**8),
    relay_closed=RELAY,
    warned_at_us=st.none() | st.integers(NOON - 10**11, NOON),
    payment_in_flight=st.booleans(),
    protected=st.booleans(),
    feeds_gateway=st.booleans(),
    quarantined=st.booleans(),
    newest_reading_us=st.none() | st.integers(NOON - 10**11, NOON),
    cut_by_credit=st.booleans(),
    ordered_closed=RELAY,
    safety_open=st.booleans(),
)


SHELTERS = st.lists(
    st.builds(
        lambda start, length, why: Shelter(NOON + start, NOON + start + length, why),
        st.integers(-(10**11), 10**12),
        st.integers(1, 10**11),
        st.sampled_from(Why),
    ),
    max_size=2,
).map(tuple)
POLICIES = st.builds(
    lambda cut, holiday, shelters: replace(
        POLICY,
        cut=cut,
        steps=((1, 500),) if cut is CutRule.LIMIT else (),
        holidays=(date(2024, 5, 8 + holiday).toordinal(),) if holiday < 9 else (),
        shelters=shelters,
    ),
    st.sampled_from(CutRule),
    st.integers(0, 12),
    SHELTERS,
)


@given(FACTS, st.integers(0, 10**12), st.just(POLICY) | POLICIES)
def test_no_cut_is_ever_false_and_none_is_missed(
    facts: SupplyFacts, later_us: int, policy: CreditPolicy
) -> None:
    now = NOON + later_us
    decision = decide(facts, now, policy)
    stale = facts.newest_reading_us is None or now - facts.newest_reading_us > POLICY.stale_after_us
    unwarned = facts.warned_at_us is None or now < facts.warned_at_us + POLICY.warn_lead_us
    spared = (
        facts.available_micro > 0
        or facts.feeds_gateway
        or facts.protected
        or facts.payment_in_flight
        or stale
        or facts.quarantined
        or policy.friendly_at(at_us=now)
        or policy.holiday_at(at_us=now)
        or policy.cut is not CutRule.ALLOWED
        or any(shelter.start_us <= now < shelter.end_us for shelter in policy.shelters)
        or unwarned
    )
    if decision.action is Action.CUT:
        assert not spared
    if not spared and decision.action is not Action.CUT:
        # Off already, kept off for safety, or on its way off.
        held = facts.safety_open and facts.relay_closed is not True
        assert (
            held
            or facts.ordered_closed is False
            or (facts.relay_closed is False and facts.ordered_closed is None)
        )
    if facts.available_micro > 0:
        assert decision.action in {Action.KEEP, Action.RESTORE}


@given(FACTS, st.integers(0, 10**12))
def test_no_credit_and_no_rule_closes_a_relay_that_safety_keeps_open(
    facts: SupplyFacts, later_us: int
) -> None:
    decision = decide(replace(facts, safety_open=True), NOON + later_us)
    assert decision.action is not Action.RESTORE
    if facts.relay_closed is not True:
        assert (decision.action, decision.reason) == (Action.KEEP, Reason.SAFETY_OPEN)


@given(FACTS)
def test_every_decision_names_its_rule_and_holds_its_evidence(facts: SupplyFacts) -> None:
    decision = decide(facts)
    assert decision.rule == f"{decision.action}.{decision.reason}"
    evidence = dict(decision.evidence)
    assert evidence["available_micro"] == facts.available_micro
    assert evidence["now_us"] == NOON
    assert evidence["relay"] in {"open", "closed", "unknown"}


@pytest.mark.parametrize(
    ("dearest", "low"),
    [
        (500_000, 20_000_000),
        (2_000_000, 20_000_000),
        # 10 kWh cost 20.2 units at this price, more than the policy's 20.
        (2_020_000, 20_200_000),
        (0, 20_000_000),
        (-1, 20_000_000),
    ],
)
def test_credit_is_low_below_the_policys_money_or_its_energy_at_the_dearest_price(
    dearest: int, low: int
) -> None:
    assert low_threshold_micro(policy=POLICY, dearest_micro_per_kwh=dearest) == low


@pytest.mark.parametrize(
    ("available", "level"),
    [
        (-1, WarningLevel.EMPTY),
        (0, WarningLevel.EMPTY),
        (1, WarningLevel.CRITICAL),
        (4_999_999, WarningLevel.CRITICAL),
        (5_000_000, WarningLevel.LOW),
        (20_199_999, WarningLevel.LOW),
        (20_200_000, WarningLevel.NONE),
    ],
)
def test_a_warning_is_as_urgent_as_the_lowest_threshold_passed(available: int, level: WarningLevel) -> None:
    assert warning_level(available_micro=available, low_micro=20_200_000, critical_micro=5_000_000) is level
    assert LEVEL_NAMES[level] == level.name.lower()


def test_without_thresholds_only_an_empty_wallet_is_warned() -> None:
    levels = [warning_level(available_micro=n, low_micro=0, critical_micro=0) for n in (0, 1)]
    assert levels == [WarningLevel.EMPTY, WarningLevel.NONE]


@given(st.none() | st.integers(0, 10**12), st.booleans())
def test_a_policy_survives_the_wire(max_debt: int | None, weekends: bool) -> None:
    policy = replace(POLICY, max_debt_micro=max_debt, friendly_weekends=weekends)
    assert policy_from_obj(policy_to_obj(policy)) == policy
    stepped = replace(policy, steps=STEPS)
    assert policy_from_obj(policy_to_obj(stepped)) == stepped


STEPS = ((20_000_000, 3_000), (10_000_000, 1_500), (2_000_000, 500))


def test_only_a_policy_with_steps_needs_a_gateway_that_knows_them() -> None:
    assert policy_to_obj(POLICY)[0] == 1
    assert policy_to_obj(replace(POLICY, steps=STEPS))[0] == 2


@pytest.mark.parametrize(
    ("available", "limit"),
    [(20_000_000, None), (19_999_999, 3_000), (10_000_000, 3_000), (9_999_999, 1_500), (1, 500), (-9, 500)],
)
def test_power_steps_down_as_credit_runs_out_and_no_spared_home_is_limited(
    available: int, limit: int | None
) -> None:
    policy = replace(POLICY, steps=STEPS)
    assert power_limit_w(policy=policy, available_micro=available, spared=False) == limit
    assert power_limit_w(policy=policy, available_micro=available, spared=True) is None
    assert power_limit_w(policy=POLICY, available_micro=available, spared=False) is None


@pytest.mark.parametrize(
    "obj", [None, [], [2, *policy_to_obj(POLICY)[1:]], [*policy_to_obj(POLICY)[:5], [[1]], True, 1, 1, None]]
)
def test_anything_else_is_no_policy(obj: object) -> None:
    with pytest.raises(PolicyError):
        policy_from_obj(obj)


@pytest.mark.parametrize(
    "change",
    [
        {"critical_micro": 20_000_001},
        {"warn_lead_us": -1},
        {"stale_after_us": 0},
        {"max_debt_micro": -1},
        {"friendly": ((1_320, 480),)},
        {"steps": ((1_000, 0),)},
        {"steps": ((1_000, 500), (2_000, 300))},
        {"steps": ((2_000, 500), (1_000, 500))},
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(PolicyError):
        replace(POLICY, **change)  # type: ignore[arg-type]

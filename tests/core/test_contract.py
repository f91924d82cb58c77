"""A let ends: credit keeps nobody's power on from then, and every rule that spares a home still does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.credit.contract import GRACE_US, Contract, HoursError, closes_at, hours_text, trading_hours
from fairwatt.core.credit.decide import Action, Reason, SupplyFacts, decide_supply
from fairwatt.core.credit.policy import CreditPolicy, CutRule
from fairwatt.core.rating.begun import package_begun_before
from fairwatt.core.rating.tariff_file import parse_schedule

HOUR_US = 3_600_000_000
END_US = 1_372_680_000_000_000
"""A Monday, 12:00 UTC"""
POLICY = CreditPolicy(
    zone="UTC",
    low_micro=0,
    low_wh=0,
    critical_micro=0,
    friendly=((13 * 60, 14 * 60),),
    friendly_weekends=False,
    warn_lead_us=HOUR_US,
    stale_after_us=4 * HOUR_US,
)
FACTS = SupplyFacts(
    available_micro=5_000_000,
    relay_closed=True,
    warned_at_us=None,
    payment_in_flight=False,
    protected=False,
    feeds_gateway=False,
    quarantined=False,
    newest_reading_us=END_US,
    cut_by_credit=False,
    ordered_closed=None,
    contract=Contract(end_us=END_US, warned_us=END_US - 5 * HOUR_US),
)


def decided(facts: SupplyFacts, *, now_us: int, policy: CreditPolicy = POLICY) -> tuple[Action, Reason]:
    found = decide_supply(facts=facts, policy=policy, now_us=now_us)
    return found.action, found.reason


def test_credit_keeps_power_on_to_the_last_instant_of_the_contract_and_not_longer() -> None:
    assert decided(FACTS, now_us=END_US - 1) == (Action.KEEP, Reason.HAS_CREDIT)
    assert decided(FACTS, now_us=END_US) == (Action.CUT, Reason.CONTRACT_ENDED)


@pytest.mark.parametrize(
    ("change", "policy", "why"),
    [
        ({"protected_circuit": True}, POLICY, Reason.PROTECTED_CIRCUIT),
        ({"protected": True}, POLICY, Reason.PROTECTED),
        ({"feeds_gateway": True}, POLICY, Reason.FEEDS_GATEWAY),
        ({}, replace(POLICY, cut=CutRule.NEVER), Reason.LAW_FORBIDS),
        ({"quarantined": True}, POLICY, Reason.QUARANTINED),
        ({"newest_reading_us": None}, POLICY, Reason.STALE_DATA),
        ({"payment_in_flight": True}, POLICY, Reason.PAYMENT_IN_FLIGHT),
        ({"contract": Contract(end_us=END_US)}, POLICY, Reason.NOT_WARNED),
        ({"contract": Contract(end_us=END_US, warned_us=END_US - 1)}, POLICY, Reason.NOT_WARNED),
    ],
)
def test_whatever_spares_a_home_spares_a_merchant(
    change: dict[str, object], policy: CreditPolicy, why: Reason
) -> None:
    assert decided(replace(FACTS, **change), now_us=END_US, policy=policy) == (Action.WITHHOLD, why)


def test_friendly_hours_hold_beyond_the_end_and_emergency_credit_does_not_stand_in_its_way() -> None:
    assert decided(FACTS, now_us=END_US + HOUR_US) == (Action.WITHHOLD, Reason.FRIENDLY_HOURS)
    fresh = replace(FACTS, newest_reading_us=END_US + 2 * HOUR_US, emergency_due=True)
    assert decided(fresh, now_us=END_US + 2 * HOUR_US) == (Action.CUT, Reason.CONTRACT_ENDED)


def test_money_does_not_light_a_booth_whose_contract_is_over_and_a_longer_one_does() -> None:
    dark = replace(FACTS, relay_closed=False, cut_by_credit=True)
    assert decided(dark, now_us=END_US)[0] is Action.KEEP
    longer = replace(dark, contract=Contract(end_us=END_US + HOUR_US))
    assert decided(longer, now_us=END_US) == (Action.RESTORE, Reason.CREDIT_RETURNED)


def test_a_circuit_that_was_cut_and_may_not_be_gets_its_power_back() -> None:
    cold = replace(FACTS, relay_closed=False, cut_by_credit=True, protected_circuit=True, available_micro=-1)
    assert decided(cold, now_us=END_US - HOUR_US) == (Action.RESTORE, Reason.PROTECTED_CIRCUIT)


@given(
    available=st.integers(-(10**9), 10**9),
    warned=st.none() | st.integers(END_US - 9 * HOUR_US, END_US + 9 * HOUR_US),
    told=st.none() | st.integers(END_US - 9 * HOUR_US, END_US + 9 * HOUR_US),
    after=st.integers(-9 * HOUR_US, 9 * HOUR_US),
)
def test_no_cut_for_a_contract_comes_before_its_end_or_without_a_word_in_time(
    available: int, warned: int | None, told: int | None, after: int
) -> None:
    now_us = END_US + after
    facts = replace(
        FACTS,
        available_micro=available,
        warned_at_us=warned,
        newest_reading_us=now_us,
        contract=Contract(end_us=END_US, warned_us=told),
    )
    action, reason = decided(facts, now_us=now_us)
    if action is not Action.CUT:
        return
    assert available <= 0 or (now_us >= END_US and told is not None and told + POLICY.warn_lead_us <= now_us)
    assert (reason is Reason.CONTRACT_ENDED) == (now_us >= END_US)
    assert not POLICY.friendly_at(at_us=now_us)


def test_the_account_closes_at_the_end_or_where_a_rule_let_it_run_on_when_power_went_off() -> None:
    assert closes_at(end_us=END_US, dark_us=None) == END_US
    assert closes_at(end_us=END_US, dark_us=END_US + GRACE_US) == END_US
    assert closes_at(end_us=END_US, dark_us=END_US + 3 * HOUR_US) == END_US + 3 * HOUR_US


def test_trading_hours_are_read_as_people_write_them() -> None:
    assert trading_hours("08:00-14:00, 18:00-02:00") == ((0, 120), (480, 840), (1080, 1440))
    assert trading_hours("") == () and trading_hours("0:00-24:00") == ((0, 1440),)
    assert trading_hours(hours_text(((480, 840),))) == ((480, 840),)
    for written in ("08:00-14:00, 18:00-02:00", "22:00-08:00", "00:00-24:00", "00:00-06:00"):
        assert hours_text(trading_hours(written)) == written
    for wrong in ("8-14", "25:00-26:00", "08:00-08:00", "08:00-24:30", "24:00-01:00"):
        with pytest.raises(HoursError):
            trading_hours(wrong)


def test_an_account_that_opens_in_a_day_that_has_begun_owes_its_package_with_its_tax_and_at_midnight_nothing() -> (
    None
):
    text = """
fairwatt_tariff: 1
name: Market
currency: GBP
zone: UTC
versions:
  - effective: 2013-01-01
    elements:
      - package: {name: day pass, per: day, price: "2.00", included: "5", beyond: "0.60", weekdays: [mon]}
      - standing: {per_day: "0.30"}
      - tax: {name: VAT, percent: "10", on: [energy]}
      - energy: {price: "0.20"}
"""
    schedule = parse_schedule(text.replace("on: [energy]", "on: [day pass]"))
    found = package_begun_before(schedule=schedule, at_us=END_US)
    assert found is not None
    assert (found.name, found.net_micro, found.tax_micro) == ("day pass", 2_000_000, 200_000)
    assert package_begun_before(schedule=schedule, at_us=END_US - 12 * HOUR_US) is None
    assert package_begun_before(schedule=schedule, at_us=END_US + 24 * HOUR_US) is None

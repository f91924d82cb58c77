"""Who is warned, who is cut, who never is: each with its rule and its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from fairwatt.wire.commands import Result
from fairwatt.wire.frames import Event
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, POLICY, Street, reading

MINUTE_US = 60_000_000
OPEN, CLOSED, LEAVE = 0, 1, 2
WARNED = NOON_US + 10 * MINUTE_US
DUE = WARNED + HOUR_US
"""The first instant at which a home warned at WARNED may be cut."""


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    street = Street(tariff=FLAT)
    with opened_desk(street) as opened:
        yield opened
        check_laws(street.book, acked=opened.acked)


def warnings(desk: Desk) -> list[str]:
    return [event.reason for event in desk.events("warning.")]


def relay_orders(desk: Desk) -> list[tuple[int, str]]:
    return [(order.relay, order.reason) for order in desk.orders() if order.relay != LEAVE]


def withheld(desk: Desk) -> list[str]:
    return [event.reason for event in desk.events("supply.withheld")]


def in_debt(desk: Desk, **wishes: Any) -> int:
    """A home that used 1 kWh on no credit and was told so at WARNED."""
    meter = desk.home(**wishes)
    desk.read(meter, WARNED, 1_000)
    assert warnings(desk)[-1] == "empty"
    return meter


def cut(desk: Desk) -> int:
    """A home that was cut at DUE, proven by its meter."""
    meter = in_debt(desk)
    desk.read(meter, DUE, 1_100)
    order = desk.orders()[-1]
    assert order.relay == OPEN
    desk.post(
        desk.receipt(order, at_us=DUE + 1),
        desk.street.readings(reading(meter, DUE + MINUTE_US, 1_100, closed=False)),
        now_us=DUE + MINUTE_US,
    )
    assert desk.orders()[-1].state == "proven"
    return meter


def test_each_level_is_warned_of_once(desk: Desk) -> None:
    meter = desk.home()
    desk.pay(meter, 3_00, now_us=NOON_US)
    used = 0
    for n, step in enumerate((1_000, 4_500, 500, 6_000, 500, 2_400, 400, 400), start=1):
        used += step
        desk.read(meter, NOON_US + n * HOUR_US, used)
    assert warnings(desk) == ["low", "critical", "empty"]


def test_a_top_up_that_leaves_a_home_low_is_followed_by_a_warning(desk: Desk) -> None:
    meter = in_debt(desk)
    desk.pay(meter, 1_00, now_us=WARNED + 1)
    desk.post(now_us=WARNED + 1)
    assert warnings(desk) == ["empty", "low"]
    desk.pay(meter, 50_00, now_us=WARNED + 2)
    desk.post(now_us=WARNED + 2)
    assert warnings(desk) == ["empty", "low"]


def test_a_home_is_cut_only_after_its_warning_had_time(desk: Desk) -> None:
    meter = in_debt(desk)
    desk.read(meter, DUE - 1, 1_050)
    assert relay_orders(desk) == []
    desk.read(meter, DUE, 1_060)
    assert relay_orders(desk) == [(OPEN, "balance_empty")]
    (event,) = desk.events("supply.cut")
    assert event.rule == "cut.balance_empty"
    assert event.meter == meter
    assert event.evidence["available_micro"] == -212_000
    assert event.evidence["warned_at_us"] == WARNED


def test_each_withheld_cut_is_stored_once_per_reason_with_rule_and_evidence(desk: Desk) -> None:
    meter = in_debt(desk)
    for n in range(1, 4):
        desk.read(meter, WARNED + n * MINUTE_US, 1_000 + n)
    evening = NOON_US + 10 * HOUR_US
    for n in range(3):
        desk.read(meter, evening + n * HOUR_US, 1_100 + n)
    assert withheld(desk) == ["not_warned", "friendly_hours"]
    assert [event.rule for event in desk.events("supply.withheld")] == [
        "withhold.not_warned",
        "withhold.friendly_hours",
    ]
    assert all(event.evidence["available_micro"] < 0 for event in desk.events("supply.withheld"))
    assert relay_orders(desk) == []
    desk.read(meter, NOON_US + DAY_US, 1_200)
    assert relay_orders(desk) == [(OPEN, "balance_empty")]


def test_a_protected_home_is_never_cut(desk: Desk) -> None:
    meter = in_debt(desk, protected=True)
    desk.read(meter, DUE + HOUR_US, 1_100)
    assert withheld(desk) == ["protected"]
    assert relay_orders(desk) == []


def test_nobody_is_cut_on_stale_data(desk: Desk) -> None:
    meter = in_debt(desk)
    desk.read(meter, DUE, 1_100, now_us=DUE + 3 * HOUR_US)
    assert withheld(desk)[-1] == "stale_data"
    assert relay_orders(desk) == []


def test_nobody_is_cut_while_a_confirmed_payment_waits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairwatt.flows.posting import facts

    meter = in_debt(desk)
    desk.pay(meter, 1, now_us=DUE)
    monkeypatch.setattr(facts, "FACTS_MAX", 0)  # more facts wait than one batch takes
    desk.read(meter, DUE, 1_100)
    assert withheld(desk)[-1] == "payment_in_flight"
    assert relay_orders(desk) == []


@pytest.mark.parametrize("restarted", [False, True])
def test_nobody_is_cut_while_his_payment_waits_for_a_person(desk: Desk, restarted: bool) -> None:
    meter = in_debt(desk)
    desk.pay(meter, 5_00, now_us=DUE, currency="CNY")
    desk.read(meter, DUE, 1_100)
    if restarted:
        desk.open(now_us=DUE)
    desk.read(meter, DUE + MINUTE_US, 1_101)
    assert withheld(desk)[-1] == "payment_in_flight"
    assert relay_orders(desk) == []


def test_an_edge_that_is_alone_counts_on_money_in_review_as_the_server_does(desk: Desk) -> None:
    meter = in_debt(desk)
    owed = -desk.balance(meter)
    desk.pay(meter, 5_00, now_us=DUE, currency="CNY")
    desk.post(now_us=DUE)
    grant = desk.command(desk.orders()[-1]).body.grant
    assert grant is not None
    assert grant.available_micro == 5_000_000 - owed
    assert desk.balance(meter) == -owed, "no money moved"


@pytest.mark.parametrize("restarted", [False, True])
def test_a_doubtful_meter_withholds_the_cut_until_a_reading_is_believed(desk: Desk, restarted: bool) -> None:
    meter = in_debt(desk)
    later = DUE + MINUTE_US
    desk.read(meter, DUE, 10)
    assert desk.quarantine() == ["backward_register"]
    if restarted:
        desk.open(now_us=DUE)
    trouble = desk.street.event(Event("guard_balance", DUE, meter, {}), clock_us=DUE)
    desk.post(
        trouble, desk.street.readings(reading(meter, later, 1_100), reading(meter, DUE + 1, 20)), now_us=later
    )
    assert withheld(desk)[-1] == "quarantined", "a good reading in the same breath does not lift the doubt"
    assert relay_orders(desk) == []
    desk.read(meter, later + MINUTE_US, 1_110)
    assert relay_orders(desk) == [(OPEN, "balance_empty")]


def test_a_top_up_restores_a_home_that_was_cut_and_only_the_meter_ends_it(desk: Desk) -> None:
    meter = cut(desk)
    paid = DUE + 5 * MINUTE_US
    desk.pay(meter, 5_00, now_us=paid)
    desk.post(now_us=paid)
    assert relay_orders(desk) == [(OPEN, "balance_empty"), (CLOSED, "credit_returned")]
    order = desk.orders()[-1]
    assert order.fact is not None, "the order names the payment that made it"
    desk.post(desk.receipt(order, at_us=paid), now_us=paid)
    assert desk.orders()[-1].state == "accepted"
    assert desk.state.wallets["cut_by_credit"][0]
    desk.read(meter, paid + MINUTE_US, 1_101)
    assert desk.orders()[-1].state == "proven"
    assert not desk.state.wallets["cut_by_credit"][0]


def test_a_home_without_power_keeps_no_withheld_cut_on_the_books(desk: Desk) -> None:
    meter = cut(desk)
    before = withheld(desk)
    desk.read(meter, NOON_US + 10 * HOUR_US, 1_100, closed=False)
    assert withheld(desk) == before


def test_a_cut_on_its_way_is_recalled_when_quiet_hours_begin(desk: Desk) -> None:
    meter = desk.home()
    warned = NOON_US + 7 * HOUR_US
    desk.read(meter, warned, 1_000)
    desk.read(meter, warned + HOUR_US, 1_100)
    assert relay_orders(desk) == [(OPEN, "balance_empty")]
    desk.read(meter, NOON_US + 9 * HOUR_US + 1, 1_200)
    assert relay_orders(desk)[1:] == [(CLOSED, "friendly_hours")]
    assert [order.state for order in desk.orders() if order.relay == OPEN] == ["superseded"]


@pytest.mark.parametrize("batches", [1, 2])
def test_credit_ends_a_trip_that_the_gateway_decided_alone(desk: Desk, batches: int) -> None:
    meter = in_debt(desk)
    trip = desk.street.event(Event("local_trip", DUE, meter, {"reason": "balance_empty"}), clock_us=DUE)
    desk.pay(meter, 50_00, now_us=DUE + 1)
    if batches == 2:
        desk.post(now_us=DUE + 1)
    desk.post(trip, now_us=DUE + 2)
    assert relay_orders(desk) == [(CLOSED, "credit_returned")]
    assert desk.events("gateway.local_trip")[0].reason == "balance_empty"


def test_a_trip_that_is_paid_later_is_ended_by_the_payment(desk: Desk) -> None:
    meter = in_debt(desk)
    trip = desk.street.event(Event("local_trip", DUE, meter, {}), clock_us=DUE)
    desk.post(trip, desk.street.readings(reading(meter, DUE + 1, 1_000, closed=False)), now_us=DUE + 2)
    assert relay_orders(desk) == []
    desk.pay(meter, 50_00, now_us=DUE + 3)
    desk.post(now_us=DUE + 3)
    assert relay_orders(desk) == [(CLOSED, "credit_returned")]


def test_a_cut_the_meter_refused_is_forgotten_once_there_is_credit(desk: Desk) -> None:
    meter = in_debt(desk)
    desk.read(meter, DUE, 1_100)
    desk.pay(meter, 50_00, now_us=DUE + 1)
    desk.post(desk.receipt(desk.orders()[-1], result=Result.METER_REFUSED, at_us=DUE), now_us=DUE + 1)
    assert desk.state.wallets["cut_by_credit"][0], "nobody knows yet whether an older order was obeyed"
    desk.post(desk.receipt(desk.orders()[-1], at_us=DUE + 2), now_us=DUE + 2)
    desk.read(meter, DUE + MINUTE_US, 1_101)
    assert not desk.state.wallets["cut_by_credit"][0]
    assert len(desk.events("supply.cut_void")) == 1
    desk.read(meter, DUE + 2 * MINUTE_US, 1_101, closed=False)
    assert relay_orders(desk) == [(OPEN, "balance_empty")], "a relay opened by hand is left to that hand"


def test_both_meters_of_a_wallet_are_cut_and_each_gets_its_power_back(desk: Desk) -> None:
    from fairwatt.store.models import Installation

    first, second = desk.home(), desk.home()
    with as_role("migrate"):
        Installation.objects.filter(pk=desk.street.installations[1]).update(wallet_id=desk.street.wallets[0])
    desk.open()
    desk.post(desk.street.readings(reading(first, WARNED, 500), reading(second, WARNED, 500)), now_us=WARNED)
    desk.post(desk.street.readings(reading(first, DUE, 600), reading(second, DUE, 600)), now_us=DUE)
    assert sorted(order.meter for order in desk.orders() if order.relay == OPEN) == sorted((first, second))
    obeyed = next(order for order in desk.orders() if order.relay == OPEN and order.meter == first)
    desk.post(
        desk.receipt(obeyed, at_us=DUE),
        desk.street.readings(reading(first, DUE + MINUTE_US, 600, closed=False)),
        now_us=DUE + MINUTE_US,
    )
    desk.pay(first, 50_00, now_us=DUE + 2 * MINUTE_US)
    desk.post(now_us=DUE + 2 * MINUTE_US)
    restored = {order.meter for order in desk.orders() if order.relay == CLOSED and order.state == "queued"}
    assert restored == {first, second}


def test_a_policy_is_read_again_without_forgetting_who_was_warned(desk: Desk) -> None:
    from fairwatt.core.credit.policy import policy_to_obj
    from fairwatt.flows.posting.flushing import CacheFlusher
    from fairwatt.flows.posting.loading import reload_book
    from fairwatt.store.models import Policy

    meter = in_debt(desk)
    with as_role("migrate"):
        Policy.objects.filter(book=desk.street.book).update(
            body=policy_to_obj(replace(POLICY, warn_lead_us=3 * HOUR_US))
        )
    CacheFlusher(state=desk.state).flush(state=desk.state)
    desk.state = reload_book(state=desk.state, now_us=DUE)
    desk.read(meter, DUE, 1_100)
    assert relay_orders(desk) == []
    desk.read(meter, WARNED + 3 * HOUR_US, 1_200)
    assert relay_orders(desk) == [(OPEN, "balance_empty")]
    assert warnings(desk) == ["empty"]


def test_a_cut_whose_proof_was_not_cached_is_ended_by_credit_after_a_crash(desk: Desk) -> None:
    """The relay in the cache is older than the cut: nobody may conclude from it that power never went."""
    from fairwatt.flows.posting.flushing import CacheFlusher

    meter = cut(desk)
    desk.state.registers["relay"] = CLOSED
    CacheFlusher(state=desk.state).flush(state=desk.state)
    paid = DUE + 5 * MINUTE_US
    desk.open(now_us=paid)
    desk.pay(meter, 5_00, now_us=paid)
    desk.post(now_us=paid)
    assert not desk.events("supply.cut_void")
    assert relay_orders(desk)[-1] == (CLOSED, "credit_returned")

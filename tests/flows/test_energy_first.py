"""A fee stands behind energy: it leaves the reserve, decides nothing about supply, and its arrears wait."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from support.costs import JULY_END_US, a_paid_home, entries, fee, flush, legs, run_due, staff
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, POLICY, Street, reading


@pytest.fixture
def street(house: Services) -> Street:
    """Without a standing charge, so that a home that uses nothing pays nothing."""
    return Street(tariff=FLAT)


@pytest.fixture
def person(street: Street) -> Any:
    return staff(street, "op")


def test_a_fee_leaves_the_energy_its_reserve_and_the_rest_becomes_arrears(
    street: Street, desk: Desk, person: Any
) -> None:
    meter = a_paid_home(desk, 20_00)
    fee(street, person)
    run_due(desk, JULY_END_US)
    (entry,) = entries(desk)
    assert desk.balance(meter) == POLICY.low_micro, "the level at which the home would be warned stays"
    assert (entry.taken_micro, entry.arrears_micro) == (18_000_000, 13_000_000)
    assert legs(desk)["receivable:fees"] == -13_000_000
    assert legs(desk)["revenue:fee:property"] == 31_000_000


@pytest.mark.parametrize("owed_minor", [0, 1, 90_000])
def test_a_fee_never_warns_and_never_cuts(street: Street, desk: Desk, person: Any, owed_minor: int) -> None:
    """Homes that are empty or low: what is decided about them is what is decided without any fee."""
    decided = _story(desk, street, person, owed_minor)
    of_the_poor = [(kind, home, hour) for kind, home, hour in decided if home < 2]
    assert of_the_poor == [
        ("warning.empty", 0, 1),
        ("warning.low", 1, 1),
        ("supply.cut", 0, 740),
        ("warning.critical", 1, 746),
        ("warning.empty", 1, 752),
        ("supply.cut", 1, 752),
    ]
    assert not [kind for kind, home, _ in decided if home == 2], "a week of use was left"
    assert all(e.kind == "fee.run" for e in desk.events() if e.evidence.get("fee")), (
        "nothing at the fee's instant"
    )


def _story(desk: Desk, street: Street, person: Any, owed_minor: int) -> list[tuple[str, int, int]]:
    """(event, home, hour of the story) of everything that was decided about supply."""
    meters = [desk.home() for _ in range(3)]
    for meter, minor in zip(meters, (0, 1_00, 50_00), strict=True):
        if minor:
            desk.pay(meter, minor, now_us=NOON_US + HOUR_US)
        desk.read(meter, NOON_US + HOUR_US, 0)
    if owed_minor:
        fee(street, person, amount_micro=owed_minor * 10_000)
    used = 0
    for hour in range(740, 770):
        at_us = NOON_US + hour * HOUR_US
        used += 400
        if hour == 744:
            run_due(desk, at_us)
        desk.post(street.readings(*[reading(meter, at_us, used) for meter in meters]), now_us=at_us)
    decided = [event for event in desk.events() if event.kind.startswith(("supply.cut", "warning."))]
    told: list[tuple[str, int, int]] = []
    for event in decided:
        home = street.wallets.index(event.wallet)
        if (event.kind, home) not in [(kind, which) for kind, which, _ in told]:
            told.append((event.kind, home, (event.at_us - NOON_US) // HOUR_US))
    return told


def test_a_home_whose_days_nobody_knows_gives_nothing_to_a_fee(
    street: Street, desk: Desk, person: Any
) -> None:
    meter = desk.home()
    desk.pay(meter, 100_00, now_us=NOON_US + HOUR_US)
    fee(street, person)
    run_due(desk, JULY_END_US)
    assert desk.balance(meter) == 100_000_000
    assert entries(desk)[0].arrears_micro == 31_000_000


def test_a_week_of_use_stays_in_the_wallet(street: Street, desk: Desk, person: Any) -> None:
    """Ten kWh a day at 0.20 are 2.00 a day: seven days stay, and three for the days the meter was silent."""
    meter = desk.home()
    desk.pay(meter, 60_00, now_us=NOON_US)
    for day in range(10):
        desk.read(meter, JULY_END_US - (12 - day) * DAY_US, 10_000 * (day + 1))
    fee(street, person, amount_micro=90_000_000)
    run_due(desk, JULY_END_US)
    (entry,) = entries(desk)
    assert (entry.inputs["day_micro"], entry.inputs["reserve_micro"]) == (2_000_000, 20_000_000)
    assert desk.balance(meter) == 20_000_000


@pytest.mark.parametrize("lie", [None, 9_000_000])
def test_what_a_fee_takes_is_the_same_whatever_the_cache_of_days_holds(
    street: Street, desk: Desk, person: Any, lie: int | None
) -> None:
    from fairwatt.store.models import UseDay

    meter = desk.home()
    desk.pay(meter, 60_00, now_us=NOON_US)
    for day in range(10):
        desk.read(meter, JULY_END_US - (12 - day) * DAY_US, 10_000 * (day + 1))
    with as_role("poster"):
        days = UseDay.objects.filter(book=street.book)
        days.delete() if lie is None else days.update(cost_micro=lie)
    fee(street, person, amount_micro=90_000_000)
    run_due(desk, JULY_END_US)
    (entry,) = entries(desk)
    assert entry.inputs["day_micro"] == 2_000_000
    assert desk.balance(meter) == 20_000_000


def test_only_a_named_law_lets_a_fee_take_everything(street: Street, desk: Desk, person: Any) -> None:
    from fairwatt.core.costs.taking import FeePolicy
    from fairwatt.flows.fees import set_fee_rule

    meter = a_paid_home(desk, 20_00)
    fee(street, person)
    with as_role("migrate"):
        set_fee_rule(
            book_id=street.book,
            policy=FeePolicy(fees_may_cut=True, legal_reference="Housing Act s. 9"),
            by=person,
            now_us=NOON_US,
        )
    run_due(desk, JULY_END_US)
    assert desk.balance(meter) == -11_000_000
    assert entries(desk)[0].inputs["rule"] > 0


def test_the_edge_gets_a_fresh_grant_after_a_fee(street: Street, desk: Desk, person: Any) -> None:
    a_paid_home(desk)
    fee(street, person)
    seen = len(desk.orders())
    run_due(desk, JULY_END_US)
    (fresh,) = desk.orders()[seen:]
    assert desk.command(fresh).body.grant.available_micro == 69_000_000


def test_a_reading_and_a_fee_of_one_batch_do_not_spend_the_same_money(
    street: Street, desk: Desk, person: Any
) -> None:
    from fairwatt.flows.raise_due import raise_due

    meter = a_paid_home(desk, 40_00)
    fee(street, person)
    flush(desk, JULY_END_US)
    raise_due(book_id=street.book, now_us=JULY_END_US)
    desk.read(meter, JULY_END_US, 40_000)
    (entry,) = entries(desk)
    left_by_energy = entry.inputs["available_micro"]
    assert left_by_energy < 40_000_000 - 7_000_000
    assert entry.taken_micro == left_by_energy - POLICY.low_micro
    assert desk.balance(meter) == POLICY.low_micro


def test_two_fees_of_one_batch_are_taken_by_priority(street: Street, desk: Desk, person: Any) -> None:
    a_paid_home(desk, 20_00)
    fee(street, person, name="Parking", category="parking", priority=80)
    fee(street, person, name="Rent", category="rent", priority=10)
    run_due(desk, JULY_END_US)
    assert [(e.account, e.taken_micro) for e in entries(desk)] == [
        ("revenue:fee:rent", 18_000_000),
        ("revenue:fee:parking", 0),
    ]


def test_a_top_up_pays_arrears_up_to_its_cap_and_energy_first(
    street: Street, desk: Desk, person: Any
) -> None:
    meter = a_paid_home(desk, 20_00)
    fee(street, person)
    run_due(desk, JULY_END_US)
    desk.pay(meter, 50_00, now_us=JULY_END_US + HOUR_US)
    desk.post(now_us=JULY_END_US + HOUR_US)
    assert desk.balance(meter) == 2_000_000 + 50_000_000 - 10_000_000, "a fifth of the top-up"
    assert legs(desk)["receivable:fees"] == -3_000_000
    _, recovery = entries(desk)
    assert (recovery.kind, recovery.of, recovery.taken_micro) == ("recovery", entries(desk)[0].id, 10_000_000)
    desk.pay(meter, 50_00, now_us=JULY_END_US + 2 * HOUR_US)
    desk.post(now_us=JULY_END_US + 2 * HOUR_US)
    assert "receivable:fees" not in legs(desk)
    assert desk.balance(meter) == 42_000_000 + 50_000_000 - 3_000_000


def test_a_small_top_up_after_a_debt_goes_to_energy_alone(street: Street, desk: Desk, person: Any) -> None:
    meter = a_paid_home(desk, 3_00)
    fee(street, person)
    run_due(desk, JULY_END_US)
    desk.read(meter, JULY_END_US + HOUR_US, 20_000)
    desk.pay(meter, 2_00, now_us=JULY_END_US + 2 * HOUR_US)
    desk.post(now_us=JULY_END_US + 2 * HOUR_US)
    assert [entry.kind for entry in entries(desk)] == ["fee"]
    assert desk.lines()[-1].kind == 2

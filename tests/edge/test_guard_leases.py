"""A lease at the gateway: counted from its own register, decided by the same rules on its part of the credit."""

from typing import Any

import pytest

from edge.rig import MINUTE_US, START_US, a_grant, policy_obj
from edge.test_guard import WARNED, a_guard, at, deeds, reading, rules
from fairwatt.edge.guard import Deed, Guard
from fairwatt.wire.commands import Lease
from fairwatt.wire.records import Relay

QUARTER = Lease(part_ppm=250_000, wallet_micro=4_000_000)
LOW = policy_obj(low_micro=2_000_000, critical_micro=1_000_000)


def leased(available_micro: int, *, guard: Guard | None = None, meter: int = 7, **changes: Any) -> Guard:
    guard = guard or a_guard(meter)
    grant = a_grant(register_wh=1000, available_micro=available_micro, warned_at_us=WARNED, lease=QUARTER)
    guard.take_grant(meter=meter, grant=grant._replace(**changes))
    return guard


def test_a_lease_is_counted_from_its_meters_own_state_whatever_the_other_grants_say() -> None:
    guard = a_guard(7, 8)
    leased(1_000_000, guard=guard, meter=7)
    # Granted ten minutes later, and counted from where the server knew this meter five minutes after the first.
    state = a_grant(register_wh=1100, available_micro=0, at_us=at(5)).state
    leased(500_000, guard=guard, meter=8, as_of_us=at(10), state=state)
    for meter, wh in ((7, 1200), (8, 1150)):
        guard.take_reading(reading(8, wh, meter=meter))
    assert guard.available_micro(wallet=1) == 1_000_000 - 200 * 500 + 500_000 - 50 * 500
    holdings = [(held.meter, held.granted_micro, held.available_micro) for held in guard.holdings()]
    assert holdings == [(7, 1_000_000, 900_000), (8, 500_000, 475_000)]
    again = a_guard(7, 8)
    leased(1_000_000, guard=again, meter=7)
    leased(500_000, guard=again, meter=8, as_of_us=at(10), state=state)
    again.restore(guard.dump())
    assert again.holdings() == guard.holdings()


def test_the_meters_of_one_gateway_share_what_is_leased_to_it() -> None:
    guard = a_guard(7, 8)
    for meter in (7, 8):
        leased(100_000, guard=guard, meter=meter)
    guard.take_reading(reading(10, 1300, meter=7))
    guard.take_reading(reading(10, 1000, meter=8))
    assert deeds(guard.decide(now_us=at(10))) == []
    guard.take_reading(reading(11, 1400, meter=7))
    guard.take_reading(reading(11, 1000, meter=8))
    assert deeds(guard.decide(now_us=at(11))) == [Deed.TRIP, Deed.TRIP]


def test_an_old_lease_put_back_gives_nothing_twice() -> None:
    """A copy of the memory from before: the register has gone on, and the lease is counted along it."""
    guard = leased(1_000_000)
    guard.take_reading(reading(10, 2000))
    copy = leased(1_000_000)
    copy.take_reading(reading(20, 2000))
    assert copy.available_micro(wallet=1) == guard.available_micro(wallet=1) == 500_000


def test_it_warns_when_its_part_is_low_and_not_because_a_part_is_small() -> None:
    """A quarter of four pounds is less than the wallet's low level of two, and as far from empty as four are."""
    guard = leased(1_000_000, policy_obj=LOW, warned_at_us=None)
    guard.take_reading(reading(1, 1000))
    assert guard.alarms(now_us=at(1), alone=True, meters=[7]) == []
    guard.take_reading(reading(10, 2020))
    assert deeds(guard.alarms(now_us=at(10), alone=True, meters=[7])) == [Deed.WARN]
    guard.take_reading(reading(20, 3000))
    assert deeds(guard.decide(now_us=at(20))) == [Deed.TRIP], "the warning had its time"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"protected": True}, "withhold.protected"),
        ({"feeds_gateway": True}, "withhold.feeds_gateway"),
        ({"policy_obj": policy_obj(friendly=((0, 1440),))}, "withhold.friendly_hours"),
        ({"warned_at_us": START_US + 20 * MINUTE_US}, "withhold.not_warned"),
        ({}, "cut.balance_empty"),
    ],
)
def test_a_lease_that_is_used_up_trips_by_the_rules_of_a_whole_grant(
    changes: dict[str, Any], rule: str
) -> None:
    guard = leased(100_000, **changes)
    guard.take_reading(reading(20, 1200))
    assert rules(guard.decide(now_us=at(20))) == {rule}


def test_friendly_hours_last_as_long_as_this_part_of_the_debt_limit() -> None:
    friendly = policy_obj(friendly=((0, 1440),), max_debt_micro=400_000)
    guard = leased(100_000, policy_obj=friendly)
    guard.take_reading(reading(20, 1400))
    assert rules(guard.decide(now_us=at(20))) == {"withhold.friendly_hours"}
    guard.take_reading(reading(21, 1402))
    assert rules(guard.decide(now_us=at(21))) == {"cut.balance_empty"}
    owing = leased(0, policy_obj=friendly, lease=Lease(250_000, -300_000))
    owing.take_reading(reading(20, 1052))
    assert rules(owing.decide(now_us=at(20))) == {"cut.balance_empty"}, "three of the four were owed already"


def test_a_whole_grant_of_before_is_replaced_by_a_lease_and_back() -> None:
    guard = a_guard(7, 8)
    for meter in (7, 8):
        guard.take_grant(meter=meter, grant=a_grant(register_wh=1000, available_micro=2_000_000))
        guard.take_reading(reading(10, 1100, meter=meter))
    leased(
        300_000,
        guard=guard,
        meter=7,
        as_of_us=at(10),
        state=a_grant(register_wh=1100, available_micro=0, at_us=at(10)).state,
    )
    guard.take_reading(reading(20, 1200, meter=8))
    assert guard.available_micro(wallet=1) == 300_000 - 100 * 500, "until its own comes, it draws on this one"
    guard.take_grant(meter=7, grant=a_grant(register_wh=1100, available_micro=900_000, at_us=at(20)))
    assert guard.available_micro(wallet=1) == 900_000


def test_a_relay_it_opened_closes_again_with_a_lease() -> None:
    guard = leased(0)
    guard.take_reading(reading(20, 1200))
    guard.settle_relay(meter=7, relay=Relay.OPEN, tripped=True)
    leased(1_000_000, guard=guard, as_of_us=at(21))
    guard.take_reading(reading(22, 1200, relay=Relay.OPEN))
    assert deeds(guard.decide(now_us=at(22))) == [Deed.RESTORE]

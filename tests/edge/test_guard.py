"""The offline rule: it rates like the server, and cuts only when it alone must and may."""

from typing import Any

import pytest

from edge.rig import FLAT, MINUTE_US, START_US, a_grant, policy_obj
from fairwatt.core.metering.register import RegisterSpec
from fairwatt.core.rating.scalar import rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.edge.guard import Act, Deed, GrantRefused, Guard
from fairwatt.wire.records import Reading, Relay

SPEC = RegisterSpec(modulus_wh=1_000_000_000, resolution_wh=10, max_power_w=15_840)
WARNED = START_US - 10 * MINUTE_US


def a_guard(*meters: int) -> Guard:
    return Guard(specs=dict.fromkeys(meters or (7,), SPEC))


def at(minutes: int) -> int:
    return START_US + minutes * MINUTE_US


def reading(minutes: int, wh: int, *, meter: int = 7, relay: int = Relay.CLOSED) -> Reading:
    return Reading(meter, at(minutes), wh, relay=relay)


def deeds(acts: list[Act]) -> list[Deed]:
    return [act.deed for act in acts]


def granted(available_micro: int, **changes: Any) -> Guard:
    guard = a_guard()
    grant = a_grant(register_wh=1000, available_micro=available_micro, warned_at_us=WARNED)
    guard.take_grant(meter=7, grant=grant._replace(**changes))
    return guard


def test_it_counts_exactly_as_the_reference_rating() -> None:
    guard = granted(10_000_000)
    table = SegmentTable(schedule=parse_schedule(FLAT))
    state, spent = RegisterState(START_US, 1000, 0, 0, 0, 0), 0
    for minutes, wh in ((10, 1010), (17, 1110), (60, 1990), (61, 1990)):
        guard.take_reading(reading(minutes, wh))
        charge, state = rate(
            table=table, state=state, at_us=at(minutes), register_wh=wh, energy_wh=wh - state.register_wh
        )
        spent += charge.amount_micro
    assert guard.available_micro(wallet=1) == 10_000_000 - spent == 10_000_000 - 990 * 500


def test_it_cuts_when_the_credit_is_used_up_and_shows_why() -> None:
    guard = granted(100_000)
    guard.take_reading(reading(10, 1190))
    assert guard.decide(now_us=at(10)) == []
    guard.take_reading(reading(20, 1200))
    (act,) = guard.decide(now_us=at(20))
    assert (act.deed, act.meter, act.available_micro) == (Deed.TRIP, 7, 0)
    assert act.decision is not None
    assert dict(act.decision.evidence)["available_micro"] == 0


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"protected": True}, "withhold.protected"),
        ({"feeds_gateway": True}, "withhold.feeds_gateway"),
        ({"policy_obj": policy_obj(friendly=((0, 1440),))}, "withhold.friendly_hours"),
        ({"warned_at_us": START_US + 20 * MINUTE_US}, "withhold.not_warned"),
    ],
)
def test_each_rule_that_spares_a_home_holds_offline_too(changes: dict[str, Any], rule: str) -> None:
    guard = granted(0, **changes)
    guard.take_reading(reading(20, 1200))
    (act,) = guard.decide(now_us=at(20))
    assert act.deed is Deed.WITHHELD
    assert act.decision is not None
    assert act.decision.rule == rule
    assert guard.decide(now_us=at(20)) == [], "said once, not at every tick"


def test_nobody_is_cut_before_the_warning_had_its_time() -> None:
    guard = granted(0, warned_at_us=None)
    guard.take_reading(reading(20, 1200))
    assert deeds(guard.decide(now_us=at(20))) == [Deed.WARN, Deed.WITHHELD]
    guard.take_reading(reading(21, 1200))
    assert deeds(guard.decide(now_us=at(21))) == [Deed.TRIP]


def test_a_reading_that_metering_refuses_charges_nothing_and_withholds_the_cut() -> None:
    guard = granted(100_000)
    for wh in (500, 999_999):
        guard.take_reading(reading(20, wh))
        assert guard.available_micro(wallet=1) == 100_000
    guard.take_reading(reading(30, 1200))
    assert deeds(guard.decide(now_us=at(30))) == [Deed.TRIP]
    guard.take_reading(reading(31, 500))
    (act,) = guard.decide(now_us=at(31))
    assert act.decision is not None
    assert act.decision.rule == "withhold.quarantined"


def test_old_readings_never_lead_to_a_cut() -> None:
    guard = granted(0)
    guard.take_reading(reading(20, 1200))
    (act,) = guard.decide(now_us=at(20 + 24 * 60 + 1))
    assert act.decision is not None
    assert act.decision.rule == "withhold.stale_data"


def test_a_meter_without_a_grant_is_never_cut() -> None:
    guard = a_guard()
    guard.take_reading(reading(20, 1200))
    assert guard.decide(now_us=at(20)) == []
    assert guard.available_micro(wallet=1) is None


def test_a_new_grant_counts_on_from_its_own_state() -> None:
    guard = granted(100_000)
    guard.take_reading(reading(20, 1200))
    newer = a_grant(register_wh=1150, available_micro=2_000_000, at_us=at(15))
    guard.take_grant(meter=7, grant=newer)
    assert guard.available_micro(wallet=1) == 2_000_000 - 50 * 500
    guard.take_grant(meter=7, grant=None)
    assert guard.available_micro(wallet=1) is None


def test_meters_of_one_wallet_share_its_credit() -> None:
    guard = a_guard(7, 8)
    for meter in (7, 8):
        grant = a_grant(register_wh=1000, available_micro=200_000, warned_at_us=WARNED)
        guard.take_grant(meter=meter, grant=grant)
    guard.take_reading(reading(20, 1200, meter=7))
    guard.take_reading(reading(20, 1100, meter=8))
    assert guard.available_micro(wallet=1) == 200_000 - 300 * 500 == 50_000
    guard.take_reading(reading(30, 1200, meter=8))
    assert deeds(guard.decide(now_us=at(30))) == [Deed.TRIP, Deed.TRIP]


def test_what_the_newest_grant_of_a_wallet_already_holds_is_not_taken_twice() -> None:
    guard = a_guard(7, 8)
    for meter in (7, 8):
        guard.take_grant(meter=meter, grant=a_grant(register_wh=1000, available_micro=200_000))
    guard.take_reading(reading(10, 1100, meter=8))
    guard.take_reading(reading(20, 1120, meter=8))
    guard.take_grant(meter=7, grant=a_grant(register_wh=1000, available_micro=150_000, at_us=at(10)))
    assert guard.available_micro(wallet=1) == 150_000 - 20 * 500


def test_it_restores_what_it_cut_itself_once_there_is_credit() -> None:
    guard = granted(0)
    guard.take_reading(reading(20, 1200))
    guard.settle_relay(meter=7, relay=Relay.OPEN, tripped=True)
    guard.take_reading(reading(21, 1200, relay=Relay.OPEN))
    assert guard.decide(now_us=at(21)) == []
    guard.take_grant(meter=7, grant=a_grant(register_wh=1200, available_micro=5_000_000, at_us=at(21)))
    assert Deed.RESTORE in deeds(guard.decide(now_us=at(22)))


def test_its_count_survives_a_restart() -> None:
    grant = a_grant(register_wh=1000, available_micro=200_000, warned_at_us=None)
    guard = a_guard()
    guard.take_grant(meter=7, grant=grant)
    guard.take_reading(reading(20, 1101))
    guard.decide(now_us=at(20))
    again = a_guard()
    again.take_grant(meter=7, grant=grant)
    again.restore(guard.dump())
    assert again.available_micro(wallet=1) == guard.available_micro(wallet=1)
    assert again.dump() == guard.dump()
    for one in (guard, again):
        one.take_reading(reading(30, 1250))
    assert again.available_micro(wallet=1) == guard.available_micro(wallet=1)


@pytest.mark.parametrize("broken", [{"schedule_obj": [1, "nonsense"]}, {"policy_obj": []}])
def test_a_grant_that_cannot_be_read_is_refused_whole(broken: dict[str, Any]) -> None:
    guard = granted(0)
    with pytest.raises(GrantRefused):
        guard.take_grant(meter=7, grant=a_grant(register_wh=0, available_micro=0)._replace(**broken))
    assert guard.decide(now_us=at(1)) == []

"""The offline rule: it rates like the server, and cuts only when it alone must and may."""

from typing import Any

import pytest

from edge.rig import FLAT, MINUTE_US, START_US, a_grant, policy_obj
from fairwatt.core.metering.register import RegisterSpec
from fairwatt.core.rating.scalar import rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.rating.tariff_obj import schedule_to_obj
from fairwatt.edge.guard import Act, Deed, GrantRefused, Guard
from fairwatt.edge.guard_kept import StateUnusable
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
    assert deeds(guard.alarms(now_us=at(20), alone=True, meters=[7])) == [Deed.WARN]
    assert deeds(guard.decide(now_us=at(20))) == [Deed.WITHHELD]
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


DAY_AND_NIGHT = """
fairwatt_tariff: 1
name: Two prices
currency: CNY
zone: UTC
versions:
  - effective: 2013-01-01
    elements:
      - energy:
          counter: none
          periods:
            - {name: day, hours: ["07:00-23:00"], prices: ["1.00"]}
            - {name: night, hours: ["23:00-07:00"], prices: ["0.10"]}
"""


@pytest.mark.parametrize("restarted", [False, True])
def test_a_late_grant_is_counted_on_over_every_reading_since_its_state(restarted: bool) -> None:
    """Hours between state and arrival: one step over them would guess where the energy fell."""
    schedule = schedule_to_obj(parse_schedule(DAY_AND_NIGHT))
    first = a_grant(register_wh=1000, available_micro=50_000_000)._replace(schedule_obj=schedule)
    guard = a_guard()
    guard.take_grant(meter=7, grant=first)
    nights = (23, 0, 1, 2, 3, 4, 5)
    use = [1000 * ((START_US // (60 * MINUTE_US) + hour) % 24 in nights) for hour in range(48)]
    for hour in range(48):
        guard.take_reading(reading(60 * (hour + 1), 1000 + sum(use[: hour + 1])))
    if restarted:
        kept, guard = guard.dump(), a_guard()
        guard.take_grant(meter=7, grant=first)
        guard.restore(kept)
    late = first._replace(as_of_us=at(60 * 40), available_micro=60_000_000)
    guard.take_grant(meter=7, grant=late)
    assert guard.available_micro(wallet=1) == 60_000_000 - sum(use) * 100


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


def test_a_restart_counts_two_meters_of_one_wallet_exactly_as_before() -> None:
    grants = {
        7: a_grant(register_wh=1000, available_micro=5_000_000),
        8: a_grant(register_wh=1000, available_micro=2_000_000, at_us=at(60), warned_at_us=WARNED),
    }
    guard = a_guard(7, 8)
    guard.take_grant(meter=7, grant=grants[7])
    # 8 kWh before the fresh grant of the other meter, which has settled them, and 2 Wh after it.
    for minutes, wh in ((40, 9000), (60, 9000), (70, 9002)):
        if minutes == 70:
            guard.take_grant(meter=8, grant=grants[8])
        guard.take_reading(reading(minutes, wh, meter=7))
    assert guard.available_micro(wallet=1) == 2_000_000 - 2 * 500
    again = a_guard(7, 8)
    for meter in (8, 7):  # the order of files is not the order of grants
        again.take_grant(meter=meter, grant=grants[meter])
    again.restore(guard.dump())
    assert again.dump() == guard.dump()
    for one in (guard, again):
        for meter, wh in ((7, 9002), (8, 1000)):
            one.take_reading(reading(71, wh, meter=meter))
        assert one.available_micro(wallet=1) == 2_000_000 - 2 * 500
        assert Deed.TRIP not in deeds(one.decide(now_us=at(71)))


def test_of_two_grants_of_one_instant_the_later_one_is_the_anchor_also_after_a_restart() -> None:
    guard, again = a_guard(7, 8), a_guard(7, 8)
    grant = a_grant(register_wh=1000, available_micro=200_000)
    grant = grant._replace(as_of_us=at(5))
    for meter in (8, 7):
        guard.take_grant(meter=meter, grant=grant)
    guard.take_reading(reading(3, 1020, meter=7))
    for meter in (7, 8):
        again.take_grant(meter=meter, grant=grant)
    again.restore(guard.dump())
    assert again.available_micro(wallet=1) == guard.available_micro(wallet=1) == 200_000 - 20 * 500


def test_a_grant_newer_than_the_kept_count_starts_its_own() -> None:
    guard = granted(100_000)
    guard.take_reading(reading(20, 1190))
    kept = guard.dump()
    # The plug is pulled after the new grant reached the disk, and before its count did.
    again = a_guard()
    again.take_grant(meter=7, grant=a_grant(register_wh=1100, available_micro=50_000, at_us=at(10)))
    again.restore(kept)
    assert again.available_micro(wallet=1) == 50_000, "what the old grant paid for is settled"
    again.take_reading(reading(21, 1190))
    assert again.available_micro(wallet=1) == 50_000 - 90 * 500


@pytest.mark.parametrize("kept", [b"", b"garbage", b"\x80", b"\x83\x01\x80\x80", b"\x83\x02\x80\x81\x81\x07"])
def test_a_count_that_cannot_be_read_leaves_the_grants_as_they_are(kept: bytes) -> None:
    guard = granted(100_000)
    with pytest.raises(StateUnusable):
        guard.restore(kept)
    guard.take_reading(reading(20, 1100))
    assert guard.available_micro(wallet=1) == 50_000


def test_what_is_kept_of_a_long_outage_is_bounded_and_errs_toward_supply() -> None:
    guard = a_guard(7, 8)
    for meter in (7, 8):
        guard.take_grant(meter=meter, grant=a_grant(register_wh=1000, available_micro=90_000_000))
    for minute in range(1, 5001):
        guard.take_reading(reading(minute, 1000 + 10 * minute, meter=7))
    assert guard.available_micro(wallet=1) == 90_000_000 - 50_000 * 500
    assert len(guard.dump()) < 8192
    guard.take_grant(meter=8, grant=a_grant(register_wh=1000, available_micro=1_000_000, at_us=at(100)))
    available = guard.available_micro(wallet=1)
    assert available is not None
    assert 1_000_000 - 4900 * 10 * 500 <= available <= 1_000_000


def two_meters(**changes: Any) -> Guard:
    """An empty, warned wallet of two meters, both read at minute 20."""
    guard = a_guard(7, 8)
    for meter in (7, 8):
        grant = a_grant(register_wh=1000, available_micro=0, warned_at_us=WARNED)
        guard.take_grant(meter=meter, grant=grant._replace(**changes))
        guard.take_reading(reading(20, 1010, meter=meter))
    return guard


def rules(acts: list[Act]) -> set[str]:
    return {act.decision.rule for act in acts if act.decision is not None}


def test_one_silent_meter_makes_the_data_of_its_whole_wallet_old() -> None:
    guard = two_meters()
    day = 24 * 60
    guard.take_reading(reading(20 + day, 1010, meter=7))
    assert rules(guard.decide(now_us=at(20 + day))) == {"cut.balance_empty"}
    guard.take_reading(reading(21 + day, 1010, meter=7))
    assert rules(guard.decide(now_us=at(21 + day))) == {"withhold.stale_data"}


def test_one_doubtful_meter_spares_its_whole_wallet() -> None:
    guard = two_meters()
    guard.take_reading(reading(21, 500, meter=8))
    assert rules(guard.decide(now_us=at(21))) == {"withhold.quarantined"}


def test_the_newest_grant_of_a_wallet_has_the_last_word_on_protection_and_warning() -> None:
    for newest, rule in (
        ({"protected": True}, "withhold.protected"),
        ({"warned_at_us": at(21)}, "withhold.not_warned"),
        ({"policy_obj": policy_obj(friendly=((0, 1440),))}, "withhold.friendly_hours"),
    ):
        guard = two_meters()
        fresh = a_grant(register_wh=1010, available_micro=0, at_us=at(20), warned_at_us=WARNED)
        guard.take_grant(meter=8, grant=fresh._replace(**newest))
        assert rules(guard.decide(now_us=at(21))) == {rule}


def test_it_warns_at_the_servers_threshold() -> None:
    # 10 kWh at the dearest hour cost 5.00, at this one 1.00; the policy's own threshold is 1.00.
    policy = policy_obj(low_micro=1_000_000, low_wh=10_000, critical_micro=0)
    two_prices = FLAT.replace(
        '- energy: {price: "0.500000"}',
        """- energy:
          periods:
            - {name: peak, hours: ["18:00-22:00"], prices: ["0.500000"]}
            - {name: base, hours: ["22:00-18:00"], prices: ["0.100000"]}""",
    )
    tariff = schedule_to_obj(parse_schedule(two_prices))
    guard = granted(5_000_000, policy_obj=policy, schedule_obj=tariff, warned_at_us=None)
    assert guard.alarms(now_us=at(1), alone=True, meters=[7]) == []
    guard.take_reading(reading(20, 1010))
    assert deeds(guard.alarms(now_us=at(20), alone=True, meters=[7])) == [Deed.WARN]


def test_what_it_cut_is_not_forgotten_with_the_grant() -> None:
    guard = granted(0)
    guard.take_reading(reading(20, 1200))
    guard.settle_relay(meter=7, relay=Relay.OPEN, tripped=True)
    with pytest.raises(GrantRefused):
        guard.take_grant(meter=7, grant=a_grant(register_wh=0, available_micro=0)._replace(policy_obj=[]))
    again = a_guard()
    again.restore(guard.dump())
    again.take_grant(meter=7, grant=a_grant(register_wh=1200, available_micro=5_000_000, at_us=at(21)))
    again.take_reading(reading(22, 1200, relay=Relay.OPEN))
    assert Deed.RESTORE in deeds(again.decide(now_us=at(22)))


def test_a_cut_that_never_took_effect_is_void_once_there_is_credit() -> None:
    guard = granted(0)
    guard.expect_trip(meter=7)
    guard.take_reading(reading(20, 1000))
    assert guard.is_tripped(meter=7), "its answer may only be late"
    guard.take_grant(meter=7, grant=a_grant(register_wh=1000, available_micro=5_000_000, at_us=at(20)))
    guard.take_reading(reading(21, 1000))
    assert not guard.is_tripped(meter=7)


def test_instants_beyond_the_calendar_are_a_doubt_and_not_a_crash() -> None:
    guard = granted(100_000)
    guard.take_reading(Reading(7, 2**63 - 1, 1010, relay=Relay.CLOSED))
    assert guard.available_micro(wallet=1) == 100_000
    for at_us in (-(2**63), 2**63 - 1):
        with pytest.raises(GrantRefused):
            guard.take_grant(meter=7, grant=a_grant(register_wh=0, available_micro=0, at_us=at_us))


@pytest.mark.parametrize("broken", [{"schedule_obj": [1, "nonsense"]}, {"policy_obj": []}])
def test_a_grant_that_cannot_be_read_is_refused_whole(broken: dict[str, Any]) -> None:
    guard = granted(0)
    with pytest.raises(GrantRefused):
        guard.take_grant(meter=7, grant=a_grant(register_wh=0, available_micro=0)._replace(**broken))
    assert guard.decide(now_us=at(1)) == []

"""What forbids a cut is in the grant, so a gateway that is alone keeps to it as the server does."""

from edge.rig import START_US, a_grant, policy_obj
from edge.test_guard import WARNED, at, deeds, granted, reading
from fairwatt.core.credit.policy import CutRule, Shelter, Why
from fairwatt.edge.guard import Deed
from fairwatt.wire.records import Relay


def test_alone_it_keeps_to_the_shelters_of_its_grant_and_gives_power_back_where_it_may_not_be_off() -> None:
    weather = Shelter(START_US, at(60), Why.WEATHER)
    guard = granted(100_000, policy_obj=policy_obj(shelters=(weather,)))
    guard.take_reading(reading(10, 1500))
    (act,) = guard.decide(now_us=at(59))
    assert (act.deed, act.decision.rule if act.decision else "") == (Deed.WITHHELD, "withhold.weather")
    guard.take_reading(reading(59, 1510))
    assert deeds(guard.decide(now_us=at(60))) == [Deed.TRIP]
    guard.settle_relay(meter=7, relay=Relay.OPEN, tripped=True)
    guard.take_reading(reading(60, 1510, relay=Relay.OPEN))
    never = policy_obj(cut=CutRule.NEVER)
    guard.take_grant(
        meter=7,
        grant=a_grant(
            register_wh=1510, available_micro=-9, at_us=at(59), policy_obj=never, warned_at_us=WARNED
        ),
    )
    assert deeds(guard.decide(now_us=at(61))) == [Deed.RESTORE]

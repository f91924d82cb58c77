"""What alarms are set to: the nearer word counts, in each meter's own watts, proven by the gateway that goes by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fairwatt.core.alarms.model import AlarmCode
from fairwatt.core.metering.transformer import Transformer
from fairwatt.server.launcher.services import Services
from fairwatt.wire.standing import Watch, watch_digest
from flows.test_pushes import AT_US, advance, person, say, states
from support.desk import Desk, opened_desk
from support.house import as_role
from support.street import TARIFF, Street

pytestmark = pytest.mark.usefixtures("house")
MODEL = "dlt645_three_phase"


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    """Three homes: two in the wires, the second on a feeder of its own, the third behind transformers."""
    street = Street(tariff=TARIFF)
    for ratio in (Transformer(1, 1), Transformer(1, 1), Transformer(100, 5)):
        street.open_home(profile=MODEL, transformer=ratio)
    with as_role("migrate"):
        from fairwatt.store.models import Meter

        Meter.objects.filter(number=street.homes[1], gateway=street.gateway).update(feeder="riser 2")
    with opened_desk(street) as opened:
        yield opened


def set_to(desk: Desk, rules: dict[str, Any], *, user: int | None = None, **scope: Any) -> Any:
    from fairwatt.flows.set_alarms import AlarmScope, set_alarms

    author = user or person(desk, "admin")
    at = AlarmScope(**(scope or {"site": desk.street.site.slug}))
    with as_role("web"):
        return set_alarms(
            book_id=desk.street.book,
            scope=at,
            rules=rules,
            words="new fuses",
            user_id=author,
            now_us=AT_US,
            canary_pm=0,
        )


def ordered(desk: Desk) -> dict[int, Watch]:
    """What each meter was ordered to be watched for, and the gateway's proof of it."""
    found = {}
    for command in advance(desk):
        assert isinstance(command.body, Watch)
        found[command.meter] = command.body
        say(desk, command, watch=watch_digest(command.body))
    advance(desk)
    return found


def limit(watch: Watch) -> int:
    rule: Any = watch.policy.rule(AlarmCode.OVERLOAD)
    return int(rule.limit_w)


def test_the_nearer_word_counts_and_each_meter_gets_its_own_watts(desk: Desk) -> None:
    plain, fed, behind = desk.street.homes
    first = set_to(desk, {"overload": {"limit_w": 6_000}, "surge": False})
    got = ordered(desk)
    assert {meter: limit(watch) for meter, watch in got.items()} == {plain: 6_000, fed: 6_000, behind: 300}
    assert all(watch.policy.rule(AlarmCode.SURGE) is None for watch in got.values())
    assert got[fed].feeder == "riser 2"
    assert states(desk, first.push) == ("done", {"proven": 3})
    set_to(desk, {"overload": {"limit_w": 4_000}}, gateway=desk.street.gateway.slug, feeder="riser 2")
    assert {meter: limit(watch) for meter, watch in ordered(desk).items()} == {fed: 4_000}
    set_to(desk, {"overload": {"limit_w": 3_000}}, meter=plain)
    assert {meter: limit(watch) for meter, watch in ordered(desk).items()} == {plain: 3_000}
    set_to(desk, {"overload": {"limit_w": 9_000}})
    assert {meter: limit(watch) for meter, watch in ordered(desk).items()} == {
        plain: 3_000,
        fed: 4_000,
        behind: 450,
    }
    set_to(desk, {}, meter=plain)
    assert {meter: limit(watch) for meter, watch in ordered(desk).items()} == {plain: 9_000}
    deeds = desk.events("desk.alarms_set")
    assert [deed.evidence["meters"] for deed in deeds] == [3, 1, 1, 3, 1]
    assert deeds[0].evidence["author"] == person(desk, "admin")


def test_a_gateway_that_goes_by_something_else_proves_nothing(desk: Desk) -> None:
    done = set_to(desk, {"overload": {"limit_w": 6_000}}, meter=desk.street.homes[0])
    [command] = advance(desk)
    say(desk, command, watch="0" * 16)
    advance(desk)
    assert states(desk, done.push)[1] == {"failed": 1}


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({"overlod": {}}, "no alarm"),
        ({"overload": {"limit_w": 0}}, "overload"),
        ({"overload": {"limit_kw": 5}}, "no setting"),
        ({"overload": 5000}, "table of settings"),
        ({"overload": {"limit_w": "5000"}}, "cannot be"),
        ({"overload": {"restore_after_s": 1.5}}, "whole number of seconds"),
    ],
)
def test_settings_that_no_rule_can_have_are_refused_whole(
    desk: Desk, rules: dict[str, Any], why: str
) -> None:
    from fairwatt.flows.set_alarms import BadAlarms

    with pytest.raises(BadAlarms, match=why):
        set_to(desk, rules)
    assert advance(desk) == [] and desk.events("desk.alarms_set") == []


def test_only_an_administrator_sets_them_and_only_in_the_own_book(desk: Desk) -> None:
    from fairwatt.flows.desk import NotAllowed, NotFound

    with pytest.raises(NotAllowed):
        set_to(desk, {}, user=person(desk, "operator"))
    for scope in (
        {"site": "elsewhere"},
        {"meter": 7},
        {"gateway": desk.street.gateway.slug, "feeder": "none"},
    ):
        with pytest.raises(NotFound):
            set_to(desk, {}, **scope)


def test_new_homes_are_sent_what_is_set(desk: Desk) -> None:
    from fairwatt.flows.set_alarms import AlarmScope, send_alarms

    set_to(desk, {"overload": {"limit_w": 6_000}})
    ordered(desk)
    meter = desk.home(profile=MODEL)
    user = person(desk)
    with as_role("web"):
        send_alarms(
            book_id=desk.street.book,
            scope=AlarmScope(meter=meter),
            words="new home",
            user_id=user,
            now_us=AT_US,
        )
    assert {number: limit(watch) for number, watch in ordered(desk).items()} == {meter: 6_000}

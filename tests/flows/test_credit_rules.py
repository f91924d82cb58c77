"""What homes are held to is written by people, by two where it protects less, and the poster goes by it at once."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.core.credit.policy import CutRule, Why
from fairwatt.server.launcher.services import Services
from support.credit import document, person, rule, step
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, POLICY, Street


@pytest.fixture
def street(house: Services) -> Street:
    return Street(tariff=FLAT)


@pytest.fixture
def people(street: Street) -> dict[str, Any]:
    return {name: person(street, name) for name in ("ann", "bob")} | {
        "cleo": person(street, "cleo", "operator")
    }


def policy_of(desk: Desk, home: int) -> Any:
    """What the poster goes by for a home once it has read what waits."""
    from fairwatt.flows.posting.loading import reload_book

    desk.post(now_us=NOON_US)
    state = reload_book(state=desk.state, now_us=NOON_US)
    ix = state.wallet_index[desk.street.wallets[home]]
    return state.policies[int(state.wallets["policy_ix"][ix])]


def test_the_narrower_place_wins_and_a_law_is_a_floor(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    desk.home()
    desk.home()
    ann = people["ann"]
    rule(street, ann, body=document('warn: {below: "30", critical: "3"}'))
    rule(street, ann, site=street.site.pk, body=document('warn: {below: "40"}'))
    rule(street, ann, wallet=street.wallets[1], body=document('warn: {below: "50"}'))
    rule(
        street,
        ann,
        basis="law",
        source="Supply Act 4",
        body=document('warn: {below: "45", lead_minutes: 90}'),
    )
    first, second = policy_of(desk, 0), policy_of(desk, 1)
    assert (first.low_micro, second.low_micro) == (45_000_000, 50_000_000)
    assert (first.critical_micro, first.warn_lead_us) == (3_000_000, 90 * 60_000_000)
    assert first.friendly == POLICY.friendly, "what nobody says is as the home was opened"


def test_what_protects_less_holds_when_another_administrator_agreed(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.desk import NotAllowed

    desk.home()
    ann, bob, cleo = people["ann"], people["bob"], people["cleo"]
    written = rule(street, ann, body=document("friendly: {hours: []}"))
    assert written.loosens == ["friendly"]
    assert policy_of(desk, 0).friendly == POLICY.friendly
    for who in (ann, cleo):
        with pytest.raises(NotAllowed):
            step(street, who, written, "approve")
    step(street, bob, written, "approve")
    assert policy_of(desk, 0).friendly == ()
    kinds = [(event.kind, event.evidence["author"]) for event in desk.events("desk.credit")]
    assert kinds == [("desk.credit_rule", ann.pk), ("desk.credit_step", bob.pk)]


def test_a_heat_that_is_called_off_before_it_comes_shelters_nobody_and_stops_nothing(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.posting.loading import load_book

    desk.home()
    written = rule(
        street, people["ann"], "weather", from_us=NOON_US + 4 * HOUR_US, until_us=NOON_US + 9 * HOUR_US
    )
    later_us = NOON_US + HOUR_US
    assert policy_of(desk, 0).shelters
    for who, what in (("ann", "ask_end"), ("bob", "end")):
        step(street, people[who], written, what, now_us=later_us)
    for now_us in (later_us, NOON_US + 5 * HOUR_US):
        state = load_book(book=street.book, now_us=now_us)
        assert not state.policies[int(state.wallets["policy_ix"][0])].shelters
    assert not [event for event in desk.events("credit.") if "broken" in event.kind]


def test_the_database_itself_wants_two_people(street: Street, people: dict[str, Any]) -> None:
    from django.db import ProgrammingError, connection, transaction

    written = rule(street, people["ann"], body=document("friendly: {hours: []}"))
    with (
        as_role("web"),
        pytest.raises(ProgrammingError, match="his own rule"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT set_config('fairwatt.books', %s, true)", [str(street.book)])
        cursor.execute(
            "INSERT INTO credit_step (rule, book, step, author, at_us) VALUES (%s, %s, 'approve', %s, 1)",
            [written.rule, street.book, people["ann"].pk],
        )


def test_an_operator_may_protect_a_home_at_once_and_the_protection_lapses_unless_somebody_agrees(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.desk import NotAllowed
    from fairwatt.flows.posting.loading import load_book

    meter = desk.home()
    with pytest.raises(NotAllowed):
        rule(street, people["cleo"], body=document("cut: never"))
    written = rule(
        street, people["cleo"], "protection", wallet=street.wallets[0], until_us=NOON_US + 300 * DAY_US
    )
    desk.open()
    desk.read(meter, NOON_US + HOUR_US, 1_000)
    desk.read(meter, NOON_US + 3 * HOUR_US, 1_100)
    assert [event.reason for event in desk.events("supply.")] == ["protected"]
    lapsed = load_book(book=street.book, now_us=NOON_US + 15 * DAY_US)
    assert not lapsed.policies[int(lapsed.wallets["policy_ix"][0])].shelters
    step(street, people["ann"], written, "approve")
    kept = load_book(book=street.book, now_us=NOON_US + 15 * DAY_US)
    (shelter,) = kept.policies[int(kept.wallets["policy_ix"][0])].shelters
    assert (shelter.why, shelter.end_us) == (Why.PROTECTED, NOON_US + 300 * DAY_US)


def test_forced_on_brings_power_back_at_once_and_reaches_the_gateway(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.core.credit.policy import policy_from_obj

    meter = desk.home()
    desk.read(meter, NOON_US + HOUR_US, 1_000)
    desk.read(meter, NOON_US + 3 * HOUR_US, 1_100)
    assert desk.events("supply.cut")
    rule(street, people["cleo"], "force_on", wallet=street.wallets[0], now_us=NOON_US + 4 * HOUR_US)
    result = desk.post(now_us=NOON_US + 4 * HOUR_US)
    assert result.reload and result.regrant == {street.wallets[0]}
    desk.state = _again(desk, NOON_US + 4 * HOUR_US)
    desk.post(now_us=NOON_US + 4 * HOUR_US, regrant=result.regrant)
    order = desk.orders()[-1]
    assert (order.relay, order.reason) == (1, "forced_on")
    grant = desk.command(order).supply.grant
    assert grant is not None
    assert policy_from_obj(grant.policy_obj).shelters[0].why is Why.FORCED_ON


def _again(desk: Desk, now_us: int) -> Any:
    from fairwatt.flows.posting.loading import reload_book

    return reload_book(state=desk.state, now_us=now_us)


def test_an_unreadable_rule_cuts_nobody_and_raises_an_alarm(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from django.db import connection

    desk.home()
    with as_role("migrate"), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('fairwatt.books', %s, false)", [str(street.book)])
        cursor.execute(
            "INSERT INTO credit_rule (book, kind, from_us, body, words, author, created_us) "
            "VALUES (%s, 'terms', 0, 'nonsense', 'x', 1, 0)",
            [street.book],
        )
    desk.open()
    desk.post(now_us=NOON_US)
    assert policy_of(desk, 0).friendly == ((0, 1_440),)
    assert [event.evidence["name"] for event in desk.events("alarm.credit_rule_unusable")] == ["terms"]


def test_a_place_where_nobody_may_cut_limits_the_power_instead(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    desk.home()
    rule(
        street,
        people["ann"],
        basis="law",
        source="Housing Act 9",
        body=document("cut: limit", "limit_w: 500"),
    )
    held = policy_of(desk, 0)
    assert (held.cut, held.steps) == (CutRule.LIMIT, ((1, 500),))


def test_the_clock_makes_the_poster_look_again_when_a_rule_begins_or_ends(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.raise_due import raise_due

    desk.home()
    rule(street, people["ann"], "weather", from_us=NOON_US + HOUR_US, until_us=NOON_US + 5 * HOUR_US)
    desk.post(now_us=NOON_US)
    assert raise_due(book_id=street.book, now_us=NOON_US + HOUR_US) == 1, "the beginning"
    assert raise_due(book_id=street.book, now_us=NOON_US + HOUR_US) == 0
    assert desk.post(now_us=NOON_US + HOUR_US).reload
    assert raise_due(book_id=street.book, now_us=NOON_US + 5 * HOUR_US) == 1, "the end"
    assert raise_due(book_id=street.book, now_us=NOON_US + 12 * HOUR_US) == 1, "a new day"

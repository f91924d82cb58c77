"""Who comes is never cut for who left, and a home that was dark is lit by the credit of who came."""

from __future__ import annotations

import pytest

from fairwatt.core.credit.policy import Why
from fairwatt.wire.frames import Event
from support.credit import document, person, rule, step
from support.desk import Desk
from support.house import as_role
from support.moves import ask, follow
from support.street import DAY_US, HOUR_US, NOON_US


def test_a_cut_on_its_way_dies_with_the_move_and_the_grant_names_who_came(desk: Desk) -> None:
    meter = desk.home()
    old = desk.street.wallets[0]
    desk.pay(meter, 5_00, now_us=NOON_US)
    desk.read(meter, NOON_US + HOUR_US, 10_000)
    at_us = NOON_US + DAY_US
    desk.read(meter, at_us, 40_000)
    desk.read(meter, at_us + 2 * HOUR_US, 40_100)
    now_us = at_us + 2 * HOUR_US
    cut = desk.orders()[-1]
    assert (cut.relay, cut.wallet, cut.state) == (0, old, "queued")

    fact = ask(desk, "change", wallet=old, at_us=now_us, now_us=now_us)
    follow(desk, now_us=now_us)
    new = desk.fact(fact).result["new_wallet"]
    orders = {order.id: order for order in desk.orders()}
    assert orders[cut.id].state == "superseded"
    fresh = orders[max(orders)]
    assert (fresh.wallet, fresh.relay) == (new, 2)
    grant = desk.command(fresh).supply.grant
    assert grant is not None and (grant.wallet, grant.available_micro) == (new, 0)
    assert grant.state.register_wh == 40_100


def test_a_trip_by_the_old_grant_is_undone_by_the_credit_of_who_came(desk: Desk) -> None:
    """The gateway was away, ran on with the grant of who left, and switched off; it tells when it is back."""
    meter = desk.home()
    old = desk.street.wallets[0]
    desk.pay(meter, 5_00, now_us=NOON_US)
    desk.read(meter, NOON_US + HOUR_US, 10_000)
    out_us = NOON_US + 5 * HOUR_US
    fact = ask(desk, "change", wallet=old, at_us=out_us, now_us=out_us)
    follow(desk, now_us=out_us)
    new = desk.fact(fact).result["new_wallet"]
    back_us = out_us + 20 * HOUR_US
    trip = Event(meter=meter, at_us=back_us - HOUR_US, code="local_trip", detail={})
    desk.post(desk.street.event(trip, clock_us=back_us), now_us=back_us)
    desk.read(meter, back_us, 14_000, closed=False)
    follow(desk, now_us=back_us)
    assert not [order for order in desk.orders() if order.wallet == new and order.relay == 1]

    desk.street.wallets[0] = new
    desk.pay(meter, 50_00, now_us=back_us + HOUR_US)
    desk.post(now_us=back_us + HOUR_US)
    lit = desk.orders()[-1]
    assert (lit.wallet, lit.relay) == (new, 1)


def _cut(desk: Desk, meter: int) -> int:
    """Let a home run out and obey; an hour later."""
    desk.pay(meter, 1_00, now_us=NOON_US)
    desk.read(meter, NOON_US + HOUR_US, 10_000)
    at_us = NOON_US + DAY_US
    desk.read(meter, at_us, 40_000)
    now_us = at_us + 2 * HOUR_US
    desk.read(meter, now_us, 40_100)
    desk.post(desk.receipt(desk.orders()[-1], at_us=now_us), now_us=now_us)
    return now_us + HOUR_US


def test_who_comes_to_a_dark_home_has_power_with_the_first_credit(desk: Desk) -> None:
    meter = desk.home()
    old = desk.street.wallets[0]
    now_us = _cut(desk, meter)
    desk.read(meter, now_us, 40_100, closed=False)
    fact = ask(desk, "change", wallet=old, at_us=now_us, now_us=now_us)
    follow(desk, now_us=now_us)
    desk.street.wallets[0] = new = desk.fact(fact).result["new_wallet"]
    desk.pay(meter, 10_00, now_us=now_us + HOUR_US)
    desk.post(now_us=now_us + HOUR_US)
    lit = desk.orders()[-1]
    assert (lit.wallet, lit.relay) == (new, 1)
    debt = [line.balance_micro for line in desk.lines() if line.wallet == old][-1]
    assert debt < 0


def test_who_comes_after_an_empty_month_to_a_home_that_was_cut_has_power_with_the_first_credit(
    desk: Desk,
) -> None:
    """Nothing is heard of the meter between the cut and the new person's first credit."""
    meter = desk.home()
    old = desk.street.wallets[0]
    at_us = _cut(desk, meter)
    gone = ask(desk, "out", wallet=old, at_us=at_us + HOUR_US, now_us=at_us + HOUR_US)
    follow(desk, now_us=at_us + HOUR_US)
    owner, in_us = desk.fact(gone).result["new_wallet"], at_us + 30 * DAY_US
    came = ask(desk, "in", wallet=owner, at_us=in_us, now_us=in_us)
    follow(desk, now_us=in_us)
    desk.street.wallets[0] = new = desk.fact(came).result["new_wallet"]
    desk.pay(meter, 10_00, now_us=in_us + HOUR_US)
    desk.post(now_us=in_us + HOUR_US)
    lit = desk.orders()[-1]
    assert (lit.wallet, lit.relay) == (new, 1)


def test_who_is_protected_stays_so_in_another_home(desk: Desk) -> None:
    """What was written for people, and who agreed, goes along with a transfer; what was ended or refused does not."""
    from fairwatt.flows.credit_rules import RuleRefused
    from fairwatt.flows.posting.loading import load_book
    from fairwatt.store.models import Installation

    meter, _ = desk.home(), desk.home()
    old, there = desk.street.wallets
    ann, bob = (person(desk.street, name) for name in ("ann", "bob"))
    kept = rule(desk.street, ann, "protection", wallet=old, until_us=NOON_US + 300 * DAY_US)
    step(desk.street, bob, kept, "approve")
    waiting = rule(desk.street, ann, "protection", wallet=old, until_us=NOON_US + 200 * DAY_US)
    rule(desk.street, ann, wallet=old, body=document('warn: {below: "50"}'))
    ended = rule(desk.street, ann, "force_on", wallet=old)
    for who, what in ((ann, "ask_end"), (bob, "end")):
        step(desk.street, who, ended, what)
    desk.read(meter, NOON_US + HOUR_US, 1_000)
    emptied = ask(desk, "out", wallet=there, at_us=NOON_US + HOUR_US, now_us=NOON_US + HOUR_US)
    follow(desk, now_us=NOON_US + HOUR_US)
    to_us = NOON_US + 2 * HOUR_US
    fact = ask(
        desk,
        "transfer",
        wallet=old,
        at_us=to_us,
        now_us=to_us,
        to_unit=Installation.objects.get(wallet=there).unit_id,
        to_wallet=desk.fact(emptied).result["new_wallet"],
    )
    follow(desk, now_us=to_us)
    result = desk.fact(fact).result
    assert result.get("rules_carried") == 2, result
    for now_us, protections in ((to_us, 2), (NOON_US + 20 * DAY_US, 1)):
        state = load_book(book=desk.street.book, now_us=now_us)
        policy = state.policies[int(state.wallets["policy_ix"][state.wallet_index[result["to_account"]]])]
        assert [one.why for one in policy.shelters] == [Why.PROTECTED] * protections
        assert policy.low_micro != 50_000_000, "a document is of the place: elsewhere it may protect less"
    with pytest.raises(RuleRefused, match="another home now"):
        step(desk.street, bob, waiting, "approve", now_us=to_us)


def test_the_poster_writes_no_rule_for_a_home_that_nobody_moved_to(desk: Desk) -> None:
    from django.db import ProgrammingError, connection, transaction

    from fairwatt.store import credit_rules, facts

    desk.home(), desk.home()
    old, there = desk.street.wallets
    rule(desk.street, person(desk.street, "ann"), "protection", wallet=old)
    for role in ("poster", "web"):
        with (
            as_role(role),
            pytest.raises(ProgrammingError, match=r"went over|permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            facts.see_book(cursor=cursor, book=desk.street.book)
            credit_rules.carry_rules(cursor=cursor, book=desk.street.book, wallet=old, to_wallet=there)

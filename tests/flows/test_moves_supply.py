"""Who comes is never cut for who left, and a home that was dark is lit by the credit of who came."""

from __future__ import annotations

from fairwatt.wire.frames import Event
from support.desk import Desk
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


def test_who_comes_to_a_dark_home_has_power_with_the_first_credit(desk: Desk) -> None:
    meter = desk.home()
    old = desk.street.wallets[0]
    desk.pay(meter, 1_00, now_us=NOON_US)
    desk.read(meter, NOON_US + HOUR_US, 10_000)
    at_us = NOON_US + DAY_US
    desk.read(meter, at_us, 40_000)
    desk.read(meter, at_us + 2 * HOUR_US, 40_100)
    cut = desk.orders()[-1]
    now_us = at_us + 2 * HOUR_US
    desk.post(desk.receipt(cut, at_us=now_us), now_us=now_us)
    now_us += HOUR_US
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

"""Ways to pay nothing, to stay dark after paying, or to lose a payment: each was open once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.credit.levels import warning_level
from fairwatt.flows.posting.book_state import WALLET
from fairwatt.flows.posting.flushing import CacheFlusher
from fairwatt.server.launcher.services import Services
from fairwatt.store.caches import drop_caches
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, Street, reading

MINUTE_US = 60_000_000
WARNED = NOON_US + 10 * MINUTE_US
DUE = WARNED + HOUR_US
OPEN, CLOSED = 0, 1


def daily(year: int) -> str:
    """A new price on each of the first 28 days of every month."""
    return "".join(
        f'\n  - effective: {year}-{month:02d}-{day:02d}\n    elements:\n      - energy: {{price: "0.{day:02d}"}}'
        for month in range(1, 13)
        for day in range(1, 29)
    )


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    with opened_desk(Street(tariff=FLAT)) as opened:
        yield opened
        check_laws(opened.street.book, acked=opened.acked)


def cuts(desk: Desk) -> int:
    return len(desk.events("supply.cut"))


def in_debt(desk: Desk) -> int:
    meter = desk.home()
    desk.read(meter, WARNED, 1_000)
    return meter


def start(desk: Desk, amount_minor: int, *, now_us: int) -> str:
    from fairwatt.flows.start_top_up import start_top_up

    with as_role("web"):
        wallet = desk.street.wallets[0]
        return start_top_up(
            wallet_id=wallet, amount_minor=amount_minor, provider="sandbox", user_id=None, now_us=now_us
        ).our_ref


def deliver(desk: Desk, our_ref: str, amount_minor: int, *, now_us: int, **content: Any) -> Any:
    from fairwatt.flows.receive_payment import receive_callback

    headers, body = desk.street.callback(our_ref=our_ref, amount_minor=amount_minor, now_us=now_us, **content)
    poster: Any = desk.street.poster()
    with as_role("web"):
        return receive_callback(
            provider=poster.providers["sandbox"], headers=headers, body=body, now_us=now_us
        )


# --- living for nothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("caches_lost", [False, True])
def test_a_coin_before_every_due_cut_keeps_no_power_on(desk: Desk, caches_lost: bool) -> None:
    meter = in_debt(desk)
    desk.pay(meter, 1, now_us=DUE - MINUTE_US)
    desk.post(now_us=DUE - MINUTE_US)
    if caches_lost:
        with as_role("poster"):
            drop_caches(book=desk.street.book)
        desk.open(now_us=DUE - MINUTE_US)
    desk.read(meter, DUE, 1_100)
    assert cuts(desk) == 1


def test_a_wrong_payment_of_a_coin_withholds_no_cut(desk: Desk) -> None:
    meter = in_debt(desk)
    deliver(desk, start(desk, 50_00, now_us=WARNED), 1, now_us=WARNED)
    desk.read(meter, DUE, 1_100)
    assert cuts(desk) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_a_payment_in_review_withholds_for_three_days_at_most(desk: Desk, restarted: bool) -> None:
    meter = in_debt(desk)
    deliver(desk, start(desk, 50_00, now_us=WARNED), 49_00, now_us=WARNED)
    desk.read(meter, DUE, 1_100)
    assert cuts(desk) == 0
    if restarted:
        desk.open(now_us=DUE)
    desk.read(meter, NOON_US + 3 * DAY_US, 1_200)
    assert cuts(desk) == 0
    desk.read(meter, NOON_US + 3 * DAY_US + 2 * HOUR_US, 1_300)
    assert cuts(desk) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_the_right_payment_ends_the_review_of_the_wrong_one(desk: Desk, restarted: bool) -> None:
    in_debt(desk)
    ref = start(desk, 50_00, now_us=WARNED)
    deliver(desk, ref, 49_00, now_us=WARNED)
    desk.post(now_us=WARNED)
    assert desk.state.in_review
    deliver(desk, ref, 50_00, now_us=DUE, event_id="e2", provider_ref="p2")
    desk.post(now_us=DUE)
    if restarted:
        desk.open(now_us=DUE)
    assert not desk.state.in_review


def test_nobody_is_cut_while_one_of_his_meters_is_silent(desk: Desk) -> None:
    from fairwatt.store.models import Installation

    first, second = desk.home(), desk.home()
    with as_role("migrate"):
        Installation.objects.filter(pk=desk.street.installations[1]).update(wallet_id=desk.street.wallets[0])
    desk.open()
    desk.post(desk.street.readings(reading(first, WARNED, 500), reading(second, WARNED, 500)), now_us=WARNED)
    desk.read(first, WARNED + 3 * HOUR_US, 600)
    assert cuts(desk) == 0
    assert desk.events("supply.withheld")[-1].reason == "stale_data"
    desk.read(second, WARNED + 3 * HOUR_US + 1, 600)
    assert cuts(desk) == 2


# --- payments that vanish -----------------------------------------------------------------------------------


def test_one_event_id_with_two_payments_loses_neither(desk: Desk) -> None:
    meter = desk.home()
    for amount in (10_00, 20_00):
        ref = start(desk, amount, now_us=NOON_US)
        deliver(desk, ref, amount, now_us=NOON_US, event_id="same", provider_ref=f"p{amount}")
    desk.post(now_us=NOON_US + 1)
    assert desk.balance(meter) == 30_000_000


def test_one_provider_reference_for_two_top_ups_is_seen_by_a_person(desk: Desk) -> None:
    meter = desk.home()
    first = desk.pay(meter, 10_00, now_us=NOON_US, event_id="a", provider_ref="r")
    second = desk.pay(meter, 20_00, now_us=NOON_US, event_id="b", provider_ref="r")
    desk.post(now_us=NOON_US)
    third = desk.pay(meter, 30_00, now_us=NOON_US, event_id="c", provider_ref="r")
    desk.post(now_us=NOON_US)
    assert [desk.fact(f).state for f in (first, second, third)] == ["posted", "refused", "refused"]
    assert [event.reason for event in desk.events("fact.refused")] == ["reference_reused"] * 2
    assert desk.balance(meter) == 10_000_000


def test_a_payment_of_another_book_is_refused_and_booked_nowhere(desk: Desk) -> None:
    from fairwatt.store.models import Journal

    meter = desk.home()
    row = desk.fact(desk.pay(meter, 50_00, now_us=NOON_US))
    other = Street(tariff=FLAT, provider_key=desk.street.provider_key)
    with opened_desk(other) as there:
        with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
                [str(other.book)],
            )
            cursor.execute(
                "INSERT INTO fact (book, kind, natural_key, payload, raw, created_us) "
                "VALUES (%s, 'payment', 'shown', %s, %s, 1)",
                [other.book, json.dumps(row.payload), bytes(row.raw)],
            )
        there.post(now_us=NOON_US)
        assert [event.reason for event in there.events("fact.refused")] == ["other_book"]
        assert not Journal.objects.filter(book=other.book).exists()
    desk.post(now_us=NOON_US)
    assert desk.balance(meter) == 50_000_000


# --- homes that stay dark -----------------------------------------------------------------------------------


def test_an_order_accepted_under_an_old_spool_is_given_again(desk: Desk) -> None:
    meter = in_debt(desk)
    desk.read(meter, DUE, 1_100)
    desk.pay(meter, 50_00, now_us=DUE + 1)
    desk.post(now_us=DUE + 1)
    desk.street.seq = 1_000  # a spool that has counted far
    desk.post(desk.receipt(desk.orders()[-1], at_us=DUE + 2), now_us=DUE + 2)
    assert desk.orders()[-1].state == "accepted"
    desk.street.epoch, desk.street.seq = 2, 0
    desk.read(meter, DUE + MINUTE_US, 1_100, closed=False)
    again = desk.orders()[-1]
    assert (again.relay, again.state) == (CLOSED, "queued")
    assert desk.command(again).body.grant is not None
    later = DUE + 2 * MINUTE_US
    desk.post(
        desk.receipt(again, at_us=later), desk.street.readings(reading(meter, later, 1_100)), now_us=later
    )
    assert desk.orders()[-1].state == "proven"


def test_grants_that_a_crash_swallowed_are_given_after_the_start(desk: Desk) -> None:
    from fairwatt.flows.posting.pipeline import Pipeline

    with as_role("web"):
        desk.street.open_home()
    desk.open()  # answered the new home, and died before the batch that signs its grant
    desk.open()
    with ThreadPoolExecutor(1) as posting:
        poster: Any = desk.street.poster()
        flusher = CacheFlusher(state=desk.state)
        pipeline = Pipeline(state=desk.state, flusher=flusher, poster=poster, posting=posting, beside=posting)
        assert pipeline.owes_grants
        pipeline.submit(messages=[], now_us=NOON_US + 1).result(20)
        assert not pipeline.owes_grants
        posting.submit(lambda: connection.close()).result()
    assert len(desk.orders()) == 1
    desk.open()
    assert desk.state.owed == set()


# --- commands that do not fit -------------------------------------------------------------------------------


def test_a_grant_carries_no_prices_of_the_past(desk: Desk) -> None:
    from fairwatt.core.rating.tariff_obj import schedule_from_obj
    from fairwatt.flows import provision

    desk.home()
    december = NOON_US + 540 * DAY_US
    with as_role("migrate"):
        provision.publish_tariff(
            book_id=desk.street.book, slug="daily", name="Daily", text=FLAT + daily(2014), now_us=december
        )
    desk.open()
    plan = desk.state.plans[-1]
    carried = schedule_from_obj(plan.schedule_obj(since_us=december))
    assert len(plan.schedule.versions) == 337
    assert 1 < len(carried.versions) < 20
    assert carried.versions == plan.schedule.versions[-len(carried.versions) :]


def test_a_tariff_that_no_grant_could_carry_is_not_published(desk: Desk) -> None:
    from fairwatt.flows import provision

    text = FLAT + "".join(daily(year) for year in range(2014, 2017))
    with as_role("migrate"), pytest.raises(provision.TariffTooLong):
        provision.publish_tariff(
            book_id=desk.street.book, slug="tariff", name="Flat", text=text, now_us=NOON_US
        )


def test_a_grant_that_no_message_can_carry_leaves_the_order_without_it(desk: Desk) -> None:
    meter = desk.home()
    plan = desk.state.plans[0]
    versions = [replace(plan.schedule.versions[0], name="n" * 70_000)]
    plan.schedule = replace(plan.schedule, versions=tuple(versions))
    desk.pay(meter, 1_00, now_us=NOON_US)
    desk.post(now_us=NOON_US)
    (order,) = desk.orders()[-1:]
    assert desk.command(order).body.grant is None
    assert len(desk.events("alarm.grant_unsendable")) >= 1


# --- arithmetic ---------------------------------------------------------------------------------------------


def test_a_large_meter_that_was_silent_for_a_year_is_believed(desk: Desk) -> None:
    from fairwatt.store.models import Meter

    meter = desk.home()
    with as_role("migrate"):
        Meter.objects.filter(gateway=desk.street.gateway).update(max_power_w=1_000_000, modulus_wh=10**12)
    desk.open(now_us=NOON_US + 120 * DAY_US)
    desk.read(meter, NOON_US + 120 * DAY_US, 900_000_000)
    assert desk.quarantine() == []
    desk.read(meter, NOON_US + 121 * DAY_US, 2_900_000_000)
    assert desk.quarantine() == ["impossible_register"]


MONEY = st.integers(-(10**12), 10**12)


@pytest.mark.usefixtures("house")
@given(st.lists(st.tuples(MONEY, st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=20))
def test_the_levels_of_many_wallets_are_those_of_one(cases: list[tuple[int, int, int]]) -> None:
    from fairwatt.flows.posting.deciding import credit_levels

    wallets = np.zeros(len(cases), dtype=WALLET)
    for n, (balance, low, critical) in enumerate(cases):
        wallets[n]["balance_micro"] = balance
        wallets[n]["low_micro"], wallets[n]["critical_micro"] = max(low, critical), min(low, critical)
    assert credit_levels(wallets=wallets).tolist() == [
        warning_level(
            available_micro=balance, low_micro=max(low, critical), critical_micro=min(low, critical)
        )
        for balance, low, critical in cases
    ]

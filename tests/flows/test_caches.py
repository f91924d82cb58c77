"""Caches affect cost, never meaning: dropped, they come back as they were."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from fairwatt.core.spans import local_day_start
from fairwatt.flows.posting.flushing import CacheFlusher
from fairwatt.store.caches import drop_caches
from support.desk import Desk
from support.street import DAY_US, HOUR_US, NOON_US, Street, reading

MINUTE_US = 60_000_000
RATING = ("at_us", "register_wh", "counter_wh", "window_us", "carry_nano", "carry_tax")
TOLD = ("balance_micro", "seq", "level", "warned_us", "cut_by_credit", "withheld", "read_us")
DAY = ("energy_wh", "cost_micro", "slots_wh", "slots_micro", "close_micro")


def snapshot(desk: Desk) -> dict[str, Any]:
    """The three caches of the book, without what only a meter can tell again."""
    from fairwatt.store.models import RegisterHead, UseDay, WalletHead

    book = desk.street.book

    def rows(model: Any, key: tuple[str, ...], names: tuple[str, ...]) -> dict[Any, Any]:
        return {
            tuple(getattr(row, k) for k in key): {name: getattr(row, name) for name in names}
            for row in model.objects.filter(book=book)
        }

    return {
        "wallets": rows(WalletHead, ("wallet",), TOLD),
        "registers": rows(RegisterHead, ("installation",), RATING),
        "days": rows(UseDay, ("wallet", "day_us"), DAY),
    }


class Flushing:
    """A desk whose caches follow it, as the head-end does it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.take()

    def take(self) -> None:
        self.flusher = CacheFlusher(state=self.desk.state)
        self.flusher.catch_up()

    def noted(self, result: Any) -> None:
        self.flusher.note(touched=result.touched, lines=result.lines)

    def flush(self) -> None:
        self.flusher.flush(state=self.desk.state)


@pytest.fixture
def lived_in(desk: Desk) -> Flushing:
    """Four homes: comfortable, warned, cut, and one with late readings and money back."""
    street = desk.street
    for _ in range(4):
        desk.home()
    easy, warned, cut, late = street.homes
    caches = Flushing(desk)
    post = desk.post
    for meter, amount in ((easy, 90_00), (warned, 2_50), (late, 80_00)):
        desk.pay(meter, amount, now_us=NOON_US)
    caches.noted(post(now_us=NOON_US))
    for n in range(1, 60):
        at = NOON_US + n * 37 * MINUTE_US
        shown = [(easy, 333 * n), (warned, 41 * n), (cut, 97 * n)] + ([(late, 877 * n)] if n % 4 == 0 else [])
        caches.noted(post(street.readings(*(reading(m, at, wh) for m, wh in shown)), now_us=at))
        if n % 20 == 0:
            caches.flush()
    now = NOON_US + 60 * 37 * MINUTE_US
    missing = [reading(late, NOON_US + n * 37 * MINUTE_US, 877 * n + n) for n in range(1, 60) if n % 4]
    caches.noted(post(street.readings(*missing, clock_us=now), now_us=now))
    order = next(order for order in reversed(desk.orders()) if order.relay == 0)
    caches.noted(post(desk.receipt(order, at_us=now), now_us=now))
    caches.flush()
    return caches


def test_dropped_caches_come_back_as_they_were(desk: Desk, lived_in: Flushing) -> None:
    before = snapshot(desk)
    assert {row["level"] for row in before["wallets"].values()} >= {0, 3}
    assert any(row["cut_by_credit"] for row in before["wallets"].values())
    drop_caches(book=desk.street.book)
    assert snapshot(desk) == {"wallets": {}, "registers": {}, "days": {}}
    desk.open(now_us=NOON_US + 3 * DAY_US)
    lived_in.take()
    lived_in.flush()
    after = snapshot(desk)
    assert after["registers"] == before["registers"]
    assert after["days"] == before["days"]
    assert after["wallets"] == before["wallets"]


@pytest.mark.parametrize("dropped", [True, False])
def test_posting_goes_on_exactly_after_a_crash_with_stale_or_dropped_caches(
    desk: Desk, lived_in: Flushing, dropped: bool
) -> None:
    now = NOON_US + 4 * DAY_US
    easy, late = desk.street.homes[0], desk.street.homes[3]
    unflushed = desk.street.readings(reading(easy, now, 30_000), reading(late, now, 80_000))
    desk.post(unflushed, now_us=now)
    correction_only = desk.street.readings(reading(late, now - DAY_US, 60_000), clock_us=now)
    desk.post(correction_only, now_us=now)
    expected, orders = desk.state, desk.state.orders
    if dropped:
        drop_caches(book=desk.street.book)
    desk.open(now_us=now)
    for name in RATING:
        assert (desk.state.registers[name] == expected.registers[name]).all(), name
    for name in ("balance_micro", "seq", "level", "warned_us", "cut_by_credit", "read_us"):
        assert (desk.state.wallets[name] == expected.wallets[name]).all(), name
    assert desk.state.orders == orders
    lived_in.take()
    for n in range(1, 5):
        at = now + n * HOUR_US
        lived_in.noted(
            desk.post(
                desk.street.readings(reading(easy, at, 30_000 + n), reading(late, at, 80_000 + n)), now_us=at
            )
        )
    lived_in.flush()
    assert_days_are_the_lines(desk)


def test_a_crash_right_after_dropping_the_caches_forgets_no_cut(desk: Desk, lived_in: Flushing) -> None:
    assert desk.state.wallets["cut_by_credit"].sum() == 1
    drop_caches(book=desk.street.book)
    now = NOON_US + 4 * DAY_US
    desk.open(now_us=now)
    desk.pay(desk.street.homes[1], 50_00, now_us=now)
    desk.post(now_us=now)  # writes one wallet's head, and the process dies before any flush
    desk.open(now_us=now)
    assert desk.state.wallets["cut_by_credit"].sum() == 1


def test_a_crash_after_the_proof_remembers_that_power_is_back(desk: Desk, lived_in: Flushing) -> None:
    cut, now = desk.street.homes[2], NOON_US + 2 * DAY_US
    desk.pay(cut, 50_00, now_us=now)
    desk.post(now_us=now)
    restore = desk.orders()[-1]
    assert restore.relay == 1
    desk.post(desk.receipt(restore, at_us=now), now_us=now)
    desk.read(cut, now + 1, 97 * 59)
    assert desk.orders()[-1].state == "proven"
    desk.open(now_us=now)
    assert not desk.state.wallets["cut_by_credit"].any()


def test_a_relay_seen_without_a_charge_reaches_the_cache(street: Street, desk: Desk) -> None:
    from fairwatt.store.models import RegisterHead

    meter = desk.home()
    caches = Flushing(desk)
    caches.noted(desk.read(meter, NOON_US + HOUR_US, 100))
    caches.flush()
    caches.noted(desk.read(meter, NOON_US + HOUR_US, 100, closed=False))
    assert caches.flusher.pending
    caches.flush()
    assert RegisterHead.objects.get(installation=street.installations[0]).relay == 0


def test_days_of_use_are_the_sum_of_the_lines(desk: Desk, lived_in: Flushing) -> None:
    assert_days_are_the_lines(desk)


def test_a_slot_nobody_reported_is_a_gap_and_not_zero(street: Street, desk: Desk) -> None:
    from fairwatt.store.models import UseDay

    meter = desk.home()
    caches = Flushing(desk)
    caches.noted(desk.read(meter, NOON_US + 2 * HOUR_US, 0))
    caches.flush()
    (day,) = UseDay.objects.filter(book=street.book)
    assert day.slots_wh.count(0) == 1
    assert day.slots_wh.count(None) == len(day.slots_wh) - 1


def assert_days_are_the_lines(desk: Desk) -> None:
    from fairwatt.store.models import UseDay

    energy: dict[tuple[int, int], int] = defaultdict(int)
    cost: dict[tuple[int, int], int] = defaultdict(int)
    for line in desk.lines():
        if line.kind != 2:
            at = round(line.ts.timestamp() * 1_000_000)
            day = local_day_start(zone="Europe/London", at_us=at - 1)
            energy[line.wallet, day] += line.energy_wh
            cost[line.wallet, day] -= line.amount_micro
    days = UseDay.objects.filter(book=desk.street.book)
    assert {(d.wallet, d.day_us): d.energy_wh for d in days if d.energy_wh} == {
        k: v for k, v in energy.items() if v
    }
    assert {(d.wallet, d.day_us): d.cost_micro for d in days if d.cost_micro} == {
        k: v for k, v in cost.items() if v
    }
    for d in days:
        assert sum(v for v in d.slots_wh if v is not None) == d.energy_wh
        assert sum(v for v in d.slots_micro if v is not None) == d.cost_micro

"""Every fault a virtual meter can have, and what our driver makes of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from drivers.line import ask
from fairwatt.drivers.contract import Accepted, RegisterReading, RelayState
from fairwatt.drivers.dlt645 import (
    MeterRefused,
    NoAnswer,
    Retry,
    read_energy,
    read_item,
    read_status3,
    relay,
)
from fairwatt.simulate.meters import Dlt645Bus, Emitted, Fault, FaultKind, FaultPlan, SimMeter

NOW_US = 1_785_542_400_000_000
HOUR_US = 3_600_000_000
KEY: dict[str, Any] = {"zone": "Asia/Shanghai", "password": "02123456", "operator": "00000001"}
PATIENT = Retry(attempts=60)


class Street:
    """One meter with faults, and the clock it lives by."""

    def __init__(self, *faults: Fault, seed: int = 1) -> None:
        self.now_us = NOW_US
        self.meter = SimMeter(number="161", register_wh=120_000, faults=FaultPlan(faults, seed=seed))
        self.bus = Dlt645Bus(meters=[self.meter], now=lambda: self.now_us)

    def live(self, story: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            async with self.bus:
                await story()

        asyncio.run(run())

    async def read(self, *, retry: Retry | None = None) -> RegisterReading:
        exchange = read_energy(address="161", retry=retry or Retry())
        return await ask(port=self.bus.port, exchange=exchange, wait_s=0.03)

    async def trip(self, *, valid_us: int = HOUR_US) -> Accepted:
        order = relay(address="161", open=True, valid_until_us=self.now_us + valid_us, **KEY)
        return await ask(port=self.bus.port, exchange=order, wait_s=0.03)

    async def state(self) -> RelayState:
        return await ask(port=self.bus.port, exchange=read_status3(address="161"))


@pytest.mark.parametrize(
    "kind", [FaultKind.MUTE, FaultKind.DEAF_LINE, FaultKind.CUT, FaultKind.CHECKSUM], ids=str
)
def test_a_bad_line_gives_no_reading_and_then_the_right_one(kind: FaultKind) -> None:
    street = Street(Fault(kind, until_us=NOW_US + HOUR_US))

    async def story() -> None:
        with pytest.raises(NoAnswer):
            await street.read()
        assert street.meter.emitted == []
        street.now_us += HOUR_US
        assert await street.read() == RegisterReading(120_000)

    street.live(story)
    assert street.meter.emitted == [Emitted(NOW_US + HOUR_US, 120_000, True)]


def test_a_line_that_spoils_half_the_replies_is_read_by_asking_again() -> None:
    street = Street(*(Fault(kind, per_mille=400) for kind in (FaultKind.CUT, FaultKind.CHECKSUM)))

    async def story() -> None:
        for _ in range(10):
            assert await street.read(retry=PATIENT) == RegisterReading(120_000)

    street.live(story)
    assert len(street.meter.emitted) == 10
    assert street.bus.replies > 10


def test_noise_around_a_reply_does_not_hide_it() -> None:
    street = Street(Fault(FaultKind.NOISE, amount=40))

    async def story() -> None:
        for _ in range(20):
            assert await street.read() == RegisterReading(120_000)

    street.live(story)


def test_an_order_whose_acknowledgement_is_lost_was_still_obeyed() -> None:
    street = Street(Fault(FaultKind.DEAF_LINE, until_us=NOW_US + 1))

    async def story() -> None:
        with pytest.raises(NoAnswer):
            await street.trip()
        street.now_us += 1
        assert await street.state() == RelayState(closed=False, ordered_closed=False)

    street.live(story)
    assert len(street.meter.moves) == 1


def test_a_stuck_relay_acknowledges_and_stays() -> None:
    street = Street(Fault(FaultKind.STUCK_RELAY, until_us=NOW_US + HOUR_US))

    async def story() -> None:
        assert await street.trip() == Accepted()
        assert await street.state() == RelayState(closed=True, ordered_closed=False)
        assert street.meter.add_energy(30) == 30
        street.now_us += HOUR_US
        assert await street.trip() == Accepted()
        assert await street.state() == RelayState(closed=False, ordered_closed=False)

    street.live(story)


@pytest.mark.parametrize(
    ("fault", "shown_wh"),
    [
        (Fault(FaultKind.BACKWARD, until_us=NOW_US + 1), 70_000),
        (Fault(FaultKind.BACKWARD, until_us=NOW_US + 1, amount=125_000), 999_995_000),
        (Fault(FaultKind.JUMP, until_us=NOW_US + 1, amount=3_000_000), 3_120_000),
    ],
    ids=["backward", "backward past zero", "jump"],
)
def test_a_register_that_lies_for_a_while_keeps_its_true_count(fault: Fault, shown_wh: int) -> None:
    street = Street(fault)

    async def story() -> None:
        assert await street.read() == RegisterReading(shown_wh)
        street.now_us += 1
        assert await street.read() == RegisterReading(120_000)

    street.live(story)
    assert [told.register_wh for told in street.meter.emitted] == [shown_wh, 120_000]


def test_a_meter_whose_clock_is_ahead_refuses_good_orders() -> None:
    street = Street(Fault(FaultKind.WRONG_CLOCK, amount=2 * HOUR_US))

    async def story() -> None:
        with pytest.raises(MeterRefused):
            await street.trip(valid_us=HOUR_US)
        assert await ask(
            port=street.bus.port, exchange=read_item(address="161", identifier=0x04000102, parse=bytes.hex)
        ) == ("000010")

    street.live(story)
    assert street.meter.relay_closed


def test_a_meter_whose_clock_is_behind_obeys_an_old_order() -> None:
    street = Street(Fault(FaultKind.WRONG_CLOCK, amount=-2 * HOUR_US))

    async def story() -> None:
        assert await street.trip(valid_us=-HOUR_US) == Accepted()

    street.live(story)
    assert not street.meter.relay_closed


def test_a_slow_meter_is_waited_for() -> None:
    street = Street(Fault(FaultKind.SLOW, amount=80))

    async def story() -> None:
        started = time.monotonic()
        reading = await ask(port=street.bus.port, exchange=read_energy(address="161"), wait_s=5)
        assert reading == RegisterReading(120_000)
        assert time.monotonic() - started >= 0.08

    street.live(story)


def test_the_same_seed_misbehaves_the_same_way() -> None:
    def spells(seed: int) -> tuple[Fault, ...]:
        return FaultPlan.seeded(seed=seed, from_us=NOW_US, until_us=NOW_US + 24 * HOUR_US, spells=8).all()

    def damage(seed: int) -> list[bool]:
        plan = FaultPlan([Fault(FaultKind.CUT, per_mille=500)], seed=seed)
        return [plan.strikes(FaultKind.CUT, now_us=0) is not None for _ in range(64)]

    assert spells(41) == spells(41) != spells(42)
    assert damage(41) == damage(41) != damage(42)
    assert 0 < sum(damage(41)) < 64


def test_seeded_spells_harm_the_line_and_never_the_truth() -> None:
    plan = FaultPlan.seeded(seed=7, from_us=NOW_US, until_us=NOW_US + HOUR_US, spells=50)

    lies = {FaultKind.BACKWARD, FaultKind.JUMP, FaultKind.STUCK_RELAY, FaultKind.WRONG_CLOCK}
    assert len(plan.all()) == 50
    assert not {fault.kind for fault in plan.all()} & lies
    assert all(NOW_US <= f.from_us < f.until_us <= NOW_US + HOUR_US for f in plan.all())


def test_a_mended_fault_strikes_no_more() -> None:
    plan = FaultPlan([Fault(FaultKind.MUTE), Fault(FaultKind.CUT)])
    plan.clear(FaultKind.MUTE)
    assert [fault.kind for fault in plan.all()] == [FaultKind.CUT]
    plan.clear()
    assert plan.all() == ()

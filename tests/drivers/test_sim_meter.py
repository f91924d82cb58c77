"""The virtual meter behaves as a meter, over a real socket."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from drivers.line import ask
from fairwatt.drivers.contract import (
    Accepted,
    CurrentReading,
    MeterAddress,
    PowerReading,
    RegisterReading,
    RelayState,
    VoltageReading,
)
from fairwatt.drivers.dlt645 import (
    MeterRefused,
    NoAnswer,
    Order,
    Retry,
    alarm,
    broadcast_time,
    control,
    read_address,
    read_current,
    read_energy,
    read_item,
    read_power,
    read_status3,
    read_voltage,
    relay,
)
from fairwatt.drivers.dlt645.frame import BROADCAST, build_frame
from fairwatt.simulate.meters import Dlt645Bus, Emitted, SimMeter

NOW_US = 1_785_542_400_000_000
MINUTE_US = 60_000_000
KEY: dict[str, Any] = {"zone": "Asia/Shanghai", "password": "02123456", "operator": "00000001"}
ONCE = Retry(attempts=1)


class Town:
    """A bus of meters and the one clock they live by."""

    def __init__(self, *meters: SimMeter) -> None:
        self.now_us = NOW_US
        self.bus = Dlt645Bus(meters=meters, now=lambda: self.now_us)

    def live(self, story: Callable[[int], Awaitable[None]]) -> None:
        async def run() -> None:
            async with self.bus:
                await story(self.bus.port)

        asyncio.run(run())


def test_a_meter_tells_its_register_and_notes_what_it_told() -> None:
    meter = SimMeter(number="161", register_wh=1_234_567)
    town = Town(meter)

    async def story(port: int) -> None:
        assert await ask(port=port, exchange=read_energy(address="161")) == RegisterReading(1_234_560)
        town.now_us += MINUTE_US
        assert meter.add_energy(9) == 9
        assert await ask(port=port, exchange=read_energy(address="161")) == RegisterReading(1_234_570)

    town.live(story)
    assert meter.emitted == [
        Emitted(NOW_US, 1_234_560, True),
        Emitted(NOW_US + MINUTE_US, 1_234_570, True),
    ]


def test_a_cut_home_uses_nothing_and_draws_nothing() -> None:
    meter = SimMeter(number="161", register_wh=1_000)
    meter.load_w = 2_200

    async def story(port: int) -> None:
        assert await ask(port=port, exchange=read_power(address="161")) == PowerReading(2_200)
        assert await ask(port=port, exchange=read_current(address="161")) == CurrentReading(10_000)
        order = relay(address="161", open=True, valid_until_us=NOW_US + MINUTE_US, **KEY)
        assert await ask(port=port, exchange=order) == Accepted()
        assert await ask(port=port, exchange=read_status3(address="161")) == RelayState(False, False)
        assert meter.add_energy(500) == 0
        assert await ask(port=port, exchange=read_energy(address="161")) == RegisterReading(1_000)
        assert await ask(port=port, exchange=read_power(address="161")) == PowerReading(0)
        assert await ask(port=port, exchange=read_voltage(address="161")) == VoltageReading(2_200)
        order = relay(address="161", open=False, valid_until_us=NOW_US + MINUTE_US, **KEY)
        await ask(port=port, exchange=order)
        assert await ask(port=port, exchange=read_status3(address="161")) == RelayState(True, True)

    Town(meter).live(story)
    assert [move.closed for move in meter.moves] == [False, True]
    assert meter.emitted == [Emitted(NOW_US, 1_000, False)]


def test_an_order_past_its_validity_is_refused_by_domain_time() -> None:
    meter = SimMeter(number="161")
    town = Town(meter)

    async def story(port: int) -> None:
        old = relay(address="161", open=True, valid_until_us=NOW_US, **KEY)
        town.now_us = NOW_US + 1_000_000
        with pytest.raises(MeterRefused, match="1CH"):
            await ask(port=port, exchange=old)

    town.live(story)
    assert meter.relay_closed
    assert meter.moves == []


def test_a_wrong_password_moves_nothing() -> None:
    meter = SimMeter(number="161")

    async def story(port: int) -> None:
        order = relay(
            address="161", open=True, valid_until_us=NOW_US + MINUTE_US, **(KEY | {"password": "02654321"})
        )
        with pytest.raises(MeterRefused) as refused:
            await ask(port=port, exchange=order)
        assert refused.value.reasons == ("password",)

    Town(meter).live(story)
    assert meter.relay_closed


def test_the_same_order_twice_is_one_movement() -> None:
    meter = SimMeter(number="161")

    async def story(port: int) -> None:
        for _ in range(2):
            order = relay(address="161", open=True, valid_until_us=NOW_US + MINUTE_US, **KEY)
            assert await ask(port=port, exchange=order) == Accepted()

    Town(meter).live(story)
    assert len(meter.moves) == 1


def test_a_permitted_relay_waits_for_the_button() -> None:
    meter = SimMeter(number="161", relay_closed=False)

    async def story(port: int) -> None:
        assert not meter.press_button(now_us=NOW_US)
        order = control(address="161", order=Order.PERMIT_CLOSE, valid_until_us=NOW_US + MINUTE_US, **KEY)
        await ask(port=port, exchange=order)
        assert await ask(port=port, exchange=read_status3(address="161")) == RelayState(False, True)
        assert meter.press_button(now_us=NOW_US)
        assert await ask(port=port, exchange=read_status3(address="161")) == RelayState(True, True)

    Town(meter).live(story)


def test_a_warning_shows_in_the_status_word_and_leaves_the_supply() -> None:
    meter = SimMeter(number="161")

    async def story(port: int) -> None:
        for on in (True, False):
            order = alarm(address="161", on=on, valid_until_us=NOW_US + MINUTE_US, **KEY)
            await ask(port=port, exchange=order)
            state = await ask(port=port, exchange=read_status3(address="161"))
            assert state == RelayState(closed=True, ordered_closed=True, trip_warning=on)

    Town(meter).live(story)


def test_an_item_the_meter_does_not_hold_is_refused_as_no_data() -> None:
    async def story(port: int) -> None:
        with pytest.raises(MeterRefused) as refused:
            await ask(port=port, exchange=read_item(address="161", identifier=0x0F0F0F0F, parse=bytes))
        assert refused.value.reasons == ("no_data",)

    Town(SimMeter(number="161")).live(story)


def test_one_meter_alone_says_who_it_is_and_two_garble_each_other() -> None:
    one, two = SimMeter(number="161"), SimMeter(number="1162")

    async def alone(port: int) -> None:
        assert await ask(port=port, exchange=read_address()) == MeterAddress("000000000161")

    async def together(port: int) -> None:
        with pytest.raises(NoAnswer):
            await ask(port=port, exchange=read_address())
        narrowed = read_address(address="AAAAAAAA1162")
        assert await ask(port=port, exchange=narrowed) == MeterAddress("000000001162")

    Town(one).live(alone)
    Town(one, two).live(together)


def test_nobody_answers_to_a_foreign_address() -> None:
    async def story(port: int) -> None:
        with pytest.raises(NoAnswer):
            await ask(port=port, exchange=read_energy(address="162", retry=ONCE))

    Town(SimMeter(number="161")).live(story)


def test_a_register_at_its_end_starts_again_at_zero() -> None:
    meter = SimMeter(number="161", register_wh=999_999_990)

    async def story(port: int) -> None:
        assert await ask(port=port, exchange=read_energy(address="161")) == RegisterReading(999_999_990)
        meter.add_energy(25)
        assert await ask(port=port, exchange=read_energy(address="161")) == RegisterReading(10)

    Town(meter).live(story)


@pytest.mark.parametrize(
    ("ahead_us", "left_us"), [(40_000_000, 0), (-299_000_000, 0), (301_000_000, 301_000_000)]
)
def test_a_clock_broadcast_mends_a_small_error_only(ahead_us: int, left_us: int) -> None:
    meter = SimMeter(number="161")
    meter.clock_offset_us = ahead_us

    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(broadcast_time(at_us=NOW_US, zone="Asia/Shanghai"))
        writer.write(read_energy(address="161").request())
        await reader.read(100)  # the energy reply: the broadcast before it has been heard, and not answered
        writer.close()

    town = Town(meter)
    town.live(story)
    assert meter.clock_offset_us == left_us
    assert (town.bus.requests, town.bus.replies) == (2, 1)


def test_a_broadcast_trip_is_obeyed_by_nobody() -> None:
    meter = SimMeter(number="161")
    order = control(address="161", order=Order.TRIP, valid_until_us=NOW_US + MINUTE_US, **KEY).request()
    data = bytes((b - 0x33) & 0xFF for b in order[14:30])

    async def story(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(build_frame(address=BROADCAST, control=0x1C, data=data))
        await ask(port=port, exchange=read_energy(address="161"))
        writer.close()

    Town(meter).live(story)
    assert meter.relay_closed


def test_two_meters_with_one_address_cannot_share_a_bus() -> None:
    with pytest.raises(ValueError, match="000000000161"):
        Town(SimMeter(number="161"), SimMeter(number="0161"))


def test_a_bus_that_lost_power_comes_back_on_its_port() -> None:
    town = Town(SimMeter(number="161", register_wh=500))

    async def story(port: int) -> None:
        await town.bus.stop()
        with pytest.raises(OSError):
            await ask(port=port, exchange=read_energy(address="161"))
        await town.bus.start()
        assert town.bus.port == port
        assert await ask(port=port, exchange=read_energy(address="161")) == RegisterReading(500)

    town.live(story)


def test_any_other_item_can_be_read_by_its_identifier() -> None:
    async def story(port: int) -> None:
        day = read_item(address="161", identifier=0x04000101, parse=bytes.hex)
        assert await ask(port=port, exchange=day) == "06010826"  # Saturday 2026-08-01 in Shanghai
        clock = read_item(address="161", identifier=0x04000102, parse=bytes.hex)
        assert await ask(port=port, exchange=clock) == "000008"

    Town(SimMeter(number="161")).live(story)

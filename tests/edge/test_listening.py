"""Meters that speak by themselves, behind a real broker: heard once, told when they wake, proven by what they show."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiomqtt

from edge.rig import MINUTE_US, START_US, Bench, a_bench, a_command, a_grant, eventually, run
from fairwatt.drivers.mqttmeter import message as wire
from fairwatt.drivers.profile import load_profile
from fairwatt.edge.agent import Agent
from fairwatt.edge.config import BusConfig, ListenConfig, MeterConfig
from fairwatt.edge.hearing import ListenPoint
from fairwatt.simulate.meters.line import Line
from fairwatt.simulate.meters.lorawan import SimLorawanMeter
from fairwatt.simulate.meters.mqttmeter import SimMqttMeter
from fairwatt.simulate.meters.pulse import SimPulseCounter
from fairwatt.wire.commands import RelayOrder, Result
from fairwatt.wire.records import FLAG_TRIPPED_LOCALLY, Reading, Relay

GAS, WATER = 200, 201
EUI = "0101010101010101"
HOUR = 60


@dataclass
class Air:
    """What is on the air: one gas meter that sleeps, one water meter behind ChirpStack, and who carries messages."""

    bench: Bench
    client: aiomqtt.Client
    gas: SimMqttMeter
    water: SimLorawanMeter
    orders: list[tuple[str, bytes]] = field(default_factory=list)

    async def say(self, topic: str, message: bytes) -> None:
        await self.client.publish(topic, message, qos=1)

    async def wake(self) -> bytes:
        said = self.gas.wake(now_us=self.bench.time())
        await self.say(wire.up_topic(meter=self.gas.meter), said)
        return said

    async def uplink(self, message: bytes | None = None) -> bytes:
        said = message or self.water.uplink(now_us=self.bench.time())
        await self.say(f"application/7/device/{EUI}/event/up", said)
        return said

    async def carry(self) -> None:
        """Take every order to its device, awake or not, and what it answers back."""
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            topic, payload = str(message.topic), message.payload
            self.orders.append((topic, payload))
            if topic.startswith("fm/"):
                answer = self.gas.hear(payload, now_us=self.bench.time())
                if answer is not None:
                    await self.say(wire.up_topic(meter=self.gas.meter), answer)
            else:
                self.water.downlink(payload, now_us=self.bench.time())

    def of(self, meter: int) -> list[Reading]:
        return [reading for reading in self.bench.headend.readings() if reading.meter == meter]

    async def heard(self, meter: int, count: int) -> list[Reading]:
        await eventually(lambda: len(self.of(meter)) >= count)
        assert await self.bench.agent.wait_drained(5.0)
        return self.of(meter)

    def point(self, meter: int) -> ListenPoint:
        point = self.bench.agent.meters.points[meter]
        assert isinstance(point, ListenPoint)
        return point

    async def ears_open(self) -> None:
        points = (self.point(GAS), self.point(WATER))
        await eventually(lambda: all(point.bus.connected.is_set() for point in points))


def listens(port: int, **changes: Any) -> tuple[ListenConfig, ...]:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "username": "meters",
        "password": "air",
        "reconnect_min_s": 0.05,
        "reconnect_max_s": 0.2,
    } | changes
    gas = MeterConfig(number=GAS, address="G-0017", profile="mqtt_gas")
    water = MeterConfig(number=WATER, address=EUI, profile="lorawan_water")
    return (
        ListenConfig(name="gas", protocol="mqtt-meter", meters=(gas,), **settings),
        ListenConfig(name="water", protocol="chirpstack", application="7", meters=(water,), **settings),
    )


@asynccontextmanager
async def an_air(folder: Path, **changes: Any) -> AsyncIterator[Air]:
    async with a_bench(folder, meters=1, listens_at=listens, **changes) as bench:
        client = aiomqtt.Client(
            "127.0.0.1", bench.broker.mqtt_port, username="meters", password="air", identifier="air"
        )
        async with client:
            for topic in ("fm/v1/+/down", "application/+/device/+/command/down"):
                await client.subscribe(topic, qos=1)
            air = Air(
                bench,
                client,
                SimMqttMeter(
                    profile=load_profile(key="mqtt_gas"), meter="G-0017", register=12_340, sleeps=True
                ),
                SimLorawanMeter(
                    profile=load_profile(key="lorawan_water"),
                    dev_eui=EUI,
                    register=5_000,
                    device_class="CLASS_A",
                ),
            )
            carrying = asyncio.create_task(air.carry())
            await air.ears_open()
            try:
                yield air
            finally:
                carrying.cancel()
                await asyncio.gather(carrying, return_exceptions=True)


def test_an_uplink_is_a_reading_once_however_often_it_is_heard(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_air(tmp_path) as air:
            said = await air.uplink()
            await air.heard(WATER, 1)
            await air.uplink(said)
            air.bench.time.forward(HOUR)
            air.water.add(120)
            await air.uplink()
            first, second = await air.heard(WATER, 2)
            assert (first.at_us, first.total_wh, first.relay) == (START_US, 5_000, Relay.CLOSED)
            assert (second.at_us, second.total_wh) == (START_US + HOUR * MINUTE_US, 5_120)
            await air.bench.restart()
            await air.ears_open()
            await air.uplink(said)
            await air.wake()
            await air.heard(GAS, 1)
            assert len(air.of(WATER)) == 2, "heard before the restart"
            assert air.of(GAS)[0].total_wh == 12_340

    run(test())


def test_an_order_waits_for_the_wake_is_said_once_and_proven_by_what_the_meter_shows(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_air(tmp_path) as air:
            await air.wake()
            await air.heard(GAS, 1)
            air.bench.time.forward(5)
            await air.bench.headend.order(a_command(meter=GAS, seq=1, relay=RelayOrder.OPEN))
            await eventually(lambda: air.point(GAS).mailbox.waiting is not None)
            for _ in range(3):
                await air.bench.tick(20)
            assert (air.orders, air.bench.headend.receipts()) == ([], [])
            assert air.gas.closed
            await air.wake()
            await eventually(lambda: len(air.bench.headend.receipts()) == 1)
            readings = await air.heard(GAS, 3)
            assert not air.gas.closed
            assert [reading.relay for reading in readings] == [Relay.CLOSED, Relay.CLOSED, Relay.OPEN]
            assert readings[1].at_us < readings[2].at_us, "two states need two instants"
            (receipt,) = air.bench.headend.receipts()
            assert (receipt.seq, receipt.result, receipt.relay) == (1, Result.APPLIED, Relay.OPEN)
            air.bench.time.forward(HOUR)
            await air.wake()
            await air.heard(GAS, 4)
            assert len(air.orders) == 1

    run(test())


def test_an_order_for_a_sleeping_meter_survives_a_restart_of_the_gateway(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_air(tmp_path) as air:
            await air.uplink()
            await air.heard(WATER, 1)
            await air.bench.headend.order(a_command(meter=WATER, seq=1, relay=RelayOrder.OPEN))
            await eventually(lambda: air.point(WATER).mailbox.waiting is not None)
            number = air.point(WATER).mailbox.waiting
            await air.bench.restart()
            await air.ears_open()
            assert air.point(WATER).mailbox.waiting == number
            air.bench.time.forward(HOUR)
            await air.uplink()
            await eventually(lambda: len(air.orders) == 1)
            assert json.loads(air.orders[0][1])["devEui"] == EUI
            air.bench.time.forward(HOUR)
            await air.uplink()  # the network hands it over behind this one
            await eventually(lambda: not air.water.valve_open)
            assert air.bench.headend.receipts() == []
            air.bench.time.forward(HOUR)
            await air.uplink()
            await eventually(lambda: len(air.bench.headend.receipts()) == 1)
            assert air.of(WATER)[-1].relay == Relay.OPEN
            assert air.point(WATER).mailbox.waiting is None

    run(test())


def test_an_order_lapses_with_its_command_and_a_newer_one_takes_its_place(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_air(tmp_path) as air:
            await air.wake()
            await air.heard(GAS, 1)
            order = a_command(meter=GAS, seq=1, relay=RelayOrder.OPEN, expires_us=START_US + HOUR * MINUTE_US)
            await air.bench.headend.order(order)
            await eventually(lambda: air.point(GAS).mailbox.waiting is not None)
            await air.bench.tick(2 * HOUR)
            (receipt,) = air.bench.headend.receipts()
            assert receipt.result == Result.EXPIRED
            await air.bench.headend.order(a_command(meter=GAS, seq=2, relay=RelayOrder.OPEN))
            await eventually(lambda: air.point(GAS).mailbox.waiting is not None)
            await air.bench.obeyed(a_command(meter=GAS, seq=3, relay=RelayOrder.LEAVE))
            await air.wake()
            await air.heard(GAS, 2)
            assert air.gas.closed
            assert air.orders == [], "who paid meanwhile is not cut at the wake"

    run(test())


def test_alone_the_guard_shuts_the_valve_of_a_sleeping_meter_at_its_wake(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_air(tmp_path, link_timeout_s=120) as air:
            bench = air.bench
            await air.wake()
            await air.heard(GAS, 1)
            grant = a_grant(
                register_wh=12_340, available_micro=200_000, warned_at_us=START_US - 60 * MINUTE_US
            )
            await bench.obeyed(a_command(meter=GAS, seq=1, relay=RelayOrder.LEAVE, grant=grant))
            bench.headend.silent = True
            bench.time.forward(HOUR)
            air.gas.add(500)
            await air.wake()
            await eventually(lambda: bench.agent.guard.available_micro(wallet=1) == -50_000)
            for _ in range(3):
                await bench.tick(10, drained=False)
            waiting = air.point(GAS).mailbox.waiting
            assert waiting is not None
            assert not waiting.closed
            assert air.gas.closed, "asleep"
            await air.wake()
            await eventually(lambda: not air.gas.closed)
            bench.headend.silent = False
            await eventually(lambda: bool(air.of(GAS)) and air.of(GAS)[-1].relay == Relay.OPEN)
            assert air.of(GAS)[-1].flags == FLAG_TRIPPED_LOCALLY
            codes = bench.headend.codes()
            assert (codes.count("local_trip"), codes.count("local_switch_failed")) == (1, 0)

    run(test())


def test_a_meter_that_is_not_heard_is_silent_once_also_over_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_air(tmp_path) as air:
            await air.wake()
            await air.heard(GAS, 1)
            await air.bench.tick()
            await air.bench.tick(25 * HOUR)
            assert "meter_silent" not in air.bench.headend.codes()
            await air.bench.tick(2 * HOUR)
            await air.bench.restart()
            await air.ears_open()
            await air.bench.tick(HOUR)
            told = [event for event in air.bench.headend.events() if event.code == "meter_silent"]
            assert sorted(event.meter for event in told) == [GAS, WATER]
            assert {event.detail["why"] for event in told} == {"not_heard"}
            await air.wake()
            await eventually(lambda: "meter_back" in air.bench.headend.codes())

    run(test())


def test_what_cannot_be_believed_is_told_and_moves_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_air(tmp_path) as air:
            await air.say(wire.up_topic(meter="G-0017"), b"noise")
            await air.say(wire.up_topic(meter="G-0017"), b"noise")
            await air.say("application/7/device/0202020202020202/event/up", air.water.uplink(now_us=START_US))
            early = air.gas.wake(now_us=START_US - 2 * HOUR * MINUTE_US)
            ahead = air.gas.wake(now_us=START_US + HOUR * MINUTE_US)
            await air.say(wire.up_topic(meter="G-0017"), ahead)
            (reading,) = await air.heard(GAS, 1)
            assert reading.at_us == START_US, "no reading is from the future"
            await air.say(wire.up_topic(meter="G-0017"), early)
            late = (await air.heard(GAS, 2))[-1]
            assert late.at_us == START_US - 2 * HOUR * MINUTE_US, "what was overtaken keeps its own instant"
            assert air.bench.agent.meters.points[GAS].last == reading
            codes = air.bench.headend.codes()
            for code in ("message_refused", "device_unknown", "meter_clock_wrong"):
                assert codes.count(code) == 1, code

    run(test())


def test_a_device_that_always_listens_is_told_at_once_and_believed_when_it_shows(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_air(tmp_path) as air:
            air.water.device_class = "CLASS_C"
            await air.uplink()
            await air.heard(WATER, 1)
            await air.bench.headend.order(a_command(meter=WATER, seq=1, relay=RelayOrder.OPEN))
            await eventually(lambda: not air.water.valve_open)
            await air.bench.tick()
            assert air.bench.headend.receipts() == [], "nobody has seen it shut"
            await air.uplink()
            await eventually(lambda: len(air.bench.headend.receipts()) == 1)
            assert air.of(WATER)[-1].relay == Relay.OPEN
            assert len(air.orders) == 1

    run(test())


def test_a_pulse_counter_that_turned_over_while_the_gateway_was_off_is_read_on(tmp_path: Path) -> None:
    async def test() -> None:
        module = SimPulseCounter(profile=load_profile(key="pulse_water"), unit="12")
        top = 1 << 32
        module.counts[0] = top - 10
        async with Line(answer=module.answer) as line:
            meter = MeterConfig(number=300, address=f"12/1=1000@{top - 20}", profile="pulse_water")
            bus = BusConfig(
                name="pulses", host="127.0.0.1", port=line.port, reply_within_ms=200, meters=(meter,)
            )
            async with a_bench(tmp_path, buses=(bus,)) as bench:
                await bench.tick()
                await bench.agent.stop()
                module.add(channel=1, amount=150)
                assert module.counts[0] == 5, "it turned over"
                await bench.restart_stopped()
                await bench.tick()
                assert [reading.total_wh for reading in bench.headend.readings()] == [1_100, 1_250]
                await bench.agent.stop()
                anew = replace(bus, meters=(replace(meter, address="12/1=2000@5"),))
                bench.agent = Agent(config=replace(bench.agent.config, buses=(anew,)), now=bench.time)
                await bench.agent.start()
                await bench.tick()
                assert bench.headend.readings()[-1].total_wh == 2_000, "a person entered a new opening"

    run(test())


def test_a_leak_and_a_weak_battery_are_alarms_that_a_person_sees(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_air(tmp_path) as air:

            def told() -> list[tuple[str, object]]:
                return [
                    (event.code, event.detail["reason"])
                    for event in air.bench.headend.events()
                    if event.meter == GAS and event.code.startswith("alarm_")
                ]

            air.gas.conditions = ["leak", "low_battery"]
            await air.wake()
            await air.heard(GAS, 1)
            await eventually(lambda: len(told()) == 2)
            air.bench.time.forward(24 * HOUR)
            air.gas.conditions = ["low_battery"]
            await air.wake()
            await air.heard(GAS, 2)
            await eventually(lambda: len(told()) == 3)
            assert told() == [
                ("alarm_raised", "leak"),
                ("alarm_raised", "low_battery"),
                ("alarm_cleared", "leak"),
            ]

    run(test())

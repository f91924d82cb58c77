"""Several wires at one gateway: each has its own pace, its own kind of line and its own troubles."""

import asyncio
import time as wall
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from edge.rig import MINUTE_US, PASSWORD, START_US, Bench, a_bench, a_command, address, eventually, run
from fairwatt.edge.agent import Agent
from fairwatt.edge.bus import BusDown
from fairwatt.edge.config import BusConfig, MeterConfig
from fairwatt.simulate.meters import Dlt645Bus, SerialPort, SimMeter
from fairwatt.wire.commands import RelayOrder, Result

SECOND_US = 1_000_000
QUARTER_US = 15 * MINUTE_US
CARRIERS: list[asyncio.Task[None]] = []
"""Kept, or the loop forgets them while they wait."""


def a_meter(n: int) -> MeterConfig:
    return MeterConfig(number=100 + n, address=address(n), password=PASSWORD)


@asynccontextmanager
async def deaf_converter() -> AsyncIterator[int]:
    """A converter that takes every call and answers nothing."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def with_buses(bench: Bench, *buses: BusConfig, online: bool = True) -> None:
    """The same gateway on other wires."""
    await bench.agent.stop()
    bench.agent = Agent(config=replace(bench.agent.config, buses=buses), now=bench.time)
    await bench.agent.start()
    assert await bench.agent.wait_connected(5.0)


def test_a_slow_bus_does_not_hold_up_another(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench, deaf_converter() as port:
            await bench.agent.stop()
            (good,) = bench.agent.config.buses
            dead = BusConfig(
                name="dead", host="127.0.0.1", port=port, reply_within_ms=2000, meters=(a_meter(9),)
            )
            config = replace(bench.agent.config, buses=(good, dead), interval_s=1, boundary_tolerance_s=0)
            began_ns = wall.monotonic_ns()
            bench.headend.time = lambda: START_US + (wall.monotonic_ns() - began_ns) // 1000  # type: ignore[assignment]
            bench.agent = Agent(config=config, now=bench.headend.time)
            running = asyncio.create_task(bench.agent.run())
            await eventually(lambda: len(bench.headend.readings()) >= 6)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            seconds = sorted({reading.at_us // SECOND_US for reading in bench.headend.readings()})
            assert seconds == list(range(seconds[0], seconds[0] + len(seconds))), "no second was missed"
            assert "meter_silent" not in bench.headend.codes(), "the dead bus is still in its first pass"
            await bench.agent.start()

    run(test())


def test_an_order_for_a_meter_of_a_good_bus_does_not_wait_for_a_dead_one(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench, deaf_converter() as port:
            (good,) = bench.agent.config.buses
            dead = BusConfig(
                name="dead", host="127.0.0.1", port=port, reply_within_ms=60_000, meters=(a_meter(9),)
            )
            await with_buses(bench, good, dead)
            await bench.headend.order(
                a_command(meter=109, seq=1, relay=RelayOrder.OPEN),
                a_command(meter=100, seq=1, relay=RelayOrder.OPEN),
            )
            await eventually(lambda: bool(bench.headend.receipts()))
            assert [(receipt.meter, receipt.result) for receipt in bench.headend.receipts()] == [
                (100, Result.APPLIED)
            ]

    run(test())


def test_an_order_cuts_in_between_two_meters_and_what_was_read_before_is_kept_before(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path, meters=4) as bench:
            branch = bench.agent.meters.branches[0]
            read = branch.read
            seen: list[int] = []

            async def read_and_order(point, **how):  # type: ignore[no-untyped-def]
                reading = await read(point, **how)
                seen.append(point.number)
                if point.number == 101:
                    await bench.headend.order(a_command(meter=100, seq=1, relay=RelayOrder.OPEN))
                    await eventually(lambda: not bench.agent.drained())
                return reading

            branch.read = read_and_order  # type: ignore[method-assign]
            await bench.tick()
            kinds = [item.kind for _, item in sorted(bench.headend.stored.items())]
            assert kinds == [1, 2, 1, 1], "two readings, the receipt, its proof, the other two readings"
            own = [reading for reading in bench.headend.readings() if reading.meter == 100]
            assert [reading.relay for reading in own] == [1, 0]
            assert own[0].at_us < own[1].at_us
            assert seen == [100, 101, 102, 103]

    run(test())


def test_a_reading_near_its_boundary_carries_it_and_a_later_one_its_own(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            agent, (branch,) = bench.agent, bench.agent.meters.branches
            for due_us, late_s in ((START_US + MINUTE_US, 4), (START_US + 2 * MINUTE_US, 20)):
                bench.time.now_us = due_us + late_s * SECOND_US
                await agent._poll(branch, due_us, stamp=agent._stamp(due_us))
            assert await agent.wait_drained(5.0)
            at = [reading.at_us - START_US for reading in bench.headend.readings() if reading.meter == 100]
            assert at == [MINUTE_US, 2 * MINUTE_US + 20 * SECOND_US]

    run(test())


def test_a_quarter_of_an_hour_is_never_left_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            (branch,) = bench.agent.meters.branches
            at_us, due = START_US + 1, []
            for _ in range(5):
                at_us = branch.next_due_us(now_us=at_us, interval_us=40 * MINUTE_US, snapshot_us=QUARTER_US)
                branch.polled_us = at_us
                due.append((at_us - START_US) // MINUTE_US)
            # The rig begins at 03:20 UTC: quarters at :30, :45, :00, intervals of 40 minutes at 04:00.
            assert due == [10, 25, 40, 55, 70]
            late_us = at_us + 17 * MINUTE_US
            missed = branch.next_due_us(now_us=late_us, interval_us=40 * MINUTE_US, snapshot_us=QUARTER_US)
            assert missed == at_us + QUARTER_US, "a pass that ran over it is followed by another at once"

    run(test())


def test_meters_on_a_serial_port_are_read_and_switched(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            port = SerialPort(
                Dlt645Bus(meters=[SimMeter(number=address(5), register_wh=5_000)], now=bench.time)
            )
            port.start()
            try:
                await with_buses(bench, BusConfig(name="rs485", device=port.device, meters=(a_meter(5),)))
                await bench.tick()
                assert [reading.total_wh for reading in bench.headend.readings()] == [5_000]
                await bench.obeyed(a_command(meter=105, seq=1, relay=RelayOrder.OPEN))
                assert bench.headend.readings()[-1].relay == 0
                await bench.agent.stop()
            finally:
                port.stop()
            await bench.agent.start()
            await bench.tick()
            assert bench.headend.events()[-1].detail["why"] == "bus_down"

    run(test())


def test_a_serial_port_belongs_to_one_agent(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            port = SerialPort(Dlt645Bus(meters=[SimMeter(number=address(5))], now=bench.time))
            port.start()
            bus = BusConfig(name="rs485", device=port.device, meters=(a_meter(5),))
            await with_buses(bench, bus)
            await bench.tick()
            other = replace(bench.agent.config, spool=tmp_path / "other.db")
            agent = Agent(config=other, now=bench.time)
            await agent.start()
            await agent.poll_once(bench.time.forward())
            assert agent.meters.points[105].trouble == BusDown.code
            await agent.stop()
            await bench.agent.stop()
            port.stop()
            await bench.agent.start()

    run(test())


async def dial_in(bus: Dlt645Bus, *, port: int, registration: bytes) -> asyncio.StreamWriter:
    """A DTU: calls the gateway, says who it is, and carries bytes between it and the meters."""
    near_reader, near_writer = await asyncio.open_connection("127.0.0.1", port)
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", bus.port)
    near_writer.write(registration)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    for ends in ((near_reader, far_writer), (far_reader, near_writer)):
        CARRIERS.append(asyncio.create_task(carry(*ends)))
    return near_writer


def test_a_dtu_that_calls_is_the_bus_it_says_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:

            def waits(n: int, text: str) -> BusConfig:
                return BusConfig(
                    name=text,
                    listen_host="127.0.0.1",
                    listen_port=port,
                    registration="ascii:DTU-{id:4}",
                    dtu=text,
                    heartbeats=("hex:DE AD BE EF",),
                    heartbeat_reply="ascii:OK",
                    reply_within_ms=500,
                    meters=(a_meter(n),),
                )

            async with deaf_converter() as port:
                pass
            await with_buses(bench, waits(0, "0001"), waits(1, "0002"))
            await bench.tick()
            assert sorted(bench.headend.codes()) == ["meter_silent", "meter_silent"]
            stranger = await dial_in(bench.bus, port=port, registration=b"WHO")
            first = await dial_in(bench.bus, port=port, registration=b"DTU-0001")
            second = await dial_in(bench.bus, port=port, registration=b"DTU-")
            second.write(b"0002\xde\xad")
            second.write(b"\xbe\xef")
            await asyncio.sleep(0.3)
            await bench.tick()
            assert [reading.meter for reading in bench.headend.readings()] == [100, 101]
            assert stranger.is_closing() or await asyncio.wait_for(stranger.wait_closed(), 2) is None
            first.close()
            await asyncio.sleep(0.05)
            await bench.tick()
            assert [reading.meter for reading in bench.headend.readings()][2:] == [101]
            await dial_in(bench.bus, port=port, registration=b"DTU-0001")
            await asyncio.sleep(0.1)
            await bench.tick()
            assert [reading.meter for reading in bench.headend.readings()][3:] == [100, 101]

    run(test())

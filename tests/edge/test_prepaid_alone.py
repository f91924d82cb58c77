"""Prepaid with nobody to ask: prices that change in the outage, the alarm at the meter, the meters' own clocks."""

import asyncio
from dataclasses import replace
from pathlib import Path

from edge.rig import MINUTE_US, START_US, Bench, a_bench, a_command, a_grant, eventually, policy_obj, run
from edge.test_alone import alone
from fairwatt.core.rating.scalar import rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.rating.tariff_obj import schedule_to_obj
from fairwatt.wire.commands import Grant, RelayOrder
from fairwatt.wire.frames import UpFrame

HOUR_US = 60 * MINUTE_US
# The rig begins on 2013-06-01 at 11:20 in Shanghai; the second version starts at midnight, in the outage.
TWO_VERSIONS = """
fairwatt_tariff: 1
name: dearer from Sunday on
currency: CNY
zone: Asia/Shanghai
versions:
  - effective: 2012-07-01
    elements:
      - energy: {price: "0.500000"}
  - effective: 2013-06-02
    elements:
      - energy: {price: "0.900000"}
"""
MIDNIGHT_US = START_US + 12 * HOUR_US + 40 * MINUTE_US


async def granted(bench: Bench, grant: Grant, *, seq: int = 1) -> None:
    await bench.obeyed(
        a_command(meter=100, seq=seq, relay=RelayOrder.LEAVE, grant=grant, issued_us=bench.time())
    )


async def away(bench: Bench) -> None:
    bench.broker.stop()
    await eventually(lambda: not bench.agent.link.connected.is_set())


def test_a_version_that_begins_in_the_outage_is_charged_from_its_instant(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            at_us = await bench.tick()
            schedule = parse_schedule(TWO_VERSIONS)
            grant = a_grant(register_wh=bench.sims[0].register_wh, available_micro=90_000_000, at_us=at_us)
            await granted(bench, grant._replace(schedule_obj=schedule_to_obj(schedule)))
            await away(bench)
            register, state = (
                bench.sims[0].register_wh,
                RegisterState(at_us, bench.sims[0].register_wh, 0, 0, 0, 0),
            )
            table, spent = SegmentTable(schedule=schedule), 0
            for minutes in (700, 59, 1, 31, 600):  # 23:01, midnight at the third, and into Sunday
                bench.sims[0].add_energy(2_000)
                now_us = await bench.tick(minutes, drained=False)
                register += 2_000
                charge, state = rate(
                    table=table, state=state, at_us=now_us, register_wh=register, energy_wh=2_000
                )
                spent += charge.amount_micro
                if minutes == 59:
                    before = spent
            assert bench.agent.guard.available_micro(wallet=1) == 90_000_000 - spent
            assert before == 2 * 1_000_000
            assert spent > 5 * 1_000_000 + 2 * 700_000, "the dear price came, with nobody to tell it"

    run(test())


def test_the_meter_itself_warns_at_the_critical_level_and_stops_when_credit_returns(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            at_us = await bench.tick()
            grant = a_grant(register_wh=bench.sims[0].register_wh, available_micro=1_200_000, at_us=at_us)
            # The server had warned at the low level, long before the line broke.
            await granted(bench, grant._replace(warned_at_us=START_US - HOUR_US))
            await away(bench)
            await alone(bench, 3)
            assert not bench.sims[0].alarm, "low, and told so by the server already"
            await alone(bench, 2)
            assert bench.agent.guard.available_micro(wallet=1) < 1_000_000
            assert bench.sims[0].alarm
            assert not bench.sims[1].alarm, "no grant, no warning"
            await bench.restart(online=False)
            bench.broker.start()
            assert await bench.agent.wait_drained(10.0)
            await bench.tick()
            assert bench.sims[0].alarm, "a link is no credit"
            paid = a_grant(
                register_wh=bench.sims[0].register_wh, available_micro=9_000_000, at_us=bench.time()
            )
            await granted(bench, paid, seq=2)
            await bench.tick()
            assert not bench.sims[0].alarm
            codes = bench.headend.codes()
            assert (codes.count("local_warning"), codes.count("local_warning_ended")) == (1, 1)

    run(test())


def test_an_alarm_that_the_meter_does_not_hear_is_ordered_again_and_told_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            at_us = await bench.tick()
            await granted(
                bench, a_grant(register_wh=bench.sims[0].register_wh, available_micro=400_000, at_us=at_us)
            )
            await away(bench)
            bench.sims[0].password = "02999999"
            await alone(bench, 5)
            assert not bench.sims[0].alarm
            bench.sims[0].password = "02123456"
            await alone(bench, 1)
            assert bench.sims[0].alarm
            bench.broker.start()
            assert await bench.agent.wait_drained(10.0)
            assert bench.headend.codes().count("local_warning") == 1

    run(test())


def test_friendly_hours_and_protected_homes_are_spared_for_a_whole_outage(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            at_us = await bench.tick()
            spared = {
                100: {"protected": True},
                101: {"policy_obj": policy_obj(friendly=((0, 18 * 60),))},
            }
            for meter, changes in spared.items():
                sim = bench.sims[meter - 100]
                grant = a_grant(
                    register_wh=sim.register_wh, available_micro=100_000, at_us=at_us, wallet=meter
                )
                grant = grant._replace(warned_at_us=START_US - HOUR_US, **changes)
                await bench.obeyed(a_command(meter=meter, seq=1, relay=RelayOrder.LEAVE, grant=grant))
            await away(bench)
            for _ in range(6):
                for sim in bench.sims:
                    sim.add_energy(500)
                await bench.tick(60, drained=False)
            assert all(sim.relay_closed for sim in bench.sims), "17:20: nobody is cut"
            await bench.tick(60, drained=False)
            assert [sim.relay_closed for sim in bench.sims] == [True, False], "18:20: the hours are over"

    run(test())


def test_a_meters_clock_is_looked_at_once_a_day_and_set(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            bench.sims[0].clock_offset_us = 95 * 1_000_000
            bench.sims[1].clock_offset_us = 20 * 1_000_000
            for _ in range(3):
                await bench.tick()
            assert abs(bench.sims[0].clock_offset_us) < 1_000_000
            assert bench.sims[1].clock_offset_us == 20 * 1_000_000, "half a minute is let be"
            (event,) = bench.headend.events()
            assert (event.code, event.meter) == ("meter_clock_set", 100)
            assert abs(int(event.detail["ahead_us"] or 0) - 95 * 1_000_000) <= 1_000_000
            bench.sims[0].clock_offset_us = 95 * 1_000_000
            await bench.tick(60)
            assert bench.sims[0].clock_offset_us == 95 * 1_000_000, "once a day is enough"
            await bench.tick(60 * 24)
            await bench.tick()
            assert abs(bench.sims[0].clock_offset_us) < 1_000_000

    run(test())


def test_a_meter_that_does_not_take_the_time_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            bench.sims[0].clock_offset_us = 2 * HOUR_US
            bench.sims[0].password = "02999999"
            await bench.tick()
            await bench.tick()
            (event,) = bench.headend.events()
            assert (event.code, event.meter) == ("meter_clock_wrong", 100)
            assert event.detail["why"] == "clock_not_taken"

    run(test())


def test_no_meters_clock_is_set_by_a_gateway_that_does_not_know_the_time(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            bench.broker.stop()
            await bench.restart(online=False)
            bench.sims[0].clock_offset_us = 95 * 1_000_000
            await bench.tick(drained=False)
            assert bench.sims[0].clock_offset_us == 95 * 1_000_000

    run(test())


def test_gateways_that_return_together_do_not_speak_together(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            waits = []
            for n in range(40):
                config = bench.agent.config
                broker = replace(config.broker, return_spread_s=8.0)
                agent = type(bench.agent)(
                    config=replace(config, gateway=f"gw-{n}", broker=broker, spool=tmp_path / f"{n}.db"),
                    now=bench.time,
                )
                await agent.start()
                for minute in range(5):
                    await agent.poll_once(START_US + minute * MINUTE_US)
                before_s = asyncio.get_running_loop().time()
                agent.link._begin_sending()
                waits.append(agent.link._quiet_until_s - before_s)
                await agent.stop()
            assert min(waits) >= 0
            assert max(waits) <= 8.1
            assert len({int(wait * 2) for wait in waits}) >= 12, "spread over the half seconds of eight"

    run(test())


def test_with_nothing_to_say_a_gateway_still_shows_that_it_lives(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.agent.stop()
            config = bench.agent.config
            config = replace(config, broker=replace(config.broker, heartbeat_s=0.2))
            bench.agent = type(bench.agent)(config=config, now=bench.time)
            await bench.agent.start()
            await eventually(lambda: sum(is_beat(frame) for frame in bench.headend.frames) >= 3)
            assert not any(frame.items for frame in bench.headend.frames)
            bench.headend.silent = True
            await eventually(lambda: bench.agent.link.quiet_since_us is not None)

    run(test())


def is_beat(frame: UpFrame) -> bool:
    return not frame.hello and not frame.items

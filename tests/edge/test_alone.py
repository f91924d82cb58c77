"""A gateway that is cut off: it goes on by its grant, and hands the decision back when the line returns."""

from pathlib import Path

from edge.rig import PASSWORD, Bench, a_bench, a_command, a_grant, eventually, run
from fairwatt.wire.commands import RelayOrder
from fairwatt.wire.frames import Event
from fairwatt.wire.records import FLAG_TRIPPED_LOCALLY, Relay


async def grant(bench: Bench, available_micro: int) -> None:
    """Tick once, then give meter 100 a grant from its register of that tick."""
    at_us = await bench.tick()
    register_wh = bench.sims[0].register_wh
    await bench.obeyed(
        a_command(
            meter=100,
            seq=1,
            relay=RelayOrder.LEAVE,
            grant=a_grant(register_wh=register_wh, available_micro=available_micro, at_us=at_us),
        )
    )


def the(bench: Bench, code: str) -> Event:
    (event,) = [event for event in bench.headend.events() if event.code == code]
    return event


async def alone(bench: Bench, minutes: int) -> None:
    for _ in range(minutes):
        bench.sims[0].add_energy(100)
        await bench.tick(drained=False)


def test_it_warns_then_cuts_alone_and_tells_when_the_line_is_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await grant(bench, 200_000)
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            await alone(bench, 2)
            assert not bench.sims[0].alarm, "a flicker of the line moves no authority"
            await alone(bench, 1)
            assert bench.sims[0].alarm
            assert bench.sims[0].relay_closed
            await alone(bench, 2)
            assert not bench.sims[0].relay_closed
            assert bench.sims[1].relay_closed, "no grant, no cut"
            bench.broker.start()
            assert await bench.agent.wait_drained(10.0)
            await bench.tick()
            assert the(bench, "local_warning").meter == 100
            trip = the(bench, "local_trip")
            assert trip.detail["rule"] == "cut.balance_empty"
            assert int(trip.detail["available_micro"] or 0) <= 0
            balance = the(bench, "guard_balance")
            assert balance.detail["wallet"] == 1
            own = [reading for reading in bench.headend.readings() if reading.meter == 100]
            assert own[-1].relay == Relay.OPEN
            assert own[-1].flags == FLAG_TRIPPED_LOCALLY
            used_wh = own[-1].total_wh - own[0].total_wh
            assert balance.detail["available_micro"] == 200_000 - used_wh * 500
            await bench.tick()
            assert bench.headend.codes().count("guard_balance") == 1

    run(test())


def test_while_the_line_is_up_the_guard_only_counts(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await grant(bench, 0)
            for _ in range(10):
                bench.sims[0].add_energy(100)
                await bench.tick()
            assert bench.sims[0].relay_closed
            assert bench.headend.codes() == []
            assert bench.agent.guard.available_micro(wallet=1) == -1000 * 500

    run(test())


def test_a_head_end_that_stays_silent_counts_as_away(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await grant(bench, 200_000)
            bench.headend.silent = True
            await alone(bench, 6)
            assert bench.agent.link.connected.is_set()
            assert not bench.sims[0].relay_closed

    run(test())


def test_credit_that_arrives_after_a_local_cut_restores_supply(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await grant(bench, 200_000)
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            await alone(bench, 6)
            assert not bench.sims[0].relay_closed
            bench.broker.start()
            assert await bench.agent.wait_drained(10.0)
            at_us = await bench.tick()
            fresh = a_grant(register_wh=bench.sims[0].register_wh, available_micro=9_000_000, at_us=at_us)
            await bench.obeyed(a_command(meter=100, seq=2, relay=RelayOrder.CLOSED, grant=fresh))
            assert bench.sims[0].relay_closed
            await bench.tick()
            assert bench.headend.readings()[-2].flags == 0

    run(test())


def test_a_restart_while_alone_forgets_neither_credit_nor_cut(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await grant(bench, 200_000)
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            await alone(bench, 6)
            before = bench.agent.guard.available_micro(wallet=1)
            await bench.agent.stop()
            bench.agent = type(bench.agent)(config=bench.agent.config, now=bench.time)
            await bench.agent.start()
            assert bench.agent.guard.available_micro(wallet=1) == before
            assert bench.agent.guard.is_tripped(meter=100)

    run(test())


def test_a_relay_that_does_not_follow_is_ordered_again_and_told_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await grant(bench, 200_000)
            bench.sims[0].password = "02999999"
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            await alone(bench, 20)
            assert bench.agent.guard.is_tripped(meter=100), "a late answer must not leave a cut unowned"
            bench.sims[0].password = PASSWORD
            await alone(bench, 2)
            assert not bench.sims[0].relay_closed
            bench.broker.start()
            assert await bench.agent.wait_drained(10.0)
            codes = bench.headend.codes()
            assert (codes.count("local_trip"), codes.count("local_switch_failed")) == (1, 1)

    run(test())


def test_switching_the_gateway_off_and_on_buys_no_time(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await grant(bench, 200_000)
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            for _ in range(8):
                await alone(bench, 1)
                await bench.restart(online=False)
            await alone(bench, 1)
            assert not bench.sims[0].relay_closed

    run(test())


def test_a_clock_that_lost_its_battery_does_not_stop_the_count(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await grant(bench, 200_000)
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            await alone(bench, 2)
            before_us = bench.agent.clock.now_us()
            bench.time.forward(-60 * 24 * 365)
            await bench.restart(online=False)
            assert bench.agent.clock.now_us() >= before_us
            for _ in range(6):
                bench.sims[0].add_energy(100)
                bench.time.forward()
                await bench.agent.poll_once(bench.agent.clock.now_us())
            assert not bench.sims[0].relay_closed

    run(test())

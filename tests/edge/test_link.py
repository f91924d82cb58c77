"""The door: what a wrong password or missing rights look like, and how the agent waits."""

from dataclasses import replace
from pathlib import Path

import structlog
from structlog.testing import LogCapture

from edge.rig import Bench, a_bench, eventually, run
from fairwatt.edge.agent import Agent


async def another(bench: Bench, folder: Path, *, gateway: str, password: str) -> Agent:
    config = bench.agent.config
    broker = replace(config.broker, password=password)
    config = replace(config, gateway=gateway, spool=folder / f"{gateway}.db", broker=broker)
    agent = Agent(config=config, now=bench.time)
    await agent.start()
    return agent


def heard(logs: LogCapture, event: str) -> list[str]:
    return [str(entry["error"]) for entry in logs.entries if entry["event"] == event]


def test_a_wrong_password_is_told_and_the_meters_are_read_on(tmp_path: Path) -> None:
    async def test() -> None:
        logs = LogCapture()
        structlog.configure(processors=[logs], cache_logger_on_first_use=False)
        try:
            async with a_bench(tmp_path) as bench:
                agent = await another(bench, tmp_path, gateway="gw2", password="wrong")
                await eventually(lambda: bool(heard(logs, "broker_refused")))
                await agent.poll_once(bench.time.forward())
                assert agent.spool.count > 0
                assert not await agent.wait_connected(0.1)
                await agent.stop()
        finally:
            structlog.reset_defaults()

    run(test())


def test_a_gateway_that_may_not_listen_says_so_instead_of_waiting_for_orders(tmp_path: Path) -> None:
    async def test() -> None:
        logs = LogCapture()
        structlog.configure(processors=[logs], cache_logger_on_first_use=False)
        try:
            async with a_bench(tmp_path) as bench:
                agent = await another(bench, tmp_path, gateway="gw2", password="two")
                await eventually(lambda: bool(heard(logs, "link_down")))
                assert "check this gateway's rights" in heard(logs, "link_down")[0]
                assert not agent.link.connected.is_set()
                await agent.stop()
        finally:
            structlog.reset_defaults()

    run(test())


def test_damaged_down_frames_are_passed_over(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            for bad in (b"", b"\xff", b"\x00" * 300, b"\x83\x01\x09\x80"):
                await bench.headend.say(bad)
            await bench.tick()
            assert len(bench.headend.readings()) == 2

    run(test())


def test_a_long_absence_is_sent_in_a_few_large_frames(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            bench.broker.stop()
            for _ in range(200):
                await bench.tick(drained=False)
            before = len(bench.headend.frames)
            bench.broker.start()
            assert await bench.agent.wait_drained(10.0)
            assert len(bench.headend.readings()) == 402
            assert len(bench.headend.frames) - before <= 5

    run(test())

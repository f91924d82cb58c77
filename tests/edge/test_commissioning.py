"""At a new building: who is on the bus, and whose meter is it? Over real sockets."""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fairwatt.cli.main import app
from fairwatt.core.insight.pulse import Verdict
from fairwatt.drivers.profile import load_profile
from fairwatt.edge.bus import Bus, BusDown, Silent
from fairwatt.edge.config import BusConfig, MeterConfig
from fairwatt.edge.pulse import pulse
from fairwatt.edge.scan import Heard, Scanned, scan_bus
from fairwatt.edge.settings_file import load
from fairwatt.edge.status import socket_path
from fairwatt.server.errors import BadInput, OperatorError
from fairwatt.simulate import gateway
from fairwatt.simulate.meters import Dlt645Bus, SimMeter
from fairwatt.simulate.meters.faults import Fault, FaultKind
from fairwatt.simulate.meters.line import Line
from fairwatt.simulate.meters.mbus import SimMbusBus, SimMbusMeter
from fairwatt.simulate.meters.modbus import SimModbusBus, SimModbusMeter

BASE = 202_700_000_001
DLT = load_profile(key="dlt645_single_phase")


def run[T](coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def meters(count: int) -> list[SimMeter]:
    return [SimMeter(number=str(BASE + n), register_wh=1_237 * n + 12_340) for n in range(count)]


def line_to(port: int, *numbers: int, wait_ms: int = 25, profile: str = DLT.key) -> BusConfig:
    there = tuple(MeterConfig(number=n, address=str(n), profile=profile) for n in numbers)
    return BusConfig(
        name="riser", host="127.0.0.1", port=port, meters=there, reply_within_ms=wait_ms, attempts=1
    )


async def scanned(port: int, *, profile: str = DLT.key, **options: Any) -> Scanned:
    bus = Bus(config=line_to(port))
    try:
        return await scan_bus(bus=bus, profile=load_profile(key=profile), **options)
    finally:
        bus.close()


@pytest.mark.parametrize("count", [1, 2, 17])
def test_every_meter_of_a_bus_is_found_with_its_register(count: int) -> None:
    async def scene() -> None:
        there = meters(count)
        async with Dlt645Bus(meters=there, now=lambda: 0) as bus:
            found = await scanned(bus.port)
        assert [one.address for one in found.meters] == [meter.number for meter in there]
        assert [one.register_wh for one in found.meters] == [m.register_wh // 10 * 10 for m in there]
        assert not any(one.trouble for one in found.meters)

    run(scene())


def test_a_known_meter_is_asked_by_name_also_where_a_wildcard_is_not_understood() -> None:
    async def scene() -> None:
        async with Dlt645Bus(meters=meters(1), now=lambda: 0) as bus:
            found = await scanned(bus.port, known=[str(BASE), str(BASE + 5)])
        assert [one.address for one in found.meters] == [str(BASE)]

    run(scene())


@pytest.mark.parametrize(("profile", "rtu"), [("modbus_single_phase", True), ("modbus_three_phase", False)])
def test_modbus_units_are_found_and_another_model_is_named(profile: str, rtu: bool) -> None:
    async def scene() -> None:
        mine = load_profile(key=profile)
        other = load_profile(key="modbus_three_phase" if rtu else "modbus_single_phase")
        sims = [
            SimModbusMeter(profile=mine, unit="3", register_wh=1_230),
            SimModbusMeter(profile=mine, unit="247", register_wh=50),
            SimModbusMeter(profile=other, unit="9"),
        ]
        async with Line(answer=SimModbusBus(meters=sims, rtu=rtu).answer) as line:
            bus = Bus(config=line_to(line.port, wait_ms=15))
            found = await scan_bus(bus=bus, profile=mine)
            bus.close()
        assert found.meters == (
            Heard(address="3", register_wh=1_230),
            Heard(address="9", trouble="refused"),
            Heard(address="247", register_wh=50),
        )

    run(scene())


def test_mbus_primary_addresses_are_found() -> None:
    async def scene() -> None:
        profile = load_profile(key="mbus_water")
        sims = [
            SimMbusMeter(profile=profile, number=f"1234567{n}", primary=n, register=n * 1_000) for n in (1, 7)
        ]
        async with Line(answer=SimMbusBus(meters=sims).answer) as line:
            bus = Bus(config=line_to(line.port, wait_ms=15))
            found = await scan_bus(bus=bus, profile=profile)
            bus.close()
        assert [(one.address, one.register_wh) for one in found.meters] == [("1", 1_000), ("7", 7_000)]

    run(scene())


def test_a_line_that_is_not_there_is_named() -> None:
    with pytest.raises(BusDown):
        run(scanned(1))


def test_the_command_finds_by_hand_and_says_so_in_its_exit_code() -> None:
    async def scene() -> None:
        async with Dlt645Bus(meters=meters(2), now=lambda: 0) as bus:
            line = ["edge", "scan", "--host", "127.0.0.1", "--port", str(bus.port), "--wait-ms", "150"]
            told = await asyncio.to_thread(CliRunner().invoke, app, [*line, "--json"])
        assert told.exit_code == 0, told.output
        rows = json.loads(told.stdout)["buses"][0]["meters"]
        assert [(row["address"], row["state"]) for row in rows] == [
            (str(BASE), "new"),
            (str(BASE + 1), "new"),
        ]

    run(scene())


def test_the_command_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    for wrong in (
        ["--host", "127.0.0.1"],
        ["--host", "127.0.0.1", "--port", "1", "--profile", "lorawan_water"],
        ["--config", str(tmp_path / "edge.toml")],
    ):
        told = CliRunner().invoke(app, ["edge", "scan", *wrong])
        assert isinstance(told.exception, BadInput), (wrong, told.output)


def test_a_bus_where_nobody_answers_breaks_the_test_off_before_it_begins() -> None:
    async def scene() -> None:
        async def never(on: bool) -> None:
            raise AssertionError("somebody was asked to switch")

        with pytest.raises(Silent):
            await pulse(buses=[line_to(1, BASE)], watts=2_000, say=never, slack_ms=100)

    run(scene())


def test_the_commands_compare_with_the_settings_and_never_ask_beside_the_agent(tmp_path: Path) -> None:
    async def scene() -> None:
        bench, ready = gateway.Bench(gateway.Wishes(folder=tmp_path, meters=2)), asyncio.Event()
        answering = asyncio.create_task(bench.run(ready))
        await ready.wait()
        bench.meters[1].faults.add(Fault(FaultKind.MUTE))
        settings = ["--config", str(bench.config), "--json"]
        scan = ["edge", "scan", *settings, "--wait-ms", "150"]
        told = await asyncio.to_thread(CliRunner().invoke, app, scan)
        pulsed = await asyncio.to_thread(
            CliRunner().invoke, app, ["edge", "pulse", *settings, "--slack-ms", "150"]
        )
        spool = load(bench.config).spool
        agent = await asyncio.start_unix_server(_say_anything, socket_path(spool=spool))
        beside = await asyncio.to_thread(CliRunner().invoke, app, scan)
        agent.close()
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        rows = json.loads(told.stdout)["buses"][0]["meters"]
        assert [row["state"] for row in rows] == ["configured", "silent"]
        assert told.exit_code == pulsed.exit_code == 1
        verdict = json.loads(pulsed.stdout)
        assert (verdict["verdict"], verdict["meter"]) == ("none", None)
        assert [one["seen"] for one in verdict["candidates"]].count(True) == 1
        assert isinstance(beside.exception, OperatorError)
        assert "agent" in str(beside.exception)

    run(scene())


async def _say_anything(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'{"running": true}')
    writer.close()


def test_a_pulse_on_a_live_bus_names_the_meter_of_the_room() -> None:
    async def scene() -> None:
        there = meters(4)
        there[1].load_w = 700
        async with Dlt645Bus(meters=there, now=lambda: 0) as bus:

            async def kettle(on: bool) -> None:
                there[2].load_w += 2_000 if on else -2_000
                there[3].load_w = 0 if there[3].load_w else 1_100

            config = line_to(bus.port, *(int(meter.number) for meter in there), wait_ms=500)
            told = await pulse(buses=[config], watts=2_000, say=kettle, slack_ms=150)
        assert (told.result.verdict, told.result.meter) == (Verdict.PROVEN, BASE + 2)

    run(scene())

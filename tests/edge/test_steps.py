"""An exchange of several requests over the gateway's real line: sent at once, repeated only where nothing was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fairwatt.drivers.contract import Accepted, MeterClock
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.edge.bus import Bus
from fairwatt.edge.config import BusConfig
from fairwatt.simulate.meters import Dlt645Bus, Fault, FaultKind, SimMeter

NOON_US = 1_785_556_800_000_000
NUMBER = "202611210001"


def over_the_line(meter: SimMeter, profile: str, *questions: Callable[[Any], Any]) -> tuple[list[Any], int]:
    """Ask a meter's driver over TCP; return the replies and how many requests the line carried."""
    driver = open_meter(
        profile=load_profile(key=profile),
        address=NUMBER,
        zone="Asia/Shanghai",
        password="02123456",
        operator="00000001",
    )

    async def run() -> tuple[list[Any], int]:
        async with Dlt645Bus(meters=[meter], now=lambda: NOON_US) as line:
            config = BusConfig(
                name="one", meters=(), host=line.host, port=line.port, reply_within_ms=40, attempts=9
            )
            bus = Bus(config=config)
            replies = [await bus.ask(question(driver)) for question in questions]
            bus.close()
            return replies, line.requests

    return asyncio.run(run())


def test_what_takes_many_requests_is_one_question_to_the_gateway() -> None:
    meter = SimMeter(number=NUMBER, phases=3, register_wh=70_000, frame_bytes=12)
    (found, tariffs), requests = over_the_line(
        meter,
        "dlt645_three_phase",
        lambda driver: driver.read_measurements(),
        lambda driver: driver.read_tariff_registers(),
    )
    assert [phase.voltage_dv for phase in found.phases] == [2_200] * 3
    assert tariffs == (70_000, 70_000, 0, 0, 0)
    assert requests > 12


def test_a_step_that_was_lost_is_repeated_and_the_others_are_not() -> None:
    meter = SimMeter(number=NUMBER, phases=3)
    meter.faults.add(Fault(FaultKind.DEAF_LINE, per_mille=300))
    (found,), requests = over_the_line(meter, "dlt645_three_phase", lambda driver: driver.read_measurements())
    assert [phase.voltage_dv for phase in found.phases] == [2_200] * 3
    assert 10 < requests < 24


def test_a_broadcast_nobody_answers_is_proven_by_the_meters_clock() -> None:
    meter = SimMeter(number=NUMBER)
    meter.clock_offset_us = 60_000_000
    (taken, clock), _ = over_the_line(
        meter,
        "dlt645_vendor_prepaid",
        lambda driver: driver.set_clock(at_us=NOON_US),
        lambda driver: driver.read_clock(),
    )
    assert (taken, clock) == (Accepted(), MeterClock(NOON_US))

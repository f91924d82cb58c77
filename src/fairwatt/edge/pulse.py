"""A pulse test on live buses: tell a person when to switch, and watch what every meter says meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fairwatt.core.insight.pulse import PulseResult, judge_pulses
from fairwatt.drivers.contract import DriverError, ReadsMeasurements, ReadsPower
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.edge.bus import Bus, Silent
from fairwatt.edge.config import BusConfig
from fairwatt.edge.telemetry.capture import sample_of
from fairwatt.wire.records import UNKNOWN_I32

_ROUNDS: Final = (4, 4, 10, 5, 4, 4)
"""How long each state lasts, in slacks: on, off, on for longer, off, on, off."""
_BEFORE: Final = 3


@dataclass(frozen=True, slots=True)
class Watched:
    """A meter that is asked for its power."""

    number: int
    bus: Bus
    driver: object


@dataclass(frozen=True, slots=True)
class PulseRun:
    """What the test found, the slack it took, and the meters that tell no power and were not watched."""

    result: PulseResult
    slack_ms: int
    without_power: tuple[int, ...]


type Say = Callable[[bool], Awaitable[None]]
"""Called at the instant when the load is to be switched on (True) or off."""


async def pulse(*, buses: Sequence[BusConfig], watts: int, say: Say, slack_ms: int = 3_000) -> PulseRun:
    """Run one test: rest, on, off, longer on, off, on, off, with every meter of the buses watched.

    A slow bus makes the test longer: each state lasts several rounds over its meters. Raises Silent when no meter
    tells its power, before anybody is asked to switch, and PulseError.
    """
    opened = [Bus(config=config) for config in buses]
    try:
        watched, without = _meters(buses, opened)
        answering = await _answering(watched)
        slack_ms = max(slack_ms, await _round_ms(answering))
        powers, switches, until = await _follow(answering, say, slack_ms)
    finally:
        for bus in opened:
            bus.close()
    # A meter that did not answer stays a candidate: nobody is to believe that it was ruled out.
    powers = {meter.number: powers.get(meter.number, []) for meter in watched}
    result = judge_pulses(powers=powers, switches_ms=switches, until_ms=until, watts=watts, slack_ms=slack_ms)
    return PulseRun(result, slack_ms, without)


def _meters(buses: Sequence[BusConfig], opened: Sequence[Bus]) -> tuple[list[Watched], tuple[int, ...]]:
    watched, without = [], []
    for config, bus in zip(buses, opened, strict=True):
        for meter in config.meters:
            driver = open_meter(profile=load_profile(key=meter.profile), address=meter.address, zone="UTC")
            if isinstance(driver, ReadsPower | ReadsMeasurements):
                watched.append(Watched(meter.number, bus, driver))
            else:
                without.append(meter.number)
    return watched, tuple(without)


def _by_bus(watched: list[Watched]) -> list[list[Watched]]:
    lines: dict[int, list[Watched]] = {}
    for meter in watched:
        lines.setdefault(id(meter.bus), []).append(meter)
    return list(lines.values())


async def _answering(watched: list[Watched]) -> list[Watched]:
    """Those that answer now: a silent one would hold up its neighbours every round. Raises Silent for none."""
    heard: dict[int, list[tuple[int, int]]] = {}
    for _ in range(2):
        silent = [meter for meter in watched if meter.number not in heard]
        await asyncio.gather(*(_pass(line, heard) for line in _by_bus(silent)))
    if not heard:
        raise Silent("no meter on these buses tells its power; look at the line, or scan it")
    return [meter for meter in watched if meter.number in heard]


async def _round_ms(watched: list[Watched]) -> int:
    """How long the slowest bus takes to hear all its meters once."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    await asyncio.gather(*(_pass(line, {}) for line in _by_bus(watched)))
    return int((loop.time() - begun_s) * 1_000)


async def _pass(line: list[Watched], powers: dict[int, list[tuple[int, int]]]) -> None:
    loop = asyncio.get_running_loop()
    for meter in line:
        try:
            power_w, _, _ = await sample_of(_Point(meter), whole=False)
        except DriverError:
            continue  # a gap: judge_pulses says which meters were heard too rarely
        if power_w != UNKNOWN_I32:
            powers.setdefault(meter.number, []).append((int(loop.time() * 1_000), power_w))


class _Point:
    """What `sample_of` asks; trouble is not remembered here."""

    trouble = None

    def __init__(self, meter: Watched) -> None:
        self.number, self.bus, self.driver = meter.number, meter.bus, meter.driver


async def _follow(
    watched: list[Watched], say: Say, slack_ms: int
) -> tuple[dict[int, list[tuple[int, int]]], list[int], int]:
    loop = asyncio.get_running_loop()
    powers: dict[int, list[tuple[int, int]]] = {meter.number: [] for meter in watched}

    async def watch(line: list[Watched]) -> None:
        while True:
            begun_s = loop.time()
            await _pass(line, powers)
            # Ten looks a slack are plenty; a fast bus is not kept busy for nothing.
            await asyncio.sleep(max(0.0, begun_s + slack_ms / 10_000 - loop.time()))

    tasks = [asyncio.create_task(watch(line)) for line in _by_bus(watched)]
    switches: list[int] = []
    try:
        await asyncio.sleep(_BEFORE * slack_ms / 1_000)
        for place, slacks in enumerate(_ROUNDS):
            switches.append(int(loop.time() * 1_000))
            await say(place % 2 == 0)
            await asyncio.sleep(slacks * slack_ms / 1_000)
        until = int(loop.time() * 1_000)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return powers, switches, until

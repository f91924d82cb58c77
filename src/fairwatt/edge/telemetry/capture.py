"""Asking meters every second, as far as their bus has the time, and cutting what they say into blocks.

A bus that is too slow for all its meters in a second takes as long as it takes: each value stands at the second
it was given, the seconds between are unknown, never made up. Readings, orders and their proofs go first.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import structlog

from fairwatt.drivers.contract import (
    DriverError,
    Exchange,
    Measurements,
    ReadsCurrent,
    ReadsMeasurements,
    ReadsPower,
    ReadsVoltage,
)
from fairwatt.edge.config import TelemetryConfig
from fairwatt.wire.records import UNKNOWN_I32
from fairwatt.wire.telemetry import SECONDS_MAX, Series, pack

log = structlog.get_logger(__name__)

_PASS_S: Final = 1.0
_SET_BACK_S: Final = 120
"""A second so far behind the others is not late: the clock was set back."""
"""Wall seconds that a pass over a bus takes at least: a simulated clock may run many times faster."""
_YIELD_S: Final = 0.02
_WHOLE_EVERY: Final = 10

type Sample = tuple[int, int, int]


class Bus(Protocol):
    """A line that carries one question at a time."""

    async def ask[ReplyT](self, exchange: Exchange[ReplyT], /, *, attempts: int | None = None) -> ReplyT: ...


class Point(Protocol):
    """A meter that may be asked."""

    @property
    def number(self) -> int: ...

    @property
    def trouble(self) -> str | None: ...

    @property
    def bus(self) -> Bus: ...

    @property
    def driver(self) -> object: ...


type Line = tuple[Sequence[Point], Callable[[], bool]]
"""The meters of one bus, and whether something better is talking on it."""


class Blocks:
    """Samples by second, until they are cut into a block."""

    def __init__(self) -> None:
        self._start_s: int | None = None
        self._floor_s = 0
        self._samples: dict[int, dict[int, Sample]] = {}

    @property
    def start_s(self) -> int | None:
        """First second of the block that is being filled."""
        return self._start_s

    def put(self, *, meter: int, second: int, sample: Sample) -> None:
        """Note what a meter said; a second that was cut off already is late, and is let go."""
        floor_s = self._floor_s if self._start_s is None else self._start_s
        if floor_s - second > _SET_BACK_S:
            # The clock was ahead and is set back. What was taken bears wrong instants; what comes is not late.
            self._start_s, self._samples, self._floor_s = None, {}, second
        elif second < floor_s:
            return
        if self._start_s is None:
            self._start_s = second
        self._samples.setdefault(meter, {})[second] = sample

    def cut(self, *, until_s: int) -> list[tuple[int, int, list[tuple[int, bytes]]]]:
        """Take everything before ``until_s`` out as blocks (start_s, seconds, bodies); none where nobody spoke."""
        made: list[tuple[int, int, list[tuple[int, bytes]]]] = []
        while self._start_s is not None and self._start_s < until_s:
            first = min((min(said) for said in self._samples.values()), default=until_s)
            start = max(self._start_s, first)
            if start >= until_s:
                break
            end = min(until_s, start + SECONDS_MAX)
            bodies = [
                (meter, pack(_series(said, start, end)))
                for meter, said in sorted(self._samples.items())
                if any(start <= second < end for second in said)
            ]
            made.append((start, end - start, bodies))
            self._samples = {
                meter: later
                for meter, said in self._samples.items()
                if (later := {second: value for second, value in said.items() if second >= end})
            }
            self._start_s = end
        self._start_s = until_s if self._samples else None
        self._floor_s = until_s
        return made


def _series(said: dict[int, Sample], start: int, end: int) -> Series:
    nothing = (UNKNOWN_I32, UNKNOWN_I32, UNKNOWN_I32)
    rows = [said.get(second, nothing) for second in range(start, end)]
    return Series([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


class Capture:
    """Follows the meters of all buses and hands finished blocks to ``keep``."""

    def __init__(
        self,
        *,
        config: TelemetryConfig,
        lines: Iterable[Line],
        now_us: Callable[[], int],
        keep: Callable[[int, int, list[tuple[int, bytes]]], None],
    ) -> None:
        self._config = config
        self._lines = list(lines)
        self._now_us = now_us
        self._keep = keep
        self._blocks = Blocks()
        self._watched_until_s = 0.0

    def watch(self, *, for_s: int) -> None:
        """Somebody looks: cut small blocks for so long (wall time)."""
        self._watched_until_s = asyncio.get_running_loop().time() + for_s

    async def run(self) -> None:
        """Follow every bus until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._cut())
            for points, busy in self._lines:
                tasks.create_task(self._follow(points, busy))

    async def _cut(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0.25)
            start_s, second = self._blocks.start_s, self._now_us() // 1_000_000
            if start_s is None:
                continue
            live = loop.time() < self._watched_until_s
            wide = self._config.live_block_s if live else self._config.block_s
            # A second is over when the next one has begun; its last sample may still be on its way.
            until_s = second - 1 if live else (second - 1) // wide * wide
            if until_s - start_s >= (wide if live else 1):
                for block in self._blocks.cut(until_s=until_s):
                    self._keep(*block)

    async def _follow(self, points: Sequence[Point], busy: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        passes, slow = 0, False
        while True:
            begun_s = loop.time()
            # Where a second is too short for three questions to each, power is what is asked for mostly.
            whole = not slow or passes % _WHOLE_EVERY == 0
            for point in points:
                while busy():
                    await asyncio.sleep(_YIELD_S)
                # A silent meter would hold up its neighbours; the next poll finds out whether it is back.
                if point.trouble is None:
                    await self._look_at(point, whole=whole)
            passes += 1
            slow = loop.time() - begun_s > _PASS_S if whole else slow
            await asyncio.sleep(max(_YIELD_S, begun_s + _PASS_S - loop.time()))

    async def _look_at(self, point: Point, *, whole: bool) -> None:
        try:
            sample = await sample_of(point, whole=whole)
        except DriverError:
            return
        except Exception:
            # One meter's odd answer stops neither its neighbours nor the agent.
            log.warning("telemetry_sample_failed", meter=point.number, exc_info=True)
            return
        if sample != (UNKNOWN_I32, UNKNOWN_I32, UNKNOWN_I32):
            self._blocks.put(meter=point.number, second=self._now_us() // 1_000_000, sample=sample)


async def sample_of(point: Point, *, whole: bool = True) -> Sample:
    """Power of a meter now, if ``whole`` voltage and current too, each asked once; unknown where it does not tell.

    Raises DriverError when the meter says nothing at all.
    """
    driver, bus = point.driver, point.bus
    if isinstance(driver, ReadsMeasurements):
        return _sample(await bus.ask(driver.read_measurements(), attempts=1))
    power_w = voltage_dv = current_ma = UNKNOWN_I32
    if isinstance(driver, ReadsPower):
        power_w = (await bus.ask(driver.read_power(), attempts=1)).power_w
    try:
        if whole and isinstance(driver, ReadsVoltage):
            voltage_dv = (await bus.ask(driver.read_voltage(), attempts=1)).voltage_dv
        if whole and isinstance(driver, ReadsCurrent):
            current_ma = (await bus.ask(driver.read_current(), attempts=1)).current_ma
    except DriverError:
        if power_w == UNKNOWN_I32:
            raise
    return power_w, voltage_dv, current_ma


def _sample(measured: Measurements) -> Sample:
    """One figure each: powers and currents of the phases together, the voltage of the first."""
    phases = measured.phases
    powers = [phase.power_w for phase in phases if phase.power_w is not None]
    currents = [phase.current_ma for phase in phases if phase.current_ma is not None]
    voltages = [phase.voltage_dv for phase in phases if phase.voltage_dv is not None]
    return (
        sum(powers) if powers else UNKNOWN_I32,
        voltages[0] if voltages else UNKNOWN_I32,
        sum(currents) if currents else UNKNOWN_I32,
    )

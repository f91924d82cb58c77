"""The meters of this gateway: reading them, switching them, and noticing when they fall silent."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog

from fairwatt.core.metering.register import RegisterSpec
from fairwatt.drivers.contract import (
    CountsPulses,
    DriverError,
    HearsMessages,
    KeepsClock,
    MeterEventKind,
    PulseState,
    ReadsPower,
    ReadsRegister,
    ReadsVoltage,
    SwitchesRelay,
    WarnsAtMeter,
)
from fairwatt.drivers.profile import MeterProfile, load_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.edge.bus import Bus, BusDown
from fairwatt.edge.config import BusConfig, EdgeConfig, ListenConfig, MeterConfig
from fairwatt.edge.dtu_door import DtuDoor
from fairwatt.edge.ear import Ear
from fairwatt.edge.pace import Pace
from fairwatt.edge.spool import Spool
from fairwatt.wire import cbor
from fairwatt.wire.errors import FrameError
from fairwatt.wire.frames import Event
from fairwatt.wire.records import UNKNOWN_I32, Reading, Relay

log = structlog.get_logger(__name__)

_KEPT: Final = "meter/"
_KEPT_MAX: Final = 1 << 16
CLOCK_CHECK_US = 86_400_000_000
CLOCK_TOLERANCE_US = 30_000_000
CLOCK_STEP_US = 120_000_000


class CannotSwitch(DriverError):
    """This meter model has no relay that can be ordered."""

    code = "no_relay"


class ClockNotTaken(DriverError):
    """The meter's clock is wrong and stays wrong."""

    code = "clock_not_taken"


class MeterPoint:
    """One meter on its bus, with what was last heard from it."""

    wakes_within_us = 0
    """how long an order may have to wait before the meter can hear it at all"""

    def __init__(self, *, config: MeterConfig, bus: Bus | Ear, zone: str) -> None:
        self.number = config.number
        self.address = config.address
        self.bus = bus
        self.profile: MeterProfile = load_profile(key=config.profile)
        self.driver = self._open(config, zone)
        self.alarms = config.alarms
        self.operator = config.operator
        self.relay: int = Relay.UNKNOWN
        self.trouble: str | None = None
        self.last: Reading | None = None
        self.conditions: frozenset[MeterEventKind] | None = None
        self.clock_checked_us: int | None = None

    def _open(self, config: MeterConfig, zone: str) -> ReadsRegister | HearsMessages:
        return open_meter(
            profile=self.profile,
            address=config.address,
            zone=zone,
            password=config.password,
            operator=config.operator,
        )

    def kept(self) -> bytes | None:
        """What must be remembered of this meter over a restart; None when it is nothing."""
        state = self.driver.state if isinstance(self.driver, CountsPulses) else None
        return None if state is None else cbor.encode([self.address, state.count, state.pulses])

    def resume(self, kept: bytes, /) -> None:
        """Go on from what was remembered. Raises FrameError."""
        if isinstance(self.driver, CountsPulses):
            value = cbor.decode(kept, max_bytes=_KEPT_MAX, what="a kept counter")
            address, count, pulses = cbor.array(value, length=3, what="a kept counter")
            state = PulseState(cbor.integer(count, what="count"), cbor.integer(pulses, what="pulses"))
            # Another address is another counter, or a new opening that a person entered: it begins there.
            if cbor.text(address, what="address") == self.address:
                self.driver.resume(state)

    def valid_us(self, asked_us: int, /) -> int:
        """How long an order of this gateway is to be valid."""
        return max(asked_us, self.wakes_within_us)

    def in_order(self, at_us: int, /, *, strictly: bool = False) -> int:
        """An instant for the next reading, not before the last one: two states need two instants.

        A clock that was set back by more than it may be wrong does not hold the meter's readings in the future.
        """
        if self.last is None or self.last.at_us - at_us > CLOCK_STEP_US:
            return at_us
        return at_us if at_us > self.last.at_us - (not strictly) else self.last.at_us + 1

    async def read(self, *, stamp: Callable[[], int], with_voltage: bool) -> Reading:
        """Read register, relay and power (and voltage). Raises DriverError when there is no register value.

        ``stamp`` is asked for the instant when the register has been heard. Instants of one meter never fall.
        A missing relay state or power leaves that field unknown: half a reading is still the energy.
        """
        # A meter known to be silent gets one try, so that it does not hold up its neighbours.
        attempts = 1 if self.trouble else None
        assert isinstance(self.driver, ReadsRegister)
        register = await self.bus.ask(self.driver.read_register(), attempts=attempts)
        at_us = self.in_order(stamp())
        self.relay = await self._relay()
        power, voltage = await self._power(), UNKNOWN_I32
        if with_voltage:
            voltage = await self._voltage()
        self.last = Reading(self.number, at_us, register.total_wh, power, voltage, self.relay)
        return self.last

    async def _relay(self) -> int:
        if not isinstance(self.driver, SwitchesRelay):
            return Relay.UNKNOWN
        try:
            state = await self.bus.ask(self.driver.read_relay())
        except DriverError:
            return Relay.UNKNOWN
        return Relay.CLOSED if state.closed else Relay.OPEN

    async def _power(self) -> int:
        if not isinstance(self.driver, ReadsPower):
            return UNKNOWN_I32
        try:
            return (await self.bus.ask(self.driver.read_power())).power_w
        except DriverError:
            return UNKNOWN_I32

    async def _voltage(self) -> int:
        if not isinstance(self.driver, ReadsVoltage):
            return UNKNOWN_I32
        try:
            return (await self.bus.ask(self.driver.read_voltage())).voltage_dv
        except DriverError:
            return UNKNOWN_I32

    async def switch(self, *, closed: bool, valid_until_us: int) -> int:
        """Order the relay and return where the meter then says it is. Raises DriverError."""
        if not isinstance(self.driver, SwitchesRelay):
            raise CannotSwitch(f"meter {self.number} has no relay to order; its supply is as it was")
        if closed:
            await self.bus.ask(self.driver.close_relay(valid_until_us=valid_until_us))
        else:
            await self.bus.ask(self.driver.open_relay(valid_until_us=valid_until_us))
        self.relay = await self._relay()
        return self.relay

    async def warn(self, *, sound: bool, valid_until_us: int) -> bool:
        """Begin or end the meter's own low-credit alarm; say whether it took the order."""
        if not isinstance(self.driver, WarnsAtMeter):
            return False
        order = self.driver.warn if sound else self.driver.end_warning
        try:
            await self.bus.ask(order(valid_until_us=valid_until_us))
        except DriverError:
            return False
        return True

    def clock_is_due(self, *, now_us: int) -> bool:
        """Say whether the meter keeps a clock that was not looked at for a day."""
        if not isinstance(self.driver, KeepsClock) or self.trouble is not None:
            return False
        return self.clock_checked_us is None or not 0 <= now_us - self.clock_checked_us < CLOCK_CHECK_US

    async def check_clock(self, *, now: Callable[[], int]) -> int | None:
        """Look at the meter's clock, and set it when it is more than 30 s off.

        Returns by how much it was ahead, in microseconds, when it was set and shows the right time since. A clock
        that cannot be read is left alone. Raises ClockNotTaken when the meter does not take the time.
        """
        if not isinstance(self.driver, KeepsClock):
            return None
        self.clock_checked_us = now()
        try:
            ahead_us = await self._clock_ahead_us(now)
        except DriverError:
            return None
        if abs(ahead_us) <= CLOCK_TOLERANCE_US:
            return None
        why = "it keeps its own"
        try:
            await self.bus.ask(self.driver.set_clock(at_us=now()))
        except DriverError as error:
            why = str(error)
        left_us = await self._clock_ahead_us(now)
        if abs(left_us) > CLOCK_TOLERANCE_US:
            raise ClockNotTaken(
                f"the clock of meter {self.number} is {left_us // 1_000_000} s ahead and was not set ({why}); the "
                "meter may refuse orders as too old"
            )
        return ahead_us

    async def _clock_ahead_us(self, now: Callable[[], int]) -> int:
        assert isinstance(self.driver, KeepsClock)
        shown = await self.bus.ask(self.driver.read_clock())
        return shown.at_us - now()


class Branch:
    """One bus with its meters: whose turn it is there, and what was read and is not kept yet."""

    def __init__(
        self, *, config: BusConfig | ListenConfig, bus: Bus | Ear, points: Sequence[MeterPoint]
    ) -> None:
        self.config = config
        self.bus = bus
        self.points = points
        self.asked = points
        """those that are asked at each pass"""
        self.polls = 0
        self.polled_us: int | None = None
        self.pace = Pace()
        # Reading and switching one meter must not overlap; between two meters an order may cut in.
        self.turn = asyncio.Lock()
        self.readings: list[Reading] = []
        self.events: list[Event] = []
        self._down: BusDown | None = None

    def begin(self, *, now_us: int, interval_us: int) -> None:
        """Start a new pass: the wire is tried again."""
        self.polls += 1
        self._down = None
        self.pace.begin(
            meters=[point.number for point in self.points], interval_us=interval_us, now_us=now_us
        )

    async def read(
        self, point: MeterPoint, *, stamp: Callable[[], int], with_voltage: bool
    ) -> Reading | None:
        """Read one meter, note who fell silent or is back. None when it has no reading this time."""
        try:
            if self._down is not None:
                raise self._down
            reading = await point.read(stamp=stamp, with_voltage=with_voltage)
        except DriverError as error:
            self._down = error if isinstance(error, BusDown) else None
            self.events += fell_silent(point, stamp(), error)
            return None
        self.readings.append(reading)
        self.events += came_back(point, reading.at_us)
        return reading

    def taken(self) -> tuple[list[Reading], list[Event]]:
        """Hand over what was read since the last time."""
        taken = self.readings, self.events
        self.readings, self.events = [], []
        return taken

    def next_due_us(self, *, now_us: int, interval_us: int, snapshot_us: int) -> int:
        """When to read next: the last boundary that passed since the last pass, or the next one to come."""
        every = (interval_us, snapshot_us)
        passed = max(now_us // each * each for each in every)
        if self.polled_us is not None and self.polled_us < passed:
            return passed
        return min((now_us // each + 1) * each for each in every)


class Meters:
    """All meters of the gateway, by number and by bus."""

    def __init__(self, *, config: EdgeConfig, spool: Spool, more: Iterable[Branch] = ()) -> None:
        """``more``: buses besides those of wires. What was kept of a meter is taken up."""
        self.points: dict[int, MeterPoint] = {}
        self._doors = _doors(config.buses)
        self.branches = [self._branch(bus, config.zone) for bus in config.buses]
        for branch in more:
            self.points.update((point.number, point) for point in branch.points)
            self.branches.append(branch)
        self._kept: dict[str, bytes] = dict(spool.entries(_KEPT))
        for point in self.points.values():
            self._resume(point)
        self._branch_of = {point.number: branch for branch in self.branches for point in branch.points}

    def _branch(self, config: BusConfig, zone: str) -> Branch:
        bus = Bus(config=config, door=self._doors.get((config.listen_host, config.listen_port)))
        points = [MeterPoint(config=meter, bus=bus, zone=zone) for meter in config.meters]
        self.points.update((point.number, point) for point in points)
        return Branch(config=config, bus=bus, points=points)

    def _resume(self, point: MeterPoint) -> None:
        kept = self._kept.get(f"{_KEPT}{point.number}")
        try:
            if kept is not None:
                point.resume(kept)
        except FrameError as error:
            log.error("meter_state_lost", meter=point.number, error=str(error))

    def kept(self) -> list[tuple[str, bytes]]:
        """What is to be kept of the meters and is not yet, to be written together with what they said."""
        now = {f"{_KEPT}{point.number}": point.kept() for point in self.points.values()}
        new = [(key, kept) for key, kept in now.items() if kept is not None and kept != self._kept.get(key)]
        self._kept.update(new)
        return new

    def branch_of(self, *, meter: int) -> Branch:
        """The bus that a meter of this gateway hangs on."""
        return self._branch_of[meter]

    async def start(self) -> None:
        """Listen for the DTUs that call this gateway. Raises OSError when a port is taken."""
        for door in self._doors.values():
            await door.start()

    def close(self) -> None:
        """Close the lines."""
        for branch in self.branches:
            branch.bus.close()
        for door in self._doors.values():
            door.stop()


def _doors(buses: Iterable[BusConfig]) -> dict[tuple[str, int], DtuDoor]:
    waiting: dict[tuple[str, int], list[BusConfig]] = {}
    for bus in buses:
        if bus.listen_port:
            waiting.setdefault((bus.listen_host, bus.listen_port), []).append(bus)
    return {(host, port): DtuDoor(host=host, port=port, buses=some) for (host, port), some in waiting.items()}


def fell_silent(point: MeterPoint, at_us: int, error: DriverError) -> Iterable[Event]:
    """A meter gave no reading: told once."""
    known, point.trouble, point.relay = point.trouble, error.code, Relay.UNKNOWN
    if known is None:
        yield Event("meter_silent", at_us, point.number, {"why": error.code, "text": str(error)[:300]})


def came_back(point: MeterPoint, at_us: int) -> Iterable[Event]:
    """A meter gave a reading: told if it was silent."""
    known, point.trouble = point.trouble, None
    if known is not None:
        yield Event("meter_back", at_us, point.number, {"was": known})


def spec_of(point: MeterPoint) -> RegisterSpec:
    """What can be true of this meter's register."""
    profile = point.profile
    return RegisterSpec(
        modulus_wh=profile.modulus_wh,
        resolution_wh=profile.resolution_wh,
        max_power_w=profile.max_power_w,
    )

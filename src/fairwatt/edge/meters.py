"""The meters of this gateway: reading them, switching them, and noticing when they fall silent."""

import asyncio
from collections.abc import Iterable

from fairwatt.drivers.contract import (
    DriverError,
    ReadsPower,
    ReadsRegister,
    ReadsVoltage,
    SwitchesRelay,
    WarnsAtMeter,
)
from fairwatt.drivers.profile import MeterProfile, load_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.edge.bus import BusDown, TcpBus
from fairwatt.edge.config import EdgeConfig, MeterConfig
from fairwatt.wire.frames import Event
from fairwatt.wire.records import UNKNOWN_I32, Reading, Relay


class CannotSwitch(DriverError):
    """This meter model has no relay that can be ordered."""

    code = "no_relay"


class MeterPoint:
    """One meter on its bus, with what was last heard from it."""

    def __init__(self, *, config: MeterConfig, bus: TcpBus, zone: str) -> None:
        self.number = config.number
        self.bus = bus
        self.profile: MeterProfile = load_profile(key=config.profile)
        self.driver: ReadsRegister = open_meter(
            profile=self.profile,
            address=config.address,
            zone=zone,
            password=config.password,
            operator=config.operator,
        )
        self.alarms = config.alarms
        self.relay: int = Relay.UNKNOWN
        self.trouble: str | None = None
        self.last_at_us: int | None = None

    async def read(self, *, at_us: int, with_voltage: bool) -> Reading:
        """Read register, relay and power (and voltage). Raises DriverError when there is no register value.

        A missing relay state or power leaves that field unknown: half a reading is still the energy.
        """
        # A meter known to be silent gets one try, so that it does not hold up its neighbours.
        attempts = 1 if self.trouble else None
        register = await self.bus.ask(self.driver.read_register(), attempts=attempts)
        self.relay = await self._relay()
        power, voltage = await self._power(), UNKNOWN_I32
        if with_voltage:
            voltage = await self._voltage()
        self.last_at_us = at_us
        return Reading(self.number, at_us, register.total_wh, power, voltage, self.relay)

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

    async def warn(self, *, valid_until_us: int) -> bool:
        """Sound the meter's own low-credit alarm; say whether it took the order."""
        if not isinstance(self.driver, WarnsAtMeter):
            return False
        try:
            await self.bus.ask(self.driver.warn(valid_until_us=valid_until_us))
        except DriverError:
            return False
        return True


class Meters:
    """All meters of the gateway, by number and by bus."""

    def __init__(self, *, config: EdgeConfig) -> None:
        self._buses = [TcpBus(config=bus) for bus in config.buses]
        self._voltage_every = config.voltage_every
        self._polls = 0
        self.points: dict[int, MeterPoint] = {}
        for bus in self._buses:
            for meter in bus.config.meters:
                self.points[meter.number] = MeterPoint(config=meter, bus=bus, zone=config.zone)

    async def poll(self, *, at_us: int) -> tuple[list[Reading], list[Event]]:
        """Read every meter once, the buses side by side; return readings and what changed in who answers."""
        with_voltage = self._polls % self._voltage_every == 0
        self._polls += 1
        passes = [self._poll_bus(bus, at_us, with_voltage) for bus in self._buses]
        readings: list[Reading] = []
        events: list[Event] = []
        for some_readings, some_events in await asyncio.gather(*passes):
            readings += some_readings
            events += some_events
        return readings, events

    async def _poll_bus(
        self, bus: TcpBus, at_us: int, with_voltage: bool
    ) -> tuple[list[Reading], list[Event]]:
        readings: list[Reading] = []
        events: list[Event] = []
        down: BusDown | None = None
        for meter in bus.config.meters:
            point = self.points[meter.number]
            try:
                if down is not None:
                    raise down
                readings.append(await point.read(at_us=at_us, with_voltage=with_voltage))
                events += _back(point, at_us)
            except DriverError as error:
                down = error if isinstance(error, BusDown) else None
                events += _silent(point, at_us, error)
        return readings, events

    def close(self) -> None:
        """Close the lines."""
        for bus in self._buses:
            bus.close()


def _silent(point: MeterPoint, at_us: int, error: DriverError) -> Iterable[Event]:
    known, point.trouble, point.relay = point.trouble, error.code, Relay.UNKNOWN
    if known is None:
        yield Event("meter_silent", at_us, point.number, {"why": error.code, "text": str(error)[:300]})


def _back(point: MeterPoint, at_us: int) -> Iterable[Event]:
    known, point.trouble = point.trouble, None
    if known is not None:
        yield Event("meter_back", at_us, point.number, {"was": known})

"""One DL/T 645-2007 meter of one model: the standard's questions with the profile's identifiers.

What a model can do beyond reading is a question of type, so a meter is put together from its abilities:
`dlt645_meter` gives a `SwitchesRelay` only when the profile has a relay, a `LimitsPower` only when it has a limit.
"""

from __future__ import annotations

from functools import cache
from typing import cast

from fairwatt.drivers.contract import (
    Accepted,
    CurrentReading,
    EventCount,
    EventRecord,
    Exchange,
    Measurements,
    MeterClock,
    MeterEventKind,
    PowerLimit,
    PowerReading,
    RegisterReading,
    RelayState,
    VoltageReading,
)
from fairwatt.drivers.profile import MeterProfile, ProfileError

from . import client, events, freezes, timekeeping
from .access import write_item
from .blocks import read_tariff_energies
from .codec import Item, Order
from .events import EventItem
from .exchange import STANDARD_RETRY, Retry
from .measure import read_measurements
from .model import LimitItem, Model, model_of
from .prepaid import MeterWallet, read_meter_wallet
from .topup import MacMaker, TopUp, top_up


class Dlt645Meter:
    """A meter that reads its registers, measurements, events, freezes and clock.

    `zone` is the zone its clock keeps; `password` is eight digits, level first; `operator` is eight digits.
    """

    def __init__(
        self,
        *,
        profile: MeterProfile,
        address: str,
        zone: str,
        password: str = "",
        operator: str = "",
        retry: Retry = STANDARD_RETRY,
    ) -> None:
        self.profile = profile
        self.address = address
        self.model: Model = model_of(profile=profile)
        self._zone = zone
        self._password = password
        self._operator = operator
        self._retry = retry

    def read_register(self) -> Exchange[RegisterReading]:
        """Ask for the cumulative register in Wh."""
        return client.read_energy(address=self.address, item=self.model.energy, retry=self._retry)

    def read_tariff_registers(self) -> Exchange[tuple[int | None, ...]]:
        """Ask for the register and those of its tariffs in one block, in Wh: total, tariff 1 and on."""
        return read_tariff_energies(address=self.address, retry=self._retry)

    def read_frozen_register(
        self, *, kind: freezes.FreezeKind, nth: int = 1
    ) -> Exchange[freezes.FrozenEnergy]:
        """Ask for a snapshot the meter took of its register by itself; 1 is the newest."""
        return freezes.read_frozen_energy(
            address=self.address, kind=kind, nth=nth, zone=self._zone, retry=self._retry
        )

    def read_power(self) -> Exchange[PowerReading]:
        """Ask for the present power in W."""
        return client.read_power(address=self.address, item=self.model.power, retry=self._retry)

    def read_voltage(self) -> Exchange[VoltageReading]:
        """Ask for the voltage in tenths of a volt."""
        return client.read_voltage(address=self.address, item=self.model.voltage, retry=self._retry)

    def read_current(self) -> Exchange[CurrentReading]:
        """Ask for the current in mA."""
        return client.read_current(address=self.address, item=self.model.current, retry=self._retry)

    def read_measurements(self) -> Exchange[Measurements]:
        """Ask for everything this model measures, in several questions."""
        return read_measurements(address=self.address, measures=self.model.measures, retry=self._retry)

    @property
    def event_kinds(self) -> tuple[MeterEventKind, ...]:
        """What this model notices by itself."""
        return tuple(self.model.events)

    def read_event_count(self, *, kind: MeterEventKind) -> Exchange[EventCount]:
        """Ask how often it happened. Raises `ProfileError` for a kind this model does not know."""
        return events.read_event_count(address=self.address, item=self._event(kind), retry=self._retry)

    def read_event_record(self, *, kind: MeterEventKind, nth: int = 1) -> Exchange[EventRecord]:
        """Ask when it happened; 1 is the newest. Raises `ProfileError`, or `BadRequest` where none is kept."""
        return events.read_event_record(
            address=self.address, item=self._event(kind), nth=nth, zone=self._zone, retry=self._retry
        )

    def read_clock(self) -> Exchange[MeterClock]:
        """Ask what the meter's own clock says."""
        return timekeeping.read_clock(address=self.address, zone=self._zone, retry=self._retry)

    def set_clock(self, *, at_us: int) -> Exchange[Accepted]:
        """Set the meter's clock: by its password, or by broadcast where the profile says so (small steps only)."""
        if self.model.clock_set_by == "broadcast":
            return timekeeping.BroadcastClock(
                address=self.address, at_us=at_us, zone=self._zone, retry=self._retry
            )
        return timekeeping.set_clock(
            address=self.address,
            at_us=at_us,
            zone=self._zone,
            password=self._password,
            operator=self._operator,
            retry=self._retry,
        )

    def _event(self, kind: MeterEventKind) -> EventItem:
        if kind not in self.model.events:
            raise ProfileError(
                f"Meter profile {self.profile.key!r} names no identifier for {kind}. Nothing was asked; add it "
                "under [events] when the meter's manual has one."
            )
        return self.model.events[kind]

    def _write(self, item: Item, value: bytes) -> Exchange[Accepted]:
        return write_item(
            address=self.address,
            identifier=item.identifier,
            value=value,
            password=self._password,
            operator=self._operator,
            retry=self._retry,
        )


class WithRelay(Dlt645Meter):
    """A meter with a relay and an alarm of its own."""

    def read_relay(self) -> Exchange[RelayState]:
        """Ask where the relay really is."""
        return client.read_status3(address=self.address, retry=self._retry)

    def open_relay(self, *, valid_until_us: int) -> Exchange[Accepted]:
        """Order supply cut; the meter refuses after `valid_until_us`."""
        return self._control(Order.TRIP, valid_until_us)

    def close_relay(self, *, valid_until_us: int) -> Exchange[Accepted]:
        """Order supply restored, the way this model does it; the meter refuses after `valid_until_us`."""
        return self._control(self.model.close or Order.CLOSE, valid_until_us)

    def warn(self, *, valid_until_us: int) -> Exchange[Accepted]:
        """Start the low-credit alarm at the meter."""
        return self._control(Order.ALARM, valid_until_us)

    def end_warning(self, *, valid_until_us: int) -> Exchange[Accepted]:
        """End the low-credit alarm at the meter."""
        return self._control(Order.END_ALARM, valid_until_us)

    def keep_power(self, *, valid_until_us: int) -> Exchange[Accepted]:
        """Order that supply is kept: the meter then refuses to cut, whatever its own wallet says."""
        return self._control(Order.KEEP_POWER, valid_until_us)

    def end_keep_power(self, *, valid_until_us: int) -> Exchange[Accepted]:
        """End keeping supply; from then on the meter obeys orders to cut again."""
        return self._control(Order.END_KEEP_POWER, valid_until_us)

    def _control(self, order: Order, valid_until_us: int) -> Exchange[Accepted]:
        return client.control(
            address=self.address,
            order=order,
            valid_until_us=valid_until_us,
            zone=self._zone,
            password=self._password,
            operator=self._operator,
            retry=self._retry,
        )


class WithPowerLimit(Dlt645Meter):
    """A meter that cuts by itself above a power it is told."""

    def read_power_limit(self) -> Exchange[PowerLimit]:
        """Ask above which power the meter cuts by itself."""
        limit = self._limit
        return client.read_item(
            address=self.address,
            identifier=limit.item.identifier,
            parse=lambda data: _power_limit(limit, data),
            retry=self._retry,
        )

    def limit_power(self, *, limit_w: int | None) -> Exchange[Accepted]:
        """Tell the meter above which power to cut; None takes the limit away."""
        limit = self._limit
        return self._write(limit.item, limit.item.encode(limit.none if limit_w is None else limit_w))

    @property
    def _limit(self) -> LimitItem:
        assert self.model.limit is not None
        return self.model.limit


class WithWallet(Dlt645Meter):
    """A meter that keeps money of its own, as its vendor's profile says."""

    def read_meter_wallet(self) -> Exchange[MeterWallet]:
        """Ask what the meter itself holds, owes and was sold."""
        return read_meter_wallet(address=self.address, items=self.model.prepaid, retry=self._retry)

    def top_up(self, *, purchase: TopUp, make_mac: MacMaker | None = None) -> Exchange[Accepted]:
        """Credit the meter's own wallet. Raises `NoMac` without the codes this model wants."""
        if self.model.topup is None:
            raise ProfileError(
                f"Meter profile {self.profile.key!r} has no [prepaid.topup]: its wallet cannot be credited from "
                "here. Nothing was sent; keep the wallet on the platform."
            )
        return top_up(
            address=self.address,
            purchase=purchase,
            dialect=self.model.topup,
            make_mac=make_mac,
            retry=self._retry,
        )


def dlt645_meter(
    *,
    profile: MeterProfile,
    address: str,
    zone: str,
    password: str = "",
    operator: str = "",
    retry: Retry = STANDARD_RETRY,
) -> Dlt645Meter:
    """Return a meter with exactly the abilities its profile has. Raises `ProfileError`."""
    model = model_of(profile=profile)
    make = _with_abilities(
        relay=model.close is not None, limit=model.limit is not None, wallet=bool(model.prepaid)
    )
    return make(
        profile=profile, address=address, zone=zone, password=password, operator=operator, retry=retry
    )


@cache
def _with_abilities(*, relay: bool, limit: bool, wallet: bool) -> type[Dlt645Meter]:
    chosen = [
        ability for ability, has in ((WithRelay, relay), (WithPowerLimit, limit), (WithWallet, wallet)) if has
    ]
    return cast("type[Dlt645Meter]", type("Dlt645Meter", (*chosen, Dlt645Meter), {}))


def _power_limit(limit: LimitItem, data: bytes) -> PowerLimit:
    limit_w = limit.item.decode(data)
    return PowerLimit(None if limit_w == limit.none else limit_w)

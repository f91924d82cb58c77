"""One DL/T 645-2007 meter of one model: the standard's questions with the profile's identifiers."""

from __future__ import annotations

from typing import Any

from fairwatt.drivers.contract import (
    Accepted,
    CurrentReading,
    Exchange,
    PowerReading,
    RegisterReading,
    RelayState,
    VoltageReading,
)
from fairwatt.drivers.profile import MeterProfile, ProfileError

from . import client
from .client import STANDARD_RETRY, Retry
from .codec import Item, Order

_CLOSE_ORDERS = {"direct": Order.CLOSE, "permit": Order.PERMIT_CLOSE}


class Dlt645Meter:
    """A meter that reads its register, power, voltage and current, and switches its relay.

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
        self._zone = zone
        self._password = password
        self._operator = operator
        self._retry = retry
        self._energy = _item(profile, "energy")
        self._power = _item(profile, "power")
        self._voltage = _item(profile, "voltage")
        self._current = _item(profile, "current")
        self._close = _close_order(profile)

    def read_register(self) -> Exchange[RegisterReading]:
        """Ask for the cumulative register in Wh."""
        return client.read_energy(address=self.address, item=self._energy, retry=self._retry)

    def read_power(self) -> Exchange[PowerReading]:
        """Ask for the present power in W."""
        return client.read_power(address=self.address, item=self._power, retry=self._retry)

    def read_voltage(self) -> Exchange[VoltageReading]:
        """Ask for the voltage in tenths of a volt."""
        return client.read_voltage(address=self.address, item=self._voltage, retry=self._retry)

    def read_current(self) -> Exchange[CurrentReading]:
        """Ask for the current in mA."""
        return client.read_current(address=self.address, item=self._current, retry=self._retry)

    def read_relay(self) -> Exchange[RelayState]:
        """Ask where the relay really is."""
        return client.read_status3(address=self.address, retry=self._retry)

    def open_relay(self, *, valid_until_us: int) -> Exchange[Accepted]:
        """Order supply cut; the meter refuses after `valid_until_us`."""
        return self._control(Order.TRIP, valid_until_us)

    def close_relay(self, *, valid_until_us: int) -> Exchange[Accepted]:
        """Order supply restored, the way this model does it; the meter refuses after `valid_until_us`."""
        return self._control(self._close, valid_until_us)

    def warn(self, *, valid_until_us: int) -> Exchange[Accepted]:
        """Start the low-credit alarm at the meter."""
        return self._control(Order.ALARM, valid_until_us)

    def end_warning(self, *, valid_until_us: int) -> Exchange[Accepted]:
        """End the low-credit alarm at the meter."""
        return self._control(Order.END_ALARM, valid_until_us)

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


def _item(profile: MeterProfile, name: str) -> Item:
    try:
        row: dict[str, Any] = profile.settings["items"][name]
        identifier = str(row["identifier"])
        if len(identifier) != 8:
            raise ValueError(identifier)
        return Item(
            name=name,
            identifier=int(identifier, 16),
            size=int(row["bytes"]),
            times=int(row.get("times", 1)),
            over=int(row.get("over", 1)),
            signed=bool(row.get("signed", False)),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ProfileError(
            f"Meter profile {profile.key!r}: item {name!r} needs an identifier of eight hexadecimal digits "
            f"and its number of bytes ({error!r})."
        ) from error


def _close_order(profile: MeterProfile) -> Order:
    how = profile.settings.get("relay", {}).get("close", "direct")
    if how not in _CLOSE_ORDERS:
        raise ProfileError(f"Meter profile {profile.key!r}: relay.close is direct or permit; got {how!r}.")
    return _CLOSE_ORDERS[how]

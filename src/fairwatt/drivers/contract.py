"""What a meter can be asked, whatever protocol it speaks.

A driver never touches a wire. It hands out an `Exchange`: the bytes of a question, and a place to feed
the bytes that come back. The edge owns the serial port or socket and the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


class DriverError(Exception):
    """A meter could not be read or ordered. `code` is stable and fit for an event or a metric."""

    code = "driver"


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """A cumulative register as the meter sent it: whole watt-hours since the meter was made."""

    total_wh: int
    register: str = "A+"


@dataclass(frozen=True, slots=True)
class RelayState:
    """Where the relay is, and where the meter was last told to put it.

    Only `closed` says whether there is supply. `closed != ordered_closed` is a stuck or moving relay.
    """

    closed: bool
    ordered_closed: bool
    trip_warning: bool = False


@dataclass(frozen=True, slots=True)
class PowerReading:
    """Active power in watts; negative when energy flows back to the grid."""

    power_w: int


@dataclass(frozen=True, slots=True)
class VoltageReading:
    """Voltage in tenths of a volt."""

    voltage_dv: int


@dataclass(frozen=True, slots=True)
class CurrentReading:
    """Current in milliamperes; negative when energy flows back to the grid."""

    current_ma: int


@dataclass(frozen=True, slots=True)
class MeterAddress:
    """The number a meter answers to on its bus."""

    number: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The meter acknowledged an order. This is not proof: only a later `RelayState` is."""


class Exchange[ReplyT](Protocol):
    """One question to one meter.

    Send `request()`, feed what arrives until `feed` returns a reply. After `reply_within_ms` of silence
    send `request()` again; it raises `DriverError` when the meter has had all its attempts. Throw away
    unread bytes on the link before the first send: a late answer to an older question is not today's.
    """

    @property
    def reply_within_ms(self) -> int: ...

    def request(self) -> bytes: ...

    def feed(self, data: bytes) -> ReplyT | None: ...


@runtime_checkable
class ReadsRegister(Protocol):
    """A meter with a cumulative register that energy can be charged from."""

    def read_register(self) -> Exchange[RegisterReading]: ...


@runtime_checkable
class ReadsPower(Protocol):
    """A meter that shows its present load."""

    def read_power(self) -> Exchange[PowerReading]: ...


@runtime_checkable
class ReadsVoltage(Protocol):
    """A meter that shows its supply voltage."""

    def read_voltage(self) -> Exchange[VoltageReading]: ...


@runtime_checkable
class ReadsCurrent(Protocol):
    """A meter that shows its present current."""

    def read_current(self) -> Exchange[CurrentReading]: ...


@runtime_checkable
class SwitchesRelay(Protocol):
    """A meter that can cut and restore supply, and be asked where its relay really is.

    `valid_until_us` bounds replay: the meter refuses the order after that instant of its own clock.
    """

    def read_relay(self) -> Exchange[RelayState]: ...

    def open_relay(self, *, valid_until_us: int) -> Exchange[Accepted]: ...

    def close_relay(self, *, valid_until_us: int) -> Exchange[Accepted]: ...


@runtime_checkable
class WarnsAtMeter(Protocol):
    """A meter that can show or sound a low-credit alarm."""

    def warn(self, *, valid_until_us: int) -> Exchange[Accepted]: ...

    def end_warning(self, *, valid_until_us: int) -> Exchange[Accepted]: ...

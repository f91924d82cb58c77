"""What a meter can be asked, whatever protocol it speaks.

A driver never touches a wire. It hands out an `Exchange`: the bytes of a question, and a place to feed
the bytes that come back. The edge owns the serial port or socket and the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, Literal, Protocol, runtime_checkable


class DriverError(Exception):
    """A meter could not be read or ordered. `code` is stable and fit for an event or a metric."""

    code = "driver"


class Medium(StrEnum):
    """What a meter counts, and with it the smallest unit of its register."""

    ELECTRICITY = "electricity"
    WATER = "water"
    GAS = "gas"
    HEAT = "heat"

    @property
    def unit(self) -> str:
        """The unit of registers: ``Wh``, or ``l`` where a volume is counted."""
        return "Wh" if self in (Medium.ELECTRICITY, Medium.HEAT) else "l"

    @property
    def register(self) -> str:
        """The name of the cumulative register."""
        return {Medium.ELECTRICITY: "A+", Medium.HEAT: "Q+"}.get(self, "V+")


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """A cumulative register as the meter sent it, in the smallest unit of its medium, since it was made.

    ``total_wh`` holds whole watt-hours of electricity and heat, and whole litres of water and gas: the
    profile's `Medium` says which, as ``Schedule.unit`` does for the price. The name is the house's word for
    "what is charged from", and is not translated again below.
    """

    total_wh: int
    register: str = "A+"


@dataclass(frozen=True, slots=True)
class RelayState:
    """Where the relay or the valve is, and where the meter was last told to put it.

    Only `closed` says whether there is supply: contacts closed, or the valve of a water or gas meter open.
    `closed != ordered_closed` is a stuck or moving relay.
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
class PhaseReading:
    """One phase at one instant; ``None`` where the meter does not measure it.

    ``power_factor_milli`` is thousandths (1000 = 1.0); power and current are negative when energy flows back.
    """

    voltage_dv: int | None = None
    current_ma: int | None = None
    power_w: int | None = None
    power_factor_milli: int | None = None


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything a meter measures at one instant; ``None`` where it does not. Phases in order A, B, C."""

    phases: tuple[PhaseReading, ...]
    neutral_current_ma: int | None = None
    frequency_chz: int | None = None
    terminal_temperature_dc: int | None = None
    residual_current_ma: int | None = None
    voltage_thd_pm: int | None = None
    current_thd_pm: int | None = None


class MeterEventKind(StrEnum):
    """What a meter can have noticed by itself. The value is fit for an event's code."""

    POWER_FAIL = "power_fail"
    PROGRAMMED = "programmed"
    METER_CLEARED = "meter_cleared"
    CLOCK_SET = "clock_set"
    COVER_OPEN = "cover_open"
    TERMINAL_COVER_OPEN = "terminal_cover_open"
    MAGNETIC_FIELD = "magnetic_field"
    OVERLOAD = "overload"
    OVERVOLTAGE = "overvoltage"
    UNDERVOLTAGE = "undervoltage"
    REVERSE_FLOW = "reverse_flow"
    RELAY_OPENED = "relay_opened"
    RELAY_CLOSED = "relay_closed"
    LEAK = "leak"
    LOW_BATTERY = "low_battery"
    METER_FAULT = "meter_fault"
    VALVE_FAULT = "valve_fault"


@dataclass(frozen=True, slots=True)
class EventCount:
    """How often the meter has seen something since it was made. It only rises."""

    kind: MeterEventKind
    count: int


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One stored event; instants by the meter's own clock, ``None`` where it keeps none or it is not over.

    ``operator``: who did it, by the number in the order; ``None`` where the meter keeps none.
    """

    kind: MeterEventKind
    begun_us: int | None
    ended_us: int | None
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is so at the meter right now, as its status word says. It comes and goes; an `EventCount` stays."""

    kinds: frozenset[MeterEventKind]


@dataclass(frozen=True, slots=True)
class MeterClock:
    """What the meter's own clock says, as an instant of UTC in microseconds."""

    at_us: int


@dataclass(frozen=True, slots=True)
class PowerLimit:
    """The power above which the meter cuts by itself, in watts; ``None`` = no limit is set."""

    limit_w: int | None


@dataclass(frozen=True, slots=True)
class MeterAddress:
    """The number a meter answers to on its bus."""

    number: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The meter acknowledged an order. This is not proof: only a later `RelayState` is."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of a meter that speaks when it wants to; ``None`` where the message says nothing of it.

    ``key`` is natural: the same message heard twice has the same key. ``at_us`` is when it was measured, by the
    meter or its network; where it is None the hearer's own clock says. ``reachable`` says whether an order sent
    now arrives now, because the device listens always or has just woken; ``sleeps``, that it soon will not.
    """

    key: str
    device: str
    sequence: int | None = None
    at_us: int | None = None
    reading: RegisterReading | None = None
    relay: RelayState | None = None
    power: PowerReading | None = None
    clock: MeterClock | None = None
    conditions: frozenset[MeterEventKind] = frozenset()
    order: str | None = None
    reachable: bool = False
    sleeps: bool = False


class Step(Enum):
    """What `Exchange.feed` returns when the answer was a part, and the next request is to be sent at once."""

    NEXT = "next"


NEXT: Final = Step.NEXT


class Exchange[ReplyT](Protocol):
    """One question to one meter, however many requests it takes.

    Send `request()`, feed what arrives until `feed` returns a reply. When it returns `NEXT` instead, send
    `request()` again at once: the reply needs more than one answer. After `reply_within_ms` of silence send
    `request()` again, too; it raises `DriverError` when the meter has had all its attempts. Throw away
    unread bytes on the link before the first send: a late answer to an older question is not today's.
    """

    @property
    def reply_within_ms(self) -> int: ...

    def request(self) -> bytes: ...

    def feed(self, data: bytes) -> ReplyT | Literal[Step.NEXT] | None: ...


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


@runtime_checkable
class ReadsMeasurements(Protocol):
    """A meter that shows more than one power: phases, power factor, temperature, residual current."""

    def read_measurements(self) -> Exchange[Measurements]: ...


@runtime_checkable
class ReadsEvents(Protocol):
    """A meter that counts and records what happened to it.

    ``event_kinds`` names what this model knows. ``nth`` 1 is the newest record.
    """

    @property
    def event_kinds(self) -> tuple[MeterEventKind, ...]: ...

    def read_event_count(self, *, kind: MeterEventKind) -> Exchange[EventCount]: ...

    def read_event_record(self, *, kind: MeterEventKind, nth: int = 1) -> Exchange[EventRecord]: ...


@runtime_checkable
class ReadsConditions(Protocol):
    """A meter with a status word that says what is wrong with it now."""

    def read_conditions(self) -> Exchange[Conditions]: ...


@runtime_checkable
class KeepsClock(Protocol):
    """A meter with a clock that can be read and set."""

    def read_clock(self) -> Exchange[MeterClock]: ...

    def set_clock(self, *, at_us: int) -> Exchange[Accepted]: ...


@runtime_checkable
class LimitsPower(Protocol):
    """A meter that cuts by itself above a power it is told."""

    def read_power_limit(self) -> Exchange[PowerLimit]: ...

    def limit_power(self, *, limit_w: int | None) -> Exchange[Accepted]: ...


@dataclass(frozen=True, slots=True)
class ShownPrices:
    """The prices a meter shows, in micro-units per kWh, in the order of its own table."""

    prices_micro: tuple[int, ...]


@runtime_checkable
class ShowsPrices(Protocol):
    """A meter with a price table for its display. What is charged does not depend on it."""

    def read_shown_prices(self, *, count: int) -> Exchange[ShownPrices]: ...

    def show_prices(self, *, prices_micro: Sequence[int]) -> Exchange[Accepted]: ...


@dataclass(frozen=True, slots=True)
class PulseState:
    """What must be remembered of a counter between two looks: where it stood, and all pulses since the opening."""

    count: int
    pulses: int


@runtime_checkable
class CountsPulses(Protocol):
    """A counter that turns over, and whose `state` has to survive a restart. None before the first look."""

    @property
    def state(self) -> PulseState | None: ...

    def resume(self, state: PulseState) -> None: ...


@runtime_checkable
class HearsMessages(Protocol):
    """A meter that sends messages by itself, over a network that carries them whole."""

    def hear(self, message: bytes) -> Heard: ...


@runtime_checkable
class TakesOrders(Protocol):
    """A meter that speaks by itself and can be told where its relay or valve shall be.

    ``order_id`` comes back in `Heard.order` where the protocol has room for it. Acknowledged or not, an order is
    done when a later message shows the relay there.
    """

    def order_relay(self, *, closed: bool, order_id: str, valid_until_us: int) -> bytes: ...

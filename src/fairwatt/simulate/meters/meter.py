"""A virtual prepaid meter: an exact register, a latching relay, a clock, and faults on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from fairwatt.drivers.dlt645 import codec, errors
from fairwatt.drivers.dlt645.clock import from_meter_time, meter_date, meter_time
from fairwatt.drivers.dlt645.codec import ControlOrder, Order
from fairwatt.drivers.dlt645.frame import (
    ABNORMAL,
    CONTROL,
    FROM_METER,
    READ_ADDRESS,
    READ_DATA,
    SET_TIME,
    Frame,
    build_frame,
    wire_address,
)

from .faults import FaultKind, FaultPlan

DEFAULT_SHIFT_WH: Final = 50_000
CLOCK_STEP_LIMIT_US: Final = 300_000_000
"""Meters take a broadcast correction of at most five minutes (State Grid practice)."""


class Emitted(NamedTuple):
    """One register value that left the meter whole: the truth an oracle works from."""

    at_us: int
    register_wh: int
    relay_closed: bool


@dataclass(frozen=True, slots=True)
class RelayMove:
    """One movement of the contacts, at domain time."""

    at_us: int
    closed: bool


class SimMeter:
    """A single-phase meter. Energy flows only while the relay is closed.

    `register_wh` is exact; what is sent is cut to `resolution_wh` and wraps at `modulus_wh`. Domain time
    comes from the caller; the meter's own clock is domain time + `clock_offset_us`, kept in `zone`.
    """

    def __init__(
        self,
        *,
        number: str,
        register_wh: int = 0,
        relay_closed: bool = True,
        zone: str = "Asia/Shanghai",
        password: str = "02123456",  # noqa: S107 - a virtual meter's factory password
        resolution_wh: int = 10,
        modulus_wh: int = 1_000_000_000,
        faults: FaultPlan | None = None,
    ) -> None:
        self.address = wire_address(number=number)
        self.number = self.address[::-1].hex()
        self.register_wh = register_wh
        self.relay_closed = relay_closed
        self.ordered_closed = relay_closed
        self.alarm = False
        self.zone = zone
        self.password = password
        self.resolution_wh = resolution_wh
        self.modulus_wh = modulus_wh
        self.faults = faults if faults is not None else FaultPlan(seed=self.number)
        self.clock_offset_us = 0
        self.load_w = 0
        self.voltage_dv = 2_200
        self.emitted: list[Emitted] = []
        self.moves: list[RelayMove] = []
        self.on_move: Callable[[bool], None] = lambda _: None

    def add_energy(self, wh: int) -> int:
        """Let the home use energy; return what really flowed, which is 0 while the relay is open."""
        if wh < 0:
            raise ValueError("A home does not use negative energy.")
        if not self.relay_closed:
            return 0
        self.register_wh += wh
        return wh

    def shown_wh(self, *, now_us: int) -> int:
        """Return the register as the meter would send it now, wrapped, cut and faulty."""
        wh = self.register_wh
        if fault := self.faults.strikes(FaultKind.BACKWARD, now_us=now_us):
            wh -= fault.amount or DEFAULT_SHIFT_WH
        if fault := self.faults.strikes(FaultKind.JUMP, now_us=now_us):
            wh += fault.amount or DEFAULT_SHIFT_WH
        wh %= self.modulus_wh
        return wh - wh % self.resolution_wh

    def clock_us(self, *, now_us: int) -> int:
        """Return what the meter believes the time is."""
        fault = self.faults.strikes(FaultKind.WRONG_CLOCK, now_us=now_us)
        return now_us + self.clock_offset_us + (fault.amount if fault else 0)

    def answer(self, *, frame: Frame, now_us: int) -> tuple[bytes, int | None] | None:
        """Obey one request addressed to this meter.

        Returns the reply and the register value it carries (None for other items), or None where a
        meter keeps silent: to broadcasts, to what is no request, and to the 1997 edition.
        """
        if frame.from_meter or frame.is_1997:
            return None
        if frame.control == READ_DATA:
            return self._read(frame, now_us)
        if frame.control == READ_ADDRESS:
            return self._reply(frame, self.address)
        if frame.control == CONTROL:
            return self._control(frame, now_us)
        if frame.control == SET_TIME:
            self._set_time(frame, now_us)
            return None
        return self._refuse(frame, errors.ERR_OTHER)

    def press_button(self, *, now_us: int) -> bool:
        """Let a person at the meter close a permitted relay; say whether there is supply now."""
        if self.ordered_closed:
            self._move(closed=True, now_us=now_us)
        return self.relay_closed

    def note_emitted(self, *, at_us: int, register_wh: int) -> None:
        """Record that a register value left the meter undamaged."""
        self.emitted.append(Emitted(at_us, register_wh, self.relay_closed))

    def _read(self, frame: Frame, now_us: int) -> tuple[bytes, int | None]:
        identifier = int.from_bytes(frame.data, "little") if len(frame.data) == 4 else -1
        if identifier == codec.FORWARD_ACTIVE_TOTAL.identifier:
            wh = self.shown_wh(now_us=now_us)
            return self._reply(frame, frame.data + codec.FORWARD_ACTIVE_TOTAL.encode(wh), wh)
        value = self._value(identifier, now_us)
        if value is None:
            return self._refuse(frame, errors.ERR_NO_DATA)
        return self._reply(frame, frame.data + value)

    def _value(self, identifier: int, now_us: int) -> bytes | None:
        power_w = self.load_w if self.relay_closed else 0
        if identifier == codec.STATUS_3:
            return codec.encode_status_3(
                closed=self.relay_closed, ordered_closed=self.ordered_closed, trip_warning=self.alarm
            )
        if identifier == codec.ACTIVE_POWER.identifier:
            return codec.ACTIVE_POWER.encode(power_w)
        if identifier == codec.VOLTAGE_A.identifier:
            return codec.VOLTAGE_A.encode(self.voltage_dv)
        if identifier == codec.CURRENT_A.identifier:
            return codec.CURRENT_A.encode(power_w * 10_000 // self.voltage_dv if self.voltage_dv else 0)
        if identifier == codec.DATE:
            return meter_date(at_us=self.clock_us(now_us=now_us), zone=self.zone)
        if identifier == codec.TIME:
            return meter_time(at_us=self.clock_us(now_us=now_us), zone=self.zone)[:3]
        if identifier == codec.ADDRESS:
            return self.address
        return None

    def _control(self, frame: Frame, now_us: int) -> tuple[bytes, int | None]:
        try:
            order = ControlOrder.decode(frame.data, zone=self.zone)
        except errors.UnreadableValue:
            return self._refuse(frame, errors.ERR_OTHER)
        if order.password != self.password:
            return self._refuse(frame, errors.ERR_PASSWORD)
        if self.clock_us(now_us=now_us) > order.valid_until_us:
            return self._refuse(frame, errors.ERR_OTHER)
        if order.order in (Order.ALARM, Order.END_ALARM):
            self.alarm = order.order == Order.ALARM
        elif order.order == Order.TRIP:
            self._move(closed=False, now_us=now_us)
        elif order.order == Order.CLOSE:
            self._move(closed=True, now_us=now_us)
        elif order.order == Order.PERMIT_CLOSE:
            self.ordered_closed = True  # the contacts wait for a person at the button
        else:
            return self._refuse(frame, errors.ERR_OTHER)
        return self._reply(frame, b"")

    def _move(self, *, closed: bool, now_us: int) -> None:
        self.ordered_closed = closed
        if self.faults.strikes(FaultKind.STUCK_RELAY, now_us=now_us) or self.relay_closed == closed:
            return
        self.relay_closed = closed
        self.moves.append(RelayMove(now_us, closed))
        self.on_move(closed)

    def _set_time(self, frame: Frame, now_us: int) -> None:
        try:
            told_us = from_meter_time(data=frame.data, zone=self.zone)
        except errors.UnreadableValue:
            return
        drift_us = told_us - self.clock_us(now_us=now_us)
        if abs(drift_us) <= CLOCK_STEP_LIMIT_US:
            self.clock_offset_us += drift_us

    def _reply(self, frame: Frame, data: bytes, wh: int | None = None) -> tuple[bytes, int | None]:
        return build_frame(
            address=self.address, control=frame.control | FROM_METER, data=data, preamble=4
        ), wh

    def _refuse(self, frame: Frame, err: int) -> tuple[bytes, int | None]:
        control = frame.control | FROM_METER | ABNORMAL
        return build_frame(address=self.address, control=control, data=bytes([err]), preamble=4), None

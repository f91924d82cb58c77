"""What a simulated meter does with a request, function by function, as the standard has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from fairwatt.drivers.contract import MeterEventKind
from fairwatt.drivers.dlt645 import codec, errors
from fairwatt.drivers.dlt645 import frame as wire
from fairwatt.drivers.dlt645.catalog import find_entry
from fairwatt.drivers.dlt645.clock import from_meter_time, meter_date, meter_time
from fairwatt.drivers.dlt645.codec import ControlOrder, Order
from fairwatt.drivers.dlt645.frame import ABNORMAL, BROADCAST, FROM_METER, MORE_FOLLOWS, Frame, build_frame
from fairwatt.drivers.dlt645.freezes import FreezeKind
from fairwatt.drivers.dlt645.speed import baud_of
from fairwatt.drivers.errors import UnreadableValue

from .events import SimEvent
from .items import CARRIES_REGISTER, POWER_LIMIT, energies, value_of

if TYPE_CHECKING:
    from .meter import SimMeter

CLOCK_STEP_LIMIT_US: Final = 300_000_000
"""Meters take a broadcast correction of at most five minutes (State Grid practice)."""
_NOW: Final = b"\x99" * 4
_OVERHEAD: Final = 5  # identifier and sequence number of a follow-up frame
_ACCESS: Final = 8  # password with its level, operator
_READ_ONLY: Final = {codec.ADDRESS, *range(0x04000501, 0x04000509), 0x040005FF}


class Said(NamedTuple):
    """A meter's answer: control code without the direction bit, data, and the register value it tells."""

    control: int
    data: bytes
    register_wh: int | None = None


class Refused(Exception):
    """The meter says no, with these error bits."""

    def __init__(self, err: int, *, size: int = 1) -> None:
        super().__init__(err)
        self.data = err.to_bytes(size, "little")


def obey(meter: SimMeter, frame: Frame, *, now_us: int) -> tuple[bytes, int | None] | None:
    """Obey one request; return the reply and the register value in it, or None where a meter keeps silent."""
    if frame.from_meter or frame.is_1997:
        return None
    number = meter.address
    act = _ACTS.get(frame.control)
    try:
        if act is None:
            raise Refused(errors.ERR_OTHER)
        said = act(meter, frame, now_us)
    except Refused as no:
        said = Said(frame.control | ABNORMAL, no.data)
    except UnreadableValue:
        said = Said(frame.control | ABNORMAL, bytes([errors.ERR_OTHER]))
    if said is None or frame.address == BROADCAST or frame.control == wire.SET_TIME:
        return None
    from_whom = meter.address if frame.control == wire.WRITE_ADDRESS else number
    reply = build_frame(address=from_whom, control=said.control | FROM_METER, data=said.data, preamble=4)
    return reply, said.register_wh


def _read(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    if len(frame.data) < 4:
        raise Refused(errors.ERR_OTHER)
    identifier = int.from_bytes(frame.data[:4], "little")
    value = value_of(meter, identifier, now_us=now_us)
    if value is None:
        raise Refused(errors.ERR_NO_DATA)
    told = codec.FORWARD_ACTIVE_TOTAL.decode(value[:4]) if identifier in CARRIES_REGISTER else None
    size = meter.frame_bytes - _OVERHEAD
    meter.follow_up = (identifier, [value[at : at + size] for at in range(size, len(value), size)])
    more = MORE_FOLLOWS if meter.follow_up[1] else 0
    return Said(frame.control | more, frame.data[:4] + value[:size], told)


def _read_more(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    identifier, parts = meter.follow_up
    sequence = frame.data[4] if len(frame.data) == 5 else 0
    if int.from_bytes(frame.data[:4], "little") != identifier or not 1 <= sequence <= len(parts):
        raise Refused(errors.ERR_NO_DATA)
    more = MORE_FOLLOWS if sequence < len(parts) else 0
    return Said(frame.control | more, frame.data[:4] + parts[sequence - 1] + frame.data[4:])


def _read_address(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    return Said(frame.control, meter.address)


def _control(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    order = ControlOrder.decode(frame.data, zone=meter.zone)
    if order.password != meter.password:
        raise Refused(errors.ERR_PASSWORD)
    if meter.clock_us(now_us=now_us) > order.valid_until_us:
        raise Refused(errors.ERR_OTHER)
    match order.order:
        case Order.ALARM | Order.END_ALARM:
            meter.alarm = order.order == Order.ALARM
        case Order.KEEP_POWER:
            meter.keeps_power = True
            meter.move(closed=True, now_us=now_us, operator=order.operator)
        case Order.END_KEEP_POWER:
            meter.keeps_power = False
        case Order.TRIP if not meter.keeps_power:
            meter.move(closed=False, now_us=now_us, operator=order.operator)
        case Order.CLOSE:
            meter.move(closed=True, now_us=now_us, operator=order.operator)
        case Order.PERMIT_CLOSE:
            meter.ordered_closed = True  # the contacts wait for a person at the button
        case _:
            raise Refused(errors.ERR_OTHER)
    return Said(frame.control, b"")


def _set_time(meter: SimMeter, frame: Frame, now_us: int) -> None:
    told_us = from_meter_time(data=frame.data, zone=meter.zone)
    drift_us = told_us - meter.clock_us(now_us=now_us)
    if abs(drift_us) <= CLOCK_STEP_LIMIT_US:
        meter.clock_offset_us += drift_us


def _write(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    identifier, value = int.from_bytes(frame.data[:4], "little"), frame.data[12:]
    _check(meter, frame.data[4:12])
    entry = find_entry(identifier=identifier)
    if identifier >> 24 != 0x04 or entry is None or identifier in _READ_ONLY:
        raise Refused(errors.ERR_NO_DATA)
    entry.read(value)
    before_us = meter.clock_us(now_us=now_us)
    if identifier in (codec.DATE, codec.TIME):
        _write_clock(meter, identifier, value, now_us)
    elif identifier == POWER_LIMIT.identifier:
        meter.power_limit_w = POWER_LIMIT.decode(value) or None
    else:
        meter.parameters[identifier] = value
    kind = MeterEventKind.CLOCK_SET if identifier in (codec.DATE, codec.TIME) else MeterEventKind.PROGRAMMED
    after_us = meter.clock_us(now_us=now_us)
    meter.events.note(kind, SimEvent(before_us, after_us, operator=frame.data[11:7:-1].hex()))
    return Said(frame.control, b"")


def _write_clock(meter: SimMeter, identifier: int, value: bytes, now_us: int) -> None:
    clock_us = meter.clock_us(now_us=now_us)
    time = meter_time(at_us=clock_us, zone=meter.zone)
    if identifier == codec.DATE:
        told_us = from_meter_time(data=time[:3] + value[1:], zone=meter.zone) + clock_us % 1_000_000
        if meter_date(at_us=told_us, zone=meter.zone)[0] != value[0]:
            raise Refused(errors.ERR_OTHER)  # a weekday that is not that of the date
    else:
        told_us = from_meter_time(data=value + time[3:], zone=meter.zone)
    meter.clock_offset_us += told_us - clock_us


def _write_address(meter: SimMeter, frame: Frame, now_us: int) -> Said | None:
    if not meter.button_held:
        return None
    if len(frame.data) != 6 or not frame.data.hex().isdecimal():
        raise Refused(errors.ERR_OTHER)
    meter.take_address(frame.data)
    return Said(frame.control, b"")


def _freeze(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    if len(frame.data) != 4:
        raise Refused(errors.ERR_OTHER)
    if frame.data == _NOW:
        at_us = meter.clock_us(now_us=now_us)
        meter.freezes.take(FreezeKind.INSTANT, at_us=at_us, energies=energies(meter))
    else:
        meter.freezes.pattern = frame.data
    return Said(frame.control, b"")


def _speed(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    baud = baud_of(code=frame.data[0]) if len(frame.data) == 1 else None
    if baud is None:
        raise Refused(errors.ERR_BAUD)
    meter.baud = baud
    return Said(frame.control, frame.data)


def _password(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    if len(frame.data) != 12 or not 0x04000C01 <= int.from_bytes(frame.data[:4], "little") <= 0x04000C0A:
        raise Refused(errors.ERR_OTHER)
    if codec.decode_password(frame.data[4:8]) != meter.password:
        raise Refused(errors.ERR_PASSWORD)
    meter.password = codec.decode_password(frame.data[8:])
    return Said(frame.control, frame.data[8:])


def _clear_meter(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    _check(meter, frame.data[-_ACCESS:])
    at_us = meter.clock_us(now_us=now_us)
    meter.register_wh = meter.reverse_wh = 0
    meter.other_tariffs_wh.clear()
    meter.events.clear()
    operator = frame.data[-1:-5:-1].hex()
    meter.events.note(MeterEventKind.METER_CLEARED, SimEvent(at_us, at_us, operator=operator))
    return Said(frame.control, b"")


def _clear_demand(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    _check(meter, frame.data[-_ACCESS:])
    return Said(frame.control, b"")


def _clear_events(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    if len(frame.data) != 12:
        raise Refused(errors.ERR_OTHER)
    _check(meter, frame.data[:_ACCESS])
    meter.events.clear()
    return Said(frame.control, b"")


def _security(meter: SimMeter, frame: Frame, now_us: int) -> Said:
    if meter.wallet is None:
        raise Refused(1, size=2)
    if err := meter.wallet.credit(frame.data):
        raise Refused(err, size=2)
    return Said(frame.control, frame.data[:4])


def _check(meter: SimMeter, access: bytes) -> None:
    if len(access) != _ACCESS:
        raise Refused(errors.ERR_OTHER)
    if codec.decode_password(access[:4]) != meter.password:
        raise Refused(errors.ERR_PASSWORD)


_ACTS: Final[dict[int, Callable[[SimMeter, Frame, int], Said | None]]] = {
    wire.READ_DATA: _read,
    wire.READ_MORE: _read_more,
    wire.READ_ADDRESS: _read_address,
    wire.CONTROL: _control,
    wire.SET_TIME: _set_time,
    wire.WRITE_DATA: _write,
    wire.WRITE_ADDRESS: _write_address,
    wire.FREEZE: _freeze,
    wire.BAUD: _speed,
    wire.PASSWORD: _password,
    wire.CLEAR_METER: _clear_meter,
    wire.CLEAR_DEMAND: _clear_demand,
    wire.CLEAR_EVENTS: _clear_events,
    wire.SECURITY: _security,
}

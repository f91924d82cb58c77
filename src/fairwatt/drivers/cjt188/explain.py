"""Explain a recording of a CJ/T 188 line, in the standard's own layout."""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.explaining import Told, field, take_apart

from .frame import KINDS, READ_ADDRESS, READ_DATA, START, WRITE_DATA, Frame, frame_at
from .meter import OPEN_VALVE, SHUT_VALVE
from .values import UNIT_NAMES, decode_bcd

_WATER: Final = ((0, 5, "total"), (5, 5, "total on settlement day"), (10, 7, "clock"), (17, 2, "status"))
_HEAT: Final = (
    (0, 5, "heat on settlement day"),
    (5, 5, "heat"),
    (10, 5, "power"),
    (15, 5, "flow"),
    (20, 5, "volume"),
    (25, 3, "supply temperature"),
    (28, 3, "return temperature"),
    (31, 3, "hours in operation"),
    (34, 7, "clock"),
    (41, 2, "status"),
)
_LAYOUTS: Final = {19: _WATER, 43: _HEAT}
_FUNCTIONS: Final = {READ_DATA: "read data", READ_ADDRESS: "read address", WRITE_DATA: "write data"}
_ORDERS: Final = {OPEN_VALVE: "open the valve", SHUT_VALVE: "shut the valve"}
_VALVE: Final = {0: "open", 1: "shut", 2: "unknown", 3: "broken"}


def explain(*, data: bytes) -> list[Told]:
    """Return one record a piece of the recording, fit for JSON and for a table."""
    return take_apart(data=data, frame_at=_frame_at, starts=bytes([START]), wakes=True)


def _frame_at(data: bytes, at: int) -> tuple[int, Told] | None:
    found = frame_at(data, at) if data[at] == START else None
    if found is None:
        return None
    frame, end = found
    return end, {
        "address": frame.number,
        "to": "from" if frame.from_meter else "to",
        "control": f"{frame.control:02X}",
        "title": _title(frame),
        "fields": [field("kind of meter", KINDS.get(frame.kind, f"{frame.kind:02X}H")), *_fields(frame)],
    }


def _title(frame: Frame) -> str:
    name = _FUNCTIONS.get(frame.control & 0x3F, f"function {frame.control & 0x3F:02X}H")
    if frame.is_abnormal:
        return f"refusal: {name}"
    return f"{'answer' if frame.from_meter else 'question'}: {name}"


def _fields(frame: Frame) -> list[Told]:
    data = frame.data
    if len(data) < 3 or frame.is_abnormal:
        return [field("data", data.hex().upper(), raw=data)] if data else []
    fields = [
        field("identifier", data[:2].hex().upper(), note="as it travels"),
        field("serial number", data[2]),
    ]
    value = data[3:]
    if frame.control & 0x3F == WRITE_DATA and not frame.from_meter and len(value) == 1:
        return [*fields, field("order", _ORDERS.get(value[0], "unknown"), raw=value)]
    if frame.from_meter and len(value) == 2:
        return [*fields, _field("status", value)]
    if frame.from_meter and len(value) in _LAYOUTS:
        rows = _LAYOUTS[len(value)]
        return [*fields, *(_field(name, value[at : at + size]) for at, size, name in rows)]
    return [*fields, field("value", value.hex().upper(), raw=value)] if value else fields


def _field(name: str, raw: bytes) -> Told:
    try:
        if name == "clock":
            digits = raw[::-1].hex()
            date, time = (
                f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}",
                f"{digits[8:10]}:{digits[10:12]}:{digits[12:]}",
            )
            return field(name, f"{date} {time}", raw=raw, note="the meter's own zone")
        if name == "status":
            battery = "low" if raw[0] & 4 else "good"
            note = f"valve {_VALVE[raw[0] & 3]}, battery {battery}, where the standard puts them"
            return field(name, raw.hex().upper(), raw=raw, note=note)
        digits_only = raw if len(raw) == 3 else raw[:4]
        number = decode_bcd(digits_only, what=name)
    except DriverError as error:
        return field(name, None, raw=raw, note=str(error))
    if name == "hours in operation":
        return field(name, number, unit="h", raw=raw)
    unit = "degC" if len(raw) == 3 else UNIT_NAMES.get(raw[4], f"unit {raw[4]:02X}H")
    return field(name, f"{number // 100}.{number % 100:02d}", unit=unit, raw=raw)

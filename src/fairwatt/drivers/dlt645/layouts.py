"""What the data of each function are, in both directions: the fields of a frame, in order.

Source: DL/T 645-2007 section 7, and the State Grid supplement for 03H.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.errors import UnreadableValue

from . import frame as wire
from .catalog import Entry, find_entry
from .catalog.security import TOP_UP, TOP_UP_BY_ORDER
from .forms import Field, Value, read_fields
from .frame import Frame

NAMES: Final = {
    wire.SECURITY: "security",
    wire.SET_TIME: "broadcast of the time",
    wire.READ_DATA: "read",
    wire.READ_MORE: "read the follow-up",
    wire.READ_ADDRESS: "read the address",
    wire.WRITE_DATA: "write",
    wire.WRITE_ADDRESS: "write the address",
    wire.FREEZE: "freeze",
    wire.BAUD: "change the speed",
    wire.PASSWORD: "change the password",
    wire.CLEAR_DEMAND: "clear the demand",
    wire.CLEAR_METER: "clear the meter",
    wire.CLEAR_EVENTS: "clear events",
    wire.CONTROL: "relay, alarm, keep power",
}
IDENTIFIER: Final = Field("identifier", "#4")
IDENTIFIER_1997: Final = Field("identifier", "#2")
LEVEL: Final = Field("password level", "#1")
_PASSWORD: Final = Field("password", "#3")
OPERATOR: Final = Field("operator", "#4")
ORDER: Final = Field("order", "#1")
RESERVED: Final = Field("reserved", "#1")
UNTIL: Final = Field("valid until", "YYMMDDhhmmss")
ERROR: Final = Field("error", "b1")
_ADDRESS: Final = Field("address", "#6")
_SPEED: Final = Field("speed", "b1")
SEQUENCE: Final = Field("sequence", "u1")
_VALUE: Final = Field("value", "*")
_ACCESS: Final = (LEVEL, _PASSWORD, OPERATOR)
_ENCRYPTED: Final = 0x98
_ACKNOWLEDGED: Final = {
    wire.WRITE_DATA,
    wire.WRITE_ADDRESS,
    wire.FREEZE,
    wire.CLEAR_DEMAND,
    wire.CLEAR_METER,
    wire.CLEAR_EVENTS,
    wire.CONTROL,
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """A frame's data with names: `values` written one after another are the data again."""

    title: str
    values: tuple[Value, ...]
    entry: Entry | None = None

    def text(self, name: str) -> str | None:
        """Return the text of the first value with this name."""
        return next((value.text for value in self.values if value.field.name == name), None)

    @property
    def identifier(self) -> str | None:
        """The identifier as printed: eight hexadecimal digits, four in a frame of 1997."""
        return self.text(IDENTIFIER.name)

    @property
    def item(self) -> tuple[Value, ...]:
        """The values of the item itself, without what stands around them."""
        if self.entry is None:
            return ()
        names = [field.name for field in (IDENTIFIER, *_ACCESS, SEQUENCE)]
        return tuple(value for value in self.values if value.field.name not in names)


def understand(*, frame: Frame) -> Meaning:
    """Name every byte of a frame's data. Raises `UnreadableValue` when the data break their format."""
    title = _title(frame)
    if frame.is_1997:
        fields: tuple[Field, ...] = (IDENTIFIER_1997, _VALUE) if len(frame.data) >= 2 else (_VALUE,)
        return Meaning(title, read_fields(_fit(fields, frame.data), frame.data))
    if frame.is_abnormal:
        wide = Field("error", "b2") if frame.function == wire.SECURITY and len(frame.data) == 2 else ERROR
        return Meaning(title, read_fields(_fit((wide,), frame.data), frame.data))
    if frame.from_meter and frame.function in (wire.READ_DATA, wire.READ_MORE):
        return _reply(title, frame)
    fields, entry = _answer(frame) if frame.from_meter else _request(frame)
    return Meaning(title, read_fields(fields, frame.data), entry)


def _title(frame: Frame) -> str:
    name = NAMES.get(frame.function, f"function {frame.function:02X}H")
    if frame.is_1997:
        return f"DL/T 645-1997 frame, control {frame.control:02X}H: not supported"
    if frame.is_abnormal:
        return f"refusal: {name}"
    if not frame.from_meter:
        return f"request: {name}"
    return f"reply: {name}{', more follows' if frame.more_follows else ''}"


def _reply(title: str, frame: Frame) -> Meaning:
    data = frame.data
    entry = _entry(data)
    if not frame.more_follows and frame.function == wire.READ_DATA and entry is not None:
        return Meaning(title, read_fields((IDENTIFIER, *entry.layout(len(data) - 4)), data), entry)
    # A part of a block may end inside a value: only the joined block can be read.
    fields: tuple[Field, ...] = (IDENTIFIER, Field("part of the value", "*"))
    if frame.function == wire.READ_MORE and len(data) >= 5:
        values = read_fields(fields, data[:-1]) if len(data) > 5 else read_fields((IDENTIFIER,), data[:4])
        return Meaning(title, (*values, *read_fields((SEQUENCE,), data[-1:])), entry)
    if frame.more_follows:
        return Meaning(title, read_fields(_fit(fields, data), data), entry)
    return Meaning(title, read_fields(_fit((IDENTIFIER, _VALUE), data), data))


def _request(frame: Frame) -> tuple[tuple[Field, ...], Entry | None]:
    data, size = frame.data, len(frame.data)
    match frame.function:
        case wire.READ_DATA if size in (4, 5, 10):
            extra = (Field("blocks", "NN"), Field("from", "YYMMDDhhmm"))
            return (IDENTIFIER, *extra[: {4: 0, 5: 1, 10: 2}[size]]), _entry(data)
        case wire.READ_MORE:
            return (IDENTIFIER, SEQUENCE), _entry(data)
        case wire.READ_ADDRESS:
            return (), None
        case wire.SET_TIME:
            return (Field("time", "YYMMDDhhmmss"),), None
        case wire.WRITE_DATA if size >= 12:
            entry = _entry(data)
            head = (IDENTIFIER, *_ACCESS)
            if entry is None:
                return _fit((*head, _VALUE), data), None
            return (*head, *entry.layout(size - 12)), entry
        case wire.WRITE_ADDRESS:
            return (_ADDRESS,), None
        case wire.FREEZE:
            return (Field("freeze at", "MMDDhhmm"),), None
        case wire.BAUD:
            return (_SPEED,), None
        case wire.PASSWORD:
            return (IDENTIFIER, LEVEL, _PASSWORD, Field("new level", "#1"), Field("new password", "#3")), None
        case wire.CLEAR_EVENTS:
            return (*_ACCESS, IDENTIFIER), _entry(data[8:])
        case wire.CLEAR_DEMAND | wire.CLEAR_METER:
            # The standard sends 8 bytes; some implementations put an identifier in front of them.
            return ((IDENTIFIER, *_ACCESS) if size == 12 else _ACCESS), None
        case wire.CONTROL:
            return _control(data), None
        case wire.SECURITY if size >= 8:
            return _security(data)
        case _:
            return _fit((_VALUE,), data), None


def _answer(frame: Frame) -> tuple[tuple[Field, ...], Entry | None]:
    match frame.function:
        case wire.READ_ADDRESS:
            return (_ADDRESS,), None
        case wire.BAUD:
            return (_SPEED,), None
        case wire.PASSWORD:
            return (Field("new level", "#1"), Field("new password", "#3")), None
        case wire.SECURITY if len(frame.data) >= 4:
            return _fit((IDENTIFIER, _VALUE), frame.data), _entry(frame.data)
        case function if function in _ACKNOWLEDGED:
            return (), None
        case _:
            return _fit((_VALUE,), frame.data), None


def _control(data: bytes) -> tuple[Field, ...]:
    if data[:1] == bytes([_ENCRYPTED]):
        return LEVEL, _PASSWORD, OPERATOR, Field("encrypted order and MAC", "*")
    return (*_ACCESS, ORDER, RESERVED, UNTIL)


def _security(data: bytes) -> tuple[tuple[Field, ...], Entry | None]:
    entry = _entry(data)
    head = (IDENTIFIER, OPERATOR)
    by_order = Entry("", TOP_UP_BY_ORDER)
    if entry is not None and entry.fields == TOP_UP and len(data) - 8 == by_order.size:
        return (*head, *TOP_UP_BY_ORDER), entry
    if entry is None or len(data) - 8 < entry.size:
        return _fit((*head, _VALUE), data), None
    return (*head, *entry.layout(len(data) - 8)), entry


def _entry(data: bytes) -> Entry | None:
    if len(data) < 4:
        raise UnreadableValue(what="an identifier", data=data)
    return find_entry(identifier=int.from_bytes(data[:4], "little"))


def _fit(fields: tuple[Field, ...], data: bytes) -> tuple[Field, ...]:
    """Drop the open end where no bytes are left for it, and what a short frame has not."""
    kept: list[Field] = []
    left = len(data)
    for field in fields:
        if left == 0:
            break
        kept.append(field)
        left -= field.size or left
    return tuple(kept)

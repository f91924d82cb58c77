"""Values inside frames: data items, status words, relay orders.

Everything numeric is BCD, lowest byte first. Identifiers are written here as printed in the standard
(DI3 DI2 DI1 DI0), so 00010000 is the forward active total. Source: DL/T 645-2007 annex A.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from fairwatt.drivers.errors import BadRequest, UnreadableValue

from .clock import from_meter_time, meter_time


@dataclass(frozen=True, slots=True)
class Item:
    """A data item as a profile names it: where it lives and how its digits become our unit.

    Our unit = digits x `times` // `over`, with the sign (top bit of the highest byte) put on afterwards.
    """

    name: str
    identifier: int
    size: int
    times: int = 1
    over: int = 1
    signed: bool = False

    @property
    def wire(self) -> bytes:
        """The identifier as it is asked for, DI0 first."""
        return self.identifier.to_bytes(4, "little")

    def decode(self, data: bytes) -> int:
        """Turn the value of a reply into our unit. Raises `UnreadableValue` on wrong size or non-BCD."""
        if len(data) != self.size:
            raise UnreadableValue(what=self.name, data=data)
        negative = self.signed and data[-1] & 0x80
        digits = data[:-1] + bytes([data[-1] & 0x7F]) if negative else data
        amount = decode_bcd(digits, what=self.name) * self.times // self.over
        return -amount if negative else amount

    def encode(self, amount: int) -> bytes:
        """Turn our unit into the value of a reply, cutting off what the digits cannot show."""
        if amount < 0 and not self.signed:
            raise BadRequest(f"{self.name} cannot be negative; got {amount}.")
        data = encode_bcd(abs(amount) * self.over // self.times, size=self.size)
        if not self.signed:
            return data
        if data[-1] & 0x80:
            raise BadRequest(f"{self.name} needs its top bit for the sign; {amount} is too large.")
        return data if amount >= 0 else data[:-1] + bytes([data[-1] | 0x80])


# XXXXXX.XX kWh in Wh; XXX.X V in dV; XXX.XXX A in mA; XX.XXXX kW in W.
FORWARD_ACTIVE_TOTAL: Final = Item("forward active energy", 0x00010000, 4, times=10)
VOLTAGE_A: Final = Item("voltage of phase A", 0x02010100, 2)
CURRENT_A: Final = Item("current of phase A", 0x02020100, 3, signed=True)
ACTIVE_POWER: Final = Item("total active power", 0x02030000, 3, over=10, signed=True)
STATUS_3: Final = 0x04000503
DATE: Final = 0x04000101
TIME: Final = 0x04000102
ADDRESS: Final = 0x04000401

_RELAY_OPEN: Final = 0x10
_RELAY_ORDERED_OPEN: Final = 0x40
_TRIP_WARNING: Final = 0x80


class Order(IntEnum):
    """N1 of function 1CH: what the meter is told to do."""

    TRIP = 0x1A
    PERMIT_CLOSE = 0x1B
    CLOSE = 0x1C
    ALARM = 0x2A
    END_ALARM = 0x2B
    KEEP_POWER = 0x3A
    END_KEEP_POWER = 0x3B


def decode_bcd(data: bytes, *, what: str = "a number") -> int:
    """Read BCD digits, lowest byte first. Raises `UnreadableValue` when a nibble is not a digit."""
    try:
        return int(data[::-1].hex())
    except ValueError as error:
        raise UnreadableValue(what=what, data=data) from error


def encode_bcd(amount: int, *, size: int) -> bytes:
    """Write digits as BCD, lowest byte first. Raises `BadRequest` when they do not fit in `size` bytes."""
    digits = f"{amount:0{2 * size}d}"
    if amount < 0 or len(digits) > 2 * size:
        raise BadRequest(f"{amount} does not fit in {2 * size} digits.")
    return bytes.fromhex(digits)[::-1]


def encode_status_3(*, closed: bool, ordered_closed: bool, trip_warning: bool) -> bytes:
    """Write status word 3 (04000503H) with its three relay bits."""
    low = (0 if closed else _RELAY_OPEN) | (0 if ordered_closed else _RELAY_ORDERED_OPEN)
    return bytes([low | (_TRIP_WARNING if trip_warning else 0), 0])


def decode_status_3(data: bytes) -> tuple[bool, bool, bool]:
    """Return (closed, ordered closed, trip warning) of status word 3. Raises `UnreadableValue`."""
    if len(data) != 2:
        raise UnreadableValue(what="status word 3", data=data)
    low = data[0]
    return not low & _RELAY_OPEN, not low & _RELAY_ORDERED_OPEN, bool(low & _TRIP_WARNING)


@dataclass(frozen=True, slots=True)
class ControlOrder:
    """The data of function 1CH: who orders what, and until when the order may be obeyed.

    `password` is eight digits: two of level, six of password. `operator` is eight digits.
    """

    order: int
    password: str
    operator: str
    valid_until_us: int

    def encode(self, *, zone: str) -> bytes:
        """Write `PA P0-P2 C0-C3 N1 00 ss mm hh DD MM YY`. Raises `BadRequest`."""
        until = meter_time(at_us=self.valid_until_us, zone=zone)
        return (
            encode_password(self.password) + encode_operator(self.operator) + bytes([self.order, 0]) + until
        )

    @classmethod
    def decode(cls, data: bytes, *, zone: str) -> ControlOrder:
        """Read the data of function 1CH as a meter does. Raises `UnreadableValue`."""
        if len(data) != 16:
            raise UnreadableValue(what="a relay order", data=data)
        return cls(
            order=data[8],
            password=decode_password(data[:4]),
            operator=data[7:3:-1].hex(),
            valid_until_us=from_meter_time(data=data[10:], zone=zone),
        )


def encode_password(password: str) -> bytes:
    """Write eight digits, level first, as `PA P0 P1 P2`: the level, then the password lowest byte first."""
    wire = _digits(password)
    return wire[3:] + wire[:3]


def decode_password(data: bytes) -> str:
    """Read `PA P0 P1 P2` as eight digits, level first."""
    return data[:1].hex() + data[:0:-1].hex()


def encode_operator(operator: str) -> bytes:
    """Write an operator's eight digits as `C0 C1 C2 C3`, lowest byte first."""
    return _digits(operator)


def _digits(text: str) -> bytes:
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        # The text may be a password: name the rule, never the value.
        raise BadRequest(
            "A DL/T 645 password (two digits of level, six of password) or operator is 8 digits."
        )
    return bytes.fromhex(text)[::-1]

"""One DL/T 645 frame: what travels between `68H` and `16H`.

Layout: `68 A0..A5 68 C L DATA CS 16`. The address is six BCD bytes, lowest first; every data byte travels
+33H; CS is the sum mod 256 from the first 68H through the data. Source: DL/T 645-2007 section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.errors import BadRequest

START: Final = 0x68
END: Final = 0x16
WAKE: Final = 0xFE
OVERHEAD: Final = 12  # both 68H, six address bytes, C, L, CS, 16H
MAX_READ_DATA: Final = 200
MAX_WRITE_DATA: Final = 50

FROM_METER: Final = 0x80
ABNORMAL: Final = 0x40
MORE_FOLLOWS: Final = 0x20
FUNCTION_BITS: Final = 0x1F

SECURITY: Final = 0x03
SET_TIME: Final = 0x08
READ_DATA: Final = 0x11
READ_MORE: Final = 0x12
READ_ADDRESS: Final = 0x13
WRITE_DATA: Final = 0x14
WRITE_ADDRESS: Final = 0x15
FREEZE: Final = 0x16
BAUD: Final = 0x17
PASSWORD: Final = 0x18
CLEAR_DEMAND: Final = 0x19
CLEAR_METER: Final = 0x1A
CLEAR_EVENTS: Final = 0x1B
CONTROL: Final = 0x1C

# Functions that only the 1997 edition has (03H and 08H exist in both, with other meanings for 03H).
_ONLY_1997: Final = frozenset({0x01, 0x02, 0x04, 0x0A, 0x0C, 0x0F, 0x10})

WILDCARD: Final = 0xAA
ANY_ADDRESS: Final = bytes([WILDCARD] * 6)
BROADCAST: Final = bytes([0x99] * 6)

_PLUS_33: Final = bytes((value + 0x33) & 0xFF for value in range(256))
_MINUS_33: Final = bytes((value - 0x33) & 0xFF for value in range(256))


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame with its armour off: the address in wire order, the data without +33H."""

    address: bytes
    control: int
    data: bytes

    @property
    def number(self) -> str:
        """The address as printed on the meter."""
        return self.address[::-1].hex().upper()

    @property
    def function(self) -> int:
        return self.control & FUNCTION_BITS

    @property
    def from_meter(self) -> bool:
        return bool(self.control & FROM_METER)

    @property
    def is_abnormal(self) -> bool:
        return bool(self.control & ABNORMAL)

    @property
    def more_follows(self) -> bool:
        return bool(self.control & MORE_FOLLOWS)

    @property
    def is_1997(self) -> bool:
        return self.function in _ONLY_1997


def wire_address(*, number: str) -> bytes:
    """Turn the number printed on a meter into its address bytes, lowest first.

    Shorter numbers are padded with zeros. `A` pairs are wildcards. Raises `BadRequest` for anything else.
    """
    padded = number.upper().zfill(12)
    pairs = [padded[at : at + 2] for at in range(0, len(padded), 2)]
    if len(padded) != 12 or not all(pair == "AA" or (pair.isascii() and pair.isdigit()) for pair in pairs):
        raise BadRequest(f"{number!r} is not a DL/T 645 address: it takes up to twelve decimal digits.")
    return bytes.fromhex(padded)[::-1]


def address_matches(*, pattern: bytes, address: bytes) -> bool:
    """Say whether a meter with `address` is meant by `pattern`, where AAH stands for any byte."""
    if pattern == address:
        return True
    return WILDCARD in pattern and all(p in (WILDCARD, a) for p, a in zip(pattern, address, strict=True))


def build_frame(*, address: bytes, control: int, data: bytes = b"", preamble: int = 0) -> bytes:
    """Put a frame into its bytes, with `preamble` wake-up bytes FEH in front.

    Raises `BadRequest` beyond the standard's lengths: 200 bytes from a meter, 50 to one.
    """
    limit = MAX_READ_DATA if control & FROM_METER else MAX_WRITE_DATA
    if len(address) != 6 or len(data) > limit or not 0 <= preamble <= 4:
        raise BadRequest(
            f"A DL/T 645 frame takes 6 address bytes, at most {limit} data bytes and 0 to 4 wake-up bytes; "
            f"got {len(address)}, {len(data)} and {preamble}."
        )
    return b"\xfe" * preamble + close_frame(frame=Frame(address=address, control=control, data=data))


def close_frame(*, frame: Frame) -> bytes:
    """Put the armour on a frame as it is, from the first 68H to 16H, whatever its length limit."""
    address, control, data = frame.address, frame.control, frame.data
    body = b"\x68%b\x68%c%c%b" % (address, control, len(data), data.translate(_PLUS_33))
    return b"%b%c\x16" % (body, sum(body) & 0xFF)


def open_frame(*, raw: bytes) -> Frame:
    """Take the armour off a complete, already checked frame that starts at its first 68H."""
    return Frame(address=raw[1:7], control=raw[8], data=raw[10:-2].translate(_MINUS_33))

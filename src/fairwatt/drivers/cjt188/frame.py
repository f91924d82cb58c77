"""One CJ/T 188 frame: `FE.. 68 T A0..A6 C L DATA CS 16`.

T is the kind of meter; the address is seven BCD bytes, lowest first, the upper two the maker's; CS is the sum
mod 256 from 68H through the data. Data travel as they are: there is no +33H here. Source: CJ/T 188-2004.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.errors import BadRequest

START: Final = 0x68
END: Final = 0x16
OVERHEAD: Final = 13  # 68H, T, seven address bytes, C, L, CS, 16H
DATA_MAX: Final = 100

FROM_METER: Final = 0x80
ABNORMAL: Final = 0x40
READ_DATA: Final = 0x01
READ_ADDRESS: Final = 0x03
WRITE_DATA: Final = 0x04

ANY_KIND: Final = 0xAA
ANY_ADDRESS: Final = bytes([0xAA] * 7)

KINDS: Final = {
    0x10: "cold water",
    0x11: "hot water",
    0x12: "drinking water",
    0x13: "reclaimed water",
    0x20: "heat",
    0x21: "cooling",
    0x30: "gas",
    0x40: "electricity",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame with its armour off; the address in wire order."""

    kind: int
    address: bytes
    control: int
    data: bytes

    @property
    def number(self) -> str:
        """The address as printed on the meter, maker's code first."""
        return self.address[::-1].hex().upper()

    @property
    def is_abnormal(self) -> bool:
        return bool(self.control & ABNORMAL)

    @property
    def from_meter(self) -> bool:
        return bool(self.control & FROM_METER)


def wire_address(*, number: str) -> bytes:
    """Turn the number printed on a meter into its address bytes, lowest first. Raises `BadRequest`."""
    padded = number.zfill(14)
    if not number or len(padded) != 14 or not (padded.isascii() and padded.isdigit()):
        raise BadRequest(f"{number!r} is not a CJ/T 188 address: it takes up to fourteen decimal digits.")
    return bytes.fromhex(padded)[::-1]


def build_frame(*, kind: int, address: bytes, control: int, data: bytes = b"", preamble: int = 3) -> bytes:
    """Put a frame into its bytes, with `preamble` wake-up bytes FEH in front."""
    if len(address) != 7 or len(data) > DATA_MAX:
        raise BadRequest(
            f"A CJ/T 188 frame takes 7 address bytes and at most {DATA_MAX} data bytes; "
            f"got {len(address)} and {len(data)}. Nothing was sent."
        )
    body = bytes([START, kind]) + address + bytes([control, len(data)]) + data
    return b"\xfe" * preamble + body + bytes([sum(body) & 0xFF, END])


def frame_at(heard: bytes, start: int) -> tuple[Frame, int] | None:
    """Return the whole frame that begins at a 68H and where it ends, or None."""
    if len(heard) - start < OVERHEAD:
        return None
    size = OVERHEAD + heard[start + 10]
    raw = heard[start : start + size]
    if size > OVERHEAD + DATA_MAX or len(raw) < size or raw[-1] != END or raw[-2] != sum(raw[:-2]) & 0xFF:
        return None
    frame = Frame(kind=raw[1], address=raw[2:9], control=raw[9], data=raw[11:-2])
    return frame, start + size


def frames(heard: bytes) -> list[Frame]:
    """Every whole frame in what was heard, in order; everything else is stepped over byte by byte."""
    found, at = [], heard.find(START)
    while at >= 0:
        one = frame_at(heard, at)
        if one is not None:
            found.append(one[0])
        at = heard.find(START, at + 1 if one is None else one[1])
    return found

"""M-Bus telegrams: one byte, short and long. Source: EN 13757-2, frame format FT 1.2.

`E5` | `10 C A CS 16` | `68 L L 68 C A CI data CS 16`, where L counts C to the last data byte and CS is the sum
mod 256 over the same bytes. Lines are 8E1, mostly 2400 bit/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.errors import BadRequest

ACK: Final = 0xE5
START_SHORT: Final = 0x10
START_LONG: Final = 0x68
END: Final = 0x16
SHORT_SIZE: Final = 5
LONG_OVERHEAD: Final = 6

SND_NKE: Final = 0x40
SND_UD: Final = 0x53
REQ_UD2: Final = 0x5B
RSP_UD: Final = 0x08
FCB: Final = 0x20
RSP_MASK: Final = 0xCF  # ACD and DFC say something about the link, not about the answer

PRIMARY_MAX: Final = 250
SELECTED: Final = 253
ANYBODY: Final = 254

SELECT: Final = 0x52
DATA_LONG_HEADER: Final = 0x72
DATA_SHORT_HEADER: Final = 0x7A
DATA_NO_HEADER: Final = 0x78
DATA_FIXED: Final = 0x73


@dataclass(frozen=True, slots=True)
class Telegram:
    """A telegram with its armour off. A short one has no ``ci``; a single E5H has only ``is_ack``."""

    control: int = 0
    address: int = 0
    ci: int | None = None
    data: bytes = b""
    is_ack: bool = False


def short_frame(*, control: int, address: int) -> bytes:
    """Put a short telegram into its bytes."""
    return bytes([START_SHORT, control, address, (control + address) & 0xFF, END])


def long_frame(*, control: int, address: int, ci: int, data: bytes = b"") -> bytes:
    """Put a long telegram into its bytes. Raises `BadRequest` beyond 252 data bytes."""
    if len(data) > 252:
        raise BadRequest(f"An M-Bus telegram holds at most 252 bytes of data; got {len(data)}.")
    body = bytes([control, address, ci]) + data
    head = bytes([START_LONG, len(body), len(body), START_LONG])
    return head + body + bytes([sum(body) & 0xFF, END])


def telegram_at(heard: bytes, at: int) -> tuple[Telegram, int] | None:
    """Return the whole telegram that begins here and where it ends, or None."""
    if heard[at] == ACK:
        return Telegram(is_ack=True), at + 1
    if heard[at] == START_SHORT:
        raw = heard[at : at + SHORT_SIZE]
        whole = len(raw) == SHORT_SIZE and raw[4] == END and raw[3] == (raw[1] + raw[2]) & 0xFF
        return (Telegram(control=raw[1], address=raw[2]), at + SHORT_SIZE) if whole else None
    if heard[at] != START_LONG or len(heard) - at < LONG_OVERHEAD + 3:
        return None
    length = heard[at + 1]
    raw = heard[at : at + length + LONG_OVERHEAD]
    if length < 3 or len(raw) < length + LONG_OVERHEAD or raw[2] != length or raw[3] != START_LONG:
        return None
    if raw[-1] != END or raw[-2] != sum(raw[4:-2]) & 0xFF:
        return None
    return Telegram(control=raw[4], address=raw[5], ci=raw[6], data=raw[7:-2]), at + len(raw)


def long_telegrams(heard: bytes) -> list[Telegram]:
    """Every whole long telegram in what was heard; everything else is stepped over byte by byte."""
    found, at = [], heard.find(START_LONG)
    while at >= 0:
        one = telegram_at(heard, at)
        if one is not None:
            found.append(one[0])
        at = heard.find(START_LONG, at + 1 if one is None else one[1])
    return found

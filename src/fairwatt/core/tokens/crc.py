"""The check over a data block: 16 bits that tell a wrong key, another meter and a mistyped digit."""

from __future__ import annotations

from typing import Final

_POLYNOMIAL: Final = 0xA001
_CURRENCY_MARK: Final = b"\x01"


def _entry(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ (_POLYNOMIAL if index & 1 else 0)
    return index


_TABLE: Final = tuple(_entry(index) for index in range(256))


def crc16(data: bytes) -> int:
    """CRC-16 with the reflected polynomial A001 from FFFF, its two bytes swapped as they stand in the block."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return (crc & 0xFF) << 8 | crc >> 8


def check_of(*, token_class: int, b48: int) -> int:
    """The check of a block: over its class and its 48 bits, padded to whole bytes.

    Currency credit (class 0, sub-classes 4 to 7) is checked with one byte 01 more, so that a meter that
    knows no currency takes it for damaged instead of for energy.
    """
    data = (token_class << 48 | b48).to_bytes(7)
    if token_class == 0 and 4 <= b48 >> 44 <= 7:
        data += _CURRENCY_MARK
    return crc16(data)

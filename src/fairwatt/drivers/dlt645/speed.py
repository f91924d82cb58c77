"""The speeds of function 17H: one bit a speed."""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.errors import BadRequest

_BITS: Final = {600: 0x02, 1200: 0x04, 2400: 0x08, 4800: 0x10, 9600: 0x20, 19200: 0x40}


def code_of(*, baud: int) -> int:
    """Return the byte that names a speed. Raises `BadRequest` for one the standard does not have."""
    if baud not in _BITS:
        raise BadRequest(
            f"A DL/T 645 line runs at {', '.join(map(str, _BITS))} bit/s; {baud} is none of them."
        )
    return _BITS[baud]


def baud_of(*, code: int) -> int | None:
    """Return the speed a byte names, or None when it names none or several."""
    return next((baud for baud, bit in _BITS.items() if bit == code), None)

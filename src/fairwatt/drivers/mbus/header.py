"""Who answers: the fixed header of a data telegram, and secondary addresses. Source: EN 13757-3, clause 5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.errors import BadRequest, UnreadableValue

from .frame import DATA_FIXED, DATA_LONG_HEADER, DATA_NO_HEADER, DATA_SHORT_HEADER, PRIMARY_MAX, Telegram

MEDIA: Final = {
    0x02: "electricity",
    0x03: "gas",
    0x04: "heat (return)",
    0x06: "warm water",
    0x07: "water",
    0x0A: "cooling (return)",
    0x0B: "cooling (flow)",
    0x0C: "heat (flow)",
    0x0D: "heat and cooling",
    0x15: "hot water",
    0x16: "cold water",
    0x21: "valve",
}
_ANY: Final = 0xFF
_ENCRYPTED: Final = 0x1F00


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the records. ``identity`` is the secondary address, eight bytes in wire order."""

    identity: bytes = b""
    access: int | None = None
    status: int = 0

    @property
    def number(self) -> str:
        """The number printed on the meter."""
        return self.identity[3::-1].hex().upper()

    @property
    def maker(self) -> str:
        """The three letters of the maker."""
        code = int.from_bytes(self.identity[4:6], "little")
        return "".join(chr(64 + (code >> shift & 31)) for shift in (10, 5, 0)) if self.identity else ""

    @property
    def medium(self) -> int | None:
        """The medium byte, `MEDIA` has its word."""
        return self.identity[7] if self.identity else None


def read_header(telegram: Telegram) -> tuple[Header, bytes]:
    """Split a data telegram into its header and its records. Raises `UnreadableValue`."""
    data = telegram.data
    if telegram.ci == DATA_NO_HEADER:
        return Header(), data
    sizes = {DATA_LONG_HEADER: 12, DATA_SHORT_HEADER: 4}
    size = sizes.get(telegram.ci or 0)
    if size is None:
        old = "the fixed structure of 1990, which" if telegram.ci == DATA_FIXED else "a structure that"
        raise UnreadableValue(what="a telegram", data=data, why=f"in {old} is not read here")
    if len(data) < size:
        raise UnreadableValue(what="a telegram", data=data, why="which ends inside its header")
    access, status = data[size - 4], data[size - 3]
    if int.from_bytes(data[size - 2 : size], "little") & _ENCRYPTED:
        raise UnreadableValue(what="a telegram", data=data, why="which is encrypted")
    return Header(data[: size - 4], access, status), data[size:]


@dataclass(frozen=True, slots=True)
class Address:
    """How a meter is called: by a number of 0 to 250, or by its identity."""

    primary: int | None
    identity: bytes = b""

    def matches(self, *, telegram: Telegram, header: Header) -> bool:
        """Say whether this telegram is from the meter that was called."""
        if self.primary is not None:
            return telegram.address == self.primary
        if len(header.identity) != len(self.identity):
            return False
        return all(
            mine in (_ANY, theirs) for mine, theirs in zip(self.identity, header.identity, strict=True)
        )


def parse_address(number: str) -> Address:
    """Read `0`..`250`, eight digits of the printed number, or these and `MMMMVVTT` in hexadecimal as they travel.

    Wildcards are allowed for maker, version and medium (`FF`), never in the number. Raises `BadRequest`.
    """
    if number.isascii() and number.isdigit() and len(number) <= 3 and int(number) <= PRIMARY_MAX:
        return Address(primary=int(number))
    digits, rest = number[:8], number[8:]
    try:
        if len(digits) == 8 and digits.isascii() and digits.isdigit() and len(rest) in (0, 8):
            tail = bytes.fromhex(rest) if rest else bytes([_ANY] * 4)
            if len(tail) == 4:
                return Address(primary=None, identity=bytes.fromhex(digits)[::-1] + tail)
    except ValueError:
        pass
    raise BadRequest(
        f"{number!r} is not an M-Bus address: it is 0 to 250, or the eight digits on the meter, and behind them "
        "maker, version and medium as eight hexadecimal digits if two meters share a number."
    )

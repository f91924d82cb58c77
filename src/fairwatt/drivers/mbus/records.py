"""Data records of a telegram: which quantity, of when, and how much, as an exact number.

A record is DIF (DIFE)* VIF (VIFE)* value. Source: EN 13757-3, clauses 6 and 8 and its tables. A value is a
fraction of its unit, never a float; what breaks its coding raises instead of becoming a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from fairwatt.drivers.errors import UnreadableValue
from fairwatt.drivers.exact import FLOAT32, binary_fraction

from .units import Unit, unit_of

_LENGTHS: Final = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, -1, 6, -1)
_REAL: Final = 0x05
_VARIABLE: Final = 0x0D
_BCD: Final = frozenset({0x09, 0x0A, 0x0B, 0x0C, 0x0E})
_MANUFACTURER: Final = 0x0F
_MORE_FOLLOWS: Final = 0x1F
_FILLER: Final = 0x2F
_EXTENDED: Final = 0x80
_EXTENSIONS_MAX: Final = 10
_PLAIN_TEXT: Final = 0x7C
FUNCTIONS: Final = ("instantaneous", "maximum", "minimum", "error")


@dataclass(frozen=True, slots=True)
class Record:
    """One record. ``function`` is one of `FUNCTIONS`; storage 0 is now, others are the past."""

    coding: int
    function: str
    storage: int
    tariff: int
    device: int
    unit: Unit
    data: bytes

    @property
    def is_number(self) -> bool:
        """Whether `number` can be asked for: not a date, a text or an empty record."""
        return self.coding not in (0, 8, _VARIABLE) and not self.unit.is_time

    def number(self) -> Fraction:
        """The value in its unit, exactly. Raises `UnreadableValue` when it breaks its coding."""
        if self.unit.fault is not None:
            raise UnreadableValue(what=self.unit.quantity, data=self.data, why=self.unit.fault)
        return self._raw() * self.unit.scale

    def text(self) -> str:
        """A text record, in reading order, without what no page can show."""
        return "".join(chr(byte) for byte in reversed(self.data) if 32 <= byte < 127).strip()

    def _raw(self) -> Fraction:
        if self.coding == _REAL:
            number = binary_fraction(int.from_bytes(self.data, "little"), FLOAT32)
            if number is None:
                raise UnreadableValue(what=self.unit.quantity, data=self.data, why="which is no number")
            return number
        if self.coding in _BCD:
            return Fraction(self._digits())
        if not self.is_number:
            raise UnreadableValue(what=self.unit.quantity, data=self.data, why="which is no number")
        return Fraction(int.from_bytes(self.data, "little", signed=True))

    def _digits(self) -> int:
        digits = self.data[::-1].hex()
        # A leading F is the sign of a negative number (annex B, type A); any other letter is no digit.
        negative = digits.startswith("f")
        try:
            return -int(digits[1:]) if negative else int(digits)
        except ValueError as error:
            raise UnreadableValue(what=self.unit.quantity, data=self.data) from error


@dataclass(frozen=True, slots=True)
class Records:
    """Everything of one telegram's data part. ``more`` says that another telegram follows."""

    records: tuple[Record, ...]
    more: bool
    manufacturer: bytes


def read_records(data: bytes) -> Records:
    """Take a telegram's data part to pieces. Raises `UnreadableValue` when a record runs past its end."""
    found: list[Record] = []
    at = 0
    while at < len(data):
        dif = data[at]
        if dif in (_MANUFACTURER, _MORE_FOLLOWS):
            return Records(tuple(found), dif == _MORE_FOLLOWS, data[at + 1 :])
        if dif == _FILLER:
            at += 1
            continue
        record, at = _record(data, at)
        found.append(record)
    return Records(tuple(found), False, b"")


def _record(data: bytes, start: int) -> tuple[Record, int]:
    try:
        dib = bytes(_block(data, start))
        at = start + len(dib)
        vif, at = data[at], at + 1
        text = b""
        if vif & ~_EXTENDED == _PLAIN_TEXT:
            text, at = data[at + 1 : at + 1 + data[at]], at + 1 + data[at]
        vifes = bytes(_block(data, at)) if vif & _EXTENDED else b""
        at += len(vifes)
        size, at = _size(dib[0] & 0x0F, data, at)
        value = data[at : at + size]
        if len(value) < size:
            raise IndexError
    except IndexError as error:
        why = "which ends in the middle of a record"
        raise UnreadableValue(what="data records", data=data[start:], why=why) from error
    storage, tariff, device = _numbers(dib)
    record = Record(
        coding=dib[0] & 0x0F,
        function=FUNCTIONS[dib[0] >> 4 & 3],
        storage=storage,
        tariff=tariff,
        device=device,
        unit=unit_of(vif=vif, vifes=vifes, text=text),
        data=value,
    )
    return record, at + size


def _block(data: bytes, at: int) -> Iterator[int]:
    """A byte and the extensions it announces; at most ten, as the standard says."""
    for place in range(at, at + 1 + _EXTENSIONS_MAX):
        yield data[place]
        if not data[place] & _EXTENDED:
            return
    raise UnreadableValue(
        what="data records", data=data[at:], why="which has more than ten extensions in a row"
    )


def _size(coding: int, data: bytes, at: int) -> tuple[int, int]:
    """How long the value is and where it begins."""
    if coding != _VARIABLE:
        return max(_LENGTHS[coding], 0), at
    length = data[at]
    if length <= 0xBF:
        return length, at + 1
    if 0xC0 <= length <= 0xC9 or 0xD0 <= length <= 0xD9:
        return length & 0x0F, at + 1
    if 0xE0 <= length <= 0xEF:
        return length - 0xE0, at + 1
    raise UnreadableValue(
        what="data records", data=data[at:], why="whose length no version of the standard knows"
    )


def _numbers(dib: bytes) -> tuple[int, int, int]:
    storage, tariff, device = dib[0] >> 6 & 1, 0, 0
    for place, dife in enumerate(dib[1:]):
        storage |= (dife & 0x0F) << (1 + 4 * place)
        tariff |= (dife >> 4 & 3) << (2 * place)
        device |= (dife >> 6 & 1) << place
    return storage, tariff, device

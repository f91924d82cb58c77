"""How a value lies in its bytes, in the notation of the standard: `XXXXXX.XX`, `YYMMDDhhmmss`, `NN`.

A form turns bytes into text and text into the same bytes; the text is exact, so no value passes through
binary fractions. Source: DL/T 645-2007 annex A, columns "data format" and "length".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from fairwatt.drivers.errors import BadRequest, UnreadableValue


class Kind(StrEnum):
    """What the digits of a form are."""

    NUMBER = "number"  # BCD, lowest byte first, perhaps with a point and a sign in its top bit
    DIGITS = "digits"  # digits that are no amount: addresses, codes, passwords
    MOMENT = "moment"  # a date, a time, or both
    BITS = "bits"  # a word of flags, shown as hexadecimal, highest byte first
    TEXT = "text"  # ASCII, last character first on the wire
    BINARY = "binary"  # a whole number, lowest byte first, not BCD
    BYTES = "bytes"  # bytes as they came, shown in the order of the wire


_MOMENT: Final = re.compile(r"(YY|MM|DD|WW|hh|mm|ss|NN)+")
_SEPARATED: Final = {
    "YYMMDDhhmmss": "{0}-{1}-{2} {3}:{4}:{5}",
    "YYMMDDhhmm": "{0}-{1}-{2} {3}:{4}",
    "YYMMDDWW": "{0}-{1}-{2} weekday {3}",
    "hhmmss": "{0}:{1}:{2}",
    "MMDDhhmm": "{0}-{1} {2}:{3}",
    "DDhh": "day {0} {1}h",
    "MMDDNN": "{0}-{1} table {2}",
    "hhmmNN": "{0}:{1} tariff {2}",
    "YYMMDDNN": "{0}-{1}-{2} table {3}",
}


@dataclass(frozen=True, slots=True)
class Form:
    """One notation. `size` is in bytes; a `size` of 0 takes whatever is left."""

    notation: str
    kind: Kind
    size: int
    places: int = 0
    signed: bool = False

    def read(self, data: bytes, *, what: str) -> str | None:
        """Turn bytes into text; None where a number or moment is all FFH, a meter's way to say "none".

        Raises `UnreadableValue` for a wrong size or a nibble that is no digit.
        """
        if self.size and len(data) != self.size:
            raise UnreadableValue(what=what, data=data)
        match self.kind:
            case Kind.NUMBER | Kind.MOMENT if data.count(0xFF) == len(data):
                return None
            case Kind.NUMBER:
                return self._read_number(data, what)
            case Kind.MOMENT:
                return self._read_moment(data, what)
            case Kind.BINARY:
                return str(int.from_bytes(data, "little"))
            case Kind.TEXT:
                return _read_text(data)
            case Kind.BYTES:
                return data.hex().upper()
            case Kind.DIGITS | Kind.BITS:
                return data[::-1].hex().upper()

    def write(self, text: str | None, *, what: str) -> bytes:
        """Turn the text of `read`, or one written a little otherwise, into its bytes. Raises `BadRequest`."""
        if text is None:
            return b"\xff" * self.size
        try:
            wire = self._write(text if self.kind is Kind.TEXT else text.strip())
        except (ValueError, OverflowError, UnicodeEncodeError) as error:
            raise BadRequest(f"{text!r} cannot be written as {self.notation} for {what}.") from error
        if self.size and len(wire) != self.size:
            raise BadRequest(f"{text!r} does not fit into {self.notation} for {what}.")
        return wire

    def _write(self, text: str) -> bytes:
        match self.kind:
            case Kind.NUMBER:
                return self._write_number(text)
            case Kind.MOMENT:
                return bytes.fromhex(re.sub(r"\D", "", text))[::-1]
            case Kind.BINARY:
                return int(text).to_bytes(self.size, "little")
            case Kind.TEXT:
                # An escape stands for a byte that is no printable character.
                plain = text.encode("ascii").decode("unicode_escape").encode("latin-1")
                return plain.rjust(self.size, b"\0")[::-1]
            case Kind.BYTES:
                return bytes.fromhex(text)
            case Kind.DIGITS | Kind.BITS:
                return bytes.fromhex(text.zfill(2 * self.size))[::-1]

    def _read_number(self, data: bytes, what: str) -> str:
        negative = self.signed and bool(data[-1] & 0x80)
        bare = data[:-1] + bytes([data[-1] & 0x7F]) if negative else data
        digits = bare[::-1].hex()
        if not digits.isdecimal():
            raise UnreadableValue(what=what, data=data)
        whole = str(int(digits[: len(digits) - self.places] or "0"))
        fraction = f".{digits[-self.places :]}" if self.places else ""
        return f"{'-' if negative else ''}{whole}{fraction}"

    def _write_number(self, text: str) -> bytes:
        found = re.fullmatch(r"([+-]?)0*(\d*)(?:\.(\d*?)0*)?", text)
        if found is None or len(found[3] or "") > self.places:
            raise ValueError(text)
        digits = (found[2] + (found[3] or "").ljust(self.places, "0")).rjust(2 * self.size, "0")
        wire = bytes.fromhex(digits)
        negative = found[1] == "-"
        if len(wire) == self.size and self.signed and wire[0] & 0x80 and negative:
            raise ValueError(text)
        if negative and not self.signed:
            raise ValueError(text)
        return (bytes([wire[0] | 0x80]) + wire[1:] if negative else wire)[::-1]

    def _read_moment(self, data: bytes, what: str) -> str:
        digits = data[::-1].hex()
        if not digits.isdecimal():
            raise UnreadableValue(what=what, data=data)
        pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
        return _SEPARATED[self.notation].format(*pairs) if self.notation in _SEPARATED else digits


def _read_text(data: bytes) -> str:
    bare = data[::-1].decode("latin-1").lstrip("\0")
    return bare.encode("unicode_escape").decode("ascii")


@cache
def form(notation: str) -> Form:
    """Return the form of a notation.

    `X` and `N` are digits, a leading `±` puts the sign into the top bit; `#6`, `b2`, `a32`, `u4` and `*2`
    are 6 bytes of code digits, 2 of flags, 32 of ASCII, 4 of binary number and 2 of bytes; `*` is the rest.
    """
    if notation == "*":
        return Form(notation, Kind.BYTES, 0)
    if notation[0] in _MARKED:
        return Form(notation, _MARKED[notation[0]], int(notation[1:]))
    signed, digits = notation.startswith("±"), notation.removeprefix("±")
    if set(digits) <= {"X", "N", "."}:
        whole, _, fraction = digits.partition(".")
        return Form(notation, Kind.NUMBER, (len(whole) + len(fraction)) // 2, len(fraction), signed)
    assert _MOMENT.fullmatch(digits), notation
    return Form(notation, Kind.MOMENT, len(digits) // 2)


_MARKED: Final = {"#": Kind.DIGITS, "b": Kind.BITS, "a": Kind.TEXT, "u": Kind.BINARY, "*": Kind.BYTES}


@dataclass(frozen=True, slots=True)
class Field:
    """A named part of a frame's data."""

    name: str
    notation: str
    unit: str = ""

    @property
    def form(self) -> Form:
        return form(self.notation)

    @property
    def size(self) -> int:
        return self.form.size


@dataclass(frozen=True, slots=True)
class Value:
    """A field with what a frame holds in it; `text` is None where the meter says it has none."""

    field: Field
    text: str | None

    def write(self) -> bytes:
        """Return the bytes this value lies in. Raises `BadRequest`."""
        return self.field.form.write(self.text, what=self.field.name)


def read_fields(fields: tuple[Field, ...], data: bytes) -> tuple[Value, ...]:
    """Cut data into fields. Raises `UnreadableValue` when they do not fill it exactly."""
    values: list[Value] = []
    position = 0
    for field in fields:
        end = position + field.size if field.size else len(data)
        values.append(Value(field, field.form.read(data[position:end], what=field.name)))
        position = end
    if position != len(data):
        raise UnreadableValue(
            what=f"{position} bytes of {fields[-1].name if fields else 'nothing'}", data=data
        )
    return tuple(values)


def write_values(values: tuple[Value, ...]) -> bytes:
    """Put fields back into data."""
    return b"".join(value.write() for value in values)

"""Registers become whole numbers of our units: exactly, or not at all.

A float32 on the wire is a fraction with a power of two below the line, and is worked with as exactly that. It
is brought to our unit by the ratio of the profile and rounded to the nearest step of the profile's resolution
(halves up), because a meter that shows 12.34 kWh sends 12.340000152587890625. No float arithmetic anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from fairwatt.drivers.errors import UnreadableValue
from fairwatt.drivers.exact import FLOAT32, FLOAT64, binary_bits, binary_fraction
from fairwatt.drivers.profile import ProfileError, only

from .pdu import READS_BITS, READS_REGISTERS, Question

_WORDS: Final = {
    "uint16": 1,
    "int16": 1,
    "uint32": 2,
    "int32": 2,
    "float32": 2,
    "uint64": 4,
    "int64": 4,
    "float64": 4,
}
_FLOATS: Final = {"float32": FLOAT32, "float64": FLOAT64}
_WORD_ORDERS: Final = ("high_first", "low_first")
_BYTE_ORDERS: Final = ("high_first", "low_first")


@dataclass(frozen=True, slots=True)
class Item:
    """Where a value lives in a meter and how its registers become our unit.

    Our unit = number x ``times`` / ``over``, rounded to a multiple of ``step``. ``absent`` is the bit pattern
    that means "not measured".
    """

    name: str
    function: int
    address: int
    kind: str
    times: int = 1
    over: int = 1
    step: int = 1
    word_order: str = "high_first"
    byte_order: str = "high_first"
    absent: int | None = None

    @property
    def words(self) -> int:
        """How many registers the value takes."""
        return _WORDS[self.kind]

    @property
    def question(self) -> Question:
        """The question for this value alone."""
        return Question(function=self.function, address=self.address, count=self.words)

    def bits(self, data: bytes) -> int:
        """Put registers as they came into one number, most significant bit first."""
        if len(data) != 2 * self.words:
            raise UnreadableValue(what=self.name, data=data)
        words = [data[at : at + 2] for at in range(0, len(data), 2)]
        if self.byte_order == "low_first":
            words = [word[::-1] for word in words]
        if self.word_order == "low_first":
            words = words[::-1]
        return int.from_bytes(b"".join(words))

    def decode(self, data: bytes) -> int | None:
        """Turn registers into our unit; None where the meter says it does not measure this.

        Raises `UnreadableValue` for NaN and infinity.
        """
        bits = self.bits(data)
        if bits == self.absent:
            return None
        exact = self._exact(bits, data) * self.times / self.over / self.step
        return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator) * self.step

    def encode(self, amount: int) -> bytes:
        """Turn our unit into registers as a meter would send them, rounded to what they can hold."""
        exact = Fraction(amount * self.over, self.times)
        if self.kind in _FLOATS:
            bits = binary_bits(exact, _FLOATS[self.kind])
        else:
            bits = exact.numerator // exact.denominator & ((1 << 16 * self.words) - 1)
        raw = bits.to_bytes(2 * self.words)
        words = [raw[at : at + 2] for at in range(0, len(raw), 2)]
        if self.word_order == "low_first":
            words = words[::-1]
        return b"".join(word[::-1] if self.byte_order == "low_first" else word for word in words)

    def _exact(self, bits: int, data: bytes) -> Fraction:
        width = 16 * self.words
        if self.kind not in _FLOATS:
            signed = self.kind.startswith("int") and bits >> (width - 1)
            return Fraction(bits - (1 << width) if signed else bits)
        number = binary_fraction(bits, _FLOATS[self.kind])
        if number is None:
            raise UnreadableValue(what=self.name, data=data, why="which is no number")
        return number


def parse_item(*, name: str, row: dict[str, Any], step: int = 1) -> Item:
    """Read one item of a profile. Raises `ProfileError` that names what to mend."""
    only(
        row,
        "function",
        "address",
        "type",
        "scale",
        "word_order",
        "byte_order",
        "absent",
        where=f"Item {name!r}",
    )
    try:
        times, over = row.get("scale", [1, 1])
        item = Item(
            name=name,
            function=int(row["function"]),
            address=int(row["address"]),
            kind=str(row["type"]),
            times=int(times),
            over=int(over),
            step=step,
            word_order=str(row.get("word_order", "high_first")),
            byte_order=str(row.get("byte_order", "high_first")),
            absent=row.get("absent"),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ProfileError(
            f"Modbus item {name!r} needs function, address and type, and scale as two whole numbers ({error!r})."
        ) from error
    if (
        item.kind not in _WORDS
        or item.function not in READS_REGISTERS
        or item.word_order not in _WORD_ORDERS
        or item.byte_order not in _BYTE_ORDERS
        or type(times) is not int
        or type(over) is not int
        or over < 1
        or times == 0
        or not 0 <= item.address <= 0xFFFF
    ):
        raise ProfileError(
            f"Modbus item {name!r}: function is 3 or 4, type one of {', '.join(_WORDS)}, word_order and byte_order "
            f"one of {', '.join(_WORD_ORDERS)}, scale two whole numbers, address 0 to 65535; got {row}."
        )
    return item


def parse_bit(*, name: str, row: dict[str, Any]) -> Question:
    """Read where one bit lives (a coil or an input). Raises `ProfileError`."""
    only(row, "function", "address", where=f"Table {name!r}")
    function, address = row.get("function"), row.get("address")
    if function not in READS_BITS or type(address) is not int or not 0 <= address <= 0xFFFF:
        raise ProfileError(f"Modbus {name!r} needs function 1 or 2 and an address; got {row}.")
    return Question(function=function, address=address)

"""One identifier of the catalogue: its name and how its bytes are cut into fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.dlt645.forms import Field, Value, read_fields
from fairwatt.drivers.errors import UnreadableValue

REST: Final = Field("further data", "*")


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies under one identifier.

    `fields` come first and in this order; `repeats` then follow as often as the data go on (a block's
    tariffs), numbered from 1. A block may stop early after any whole field: meters have fewer phases or
    tariffs than the standard. An entry that `is_open` carries further bytes the standard leaves to records
    that differ by meter; they are shown as they are.
    """

    name: str
    fields: tuple[Field, ...]
    repeats: tuple[Field, ...] = ()
    is_block: bool = False
    is_open: bool = False

    @property
    def size(self) -> int:
        """Bytes of the fixed fields."""
        return sum(field.size for field in self.fields)

    def layout(self, size: int) -> tuple[Field, ...]:
        """Return the fields that fill exactly `size` bytes. Raises `UnreadableValue` when none do."""
        fields: list[Field] = []
        left = size
        for field in self.fields:
            if left == 0 and self.is_block and fields:
                return tuple(fields)
            if field.size > left:
                raise UnreadableValue(what=f"{self.name} ({size} bytes)", data=b"")
            fields.append(field)
            left -= field.size
        step = sum(field.size for field in self.repeats)
        if step:
            for number in range(1, left // step + 1):
                fields += [Field(f"{one.name} {number}", one.notation, one.unit) for one in self.repeats]
            left %= step
        if left and self.is_open:
            return (*fields, REST)
        if left:
            raise UnreadableValue(what=f"{self.name} ({size} bytes)", data=b"")
        return tuple(fields)

    def read(self, data: bytes) -> tuple[Value, ...]:
        """Cut the value of a reply into named values. Raises `UnreadableValue`."""
        return read_fields(self.layout(len(data)), data)


def plain(name: str, notation: str, unit: str = "") -> Entry:
    """An entry of one field that carries its own name."""
    return Entry(name, (Field(name, notation, unit),))

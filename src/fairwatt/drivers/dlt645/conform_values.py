"""Values as other people write them: a number with its unit, a list for a block, a date with or without dashes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from .catalog import Entry
from .forms import Field, Kind, Value, write_values

# Units that differ by a power of ten, as (base unit, power).
_DIGITS_MAX: Final = 20
_PREFIXES: Final = {"": 0, "k": 3, "M": 6, "m": -3}
_BASES: Final = ("Wh", "varh", "VAh", "W", "var", "VA", "V", "A", "Hz")
_SCALES: Final = {
    **{f"{prefix}{base}": (base, power) for base in _BASES for prefix, power in _PREFIXES.items()},
    "CNY": ("CNY", 0),
    "yuan": ("CNY", 0),
    "RMB": ("CNY", 0),
    "degC": ("Cel", 0),
    "minutes": ("min", 0),
    "seconds": ("s", 0),
    "元": ("CNY", 0),
    "fen": ("CNY", -2),
    "分": ("CNY", -2),
    "CNY/100": ("CNY", -2),
    "℃": ("Cel", 0),
    "°C": ("Cel", 0),
    "C": ("Cel", 0),
    "°": ("deg", 0),
}


class Mismatch(Exception):
    """An entry and our codec say different things; `figures` are (expected, got)."""

    def __init__(self, why: str, expected: str = "", got: str = "") -> None:
        super().__init__(why)
        self.figures = (expected, got)


def fields_from_value(entry: Entry, value: Any, unit: str, *, size: int | None) -> tuple[Value, ...]:
    """Make an item's values from what somebody wrote. `size` is that of its bytes, None for the fixed ones."""
    given = _listed(value)
    fields = entry.layout(entry.size if size is None else size)
    if len(given) != len(fields):
        raise Mismatch(f"{entry.name} has {len(fields)} values", str(len(given)), str(len(fields)))
    values = tuple(spell(one, unit, field) for field, one in zip(fields, given, strict=True))
    write_values(values)
    return values


def same_value(value: Any, unit: str, found: tuple[Value, ...]) -> None:
    """Raise `Mismatch` unless what was read is what somebody wrote."""
    given = _listed(value)
    if len(given) != len(found):
        raise Mismatch("the number of values differs", str(len(given)), str(len(found)))
    for one, got in zip(given, found, strict=True):
        wanted = spell(one, unit, got.field).text
        if wanted == got.text:
            continue
        if wanted is None or got.text is None or not _equal(wanted, got):
            raise Mismatch(
                f"{got.field.name} differs", f"{one} {unit}".strip(), f"{got.text} {got.field.unit}".strip()
            )


def _listed(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]


def _equal(wanted: str, got: Value) -> bool:
    form = got.field.form
    if form.kind is Kind.NUMBER:
        return Decimal(wanted) == Decimal(got.text or "0")
    return form.write(wanted, what=got.field.name) == got.write()


def spell(value: Any, unit: str, field: Field) -> Value:
    """Spell what somebody wrote as the field's form writes it, in the field's own unit. Raises `Mismatch`."""
    form = field.form
    if value is None:
        return Value(field, None)
    if form.kind is not Kind.NUMBER:
        return Value(field, _spelled(value, form.kind))
    try:
        number = Decimal(str(value).strip().replace(",", ""))
        shifted = number.scaleb(_power(unit, field.unit))
    except InvalidOperation as error:
        raise Mismatch(f"{field.name} is a number", str(value), "") from error
    # 1E-999999 is a number too, and would be written out as a million digits.
    if (
        not shifted.is_finite()
        or shifted.adjusted() > _DIGITS_MAX
        or len(shifted.as_tuple().digits) > _DIGITS_MAX
    ):
        raise Mismatch(f"{field.name} is out of range", str(value), "")
    if shifted and shifted.adjusted() < -_DIGITS_MAX:
        raise Mismatch(f"{field.name} is finer than a meter shows", str(value), "")
    text = f"{shifted:f}" if shifted else "0"
    sign = "-" if number.is_signed() else ""
    return Value(field, sign + text.removeprefix("-"))


def _spelled(value: Any, kind: Kind) -> str:
    if kind is Kind.BITS and isinstance(value, int):
        return f"{value:X}"
    text = str(value)
    if kind in (Kind.TEXT, Kind.BINARY):
        return text
    if kind is Kind.MOMENT:
        digits = re.sub(r"\D", "", text)
        # A year in four digits is a year in two, with its century said.
        return digits[2:] if re.match(r"\s*20\d\d-", text) else digits
    return re.sub(r"[\s:-]", "", text).removeprefix("0x").removesuffix("H")


def _power(unit: str, own: str) -> int:
    if not unit or not own or unit == own:  # a ratio has no unit, whatever somebody wrote beside it
        return 0
    theirs, ours = _scale(unit), _scale(own)
    if theirs[0] != ours[0]:
        raise Mismatch("the unit differs", unit, own)
    return theirs[1] - ours[1]


def _scale(unit: str) -> tuple[str, int]:
    return _SCALES.get(unit, (unit, 0))

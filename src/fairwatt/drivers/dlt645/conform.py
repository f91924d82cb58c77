"""Try our codec on frames that others wrote down: from their fields to bytes, from bytes to their fields.

An entry has `hex` and any of: `name`, `preamble`, `address`, `control`, `length`, `data_plain`,
`checksum_ok`, `di`, `value`, `unit`, and the fields of its function (`FIELDS`). What it has is compared, in both
directions. Words of an entry that we have no meaning for are named in the report as not compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.errors import BadRequest, UnreadableValue

from . import frame as wire
from .catalog import find_entry
from .conform_values import Mismatch, fields_from_value, same_value, spell
from .forms import Field, Value, write_values
from .frame import WAKE, Frame, close_frame, open_frame
from .layouts import Meaning, understand
from .scan import Piece, PieceKind, scan

WORDS: Final = {"name", "note", "notes", "comment", "source", "description", "direction"}
"""Words about an entry, not fields of its frame."""
ARMOUR: Final = {"hex", "preamble", "address", "control", "length", "data_plain", "checksum_ok", "edition"}
ITEM: Final = {"di", "value", "unit"}
FIELDS: Final = {
    "seq": "sequence",
    "sequence": "sequence",
    "error": "error",
    "err": "error",
    "time": "time",
    "password_level": "password level",
    "level": "password level",
    "pa": "password level",
    "password": "password",
    "operator": "operator",
    "order": "order",
    "n1": "order",
    "command": "order",
    "valid_until": "valid until",
    "freeze_at": "freeze at",
    "speed": "speed",
    "new_address": "address",
    "meter_address": "address",
    "new_password": "new password",
    "new_level": "new level",
}
"""Optional fields of an entry, by the field of the frame they are compared with."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What was expected of one entry in one direction, and what came out."""

    entry: int
    name: str
    direction: str
    expected: str
    got: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """How many entries there were, how many passed each way, and every failure with both figures."""

    vectors: int
    encoded_ok: int
    decoded_ok: int
    failed: tuple[Failure, ...]
    not_compared: tuple[str, ...] = ()
    """Words found in entries that have no meaning here."""


def conform(*, entries: list[Any]) -> Report:
    """Encode and decode every entry of a file. An entry that is none fails both ways and says why."""
    failed: list[Failure] = []
    encoded = decoded = 0
    for number, entry in enumerate(entries, start=1):
        name = str(entry.get("name", "")) if isinstance(entry, dict) else repr(entry)[:60]
        for direction, check in (("encode", _encode), ("decode", _decode)):
            try:
                expected, got, why = check(_checked(entry))
            except (DriverError, Mismatch) as error:
                expected, got = getattr(error, "figures", ("", ""))
                why = str(error)
            if why:
                failed.append(Failure(number, name, direction, expected, got, why))
            elif direction == "encode":
                encoded += 1
            else:
                decoded += 1
    words = {key for entry in entries if isinstance(entry, dict) for key in entry}
    unknown = sorted(words - WORDS - ARMOUR - ITEM - FIELDS.keys())
    return Report(len(entries), encoded, decoded, tuple(failed), tuple(unknown))


def _checked(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise Mismatch("an entry is an object with hex, address and control")
    lacking = [key for key in ("hex", "address", "control") if key not in entry]
    if lacking:
        raise Mismatch(f"the entry lacks {', '.join(lacking)}: there is nothing to compare")
    return entry


def _encode(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Build the bytes from the entry's fields and hold them against its hex."""
    expected = _bytes(entry["hex"], "hex")
    frame = _frame(entry)
    made = bytes([WAKE]) * _preamble(entry, expected) + close_frame(frame=frame)
    figures = (expected.hex(), made.hex())
    if entry.get("checksum_ok", True):
        return *figures, "" if made == expected else "the bytes differ"
    same = made[:-2] == expected[:-2] and made[-1:] == expected[-1:]
    if same and made[-2] != expected[-2]:
        return *figures, ""
    return *figures, "the checksum is said to be wrong and is right" if same else "the bytes differ"


def _frame(entry: dict[str, Any]) -> Frame:
    """Make the frame an entry describes: its data from the item's value or its fields, as far as they go."""
    address = _bytes(str(entry["address"]).zfill(12), "address")[::-1]
    bare = Frame(address=address, control=_number(entry["control"], 16, "control"), data=b"")
    if len(address) != 6 or bare.control > 0xFF:
        raise Mismatch("an address has 6 bytes and a control code one")
    given = _bytes(entry["data_plain"], "data_plain") if "data_plain" in entry else None
    is_empty = given is None and not (ITEM | FIELDS.keys()) & entry.keys()
    data = b"" if is_empty else _data(entry, bare, given)
    if "length" in entry and _number(entry["length"], 10, "length") != len(data):
        raise Mismatch("the length is not that of the data", str(entry["length"]), str(len(data)))
    return Frame(address=address, control=bare.control, data=data)


def _data(entry: dict[str, Any], bare: Frame, given: bytes | None) -> bytes:
    if given is None:
        return _data_from_item(entry, bare)
    frame = Frame(address=bare.address, control=bare.control, data=given)
    meaning = _meaning(frame, entry)
    values = meaning.values
    if "value" in entry:
        values = _with_item(entry, meaning)
    data = write_values(_with_fields(entry, values))
    if data != given:
        raise Mismatch("the data made of the fields differ from data_plain", given.hex(), data.hex())
    return data


def _data_from_item(entry: dict[str, Any], bare: Frame) -> bytes:
    if "di" not in entry:
        raise Mismatch("the entry has neither data_plain nor di to make the data from")
    wire_di = _bytes(str(entry["di"]), "di")[::-1]
    if "value" not in entry:
        return wire_di
    found = find_entry(identifier=int.from_bytes(wire_di, "little"))
    if found is None or not bare.from_meter or bare.function != wire.READ_DATA:
        raise Mismatch(f"identifier {entry['di']} is not in the catalogue, or this is no reply to a read")
    values = fields_from_value(found, entry["value"], str(entry.get("unit", "")), size=None)
    return wire_di + write_values(values)


def _with_item(entry: dict[str, Any], meaning: Meaning) -> tuple[Value, ...]:
    """Put the entry's value in the place of the item's values."""
    if meaning.entry is None or not meaning.item:
        raise Mismatch(
            f"identifier {entry.get('di', meaning.identifier)} is not in the catalogue: its value is unknown"
        )
    size = sum(len(value.write()) for value in meaning.item)
    fresh = fields_from_value(meaning.entry, entry["value"], str(entry.get("unit", "")), size=size)
    kept = len(meaning.values) - len(meaning.item)
    return (*meaning.values[:kept], *fresh)


def _with_fields(entry: dict[str, Any], values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Put the entry's own fields, and its identifier, in the place of what the data held."""
    wanted = {FIELDS[key]: entry[key] for key in FIELDS.keys() & entry.keys()}
    if "di" in entry:
        wanted["identifier"] = entry["di"]
    made: list[Value] = []
    for value in values:
        if value.field.name in wanted:
            made.append(spell(wanted.pop(value.field.name), "", value.field))
        else:
            made.append(value)
    if wanted:
        raise Mismatch(f"the frame has no {', '.join(sorted(wanted))}")
    return tuple(made)


def _decode(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Read the bytes and hold what they mean against the entry's fields."""
    raw = _bytes(entry["hex"], "hex")
    piece, before, frame = _heard(scan(data=raw), entry)
    told = {
        "preamble": (_number, 10, len(before.raw) if before else 0),
        "control": (_number, 16, frame.control),
        "length": (_number, 10, len(frame.data)),
    }
    for key, (parse, base, got) in told.items():
        if key in entry and parse(entry[key], base, key) != got:
            return str(entry[key]), f"{got:X}" if base == 16 else str(got), f"{key} differs"
    texts = {
        "address": frame.number,
        "data_plain": frame.data.hex(),
        "edition": "1997" if frame.is_1997 else "2007",
    }
    for key, text in texts.items():
        if key in entry and _bare(entry[key]).zfill(len(text)) != text.lower():
            return str(entry[key]), text, f"{key} differs"
    is_whole = piece.kind is PieceKind.FRAME
    if bool(entry.get("checksum_ok", True)) != is_whole:
        return str(entry.get("checksum_ok")), str(is_whole), "checksum_ok differs"
    return _decode_meaning(entry, _meaning(frame, entry))


def _decode_meaning(entry: dict[str, Any], meaning: Meaning) -> tuple[str, str, str]:
    named = {value.field.name: value for value in meaning.values}
    wanted = {key: FIELDS[key] for key in FIELDS.keys() & entry.keys()}
    for key, name in {**wanted, **({"di": "identifier"} if "di" in entry else {})}.items():
        if name not in named:
            raise Mismatch(f"the frame has no {name}", str(entry[key]))
        same_value(entry[key], "", (named[name],))
    if "value" in entry:
        if not meaning.item:
            raise Mismatch(f"identifier {meaning.identifier} is not in the catalogue: its value is unknown")
        same_value(entry["value"], str(entry.get("unit", "")), meaning.item)
    return "", "", ""


def _meaning(frame: Frame, entry: dict[str, Any]) -> Meaning:
    """Name the data. Where nothing inside them is to be compared, a vendor's own layout is no fault."""
    try:
        return understand(frame=frame)
    except UnreadableValue:
        if (ITEM | FIELDS.keys()) & entry.keys():
            raise
        return Meaning(
            "data of a layout that is not the standard's", (Value(Field("data", "*"), frame.data.hex()),)
        )


def _heard(pieces: list[Piece], entry: dict[str, Any]) -> tuple[Piece, Piece | None, Frame]:
    """Return the frame with its piece, and the wake-up bytes right before it."""
    for before, piece in zip([None, *pieces], pieces, strict=False):
        wake = before if before is not None and before.kind is PieceKind.WAKE else None
        if piece.frame is not None:
            return piece, wake, piece.frame
        if piece.kind is PieceKind.DAMAGED and not entry.get("checksum_ok", True):
            return piece, wake, open_frame(raw=piece.raw)
    why = next((piece.why for piece in pieces if piece.why), "nothing in these bytes is a frame")
    raise Mismatch(f"no frame was heard: {why}")


def _preamble(entry: dict[str, Any], raw: bytes) -> int:
    if "preamble" in entry:
        return _number(entry["preamble"], 10, "preamble")
    return len(raw) - len(raw.lstrip(bytes([WAKE])))


def _bare(value: Any) -> str:
    text = re.sub(r"[\s:._-]", "", str(value)).lower()
    return text.removeprefix("0x").removesuffix("h")


def _bytes(value: Any, what: str) -> bytes:
    try:
        return bytes.fromhex(_bare(value))
    except ValueError as error:
        raise Mismatch(f"{what} is not hexadecimal: {value!r}") from error


def _number(value: Any, base: int, what: str) -> int:
    try:
        number = value if isinstance(value, int) else int(_bare(value), base)
    except ValueError as error:
        raise Mismatch(f"{what} is no number: {value!r}") from error
    if not 0 <= number <= 1000:
        raise BadRequest(f"{what} is out of range: {number}.")
    return number

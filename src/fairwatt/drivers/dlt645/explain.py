"""Explain a recording of a line in words: every frame, every field, every byte that is none."""

from __future__ import annotations

from typing import Any, Final

from fairwatt.drivers.contract import DriverError

from . import frame as wire
from .codec import Order
from .errors import refusal_words, security_words
from .forms import Value
from .frame import BROADCAST, WILDCARD, Frame
from .layouts import ORDER, Meaning, understand
from .scan import Piece, scan
from .speed import baud_of
from .status import flags_of

_ORDER_WORDS: Final[dict[int, str]] = {
    Order.TRIP: "open the relay",
    Order.PERMIT_CLOSE: "permit closing; a person presses the button",
    Order.CLOSE: "close the relay",
    Order.ALARM: "start the alarm",
    Order.END_ALARM: "end the alarm",
    Order.KEEP_POWER: "keep power",
    Order.END_KEEP_POWER: "end keeping power",
}


def explain(*, data: bytes) -> list[dict[str, Any]]:
    """Return one record a piece of the recording, fit for JSON and for a table."""
    return [_piece(piece) for piece in scan(data=data)]


def _piece(piece: Piece) -> dict[str, Any]:
    told: dict[str, Any] = {"at": piece.offset, "kind": piece.kind.value, "hex": piece.raw.hex().upper()}
    if piece.frame is None:
        return told | ({"why": piece.why} if piece.why else {})
    return told | explain_frame(frame=piece.frame)


def explain_frame(*, frame: Frame) -> dict[str, Any]:
    """Return address, function and every field of one frame."""
    told: dict[str, Any] = {
        "address": frame.number,
        "to": _whom(frame),
        "control": f"{frame.control:02X}",
        "length": len(frame.data),
        "data": frame.data.hex().upper(),
    }
    try:
        meaning = understand(frame=frame)
    except DriverError as error:
        return told | {"title": "unreadable data", "fields": [], "why": str(error)}
    told["title"] = meaning.title
    if meaning.identifier is not None:
        told["identifier"] = meaning.identifier
    if meaning.identifier is not None and not frame.is_1997:
        told["item"] = meaning.entry.name if meaning.entry else "unknown: ask the meter's vendor"
    told["fields"] = [_field(value, frame, meaning) for value in meaning.values]
    return told


def _whom(frame: Frame) -> str:
    if frame.from_meter:
        return "from the meter"
    if frame.address == BROADCAST:
        return "to every meter, none answers"
    return "to any meter that fits" if WILDCARD in frame.address else "to the meter"


def _field(value: Value, frame: Frame, meaning: Meaning) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": value.field.name,
        "value": value.text,
        "bytes": value.write().hex().upper(),
    }
    if value.field.unit:
        told["unit"] = value.field.unit
    if note := _note(value, frame, meaning):
        told["note"] = note
    return told


def _note(value: Value, frame: Frame, meaning: Meaning) -> str:
    name, text = value.field.name, value.text
    if text is None:
        return "the meter has none"
    if frame.is_abnormal and name == "error":
        error = int(text, 16)
        words = (
            security_words(error)
            if frame.function == wire.SECURITY and len(text) == 4
            else refusal_words(error)
        )
        return "; ".join(words)
    if name == ORDER.name:
        return _ORDER_WORDS.get(int(text, 16), "unknown order")
    if name == "speed":
        baud = baud_of(code=int(text, 16))
        return f"{baud} bit/s" if baud else "no known speed"
    if name.startswith("status word"):
        return "; ".join(flags_of(word=int(name.split()[-1]), bits=int(text, 16))) or "no flag"
    if name == "freeze at":
        return (
            "now"
            if text == "99-99 99:99"
            else "99 stands for every month, day or hour"
            if "99" in text
            else ""
        )
    return ""

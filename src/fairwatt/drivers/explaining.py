"""A recording of a line taken to pieces: frames with their fields, and the bytes between that are none."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

type Told = dict[str, Any]
type FrameAt = Callable[[bytes, int], tuple[int, Told] | None]
"""From a recording and a place to where the frame that begins there ends, and what it says; None for no frame."""

_WAKE: Final = 0xFE


def take_apart(*, data: bytes, frame_at: FrameAt, starts: bytes = b"", wakes: bool = False) -> list[Told]:
    """Return every byte of a recording in pieces, in order: `frame`, `wake`, `damaged` or `noise`.

    Bytes that are no frame are `damaged` where one of ``starts`` is among them (any byte if that is empty).
    """
    pieces: list[Told] = []
    at = begun = 0
    while at < len(data):
        found = frame_at(data, at)
        if found is None:
            at += 1
            continue
        end, told = found
        pieces += _between(data, begun, at, starts, wakes)
        pieces.append({"at": at, "kind": "frame", "hex": data[at:end].hex().upper(), **told})
        at = begun = end
    return pieces + _between(data, begun, len(data), starts, wakes)


def field(name: str, value: Any, *, unit: str = "", raw: bytes = b"", note: str = "") -> Told:
    """One field as a page and JSON show it; exact numbers become decimal text where they are not whole."""
    told: Told = {"name": name, "value": decimal_text(value) if isinstance(value, Fraction) else value}
    told |= {"unit": unit} if unit else {}
    told |= {"bytes": raw.hex().upper()} if raw else {}
    return told | ({"note": note} if note else {})


def decimal_text(value: Fraction) -> int | str:
    """A fraction as a whole number, or as decimal digits: exact where that ends, else to nine places."""
    if value.denominator == 1:
        return value.numerator
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    places = value.denominator.bit_length() if rest == 1 else 9
    digits = abs(value.numerator) * 10**places // value.denominator
    whole, part = divmod(digits, 10**places)
    sign = "-" if value < 0 else ""
    text = f"{sign}{whole}.{part:0{places}d}".rstrip("0").rstrip(".")
    return text if rest == 1 else f"{text}.."


def _between(data: bytes, start: int, end: int, starts: bytes, wakes: bool) -> list[Told]:
    wake = end
    while wakes and wake > start and data[wake - 1] == _WAKE:
        wake -= 1
    pieces: list[Told] = []
    if wake > start:
        raw = data[start:wake]
        damaged = not starts or any(byte in starts for byte in raw)
        piece: Told = {"at": start, "kind": "damaged" if damaged else "noise", "hex": raw.hex().upper()}
        pieces.append(
            piece | ({"why": "no whole frame with a right checksum begins here"} if damaged else {})
        )
    if end > wake:
        pieces.append({"at": wake, "kind": "wake", "hex": data[wake:end].hex().upper()})
    return pieces

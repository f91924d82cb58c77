"""Deterministic CBOR, strict in both directions.

One value has one encoding. The decoder writes the value again and compares, which refuses trailing bytes,
indefinite lengths and needlessly long integers in one step; a replayed or altered frame can then be
recognised by its bytes.
"""

import re
from typing import Final

import cbor2

from fairwatt.wire.errors import BadShape, MalformedCbor, TooLarge

I63: Final = 1 << 63
"""First integer that no longer fits a signed 64-bit field."""
_COSTLY_TAGS: Final = (35, 36)
"""A pattern and a MIME message: the codec compiles the one, and keeps it, and parses the other."""
_MAYBE_COSTLY: Final = re.compile(rb"(?:\xd8|\xd9\x00|\xda\x00{3}|\xdb\x00{7})[\x23\x24]")


def encode(value: object) -> bytes:
    """Write one value: shortest integers, definite lengths, map keys sorted."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, /, *, max_bytes: int, what: str) -> object:
    """Read one value that fills ``data`` exactly.

    Raises TooLarge above ``max_bytes`` and MalformedCbor for anything that `encode` would not have written.
    """
    if len(data) > max_bytes:
        raise TooLarge(f"{what} has {len(data)} bytes, the limit is {max_bytes}; it was not used")
    # In most frames neither byte stands anywhere, and it costs nothing to see that.
    if (b"\x23" in data or b"\x24" in data) and _MAYBE_COSTLY.search(data) and _has_costly_tag(data):
        raise MalformedCbor(f"{what} holds a tag or a length that nothing here writes; it was not used")
    try:
        value: object = cbor2.loads(data)
        again = cbor2.dumps(value, canonical=True)
    # A hostile value makes the codec fail in more ways than it names (depth, memory, odd tags, tags inside
    # themselves); all of them mean the same, and none may stop a receiver.
    except Exception as error:
        raise MalformedCbor(f"{what} is not CBOR: {error}") from None
    if again != data:
        raise MalformedCbor(
            f"{what} is not in the deterministic form: bytes follow it or a length is not minimal"
        )
    return value


def _has_costly_tag(data: bytes) -> bool:
    """Look at every head, one behind the other: a frame of one such tag held a receiver up for half a second."""
    at = 0
    while at < len(data):
        major, number, at = data[at] >> 5, data[at] & 31, at + 1
        if 24 <= number < 28:
            size = 1 << number - 24
            number, at = int.from_bytes(data[at : at + size]), at + size
        elif number >= 28:
            return True  # of no fixed length, which nothing here writes either; a tag may hide behind it
        if major == 6 and number in _COSTLY_TAGS:
            return True
        if major in (2, 3):
            at += number
    return False


def array(value: object, /, *, length: int, what: str) -> list[object]:
    """Return ``value`` as a list of exactly ``length`` fields, or raise BadShape."""
    if type(value) is not list or len(value) != length:
        raise BadShape(f"{what} is not an array of {length} fields")
    return value


def integer(value: object, /, *, what: str, low: int = 0, high: int = I63 - 1) -> int:
    """Return ``value`` as an integer of [low, high], or raise BadShape. True and False are not integers."""
    if type(value) is not int or not low <= value <= high:
        raise BadShape(f"{what} is not an integer of [{low}, {high}]")
    return value


def signed(value: object, /, *, what: str) -> int:
    """Return ``value`` as a signed 64-bit integer, or raise BadShape."""
    return integer(value, what=what, low=-I63)


def octets(value: object, /, *, what: str, length: int | None = None) -> bytes:
    """Return ``value`` as a byte string (of ``length`` bytes when given), or raise BadShape."""
    if type(value) is not bytes or (length is not None and len(value) != length):
        raise BadShape(f"{what} is not a byte string" + ("" if length is None else f" of {length} bytes"))
    return value


def text(value: object, /, *, what: str, max_chars: int = 200) -> str:
    """Return ``value`` as a text of at most ``max_chars`` characters, or raise BadShape."""
    if type(value) is not str or len(value) > max_chars:
        raise BadShape(f"{what} is not a text of at most {max_chars} characters")
    return value


def boolean(value: object, /, *, what: str) -> bool:
    """Return ``value`` as True or False, or raise BadShape."""
    if type(value) is not bool:
        raise BadShape(f"{what} is not true or false")
    return value

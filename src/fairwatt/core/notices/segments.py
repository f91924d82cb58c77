"""How many short messages a text becomes: 160 letters of the GSM alphabet, or 70 of UCS-2 (3GPP TS 23.038, 23.040)."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("^{}\\[~]|€\f")
Alphabet = Literal["GSM-7", "UCS-2"]
_ROOM: Final[dict[Alphabet, tuple[int, int]]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}


class Segments(NamedTuple):
    """What a text takes: its alphabet, the units it counts, the messages it becomes, the room left in the last."""

    alphabet: Alphabet
    units: int
    messages: int
    left: int


def segments(text: str) -> Segments:
    """Count as phones do: letters of the extension take two septets, and no letter is split."""
    alphabet: Alphabet = "GSM-7" if all(one in _BASIC or one in _EXTENDED for one in text) else "UCS-2"
    sizes = [_size(one, alphabet) for one in text]
    units, (single, part) = sum(sizes), _ROOM[alphabet]
    if units <= single:
        return Segments(alphabet, units, 1 if units else 0, single - units)
    count, used = 1, 0
    for size in sizes:
        if used + size > part:
            count, used = count + 1, 0
        used += size
    return Segments(alphabet, units, count, part - used)


def _size(letter: str, alphabet: Alphabet) -> int:
    if alphabet == "GSM-7":
        return 2 if letter in _EXTENDED else 1
    return 2 if ord(letter) > 0xFFFF else 1

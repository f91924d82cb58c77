"""Status words 1 to 7 (04000501 to 04000507): what a meter says about itself, bit by bit.

Source: DL/T 645-2007 annex C. Words 4 to 6 are the same list for phases A, B and C. Bits not listed are
reserved there or differ by meter.
"""

from __future__ import annotations

from typing import Final

STATUS_WORDS: Final = tuple(range(0x04000501, 0x04000508))
STATUS_BLOCK: Final = 0x040005FF

_PHASE: Final = {
    0: "loss of voltage",
    1: "undervoltage",
    2: "overvoltage",
    3: "loss of current",
    4: "overcurrent",
    5: "overload",
    6: "reverse flow",
    7: "missing phase",
    8: "broken current",
}
_FLAGS: Final[dict[int, dict[int, str]]] = {
    1: {
        1: "demand by slots",
        2: "clock battery low",
        3: "reading battery low",
        4: "active power reversed",
        5: "reactive power reversed",
        8: "control circuit fault",
        9: "ESAM fault",
        12: "memory fault",
        14: "clock fault",
        15: "fault of the infrared authentication",
    },
    2: {
        0: "active power of phase A reversed",
        1: "active power of phase B reversed",
        2: "active power of phase C reversed",
        4: "reactive power of phase A reversed",
        5: "reactive power of phase B reversed",
        6: "reactive power of phase C reversed",
    },
    3: {
        0: "second day table in force",
        1: "on auxiliary supply",
        2: "on its battery",
        3: "programming permitted",
        4: "relay open",
        5: "second zone table in force",
        6: "relay ordered open",
        7: "alarm before tripping",
        8: "prepaid by energy",
        9: "prepaid by money",
        10: "second price table in force",
        11: "second step table in force",
        12: "power kept",
        13: "identity authenticated",
        14: "no local account",
        15: "no remote account",
    },
    4: _PHASE,
    5: _PHASE,
    6: _PHASE,
    7: {
        0: "reversed voltage sequence",
        1: "reversed current sequence",
        2: "voltage unbalance",
        3: "current unbalance",
        4: "auxiliary supply lost",
        5: "power failed",
        6: "demand over limit",
        7: "power factor below limit",
        8: "severe current unbalance",
    },
}


def flags_of(*, word: int, bits: int) -> tuple[str, ...]:
    """Name the bits that are set in status word 1 to 7; unlisted ones by their number."""
    names = _FLAGS.get(word, {})
    return tuple(names.get(bit, f"bit {bit}") for bit in range(16) if bits >> bit & 1)


def word_of(*, word: int, flags: frozenset[str]) -> bytes:
    """Write a status word with these flags set, lowest byte first. Raises `KeyError` for an unknown flag."""
    bits = {name: bit for bit, name in _FLAGS[word].items()}
    return sum(1 << bits[name] for name in flags).to_bytes(2, "little")

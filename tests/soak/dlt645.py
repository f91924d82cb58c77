"""Frames of DL/T 645: damaged on the line, torn, doubled, or sealed again around other data.

A checksum of one byte lets one in 256 through where several bytes changed at once; one changed byte it always finds.
A frame sealed again is no damage but another frame: it must be understood or refused by name, never break.
"""

from __future__ import annotations

import random
from collections import Counter
from math import isqrt
from typing import Final

from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.dlt645 import JoinedExchange, read_clock, read_energy
from fairwatt.drivers.dlt645.explain import explain
from fairwatt.drivers.dlt645.forms import write_values
from fairwatt.drivers.dlt645.frame import Frame, close_frame
from fairwatt.drivers.dlt645.layouts import understand
from fairwatt.drivers.dlt645.scan import scan
from fairwatt.drivers.dlt645.stream import FrameStream

from . import Soaked

CHECK: Final = 1 << 8
_NUMBER: Final = "202611210001"
_ADDRESS: Final = bytes.fromhex(_NUMBER)[::-1]
_SEALED_AGAIN: Final = "another_frame"
_CONTROLS: Final = (
    0x91,
    0x91,
    0x91,
    0xB1,
    0x92,
    0xD1,
    0x11,
    0x12,
    0x14,
    0x1C,
    0x08,
    0x03,
    0x83,
    0xC3,
    0x93,
    0x81,
)
_TABLES: Final = (0x00, 0x00, 0x01, 0x02, 0x02, 0x03, 0x04, 0x04, 0x05, 0x06, 0x07, 0x1D, 0xFE)


def soak(*, count: int, seed: int) -> Soaked:
    """Damage `count` frames; see the package."""
    dice = random.Random(seed)
    refused: Counter[str] = Counter()
    passed, broken = 0, list[str]()
    for number in range(count):
        right = _frame(dice)
        sealed = close_frame(frame=right)
        how = number % 8
        wrong = _damaged(right, sealed, dice, how=how)
        try:
            code = _heard(wrong, right)
        except Exception as error:
            broken.append(f"{wrong.hex()} of {sealed.hex()}: {error!r}")
            code = "broken"
        if code == _SEALED_AGAIN and how < 6:
            passed += 1
        else:
            refused[code] += 1
    return Soaked(
        protocol="dlt645",
        mutated=count,
        refused=dict(refused),
        passed=passed,
        allowed=_at_most(count),
        broken=tuple(broken[:20]),
    )


def _frame(dice: random.Random) -> Frame:
    control = dice.choice(_CONTROLS)
    identifier = bytes(
        [dice.choice((0, 1, 0xFF)), dice.randrange(256), dice.randrange(16), dice.choice(_TABLES)]
    )
    plain = bytes(
        int(f"{dice.randrange(100):02d}", 16) for _ in range(dice.choice((0, 2, 3, 4, 4, 6, 8, 20, 30)))
    )
    return Frame(_ADDRESS, control, identifier + plain)


def _damaged(right: Frame, sealed: bytes, dice: random.Random, *, how: int) -> bytes:
    """A bit, a byte, several bytes, a cut, bytes doubled or lost; or sealed again around a bit or anything."""
    bad = bytearray(sealed)
    place = dice.randrange(len(bad))
    match how:
        case 0:
            bad[place] ^= 1 << dice.randrange(8)
        case 1:
            bad[place] = (bad[place] + dice.randrange(1, 256)) & 0xFF
        case 2 | 3:
            for at in dice.sample(range(len(bad)), dice.randint(2, 6)):
                bad[at] = dice.randrange(256)
        case 4:
            bad = bad[:place] + bytearray(dice.randbytes(dice.randrange(4)))
        case 5:
            bad[place:place] = dice.randbytes(dice.randint(1, 3))
        case 6:
            data = bytearray(right.data)
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            return close_frame(frame=Frame(right.address, right.control, bytes(data)))
        case _:
            return close_frame(frame=Frame(_ADDRESS, dice.randrange(256), dice.randbytes(dice.randrange(40))))
    return bytes(bad)


def _heard(wrong: bytes, right: Frame) -> str:
    """Hear a recording in every way we have; return how it ended. Raises AssertionError where two differ."""
    frames = FrameStream().feed(wrong)
    pieces = scan(data=wrong)
    assert b"".join(piece.raw for piece in pieces) == wrong, "bytes were lost"
    assert [piece.frame for piece in pieces if piece.frame] == frames, "the stream and the scan differ"
    explain(data=wrong)
    code = "no_frame"
    for frame in frames:
        code = "same_frame" if frame == right else _SEALED_AGAIN
        try:
            meaning = understand(frame=frame)
        except DriverError as error:
            code = error.code
        else:
            assert write_values(meaning.values) == frame.data, "the fields are not the data"
    for exchange in (
        read_energy(address=_NUMBER),
        read_clock(address=_NUMBER, zone="Asia/Shanghai"),
        JoinedExchange(address=_NUMBER, identifier=0x0001FF00, parse=bytes),
    ):
        try:
            exchange.request()
            exchange.feed(wrong)
        except DriverError as error:
            assert error.code, "an error without a name"
    return code


def _at_most(count: int) -> int:
    """Three kinds of damage in eight change several bytes: the mean of a fair check, and five deviations."""
    mean = count * 3 // 8 // CHECK + 1
    return mean + 5 * (isqrt(mean) + 1)

"""Meters on a line, soaked: a right answer is bent, and what the driver then believes is counted.

Not a soak of its own: `modbus`, `mbus` and `cjt188` say what a right answer is and what damage may pass.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

from fairwatt.drivers.contract import DriverError, Exchange, RegisterReading, Step

from . import Soaked


@dataclass(frozen=True, slots=True)
class Case:
    """One question, the answers to it step by step, and the register that they say."""

    exchange: Exchange[RegisterReading]
    answers: list[bytes]
    total: int


def bent(right: bytes, dice: random.Random) -> bytes:
    """Another run of bytes: bits turned, bytes lost, doubled or put in, cut, or made up."""
    wrong = bytearray(right)
    match dice.randrange(6):
        case 0:
            for _ in range(dice.randint(1, 3)):
                wrong[dice.randrange(len(wrong))] ^= 1 << dice.randrange(8)
        case 1:
            for _ in range(dice.randint(1, 4)):
                wrong[dice.randrange(len(wrong))] = dice.randrange(256)
        case 2:
            del wrong[dice.randrange(len(wrong))]
        case 3:
            place = dice.randrange(len(wrong))
            wrong[place:place] = dice.randbytes(dice.randint(1, 4))
        case 4:
            del wrong[dice.randrange(len(wrong)) :]
        case _:
            wrong = bytearray(dice.randbytes(dice.randint(1, 60)))
    return bytes(wrong)


def hear(case: Case, *, last: bytes) -> int | None:
    """Hold the conversation with another last answer. None where that brought no reply."""
    for answer in case.answers[:-1]:
        case.exchange.request()
        if not isinstance(case.exchange.feed(answer), Step):
            raise AssertionError(f"{answer.hex()} did not lead to the next question")
    case.exchange.request()
    reply = case.exchange.feed(last)
    return reply.total_wh if isinstance(reply, RegisterReading) else None


def soak_line(
    *,
    protocol: str,
    count: int,
    seed: int,
    make: Callable[[random.Random, int], Case],
    reseal: Callable[[bytes, random.Random], bytes],
    one_in: int,
) -> Soaked:
    """Bend ``count`` answers. Every fourth is sealed again after it was bent: then anything may be read of it,
    but nothing but a `DriverError` may come out. Of the others one in ``one_in`` may pass its check.
    """
    dice = random.Random(seed)
    refused: Counter[str] = Counter()
    passed, broken = 0, list[str]()
    for number in range(count):
        case, sealed = make(dice, number), number % 4 == 3
        right = case.answers[-1]
        wrong = reseal(right, dice) if sealed else bent(right, dice)
        try:
            told = hear(case, last=wrong)
        except DriverError as error:
            refused[error.code] += 1
        except Exception as error:
            broken.append(f"{wrong.hex()}: {error!r}")
        else:
            if told is None or sealed or told == case.total:
                # A frame that came through whole in spite of the bending says what it said.
                refused["silence" if told is None else "sealed_again" if sealed else "came_through"] += 1
            else:
                passed += 1
    mean = count // one_in + 1
    return Soaked(
        protocol=protocol,
        mutated=count,
        refused=dict(refused),
        passed=passed,
        allowed=mean + 5 * (isqrt(mean) + 1),
        broken=tuple(broken[:20]),
    )

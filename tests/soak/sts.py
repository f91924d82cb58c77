"""Codes of twenty digits: damaged by bits, by digits, and made up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from math import isqrt
from typing import Final

from core import token_cases as cases
from fairwatt.core.tokens.cipher import Algorithm, Cipher, cipher_for
from fairwatt.core.tokens.code import decode, encode
from fairwatt.core.tokens.credit import CurrencyCredit, Resource, TransferCredit
from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.tokens.kinds import Token
from fairwatt.core.tokens.settings import Extended, PowerLimit
from fairwatt.core.tokens.showing import MeterTest
from fairwatt.core.tokens.tid import TID_MAX

from . import Soaked

CHECK: Final = 1 << 16
"""One damaged block in so many passes the check by chance: it has sixteen bits."""
_TYPED: Final = "0123456789 -x٣"


def soak(*, count: int, seed: int) -> Soaked:
    """Damage `count` codes; see the package."""
    dice = random.Random(seed)
    refused: Counter[str] = Counter()
    passed, broken = 0, list[str]()
    # EA07 is the slower cipher and the older one: one code in ten is its.
    for number in range(count):
        algorithm = Algorithm.EA07 if number % 10 == 9 else Algorithm.EA11
        if number % 500 in (0, 9):
            ciphers = {one: _cipher(one, dice) for one in Algorithm}
        cipher = ciphers[algorithm]
        token = _token(dice)
        right = encode(token=token, cipher=cipher)
        wrong = _damaged(right, dice, how=number % 4)
        try:
            read = decode(digits=wrong, cipher=cipher, algorithm=algorithm)
        except TokenError as error:
            refused[error.code] += 1
        except Exception as error:
            broken.append(f"{wrong!r} of {token}: {error!r}")
        else:
            if _typed(wrong) == right:
                # A digit lost beside one like it that was doubled: nothing was damaged, and it must be read.
                refused["came_through"] += 1
                if read != token:
                    broken.append(f"{wrong!r} is {right} of {token}, and reads as {read}")
                continue
            if read == token:
                broken.append(f"{wrong!r} reads as {token}, whose code is {right}")
            passed += read != token
    return Soaked(
        protocol="sts",
        mutated=count,
        refused=dict(refused),
        passed=passed,
        allowed=_at_most(count),
        broken=tuple(broken[:20]),
    )


def _cipher(algorithm: Algorithm, dice: random.Random) -> Cipher:
    return cipher_for(algorithm=algorithm, key=dice.randbytes(algorithm.key_bytes), tables=cases.SAMPLE)


def _token(dice: random.Random) -> Token:
    tid, rnd = dice.randrange(TID_MAX + 1), dice.randrange(16)
    match dice.randrange(5):
        case 0 | 1:
            resource = Resource(dice.randrange(4))
            return TransferCredit(resource=resource, tid=tid, rnd=rnd, tenths=dice.randrange(16_384))
        case 2:
            return CurrencyCredit(resource=Resource.ELECTRICITY, tid=tid, amount_1e5=dice.randrange(16_384))
        case 3:
            return PowerLimit(tid=tid, rnd=rnd, value=dice.randrange(16_384))
        case _:
            value = dice.randrange(CHECK)
            return Extended(tid=tid, rnd=rnd, value=value) if value & 1 else MeterTest(control=value)


def _damaged(right: str, dice: random.Random, *, how: int) -> str:
    """Another twenty digits: a bit, a few digits, anything; or what nobody would call digits."""
    digits = list(right)
    match how:
        case 0:
            return f"{int(right) ^ 1 << dice.randrange(66):020d}"
        case 1:
            for place in dice.sample(range(20), dice.randint(1, 3)):
                digits[place] = str((int(digits[place]) + dice.randint(1, 9)) % 10)
            return "".join(digits)
        case 2:
            made_up = dice.randrange(1 << 66)
            return f"{made_up + (made_up == int(right)):020d}"
        case _:
            place = dice.randrange(20)
            digits[place] = dice.choice(_TYPED.replace(digits[place], ""))
            return "".join(_cut(digits, dice))


def _cut(digits: list[str], dice: random.Random) -> Iterator[str]:
    """Now and then a digit is lost or doubled."""
    for digit in digits:
        yield digit * dice.choice((1,) * 38 + (0, 2))


def _typed(text: str) -> str:
    """The digits of what was typed, as a person means them."""
    return text.replace(" ", "").replace("-", "")


def _at_most(count: int) -> int:
    """The mean of a fair check, and five deviations."""
    mean = count // CHECK + 1
    return mean + 5 * (isqrt(mean) + 1)

"""JSON from devices, strictly: whole numbers stay whole, fractions stay exact, nothing is too deep or too long."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final

from .errors import NotAMessage

TEXT_MAX: Final = 64 * 1024
_DIGITS_MAX: Final = 40


def read_object(message: bytes, *, protocol: str) -> dict[str, Any]:
    """Read one JSON object. Numbers with a point become exact fractions. Raises `NotAMessage`."""
    if len(message) > TEXT_MAX:
        raise NotAMessage(protocol=protocol, why=f"it is longer than {TEXT_MAX} bytes")
    try:
        tree = json.loads(
            message.decode(),
            parse_float=_fraction,
            parse_int=_whole,
            parse_constant=_refused,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise NotAMessage(protocol=protocol, why=f"it is not JSON ({error})") from error
    if not isinstance(tree, dict):
        raise NotAMessage(protocol=protocol, why="it is JSON, but no object")
    return tree


def _fraction(digits: str) -> Fraction:
    number = Decimal(digits)
    if len(digits) > _DIGITS_MAX or abs(number.adjusted()) > _DIGITS_MAX:
        raise ValueError(f"a number of more than {_DIGITS_MAX} digits")
    return Fraction(number)


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise ValueError(f"a number of more than {_DIGITS_MAX} digits")
    return int(digits)


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise ValueError("a name is given twice")
    return tree

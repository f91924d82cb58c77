"""Binary floats of the wire as exact fractions: what a meter sent, with nothing lost and no float made."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple


class Shape(NamedTuple):
    """How many bits of an IEEE 754 number are its exponent and its mantissa."""

    exponent_bits: int
    mantissa_bits: int


FLOAT32: Final = Shape(8, 23)
FLOAT64: Final = Shape(11, 52)


def binary_fraction(bits: int, shape: Shape) -> Fraction | None:
    """Return the exact number these bits stand for; None for infinity and what is no number."""
    exponent_bits, mantissa_bits = shape
    exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1)
    mantissa = bits & ((1 << mantissa_bits) - 1)
    if exponent == (1 << exponent_bits) - 1:
        return None
    whole = mantissa | (1 << mantissa_bits) if exponent else mantissa
    power = max(exponent, 1) - ((1 << exponent_bits - 1) - 1 + mantissa_bits)
    size = Fraction(whole << power) if power >= 0 else Fraction(whole, 1 << -power)
    return -size if bits >> (exponent_bits + mantissa_bits) & 1 else size


def binary_bits(exact: Fraction, shape: Shape) -> int:
    """Return the bits of the nearest number of this shape, ties to even."""
    exponent_bits, mantissa_bits = shape
    if not exact:
        return 0
    size = abs(exact)
    bias = (1 << exponent_bits - 1) - 1
    power = max(size.numerator.bit_length() - size.denominator.bit_length() - 1, 1 - bias)
    while size >= Fraction(2) ** (power + 1):
        power += 1
    whole = round(size / Fraction(2) ** (power - mantissa_bits))
    if whole >> mantissa_bits > 1:
        whole, power = whole >> 1, power + 1
    exponent = power + bias if whole >> mantissa_bits else 0
    sign = 1 if exact < 0 else 0
    return (sign << exponent_bits | exponent) << mantissa_bits | whole & ((1 << mantissa_bits) - 1)

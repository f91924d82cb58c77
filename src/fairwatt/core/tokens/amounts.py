"""Amounts squeezed into 16 or 20 bits: an exponent and a mantissa, rounded in the customer's favour.

Below one exponent lies everything that the smaller ones can say, so each field has one amount and each amount
that can be said has one field.
"""

from __future__ import annotations

from typing import Final

from .errors import TokenError, shown

_MANTISSA: Final = 14
_FULL: Final = (1 << _MANTISSA) - 1
ENERGY_EXPONENT_MAX: Final = 3
CURRENCY_EXPONENT_MAX: Final = 31


class AmountTooLarge(TokenError):
    """More than one code can carry."""

    code = "amount_too_large"


def _offset(exponent: int) -> int:
    return int(10**exponent - 1) // 9 << _MANTISSA


AMOUNT_MAX: Final = _FULL * 10**ENERGY_EXPONENT_MAX + _offset(ENERGY_EXPONENT_MAX)
CURRENCY_MAX: Final = _FULL * 10**CURRENCY_EXPONENT_MAX + _offset(CURRENCY_EXPONENT_MAX)


def pack_amount(amount: int) -> int:
    """Squeeze an amount of 0 or more into 16 bits, rounded up to the next that can be said.

    Up to 16,383 it is exact, above within 0.1 %. Raises AmountTooLarge (above 18,201,624, or negative).
    """
    if not 0 <= amount <= AMOUNT_MAX:
        raise AmountTooLarge(
            "One code carries 0 to %(most)s units, not %(said)s. No code was made; sell it in several codes.",
            most=AMOUNT_MAX,
            said=shown(amount),
        )
    exponent, mantissa = _squeeze(amount, up=True)
    return exponent << _MANTISSA | mantissa


def unpack_amount(field: int) -> int:
    """The amount that a field of 16 bits says."""
    return spread(exponent=field >> _MANTISSA, mantissa=field & _FULL)


def pack_currency(amount_1e5: int) -> tuple[int, int, int]:
    """Squeeze money, in hundred-thousandths of the base unit, into (sign, exponent, mantissa).

    Rounded toward plus infinity: a credit up, a debit down. Raises AmountTooLarge beyond 1.8e29.
    """
    size = abs(amount_1e5)
    if size > CURRENCY_MAX:
        raise AmountTooLarge(
            "One code carries 0 to %(most)s units, not %(said)s. No code was made; sell it in several codes.",
            most=CURRENCY_MAX,
            said=shown(amount_1e5),
        )
    exponent, mantissa = _squeeze(size, up=amount_1e5 >= 0)
    return int(amount_1e5 < 0), exponent, mantissa


def unpack_currency(*, sign: int, exponent: int, mantissa: int) -> int:
    """Money in hundred-thousandths of the base unit."""
    size = spread(exponent=exponent, mantissa=mantissa)
    return -size if sign else size


def spread(*, exponent: int, mantissa: int) -> int:
    """mantissa x 10^exponent, above all that smaller exponents say."""
    return mantissa * int(10**exponent) + _offset(exponent)


def _squeeze(amount: int, *, up: bool) -> tuple[int, int]:
    exponent = 0
    while True:
        above, step = amount - _offset(exponent), 10**exponent
        mantissa = -(-above // step) if up else above // step
        if mantissa <= _FULL:
            return exponent, mantissa
        exponent += 1

"""Every kind of code, as one closed list. A new kind is a dataclass beside its like and a line here."""

from __future__ import annotations

from typing import Final

from .cipher import Algorithm
from .credit import CURRENCY_SUBCLASS, CurrencyCredit, Resource, TransferCredit
from .errors import OutOfRange, TokenError
from .key_change import GroupSection, KeySection, KeySection1, KeySection2, KeySection3, KeySection4
from .settings import (
    ClearCredit,
    ClearTamper,
    Extended,
    PowerLimit,
    TariffRate,
    UnbalanceLimit,
    WaterFactor,
)
from .showing import ExtendedRead, MeterTest, WideMakerTest

Credit = TransferCredit | CurrencyCredit
Showing = MeterTest | WideMakerTest | ExtendedRead
Setting = PowerLimit | ClearCredit | TariffRate | ClearTamper | UnbalanceLimit | WaterFactor | Extended
Token = Credit | Showing | Setting | KeySection

_SHOWINGS: Final = {kind.subclass: kind for kind in (MeterTest, WideMakerTest, ExtendedRead)}
_CLASS_2: Final = {
    kind.subclass: kind
    for kind in (
        PowerLimit,
        ClearCredit,
        TariffRate,
        KeySection1,
        KeySection2,
        ClearTamper,
        UnbalanceLimit,
        WaterFactor,
        KeySection4,
        Extended,
    )
}
"""Sub-class 8 is not among them: what it means depends on the algorithm."""


class UnknownKind(TokenError):
    """A whole, checked code of a class or sub-class that is reserved."""

    code = "unknown_kind"


class Malformed(TokenError):
    """A whole, checked code whose fields hold what they must not."""

    code = "malformed"


def unpack(*, token_class: int, b48: int, algorithm: Algorithm) -> Token:
    """Read the 48 bits of a block that passed its check. Raises UnknownKind, Malformed."""
    try:
        return _unpacked(token_class, b48, algorithm)
    except OutOfRange as error:
        raise Malformed(
            "This code is whole, but what it carries cannot be: %(why)s Nothing was changed; ask the seller for "
            "another code.",
            why=error,
        ) from error


def _unpacked(token_class: int, b48: int, algorithm: Algorithm) -> Token:
    subclass = b48 >> 44
    match token_class:
        case 0 if subclass < CURRENCY_SUBCLASS:
            return TransferCredit.unpack(b48)
        case 0 if subclass < CURRENCY_SUBCLASS + len(Resource):
            return CurrencyCredit.unpack(b48)
        case 1 if subclass in _SHOWINGS:
            return _SHOWINGS[subclass].unpack(b48)
        case 2 if subclass == KeySection3.subclass:
            return (KeySection3 if algorithm is Algorithm.EA11 else GroupSection).unpack(b48)
        case 2 if subclass in _CLASS_2 and not (
            subclass == KeySection4.subclass and algorithm is not Algorithm.EA11
        ):
            return _CLASS_2[subclass].unpack(b48)
        case _:
            raise UnknownKind(
                "This code is of class %(token_class)s, sub-class %(subclass)s, which no meter here knows. Nothing "
                "was changed; ask the seller what it is for.",
                token_class=token_class,
                subclass=subclass,
            )

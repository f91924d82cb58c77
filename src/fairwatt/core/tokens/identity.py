"""Who a code is for: the meter's number with its check digits, its supply group, and the key it holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from .cipher import Algorithm
from .errors import TokenError, within

PAN_DIGITS: Final = 18
_IIN_BY_DRN: Final = {11: "600727", 13: "0000"}
_CARD_BREAK: Final = "==="


class MeterNumberWrong(TokenError):
    """A meter number that fails its own check digits, or is none."""

    code = "meter_number_wrong"


class GroupWrong(TokenError):
    """A supply group code that is not six digits."""

    code = "group_wrong"


class CardUnreadable(TokenError):
    """An identification record that does not read as one."""

    code = "card_unreadable"


class KeyType(IntEnum):
    """KT: what a decoder key is for."""

    INITIAL = 0
    """DITK: put in by the maker"""
    DEFAULT = 1
    """DDTK: of a supply group without meters of its own yet"""
    UNIQUE = 2
    """DUTK: of one meter"""
    COMMON = 3
    """DCTK: of all meters of a group with one tariff"""


def luhn(digits: str) -> str:
    """The check digit that belongs behind `digits`."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 - place % 2)
        total += doubled - 9 * (doubled > 9)
    return str(-total % 10)


@dataclass(frozen=True, slots=True)
class MeterPan:
    """A meter's primary account number: 17 digits and their check digit, with a meter number inside."""

    digits: str

    def __post_init__(self) -> None:
        if not _numeric(self.digits, PAN_DIGITS) or luhn(self.digits[:-1]) != self.digits[-1]:
            raise _wrong(self.digits)

    @property
    def drn(self) -> str:
        """The number on the meter's face: 11 digits, or 13 of makers with four digits."""
        return self.digits[4:17] if self.digits.startswith(_IIN_BY_DRN[13]) else self.digits[6:17]

    @property
    def maker(self) -> int:
        """The maker's number: the first two or four digits of the meter number."""
        return int(self.drn[: 2 if len(self.drn) == 11 else 4])

    def __str__(self) -> str:
        return self.digits


def pan_of_drn(drn: str) -> MeterPan:
    """The account number of a meter, from the 11 or 13 digits on its face. Raises MeterNumberWrong."""
    iin = _IIN_BY_DRN.get(len(drn))
    if iin is None or not _numeric(drn, len(drn)) or luhn(drn[:-1]) != drn[-1]:
        raise _wrong(drn)
    return MeterPan(iin + drn + luhn(iin + drn))


def read_meter_number(said: str) -> MeterPan:
    """Read what stands on a card (18 digits) or on a meter (11 or 13). Raises MeterNumberWrong."""
    digits = "".join(said.split()).replace("-", "")
    return MeterPan(digits) if len(digits) == PAN_DIGITS else pan_of_drn(digits)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyName:
    """Which decoder key a meter holds, in everything but the key: what the vending side derives it from.

    `sgc` is six digits, `ti` 0 to 99, `krn` 1 to 9.
    """

    pan: MeterPan
    sgc: str
    ti: int
    krn: int
    kt: KeyType = KeyType.UNIQUE
    algorithm: Algorithm = Algorithm.EA11

    def __post_init__(self) -> None:
        if not _numeric(self.sgc, 6):
            raise GroupWrong(
                "A supply group code has six digits, not “%(said)s”. No code was made; it stands on the licence "
                "of the supply group.",
                said=self.sgc[:20],
            )
        within("TI", self.ti, 0, 99)
        within("KRN", self.krn, 1, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRecord:
    """What an identification card says: the meter, its key, and which carrier brings its codes (TCT)."""

    MAGNETIC_CARD = "01"
    NUMERIC = "02"

    name: KeyName
    carrier: str = NUMERIC


def card_of(record: CardRecord) -> str:
    """Write the record as it stands on the card: `PAN===TCT EA SGC TI KRN` without the blanks."""
    name = record.name
    return (
        f"{name.pan}{_CARD_BREAK}{record.carrier}{name.algorithm.value:02d}{name.sgc}{name.ti:02d}{name.krn}"
    )


def read_card(text: str) -> CardRecord:
    """Read an identification record. Raises CardUnreadable, MeterNumberWrong, OutOfRange."""
    pan, broken, rest = text.strip().partition(_CARD_BREAK)
    if not broken or not _numeric(rest, 13) or int(rest[2:4]) not in Algorithm:
        raise CardUnreadable(
            "This is no identification record: it reads number===carrier, algorithm, group, tariff index, key "
            "revision. No code was made; read the card again or type the meter's number."
        )
    name = KeyName(
        pan=MeterPan(pan),
        algorithm=Algorithm(int(rest[2:4])),
        sgc=rest[4:10],
        ti=int(rest[10:12]),
        krn=int(rest[12]),
    )
    return CardRecord(name=name, carrier=rest[:2])


def _numeric(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()


def _wrong(said: str) -> MeterNumberWrong:
    return MeterNumberWrong(
        "“%(said)s” is no meter number: its check digit does not fit, or it has not 11, 13 or 18 digits. No code "
        "was made; read it from the meter again.",
        said=said[:24],
    )

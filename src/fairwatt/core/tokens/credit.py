"""Class 0: codes that add what was paid for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from .amounts import pack_amount, pack_currency, unpack_amount, unpack_currency
from .errors import within
from .tid import TID_MAX

CURRENCY_SUBCLASS = 4


class Resource(IntEnum):
    """What a meter counts. The number is the sub-class of its credit, and of its register in a clearing."""

    ELECTRICITY = 0
    WATER = 1
    GAS = 2
    TIME = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCredit:
    """Credit in tenths of a unit: 0.1 kWh, 0.1 m3, 0.1 m3, 0.1 minute.

    Above 16,383 tenths the code carries a little more than asked, never less: `carried` says how much.
    """

    token_class: ClassVar = 0

    resource: Resource
    tid: int
    tenths: int
    rnd: int

    def __post_init__(self) -> None:
        within("RND", self.rnd, 0, 15)
        within("TID", self.tid, 0, TID_MAX)
        pack_amount(self.tenths)

    @property
    def carried(self) -> int:
        """The tenths that the meter will add."""
        return unpack_amount(pack_amount(self.tenths))

    def pack(self) -> int:
        """The 48 bits of the block."""
        return self.resource << 44 | self.rnd << 40 | self.tid << 16 | pack_amount(self.tenths)

    @classmethod
    def unpack(cls, b48: int) -> TransferCredit:
        """Read the 48 bits back."""
        return cls(
            resource=Resource(b48 >> 44),
            rnd=b48 >> 40 & 15,
            tid=b48 >> 16 & TID_MAX,
            tenths=unpack_amount(b48 & 0xFFFF),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyCredit:
    """Credit in money, hundred-thousandths of the base unit; negative takes away. It has no random bits."""

    token_class: ClassVar = 0

    resource: Resource
    tid: int
    amount_1e5: int

    def __post_init__(self) -> None:
        within("TID", self.tid, 0, TID_MAX)
        pack_currency(self.amount_1e5)

    @property
    def carried(self) -> int:
        """The money that the meter will add."""
        sign, exponent, mantissa = pack_currency(self.amount_1e5)
        return unpack_currency(sign=sign, exponent=exponent, mantissa=mantissa)

    def pack(self) -> int:
        """The 48 bits of the block: the exponent's upper bits stand before the TID, the lower behind it."""
        sign, exponent, mantissa = pack_currency(self.amount_1e5)
        head = (self.resource + CURRENCY_SUBCLASS) << 4 | sign << 3 | exponent >> 2
        return head << 40 | self.tid << 16 | (exponent & 3) << 14 | mantissa

    @classmethod
    def unpack(cls, b48: int) -> CurrencyCredit:
        """Read the 48 bits back."""
        exponent = (b48 >> 40 & 7) << 2 | b48 >> 14 & 3
        return cls(
            resource=Resource((b48 >> 44) - CURRENCY_SUBCLASS),
            tid=b48 >> 16 & TID_MAX,
            amount_1e5=unpack_currency(sign=b48 >> 43 & 1, exponent=exponent, mantissa=b48 & 0x3FFF),
        )

"""Class 2: codes that set or clear something in one meter. Each carries a TID and works once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from .amounts import pack_amount, unpack_amount
from .errors import within
from .tid import TID_MAX

ALL_REGISTERS: Final = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """What the seven share: random bits, the minute, and one value of 16 bits."""

    token_class: ClassVar = 2
    subclass: ClassVar[int]
    squeezed: ClassVar = False
    """whether the 16 bits are an amount with an exponent"""
    called: ClassVar = "Value"

    tid: int
    rnd: int
    value: int = 0

    def __post_init__(self) -> None:
        within("RND", self.rnd, 0, 15)
        within("TID", self.tid, 0, TID_MAX)
        if self.squeezed:
            pack_amount(self.value)
        else:
            within(self.called, self.value, 0, 0xFFFF)

    @property
    def carried(self) -> int:
        """The value that the meter will take."""
        return unpack_amount(pack_amount(self.value)) if self.squeezed else self.value

    def pack(self) -> int:
        """The 48 bits of the block."""
        field = pack_amount(self.value) if self.squeezed else self.value
        return self.subclass << 44 | self.rnd << 40 | self.tid << 16 | field

    @classmethod
    def unpack(cls, b48: int) -> Self:
        """Read the 48 bits back."""
        field = b48 & 0xFFFF
        return cls(
            rnd=b48 >> 40 & 15,
            tid=b48 >> 16 & TID_MAX,
            value=unpack_amount(field) if cls.squeezed else field,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLimit(_Setting):
    """SetMaximumPowerLimit: cut above `value` watts."""

    subclass: ClassVar = 0
    squeezed: ClassVar = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearCredit(_Setting):
    """Set a register of credit to zero: 0 to 3 by resource, 4 to 7 in money, 65535 all of them."""

    subclass: ClassVar = 1
    called: ClassVar = "Register"


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffRate(_Setting):
    """SetTariffRate: the meter's own number of a tariff."""

    subclass: ClassVar = 2
    called: ClassVar = "Rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearTamper(_Setting):
    """ClearTamperCondition. The value is padding and 0."""

    subclass: ClassVar = 5
    called: ClassVar = "Pad"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbalanceLimit(_Setting):
    """SetMaximumPhasePowerUnbalanceLimit: cut above `value` watts between phases."""

    subclass: ClassVar = 6
    squeezed: ClassVar = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterFactor(_Setting):
    """SetWaterMeterFactor."""

    subclass: ClassVar = 7
    called: ClassVar = "WMFactor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended(_Setting):
    """STS 202-5: an index of 6 bits and a value of 10. Index 63 writes a flag, named by the value's upper bits."""

    subclass: ClassVar = 10
    called: ClassVar = "Value"

    @property
    def index(self) -> int:
        """Which function."""
        return self.value >> 10

    @property
    def content(self) -> int:
        """What it is set to."""
        return self.value & 0x3FF

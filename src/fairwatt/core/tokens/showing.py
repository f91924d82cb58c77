"""Class 1: codes that make a meter test itself or show something. They are never encrypted and fit every meter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .errors import within


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterTest:
    """Initiate tests and displays by a mask of 36 bits; `maker` has two digits, 0 for every maker."""

    token_class: ClassVar = 1
    subclass: ClassVar = 0

    control: int
    maker: int = 0

    def __post_init__(self) -> None:
        within("Control", self.control, 0, (1 << 36) - 1)
        within("MfrCode", self.maker, 0, 0xFF)

    def pack(self) -> int:
        """The 48 bits of the block."""
        return self.subclass << 44 | self.control << 8 | self.maker

    @classmethod
    def unpack(cls, b48: int) -> MeterTest:
        """Read the 48 bits back."""
        return cls(control=b48 >> 8 & (1 << 36) - 1, maker=b48 & 0xFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class WideMakerTest:
    """The same for makers with four digits; the mask has 28 bits."""

    token_class: ClassVar = 1
    subclass: ClassVar = 1

    control: int
    maker: int = 0

    def __post_init__(self) -> None:
        within("Control", self.control, 0, (1 << 28) - 1)
        within("MfrCode", self.maker, 0, 0xFFFF)

    def pack(self) -> int:
        """The 48 bits of the block."""
        return self.subclass << 44 | self.control << 16 | self.maker

    @classmethod
    def unpack(cls, b48: int) -> WideMakerTest:
        """Read the 48 bits back."""
        return cls(control=b48 >> 16 & (1 << 28) - 1, maker=b48 & 0xFFFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedRead:
    """Show what STS 202-5 names by 36 bits. The 8 bits behind them are 0 in every code seen."""

    token_class: ClassVar = 1
    subclass: ClassVar = 2

    control: int
    rest: int = 0

    def __post_init__(self) -> None:
        within("Control", self.control, 0, (1 << 36) - 1)
        within("Pad", self.rest, 0, 0xFF)

    def pack(self) -> int:
        """The 48 bits of the block."""
        return self.subclass << 44 | self.control << 8 | self.rest

    @classmethod
    def unpack(cls, b48: int) -> ExtendedRead:
        """Read the 48 bits back."""
        return cls(control=b48 >> 8 & (1 << 36) - 1, rest=b48 & 0xFF)

"""A new decoder key, cut into two to four codes, and put together again by the meter.

All are encrypted with the key the meter holds now. They carry no minute: taking one twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Final

from .cipher import Algorithm
from .errors import TokenError, within
from .identity import KeyType
from .tid import KEN_MAX

_WORD: Final = (1 << 32) - 1


class KeyChangeImpossible(TokenError):
    """A key that these codes cannot carry."""

    code = "key_change_impossible"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySection1:
    """Set1stSectionDecoderKey: the key's first word; `ro` says that the base date changes."""

    token_class: ClassVar = 2
    subclass: ClassVar = 3

    ken_high: int
    krn: int
    ro: bool
    three: bool
    kt: KeyType
    word: int = field(repr=False)

    def __post_init__(self) -> None:
        within("KENHO", self.ken_high, 0, 15)
        within("KRN", self.krn, 1, 9)
        within("NKHO", self.word, 0, _WORD)

    def pack(self) -> int:
        """The 48 bits of the block."""
        flags = self.ro << 3 | self.three << 2 | self.kt
        return self.subclass << 44 | self.ken_high << 40 | self.krn << 36 | flags << 32 | self.word

    @classmethod
    def unpack(cls, b48: int) -> KeySection1:
        """Read the 48 bits back."""
        return cls(
            ken_high=b48 >> 40 & 15,
            krn=b48 >> 36 & 15,
            ro=bool(b48 >> 35 & 1),
            three=bool(b48 >> 34 & 1),
            kt=KeyType(b48 >> 32 & 3),
            word=b48 & _WORD,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySection2:
    """Set2ndSectionDecoderKey: the key's last word and the tariff index."""

    token_class: ClassVar = 2
    subclass: ClassVar = 4

    ken_low: int
    ti: int
    word: int = field(repr=False)

    def __post_init__(self) -> None:
        within("KENLO", self.ken_low, 0, 15)
        within("TI", self.ti, 0, 99)
        within("NKLO", self.word, 0, _WORD)

    def pack(self) -> int:
        """The 48 bits of the block."""
        return self.subclass << 44 | self.ken_low << 40 | self.ti << 32 | self.word

    @classmethod
    def unpack(cls, b48: int) -> KeySection2:
        """Read the 48 bits back."""
        return cls(ken_low=b48 >> 40 & 15, ti=b48 >> 32 & 0xFF, word=b48 & _WORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySection3:
    """Set3rdSectionDecoderKey of EA11: the second word and the low 12 bits of the supply group."""

    token_class: ClassVar = 2
    subclass: ClassVar = 8

    sgc_low: int
    word: int = field(repr=False)

    def __post_init__(self) -> None:
        within("SGCLO", self.sgc_low, 0, 0xFFF)
        within("NKMO2", self.word, 0, _WORD)

    def pack(self) -> int:
        """The 48 bits of the block."""
        return self.subclass << 44 | self.sgc_low << 32 | self.word

    @classmethod
    def unpack(cls, b48: int) -> KeySection3:
        """Read the 48 bits back."""
        return cls(sgc_low=b48 >> 32 & 0xFFF, word=b48 & _WORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSection:
    """Set3rdSectionDecoderKey of EA07: the supply group as a binary number; the 20 bits behind it are 0."""

    token_class: ClassVar = 2
    subclass: ClassVar = 8

    sgc: int
    rest: int = 0

    def __post_init__(self) -> None:
        within("SGC", self.sgc, 0, 999_999)
        within("Pad", self.rest, 0, (1 << 20) - 1)

    def pack(self) -> int:
        """The 48 bits of the block."""
        return self.subclass << 44 | self.sgc << 20 | self.rest

    @classmethod
    def unpack(cls, b48: int) -> GroupSection:
        """Read the 48 bits back."""
        return cls(sgc=b48 >> 20 & 0xFFFFFF, rest=b48 & (1 << 20) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySection4:
    """Set4thSectionDecoderKey, EA11 only: the third word and the high 12 bits of the supply group."""

    token_class: ClassVar = 2
    subclass: ClassVar = 9

    sgc_high: int
    word: int = field(repr=False)

    def __post_init__(self) -> None:
        within("SGCHO", self.sgc_high, 0, 0xFFF)
        within("NKMO1", self.word, 0, _WORD)

    def pack(self) -> int:
        """The 48 bits of the block."""
        return self.subclass << 44 | self.sgc_high << 32 | self.word

    @classmethod
    def unpack(cls, b48: int) -> KeySection4:
        """Read the 48 bits back."""
        return cls(sgc_high=b48 >> 32 & 0xFFF, word=b48 & _WORD)


KeySection = KeySection1 | KeySection2 | KeySection3 | GroupSection | KeySection4


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderKey:
    """The key a meter decrypts with, and what goes with it. `sgc` is None where the codes did not name it."""

    key: bytes = field(repr=False)
    algorithm: Algorithm
    kt: KeyType
    krn: int
    ti: int
    ken: int = KEN_MAX
    sgc: str | None = None


def cut(*, new: DecoderKey, rollover: bool) -> tuple[KeySection, ...]:
    """Cut a new key into the sections its codes carry, in the order they are usually typed.

    EA11: four, with the supply group. EA07: three with a supply group, two without. `rollover` when the base date
    changes: the meter then forgets the codes it took. Raises KeyChangeImpossible.
    """
    within("KEN", new.ken, 0, KEN_MAX)
    if len(new.key) != new.algorithm.key_bytes or (new.algorithm is Algorithm.EA11 and new.sgc is None):
        raise KeyChangeImpossible(
            "A key change of algorithm EA%(ea)s needs the whole key and, for EA11, the supply group. No code was "
            "made; name both.",
            ea=f"{new.algorithm.value:02d}",
        )
    words = [int.from_bytes(new.key[i : i + 4]) for i in range(0, len(new.key), 4)]
    long, sgc = new.algorithm is Algorithm.EA11, int(new.sgc or 0)
    first = KeySection1(
        ken_high=new.ken >> 4,
        krn=new.krn,
        ro=rollover,
        three=not long and new.sgc is not None,
        kt=new.kt,
        word=words[0],
    )
    second = KeySection2(ken_low=new.ken & 15, ti=new.ti, word=words[-1])
    if long:
        third = KeySection3(sgc_low=sgc & 0xFFF, word=words[1])
        return first, second, third, KeySection4(sgc_high=sgc >> 12, word=words[2])
    return (first, second, GroupSection(sgc=sgc)) if first.three else (first, second)


def needed(sections: Iterable[KeySection], *, algorithm: Algorithm) -> int:
    """How many codes the set has that these belong to, as far as they tell."""
    if algorithm is Algorithm.EA11:
        return 4
    three = any(
        isinstance(one, GroupSection) or (isinstance(one, KeySection1) and one.three) for one in sections
    )
    return 3 if three else 2


def joined(sections: Iterable[KeySection], *, algorithm: Algorithm) -> tuple[DecoderKey, bool] | None:
    """Put a new key together, with whether the meter forgets its codes; None while a section is missing."""
    had = {one.subclass: one for one in sections}
    first, second, third, fourth = (had.get(subclass) for subclass in (3, 4, 8, 9))
    if not isinstance(first, KeySection1) or not isinstance(second, KeySection2):
        return None
    sgc: int | None = None
    words = [first.word, second.word]
    if algorithm is Algorithm.EA11:
        if not isinstance(third, KeySection3) or not isinstance(fourth, KeySection4):
            return None
        words = [first.word, third.word, fourth.word, second.word]
        sgc = fourth.sgc_high << 12 | third.sgc_low
    elif first.three:
        if not isinstance(third, GroupSection):
            return None
        sgc = third.sgc
    key = DecoderKey(
        key=b"".join(word.to_bytes(4) for word in words),
        algorithm=algorithm,
        kt=first.kt,
        krn=first.krn,
        ti=second.ti,
        ken=first.ken_high << 4 | second.ken_low,
        sgc=None if sgc is None else f"{sgc:06d}",
    )
    return key, first.ro

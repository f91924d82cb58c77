"""EA07, the Standard Transfer Algorithm: 64-bit blocks and keys, 16 rounds over tables that are licensed.

The tables come from the operator; none are shipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Final

from .errors import TokenError

KEY_BYTES: Final = 8
_ROUNDS: Final = 16
_MASK64: Final = (1 << 64) - 1


class TablesUnusable(TokenError):
    """Tables of EA07 that are none: not each entry once, or too few of them."""

    code = "tables_unusable"


class TablesMissing(TokenError):
    """EA07 was asked for where no tables were supplied."""

    code = "tables_missing"

    def __init__(self) -> None:
        super().__init__(
            "This meter needs algorithm EA07, whose tables are licensed by the STS Association and not "
            "supplied here. No code was made or read; ask the operator for the tables, or use a meter "
            "with EA11."
        )


@dataclass(frozen=True)
class Tables:
    """Substitutions `s1`, `s2` of nibbles and the permutation `p` of bits (bit i goes to position p[i])."""

    s1: tuple[int, ...] = field(repr=False)
    s2: tuple[int, ...] = field(repr=False)
    p: tuple[int, ...] = field(repr=False)
    forward: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = field(
        init=False, repr=False, compare=False
    )
    """By nibble and table: where the substituted nibble's bits end."""
    unmixed: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)
    """By byte: where its bits came from."""
    backward: tuple[tuple[int, ...], tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, entries, count in (("s1", self.s1, 16), ("s2", self.s2, 16), ("p", self.p, 64)):
            if sorted(entries) != list(range(count)):
                raise TablesUnusable(
                    "Table %(name)s of EA07 must hold each number from 0 to %(most)s once. No code can be made "
                    "or read with it; supply the tables as they were licensed.",
                    name=name,
                    most=count - 1,
                )
        back = [0] * 64
        for bit, place in enumerate(self.p):
            back[place] = bit
        set_ = object.__setattr__  # derived once; the tables themselves never change
        set_(self, "forward", tuple(self._nibble_tables(i) for i in range(16)))
        set_(self, "unmixed", tuple(tuple(_moved(b << 8 * i, back) for b in range(256)) for i in range(8)))
        set_(self, "backward", (_inverse(self.s1), _inverse(self.s2)))

    def _nibble_tables(self, place: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        one, two = (tuple(_moved(n << 4 * place, self.p) for n in s) for s in (self.s1, self.s2))
        return one, two


class Ea07:
    """One key under one set of tables. Blocks are integers of 64 bits."""

    __slots__ = ("_choices", "_tables")

    def __init__(self, key: bytes, tables: Tables) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"EA07 takes a key of {KEY_BYTES} bytes, not {len(key)}")
        turned = _left(int.from_bytes(key) ^ _MASK64, 64 - 12)
        self._tables = tables
        # Bit 3 of each nibble of the turned key chooses the substitution of that nibble in that round.
        self._choices = tuple(
            tuple(_left(turned, n) >> 4 * i + 3 & 1 for i in range(16)) for n in range(_ROUNDS)
        )

    def __repr__(self) -> str:
        return "Ea07(key kept to itself)"

    def encrypt(self, block: int) -> int:
        """Encrypt one block."""
        forward = self._tables.forward
        for choice in self._choices:
            mixed = 0
            for i in range(16):
                mixed |= forward[i][choice[i]][block & 15]
                block >>= 4
            block = mixed
        return block

    def decrypt(self, block: int) -> int:
        """Undo `encrypt`."""
        unmixed, backward = self._tables.unmixed, self._tables.backward
        for choice in reversed(self._choices):
            block = reduce(or_, (unmixed[i][block >> 8 * i & 255] for i in range(8)))
            block = reduce(or_, (backward[choice[i]][block >> 4 * i & 15] << 4 * i for i in range(16)))
        return block


def _moved(bits: int, places: list[int] | tuple[int, ...]) -> int:
    return sum(1 << place for bit, place in enumerate(places) if bits >> bit & 1)


def _inverse(table: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(table.index(n) for n in range(16))


def _left(bits: int, count: int) -> int:
    return (bits << count | bits >> 64 - count) & _MASK64

"""What a payments drill does, from a seed: who pays what where, and what is broken when."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from fairwatt.simulate.pay.books import Dialect

COUNTS: Final = (20, 2_000_000)
RATE: Final = 200
"""Callbacks a second while their answers are timed."""
TIMED_S: Final = 20
CURRENCY: Final = "CNY"
ZONE: Final = "Asia/Shanghai"
HOMES: Final = 200
SHARES: Final[dict[Dialect, int]] = {"wechat": 40, "alipay": 40, "stripe": 10, "mpesa": 10}
"""Of a hundred payments. The last two sign nothing that could move money: their word makes the collector ask."""
FAULTS: Final = {"dup": 200, "reorder": 50, "drop": 50, "forge": 5, "stale": 5, "probe": 5}
"""Chances per mille of a report."""
METHODS: Final[dict[Dialect, str]] = {"wechat": "qr", "alipay": "qr", "stripe": "redirect", "mpesa": "push"}
P99_MS: Final = 150.0

type Tell = Callable[[str, int, int], None]
"""what is being done, how much of it is done, and of how much"""
type Blow = Literal["web", "collector", "poster", "rotate"]

BLOWS: Final[tuple[tuple[int, Blow], ...]] = (
    (15, "web"),
    (25, "collector"),
    (40, "poster"),
    (50, "rotate"),
    (60, "web"),
    (75, "collector"),
    (90, "poster"),
)
"""What is broken at which percentage: every process dies twice, the keys change in the middle."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment somebody will make: in whole units, which every platform takes."""

    n: int
    home: int
    dialect: Dialect
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole drill. `timed` of the payments are reported at a steady rate, and the answers timed."""

    count: int
    seed: int
    homes: int
    timed: int
    rate: int = RATE
    dialects: tuple[Dialect, ...] = tuple(SHARES)
    hits: tuple[tuple[int, Blow], ...] = BLOWS

    @property
    def at_once(self) -> int:
        """So many people stand before the till at the same time: few enough that a blow hits some in the middle."""
        return max(4, min(60, self.count // 10))

    @classmethod
    def of(cls, *, count: int, seed: int) -> Plan:
        """Raises ValueError for a count outside of COUNTS."""
        if not COUNTS[0] <= count <= COUNTS[1]:
            raise ValueError(f"a drill has {COUNTS[0]} to {COUNTS[1]:,} payments, not {count:,}")
        return cls(count=count, seed=seed, homes=HOMES, timed=min(RATE * TIMED_S, count // 2))

    def payments(self) -> Iterator[Payment]:
        """The payments in their order; beyond `count`, what somebody would pay next."""
        draw = Random(f"{self.seed}/payments")
        weights = [SHARES[one] for one in self.dialects]
        for n in itertools.count():
            dialect = draw.choices(self.dialects, weights)[0]
            yield Payment(n, draw.randrange(self.homes), dialect, draw.randint(1, 500) * 100)

    @property
    def hurried(self) -> int:
        """Payments made under faults and kills; the timed ones follow."""
        return self.count - self.timed

    def blows(self, *, after: int = 0) -> list[tuple[int, Blow]]:
        """What is broken when so many payments were begun; `after` so many, what is still to come."""
        all_of_them = [(max(1, self.hurried * percent // 100), blow) for percent, blow in self.hits]
        return [(number, blow) for number, blow in all_of_them if number > after]

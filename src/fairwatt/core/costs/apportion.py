"""A total split over homes by a published formula: exact to the micro-unit, whoever adds it up again.

One rounding only: the parts of a formula are joined to one whole-number weight, the total is divided by it,
and what is left over goes, one micro-unit each, to the largest remainders; equal remainders by the order of their keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import lcm
from typing import Final, assert_never

from fairwatt.core.refusal import Refusal
from fairwatt.core.units import BP

PARTICIPANTS_MAX: Final = 100_000
LANDLORD_KEY: Final = "landlord"
"""The share that no home can carry, because nobody has any weight in its part of the formula."""


class ApportionError(Refusal):
    """A split that cannot be worked out as asked; nothing was charged."""


def percent_text(bp: int) -> str:
    """Write hundredths of a percent as a percentage without needless zeros."""
    whole, part = divmod(bp, 100)
    return f"{whole}.{part:02d}".rstrip("0") if part else str(whole)


class Basis(StrEnum):
    """What a part of a formula counts."""

    AREA = "area"
    HEADS = "heads"
    DAYS = "days"
    OWN_USE = "own_use"
    EQUAL = "equal"


class Payer(StrEnum):
    """Who carries a share."""

    RESIDENT = "resident"
    LANDLORD = "landlord"


@dataclass(frozen=True, slots=True)
class Part:
    """`percent_bp` hundredths of a percent of the total, split by one basis."""

    basis: Basis
    percent_bp: int

    def __post_init__(self) -> None:
        if not 0 < self.percent_bp <= BP:
            raise ApportionError(
                "the part by %(basis)s is %(percent)s %%; a part is above 0 and at most 100 %%",
                basis=self.basis,
                percent=percent_text(self.percent_bp),
            )


@dataclass(frozen=True, slots=True)
class Formula:
    """How a cost is shared: parts that make 100 %.

    `prorata`: area, heads and equal shares count by the days of a stay. `vacant_pays`: the landlord carries the
    share of days without a resident; otherwise the residents carry them together.
    """

    name: str
    parts: tuple[Part, ...]
    prorata: bool = True
    vacant_pays: bool = True

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ApportionError("a formula needs a name that residents can read")
        if len({part.basis for part in self.parts}) != len(self.parts):
            raise ApportionError("a formula names each basis once; add the percentages of the same basis")
        total = sum(part.percent_bp for part in self.parts)
        if total != BP:
            raise ApportionError(
                "the parts of the formula make %(percent)s %%, not 100 %%; nothing was shared",
                percent=percent_text(total),
            )


@dataclass(frozen=True, slots=True)
class Participant:
    """One stay in one unit during the span: what it counts by. Area in hundredths of a square metre."""

    key: str
    payer: Payer
    days: int
    area_dm2: int = 0
    heads: int = 0
    own_wh: int = 0

    def __post_init__(self) -> None:
        if not self.key or self.key == LANDLORD_KEY:
            raise ApportionError("“%(key)s” cannot name a participant", key=self.key)
        if min(self.days, self.area_dm2, self.heads, self.own_wh) < 0:
            raise ApportionError("%(key)s: days, area, heads and own use cannot be below zero", key=self.key)


@dataclass(frozen=True, slots=True)
class Share:
    """What one participant carries: the whole part of the exact quotient, and the residue it got (-1, 0 or 1)."""

    key: str
    payer: Payer
    weight: int
    floor_micro: int
    residue_micro: int

    @property
    def amount_micro(self) -> int:
        """The share, in micro-units."""
        return self.floor_micro + self.residue_micro


@dataclass(frozen=True, slots=True)
class Apportionment:
    """Shares in the order of their keys; weights are parts of `divisor`, amounts sum to `total_micro`."""

    total_micro: int
    divisor: int
    shares: tuple[Share, ...]

    def __post_init__(self) -> None:
        if sum(share.amount_micro for share in self.shares) != self.total_micro:
            raise ApportionError("the shares do not add up to the total; nothing was shared")


def apportion(*, formula: Formula, total_micro: int, participants: Iterable[Participant]) -> Apportionment:
    """Split a total (micro-units, also below zero) by a formula.

    The same participants in any order get the same shares; more weight never carries less of the total.
    """
    ordered = sorted(participants, key=lambda one: one.key)
    keys = {one.key for one in ordered}
    if not ordered or len(ordered) > PARTICIPANTS_MAX:
        raise ApportionError(
            "%(homes)s homes cannot share a cost; there must be 1 to %(most)s",
            homes=len(ordered),
            most=PARTICIPANTS_MAX,
        )
    if len(keys) != len(ordered):
        raise ApportionError("two participants have the same key; nothing was shared")
    weights, divisor, uncarried = _weights(formula, ordered)
    rows = [(one.key, one.payer, weight) for one, weight in zip(ordered, weights, strict=True)]
    if uncarried:
        rows.append((LANDLORD_KEY, Payer.LANDLORD, uncarried))
        rows.sort()
    amounts = largest_remainder(
        total_micro=total_micro, weights=[weight for _, _, weight in rows], divisor=divisor
    )
    shares = tuple(
        Share(key, payer, weight, floor, residue)
        for (key, payer, weight), (floor, residue) in zip(rows, amounts, strict=True)
    )
    return Apportionment(total_micro, divisor, shares)


def largest_remainder(*, total_micro: int, weights: list[int], divisor: int) -> list[tuple[int, int]]:
    """Return (whole part, residue) for each weight; the weights sum to `divisor`, which is above zero.

    Equal remainders are served in the order given. A total below zero is split as its opposite, with the sign
    changed.
    """
    if divisor <= 0 or min(weights, default=0) < 0 or sum(weights) != divisor:
        raise ApportionError("weights must be zero or above and add up to a divisor above zero")
    sign, size = (-1, -total_micro) if total_micro < 0 else (1, total_micro)
    quotients = [divmod(size * weight, divisor) for weight in weights]
    left = size - sum(whole for whole, _ in quotients)
    by_remainder = sorted(range(len(weights)), key=lambda n: (-quotients[n][1], n))
    lucky = set(by_remainder[:left])
    return [(sign * whole, sign * (n in lucky)) for n, (whole, _) in enumerate(quotients)]


def _weights(formula: Formula, ordered: list[Participant]) -> tuple[list[int], int, int]:
    """One whole-number weight each, what they are parts of, and the weight nobody can carry."""
    columns = [(part, [_count(part.basis, formula, one) for one in ordered]) for part in formula.parts]
    sums = [sum(column) for _, column in columns]
    common = lcm(*(total for total in sums if total)) if any(sums) else 1
    weights = [0] * len(ordered)
    uncarried = 0
    for (part, column), total in zip(columns, sums, strict=True):
        if not total:
            uncarried += part.percent_bp * common
            continue
        each = part.percent_bp * (common // total)
        for n, count in enumerate(column):
            weights[n] += each * count
    return weights, BP * common, uncarried


def _count(basis: Basis, formula: Formula, one: Participant) -> int:
    """What a participant brings to one part of a formula."""
    if one.payer is Payer.LANDLORD and not formula.vacant_pays:
        return 0
    stay = one.days if formula.prorata else int(one.days > 0)
    match basis:
        case Basis.AREA:
            return one.area_dm2 * stay
        case Basis.HEADS:
            return one.heads * stay
        case Basis.DAYS:
            return one.days
        case Basis.OWN_USE:
            return one.own_wh
        case Basis.EQUAL:
            return stay
        case _:
            assert_never(basis)

"""What a fee may take from a wallet: never the money that keeps the power on, unless law and policy say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fairwatt.core.units import BP


class FeePolicyError(ValueError):
    """A rule for fees that cannot be applied as written; the one before stays in force."""


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """How fees and shared costs stand behind energy.

    `reserve_micro` money and `reserve_days` days of the home's own use stay in the wallet, whichever is more.
    `recovery_bp`: of each top-up at most this share goes to arrears, in hundredths of a percent. Only with
    `fees_may_cut` and the law that allows it are fees taken whole, also into debt.
    """

    reserve_micro: int = 0
    reserve_days: int = 7
    recovery_bp: int = 2_000
    fees_may_cut: bool = False
    legal_reference: str = ""

    def __post_init__(self) -> None:
        if self.reserve_micro < 0 or not 0 <= self.reserve_days <= 366:
            raise FeePolicyError("the reserve is an amount from zero up, and 0 to 366 days of use")
        if not 0 <= self.recovery_bp <= BP:
            raise FeePolicyError("the part of a top-up that may go to arrears is between 0 and 100 %")
        if self.fees_may_cut and not self.legal_reference.strip():
            raise FeePolicyError(
                "fees may only cut the power where a law allows it; name the law, or leave energy protected"
            )


DEFAULT_POLICY: Final = FeePolicy()


@dataclass(frozen=True, slots=True)
class Arrear:
    """What is still open of one fee or share; a lower priority number is paid first, then the older one."""

    entry: int
    priority: int
    open_micro: int


def energy_reserve(
    *, policy: FeePolicy, low_micro: int, mean_day_micro: int | None, silent_days: int = 0
) -> int | None:
    """Return the money that fees leave in a wallet; None: all of it, because nobody knows what its days cost.

    At least the level below which the home is warned, so that a fee alone never warns and never cuts; and for
    each day the meter has been silent another day of use, because that energy is not charged yet.
    """
    if mean_day_micro is None:
        return None
    days = policy.reserve_days + silent_days
    return max(policy.reserve_micro, low_micro, 1, days * max(0, mean_day_micro))


def takes(*, policy: FeePolicy, owed_micro: int, available_micro: int, reserve_micro: int | None) -> int:
    """Return how much of a fee the wallet pays now; the rest becomes arrears."""
    if policy.fees_may_cut:
        return owed_micro
    if reserve_micro is None:
        return 0
    return max(0, min(owed_micro, available_micro - reserve_micro))


def recovers(
    *,
    policy: FeePolicy,
    arrears: Sequence[Arrear],
    topped_up_micro: int,
    available_micro: int,
    reserve_micro: int | None,
) -> list[tuple[int, int]]:
    """Return (entry, amount) to take from a top-up for arrears: by priority, capped, energy first."""
    if reserve_micro is None:
        return []
    left = min(topped_up_micro * policy.recovery_bp // BP, available_micro - reserve_micro)
    taken = []
    for one in sorted(arrears, key=lambda arrear: (arrear.priority, arrear.entry)):
        if left <= 0:
            break
        if one.open_micro > 0:
            part = min(left, one.open_micro)
            taken.append((one.entry, part))
            left -= part
    return taken

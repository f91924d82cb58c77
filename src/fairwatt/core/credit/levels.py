"""How near a wallet is to being empty: one rule for the server and for the gateway."""

from dataclasses import replace
from enum import IntEnum
from typing import Final

from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.core.units import WH_PER_KWH


class WarningLevel(IntEnum):
    """How near a wallet is to being empty; a higher number is nearer, and is what a store may keep."""

    NONE = 0
    LOW = 1
    CRITICAL = 2
    EMPTY = 3


LEVEL_NAMES: Final = tuple(level.name.lower() for level in WarningLevel)
"""The word of each level, by its number: what events and screens show."""


def low_threshold_micro(*, policy: CreditPolicy, dearest_micro_per_kwh: int) -> int:
    """Return the money below which credit is low: the policy's, or what its energy level costs at worst.

    Where a home is warned so many days ahead, whoever forecasts it has put that into the policy's money
    (``with_days``): the gateway, which forecasts nothing, warns by the same number.

    ``dearest_micro_per_kwh`` is the highest price the home may have to pay (``Schedule``'s). A wallet with
    several meters has the highest threshold of them. A price of zero or below leaves the policy's money.
    """
    return max(policy.low_micro, policy.low_wh * dearest_micro_per_kwh // WH_PER_KWH)


def warning_level(*, available_micro: int, low_micro: int, critical_micro: int) -> WarningLevel:
    """Say how urgently to warn a resident who has this much left."""
    if available_micro <= 0:
        return WarningLevel.EMPTY
    if available_micro < critical_micro:
        return WarningLevel.CRITICAL
    if available_micro < low_micro:
        return WarningLevel.LOW
    return WarningLevel.NONE


def with_days(*, policy: CreditPolicy, level_micro: int | None) -> CreditPolicy:
    """The policy of a home that is warned while some days of its own use are left; as it is where none are known."""
    low_micro = max(policy.low_micro, level_micro or 0)
    return policy if low_micro == policy.low_micro else replace(policy, low_micro=low_micro)

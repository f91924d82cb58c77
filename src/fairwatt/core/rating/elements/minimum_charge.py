"""The least that a month, a bill or a day costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fairwatt.core.rating.elements.base import MILLI, TariffError, half_up

Window = Literal["month", "bill"]


@dataclass(frozen=True, slots=True)
class MinimumCharge:
    """When the window closes, what the elements in ``on`` fell short of the amount is added.

    ``per_day`` makes the amount one for each day of the window.
    """

    amount_micro: int
    name: str = "minimum"
    window: Window = "month"
    per_day: bool = False
    on: frozenset[str] = frozenset({"energy"})
    times: str | None = None

    def __post_init__(self) -> None:
        if self.amount_micro < 0:
            raise TariffError(f"{self.name!r}: the least that is charged is not below zero")

    def least_micro(self, *, days: int) -> int:
        """The least amount of a window of so many days."""
        return self.amount_micro * days if self.per_day else self.amount_micro

    def for_account(self, parameters: Mapping[str, int]) -> MinimumCharge:
        """The same charge for one account."""
        if self.times is None:
            return self
        return replace(
            self, amount_micro=half_up(self.amount_micro * parameters[self.times], MILLI), times=None
        )

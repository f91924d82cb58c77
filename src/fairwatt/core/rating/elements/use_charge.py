"""A fixed amount whose size is told by the use of the window: the more is used, the larger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from fairwatt.core.rating.elements.base import MILLI, TariffError, half_up


@dataclass(frozen=True, slots=True)
class UseBand:
    """The amount for windows of at most ``upto_wh`` (``None``: any)."""

    upto_wh: int | None
    amount_micro: int


@dataclass(frozen=True, slots=True)
class UseCharge:
    """One amount for a whole month or bill, chosen by its use when the window closes.

    With ``per_days`` the bounds and the amounts hold for so many days and are scaled to those of the window.
    """

    name: str
    bands: tuple[UseBand, ...]
    window: Literal["month", "bill"] = "month"
    per_days: int = 0
    times: str | None = None

    def __post_init__(self) -> None:
        uptos = [band.upto_wh for band in self.bands]
        if any(a is None or (b is not None and b <= a) for a, b in pairwise(uptos)) or uptos[-1] is not None:
            raise TariffError(f"{self.name!r}: `upto` must rise from band to band, and the last has none")

    def amount_of(self, *, energy_wh: int, days: int) -> tuple[int, int]:
        """The amount for a window's use, as a numerator and a denominator of micro-units."""
        whole = self.per_days or days
        for band in self.bands:
            if band.upto_wh is None or energy_wh * whole <= band.upto_wh * days:
                return band.amount_micro * days, whole
        raise AssertionError("the last band has no bound")

    def for_account(self, parameters: Mapping[str, int]) -> UseCharge:
        """The same charge for one account."""
        if self.times is None:
            return self
        bands = tuple(
            replace(b, amount_micro=half_up(b.amount_micro * parameters[self.times], MILLI))
            for b in self.bands
        )
        return replace(self, bands=bands, times=None)

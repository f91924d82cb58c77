"""A price for the highest power of a month or a bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fairwatt.core.rating.elements.base import MILLI, MINUTES_PER_DAY, PPM, TariffError
from fairwatt.core.rating.elements.periods import EVERY_DAY, DayKind, Days


@dataclass(frozen=True, slots=True)
class DemandCharge:
    """Micro-units per kW of the highest average power over ``interval_min`` minutes, inside days and hours.

    With ``per_day`` the price is for each day of the window. Never below ``least_w``, nor below ``least_ppm``
    of the parameter ``least_of``; rounded up to ``step_w``.
    """

    micro_per_kw: int
    name: str = "demand"
    window: Literal["month", "bill"] = "month"
    interval_min: int = 30
    days: Days = EVERY_DAY
    windows: tuple[tuple[int, int], ...] = ((0, MINUTES_PER_DAY),)
    least_w: int = 0
    least_of: str | None = None
    least_ppm: int = 0
    step_w: int = 1
    per_day: bool = False

    def __post_init__(self) -> None:
        if self.interval_min not in {15, 30, 60}:
            raise TariffError(f"{self.name!r}: demand is measured over 15, 30 or 60 minutes")
        if self.step_w < 1:
            raise TariffError(f"{self.name!r}: `step_kw` must be above zero")
        self.days.check(of=repr(self.name))

    def measures(self, kind: DayKind, minute: int) -> bool:
        """Say whether an interval that begins on such a day, at such a minute, counts."""
        return self.days.hold(kind) and any(start <= minute < end for start, end in self.windows)

    def billed_w(self, highest_w: int) -> int:
        """The power that is paid for."""
        return -(-max(highest_w, self.least_w) // self.step_w) * self.step_w

    def for_account(self, parameters: Mapping[str, int]) -> DemandCharge:
        """The same charge for one account. Parameters are in thousandths: a kW is a thousand W."""
        if self.least_of is None:
            return self
        share_w = parameters[self.least_of] * self.least_ppm // PPM
        return replace(self, least_w=max(self.least_w, share_w), least_of=None, least_ppm=0)


assert MILLI == 1_000, "a parameter in kW is W"

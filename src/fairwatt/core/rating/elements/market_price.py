"""A price that follows a market: a series of prices by instant, and the formula on top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fairwatt.core.rating.elements.base import PPM, TariffError, check_price
from fairwatt.core.rating.elements.periods import Period
from fairwatt.core.units import US_PER_HOUR, US_PER_MINUTE

DAILY_MIN: Final = 1_440


@dataclass(frozen=True, slots=True)
class Series:
    """Market prices in micro-units: ``(start_us, price)`` in order, each for ``step_min`` minutes.

    Where a step is missing there is no price, and nothing is charged there.
    """

    name: str
    step_min: int
    points: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if self.step_min not in {5, 15, 30, 60, DAILY_MIN}:
            raise TariffError(
                f"series {self.name!r}: steps are 5, 15, 30, 60 or 1440 minutes, not {self.step_min}"
            )
        before_us = None
        for at_us, _ in self.points:
            if before_us is not None and at_us - before_us < self.step_us - self._slack_us:
                raise TariffError(f"series {self.name!r}: two prices are nearer than {self.step_min} minutes")
            before_us = at_us

    @property
    def step_us(self) -> int:
        """The length of a step."""
        return self.step_min * US_PER_MINUTE

    @property
    def _slack_us(self) -> int:
        """Local days are an hour shorter or longer where clocks change."""
        return US_PER_HOUR if self.step_min == DAILY_MIN else 0

    def end_us(self, index: int) -> int:
        """Where the price of a point ends."""
        at_us = self.points[index][0]
        if self._slack_us and index + 1 < len(self.points):
            following_us = self.points[index + 1][0]
            if following_us - at_us <= self.step_us + self._slack_us:
                return following_us
        return at_us + self.step_us


@dataclass(frozen=True, slots=True)
class MarketPrice:
    """``min(max(coefficient x W + add, floor), cap)`` rounded half up to ``round_micro``; all in micro-units.

    A period adds its own to ``add_micro`` and may have another coefficient.
    """

    series: str
    coefficient_ppm: int
    add_micro: int
    floor_micro: int | None
    cap_micro: int | None
    round_micro: int = 1

    def __post_init__(self) -> None:
        if self.floor_micro is not None and self.cap_micro is not None and self.floor_micro > self.cap_micro:
            raise TariffError("the floor of the market price lies above its cap")
        if self.round_micro < 1:
            raise TariffError("`round_to` must be above zero")

    def price_micro(self, *, market_micro: int, period: Period) -> int:
        """The unit price for a market price in a period, in micro-units."""
        factor = self.coefficient_ppm if period.coefficient_ppm is None else period.coefficient_ppm
        # In parts per million of a micro-unit until it is rounded once, at the end.
        exact = factor * market_micro + (self.add_micro + period.add_micro) * PPM
        if self.floor_micro is not None:
            exact = max(exact, self.floor_micro * PPM)
        if self.cap_micro is not None:
            exact = min(exact, self.cap_micro * PPM)
        unit = self.round_micro * PPM
        price = (2 * exact + unit) // (2 * unit) * self.round_micro
        check_price(price, of=f"series {self.series!r}")
        return price

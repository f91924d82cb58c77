"""A fixed amount for each local day, whether energy is used or not."""

from dataclasses import dataclass
from typing import Final

from fairwatt.core.rating.elements.energy_blocks import PriceOutOfRange

# Keeps 25 years of cumulative daily charge times tax inside 64 bits.
MAX_PER_DAY_MICRO: Final = 100_000_000_000


@dataclass(frozen=True, slots=True)
class StandingCharge:
    """An amount charged at each local midnight ``m`` with ``prev_at < m <= at``.

    ``micro_per_day`` is in micro-units; the version in force at ``m`` sets it. The opening day is free, as
    its midnight lies before the first reading.
    """

    micro_per_day: int

    def __post_init__(self) -> None:
        if abs(self.micro_per_day) > MAX_PER_DAY_MICRO:
            raise PriceOutOfRange(f"{self.micro_per_day} micro-units a day is beyond {MAX_PER_DAY_MICRO}")

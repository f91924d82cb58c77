"""What rating remembers of a register between two readings, and what one reading cost."""

from dataclasses import dataclass
from typing import Final

from fairwatt.core.rating.shares import FINE
from fairwatt.core.units import NANO_PER_MICRO

CARRY_NANO_LIMIT: Final = NANO_PER_MICRO
CARRY_TAX_LIMIT: Final = FINE


@dataclass(frozen=True, slots=True)
class RegisterState:
    """Where a register stands in its tariff, after its last reading.

    ``counter_wh`` is the use since ``window_us``, the start of the counting window the last use fell in
    (0 where the tariff counts nothing). A reading exactly on a window start still belongs to the window it
    closes. ``carry_nano`` (0-999, nano-units) and ``carry_tax`` (0-999_999_999, billionths of a micro-unit)
    are the fractions of a micro-unit already used and not yet charged.
    """

    at_us: int
    register_wh: int
    counter_wh: int
    window_us: int
    carry_nano: int
    carry_tax: int

    def __post_init__(self) -> None:
        if self.counter_wh < 0:
            raise ValueError(f"counter of {self.counter_wh} Wh is below zero")
        if not 0 <= self.carry_nano < CARRY_NANO_LIMIT:
            raise ValueError(f"carry of {self.carry_nano} nano-units is not a fraction of a micro-unit")
        if not 0 <= self.carry_tax < CARRY_TAX_LIMIT:
            raise ValueError(f"tax carry of {self.carry_tax} is not a fraction of a micro-unit")


@dataclass(frozen=True, slots=True)
class Charge:
    """What one interval cost, by component, in micro-units."""

    energy_wh: int
    energy_micro: int
    standing_micro: int
    tax_micro: int

    @property
    def amount_micro(self) -> int:
        """The whole charge; the wallet falls by this much."""
        return self.energy_micro + self.standing_micro + self.tax_micro

"""A tax or levy as a share of other components."""

from dataclasses import dataclass
from typing import Final

from fairwatt.core.rating.elements.energy_blocks import TariffError

TAXABLE: Final = frozenset({"energy", "standing"})
MAX_RATE_BP: Final = 10_000


@dataclass(frozen=True, slots=True)
class Tax:
    """A share of the components in ``on``, added on top; ``rate_bp`` is in hundredths of a percent.

    Thirteen percent is 1300. The share is taken of the exact price, not of the rounded charge.
    """

    name: str
    rate_bp: int
    on: frozenset[str]

    def __post_init__(self) -> None:
        if not 0 <= self.rate_bp <= MAX_RATE_BP:
            raise TariffError(
                f"tax {self.name!r}: {self.rate_bp} hundredths of a percent is not 0 to 100 percent"
            )
        if not self.on or not self.on <= TAXABLE:
            raise TariffError(f"tax {self.name!r}: can lie on {sorted(TAXABLE)}, not on {sorted(self.on)}")

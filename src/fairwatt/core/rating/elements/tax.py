"""A tax, levy, surcharge or plain rebate: a share of elements above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from fairwatt.core.rating.elements.base import RATE, TariffError

ENERGY: Final = "energy"
STANDING: Final = "standing"
ALL: Final = "all"
MAX_RATE: Final = 10 * RATE

Word = Literal["tax", "levy", "surcharge", "rebate"]


@dataclass(frozen=True, slots=True)
class Tax:
    """A share of the elements in ``on``, added on top; ``rate_e10`` is in ten-billionths.

    Thirteen percent is 1_300_000_000; a rebate is below zero. The share is taken of the exact price, not of the
    rounded charge. ``on`` names elements above, or families: ``energy``, ``standing``, ``all``. One that is
    ``included`` lies in the prices already: documents show it, nothing is added.
    """

    name: str
    rate_e10: int
    on: frozenset[str]
    included: bool = False
    word: Word = "tax"

    def __post_init__(self) -> None:
        if abs(self.rate_e10) > MAX_RATE:
            raise TariffError(f"tax {self.name!r}: {self.rate_e10} ten-billionths is not 0 to 1000 percent")
        if not self.on:
            raise TariffError(f"tax {self.name!r}: lies on nothing; name elements in `on`")

    @property
    def rate_bp(self) -> int:
        """The rate in hundredths of a percent, for showing; finer rates are cut."""
        return self.rate_e10 // 1_000_000

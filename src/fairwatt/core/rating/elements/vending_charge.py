"""What is taken when money is paid in, before it buys energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fairwatt.core.rating.elements.base import MILLI, PPM, TariffError, half_up

Kind = Literal["per_month", "per_purchase", "percent", "arrears_percent"]


@dataclass(frozen=True, slots=True)
class VendingCharge:
    """A monthly charge due from the first purchase of the month, a fee on each purchase, or a share for arrears.

    ``amount_micro`` belongs to ``per_month`` and ``per_purchase``; ``rate_ppm`` to the shares of the money paid.
    While the month's purchases are below ``split_below_micro``, at most ``split_ppm`` of each payment goes to
    the monthly charge.
    """

    name: str
    kind: Kind
    amount_micro: int = 0
    rate_ppm: int = 0
    times: str | None = None
    split_below_micro: int = 0
    split_ppm: int = PPM

    def __post_init__(self) -> None:
        if self.amount_micro < 0 or self.split_below_micro < 0:
            raise TariffError(f"{self.name!r}: a charge at the till is not below zero")
        if not 0 <= self.rate_ppm <= PPM or not 0 <= self.split_ppm <= PPM:
            raise TariffError(f"{self.name!r}: a share of a payment is 0 to 100 percent")

    def for_account(self, parameters: Mapping[str, int]) -> VendingCharge:
        """The same charge for one account."""
        if self.times is None:
            return self
        return replace(
            self, amount_micro=half_up(self.amount_micro * parameters[self.times], MILLI), times=None
        )

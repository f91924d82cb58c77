"""A rebate that is known only when the window closes: by use, with a cap, or an amount."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from fairwatt.core.rating.elements.base import PPM, TariffError


@dataclass(frozen=True, slots=True)
class RebateCase:
    """What windows of at most ``upto_wh`` (``None``: any) get back: a share, at most the cap."""

    upto_wh: int | None
    rate_ppm: int
    cap_micro: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rate_ppm <= PPM:
            raise TariffError("a rebate gives back 0 to 100 percent")


@dataclass(frozen=True, slots=True)
class Rebate:
    """Gives back a share, or an amount, of the elements in ``on`` when the window closes; never more than all.

    ``cases`` are tried in order; a window beyond the last gets nothing. ``amount_micro`` is used when there
    are no cases.
    """

    name: str
    on: frozenset[str]
    window: Literal["month", "bill"] = "month"
    cases: tuple[RebateCase, ...] = ()
    amount_micro: int = 0

    def __post_init__(self) -> None:
        uptos = [case.upto_wh for case in self.cases]
        if any(a is None or (b is not None and b <= a) for a, b in pairwise(uptos)):
            raise TariffError(
                f"rebate {self.name!r}: `upto` must rise, and only the last case may go without"
            )

    def case_of(self, total_wh: int) -> RebateCase | None:
        """The case of a window's total use."""
        return next((c for c in self.cases if c.upto_wh is None or total_wh <= c.upto_wh), None)

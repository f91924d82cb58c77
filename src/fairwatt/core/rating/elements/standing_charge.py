"""A fixed amount by time, whether energy is used or not."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal, get_args

from fairwatt.core.rating.elements.base import MILLI, PriceOutOfRange, TariffError, half_up, month_of

# Keeps 25 years of cumulative daily charge inside 64 bits.
MAX_PER_DAY_MICRO: Final = 100_000_000_000

Per = Literal["day", "month", "year"]
DAYS_OF: Final[dict[Per, int]] = {"day": 1, "month": 28, "year": 365}
Payer = Literal["tenant", "owner", "none"]
PAYERS: Final[tuple[str, ...]] = get_args(Payer)


@dataclass(frozen=True, slots=True)
class Band:
    """The amount for accounts whose parameter is at most ``upto_milli`` (``None``: any)."""

    upto_milli: int | None
    amount_micro: int


@dataclass(frozen=True, slots=True)
class StandingCharge:
    """An amount charged at each local midnight ``m`` with ``prev_at < m <= at``, for the day that ends there.

    ``amount_micro`` is for a day, a billing month or a calendar year; over whole months and years it comes
    to exactly that. The version in force when the day ends sets it. ``times`` multiplies by a parameter of
    the account, ``by`` chooses the amount by its size. ``vacant`` says who pays for an empty unit.
    """

    amount_micro: int
    name: str = "standing"
    per: Per = "day"
    months: frozenset[int] | None = None
    times: str | None = None
    by: str | None = None
    bands: tuple[Band, ...] = ()
    vacant: Payer = "tenant"

    def __post_init__(self) -> None:
        for micro in (self.amount_micro, *(band.amount_micro for band in self.bands)):
            if abs(micro) > MAX_PER_DAY_MICRO * DAYS_OF[self.per]:
                raise PriceOutOfRange(f"{micro} micro-units a {self.per} is beyond {MAX_PER_DAY_MICRO} a day")
        if self.months is not None and not self.months <= frozenset(range(1, 13)):
            raise TariffError(f"{self.name!r}: months run from 1 to 12")

    def micro_on(self, day: date, *, start_day: int = 1) -> int:
        """The amount of one local day; the days of a billing month or a year add up to the whole amount."""
        if self.months is not None and day.month not in self.months:
            return 0
        match self.per:
            case "day":
                return self.amount_micro
            case "month":
                first, following = month_of(day, start_day=start_day)
                nth, of = (day - first).days + 1, (following - first).days
            case "year":
                nth, of = day.timetuple().tm_yday, 366 if isleap(day.year) else 365
        return self.amount_micro * nth // of - self.amount_micro * (nth - 1) // of

    def for_account(self, parameters: Mapping[str, int]) -> StandingCharge:
        """The same charge as one amount for one account."""
        amount = self.amount_micro
        if self.by is not None:
            size = parameters[self.by]
            amount = next(b.amount_micro for b in self.bands if b.upto_milli is None or size <= b.upto_milli)
        if self.times is not None:
            amount = half_up(amount * parameters[self.times], MILLI)
        return replace(self, amount_micro=amount, times=None, by=None, bands=())

"""Price per kWh by block of use (tier) and by time of use."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, get_args

from fairwatt.core.units import INT64_MAX

Counter = Literal["month", "year", "none"]
COUNTERS: Final[tuple[str, ...]] = get_args(Counter)
MINUTES_PER_DAY: Final = 1_440
WEEKDAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# One reading may carry at most 1 GWh; with the price limit below, energy x price stays inside 64 bits.
MAX_ENERGY_WH: Final = 1_000_000_000
MAX_PRICE_MICRO: Final = INT64_MAX // MAX_ENERGY_WH

DayPlan = tuple[tuple[int, int, int], ...]


class TariffError(ValueError):
    """A tariff that cannot be charged as written."""


class UnpricedInstant(TariffError):
    """A minute of some local day has no price."""


class DoublyPriced(TariffError):
    """A minute of some local day has more than one price."""


class PriceOutOfRange(TariffError):
    """A price so large that exact 64-bit rating of one reading could overflow."""


@dataclass(frozen=True, slots=True)
class Period:
    """A named part of the local week and year with one price per block.

    ``windows`` are wall-clock minutes of the local day, end excluded, 0 to 1440. ``months`` (1-12) and
    ``weekdays`` (0 = Monday) restrict it; ``None`` means all. Prices are micro-units per kWh and may be
    negative.
    """

    name: str
    windows: tuple[tuple[int, int], ...]
    months: frozenset[int] | None
    weekdays: frozenset[int] | None
    prices_micro: tuple[int, ...]

    def __post_init__(self) -> None:
        for start, end in self.windows:
            if not 0 <= start < end <= MINUTES_PER_DAY:
                raise TariffError(f"period {self.name!r}: window {start}-{end} is not inside one day")
        if self.months is not None and not self.months <= frozenset(range(1, 13)):
            raise TariffError(f"period {self.name!r}: months run from 1 to 12")
        if self.weekdays is not None and not self.weekdays <= frozenset(range(7)):
            raise TariffError(f"period {self.name!r}: weekdays run from 0 (Monday) to 6")
        for price in self.prices_micro:
            if abs(price) > MAX_PRICE_MICRO:
                raise PriceOutOfRange(
                    f"period {self.name!r}: {price} micro-units per kWh is beyond {MAX_PRICE_MICRO}; "
                    "is the currency or the decimal point right?"
                )

    def applies_on(self, *, month: int, weekday: int) -> bool:
        """Say whether the period prices anything on such a day."""
        return (self.months is None or month in self.months) and (
            self.weekdays is None or weekday in self.weekdays
        )


@dataclass(frozen=True, slots=True)
class EnergyBlocks:
    """Energy price by block of cumulative use and by period.

    ``counter`` is the local window after which use counts from zero again (``none``: never, and then there
    are no blocks). ``bounds_wh`` are the rising upper bounds of all blocks but the last, counted over all
    periods together; ``()`` is a flat price. Raises ``UnpricedInstant`` or ``DoublyPriced`` unless exactly
    one period prices every minute of every kind of day.
    """

    counter: Counter
    bounds_wh: tuple[int, ...]
    periods: tuple[Period, ...]

    def __post_init__(self) -> None:
        if self.counter not in COUNTERS:
            raise TariffError(f"counter {self.counter!r} is none of {', '.join(COUNTERS)}")
        if self.bounds_wh and self.counter == "none":
            raise TariffError("blocks need a counter: say whether use counts per month or per year")
        if any(b <= a for a, b in pairwise((0, *self.bounds_wh))):
            raise TariffError(f"block bounds must rise from above zero: {self.bounds_wh}")
        blocks = len(self.bounds_wh) + 1
        for period in self.periods:
            if len(period.prices_micro) != blocks:
                raise TariffError(
                    f"period {period.name!r} has {len(period.prices_micro)} prices for {blocks} blocks"
                )
        for month in range(1, 13):
            for weekday in range(7):
                self.day_plan(month=month, weekday=weekday)

    @classmethod
    def flat(cls, *, price_micro: int) -> "EnergyBlocks":
        """One price for every watt-hour at every time, in micro-units per kWh."""
        always = Period("all", ((0, MINUTES_PER_DAY),), None, None, (price_micro,))
        return cls("none", (), (always,))

    def day_plan(self, *, month: int, weekday: int) -> DayPlan:
        """List ``(start_min, end_min, period index)`` over such a local day, in order, without gaps."""
        plan = sorted(
            (start, end, index)
            for index, period in enumerate(self.periods)
            if period.applies_on(month=month, weekday=weekday)
            for start, end in period.windows
        )
        reached = 0
        for start, end, index in plan:
            if start > reached:
                raise UnpricedInstant(f"no period prices {_when(month, weekday, reached)}; the day has a gap")
            if start < reached:
                raise DoublyPriced(
                    f"{self.periods[index].name!r} prices {_when(month, weekday, start)}, "
                    "which another period prices too"
                )
            reached = end
        if reached < MINUTES_PER_DAY:
            raise UnpricedInstant(f"no period prices {_when(month, weekday, reached)}; the day has a gap")
        return tuple(plan)


def _when(month: int, weekday: int, minute: int) -> str:
    clock = f"{minute // 60:02d}:{minute % 60:02d}"
    return f"minute {minute} ({clock}) of a {WEEKDAY_NAMES[weekday]} in month {month}"

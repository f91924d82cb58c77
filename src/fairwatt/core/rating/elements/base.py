"""What all elements share: their limits, and the errors a tariff can deserve."""

from datetime import date, timedelta
from typing import Final

from fairwatt.core.units import INT64_MAX

MINUTES_PER_DAY: Final = 1_440

# One reading may carry at most 1 GWh; with the price limit below, energy x price stays inside 64 bits.
MAX_ENERGY_WH: Final = 1_000_000_000
MAX_PRICE_MICRO: Final = INT64_MAX // MAX_ENERGY_WH

PPM: Final = 1_000_000
"""Shares and coefficients are parts per million."""
RATE: Final = 10_000_000_000
"""Percentages are counted in ten-billionths: 13 percent is 1_300_000_000, so a percent has eight decimals."""
MILLI: Final = 1_000
"""Parameters of an account (kW, persons) are counted in thousandths."""


class TariffError(ValueError):
    """A tariff that cannot be charged as written."""


class UnpricedInstant(TariffError):
    """A minute of some local day has no price."""


class DoublyPriced(TariffError):
    """A minute of some local day has more than one price."""


class PriceOutOfRange(TariffError):
    """A price so large that exact 64-bit rating of one reading could overflow."""


class UnknownParameter(TariffError):
    """A price depends on a fact of the account that the tariff does not declare."""


def check_price(price_micro: int, *, of: str) -> None:
    """Refuse a price that could overflow; raises ``PriceOutOfRange``."""
    if abs(price_micro) > MAX_PRICE_MICRO:
        raise PriceOutOfRange(
            f"{of}: {price_micro} micro-units per unit is beyond {MAX_PRICE_MICRO}; "
            "is the currency or the decimal point right?"
        )


def half_up(numerator: int, denominator: int) -> int:
    """Divide and round to the nearest whole number, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def month_of(day: date, *, start_day: int) -> tuple[date, date]:
    """Return the first date of the billing month that holds a date, and of the next one."""
    first = day.replace(day=start_day)
    if first > day:
        first = (first.replace(day=1) - timedelta(days=1)).replace(day=start_day)
    following = (first.replace(day=1) + timedelta(days=32)).replace(day=start_day)
    return first, following

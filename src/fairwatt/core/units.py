"""Whole-number units for money and energy, and how a person reads them.

Money is ``int`` micro-units of a currency (1 CNY = 1_000_000), energy is ``int`` watt-hours.
A price in micro-units per kWh times watt-hours gives nano-units exactly, so rating never rounds early.
"""

from typing import Final, Literal

MICRO: Final = 1_000_000
NANO_PER_MICRO: Final = 1_000
BP: Final = 10_000
WH_PER_KWH: Final = 1_000

type Unit = Literal["kWh", "m3"]
"""What a tariff prices a thousand of: watt-hours of a kWh, or litres of a m3. Meters and lines count the small ones."""
UNIT_WORDS: Final[dict[Unit, str]] = {"kWh": "kWh", "m3": "m³"}
"""How people read each."""
US_PER_SECOND: Final = 1_000_000
US_PER_MINUTE: Final = 60 * US_PER_SECOND
US_PER_HOUR: Final = 60 * US_PER_MINUTE
US_PER_DAY: Final = 24 * US_PER_HOUR
INT64_MAX: Final = 2**63 - 1
AMOUNT_MICRO_MAX: Final = 10**16
"""No amount that people type is above this: ten thousand million, and sums of it still fit 64 bits."""

_SYMBOLS: Final = {"CNY": "¥", "GBP": "£", "EUR": "€", "USD": "$", "INR": "₹", "NGN": "₦", "ZAR": "R"}


def micro_from_minor(*, amount_minor: int, minor_digits: int) -> int:
    """Turn an amount in a provider's minor units (fen, pence) into micro-units, exactly.

    ``minor_digits`` is the number of decimals of the currency (2 for CNY, 0 for JPY, 3 for KWD);
    more than six cannot be held in micro-units and raises ``ValueError``.
    """
    if not 0 <= minor_digits <= 6:
        raise ValueError(f"minor_digits is {minor_digits}; a currency has between 0 and 6 decimals")
    return int(amount_minor * 10 ** (6 - minor_digits))


def is_amount(*, amount_minor: int, minor_digits: int) -> bool:
    """Whether minor units are an amount that somebody can mean: zero or more, and not past `AMOUNT_MICRO_MAX`."""
    return 0 <= micro_from_minor(amount_minor=amount_minor, minor_digits=minor_digits) <= AMOUNT_MICRO_MAX


def format_money(*, micro: int, currency: str, places: int = 2) -> str:
    """Show an amount to a person, rounded toward minus infinity so credit is never overstated.

    ``places`` is 0 to 6. A currency without a known symbol is written with its ISO 4217 code.
    """
    if not 0 <= places <= 6:
        raise ValueError(f"places is {places}; an amount in micro-units shows between 0 and 6 decimals")
    sign, text = _fixed_point(scaled=micro // 10 ** (6 - places), places=places)
    return f"{sign}{_SYMBOLS.get(currency, currency + ' ')}{text}"


def format_used(*, wh: int, places: int = 2, unit: Unit = "kWh") -> str:
    """Show watt-hours in kWh, or litres in m³, rounded toward minus infinity; ``places`` is 0 to 3 (3 is exact)."""
    if not 0 <= places <= 3:
        raise ValueError(f"places is {places}; watt-hours show between 0 and 3 decimals of a kWh")
    sign, text = _fixed_point(scaled=wh // 10 ** (3 - places), places=places)
    return f"{sign}{text} {UNIT_WORDS[unit]}"


def _fixed_point(*, scaled: int, places: int) -> tuple[str, str]:
    sign = "-" if scaled < 0 else ""
    whole, part = divmod(abs(scaled), 10**places)
    return sign, f"{whole:,}.{part:0{places}d}" if places else f"{whole:,}"

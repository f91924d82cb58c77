"""Cells as exact text and as exact numbers. Everything is a whole number of its smallest unit until it is written."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from fairwatt.core.spans import local_datetime
from fairwatt.reports.model import Cell, Column, Shape

_DECIMALS: Final = {Shape.ENERGY: 3, Shape.MONEY: 6, Shape.PRICE: 6, Shape.SHARE: 2, Shape.AREA: 2}
_FEWEST: Final = {Shape.ENERGY: 3, Shape.MONEY: 2, Shape.PRICE: 2, Shape.SHARE: 2, Shape.AREA: 2}
NUMBERS: Final = frozenset({Shape.AREA, Shape.COUNT, Shape.ENERGY, Shape.MONEY, Shape.PRICE, Shape.SHARE})
EXCEL_DIGITS: Final = 15
"""A spreadsheet computes with fifteen digits; a longer number is written as text."""


def exact_text(*, cell: Cell, shape: Shape, zone: str) -> str:
    """A cell for people and machines alike: plain digits, a point, no rounding, no thousands marks."""
    if cell is None:
        return ""
    if shape is Shape.INSTANT:
        assert isinstance(cell, int)
        return local_datetime(zone=zone, at_us=cell).isoformat(sep=" ", timespec="seconds")
    if shape in _DECIMALS:
        assert isinstance(cell, int)
        return _fixed(cell, _DECIMALS[shape], _FEWEST[shape])
    return str(cell)


def shown(*, cell: Cell, column: Column, zone: str) -> str:
    """A cell for people: a code as its words, an instant without its offset (the report names the zone)."""
    if cell is not None and column.shape is Shape.WORD:
        return str(column.words.get(str(cell), cell))
    if cell is not None and column.shape is Shape.INSTANT:
        return exact_text(cell=cell, shape=Shape.INSTANT, zone=zone)[:19]
    return exact_text(cell=cell, shape=column.shape, zone=zone)


def heading(*, column: Column, currency: str) -> str:
    """The title of a column with its unit."""
    match column.shape:
        case Shape.ENERGY:
            return f"{column.title} (kWh)"
        case Shape.MONEY:
            return f"{column.title} ({currency})"
        case Shape.PRICE:
            return f"{column.title} ({currency}/kWh)"
        case Shape.AREA:
            return f"{column.title} (m²)"
        case Shape.SHARE:
            return f"{column.title} (%)"
        case _:
            return str(column.title)


def number(*, cell: Cell, shape: Shape) -> Decimal | str | None:
    """A cell as an exact decimal number for a spreadsheet; text where that could not hold it exactly."""
    if cell is None:
        return None
    assert isinstance(cell, int)
    if len(str(abs(cell))) > EXCEL_DIGITS:
        return exact_text(cell=cell, shape=shape, zone="UTC")
    return Decimal(cell).scaleb(-_DECIMALS.get(shape, 0))


def _fixed(scaled: int, decimals: int, fewest: int) -> str:
    whole, part = divmod(abs(scaled), 10**decimals)
    digits = f"{part:0{decimals}d}"
    while len(digits) > fewest and digits.endswith("0"):
        digits = digits[:-1]
    return f"{'-' if scaled < 0 else ''}{whole}.{digits}"

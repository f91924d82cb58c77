"""Cells as exact text and as exact numbers. Everything is a whole number of its smallest unit until it is written."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from fairwatt.core.spans import local_datetime
from fairwatt.reports.model import Cell, Column, Shape

_DECIMALS: Final = {Shape.ENERGY: 3, Shape.MONEY: 6, Shape.PRICE: 6, Shape.SHARE: 2, Shape.AREA: 2}
_FEWEST: Final = {Shape.ENERGY: 3, Shape.MONEY: 2, Shape.PRICE: 2, Shape.SHARE: 2, Shape.AREA: 2}
NUMBERS: Final = frozenset({Shape.AREA, Shape.COUNT, Shape.ENERGY, Shape.MONEY, Shape.PRICE, Shape.SHARE})
MINUS: Final = "\N{MINUS SIGN}"
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


def grouped(said: str) -> str:
    """An exact number for reading: a true minus, thousands apart; the digits stay as they are."""
    whole, point, part = said.removeprefix("-").partition(".")
    if not whole:
        return said
    return (MINUS if said.startswith("-") else "") + f"{int(whole):,}" + point + part


def for_reading(*, columns: Sequence[Column], rows: list[list[str]]) -> list[list[str]]:
    """The rows of a table for people: amounts with thousands apart and as many decimals as the longest of the column.

    Only zeros are added at the end, so every digit stays. Numbers that name something (a batch, a line) stay whole.
    """
    made = [list(row) for row in rows]
    for n, column in enumerate(columns):
        if column.shape not in NUMBERS or column.shape is Shape.COUNT:
            continue
        most = max((len(row[n].partition(".")[2]) for row in made), default=0)
        for row in made:
            whole, point, part = row[n].partition(".")
            row[n] = grouped(f"{whole}.{part:0<{most}}" if point else whole)
    return made


def heading(*, column: Column, currency: str, measure: str) -> str:
    """The title of a column with its unit; `measure` is what use is counted in."""
    match column.shape:
        case Shape.ENERGY:
            return f"{column.title} ({measure})"
        case Shape.MONEY:
            return f"{column.title} ({currency})"
        case Shape.PRICE:
            return f"{column.title} ({currency}/{measure})"
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

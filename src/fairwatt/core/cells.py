"""Words of people in the cells of tables: a spreadsheet that opens them must show them, and run nothing.

Only words pass here. A number is written by whoever knows that it is one, and its minus stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula, or cuts off before one."""
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no workbook can hold."""
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def harmless(text: str) -> str:
    """Words as a spreadsheet may have them: no formula, and a mark in place of what cannot be printed."""
    return guarded(_NO_XML.sub("\ufffd", text))


def harmless_cells[T](cells: Iterable[T]) -> list[T | str]:
    """A row of a table with its words harmless; whatever is no words stays as it is."""
    return [harmless(cell) if isinstance(cell, str) else cell for cell in cells]


def guarded(text: str) -> str:
    """Words with an apostrophe before what would be run as a formula; `unguarded` gives them back."""
    return f"'{text}" if text.lstrip("'").startswith(_RISKY) else text


def unguarded(text: str) -> str:
    """The words that were guarded."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_RISKY) else text


def control_character(text: str, *, lines: bool = False) -> str | None:
    """The first character that cannot be printed, or None; with `lines`, tabs and ends of lines may stand."""
    found = _CONTROL.search(re.sub(r"[\t\r\n]", "", text) if lines else text)
    return found[0] if found else None

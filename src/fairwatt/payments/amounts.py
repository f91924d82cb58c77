"""Amounts as providers write them: whole minor units here, decimal text there, and never a float between."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

MINOR_DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("CNY", "EUR", "GBP", "KES", "NGN", "TZS", "USD", "ZAR"), 2),
    **dict.fromkeys(("JPY", "KRW", "UGX", "VND", "XAF", "XOF"), 0),
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3),
}
"""ISO 4217: how many decimals a currency has. A yen is not a hundred of anything, a dinar is a thousand fils."""

_DECIMAL: Final = re.compile(r"(-?)([0-9]{1,13})(?:\.([0-9]{1,6}))?")


def minor_from_text(text: str, *, digits: int) -> int:
    """`"12.30"` with two digits is 1230. Raises ValueError for what is no amount, or finer than the currency."""
    found = _DECIMAL.fullmatch(text)
    if found is None:
        raise ValueError("it is not an amount")
    sign, whole, fraction = found[1], found[2], (found[3] or "").rstrip("0")
    if len(fraction) > digits:
        raise ValueError("it is finer than the smallest coin")
    minor: int = int(whole) * 10**digits + int(fraction.ljust(digits, "0") or 0)
    return -minor if sign else minor


def text_from_minor(minor: int, *, digits: int) -> str:
    """1230 with two digits is `"12.30"`."""
    sign = "-" if minor < 0 else ""
    whole, fraction = divmod(abs(minor), 10**digits)
    return f"{sign}{whole}.{fraction:0{digits}d}" if digits else f"{sign}{whole}"

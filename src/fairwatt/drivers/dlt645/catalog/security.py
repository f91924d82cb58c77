"""Identifiers of function 03H (DI3 07): authentication and remote top-up, State Grid supplement."""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.dlt645.forms import Field

from .entry import Entry

OPEN_ACCOUNT: Final = 0x070101FF
RECHARGE: Final = 0x070102FF
SET_INITIAL: Final = 0x070103FF
REFUND: Final = 0x070108FF
STATUS: Final = 0x078102FF

TOP_UP: Final = (
    Field("amount", "u4", "CNY/100"),
    Field("purchase count", "u4"),
    Field("MAC of amount and count", "*4"),
    Field("customer number", "#6"),
    Field("MAC of the customer number", "*4"),
)
TOP_UP_BY_ORDER: Final = (TOP_UP[0], Field("order number", "#8"), *TOP_UP[2:])
"""A vendor's variant: an order number of sixteen digits stands where the purchase count does."""
_NAMES: Final = {
    0x070000FF: "identity authentication",
    0x070001FF: "validity of the authentication",
    OPEN_ACCOUNT: "open account",
    RECHARGE: "recharge",
    SET_INITIAL: "set the initial amount",
    REFUND: "refund",
    STATUS: "status query",
}
TOP_UPS: Final = (OPEN_ACCOUNT, RECHARGE, REFUND)


def security_entry(identifier: int) -> Entry | None:
    """Name a security identifier; its data are those of the request."""
    if identifier not in _NAMES:
        return None
    name = _NAMES[identifier]
    return Entry(name, TOP_UP) if identifier in TOP_UPS else Entry(name, (), is_open=True)

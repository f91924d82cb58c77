"""The wallet a vendor's meter keeps by itself, credited by function 03H."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fairwatt.drivers.dlt645.prepaid import PrepaidItem, prepaid_items
from fairwatt.drivers.dlt645.topup import OrderForm, TopUp, TopUpDialect
from fairwatt.drivers.errors import UnreadableValue

OTHER: Final = 0x0001
REPEATED: Final = 0x0002
ESAM: Final = 0x0004
CUSTOMER: Final = 0x0010
PURCHASE_COUNT: Final = 0x0020
HOARDING: Final = 0x0040
_STANDARD_ITEMS: Final = prepaid_items(
    table=dict.fromkeys(
        (
            *("remaining_micro", "overdraft_micro", "remaining_wh", "overdraft_wh", "purchases"),
            *("alarm_1_micro", "alarm_2_micro", "overdraft_limit_micro", "hoarding_limit_micro"),
            *("close_permit_micro", "purchased_micro", "purchased_wh"),
        ),
        "standard",
    )
)


@dataclass(slots=True)
class SimWallet:
    """Money of the meter's own. `items` and `dialect` say how this vendor writes it.

    `is_mac` decides over a message and its code; by default every code is good, as with a vendor that does
    not look at them.
    """

    customer: str = "000000000000"
    remaining_micro: int = 0
    overdraft_micro: int = 0
    remaining_wh: int = 0
    overdraft_wh: int = 0
    alarm_1_micro: int = 10_000_000
    alarm_2_micro: int = 5_000_000
    overdraft_limit_micro: int = 0
    hoarding_limit_micro: int = 9_999_990_000
    close_permit_micro: int = 0
    purchases: int = 0
    purchased_micro: int = 0
    purchased_wh: int = 0
    items: tuple[PrepaidItem, ...] = _STANDARD_ITEMS
    dialect: TopUpDialect = field(default_factory=TopUpDialect)
    orders: set[int] = field(default_factory=set)
    is_mac: Callable[[bytes, bytes], bool] = lambda _message, _mac: True

    def value(self, identifier: int) -> bytes | None:
        """Return what the meter sends for one of its accounts, or None for one it does not have."""
        for item in self.items:
            if item.identifier == identifier:
                amount: int = getattr(self, item.name)
                return item.encode(amount)
        return None

    def credit(self, data: bytes) -> int:
        """Obey the data of a top-up; return 0, or the error bits of the refusal."""
        try:
            topup, mac_1, mac_2 = TopUp.decode(data, dialect=self.dialect)
        except UnreadableValue:
            return OTHER
        tail = 12 + self.dialect.order_bytes
        if not (self.is_mac(data[8:tail], mac_1) and self.is_mac(data[tail + 4 : tail + 10], mac_2)):
            return ESAM
        if topup.opens_account and self.purchases == 0:
            self.customer = topup.customer
        if topup.customer != self.customer:
            return CUSTOMER
        if err := self._wrong_order(topup.purchase):
            return err
        if self.remaining_micro + topup.amount_micro > self.hoarding_limit_micro:
            return HOARDING
        self.orders.add(topup.purchase)
        self.purchases += 1
        self.purchased_micro += topup.amount_micro
        paid_back = min(self.overdraft_micro, topup.amount_micro)
        self.overdraft_micro -= paid_back
        self.remaining_micro += topup.amount_micro - paid_back
        return 0

    def _wrong_order(self, purchase: int) -> int:
        if self.dialect.order is OrderForm.DIGITS_16:
            return REPEATED if purchase in self.orders else 0
        if purchase == self.purchases:
            return REPEATED
        return 0 if purchase == self.purchases + 1 else PURCHASE_COUNT

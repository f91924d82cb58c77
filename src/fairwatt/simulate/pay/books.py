"""What the simulated platforms know: shops, orders, payments, refunds. It is the truth a run is checked against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from secrets import randbelow
from typing import Any, Final, Literal

from fairwatt.simulate.pay.keys import ShopKeys

type Dialect = Literal["wechat", "alipay", "stripe", "mpesa"]
DIALECTS: Final[tuple[Dialect, ...]] = ("wechat", "alipay", "stripe", "mpesa")


@dataclass(slots=True)
class Shop:
    """A merchant at one platform."""

    dialect: Dialect
    number: str
    """its merchant number there"""
    keys: ShopKeys
    serial: str = "PUB_KEY_ID_0001"
    """the name of the platform key that signs now"""
    name: str = ""
    """what payers read who type its number"""


@dataclass(slots=True)
class Order:
    """An order a shop made. `number` is the platform's own."""

    shop: Shop
    our_ref: str
    number: str
    amount_minor: int
    currency: str
    notify_url: str
    return_url: str
    expires_us: int
    subject: str
    way: str
    made_us: int
    state: Literal["open", "closed", "failed"] = "open"
    payments: list[Payment] = field(default_factory=list)

    @property
    def paid(self) -> bool:
        """Whether money was taken for it."""
        return bool(self.payments)


@dataclass(slots=True)
class Payment:
    """Money that a payer gave. `settled_minor` differs from the order where a fault says so."""

    order: Order
    number: str
    settled_minor: int
    currency: str
    at_us: int
    refunds: list[Refund] = field(default_factory=list)
    charged_back: bool = False
    dispute: str = ""
    """how a dispute about it stands, in the platform's own word"""

    @property
    def intent_number(self) -> str:
        """The card platform's number of it: known before it was paid where it was taken from a saved card."""
        return self.order.number if self.order.way == "agreed" else f"pi_{self.number}"

    @property
    def refunded_minor(self) -> int:
        """What went back, or is on its way."""
        return sum(one.amount_minor for one in self.refunds if one.state in ("pending", "done"))


@dataclass(slots=True)
class Refund:
    """Money on its way back to the payer."""

    payment: Payment
    refund_ref: str
    number: str
    amount_minor: int
    at_us: int
    state: Literal["pending", "done", "abnormal", "closed"] = "pending"
    at_desk: bool = False
    """made by the shop in the platform's own back office: it carries none of the shop's references"""
    told: int = 0
    """how often something was to be reported of it"""


def notice_number(what: Payment | Refund) -> str:
    """Each notice has a number of its own: what becomes of a refund later is told by another one."""
    return f"{what.number}-{what.told}" if isinstance(what, Refund) else what.number


class PayError(Exception):
    """The platform says no; `code` is its own word."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class Books:
    """All shops of all platforms, and everything that happened there."""

    def __init__(self, *, seed: int, now_us: Callable[[], int]) -> None:
        self.now_us = now_us
        self.draw = Random(f"{seed}/pay")
        self.shops: list[Shop] = []
        self.orders: dict[tuple[str, str, str], Order] = {}
        """by platform, shop and the shop's own reference"""
        self.heard: Callable[[Payment | Refund], None] = lambda _: None
        """called for whatever has to be reported"""
        self.made: Callable[[Order], None] = lambda _: None
        """called for every new order"""
        self._serial = 0
        # As its keys, a shop is another one each time: what is known of a merchant's number is known for ever.
        self._first = 1_000_000_000 + randbelow(8 * 10**8)
        self._by_number: dict[str, Order] = {}
        self._payments: dict[tuple[str, str], list[Payment]] = {}
        """by platform and shop, in the order they were paid in"""
        self._codes: dict[str, str] = {}
        """codes of payers' telephones that were scanned, and by which order"""

    def open_shop(self, dialect: Dialect) -> Shop:
        """A new merchant with keys of its own."""
        number = f"{self._first + len(self.shops)}"
        shop = Shop(dialect, number, ShopKeys.make())
        self.shops.append(shop)
        return shop

    def shop(self, dialect: Dialect, number: str) -> Shop:
        """Raises PayError for a merchant nobody knows."""
        for one in self.shops:
            if (one.dialect, one.number) == (dialect, number):
                return one
        raise PayError("MCH_NOT_EXISTS", 401)

    def next_number(self, prefix: str) -> str:
        """A number of the platform's own; the instant in it keeps those of a restarted platform new."""
        self._serial += 1
        return f"{prefix}{self.now_us() // 1000:x}{self._serial:06d}{self.draw.getrandbits(24):06x}"

    def short_number(self) -> str:
        """A number as M-PESA's: ten capitals and digits, by the instant and a count."""
        self._serial += 1
        left, out = self.now_us() // 1000 * 1296 + self._serial % 1296, ""
        while left:
            left, digit = divmod(left, 36)
            out = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + out
        return out.rjust(10, "A")[-10:]

    def make(self, shop: Shop, our_ref: str, *, prefix: str, **about: Any) -> Order:
        """Make an order; the same reference again is the same order, and with another amount it is refused."""
        key = (shop.dialect, shop.number, our_ref)
        known = self.orders.get(key)
        if known is not None:
            if known.amount_minor != about["amount_minor"]:
                raise PayError("INVALID_REQUEST")
            if known.paid:
                raise PayError("ORDERPAID")
            if known.state != "open":
                raise PayError("ORDER_CLOSED")
            return known
        made = Order(
            shop=shop, our_ref=our_ref, number=self.next_number(prefix), made_us=self.now_us(), **about
        )
        self.orders[key] = self._by_number[made.number] = made
        self.made(made)
        return made

    def keep_shop(self, shop: Shop) -> Shop:
        """A shop of an earlier life of the platform; one that is there gets its newer keys."""
        for known in self.shops:
            if known.number == shop.number:
                known.keys, known.serial = shop.keys, shop.serial
                return known
        self.shops.append(shop)
        return shop

    def keep_order(self, order: Order) -> None:
        """An order of an earlier life."""
        shop = order.shop
        self.orders[(shop.dialect, shop.number, order.our_ref)] = self._by_number[order.number] = order

    def scan(self, order: Order, code: str) -> bool:
        """A payer's code at a window: whether it pays at once, or asks the payer first (it ends in 0). Raises PayError.

        One that ends in 8 has not enough money behind it, one that ends in 9 is too old; each is good for one order.
        """
        if self._codes.setdefault(code, order.our_ref) != order.our_ref:
            raise PayError("AUTH_CODE_INVALID", 400)
        if code.endswith(("8", "9")):
            order.state = "failed"
            raise PayError("NOTENOUGH" if code.endswith("8") else "AUTHCODEEXPIRE", 403)
        if not code.endswith("0"):
            self.pay(order)
        return order.paid

    def find(self, shop: Shop, our_ref: str) -> Order:
        """Raises PayError for an order that was never made."""
        found = self.orders.get((shop.dialect, shop.number, our_ref))
        if found is None:
            raise PayError("ORDER_NOT_EXIST", 404)
        return found

    def by_number(self, number: str) -> Order | None:
        """The order of that number of the platform's."""
        return self._by_number.get(number)

    def pay(
        self, order: Order, *, settle_minor: int | None = None, currency: str = "", anyway: bool = False
    ) -> Payment:
        """A payer pays. `anyway`: though the order is closed or paid (late success, paid twice)."""
        if not anyway and (order.state != "open" or order.paid or self.now_us() >= order.expires_us):
            raise PayError("ORDER_CLOSED")
        paid = Payment(
            order,
            self.next_number("42"),
            order.amount_minor if settle_minor is None else settle_minor,
            currency or order.currency,
            self.now_us(),
        )
        self.keep_payment(paid)
        self.heard(paid)
        return paid

    def take(
        self, shop: Shop, *, number: str, named: str, amount_minor: int, currency: str, notify_url: str
    ) -> Payment:
        """A payer paid by himself, under a number of the platform's own: the shop made no order."""
        order = Order(
            shop=shop,
            our_ref=named,
            number=number,
            amount_minor=amount_minor,
            currency=currency,
            notify_url=notify_url,
            return_url="",
            expires_us=self.now_us(),
            subject=shop.name,
            way="paybill",
            made_us=self.now_us(),
        )
        self.orders[(shop.dialect, shop.number, number)] = self._by_number[number] = order
        paid = Payment(order, number, amount_minor, currency, self.now_us())
        self.keep_payment(paid)
        self.heard(paid)
        return paid

    def keep_payment(self, paid: Payment) -> None:
        """A payment that was made, now or in an earlier life; nobody is told."""
        shop = paid.order.shop
        paid.order.payments.append(paid)
        self._payments.setdefault((shop.dialect, shop.number), []).append(paid)

    def close(self, order: Order) -> None:
        """Raises PayError when the payer was faster."""
        if order.paid:
            raise PayError("ORDERPAID")
        order.state = "closed"

    def refund(
        self,
        payment: Payment,
        *,
        refund_ref: str,
        amount_minor: int,
        state: Literal["pending", "done", "abnormal"],
        at_desk: bool = False,
    ) -> Refund:
        """The same reference again is the same refund; more than was paid is refused."""
        for one in payment.refunds:
            if one.refund_ref == refund_ref:
                if one.amount_minor != amount_minor:
                    raise PayError("INVALID_REQUEST")
                return one
        if amount_minor <= 0 or payment.refunded_minor + amount_minor > payment.settled_minor:
            raise PayError("NOT_ENOUGH")
        made = Refund(
            payment, refund_ref, self.next_number("50"), amount_minor, self.now_us(), state, at_desk
        )
        payment.refunds.append(made)
        self.heard(made)
        return made

    def payment(self, shop: Shop, *, number: str = "", our_ref: str = "") -> Payment:
        """A payment by its own number, or the first one of an order. Raises PayError."""
        if number:
            for one in self.payments(shop):
                if one.number == number:
                    return one
            raise PayError("ORDER_NOT_EXIST", 404)
        order = self.find(shop, our_ref)
        if not order.paid:
            raise PayError("TRADE_STATE_ERROR")
        return order.payments[0]

    def payments(self, shop: Shop | None = None) -> list[Payment]:
        """Everything that was paid, oldest first."""
        shops = (
            self._payments.values() if shop is None else [self._payments.get((shop.dialect, shop.number), [])]
        )
        return sorted((paid for some in shops for paid in some), key=lambda paid: (paid.at_us, paid.number))

    def truth(self) -> list[dict[str, Any]]:
        """One row a payment: what the ledger must come to, once everything is told."""
        return [
            {
                "provider": paid.order.shop.dialect,
                "shop": paid.order.shop.number,
                "our_ref": paid.order.our_ref,
                "provider_ref": paid.number,
                "ordered_minor": paid.order.amount_minor,
                "paid_minor": paid.settled_minor,
                "currency": paid.currency,
                "refunded_minor": sum(one.amount_minor for one in paid.refunds if one.state == "done"),
                "charged_back": paid.charged_back,
                "at_us": paid.at_us,
            }
            for paid in self.payments()
        ]

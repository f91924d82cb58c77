"""Cards that payers saved at the simulated card platform, and what is taken from them later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fairwatt.simulate.pay.books import Books, Order, PayError, Shop

DECLINES: Final = {"4000000000000341": "card_declined", "4000002760003184": "authentication_required"}
"""Card numbers of the platform's own practice world: saved without a word, and refused when something is taken."""
_BRANDS: Final = {"4": "visa", "5": "mastercard", "3": "amex", "6": "unionpay"}


class NoCard(PayError):
    """What was typed is no card number."""


def card_number(typed: str) -> str:
    """The digits of a card number as somebody typed it: 12 to 19 with a right check digit (ISO/IEC 7812-1).

    Raises NoCard.
    """
    digits = "".join(typed.split()).replace("-", "")
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19):
        raise NoCard("incorrect_number", 402)
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total += sum(divmod(int(digit) * (2 if place % 2 else 1), 10))
    if total % 10:
        raise NoCard("incorrect_number", 402)
    return digits


class Declined(Exception):
    """The bank says no; the payment stays there, to be paid by somebody or cancelled."""

    def __init__(self, code: str, order: Order) -> None:
        super().__init__(code)
        self.code, self.order = code, order


@dataclass(slots=True)
class Card:
    """A card of a customer; `customer` is empty once it was detached."""

    shop: Shop
    number: str
    customer: str
    digits: str

    def shown(self) -> dict[str, Any]:
        """As the platform writes it."""
        return {
            "id": self.number,
            "object": "payment_method",
            "type": "card",
            "customer": self.customer or None,
            "card": {"brand": _BRANDS.get(self.digits[:1], "card"), "last4": self.digits[-4:]},
        }


class Cards:
    """All saved cards, and the payments taken from them."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._cards: dict[str, Card] = {}
        self._of_session: dict[str, Card] = {}
        self._customers: dict[str, str] = {}
        """by order: whose card it is taken from"""

    def save(self, session: Order, *, digits: str) -> Card:
        """The payer typed a card and agreed. Raises NoCard, or PayError where it is too late."""
        if session.state != "open" or self._books.now_us() >= session.expires_us:
            raise PayError("ORDER_CLOSED")
        known = self._of_session.get(session.number)
        if known is not None:
            return known
        made = Card(
            session.shop,
            self._books.next_number("pm_"),
            self._books.next_number("cus_"),
            card_number(digits),
        )
        self._cards[made.number] = self._of_session[session.number] = made
        return made

    @property
    def all(self) -> list[Card]:
        """Every card that was ever saved."""
        return list(self._cards.values())

    def of_session(self, session: Order) -> Card | None:
        """What was saved on a page."""
        return self._of_session.get(session.number)

    def find(self, shop: Shop, number: str) -> Card:
        """Raises PayError."""
        found = self._cards.get(number)
        if found is None or found.shop is not shop:
            raise PayError("ORDER_NOT_EXIST")
        return found

    def detach(self, shop: Shop, number: str) -> Card:
        """Nothing is taken from it any more. Raises PayError where it is detached already."""
        found = self.find(shop, number)
        if not found.customer:
            raise PayError("NOT_ATTACHED")
        found.customer = ""
        return found

    def take(self, shop: Shop, said: dict[str, str]) -> Order:
        """Take a payment without its payer. Raises Declined or PayError."""
        card = self.find(shop, said["payment_method"])
        if not card.customer or card.customer != said["customer"] or said.get("off_session") != "true":
            raise PayError("PARAM_ERROR")
        order = self._books.make(
            shop,
            said["metadata[our_ref]"],
            prefix="pi_",
            amount_minor=int(said["amount"]),
            currency=said["currency"].upper(),
            notify_url="",
            return_url="",
            expires_us=1 << 62,
            subject=said.get("description", ""),
            way="agreed",
        )
        self._customers[order.number] = card.customer
        code = DECLINES.get(card.digits)
        if code is not None:
            raise Declined(code, order)
        self._books.pay(order)
        return order

    def of_customer(self, shop: Shop, customer: str) -> list[Order]:
        """What was taken from a customer, newest first."""
        numbers = [number for number, whose in self._customers.items() if whose == customer]
        found = (self._books.by_number(number) for number in reversed(numbers))
        return [order for order in found if order is not None and order.shop is shop]

    def intent(self, order: Order) -> dict[str, Any]:
        """A payment as the platform writes it."""
        paid = order.payments[0] if order.payments else None
        waits = {"open": "requires_payment_method", "closed": "canceled", "failed": "canceled"}
        return {
            "id": order.number,
            "object": "payment_intent",
            "amount": order.amount_minor,
            "amount_received": paid.settled_minor if paid else 0,
            "currency": (paid.currency if paid else order.currency).lower(),
            "customer": self._customers.get(order.number),
            "status": "succeeded" if paid else waits[order.state],
            "metadata": {"our_ref": order.our_ref, "agreed": "1"},
        }

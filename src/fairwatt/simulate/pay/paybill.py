"""Payments that begin at the telephone: a merchant's number, an account number, an amount, a PIN."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from fairwatt.payments.amounts import text_from_minor
from fairwatt.payments.clocks import NAIROBI, wall
from fairwatt.simulate.pay.books import Books, PayError, Payment, Refund, Shop
from fairwatt.simulate.pay.talking import Report

PHONE: Final = "2547 ***** 126"
"""As version 2 tells it: nobody learns who paid."""
TABOO: Final = ("mpesa", "m-pesa", "safaricom")
"""Words that this platform takes in no address it is given."""
_JSON: Final = {"Content-Type": "application/json"}


@dataclass(slots=True)
class Addresses:
    """Where a shop is asked and told, and what happens while it does not answer."""

    check: str
    tell: str
    completes: bool


@dataclass(frozen=True, slots=True)
class Typed:
    """What a payer typed, under the number that the platform gave it."""

    shop: Shop
    named: str
    amount_minor: int
    number: str


class PayBills:
    """What payers begin."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.addresses: dict[str, Addresses] = {}
        self.validates = True
        """a shop is asked only once the platform has switched that on for it"""

    def register(self, shop: Shop, said: dict[str, Any]) -> dict[str, Any]:
        """Keep a shop's addresses; once kept they stay, until they are deleted at the platform's own page."""
        both = check, tell = str(said.get("ValidationURL", "")), str(said.get("ConfirmationURL", ""))
        if str(said.get("ShortCode")) != shop.number or said.get("ResponseType") not in (
            "Completed",
            "Cancelled",
        ):
            raise PayError("400.002.02", 400)
        if any(word in url.lower() for word in TABOO for url in both) or not all(both):
            raise PayError("400.003.02", 400)
        if shop.number in self.addresses:
            raise PayError("500.003.1001 Urls are already registered", 500)
        self.addresses[shop.number] = Addresses(check, tell, completes=said["ResponseType"] == "Completed")
        return {"OriginatorCoversationID": "1-1-1", "ResponseCode": "0", "ResponseDescription": "Success"}

    def typed(self, *, shop: str, named: str, amount_minor: int) -> Typed:
        """Raises PayError for a number that is no merchant's, or an amount that is none."""
        if amount_minor <= 0 or amount_minor % 100:
            raise PayError("INVALID_AMOUNT")
        return Typed(self.books.shop("mpesa", shop), named, amount_minor, self.books.short_number())

    def check(self, typed: Typed) -> Report | None:
        """What the shop is asked before money is taken; None where it never said who is to be asked."""
        known = self.addresses.get(typed.shop.number)
        if known is None or not self.validates:
            return None
        return Report(known.check, _JSON, _about(typed, self.books.now_us()))

    def take(self, typed: Typed, said: tuple[int, bytes] | None) -> Payment:
        """Take the money unless the shop says no; one that does not answer left word. Raises PayError."""
        known = self.addresses.get(typed.shop.number)
        if said is not None:
            code = _code(*said)
            if code is None:
                code = "0" if known is None or known.completes else "NO_ANSWER"
            if code != "0":
                raise PayError(code)
        return self.books.take(
            typed.shop,
            number=typed.number,
            named=typed.named,
            amount_minor=typed.amount_minor,
            currency="KES",
            notify_url="" if known is None else known.tell,
        )

    def told(self, what: Payment | Refund, *, forged: bool) -> Report:
        """The confirmation. A forged one is about money that nobody paid; of money that went back nothing is told."""
        if isinstance(what, Refund):
            return Report("", {}, b"")
        order, amount, number = what.order, what.settled_minor, what.number
        if forged:
            amount, number = amount * 100, f"{number[:6]}ZZZZ"
        typed = Typed(order.shop, order.our_ref, amount, number)
        return Report(order.notify_url, _JSON, _about(typed, what.at_us, balance="49197.00"))


def _about(typed: Typed, at_us: int, *, balance: str = "") -> bytes:
    return json.dumps(
        {
            "TransactionType": "Pay Bill",
            "TransID": typed.number,
            "TransTime": wall(at_us, zone=NAIROBI, form="%Y%m%d%H%M%S"),
            "TransAmount": text_from_minor(typed.amount_minor, digits=2),
            "BusinessShortCode": typed.shop.number,
            "BillRefNumber": typed.named,
            "InvoiceNumber": "",
            "OrgAccountBalance": balance,
            "ThirdPartyTransID": "",
            "MSISDN": PHONE,
            "FirstName": "JOHN",
        }
    ).encode()


def _code(status: int, body: bytes) -> str | None:
    """The shop's answer; None where it gave none."""
    try:
        return str(json.loads(body)["ResultCode"]) if status == 200 else None
    except (ValueError, KeyError, TypeError):
        return None

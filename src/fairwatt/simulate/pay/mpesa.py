"""M-Pesa as a platform: a login, a push to a telephone, a question about it, callbacks that nobody signs."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from fairwatt.payments.amounts import text_from_minor
from fairwatt.payments.clocks import NAIROBI, wall, wall_us
from fairwatt.simulate.pay.bills import Moved, Paging, moved
from fairwatt.simulate.pay.books import Books, Order, PayError, Payment, Refund, Shop
from fairwatt.simulate.pay.faults import Faults
from fairwatt.simulate.pay.paybill import TABOO, PayBills
from fairwatt.simulate.pay.talking import Asked, Report, Said

PUSH_US = 90_000_000
_OURS = 32
"""So long is a reference of a shop's own, of which the list has the beginning; what payers type is shorter."""


class MPesaPlatform:
    """The dialect `mpesa`."""

    def __init__(self, books: Books, faults: Faults, url: str) -> None:
        self.books, self.faults, self.url = books, faults, url
        self.push_us = PUSH_US
        self.paybills = PayBills(books)
        self._paging: Paging[Moved] = Paging()
        self._tokens: dict[str, Shop] = {}

    def settings(self, shop: Shop) -> dict[str, Any]:
        """What the shop types in at its own supplier's."""
        words = shop.keys.words
        return {
            "short_code": shop.number,
            "consumer_key": words["consumer_key"],
            "consumer_secret": words["consumer_secret"],
            "passkey": words["passkey"],
            "gateway": self.url,
            "checkout": f"{self.url.rpartition('/')[0]}/p/mpesa",
        }

    def answer(self, asked: Asked) -> Said:
        """One question of a shop."""
        if asked.path == "/oauth/v1/generate":
            return self._login(asked)
        shop = self._tokens.get(asked.headers.get("authorization", "").removeprefix("Bearer "))
        if shop is None:
            return Said.of(401, {"errorCode": "404.001.03", "errorMessage": "Invalid Access Token"})
        said = asked.json()
        try:
            return Said.of(200, self._content(shop, asked.path, said))
        except PayError as error:
            code, _, words = error.code.partition(" ")
            return Said.of(error.status, {"requestId": "1", "errorCode": code, "errorMessage": words or code})

    def _login(self, asked: Asked) -> Said:
        given = base64.b64decode(asked.headers.get("authorization", "").removeprefix("Basic ")).decode()
        for shop in self.books.shops:
            words = shop.keys.words
            if shop.dialect == "mpesa" and given == f"{words['consumer_key']}:{words['consumer_secret']}":
                token = secrets.token_hex(14)
                self._tokens[token] = shop
                return Said.of(200, {"access_token": token, "expires_in": "3599"})
        return Said.of(400, {"errorCode": "400.008.01", "errorMessage": "Invalid Authentication passed"})

    def _content(self, shop: Shop, path: str, said: dict[str, Any]) -> dict[str, Any]:
        if path == "/pulltransactions/v1/query":
            return self._pull(shop, said)
        if path == "/pulltransactions/v1/register":
            return {"ResponseStatus": "1000", "ShortCode": shop.number, "ResponseDescription": "ok"}
        if path == "/mpesa/c2b/v2/registerurl":
            return self.paybills.register(shop, said)
        wanted = f"{shop.number}{shop.keys.words['passkey']}{said.get('Timestamp', '')}"
        if base64.b64decode(said.get("Password", "")).decode() != wanted:
            raise PayError("500.001.1001", 500)
        if path == "/mpesa/stkpush/v1/processrequest":
            return self._push(shop, said)
        if path == "/mpesa/stkpushquery/v1/query":
            return self._query(shop, said["CheckoutRequestID"])
        raise PayError("404.001.01", 404)

    def _push(self, shop: Shop, said: dict[str, Any]) -> dict[str, Any]:
        if any(word in said["CallBackURL"].lower() for word in TABOO):
            raise PayError("400.002.02", 400)
        # There is no key against doing it twice: every push is a new one.
        order = self.books.make(
            shop,
            self.books.next_number("push"),
            prefix="ws_CO_",
            amount_minor=int(said["Amount"]) * 100,
            currency="KES",
            notify_url=said["CallBackURL"],
            return_url="",
            expires_us=self.books.now_us() + self.push_us,
            subject=said["AccountReference"],
            way=said["PhoneNumber"],
        )
        order.our_ref = said["CallBackURL"].rpartition("/")[2]
        return {
            "MerchantRequestID": "1-1-1",
            "CheckoutRequestID": order.number,
            "ResponseCode": "0",
            "ResponseDescription": "Success. Request accepted for processing",
        }

    def _query(self, shop: Shop, number: str) -> dict[str, Any]:
        order = self.books.by_number(number)
        if order is None or order.shop is not shop:
            raise PayError("400.002.02", 400)
        if order.state == "failed":
            code = "1032"
        elif order.paid:
            code = "0"
        elif self.books.now_us() >= order.expires_us:
            code = "1037"
        else:
            raise PayError("500.001.1001", 500)
        return {
            "ResponseCode": "0",
            "MerchantRequestID": "1-1-1",
            "CheckoutRequestID": number,
            "ResultCode": code,
            "ResultDesc": "The service request is processed successfully." if code == "0" else "no",
        }

    def _pull(self, shop: Shop, said: dict[str, Any]) -> dict[str, Any]:
        if self.faults.bill_late:
            return {"ResponseCode": "1001", "ResponseMessage": "no"}
        from_us = wall_us(said["StartDate"], zone=NAIROBI)
        until_us = wall_us(said["EndDate"], zone=NAIROBI) + 1_000_000
        start = int(said["OffSetValue"])
        rows = self._paging.rows(
            shop,
            first=not start,
            make=lambda: moved(self.books, shop, from_us=from_us, until_us=until_us, faults=self.faults),
        )
        page = [
            {
                "transactionId": one.refund_number or one.number,
                "trxDate": wall(one.at_us, zone=NAIROBI, form="%Y-%m-%dT%H:%M:%S") + "+03:00",
                "msisdn": 254700000000,
                "transactiontype": "organization-reversal" if one.refund_ref else "c2b-pay-bill-debit",
                "organizationname": one.subject,
                "billreference": one.our_ref[:12] if len(one.our_ref) == _OURS else one.our_ref,
                "amount": "?" if self.faults.bill_corrupt else text_from_minor(one.amount_minor, digits=2),
            }
            for one in rows[start : start + 100]
        ]
        return {"ResponseCode": "1000", "ResponseMessage": "Success", "Response": [page] if page else []}

    def report(self, what: Payment | Refund, *, forged: bool = False, at_s: int | None = None) -> Report:
        """A callback; a forged one looks exactly like a true one, for there is nothing to tell them apart."""
        order = what.payment.order if isinstance(what, Refund) else what.order
        if order.way == "paybill":
            return self.paybills.told(what, forged=forged)
        amount = what.amount_minor if isinstance(what, Refund) else what.settled_minor
        items: list[dict[str, Any]] = [
            {"Name": "Amount", "Value": amount / 100},
            {"Name": "MpesaReceiptNumber", "Value": f"R{what.number[-9:].upper()}"},
            {"Name": "PhoneNumber", "Value": 254700000000},
        ]
        return self._said(order, 0, items)

    def refused(self, order: Order) -> Report:
        """The payer said no."""
        return self._said(order, 1032, [])

    def _said(self, order: Order, code: int, items: list[dict[str, Any]]) -> Report:
        told: dict[str, Any] = {
            "MerchantRequestID": "1-1-1",
            "CheckoutRequestID": order.number,
            "ResultCode": code,
            "ResultDesc": "x",
        }
        if items:
            told["CallbackMetadata"] = {"Item": items}
        body = json.dumps({"Body": {"stkCallback": told}}).encode()
        return Report(order.notify_url, {"Content-Type": "application/json"}, body)

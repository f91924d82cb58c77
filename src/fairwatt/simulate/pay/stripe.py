"""Stripe as a platform: checkout sessions under idempotency keys, refunds, webhooks, balance transactions."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import Any, Final

from fairwatt.simulate.pay.bills import Paging, stripe_transactions
from fairwatt.simulate.pay.books import Books, Order, PayError, Payment, Refund, Shop, notice_number
from fairwatt.simulate.pay.cards import Cards, Declined
from fairwatt.simulate.pay.faults import Faults
from fairwatt.simulate.pay.talking import Asked, Report, Said

_REFUND_WORDS: Final = {
    "pending": "pending",
    "done": "succeeded",
    "abnormal": "failed",
    "closed": "canceled",
}


class StripePlatform:
    """The dialect `stripe`."""

    def __init__(self, books: Books, faults: Faults, url: str) -> None:
        self.books, self.faults, self.url = books, faults, url
        self._done: dict[tuple[str, str], tuple[bytes, Said]] = {}
        self._notify: dict[str, str] = {}
        self._paging: Paging[dict[str, Any]] = Paging()
        self.cards = Cards(books)

    def settings(self, shop: Shop) -> dict[str, Any]:
        """What the shop types in at its own supplier's."""
        return {
            "account_id": f"acct_{shop.number}",
            "secret_key": shop.keys.words["secret_key"],
            "webhook_secrets": {"1": shop.keys.words["webhook_secret"]},
            "live": False,
            "gateway": self.url,
        }

    def listen(self, shop: Shop, url: str) -> None:
        """Where the shop's webhook endpoint is: a setting of the account there, not of an order."""
        self._notify[shop.number] = url

    def answer(self, asked: Asked) -> Said:
        """One question of a shop. The same key again is answered word for word as the first time."""
        shop = self._authorized(asked)
        key = (shop.number, asked.headers.get("idempotency-key", ""))
        known = self._done.get(key) if key[1] else None
        if known is not None:
            if known[0] != asked.body:
                return Said.of(
                    400, {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}
                )
            return known[1]
        try:
            said = Said.of(200, self._content(shop, asked))
        except Declined as no:
            left = self.cards.intent(no.order)
            error_said = {
                "type": "card_error",
                "code": no.code,
                "decline_code": no.code,
                "payment_intent": left,
            }
            said = Said.of(402, {"error": error_said})
        except PayError as error:
            status = 404 if error.code == "ORDER_NOT_EXIST" else 400
            said = Said.of(status, {"error": {"type": "invalid_request_error", "code": error.code.lower()}})
        if key[1] and asked.method == "POST":
            self._done[key] = (asked.body, said)
        return said

    def _authorized(self, asked: Asked) -> Shop:
        given = asked.headers.get("authorization", "").removeprefix("Bearer ")
        for shop in self.books.shops:
            if shop.dialect == "stripe" and hmac.compare_digest(shop.keys.words["secret_key"], given):
                return shop
        raise PayError("authentication_required", 401)

    def _content(self, shop: Shop, asked: Asked) -> dict[str, Any]:
        match asked.method, asked.path.strip("/").split("/"):
            case "POST", ["v1", "checkout", "sessions"]:
                return self.session(self._make(shop, asked.form()))
            case "GET", ["v1", "checkout", "sessions", number]:
                return self.session(self._order(shop, number))
            case "POST", ["v1", "checkout", "sessions", number, "expire"]:
                order = self._order(shop, number)
                self.books.close(order)
                return self.session(order)
            case _, ["v1", ("payment_intents" | "payment_methods"), *_]:
                return self._agreed(shop, asked)
            case "POST", ["v1", "refunds"]:
                return self._refund(shop, asked.form())
            case "GET", ["v1", "refunds"]:
                paid = self._payment(shop, asked.arg("payment_intent"))
                return {"data": [self.refund(one) for one in paid.refunds], "has_more": False}
            case "GET", ["v1", "refunds", number]:
                for paid in self.books.payments(shop):
                    for one in paid.refunds:
                        if one.number == number:
                            return self.refund(one)
                raise PayError("ORDER_NOT_EXIST")
            case "GET", ["v1", "disputes", number]:
                for paid in self.books.payments(shop):
                    if paid.dispute and f"dp_{paid.number}" == number:
                        return self.disputed(paid)
                raise PayError("ORDER_NOT_EXIST")
            case "GET", ["v1", "balance"]:
                return {"object": "balance"}
            case "GET", ["v1", "balance_transactions"]:
                return self._transactions(shop, asked)
        raise PayError("PARAM_ERROR")

    def _agreed(self, shop: Shop, asked: Asked) -> dict[str, Any]:
        """Cards that were saved, and what is taken from them."""
        match asked.method, asked.path.strip("/").split("/")[1:]:
            case "POST", ["payment_intents"]:
                return self.cards.intent(self.cards.take(shop, asked.form()))
            case "GET", ["payment_intents"]:
                found = self.cards.of_customer(shop, asked.arg("customer"))
                return {"data": [self.cards.intent(one) for one in found], "has_more": False}
            case "GET", ["payment_intents", number]:
                return self.cards.intent(self._order(shop, number))
            case "POST", ["payment_intents", number, "cancel"]:
                order = self._order(shop, number)
                self.books.close(order)
                return self.cards.intent(order)
            case "GET", ["payment_methods", number]:
                return self.cards.find(shop, number).shown()
            case "POST", ["payment_methods", number, "detach"]:
                return self.cards.detach(shop, number).shown()
        raise PayError("PARAM_ERROR")

    def _make(self, shop: Shop, said: dict[str, str]) -> Order:
        if said["mode"] == "setup":
            return self.books.make(
                shop,
                said["client_reference_id"],
                prefix="cs_test_",
                amount_minor=0,
                currency=said["currency"].upper(),
                notify_url="",
                return_url=said["success_url"],
                expires_us=int(said["expires_at"]) * 1_000_000,
                subject="",
                way="setup",
            )
        return self.books.make(
            shop,
            said["client_reference_id"],
            prefix="cs_test_",
            amount_minor=int(said["line_items[0][price_data][unit_amount]"]),
            currency=said["line_items[0][price_data][currency]"].upper(),
            notify_url=self._notify.get(shop.number, ""),
            return_url=said["success_url"],
            expires_us=int(said["expires_at"]) * 1_000_000,
            subject=said["line_items[0][price_data][product_data][name]"],
            way="card",
        )

    def _order(self, shop: Shop, number: str) -> Order:
        found = self.books.by_number(number)
        if found is None or found.shop is not shop:
            raise PayError("ORDER_NOT_EXIST")
        return found

    def _payment(self, shop: Shop, number: str) -> Payment:
        for paid in self.books.payments(shop):
            if paid.intent_number == number:
                return paid
        raise PayError("ORDER_NOT_EXIST")

    def session(self, order: Order, paid: Payment | None = None) -> dict[str, Any]:
        """A checkout session as Stripe writes it."""
        if order.way == "setup":
            return self._saving(order)
        paid = paid or (order.payments[0] if order.payments else None)
        return {
            "id": order.number,
            "object": "checkout.session",
            "url": f"{self.url.rpartition('/')[0]}/p/stripe/{order.number}",
            "status": "complete" if paid else "open" if order.state == "open" else "expired",
            "payment_status": "paid" if paid else "unpaid",
            "payment_intent": paid.intent_number if paid else None,
            "client_reference_id": order.our_ref,
            "amount_total": paid.settled_minor if paid else order.amount_minor,
            "currency": (paid.currency if paid else order.currency).lower(),
        }

    def _saving(self, order: Order) -> dict[str, Any]:
        card = self.cards.of_session(order)
        over = order.state != "open" or self.books.now_us() >= order.expires_us
        setup = {"object": "setup_intent", "status": "succeeded" if card else "requires_payment_method"}
        return {
            "id": order.number,
            "object": "checkout.session",
            "mode": "setup",
            "url": f"{self.url.rpartition('/')[0]}/p/stripe/{order.number}",
            "status": "complete" if card else "expired" if over else "open",
            "customer": card.customer if card else None,
            "client_reference_id": order.our_ref,
            "setup_intent": {**setup, "payment_method": card.shown() if card else None},
        }

    def _refund(self, shop: Shop, said: dict[str, str]) -> dict[str, Any]:
        made = self.books.refund(
            self._payment(shop, said["payment_intent"]),
            refund_ref=said["metadata[refund_ref]"],
            amount_minor=int(said["amount"]),
            state="abnormal" if self.faults.refund_abnormal else "done",
        )
        return {**self.refund(made), "status": "pending"}

    def refund(self, one: Refund) -> dict[str, Any]:
        """A refund as Stripe writes it."""
        return {
            "id": one.number,
            "object": "refund",
            "payment_intent": one.payment.intent_number,
            "amount": one.amount_minor,
            "currency": one.payment.currency.lower(),
            "status": _REFUND_WORDS[one.state],
            "metadata": {}
            if one.at_desk
            else {"our_ref": one.payment.order.our_ref, "refund_ref": one.refund_ref},
        }

    def report(self, what: Payment | Refund, *, forged: bool = False, at_s: int | None = None) -> Report:
        """A webhook."""
        order = what.payment.order if isinstance(what, Refund) else what.order
        word = "refund.updated" if isinstance(what, Refund) else "checkout.session.completed"
        content = self.refund(what) if isinstance(what, Refund) else self.session(order, what)
        if order.way == "agreed" and not isinstance(what, Refund):
            word, content = "payment_intent.succeeded", self.cards.intent(order)
        return self._event(order, word, f"evt_{notice_number(what)}", content, forged=forged, at_s=at_s)

    def disputed(self, paid: Payment) -> dict[str, Any]:
        """A dispute as Stripe writes it."""
        return {
            "id": f"dp_{paid.number}",
            "object": "dispute",
            "status": paid.dispute,
            "payment_intent": paid.intent_number,
            "amount": paid.settled_minor,
            "currency": paid.currency.lower(),
            "metadata": {},
        }

    def dispute(self, paid: Payment) -> Report:
        """A cardholder disputes: `needs_response`, `lost` or `won`."""
        content, status = self.disputed(paid), paid.dispute
        word = "charge.dispute.created" if status == "needs_response" else "charge.dispute.closed"
        return self._event(
            paid.order, word, f"evt_dp_{paid.number}_{status}", content, forged=False, at_s=None
        )

    def _event(
        self, order: Order, word: str, number: str, content: dict[str, Any], *, forged: bool, at_s: int | None
    ) -> Report:
        now_s = self.books.now_us() // 1_000_000
        stamp = now_s if at_s is None else at_s
        body = json.dumps(
            {
                "id": number,
                "object": "event",
                "type": word,
                "created": now_s,
                "livemode": False,
                "data": {"object": content},
            }
        ).encode()
        secret = "whsec_forged" if forged else order.shop.keys.words["webhook_secret"]
        signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, sha256).hexdigest()
        headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={stamp},v1={signature}"}
        return Report(self._notify.get(order.shop.number, ""), headers, body)

    def _transactions(self, shop: Shop, asked: Asked) -> dict[str, Any]:
        after = asked.arg("starting_after")
        rows = self._paging.rows(
            shop,
            first=not after,
            make=lambda: stripe_transactions(
                self.books,
                shop,
                from_s=int(asked.arg("created[gte]")),
                until_s=int(asked.arg("created[lt]")),
                faults=self.faults,
            ),
        )
        # The newest comes first, and the number in its name counts from the oldest.
        start = len(rows) - int(after.rpartition("_")[2]) if after else 0
        page = rows[start : start + int(asked.arg("limit") or 10)]
        return {"data": page, "has_more": start + len(page) < len(rows)}

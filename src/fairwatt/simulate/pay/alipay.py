"""Alipay as a platform: one gateway, every answer signed over its own bytes."""

from __future__ import annotations

import json
import secrets
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from fairwatt.payments.alipay.signing import sorted_text
from fairwatt.payments.amounts import minor_from_text, text_from_minor
from fairwatt.payments.clocks import BEIJING, wall, wall_us
from fairwatt.payments.keyring import rsa_signed, rsa_verified
from fairwatt.simulate.pay.bills import alipay_trades
from fairwatt.simulate.pay.books import Books, Order, PayError, Payment, Refund, Shop
from fairwatt.simulate.pay.faults import Faults
from fairwatt.simulate.pay.keys import private_pem, public_pem
from fairwatt.simulate.pay.talking import Asked, Report, Said

_WORDS: Final = {
    "ORDER_NOT_EXIST": "ACQ.TRADE_NOT_EXIST",
    "ORDERPAID": "ACQ.REASON_TRADE_STATUS_INVALID",
    "ORDER_CLOSED": "ACQ.TRADE_HAS_CLOSE",
    "NOT_ENOUGH": "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
    "NOTENOUGH": "ACQ.BUYER_BALANCE_NOT_ENOUGH",
    "AUTHCODEEXPIRE": "ACQ.PAYMENT_AUTH_CODE_INVALID",
    "AUTH_CODE_INVALID": "ACQ.PAYMENT_AUTH_CODE_INVALID",
}
_RETURN: Final = ("alipay.trade.page.pay", "alipay.trade.wap.pay")


class AlipayPlatform:
    """The dialect `alipay`."""

    def __init__(self, books: Books, faults: Faults, url: str) -> None:
        self.books, self.faults, self.url = books, faults, url
        self._bills: dict[str, bytes] = {}

    def settings(self, shop: Shop) -> dict[str, Any]:
        """What the shop types in at its own supplier's."""
        newest = shop.keys.platform[shop.serial]
        return {
            "app_id": shop.number,
            "seller_id": f"2088{shop.number}",
            "private_key": private_pem(shop.keys.merchant),
            "keys": {"alipay": public_pem(newest.public_key())},
            "gateway": f"{self.url}/gateway.do",
        }

    def answer(self, asked: Asked) -> Said:
        """One question of a shop, or of a payer's browser on its behalf."""
        if asked.path == "/bill":
            return Said(200, self._bills.pop(asked.arg("token"), b""), {"Content-Type": "application/zip"})
        sent = dict(parse_qsl(asked.query)) if asked.method == "GET" else asked.form()
        shop = self.books.shop("alipay", sent.get("app_id", ""))
        signature = sent.pop("sign", "")
        if not rsa_verified(key=shop.keys.merchant.public_key(), signature=signature, text=sorted_text(sent)):
            return self._signed(
                shop, "error_response", {"code": "40002", "sub_code": "isv.invalid-signature"}
            )
        method, content = sent["method"], json.loads(sent["biz_content"])
        name = f"{method.replace('.', '_')}_response"
        try:
            if method in _RETURN:
                order = self._make(shop, content, sent, way="page")
                page = f"{self.url.rpartition('/')[0]}/p/alipay/{order.number}"
                return Said(302, b"", {"Location": page})
            said = self._content(shop, method, content, sent)
        except PayError as error:
            word = _WORDS.get(error.code, f"ACQ.{error.code}")
            return self._signed(shop, name, {"code": "40004", "msg": "Business Failed", "sub_code": word})
        return self._signed(shop, name, {"code": "10000", "msg": "Success", **said})

    def _signed(self, shop: Shop, name: str, content: dict[str, Any]) -> Said:
        inner = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        sign = rsa_signed(key=shop.keys.platform[shop.serial], text=inner.encode())
        body = f'{{"{name}":{inner},"sign":"{sign}"}}'.encode()
        return Said(200, body, {"Content-Type": "text/html;charset=utf-8"})

    def _content(self, shop: Shop, method: str, said: dict[str, Any], sent: dict[str, str]) -> dict[str, Any]:
        match method:
            case "alipay.trade.precreate":
                order = self._make(shop, said, sent, way="qr")
                page = f"{self.url.rpartition('/')[0]}/p/alipay/{order.number}"
                return {"out_trade_no": order.our_ref, "qr_code": page}
            case "alipay.trade.pay":
                return self._scanned(shop, said, sent)
            case "alipay.trade.query":
                return self._query(shop, said)
            case "alipay.trade.close":
                order = self.books.find(shop, said["out_trade_no"])
                self.books.close(order)
                return {"out_trade_no": order.our_ref, "trade_no": order.number}
            case "alipay.trade.refund":
                return self._refund(shop, said)
            case "alipay.trade.fastpay.refund.query":
                return self._refund_query(shop, said)
            case "alipay.data.dataservice.bill.downloadurl.query":
                return self._bill(shop, said["bill_date"])
        raise PayError("INVALID_PARAMETER")

    def _make(self, shop: Shop, said: dict[str, Any], sent: dict[str, str], *, way: str) -> Order:
        return self.books.make(
            shop,
            said["out_trade_no"],
            prefix="2026",
            amount_minor=minor_from_text(said["total_amount"], digits=2),
            currency="CNY",
            notify_url=sent.get("notify_url", ""),
            return_url=sent.get("return_url", ""),
            expires_us=wall_us(said["time_expire"], zone=BEIJING) if "time_expire" in said else 1 << 62,
            subject=said["subject"],
            way=way,
        )

    def _scanned(self, shop: Shop, said: dict[str, Any], sent: dict[str, str]) -> dict[str, Any]:
        order = self._make(shop, said, sent, way="scan")
        if not self.books.scan(order, said["auth_code"]):
            return {"code": "10003", "msg": "order success pay inprocess", "out_trade_no": order.our_ref}
        paid = order.payments[0]
        return {
            "trade_no": paid.number,
            "out_trade_no": order.our_ref,
            "total_amount": _yuan(paid.settled_minor),
            "gmt_payment": wall(paid.at_us, zone=BEIJING),
        }

    def _query(self, shop: Shop, said: dict[str, Any]) -> dict[str, Any]:
        order = self.books.find(shop, said["out_trade_no"])
        if order.way == "qr" and not order.paid and order.state == "open":
            raise PayError("ORDER_NOT_EXIST")  # a code nobody scanned is no trade yet
        paid = order.payments[0] if order.payments else None
        word = "WAIT_BUYER_PAY" if order.state == "open" else "TRADE_CLOSED"
        told = {
            "out_trade_no": order.our_ref,
            "trade_no": paid.number if paid else order.number,
            "trade_status": "TRADE_SUCCESS" if paid else word,
            "total_amount": _yuan(paid.settled_minor if paid else order.amount_minor),
        }
        return {**told, "send_pay_date": wall(paid.at_us, zone=BEIJING)} if paid else told

    def _refund(self, shop: Shop, said: dict[str, Any]) -> dict[str, Any]:
        abnormal = self.faults.refund_abnormal
        made = self.books.refund(
            self.books.payment(shop, number=said.get("trade_no", ""), our_ref=said.get("out_trade_no", "")),
            refund_ref=said["out_request_no"],
            amount_minor=minor_from_text(said["refund_amount"], digits=2),
            state="abnormal" if abnormal else "done",
        )
        return {
            "trade_no": made.payment.number,
            "out_trade_no": made.payment.order.our_ref,
            "fund_change": "N" if abnormal else "Y",
            "refund_fee": _yuan(made.payment.refunded_minor),
        }

    def _refund_query(self, shop: Shop, said: dict[str, Any]) -> dict[str, Any]:
        paid = self.books.payment(shop, number=said.get("trade_no", ""), our_ref=said.get("out_trade_no", ""))
        for one in paid.refunds:
            if one.refund_ref == said["out_request_no"]:
                return {
                    "trade_no": paid.number,
                    "out_trade_no": paid.order.our_ref,
                    "out_request_no": one.refund_ref,
                    "refund_amount": _yuan(one.amount_minor),
                    "refund_status": "REFUND_SUCCESS" if one.state == "done" else "",
                }
        return {}

    def report(self, what: Payment | Refund, *, forged: bool = False, at_s: int | None = None) -> Report:
        """A notification; a partial refund comes as TRADE_SUCCESS to the payment's address, as it does there."""
        paid = what.payment if isinstance(what, Refund) else what
        order = paid.order
        now_us = self.books.now_us() if at_s is None else at_s * 1_000_000
        gone = paid.refunded_minor >= paid.settled_minor
        said = {
            "app_id": order.shop.number,
            "seller_id": f"2088{order.shop.number}",
            "notify_id": f"n{what.number}",
            "notify_type": "trade_status_sync",
            "notify_time": wall(now_us, zone=BEIJING),
            "charset": "utf-8",
            "out_trade_no": order.our_ref,
            "trade_no": paid.number,
            "trade_status": "TRADE_CLOSED" if isinstance(what, Refund) and gone else "TRADE_SUCCESS",
            "total_amount": _yuan(paid.settled_minor),
            "gmt_payment": wall(paid.at_us, zone=BEIJING),
            "subject": order.subject,
        }
        if isinstance(what, Refund):
            said |= {
                "out_biz_no": what.refund_ref,
                "refund_fee": _yuan(paid.refunded_minor),
                "gmt_refund": wall(what.at_us, zone=BEIJING) + ".000",
            }
        return self._notice(order, said, forged=forged)

    def finished(self, paid: Payment) -> Report:
        """TRADE_FINISHED, months later: nothing new, and no second payment."""
        one = dict(parse_qsl(self.report(paid).body.decode()))
        said = {name: value for name, value in one.items() if name not in ("sign", "sign_type")}
        return self._notice(
            paid.order,
            {**said, "trade_status": "TRADE_FINISHED", "notify_id": f"f{paid.number}"},
            forged=False,
        )

    def _notice(self, order: Order, said: dict[str, str], *, forged: bool) -> Report:
        key = order.shop.keys.merchant if forged else order.shop.keys.platform[order.shop.serial]
        body = urlencode({**said, "sign": rsa_signed(key=key, text=sorted_text(said)), "sign_type": "RSA2"})
        return Report(order.notify_url, {"Content-Type": "application/x-www-form-urlencoded"}, body.encode())

    def _bill(self, shop: Shop, day: str) -> dict[str, Any]:
        raw = None if self.faults.bill_late else alipay_trades(self.books, shop, day, self.faults)
        if raw is None:
            return {"code": "40004", "sub_code": "isp.bill_not_exist"}
        token = secrets.token_hex(16)
        self._bills[token] = raw[: len(raw) // 2] if self.faults.bill_corrupt else raw
        return {"bill_download_url": f"{self.url}/bill?token={token}"}


def _yuan(minor: int) -> str:
    return text_from_minor(minor, digits=2)

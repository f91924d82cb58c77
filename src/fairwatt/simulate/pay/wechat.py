"""WeChat Pay APIv3 as a platform: checks what shops sign, signs what it says, seals what it reports."""

from __future__ import annotations

import base64
import gzip
import json
import re
import secrets
from hashlib import sha1
from typing import Any, Final
from urllib.parse import quote

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fairwatt.payments.clocks import rfc3339, rfc3339_us
from fairwatt.payments.keyring import rsa_signed, rsa_verified
from fairwatt.simulate.pay.bills import wechat_funds, wechat_trades
from fairwatt.simulate.pay.books import Books, Order, PayError, Payment, Refund, Shop, notice_number
from fairwatt.simulate.pay.faults import Faults
from fairwatt.simulate.pay.keys import private_pem, public_pem
from fairwatt.simulate.pay.talking import Asked, Report, Said

_AUTHORIZATION: Final = re.compile(r'(\w+)="([^"]*)"')
_REFUND_WORDS: Final = {
    "pending": "PROCESSING",
    "done": "SUCCESS",
    "abnormal": "ABNORMAL",
    "closed": "CLOSED",
}


class WechatPlatform:
    """The dialect `wechat`."""

    def __init__(self, books: Books, faults: Faults, url: str) -> None:
        self.books, self.faults, self.url = books, faults, url
        self._bills: dict[str, bytes] = {}

    def settings(self, shop: Shop) -> dict[str, Any]:
        """What the shop types in at its own supplier's."""
        return {
            "app_id": f"wx{shop.number}",
            "mch_id": shop.number,
            "serial_no": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
            "private_key": private_pem(shop.keys.merchant),
            "api_key": shop.keys.words["api_key"],
            "keys": {name: public_pem(key.public_key()) for name, key in shop.keys.platform.items()},
            "public_key_id": shop.serial,
            "app_secret": shop.keys.words["token"],
            "gateway": self.url,
            "login_gateway": self.url,
            "login_page": f"{self.url}/connect/oauth2/authorize",
            "checkout": f"{self.url.rpartition('/')[0]}/p/wechat",
        }

    def answer(self, asked: Asked) -> Said:
        """One question of a shop."""
        if asked.path == "/connect/oauth2/authorize":
            back = (
                f"{asked.arg('redirect_uri')}?code={secrets.token_hex(8)}&state={quote(asked.arg('state'))}"
            )
            return Said(302, b"", {"Location": back})
        if asked.path.startswith("/sns/"):
            return Said.of(200, {"openid": "o" + asked.arg("code")[:20].rjust(20, "x"), "access_token": "t"})
        shop = self._authorized(asked)
        try:
            status, content = self._content(shop, asked)
        except PayError as error:
            status, content = error.status, {"code": error.code, "message": error.code}
        if isinstance(content, bytes):
            return Said(status, content, {"Content-Type": "application/octet-stream"})
        body = b"" if status == 204 else json.dumps(content, ensure_ascii=False).encode()
        return Said(status, body, self.signed(shop, body))

    def signed(
        self, shop: Shop, body: bytes, *, at_s: int | None = None, forged: bool = False
    ) -> dict[str, str]:
        """Headers that prove a body comes from here."""
        stamp, nonce = str(self.books.now_us() // 1_000_000 if at_s is None else at_s), secrets.token_hex(16)
        key = shop.keys.merchant if forged else shop.keys.platform[shop.serial]
        return {
            "Content-Type": "application/json",
            "Wechatpay-Timestamp": stamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": rsa_signed(key=key, text=f"{stamp}\n{nonce}\n".encode() + body + b"\n"),
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
            "Wechatpay-Serial": shop.serial,
        }

    def _authorized(self, asked: Asked) -> Shop:
        said = dict(_AUTHORIZATION.findall(asked.headers.get("authorization", "")))
        shop = self.books.shop("wechat", said.get("mchid", ""))
        text = f"{asked.method}\n{asked.target}\n{said['timestamp']}\n{said['nonce_str']}\n".encode()
        if not rsa_verified(
            key=shop.keys.merchant.public_key(), signature=said["signature"], text=text + asked.body + b"\n"
        ):
            raise PayError("SIGN_ERROR", 401)
        return shop

    def _content(self, shop: Shop, asked: Asked) -> tuple[int, Any]:
        parts = asked.path.strip("/").split("/")
        match asked.method, parts:
            case "POST", ["v3", "pay", "transactions", ("jsapi" | "native" | "codepay") as way]:
                return self._make(shop, way, asked.json())
            case "GET", ["v3", "pay", "transactions", "out-trade-no", ref]:
                return 200, self.transaction(self.books.find(shop, ref))
            case "POST", ["v3", "pay", "transactions", "out-trade-no", ref, "close" | "reverse"]:
                self.books.close(self.books.find(shop, ref))
                return 204, None
            case "POST", ["v3", "refund", "domestic", "refunds"]:
                return self._refund(shop, asked.json())
            case "GET", ["v3", "refund", "domestic", "refunds", ref]:
                for paid in self.books.payments(shop):
                    for one in paid.refunds:
                        if one.refund_ref == ref:
                            return 200, self.refund(one, word="status")
                raise PayError("RESOURCE_NOT_EXISTS", 404)
            case "GET", ["v3", "bill", ("tradebill" | "fundflowbill") as kind]:
                return self._bill(shop, kind, asked.arg("bill_date"))
            case "GET", ["v3", "billdownload", "file"]:
                return 200, self._bills.pop(asked.arg("token"), b"")
        raise PayError("PARAM_ERROR")

    def _make(self, shop: Shop, way: str, said: dict[str, Any]) -> tuple[int, Any]:
        if (said["appid"], said["mchid"]) != (f"wx{shop.number}", shop.number):
            raise PayError("APPID_MCHID_NOT_MATCH")
        if way == "jsapi" and not said["payer"].get("openid"):
            raise PayError("PARAM_ERROR")
        order = self.books.make(
            shop,
            said["out_trade_no"],
            prefix="wx",
            amount_minor=said["amount"]["total"],
            currency=said["amount"].get("currency", "CNY"),
            notify_url=said.get("notify_url", ""),
            return_url="",
            expires_us=rfc3339_us(said["time_expire"]) if "time_expire" in said else 1 << 62,
            subject=said["description"],
            way=way,
        )
        page = f"{self.url.rpartition('/')[0]}/p/wechat/{order.number}"
        if way == "codepay":
            if not self.books.scan(order, said["payer"]["auth_code"]):
                raise PayError("USERPAYING", 202)  # this payer is asked for a PIN first
            return 200, self.transaction(order)
        return 200, {"code_url": page} if way == "native" else {"prepay_id": order.number}

    def transaction(self, order: Order, paid: Payment | None = None) -> dict[str, Any]:
        """An order as WeChat writes it."""
        paid = paid or (order.payments[0] if order.payments else None)
        said: dict[str, Any] = {
            "appid": f"wx{order.shop.number}",
            "mchid": order.shop.number,
            "out_trade_no": order.our_ref,
            "trade_type": order.way.upper(),
            "trade_state": {"open": "NOTPAY", "closed": "CLOSED", "failed": "PAYERROR"}[order.state],
            "amount": {"total": order.amount_minor, "currency": order.currency},
        }
        if paid is not None:
            said |= {
                "transaction_id": paid.number,
                "trade_state": "REFUND" if paid.refunds else "SUCCESS",
                "success_time": rfc3339(paid.at_us),
                "payer": {"openid": "oxxxxxxxxxxxxxxxxxxxx"},
                "amount": {
                    "total": paid.settled_minor,
                    "payer_total": paid.settled_minor,
                    "currency": paid.currency,
                },
            }
        return said

    def _refund(self, shop: Shop, said: dict[str, Any]) -> tuple[int, Any]:
        made = self.books.refund(
            self.books.payment(
                shop, number=said.get("transaction_id", ""), our_ref=said.get("out_trade_no", "")
            ),
            refund_ref=said["out_refund_no"],
            amount_minor=said["amount"]["refund"],
            state="abnormal" if self.faults.refund_abnormal else "done",
        )
        return 200, {**self.refund(made, word="status"), "status": "PROCESSING"}

    def refund(self, one: Refund, *, word: str) -> dict[str, Any]:
        """A refund as WeChat writes it."""
        paid = one.payment
        return {
            "mchid": paid.order.shop.number,
            "out_trade_no": paid.order.our_ref,
            "transaction_id": paid.number,
            "out_refund_no": one.refund_ref,
            "refund_id": one.number,
            word: _REFUND_WORDS[one.state],
            "success_time": rfc3339(one.at_us),
            "amount": {
                "total": paid.settled_minor,
                "refund": one.amount_minor,
                "payer_refund": one.amount_minor,
                "currency": paid.currency,
            },
        }

    def report(self, what: Payment | Refund, *, forged: bool = False, at_s: int | None = None) -> Report:
        """A callback, sealed and signed."""
        refund = isinstance(what, Refund)
        order = what.payment.order if isinstance(what, Refund) else what.order
        inside = (
            self.refund(what, word="refund_status")
            if isinstance(what, Refund)
            else self.transaction(order, what)
        )
        about, nonce = b"refund" if refund else b"transaction", secrets.token_hex(6)
        sealed = AESGCM(order.shop.keys.words["api_key"].encode()).encrypt(
            nonce.encode(), json.dumps(inside).encode(), about
        )
        state = _REFUND_WORDS[what.state] if isinstance(what, Refund) else "SUCCESS"
        body = json.dumps(
            {
                "id": f"EV-{notice_number(what)}",
                "create_time": rfc3339(what.at_us),
                "event_type": f"{'REFUND' if refund else 'TRANSACTION'}.{state}",
                "resource_type": "encrypt-resource",
                "resource": {
                    "algorithm": "AEAD_AES_256_GCM",
                    "ciphertext": base64.b64encode(sealed).decode(),
                    "nonce": nonce,
                    "associated_data": about.decode(),
                    "original_type": about.decode(),
                },
            }
        ).encode()
        return Report(order.notify_url, self.signed(order.shop, body, at_s=at_s, forged=forged), body)

    def probe(self, order: Order) -> Report:
        """A report that only tests whether signatures are checked."""
        one = self.report(Payment(order, "0", order.amount_minor, order.currency, self.books.now_us()))
        return Report(
            one.url, {**one.headers, "Wechatpay-Signature": "WECHATPAY/SIGNTEST/" + "A" * 80}, one.body
        )

    def _bill(self, shop: Shop, kind: str, day: str) -> tuple[int, Any]:
        if self.faults.bill_late:
            raise PayError("NO_STATEMENT_EXIST")
        make = wechat_trades if kind == "tradebill" else wechat_funds
        raw = make(self.books, shop, day, self.faults)
        if raw is None:
            raise PayError("NO_STATEMENT_EXIST")
        token = secrets.token_hex(16)
        self._bills[token] = gzip.compress(raw.replace(b".", b",", 1) if self.faults.bill_corrupt else raw)
        return 200, {
            "hash_type": "SHA1",
            "hash_value": sha1(raw, usedforsecurity=False).hexdigest(),
            "download_url": f"{self.url}/v3/billdownload/file?token={token}",
        }

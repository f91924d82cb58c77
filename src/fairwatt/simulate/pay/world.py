"""All platforms behind one door: shops ask, payers pay on pages, reports go out as the faults will have them."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http.client import HTTPException
from typing import Any, Final, Protocol

from fairwatt.simulate.pay.alipay import AlipayPlatform
from fairwatt.simulate.pay.books import DIALECTS, Books, Dialect, Order, PayError, Payment, Refund, Shop
from fairwatt.simulate.pay.faults import CHANCES, Faults
from fairwatt.simulate.pay.mpesa import MPesaPlatform
from fairwatt.simulate.pay.stripe import StripePlatform
from fairwatt.simulate.pay.talking import Asked, Report, Said
from fairwatt.simulate.pay.wechat import WechatPlatform

_NO_PROXY: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
RETRIES_MAX: Final = 12
ASK_S: Final = 10


class Platform(Protocol):
    """One dialect."""

    def settings(self, shop: Shop) -> dict[str, Any]:
        """What a shop types in at its supplier's."""
        ...

    def answer(self, asked: Asked) -> Said:
        """One question of a shop."""
        ...

    def report(self, what: Payment | Refund, *, forged: bool = False, at_s: int | None = None) -> Report:
        """A callback about a payment or a refund."""
        ...


@dataclass(slots=True)
class Sending:
    """A report and when it goes out; it is made anew each time, for it is signed when it is sent."""

    make: Callable[[], Report]
    not_before_us: int
    tries: int = 0
    status: int = 0

    @property
    def done(self) -> bool:
        """Whether it was taken, or is given up."""
        return 200 <= self.status < 300 or self.tries >= RETRIES_MAX


class World:
    """The platforms. `url` is where they are reached; every dialect has its prefix below it."""

    def __init__(
        self, *, url: str, seed: int, now_us: Callable[[], int], faults: Faults | None = None
    ) -> None:
        self.url = url
        self.faults = faults or Faults()
        self.books = Books(seed=seed, now_us=now_us)
        self.books.heard = self._heard
        self.wechat = WechatPlatform(self.books, self.faults, f"{url}/wechat")
        self.alipay = AlipayPlatform(self.books, self.faults, f"{url}/alipay")
        self.stripe = StripePlatform(self.books, self.faults, f"{url}/stripe")
        self.mpesa = MPesaPlatform(self.books, self.faults, f"{url}/mpesa")
        self.platforms: Mapping[Dialect, Platform] = {
            "wechat": self.wechat,
            "alipay": self.alipay,
            "stripe": self.stripe,
            "mpesa": self.mpesa,
        }
        self.sendings: list[Sending] = []
        self.asks: Callable[[Report], tuple[int, bytes]] = ask
        """how a shop is asked before money is taken; a test answers by hand"""
        self._held: Sending | None = None

    # --- shops ----------------------------------------------------------------------------------------------

    def open_shop(self, dialect: Dialect) -> tuple[Shop, dict[str, Any]]:
        """A merchant of its own, and what it types in at its supplier's."""
        shop = self.books.open_shop(dialect)
        return shop, self.platforms[dialect].settings(shop)

    def rotate_key(self, shop: Shop) -> dict[str, Any]:
        """Sign with another key from now on; returns the settings with the old one and the new one."""
        shop.serial = shop.keys.rotate()
        return self.platforms[shop.dialect].settings(shop)

    # --- what shops ask -------------------------------------------------------------------------------------

    async def answer(
        self, *, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Said | None:
        """One request, or None when it is none of a dialect's."""
        whole, _, query = target.partition("?")
        name = whole.strip("/").partition("/")[0]
        dialect = next((one for one in DIALECTS if one == name), None)
        if dialect is None:
            return None
        path = whole[len(dialect) + 1 :]
        asked = Asked(method=method, target=target, path=path, query=query, headers=headers, body=body)
        fault = self.faults.http
        if fault in ("5xx", "429"):
            return Said.of(503 if fault == "5xx" else 429, {"code": "SYSTEM_ERROR", "message": "busy"})
        if fault == "slow":
            await asyncio.sleep(self.faults.slow_s)
        try:
            said = self.platforms[dialect].answer(asked)
        except PayError as error:
            return Said.of(error.status, {"code": error.code, "message": error.code})
        if fault == "cut":
            return replace(said, headers={**said.headers, "Content-Length": str(len(said.body) + 50)})
        if fault == "unsigned":
            bare = {name: value for name, value in said.headers.items() if not name.startswith("Wechatpay")}
            return Said(said.status, said.body.replace(b'"sign":"', b'"sign":"AAAA'), bare)
        return said

    # --- what payers do -------------------------------------------------------------------------------------

    def pay(self, order: Order, *, anyway: bool = False) -> Payment:
        """Somebody pays; seeded faults take another amount or currency."""
        settle, currency = None, ""
        if self._chance("wrong_amount"):
            settle = order.amount_minor + self.books.draw.choice((-1, 1))
        if self._chance("wrong_currency"):
            currency = "USD" if order.currency != "USD" else "EUR"
        return self.books.pay(order, settle_minor=settle, currency=currency, anyway=anyway)

    def dial(self, *, shop: str, named: str, amount_minor: int) -> Payment:
        """Somebody types a merchant's number, an account number and an amount into the telephone. Raises PayError."""
        typed = self.mpesa.paybills.typed(shop=shop, named=named, amount_minor=amount_minor)
        check = self.mpesa.paybills.check(typed)
        return self.mpesa.paybills.take(typed, None if check is None else self.asks(check))

    def order(self, *, our_ref: str) -> Order:
        """The newest order of that reference. Raises KeyError."""
        found = [one for one in self.books.orders.values() if one.our_ref == our_ref]
        if not found:
            raise KeyError(our_ref)
        return found[-1]

    def chargeback(self, paid: Payment, *, status: str = "lost") -> None:
        """The payer's bank takes the money back: `needs_response` at first, `lost` or `won` in the end."""
        paid.charged_back, paid.dispute = status != "won", status
        if paid.order.shop.dialect == "stripe":
            report = self.stripe.dispute(paid)
            self._queue(lambda: report)

    def give_back(self, paid: Payment, *, amount_minor: int) -> Refund:
        """Somebody of the shop gives money back in the platform's own back office."""
        number = f"desk{len(paid.refunds)}{paid.number[-12:]}"
        return self.books.refund(
            paid, refund_ref=number, amount_minor=amount_minor, state="done", at_desk=True
        )

    def say_no(self, order: Order) -> None:
        """The payer declines; only M-Pesa reports that."""
        if order.shop.dialect == "mpesa":
            self._queue(lambda: self.mpesa.refused(order))

    # --- what is reported -----------------------------------------------------------------------------------

    def _heard(self, what: Payment | Refund) -> None:
        order = what.payment.order if isinstance(what, Refund) else what.order
        platform = self.platforms[order.shop.dialect]
        if isinstance(what, Refund):
            what.told += 1

        def honest() -> Report:
            return platform.report(what)

        if self._chance("forge"):
            self._queue(lambda: platform.report(what, forged=True))
        if self._chance("stale"):
            old_s = self.books.now_us() // 1_000_000 - 40 * 86_400
            self._queue(lambda: platform.report(what, at_s=old_s))
        if self._chance("probe") and order.shop.dialect == "wechat":
            self._queue(lambda: self.wechat.probe(order))
        copies = self.books.draw.randint(2, 4) if self._chance("dup") else 1
        if self._chance("drop"):
            copies = 0
        wait_us = self.faults.delay_s * 1_000_000 if self._chance("delay") else 0
        hold = self._chance("reorder")
        for _ in range(copies):
            one = Sending(honest, self.books.now_us() + wait_us)
            if hold and self._held is None:
                self._held, hold = one, False
                continue
            self.sendings.append(one)
        if self._held is not None and not hold and copies:
            self.sendings.append(self._held)
            self._held = None

    def _queue(self, make: Callable[[], Report]) -> None:
        self.sendings.append(Sending(make, self.books.now_us()))

    def _chance(self, name: str) -> bool:
        assert name in CHANCES
        return self.books.draw.randrange(1000) < int(getattr(self.faults, name))

    def due(self) -> list[Sending]:
        """Reports that go out now."""
        now_us = self.books.now_us()
        self.sendings = [one for one in self.sendings if not one.done]
        return [one for one in self.sendings if one.not_before_us <= now_us]

    def release(self) -> None:
        """Let go of what was held back to come out of order."""
        if self._held is not None:
            self.sendings.append(self._held)
            self._held = None

    async def send_due(self, *, at_once: int = 8) -> int:
        """Send what is due, several at a time; how many were answered with a 2xx."""
        sent = self.due()[:at_once]
        await asyncio.gather(*(self._send(one) for one in sent))
        return sum(200 <= one.status < 300 for one in sent)

    async def _send(self, one: Sending) -> None:
        one.tries += 1
        report = one.make()
        if not report.url:
            one.tries = RETRIES_MAX  # an order without an address is asked about, as one at the window
            return
        one.status = await asyncio.to_thread(post, report)
        if not 200 <= one.status < 300:
            one.not_before_us = self.books.now_us() + 15_000_000

    # --- control --------------------------------------------------------------------------------------------

    def control(self, said: dict[str, Any]) -> dict[str, Any]:
        """Set faults, or do something to a payment. Raises ValueError or KeyError for what nobody knows."""
        match said:
            case {"faults": dict(changes)}:
                self.faults.set(**changes)
            case {"pay": str(our_ref), **more}:
                self.pay(self.order(our_ref=our_ref), anyway=bool(more.get("anyway")))
            case {"chargeback": str(our_ref), **more}:
                status = str(more.get("status", "lost"))
                self.chargeback(self.order(our_ref=our_ref).payments[0], status=status)
            case {"give_back": str(our_ref), "amount_minor": int(amount)}:
                self.give_back(self.order(our_ref=our_ref).payments[0], amount_minor=amount)
            case {"rotate_key": str(number)}:
                shop = next(one for one in self.books.shops if one.number == number)
                return {"settings": self.rotate_key(shop)}
            case _:
                raise ValueError("known are faults, pay, chargeback, give_back and rotate_key")
        return {"ok": True}

    def truth(self) -> bytes:
        """The truth table as JSON."""
        return json.dumps({"payments": self.books.truth()}).encode()


def post(report: Report) -> int:
    """Deliver one report; the HTTP status, or 0 when nobody answered."""
    return ask(report)[0]


def ask(report: Report) -> tuple[int, bytes]:
    """The same, and what was answered."""
    request = urllib.request.Request(  # noqa: S310  our own callback
        report.url, data=report.body, headers=dict(report.headers), method="POST"
    )
    try:
        with _NO_PROXY.open(request, timeout=ASK_S) as answer:
            return int(answer.status), answer.read(65_536)
    except urllib.error.HTTPError as error:
        error.close()
        return int(error.code), b""
    except (OSError, HTTPException):
        return 0, b""

"""What a long drill has done, on paper: with it a drill that was stopped, or killed, goes on where it was.

A line of JSON each: `plan`, `place`, then `shop`, `order`, `payment` and `mark` as they come. Of a shop
and of marks the newest line counts. Reports that were on their way are forgotten, as any report may get lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fairwatt.simulate.pay.books import Books, Order, Payment, Shop
from fairwatt.simulate.pay.keys import ShopKeys, private_pem
from fairwatt.simulate.paydrill.plan import Plan

_ORDER: Final = (
    "our_ref",
    "number",
    "amount_minor",
    "currency",
    "notify_url",
    "return_url",
    "expires_us",
    "subject",
    "way",
    "made_us",
)
_PAYMENT: Final = ("number", "settled_minor", "currency", "at_us")


class OtherDrill(ValueError):
    """The folder holds another drill, or something else."""


@dataclass(slots=True)
class Mark:
    """How far it was, a moment ago."""

    now_us: int = 0
    hurried_s: float = 0.0
    sent: int = 0
    refused: int = 0
    unreachable: int = 0
    tired: int = 0
    blows: list[str] = field(default_factory=list)


class Journal:
    """One drill's paper. `place` is empty until it has a book."""

    def __init__(self, path: Path, *, plan: Plan) -> None:
        """Raises OtherDrill when the paper is of a drill with another count or seed."""
        self.place: dict[str, Any] = {}
        self.mark = Mark()
        self.paid = 0
        """payments on it when it was opened"""
        self.first_us = 0
        """when the first of them was paid"""
        self._path = path
        self._asked = {"count": plan.count, "seed": plan.seed}
        fresh = not path.exists()
        if not fresh:
            self._look()
        path.touch(mode=0o600)
        self._paper = path.open("a", buffering=1)
        if fresh:
            self._write("plan", self._asked)

    def close(self) -> None:
        """Everything written is on it already."""
        self._paper.close()

    # --- writing --------------------------------------------------------------------------------------------

    def settle(self, **place: Any) -> None:
        """The book and its wallets."""
        self.place = place
        self._write("place", place)

    def shop(self, shop: Shop) -> None:
        """A shop, with the keys it has now."""
        keys: dict[str, Any] = {"words": shop.keys.words}
        if shop.dialect in ("wechat", "alipay"):
            keys["merchant"] = private_pem(shop.keys.merchant)
            keys["platform"] = {serial: private_pem(key) for serial, key in shop.keys.platform.items()}
        about = {"dialect": shop.dialect, "number": shop.number, "serial": shop.serial, "name": shop.name}
        self._write("shop", {**about, "keys": keys})

    def order(self, order: Order) -> None:
        """An order that was made."""
        self._write("order", {"shop": order.shop.number, **{name: getattr(order, name) for name in _ORDER}})

    def payment(self, paid: Payment) -> None:
        """A payment, before anybody is told of it."""
        self._write(
            "payment", {"order": paid.order.number, **{name: getattr(paid, name) for name in _PAYMENT}}
        )

    def marked(self, **now: Any) -> None:
        """How far it is now."""
        self.mark = replace(self.mark, **now)
        self._write("mark", {name: getattr(self.mark, name) for name in Mark.__slots__})

    def _write(self, kind: str, about: dict[str, Any]) -> None:
        self._paper.write(f"{json.dumps([kind, about], ensure_ascii=False)}\n")

    # --- reading --------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """What is on the paper, without the platforms' books; half a line at its end is cut off."""
        lines = self._lines()
        if next(lines, None) != ("plan", self._asked):
            raise OtherDrill(
                f"{self._path.parent} holds something else than a drill of {self._asked['count']:,} payments "
                f"from seed {self._asked['seed']}"
            )
        for kind, about in lines:
            match kind:
                case "place":
                    self.place = about
                case "mark":
                    self.mark = Mark(**{**about, "now_us": max(about["now_us"], self.mark.now_us)})
                case "payment":
                    self.paid += 1
                    self.first_us = self.first_us or about["at_us"]
                    self.mark.now_us = max(self.mark.now_us, about["at_us"])

    def lay_out(self, books: Books) -> None:
        """Put everything that was written back into the platforms' books."""
        shops: dict[str, Shop] = {}
        for kind, about in self._lines():
            match kind:
                case "shop":
                    shops[about["number"]] = books.keep_shop(_shop(about))
                case "order":
                    books.keep_order(Order(shop=shops[about.pop("shop")], **about))
                case "payment":
                    order = books.by_number(about.pop("order"))
                    assert order is not None, "an order is written before its payment"
                    books.keep_payment(Payment(order, **about))

    def _lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        whole = 0
        with self._path.open("rb") as paper:
            for line in paper:
                if not line.endswith(b"\n"):
                    break
                try:
                    kind, about = json.loads(line)
                except ValueError:
                    raise OtherDrill(f"{self._path} is no drill's journal") from None
                whole += len(line)
                yield kind, about
        if whole != self._path.stat().st_size:
            with self._path.open("r+b") as paper:
                paper.truncate(whole)


def _shop(about: dict[str, Any]) -> Shop:
    kept = about["keys"]
    keys = ShopKeys(words=kept["words"])
    if "merchant" in kept:
        keys.merchant = _private(kept["merchant"])
        keys.platform = {serial: _private(pem) for serial, pem in kept["platform"].items()}
    return Shop(about["dialect"], about["number"], keys, about["serial"], about["name"])


def _private(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key

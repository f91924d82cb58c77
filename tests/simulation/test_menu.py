"""The telephone's menu at the simulated M-PESA: three numbers, who it goes to, a PIN, and what the shop says to it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from fairwatt.simulate.pay.books import PayError, Shop
from fairwatt.simulate.pay.menu import ADDRESS, at_the_telephone
from fairwatt.simulate.pay.talking import Report, Said
from fairwatt.simulate.pay.world import World

TYPED = {"named": "1000 0197", "amount": "500"}


@dataclass
class Line:
    """The platform, and a shop that answers what it is told to."""

    code: str = "0"
    asked: list[dict[str, Any]] = field(default_factory=list)
    world: World = field(init=False)
    shop: Shop = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(url="http://127.0.0.1:1", seed=1, now_us=lambda: 1_795_000_000_000_000)
        self.shop, _ = self.world.open_shop("mpesa")
        self.shop.name = "Maple <Court>"
        self.world.asks = self.answer

    def answer(self, report: Report) -> tuple[int, bytes]:
        self.asked.append(json.loads(report.body))
        return (200, json.dumps({"ResultCode": self.code}).encode()) if self.code else (503, b"")

    def listens(self, *, on_its_own: str = "Completed", **urls: str) -> dict[str, Any]:
        said = {"ShortCode": self.shop.number, "ResponseType": on_its_own}
        both = {"ValidationURL": "http://shop/check", "ConfirmationURL": "http://shop/paid", **urls}
        return self.world.mpesa.paybills.register(self.shop, {**said, **both})

    def page(self, method: str = "POST", *, language: str = "en", **form: str) -> Said:
        body = urlencode({"shop": self.shop.number, **TYPED, **form}).encode()
        said = asyncio.run(
            at_the_telephone(self.world, method=method, path=ADDRESS, body=body, language=language)
        )
        assert said is not None
        return said


def test_the_name_is_shown_before_the_pin_and_the_shop_is_asked_before_the_money() -> None:
    line = Line()
    line.listens()
    assert b"name=shop" in line.page("GET").body
    shown = line.page().body.decode()
    assert "Maple &lt;Court&gt;" in shown and "1000 0197" in shown and "name=pin" in shown
    assert (line.asked, line.world.books.payments()) == ([], [])
    assert "✓" in line.page(pin="1234").body.decode()
    (paid,) = line.world.books.payments()
    assert len(paid.number) == 10 and line.asked[0]["TransID"] == paid.number
    assert (line.asked[0]["BillRefNumber"], line.asked[0]["TransAmount"]) == ("1000 0197", "500.00")
    report = line.world.due()[0].make()
    told = json.loads(report.body)
    assert (report.url, told["TransID"], told["OrgAccountBalance"]) == (
        "http://shop/paid",
        paid.number,
        "49197.00",
    )
    assert "254700" not in report.body.decode(), "who paid is masked"
    (truth,) = line.world.books.truth()
    assert (truth["our_ref"], truth["provider_ref"], truth["paid_minor"]) == (
        "1000 0197",
        paid.number,
        500_00,
    )


@pytest.mark.parametrize(("code", "words"), [("C2B00012", "账号有误"), ("C2B00013", "不接受该金额")])
def test_a_shop_that_says_no_is_not_paid(code: str, words: str) -> None:
    line = Line(code)
    line.listens()
    said = line.page(pin="1234", language="zh-Hans")
    assert said.status == 409 and words in said.body.decode()
    assert line.world.books.payments() == []


@pytest.mark.parametrize(("on_its_own", "count"), [("Completed", 1), ("Cancelled", 0)])
def test_a_shop_that_does_not_answer_left_word_what_happens(on_its_own: str, count: int) -> None:
    line = Line("")
    line.listens(on_its_own=on_its_own)
    line.page(pin="1234")
    assert len(line.world.books.payments()) == count


@pytest.mark.parametrize("wrong", [{"shop": "1"}, {"amount": "x"}, {"amount": "0"}, {"amount": "5.50"}])
def test_what_cannot_be_paid_is_said(wrong: dict[str, str]) -> None:
    line = Line()
    assert line.page(**wrong).status == 409
    assert line.page(pin="1234", **wrong).status == 409
    assert line.world.books.payments() == []


def test_addresses_are_kept_once_and_may_not_name_the_platform() -> None:
    line = Line()
    with pytest.raises(PayError, match=r"400\.003\.02"):
        line.listens(ValidationURL="http://shop/pay/callback/mpesa/check")
    line.listens()
    with pytest.raises(PayError, match="already registered"):
        line.listens(ConfirmationURL="http://other/paid")
    assert line.world.mpesa.paybills.addresses[line.shop.number].tell == "http://shop/paid"


def test_a_payment_from_the_menu_stands_in_the_list_under_what_was_typed() -> None:
    line = Line()
    line.page(pin="1234")
    said = {"StartDate": "2026-11-18 00:00:00", "EndDate": "2026-11-19 23:59:59", "OffSetValue": "0"}
    (rows,) = line.world.mpesa._pull(line.shop, said)["Response"]
    assert [(one["billreference"], one["amount"]) for one in rows] == [("1000 0197", "500.00")]

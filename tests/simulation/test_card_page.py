"""The simulated card page refuses what is no card number, as a real one does."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from fairwatt.simulate.pay.books import Order
from fairwatt.simulate.pay.cards import NoCard, card_number
from fairwatt.simulate.pay.door import walked_in
from fairwatt.simulate.pay.faults import Faults
from fairwatt.simulate.pay.talking import Said
from fairwatt.simulate.pay.world import World

GOOD = "4242 4242 4242 4242"
NO_CARDS = (
    "",
    " ",
    "4242",
    "4242 4242 4242 4241",
    "card",
    "4242 4242 4242 4242 4242 42",
    "４２４２４２４２４２４２４２４２",
)


def typed(world: World, order: Order, card: str | None, language: str = "en") -> Said:
    """What the page answers to somebody who pays or saves with this card."""
    fields = {"do": "save" if order.way == "setup" else "pay", **({} if card is None else {"card": card})}
    said = walked_in(
        world,
        method="POST",
        path=f"/p/stripe/{order.number}",
        body=urlencode(fields).encode(),
        language=language,
    )
    assert said is not None
    return said


@pytest.mark.parametrize("way", ["", "setup"])
def test_a_card_page_takes_nothing_of_what_is_no_card(way: str) -> None:
    world, order = opened(way)
    for card in (None, *NO_CARDS):
        said = typed(world, order, card)
        assert said.status == 402
        assert b"role=alert" in said.body and b"name=card" in said.body, "it can be typed again"
        assert not order.payments and not world.stripe.cards.all
    assert "这不是有效的卡号".encode() in typed(world, order, "", "zh-CN").body
    assert typed(world, order, GOOD).status in (200, 303)
    assert bool(order.payments) == (way == "")
    assert [card.shown()["card"]["last4"] for card in world.stripe.cards.all] == ["4242"] * (way == "setup")


def opened(way: str) -> tuple[World, Order]:
    """An order of ten pounds at the card platform, or a page that saves a card."""
    world = World(url="http://127.0.0.1:9", seed=7, now_us=lambda: 0, faults=Faults())
    shop, _ = world.open_shop("stripe")
    order = world.books.make(
        shop,
        "0123456789abcdef",
        prefix="cs_",
        amount_minor=0 if way else 1_000,
        currency="GBP",
        notify_url="",
        return_url="http://fairwatt.test/back/",
        expires_us=1 << 62,
        subject="Top-up",
        way=way,
    )
    return world, order


@pytest.mark.parametrize("typed_so", [GOOD, "4000-0000-0000-0341", "4000002760003184", "378282246310005"])
def test_a_card_number_is_its_digits(typed_so: str) -> None:
    assert card_number(typed_so) == "".join(one for one in typed_so if one.isdigit())


@pytest.mark.parametrize("typed_so", NO_CARDS)
def test_what_is_no_card_number_is_none(typed_so: str) -> None:
    with pytest.raises(NoCard):
        card_number(typed_so)

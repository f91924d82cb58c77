"""Refunds on their pages: why so much and no more, who answers what, and where the resident sees it."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from fairwatt.server.launcher.services import Services
from web.accounts import administrator
from web.scene import NOW_US, Scene


@pytest.fixture(scope="module")
def scene(house: Services) -> Scene:
    """A small building of its own: how much of a payment is left depends on what else was paid."""
    made = Scene(floors=1, columns=3)
    made.live()
    return made


def test_a_refund_is_looked_at_asked_for_agreed_to_and_paid_out(scene: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Paid
    from fairwatt.web.access import Scope, seeing

    clerk, admin, owner = (
        signed_in(scene.operator),
        signed_in(administrator(scene)),
        signed_in(scene.owner),
    )
    with seeing(scope=Scope(books=(scene.book,))):
        paid = Paid.objects.filter(wallet=scene.wallets[0]).order_by("-fact")[0]
    new = reverse("console:new_refund", args=[scene.slug, scene.wallets[0]])
    page = clerk.get(f"{new}?payment={paid.fact}").content.decode()
    assert "Of ¥" in page and "can go back" in page and "The rest is used up" in page
    asked = {"amount": "1.50", "way": "source", "reason": "Moves abroad", "do": "ask"}
    assert clerk.post(new, {**asked, "amount": "9999"}).status_code == 422
    assert clerk.post(new, {**asked, "amount": "0.001"}).status_code == 422
    answered = clerk.post(f"{new}?payment={paid.fact}", asked)
    assert answered.status_code == 302
    refund = answered["Location"]
    assert b'value="approve"' not in clerk.get(refund).content, "who asked does not agree"
    assert clerk.post(refund, {"answer": "approve"}).status_code == 422
    assert admin.post(refund, {"answer": "approve", "words": "seen"}).status_code == 302
    scene.post(now_us=NOW_US)
    mine = owner.get(reverse("tenant:refunds", args=[scene.public_id(0)])).content.decode()
    assert "Refund no." in mine and "¥1.50" in mine
    _recalled(scene)
    listed = clerk.get(reverse("console:refunds", args=[scene.slug])).content.decode()
    assert "To be paid out at the window" in listed, "the sandbox pays nothing back"
    assert clerk.post(refund, {"answer": "paid_out"}).status_code == 302
    listed = clerk.get(reverse("console:refunds", args=[scene.slug])).content.decode()
    assert "Paid out; a second person confirms it" in listed
    assert "To be paid out at the window" not in listed, "nobody pays it a second time"
    assert clerk.post(refund, {"answer": "confirm"}).status_code == 422
    assert admin.post(refund, {"answer": "confirm"}).status_code == 302
    scene.post(now_us=NOW_US + 3_000_000)
    over = clerk.get(refund).content.decode()
    assert "refunded" in over and "saw it paid out" in over
    assert "refunded" in owner.get(reverse("pay:status", args=[paid.our_ref])).content.decode()


def _recalled(scene: Scene) -> None:
    """What the poster's own clock does once the gateway has taken the smaller credit and the meter was read."""
    from fairwatt.flows.raise_due import raise_due
    from support.house import as_role

    with as_role("poster"):
        raise_due(book_id=scene.book, now_us=NOW_US + 2_000_000)
    scene.post(now_us=NOW_US + 2_000_000)


def test_a_resident_asks_and_is_told_the_most(scene: Scene, signed_in: Any) -> None:
    neighbour = signed_in(scene.neighbour)
    page = reverse("tenant:refunds", args=[scene.public_id(1)])
    assert neighbour.post(page, {"amount": "90000"}).status_code == 422
    assert neighbour.post(page, {"amount": "2"}).status_code == 302
    assert "waits for a second person" in neighbour.get(page).content.decode()

"""Invoices on their pages: what the desk sees adds up, a resident asks for one, and a title is checked."""

from __future__ import annotations

from typing import Any

from web.invoiced import set_up
from web.scene import NOW_US, Scene

NEXT_MONTH_US = NOW_US + 11 * 86_400_000_000


def test_a_resident_asks_for_an_invoice_and_it_is_made_out_to_the_title(
    other: Scene, signed_in: Any, clock: Any
) -> None:
    from django.urls import reverse

    set_up(other)
    page = reverse("tenant:invoices", args=[other.public_id(0)])
    client = signed_in(other.owner)
    title = {"do": "title", "name": "枫叶科技", "number": "91110000600037341M", "country": "CN"}
    wrong = client.post(page, title)
    assert wrong.status_code == 422 and "does not fit the others" in wrong.content.decode()
    assert client.post(page, {**title, "number": "91110000600037341L"}).status_code == 302
    assert "枫叶科技" in client.get(page).content.decode()
    assert client.post(page, {"do": "issue", "until": ""}).status_code == 302
    html = client.get(page).content.decode()
    assert f"M{other.book}-000001" in html and "paid from credit" in html
    again = client.post(page, {"do": "issue", "until": ""})
    assert again.status_code == 422 and "not invoiced yet" in again.content.decode()


def test_the_desk_looks_at_a_month_issues_it_and_it_adds_up(other: Scene, signed_in: Any, clock: Any) -> None:
    from django.urls import reverse

    from fairwatt.flows.invoicing.control import control
    from fairwatt.worker import invoicing

    set_up(other)
    clock.at_us = NEXT_MONTH_US
    client, page = signed_in(other.operator), reverse("console:invoices", args=[other.slug])
    seen = client.get(page, {"month": "2026-11"}).content.decode()
    assert "What 2026-11 would come to" in seen and "It adds up, to the micro-unit" in seen
    assert (
        client.post(reverse("console:invoice_month", args=[other.slug]), {"month": "2026-11"}).status_code
        == 302
    )
    assert "at work" in client.get(page).content.decode()
    assert invoicing.look(now_us=NEXT_MONTH_US) > 0
    html = client.get(page).content.decode()
    assert "at work" not in html and f"M{other.book}-00000" in html
    held = control(book_id=other.book)
    assert held.difference_micro == 0 and held.waiting_micro == 0 and held.invoices > 0

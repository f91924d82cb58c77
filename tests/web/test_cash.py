"""The window on its pages: a room, Enter, an amount, Enter; the paper; and what takes two people."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from web.accounts import administrator
from web.cash import Window, at_the_window
from web.offered import offered
from web.scene import NOW_US, Scene


@pytest.fixture(scope="module")
def window(other: Scene) -> Window:
    return at_the_window(other, home=1)


def field(page: str, name: str) -> str:
    """The value of the first field of that name."""
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def test_a_room_an_amount_and_the_receipt_is_there(other: Scene, window: Window, signed_in: Any) -> None:
    client, desk = signed_in(other.operator), f"/console/{other.slug}/cash/"
    page = client.get(f"{desk}?q={other.labels[1]}").content.decode()
    assert other.neighbour.username in page and re.search('id="amount"[^>]* autofocus', page)
    form = {"wallet": other.wallets[1], "ticket": field(page, "ticket"), "tender": "cash", "amount": "12,50"}
    sent = [client.post(f"{desk}take/", form)["Location"] for _ in range(2)]
    assert sent[0] == sent[1], "pressed twice, taken once"
    assert b'http-equiv="refresh"' in client.get(sent[0]).content
    other.post(now_us=NOW_US)
    done = client.get(sent[0]).content.decode()
    assert "¥12.50" in done and f"{other.slug}-0000" in done
    another = client.post(f"{desk}take/", {**form, "amount": "13"})
    assert another.status_code == 422 and b"took a payment already" in another.content
    mine = signed_in(other.neighbour).get(f"/home/{other.public_id(1)}/receipts/").content.decode()
    assert "¥12.50" in mine and re.search(r"\b\d{4} \d{4}\b", mine), "the number the home is paid under"
    wrong = client.get(f"{desk}?q=10000099").content.decode()
    assert "a digit is wrong" in wrong and 'name="amount"' not in wrong


def test_a_code_is_scanned_at_the_window(other: Scene, window: Window, signed_in: Any) -> None:
    client, desk = signed_in(other.operator), f"/console/{other.slug}/cash/"
    find = f"{desk}?q={other.labels[1]}"
    assert "Payer&#x27;s code" not in client.get(find).content.decode(), "nobody offers it"
    offered(other, "wechat", "scan")
    page = client.get(find).content.decode()
    assert "data-focus=" in page and "WeChat Pay" in page
    form = {"wallet": other.wallets[1], "ticket": field(page, "ticket"), "tender": "code", "amount": "20"}
    wrong = client.post(f"{desk}take/", {**form, "code": "12"})
    assert wrong.status_code == 422 and "18 digits" in wrong.content.decode()
    sent = [
        client.post(f"{desk}take/", {**form, "code": "1345 6789 0123 4567 81"})["Location"] for _ in range(2)
    ]
    assert sent[0] == sent[1], "scanned twice, asked once"
    shown = client.get(sent[0]).content.decode()
    assert "is being asked" in shown and "¥20.00" in shown and 'hx-trigger="every 1s"' in shown
    assert "<html" not in client.get(sent[0], headers={"HX-Request": "true"}).content.decode()
    again = client.post(f"{desk}take/", {**form, "ticket": "ab" * 16, "code": "134567890123456781"})
    assert again.status_code == 422 and "a code pays once" in again.content.decode()
    for stranger in (other.owner, other.neighbour):
        assert signed_in(stranger).get(sent[0]).status_code == 404


def test_the_paper_is_verified_by_its_address_alone_and_printed_in_both_languages(
    other: Scene, window: Window, signed_in: Any
) -> None:
    anybody = signed_in(None)
    from fairwatt.store.models import PaymentIntent

    online = PaymentIntent.objects.filter(
        wallet=other.wallets[0], state="credited", provider="sandbox"
    ).first()
    assert online is not None, "what was paid through a platform has a receipt too"
    assert "/pay/receipt/" in signed_in(other.owner).get(f"/pay/{online.our_ref}/").content.decode()
    address = f"/pay/receipt/{window.code}/"
    page = anybody.get(address)
    assert page.status_code == 200 and "¥5.00" in page.content.decode() and "noindex" in page["X-Robots-Tag"]
    for wrong in ("0" * 20, window.code[:-1] + ("0" if window.code[-1] != "0" else "1")):
        assert anybody.get(f"/pay/receipt/{wrong}/").status_code == 404
    papers = {
        (size, language): anybody.get(f"{address}{size}.pdf", headers={"Accept-Language": language}).content
        for size in ("a4", "58")
        for language in ("en", "zh-hans")
    }
    assert all(paper.startswith(b"%PDF") for paper in papers.values()) and len(set(papers.values())) == 4
    again = anybody.get(f"{address}a4.pdf", headers={"Accept-Language": "en"}).content
    assert again == papers["a4", "en"], "the same receipt is the same file"


def test_a_payment_is_taken_back_on_the_pages_by_two_and_the_paper_says_so(
    other: Scene, window: Window, signed_in: Any
) -> None:
    clerk, manager = signed_in(other.operator), signed_in(administrator(other))
    listed = clerk.get(f"/console/{other.slug}/receipts/").content.decode()
    asked = {
        "amount": "2.00",
        "way": "paid_back",
        "words": "typed twice",
        "ticket": field(listed, "ticket"),
    }
    there = clerk.post(f"/console/{other.slug}/receipts/{window.number}/void/", asked)["Location"]
    answer = re.findall(r'action="(/console/[^"]+/two-people/\d+/)"', clerk.get(there).content.decode())[0]
    assert clerk.post(answer, {"step": "approve"}).status_code == 403
    done = manager.post(answer, {"step": "approve"})["Location"]
    other.post(now_us=NOW_US)
    assert "✓" in manager.get(done).content.decode()
    assert "Taken back since: ¥2.00" in signed_in(None).get(f"/pay/receipt/{window.code}/").content.decode()


def test_the_count_is_told_afterwards_and_the_command_says_the_same(
    other: Scene, window: Window, signed_in: Any
) -> None:
    from typer.testing import CliRunner

    from fairwatt.cli.main import app

    client, page = signed_in(other.operator), f"/console/{other.slug}/shifts/{window.shift}/"
    before = client.get(page).content.decode()
    assert "Expected" not in before and "¥" not in before, "who counts is not told what to find"
    done = client.post(f"{page}count/", {"counted": "100.00"})["Location"]
    other.post(now_us=NOW_US)
    after = client.get(client.get(done)["Location"]).content.decode()
    said = CliRunner().invoke(
        app,
        ["shift", "report", str(window.shift), "--book", str(other.book), "--json"],
        catch_exceptions=False,
    )
    told = json.loads(said.output)
    assert told["counted"] == "100.00" and f"¥{told['expected']}" in after
    assert sum(float(one["amount"]) for one in told["takings"]) + 100 == float(told["expected"])
    assert client.post(f"{page}count/", {"counted": "100.00"}).status_code == 422
    for name, word in (("shifts", "Lobby"), ("receipts", "cash at the window")):
        made = client.get(f"/console/{other.slug}/reports/{name}/csv/")
        assert made.status_code == 200 and word in b"".join(made).decode("utf-8-sig"), name

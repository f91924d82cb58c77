"""Merchants' callbacks are answered ahead of the pages, and everything else goes on to them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from web.scene import Scene


def knock(path: str, body: bytes = b"{}", *, method: str = "POST") -> tuple[int | str, bytes]:
    """Status and body of what answered; "pages" where the pages were asked."""
    from fairwatt.web.pay.door import CallbackDoor

    said: list[dict[str, Any]] = []
    pieces = [body[:5], body[5:]]

    async def pages(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": "pages"})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(CallbackDoor(pages)(scope, receive, send))
    return said[0]["status"], said[1]["body"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/pay/callback/stripe/abc/def"),
        ("POST", "/pay/callback/sandbox"),
        ("POST", "/pay/callback/stripe/abc/def/ghi"),
        ("POST", "/console/"),
    ],
)
def test_what_is_no_merchants_callback_is_left_to_the_pages(house: object, method: str, path: str) -> None:
    assert knock(path, method=method)[0] == "pages"


def test_the_door_answers_as_the_page_behind_it_does(other: Scene, signed_in: Any) -> None:
    from fairwatt.web.pay.door import BODY_MAX
    from web.reconciled import account_of

    token = account_of(other).token
    for path, body in (
        (f"/pay/callback/stripe/{'0' * 32}", b"{}"),
        (f"/pay/callback/wechat/{token}", b"{}"),
        (f"/pay/callback/stripe/{token}", b'{"id": "evt_1"}'),
        (f"/pay/callback/stripe/{token}/{'a' * 32}", b"x" * (BODY_MAX + 10)),
    ):
        page = signed_in(None).post(path, body, content_type="application/json")
        status, said = knock(path, body)
        assert status == page.status_code, path
        assert status == 404 or said == page.content, path

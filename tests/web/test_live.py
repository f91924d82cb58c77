"""A stream sends what changed, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from web.scene import NOW_US, Scene


def test_every_line_of_a_fragment_gets_its_own_field(scene: Scene) -> None:
    from fairwatt.web.live import encode_event

    assert encode_event(name="hero", data="<p>\n12</p>") == b"event: hero\ndata: <p>\ndata: 12</p>\n\n"


def test_a_fragment_cannot_smuggle_an_event(scene: Scene) -> None:
    from fairwatt.web.live import encode_event

    sent = encode_event(name="hero", data="a\r\nevent: x\r\n\r\nevent: y")
    assert [line for line in sent.split(b"\n") if line and not line.startswith(b"data:")] == [b"event: hero"]


def test_only_what_changed_is_sent(scene: Scene, clock: Any) -> None:
    from fairwatt.web import live
    from fairwatt.web.access import Scope

    drawings: Iterator[dict[str, str]] = iter([{"a": "1", "b": "1"}, {"a": "1", "b": "2"}])

    def draw() -> dict[str, str]:
        return next(drawings)

    async def listen() -> list[bytes]:
        stream = live._events(Scope(books=(scene.book,)), draw, lambda: True)
        heard = [await anext(stream) for _ in range(3)]
        clock.at_us = NOW_US + 60_000_000  # words such as "2 minutes ago" have aged
        heard.append(await asyncio.wait_for(anext(stream), timeout=10))
        await stream.aclose()
        return heard

    assert [event.splitlines()[0] for event in asyncio.run(listen())] == [
        b"retry: 2000",
        b"event: a",
        b"event: b",
        b"event: b",
    ]


def test_the_mark_moves_with_the_wallet_and_not_with_the_neighbour(
    scene: Scene, other: Scene, clock: Any
) -> None:
    from fairwatt.web.access import Scope
    from fairwatt.web.live import mark

    first, second = (Scope(books=(other.book,), wallets=(wallet,)) for wallet in other.wallets[:2])
    before = mark(scope=first), mark(scope=second)
    other.pay(home=other.homes[0], amount_minor=100, now_us=NOW_US, currency="CNY")
    after = mark(scope=first), mark(scope=second)
    assert before[0] != after[0]
    assert before[1] == after[1]


@pytest.mark.parametrize("who", ["owner", "operator"])
def test_a_stream_begins_with_the_whole_page(scene: Scene, signed_in: Any, who: str) -> None:
    from django.test import AsyncClient

    address = f"/home/{scene.public_id(0)}/live/" if who == "owner" else f"/console/{scene.slug}/live/"

    async def first_events() -> set[bytes]:
        client = AsyncClient()
        await client.aforce_login(
            getattr(scene, who), backend="allauth.account.auth_backends.AuthenticationBackend"
        )
        response = await client.get(address)
        assert response["Content-Type"].startswith("text/event-stream")
        names = set()
        async for chunk in response.streaming_content:  # type: ignore[attr-defined]
            names.add(chunk.splitlines()[0])
            if len(names) == 7:
                return names
        return names

    names = asyncio.run(first_events())
    expected = {
        "owner": "supply hero balance now today recent",
        "operator": "headline cards wall happened load money",
    }
    assert names == {b"retry: 2000", *(f"event: {name}".encode() for name in expected[who].split())}


def test_a_stream_ends_when_its_person_signs_out(
    scene: Scene, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.test import AsyncClient

    from fairwatt.web import live

    monkeypatch.setattr(live, "RECHECK_S", 0.0)
    address = f"/home/{scene.public_id(0)}/live/"

    async def listen() -> int:
        client = AsyncClient()
        await client.aforce_login(scene.owner, backend="allauth.account.auth_backends.AuthenticationBackend")
        response = await client.get(address)
        await client.alogout()
        return len([chunk async for chunk in response.streaming_content])  # type: ignore[attr-defined]

    assert asyncio.run(asyncio.wait_for(listen(), timeout=20)) <= 1

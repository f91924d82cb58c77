"""The page on the local network: nothing private without the PIN, nothing done that was not meant, nothing too long."""

import asyncio
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from edge.rig import Bench, a_command, a_grant, run
from edge.visiting import a_code, a_gateway
from fairwatt.edge.local.answers import LANGUAGES, WORDS
from fairwatt.edge.local.look import WORDS as PAGE_WORDS
from fairwatt.edge.local.look import money
from fairwatt.edge.local.page import POSTS_A_MINUTE
from fairwatt.wire.commands import RelayOrder


async def say(bench: Bench, raw: bytes) -> tuple[int, str, str]:
    assert bench.agent.local is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.agent.local.doors["page"])
    writer.write(raw)
    data = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    head, _, body = data.decode().partition("\r\n\r\n")
    return int(head.split()[1]) if head else 0, head, body


def a_request(path: str, *, form: dict[str, str] | None = None, **headers: str) -> bytes:
    body = urlencode(form).encode() if form is not None else b""
    told = {"Host": "127.0.0.1:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if form is not None:
        told |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    lines = [f"{'GET' if form is None else 'POST'} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in told.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def opened(bench: Bench) -> tuple[str, str]:
    """The page's cookie and its token."""
    status, head, body = await say(bench, a_request("/"))
    assert status == 200
    cookie = re.search(r"Set-Cookie: (\w+=\w+);", head)
    token = re.search(r'name="token" value="(\w+)"', body)
    assert cookie and token
    return cookie[1], token[1]


async def post(bench: Bench, path: str, **form: str) -> tuple[int, str]:
    cookie, token = await opened(bench)
    status, _, body = await say(bench, a_request(path, form={"token": token, **form}, Cookie=cookie))
    return status, body


def test_a_code_is_typed_without_a_script_and_answered_in_both_languages(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            bench.sims[0].relay_closed = False
            status, body = await post(bench, "/code", home=" 4-201 ", code="1234567890123456")
            assert status == 422
            assert "a code has 16 digits" in body
            assert 'value="1234567890123456"' in body, "what was mistyped stays, to be compared"
            status, body = await post(bench, "/code", home="4-201", code=a_code(), lang="zh")
            assert status == 200
            assert "已接受" in body
            assert a_code() not in body, "a code that is used up is shown to nobody"
            assert bench.sims[0].relay_closed
            assert "<script" not in body
            status, body = await post(bench, "/code", home="9-999", code=a_code())
            assert (status, "no such home" in body) == (422, True)

    run(test())


def test_nothing_private_is_shown_without_the_pin(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            at_us = await bench.tick()
            grant = a_grant(register_wh=10_000, available_micro=12_345_678, at_us=at_us)
            await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.LEAVE, grant=grant))
            status, body = await post(bench, "/home", home="4-201", pin="1111")
            assert (status, "12.34" in body) == (422, False)
            status, body = await post(bench, "/home", home="4-201", pin="2468")
            assert (status, "¥12.34" in body, "10.000 kWh" in body) == (200, True, True)
            assert (await post(bench, "/home", home="4-202", pin=""))[0] == 422, "without a PIN it stays shut"
            for _ in range(3):
                await post(bench, "/home", home="4-201", pin="0000")
            status, body = await post(bench, "/home", home="4-201", pin="2468")
            assert (status, "Too many" in body, "12.34" in body) == (422, True, False)

    run(test())


def test_only_our_own_form_does_anything(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            bench.sims[0].relay_closed = False
            cookie, token = await opened(bench)
            form = {"home": "4-201", "code": a_code(), "token": token}
            for wrong in (
                a_request("/code", form=form),
                a_request("/code", form=form | {"token": "0" * 32}, Cookie=cookie),
                a_request("/code", form=form, Cookie=cookie, Origin="http://evil.example"),
                a_request("/code", form=form, Cookie=cookie, Sec_Fetch_Site="cross-site"),
                a_request("/code", form=form, Cookie="fairwatt_local=" + "a" * 32),
            ):
                assert (await say(bench, wrong))[0] == 403
            assert (await say(bench, a_request("/", Host="evil.example")))[0] == 421
            assert not bench.sims[0].relay_closed
            right = a_request("/code", form=form, Cookie=cookie, Origin="http://127.0.0.1:8080")
            assert (await say(bench, right))[0] == 200

    run(test())


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"BREW / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n folded\r\n\r\n", 400),
        (b"POST /code HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        (b"POST /code HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999\r\n\r\n", 413),
        (b"POST /code HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + b"9" * 7000 + b"\r\n\r\n", 413),
        (
            b"POST /code HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx",
            415,
        ),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET /etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, raw: bytes, status: int) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            assert (await say(bench, raw))[0] == status

    run(test())


def test_a_hurried_hand_waits(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            statuses = [
                (await post(bench, "/code", home="x", code="1"))[0] for _ in range(POSTS_A_MINUTE * 2 + 2)
            ]
            assert 429 in statuses

    run(test())


def test_every_word_is_there_in_both_languages() -> None:
    for words in (WORDS, PAGE_WORDS):
        assert set(words) == set(LANGUAGES)
        assert words["en"].keys() == words["zh"].keys()
        for key, said in words["en"].items():
            assert re.findall(r"{\w+}", said) == re.findall(r"{\w+}", words["zh"][key]), key


def test_money_is_rounded_toward_less() -> None:
    assert [money(micro, currency="CNY") for micro in (12_349_999, 0, -1, -1_234_567_890)] == [
        "¥12.34",
        "¥0.00",
        "−¥0.01",
        "−¥1,234.57",
    ]

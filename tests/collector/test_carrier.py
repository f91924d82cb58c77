"""The line to a provider ends in time, in size and in trust, and what fails is left alone for a while."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fairwatt.collector.breaker import FAILURES_MAX, OPEN_S, Breaker
from fairwatt.collector.carrier import Carrier, Limits
from fairwatt.payments.exchange import CircuitOpen, Exchange, HttpAsk, HttpReply, NoAnswer, ProviderBusy


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A real HTTP server on loopback that answers each GET as told."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with_pipe(lambda: answer(self))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def with_pipe(deed: Callable[[], None]) -> None:
    try:
        deed()
    except OSError:
        pass


def say(handler: BaseHTTPRequestHandler, *, status: int = 200, body: bytes = b"ok", length: int = -1) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length < 0 else length))
    handler.end_headers()
    handler.wfile.write(body)


def one(url: str, **fields: Any) -> Exchange[HttpReply]:
    return (yield HttpAsk(method="GET", url=url, **fields))


def test_an_answer_comes_back_whole() -> None:
    with answering(lambda to: say(to, body=b"x" * 50_000)) as url:
        reply = Carrier().carry(one(url), account="a")
    assert (reply.status, len(reply.body)) == (200, 50_000)


def test_a_slow_drip_meets_an_end() -> None:
    def drip(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Content-Length", "100")
        to.end_headers()
        for _ in range(400):
            to.wfile.write(b".")
            to.wfile.flush()
            time.sleep(0.05)

    with answering(drip) as url:
        began_s = time.monotonic()
        with pytest.raises(NoAnswer) as missed:
            Carrier(limits=Limits(total_s=0.3)).carry(one(url), account="a")
    assert time.monotonic() - began_s < 15, "the whole drip takes 20 s"
    assert not missed.value.outcome_known


def test_an_answer_cut_short_is_none() -> None:
    with answering(lambda to: say(to, body=b'{"paid": true}', length=500)) as url, pytest.raises(NoAnswer):
        Carrier().carry(one(url), account="a")


def test_an_answer_without_an_end_is_none() -> None:
    with answering(lambda to: say(to, body=b"x" * 5_000)) as url, pytest.raises(NoAnswer):
        Carrier().carry(one(url, bytes_max=1_000), account="a")


def test_nobody_there_is_no_answer_and_names_no_address() -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{door.getsockname()[1]}/pay?secret=1"
        with pytest.raises(NoAnswer) as missed:
            Carrier().carry(one(url), account="a")
    assert "secret" not in str(missed.value)


def test_nothing_is_sent_in_the_clear_to_the_world() -> None:
    with pytest.raises(NoAnswer, match="https only"):
        Carrier().carry(one("http://pay.example/"), account="a")


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with answering(say) as url:
        assert Carrier().carry(one(url), account="a").body == b"ok"


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    def away(to: BaseHTTPRequestHandler) -> None:
        to.send_response(302)
        to.send_header("Location", "https://elsewhere.example/")
        to.send_header("Content-Length", "0")
        to.end_headers()

    with answering(away) as url:
        assert Carrier().carry(one(url), account="a").status == 302


def test_a_login_is_asked_for_once() -> None:
    asked = []
    with answering(lambda to: (asked.append(to.path), say(to))[1]) as url:
        carrier = Carrier()
        for _ in range(3):
            carrier.carry(one(f"{url}/token", keep_s=60), account="a")
            carrier.carry(one(f"{url}/state"), account="a")
    assert asked.count("/token") == 1
    assert asked.count("/state") == 3


def test_one_accounts_trouble_is_not_anothers() -> None:
    with answering(lambda to: say(to, status=503)) as sick, answering(say) as well:
        carrier = Carrier()
        for _ in range(FAILURES_MAX):
            with pytest.raises(ProviderBusy):
                carrier.carry(one(sick), account="sick")
        with pytest.raises(CircuitOpen):
            carrier.carry(one(sick), account="sick")
        assert not carrier.available(account="sick")
        assert carrier.carry(one(well), account="well").status == 200
        assert carrier.available(account="well")


def test_a_breaker_opens_and_lets_one_trial_through() -> None:
    now_s = [100.0]
    breaker = Breaker(clock_s=lambda: now_s[0])
    for _ in range(FAILURES_MAX):
        assert breaker.admit()
        breaker.failed()
    assert breaker.open
    assert not breaker.admit()
    now_s[0] += OPEN_S
    assert breaker.admit()
    assert not breaker.admit(), "one trial at a time"
    breaker.failed()
    now_s[0] += OPEN_S
    assert not breaker.admit(), "the second wait is longer"
    now_s[0] += OPEN_S
    assert breaker.admit()
    breaker.succeeded()
    assert breaker.admit() and breaker.admit()

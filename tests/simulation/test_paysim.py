"""The payment platform over real HTTP: it signs, repeats itself, comes late, and retries until heard."""

import asyncio
import base64
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fairwatt.simulate.paysim import PayFaults, PaySim

SECOND = 1_000_000
START_US = 1_363_564_800 * SECOND


@dataclass
class Shop:
    """The product's side of the callback: checks signatures, keeps what came, answers as told."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    statuses: list[int] = field(default_factory=list)  # answers to give first; then always 200
    events: list[dict[str, Any]] = field(default_factory=list)
    nonces: list[str] = field(default_factory=list)
    url: str = ""

    def take(self, headers: Any, body: bytes) -> int:
        if self.statuses:
            return self.statuses.pop(0)
        stamp, nonce = headers["X-Sandbox-Timestamp"], headers["X-Sandbox-Nonce"]
        signature = base64.b64decode(headers["X-Sandbox-Signature"], validate=True)
        try:
            self.key.public_key().verify(signature, f"{stamp}\n{nonce}\n".encode() + body)
        except InvalidSignature:
            return 401
        self.events.append(json.loads(body))
        self.nonces.append(nonce)
        return 200


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()

    class Callback(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status = shop.take(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Callback)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    shop.url = f"http://127.0.0.1:{server.server_port}/pay/callback/sandbox"
    yield shop
    server.shutdown()
    server.server_close()
    thread.join(5)


@dataclass
class Clock:
    now: int = START_US


class Platform:
    """A running platform for the length of a `with`."""

    def __init__(self, shop: Shop, *, faults: PayFaults | None = None, seed: int = 1) -> None:
        self.clock = Clock()
        self.sim = PaySim(
            key=shop.key,
            callback_url=shop.url,
            now_us=lambda: self.clock.now,
            seed=seed,
            faults=faults,
            retry_wall_s=0.02,
        )

    async def __aenter__(self) -> "Platform":
        await self.sim.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sim.stop()

    async def drained(self) -> None:
        self.sim.poke()
        for _ in range(1000):
            if self.sim.idle():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the platform still has reports to deliver")


def run[T](work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


class StopAtRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


async def fetch(
    url: str, *, form: dict[str, str] | None = None, language: str = "en"
) -> tuple[int, str, Any]:
    data = urllib.parse.urlencode(form).encode() if form is not None else None

    def get() -> tuple[int, str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), StopAtRedirect())
        try:
            with opener.open(
                urllib.request.Request(url, data, {"Accept-Language": language}), timeout=5
            ) as page:
                return page.status, page.read().decode(), page.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers

    return await asyncio.to_thread(get)


def test_a_payment_is_reported_once_signed_and_complete(shop: Shop) -> None:
    async def work() -> None:
        async with Platform(shop) as platform:
            platform.sim.pay(our_ref="order-1", amount_minor=500, currency="GBP")
            await platform.drained()

    run(work())
    (event,) = shop.events
    assert event["type"] == "payment.succeeded"
    assert (event["our_ref"], event["amount_minor"], event["currency"]) == ("order-1", 500, "GBP")
    assert event["paid_at_us"] == START_US
    assert event["event_id"].startswith("evt_") and event["provider_ref"].startswith("sbx_")


def test_a_product_that_is_down_hears_of_the_payment_when_it_is_back(shop: Shop) -> None:
    shop.statuses = [500, 503, 404, 301]

    async def work() -> PaySim:
        async with Platform(shop) as platform:
            platform.sim.pay(our_ref="order-1", amount_minor=500, currency="GBP")
            assert not platform.sim.idle()
            await platform.drained()
            return platform.sim

    sim = run(work())
    assert len(shop.events) == 1
    assert (sim.counters.deliveries, sim.counters.accepted, sim.counters.refused) == (5, 1, 4)


def test_an_unreachable_product_is_tried_again(shop: Shop) -> None:
    async def work() -> PaySim:
        platform = Platform(shop)
        away = PaySim(
            key=shop.key,
            callback_url="http://127.0.0.1:9/nobody",
            now_us=lambda: platform.clock.now,
            seed=1,
            retry_wall_s=0.01,
        )
        await away.start()
        away.pay(our_ref="order-1", amount_minor=500, currency="GBP")
        while away.counters.unreachable < 3:
            await asyncio.sleep(0.01)
        assert not away.idle()
        await away.stop()
        return away

    assert run(work()).counters.accepted == 0


def test_duplicates_carry_the_same_event_under_fresh_signatures(shop: Shop) -> None:
    async def work() -> None:
        async with Platform(shop, faults=PayFaults(duplicate=1000)) as platform:
            platform.sim.pay(our_ref="order-1", amount_minor=500, currency="GBP")
            await platform.drained()

    run(work())
    assert 2 <= len(shop.events) <= 4
    assert all(event == shop.events[0] for event in shop.events)
    assert len(set(shop.nonces)) == len(shop.nonces)


def test_a_late_report_waits_for_domain_time_not_wall_time(shop: Shop) -> None:
    async def work() -> None:
        async with Platform(shop, faults=PayFaults(late=1000, late_s=(600, 600))) as platform:
            platform.sim.pay(our_ref="order-1", amount_minor=500, currency="GBP")
            await platform.drained()
            assert shop.events == []
            platform.clock.now += 600 * SECOND
            await platform.drained()

    run(work())
    assert shop.events[0]["paid_at_us"] == START_US


def test_what_is_held_back_is_told_when_the_street_ends(shop: Shop) -> None:
    async def work() -> None:
        async with Platform(shop, faults=PayFaults(late=1000, late_s=(600, 600))) as platform:
            platform.sim.pay(our_ref="order-1", amount_minor=500, currency="GBP")
            platform.sim.hold_nothing_back()
            await platform.drained()

    run(work())
    assert [event["our_ref"] for event in shop.events] == ["order-1"]


def test_a_wrong_amount_is_settled_and_reported_when_asked_for(shop: Shop) -> None:
    async def work() -> PaySim:
        async with Platform(shop) as platform:
            platform.sim.pay(our_ref="order-1", amount_minor=500, currency="GBP", settle_minor=50)
            await platform.drained()
            return platform.sim

    sim = run(work())
    assert shop.events[0]["amount_minor"] == 50
    assert (sim.payments[0].ordered_minor, sim.payments[0].settled_minor) == (500, 50)


def test_a_silent_payment_is_found_only_by_asking_and_the_answer_is_signed(shop: Shop) -> None:
    async def work() -> tuple[str, Any]:
        async with Platform(shop, faults=PayFaults(silent=1000)) as platform:
            platform.sim.pay(our_ref="order 1", amount_minor=500, currency="GBP")
            await platform.drained()
            _, body, headers = await fetch(f"{platform.sim.url}/orders?our_ref=order+1")
            return body, headers

    body, headers = run(work())
    assert shop.events == []
    assert shop.take(headers, body.encode()) == 200
    assert shop.events[0]["payments"][0]["amount_minor"] == 500


def test_the_same_seed_gives_the_same_references_and_faults(shop: Shop) -> None:
    async def work(seed: int) -> list[str]:
        shop.events.clear()
        async with Platform(shop, faults=PayFaults(duplicate=500), seed=seed) as platform:
            for number in range(10):
                platform.sim.pay(our_ref=f"order-{number}", amount_minor=500, currency="GBP")
            await platform.drained()
        return sorted(event["event_id"] for event in shop.events)

    first, again, other = run(work(4)), run(work(4)), run(work(5))
    assert first == again != other


def test_a_person_pays_on_the_page_and_is_sent_back(shop: Shop) -> None:
    order = {
        "our_ref": 'order-"1"',
        "amount_minor": "750",
        "currency": "GBP",
        "return_url": "http://127.0.0.1:8000/wallet/7?paid=1",
    }

    async def work() -> None:
        async with Platform(shop) as platform:
            url = f"{platform.sim.url}/pay"
            status, page, _ = await fetch(f"{url}?{urllib.parse.urlencode(order)}")
            assert (status, "Pay 7.50 GBP" in page, "No real money moves" in page) == (200, True, True)
            assert "order-&quot;1&quot;" in page
            assert platform.sim.payments == [], "looking is not paying"
            status, _, headers = await fetch(url, form=order)
            assert (status, headers["Location"]) == (303, order["return_url"])
            await platform.drained()

    run(work())
    assert shop.events[0]["our_ref"] == order["our_ref"]


def test_the_page_speaks_chinese_to_who_wants_it(shop: Shop) -> None:
    async def work() -> str:
        async with Platform(shop) as platform:
            query = "our_ref=a&amount_minor=100&currency=CNY"
            _, page, _ = await fetch(f"{platform.sim.url}/pay?{query}", language="zh-CN,zh;q=0.9")
            return page

    page = run(work())
    assert "支付 1.00 CNY" in page and "zh-Hans" in page


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("amount_minor=100&currency=GBP", "no reference"),
        ("our_ref=a&amount_minor=0&currency=GBP", "positive whole number"),
        ("our_ref=a&amount_minor=1.5&currency=GBP", "positive whole number"),
        ("our_ref=a&amount_minor=%D9%A3&currency=GBP", "positive whole number"),
        ("our_ref=a&amount_minor=100&currency=pounds", "three-letter"),
        ("our_ref=a&amount_minor=100&currency=GBP&return_url=javascript:alert(1)", "not a web address"),
        (
            "our_ref=a&amount_minor=100&currency=GBP&return_url=http://x/%0d%0aSet-Cookie:a",
            "not a web address",
        ),
    ],
)
def test_an_unusable_order_is_explained_and_takes_no_money(shop: Shop, query: str, words: str) -> None:
    async def work() -> tuple[int, str, int]:
        async with Platform(shop) as platform:
            status, page, _ = await fetch(f"{platform.sim.url}/pay?{query}")
            again, _, _ = await fetch(f"{platform.sim.url}/pay", form=dict(urllib.parse.parse_qsl(query)))
            assert again == status
            return status, page, len(platform.sim.payments)

    status, page, payments = run(work())
    assert (status, payments) == (400, 0)
    assert words in page and "Nothing was paid" in page


def test_a_taken_port_is_said_at_once(shop: Shop) -> None:
    async def work() -> None:
        async with Platform(shop) as platform:
            other = Platform(shop).sim
            with pytest.raises(RuntimeError, match="cannot open port"):
                await other.start(port=int(platform.sim.url.rpartition(":")[2]))

    run(work())


def test_a_payment_of_nothing_is_refused(shop: Shop) -> None:
    with pytest.raises(ValueError, match="positive"):
        Platform(shop).sim.pay(our_ref="a", amount_minor=0, currency="GBP")

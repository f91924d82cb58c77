"""A payment platform that runs beside the product and behaves like the real ones: it signs, repeats, delays
and retries.

`PaySim` is a real HTTP service. People pay on its page (or a driver calls `pay`), it settles the money in its
own books and then reports `payment.succeeded` to the product's callback, signed with the platform's Ed25519
key, again and again until the product answers with a 2xx status. Its books are the truth about money received
that a run is checked against.

No real money exists here, and its pages say so.
"""

import asyncio
import base64
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http.client import HTTPException
from random import Random
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fairwatt.simulate.pay.door import walked_in
from fairwatt.simulate.pay.menu import at_the_telephone
from fairwatt.simulate.pay.world import World
from fairwatt.simulate.paypages import Answer, Page, checkout_page, read_order

_SECOND_US = 1_000_000
# Only loopback is spoken to: an environment's proxy must not see the callbacks.
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PayFaults:
    """How badly the platform reports. Chances are per mille of payments, delays are domain seconds."""

    duplicate: int = 0  # the same event is delivered two to four times
    late: int = 0  # the first report comes after `late_s`
    late_s: tuple[int, int] = (60, 7200)
    silent: int = 0  # never reported by itself: only asking finds it


@dataclass(frozen=True, slots=True)
class Payment:
    """One settled payment in the platform's books; `settled_minor` differs from the order if asked to."""

    provider_ref: str
    event_id: str
    our_ref: str
    ordered_minor: int
    settled_minor: int
    currency: str
    paid_at_us: int

    def event(self) -> bytes:
        """The report's body, byte for byte the same in each delivery."""
        return json.dumps(
            {
                "event_id": self.event_id,
                "type": "payment.succeeded",
                "provider_ref": self.provider_ref,
                "our_ref": self.our_ref,
                "amount_minor": self.settled_minor,
                "currency": self.currency,
                "paid_at_us": self.paid_at_us,
            },
            separators=(",", ":"),
        ).encode()


@dataclass(slots=True)
class _Delivery:
    payment: Payment
    not_before_us: int
    attempts: int = 0
    answered: bool = False


@dataclass(slots=True)
class PayCounters:
    """What the platform sent, and how the product answered."""

    payments: int = 0
    deliveries: int = 0
    accepted: int = 0
    refused: int = 0
    unreachable: int = 0


class _Server(uvicorn.Server):
    """A server inside somebody else's process: Ctrl-C belongs to that process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class PaySim:
    """The platform.

    `now_us` tells domain time. Retries are paced in wall time, so that a product that is down is not
    hammered.
    """

    def __init__(
        self,
        *,
        key: Ed25519PrivateKey,
        callback_url: str,
        now_us: Callable[[], int],
        seed: int,
        faults: PayFaults | None = None,
        retry_wall_s: float = 0.25,
        reports: bool = True,
    ) -> None:
        """`reports=False`: what is to be reported waits until somebody fetches it."""
        self.world: World
        """the platforms beside the sandbox, from `start` on"""
        self._seed, self._reports = seed, reports
        self.faults = faults or PayFaults()
        self.counters = PayCounters()
        self.payments: list[Payment] = []
        self.first_report_s: dict[str, float] = {}
        """Wall seconds (monotonic) at which each order's payment was first reported: it is confirmed then."""
        self.url = ""
        self._key, self._callback_url, self._now_us = key, callback_url, now_us
        self._draw = Random(f"{seed}/paysim")
        self._retry_wall_s = retry_wall_s
        self._deliveries: list[_Delivery] = []
        self._wake = asyncio.Event()
        self._server: uvicorn.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, *, port: int = 0) -> str:
        """Open the platform on loopback, begin delivering, and return its base URL.

        Raises RuntimeError when the port is taken.
        """
        door = socket.socket()
        # A platform that begins again comes back on its port, though connections of its last life are remembered.
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
        except OSError as error:
            door.close()
            raise RuntimeError(
                f"the payment platform cannot open port {port} on 127.0.0.1: {error}"
            ) from error
        self.url = f"http://127.0.0.1:{door.getsockname()[1]}"
        self.world = World(url=self.url, seed=self._seed, now_us=self._now_us)
        self._server = _Server(
            uvicorn.Config(
                self._app,
                interface="asgi3",
                log_level="error",
                lifespan="off",
                ws="none",
                proxy_headers=False,
                date_header=False,  # the platform lives in domain time, and says so
            )
        )
        serving = asyncio.create_task(self._server.serve(sockets=[door]))
        while not self._server.started:
            await asyncio.sleep(0.01)
        self._tasks = [serving, *([asyncio.create_task(self._deliver_for_ever())] if self._reports else [])]
        return self.url

    async def stop(self) -> None:
        """Close the platform. Undelivered reports stay in its books and can still be asked for until then."""
        if self._server is not None:
            self._server.should_exit = True
            for task in self._tasks[1:]:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def pay(
        self,
        *,
        our_ref: str,
        amount_minor: int,
        currency: str,
        settle_minor: int | None = None,
        copies: int | None = None,
    ) -> Payment:
        """Take a payment for an order and queue its report.

        `settle_minor` settles another amount than ordered (a fault real platforms have shown); `copies` sets
        how often the report is delivered, else the seed decides. Raises ValueError for an amount that is not
        positive.
        """
        settled_minor = amount_minor if settle_minor is None else settle_minor
        if amount_minor <= 0 or settled_minor <= 0:
            raise ValueError("a payment must be positive")
        now_us, serial = self._now_us(), len(self.payments) + 1
        # Domain time makes the ids of a restarted platform new ones.
        tail = f"{now_us:x}-{serial:06d}{self._draw.getrandbits(32):08x}"
        payment = Payment(
            f"sbx_{tail}", f"evt_{tail}", our_ref, amount_minor, settled_minor, currency, now_us
        )
        self.payments.append(payment)
        self.counters.payments += 1
        chance, copies_drawn = self._draw.randrange(1000), self._draw.randint(2, 4)
        late = self._draw.randrange(1000) < self.faults.late
        wait_us = self._draw.randint(*self.faults.late_s) * _SECOND_US if late else 0
        silent = self._draw.randrange(1000) < self.faults.silent
        if copies is None:
            copies = 0 if silent else copies_drawn if chance < self.faults.duplicate else 1
        self._deliveries += [_Delivery(payment, now_us + wait_us) for _ in range(copies)]
        self._wake.set()
        return payment

    def idle(self) -> bool:
        """Whether every report due at the present domain time has been answered with a 2xx."""
        now_us = self._now_us()
        return all(d.answered or d.not_before_us > now_us for d in self._deliveries)

    def poke(self) -> None:
        """Look at the clock again: domain time has moved and late reports may be due."""
        self._wake.set()

    def hold_nothing_back(self) -> None:
        """Let late reports come now: the street ends, and all that was paid shall be told."""
        for delivery in self._deliveries:
            delivery.not_before_us = min(delivery.not_before_us, self._now_us())
        self._wake.set()

    def signed_headers(self, body: bytes) -> dict[str, str]:
        """Headers that prove a body comes from the platform, fresh for each delivery."""
        timestamp = str(self._now_us() // _SECOND_US)
        nonce = f"{self._draw.getrandbits(128):032x}"
        signature = self._key.sign(f"{timestamp}\n{nonce}\n".encode() + body)
        return {
            "Content-Type": "application/json",
            "X-Sandbox-Timestamp": timestamp,
            "X-Sandbox-Nonce": nonce,
            "X-Sandbox-Signature": base64.b64encode(signature).decode(),
        }

    async def _deliver_for_ever(self) -> None:
        while True:
            self._wake.clear()
            now_us = self._now_us()
            due = [d for d in self._deliveries if not d.answered and d.not_before_us <= now_us]
            await self.world.send_due()
            due.sort(
                key=lambda d: d.attempts
            )  # a report the product keeps refusing must not starve the others
            # Several at once on purpose: copies of one event race each other into the product.
            await asyncio.gather(*(self._deliver(d) for d in due[:8]))
            self._deliveries = [d for d in self._deliveries if not d.answered]
            try:
                # Domain time may move without a poke; looking again costs nothing.
                await asyncio.wait_for(self._wake.wait(), 0.0 if self._due() else self._retry_wall_s)
            except TimeoutError:
                pass

    def _due(self) -> bool:
        now_us = self._now_us()
        return any(not d.attempts and d.not_before_us <= now_us for d in self._deliveries) or any(
            not one.tries for one in self.world.due()
        )

    async def _deliver(self, delivery: _Delivery) -> None:
        body = delivery.payment.event()
        delivery.attempts += 1
        self.first_report_s.setdefault(delivery.payment.our_ref, time.monotonic())
        self.counters.deliveries += 1
        status = await asyncio.to_thread(_post, self._callback_url, body, self.signed_headers(body))
        delivery.answered = 200 <= status < 300
        if delivery.answered:
            self.counters.accepted += 1
        elif status:
            self.counters.refused += 1
        else:
            self.counters.unreachable += 1

    def _find(self, our_ref: str) -> Answer:
        found = [p.event().decode() for p in self.payments if p.our_ref == our_ref]
        body = ('{"payments":[' + ",".join(found) + "]}").encode()
        return Answer(200, body, self.signed_headers(body))

    def _answer(self, *, method: str, path: str, query: bytes, form: bytes, language: str) -> Answer:
        if path == "/health":
            return Answer.text(200, "ok")
        order = read_order(form if method == "POST" else query, language=language)
        if path == "/orders" and method == "GET" and order.our_ref:
            return self._find(order.our_ref)
        if path != "/pay":
            return Answer.text(404, "There is nothing at this address.")
        if order.fault:
            return checkout_page(order, page=Page.FAULT)
        if method != "POST":
            return checkout_page(order, page=Page.ASK)
        self.pay(our_ref=order.our_ref, amount_minor=order.amount_minor, currency=order.currency)
        return (
            Answer.see_other(order.return_url) if order.return_url else checkout_page(order, page=Page.PAID)
        )

    async def _answer_all(self, scope: Message, form: bytes) -> Answer:
        """A shop's question, a payer at one of the platforms, or the sandbox."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method, query = scope["method"], scope["query_string"].decode("latin-1")
        target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        said = await self.world.answer(method=method, target=target, headers=headers, body=form)
        language = headers.get("accept-language", "")
        if said is None:
            said = await at_the_telephone(
                self.world, method=method, path=scope["path"], body=form, language=language
            )
        if said is None:
            said = walked_in(self.world, method=method, path=scope["path"], body=form, language=language)
        self._wake.set()
        if said is not None:
            return Answer(said.status, said.body, said.headers)
        return self._answer(
            method=method, path=scope["path"], query=scope["query_string"], form=form, language=language
        )

    async def _app(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        form = b""
        while True:
            message = await receive()
            form += message.get("body", b"")
            if len(form) > 65536 or not message.get("more_body"):
                break
        answer = await self._answer_all(scope, form)
        fields = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
        fields.append((b"date", formatdate(self._now_us() // _SECOND_US, usegmt=True).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await send({"type": "http.response.body", "body": answer.body})


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Deliver one report; returns the HTTP status, or 0 when nobody answered."""
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310  our own callback
    try:
        with _NO_PROXY.open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return int(error.code)
    except (OSError, HTTPException):
        return 0

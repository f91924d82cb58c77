"""A street whose supplier has merchant accounts at the simulated platforms, with the real collector between them."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fairwatt.collector.carrier import Carrier, Limits
from fairwatt.payments.callbacks import PREFIX
from fairwatt.payments.contract import CallbackRejected
from fairwatt.simulate.pay.books import Dialect, Order, Shop
from fairwatt.simulate.pay.talking import Report
from fairwatt.simulate.paysim import PaySim
from support.desk import Desk
from support.house import as_role

ORIGIN = "http://fairwatt.test"
CURRENCY = {"wechat": "CNY", "alipay": "CNY", "stripe": "GBP", "mpesa": "KES"}
METHOD = {"wechat": "qr", "alipay": "qr", "stripe": "redirect", "mpesa": "push"}


@dataclass
class HandClock:
    """Domain time that a test moves."""

    us: int

    def now_us(self) -> int:
        return self.us


@contextmanager
def open_platform(clock: HandClock, *, seed: int = 7) -> Iterator[PaySim]:
    """The platforms as a real HTTP service on loopback; reports are fetched by the test, not sent."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    sim = PaySim(
        key=Ed25519PrivateKey.generate(),
        callback_url="http://127.0.0.1:9/",
        now_us=clock.now_us,
        seed=seed,
        reports=False,
    )
    asyncio.run_coroutine_threadsafe(sim.start(), loop).result(20)
    try:
        yield sim
    finally:
        asyncio.run_coroutine_threadsafe(sim.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)


@dataclass
class Till:
    """One shop at one platform, and everything between a payer and the ledger."""

    desk: Desk
    sim: PaySim
    clock: HandClock
    dialect: Dialect
    shop: Shop
    account: int
    token: str
    reading: X25519PrivateKey
    acting: X25519PrivateKey
    carrier: Carrier
    heard: list[str] = field(default_factory=list)
    """codes of refused callbacks"""

    @property
    def world(self) -> Any:
        return self.sim.world

    def merchants(self, *, acting: bool = False) -> Any:
        from fairwatt.flows.merchants import Merchants

        return Merchants(reading=self.reading, acting=self.acting if acting else None)

    def collector(self) -> Any:
        from fairwatt.collector.main import Collector

        return Collector(
            merchants=self.merchants(acting=True),
            carrier=self.carrier,
            clock=self.clock,
            origin=ORIGIN,
            dsn="",
        )

    def start(self, amount_minor: int = 1000, *, method: str = "", payer: str = "254700000001") -> str:
        """A resident chooses to pay; nobody has been asked yet."""
        from fairwatt.flows.merchants import Offer
        from fairwatt.flows.start_top_up import Payer, start_top_up
        from fairwatt.payments.contract import Method

        with as_role("web"):
            return start_top_up(
                wallet_id=self.desk.street.wallets[0],
                amount_minor=amount_minor,
                provider="",
                user_id=None,
                now_us=self.clock.us,
                offer=Offer(
                    account=self.account,
                    provider=self.dialect,
                    method=Method(method or METHOD[self.dialect]),
                    label="x",
                ),
                payer=Payer(payer=payer, origin=ORIGIN),
            ).our_ref

    def ask(self, *, after_s: int = 0, hint: str = "") -> None:
        """The collector looks once, so many seconds later."""
        self.clock.us += after_s * 1_000_000
        with as_role("collector"):
            collector = self.collector()
            if hint:
                collector.hint(self.intent(hint).pk)
            collector.look()

    def made(self, amount_minor: int = 1000, **more: Any) -> tuple[str, Order]:
        """A resident chose to pay and the order stands at the platform."""
        ref = self.start(amount_minor, **more)
        self.ask()
        return ref, self.order(ref)

    def order(self, ref: str) -> Order:
        """The order at the platform."""
        found: Order = self.world.order(our_ref=ref)
        return found

    def deliver(self, report: Report) -> bool:
        """A callback as the web takes it; True when it was taken."""
        with as_role("web"):
            return self.deliver_here(report)

    def deliver_here(self, report: Report) -> bool:
        """The same under the role this thread has."""
        from fairwatt.flows.receive_payment import count_refused, receive_callback

        token, hint = token_of(report)
        merchant = self.merchants().by_token(token=token, provider=self.dialect)
        assert merchant is not None, report.url
        try:
            receive_callback(
                provider=merchant.provider,
                headers=report.headers,
                body=report.body,
                now_us=self.clock.us,
                account=merchant.account,
                hint_ref=hint,
            )
        except CallbackRejected as refused:
            count_refused(account=merchant.account, code=refused.code, now_us=self.clock.us)
            self.heard.append(refused.code)
            return False
        return True

    def deliver_due(self, *, times: int = 1) -> list[bool]:
        """Everything the platform would report now, each so many times."""
        out = []
        for sending in self.world.due():
            sending.tries = 99
            out += [self.deliver(sending.make()) for _ in range(times)]
        return out

    def told(self, ref: str) -> None:
        """What a hint leads to: the collector is called and asks."""
        if self.dialect in ("stripe", "mpesa"):
            self.ask(hint=ref)

    def post(self) -> None:
        """The poster's turn."""
        self.desk.street.merchants = self.merchants()
        self.desk.post(now_us=self.clock.us)

    def settle(self, ref: str) -> None:
        """Reports, hints, poster: what happens within a second of a payment."""
        self.deliver_due()
        self.told(ref)
        self.post()

    def intent(self, ref: str) -> Any:
        from fairwatt.store.models import PaymentIntent

        return PaymentIntent.objects.get(our_ref=ref)

    def events(self, ref: str) -> list[Any]:
        """What was heard of a payment, oldest first."""
        from fairwatt.store.models import PaymentEvent
        from fairwatt.web.access import Scope, seeing

        with as_role("web"), seeing(scope=Scope(books=(self.desk.street.book,))):
            return list(PaymentEvent.objects.filter(intent__our_ref=ref).order_by("pk"))

    def balance(self) -> int:
        """Of the home, in micro-units."""
        return self.desk.balance(self.desk.street.homes[0])

    def true_minor(self) -> int:
        """What the platform says was paid here."""
        return sum(one["paid_minor"] for one in self.world.books.truth())


@contextmanager
def open_till(desk: Desk, dialect: Dialect, clock: HandClock, sim: PaySim) -> Iterator[Till]:
    """Open a shop at the platform and give its keys to the supplier's account."""
    from fairwatt.flows.merchants import Seals, add_account, offer
    from fairwatt.store.models import Book

    shop, settings = sim.world.open_shop(dialect)
    reading, acting = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    token = secrets.token_hex(16)
    book = Book.objects.get(pk=desk.street.book)
    with as_role("migrate"):
        key = add_account(
            organisation_id=book.organisation_id,
            provider=dialect,
            label=dialect,
            settings=settings,
            seals=Seals(reading=reading.public_key(), acting=acting.public_key()),
            token=token,
            author="commissioning",
            now_us=clock.us,
        )
        offer(account_id=key.account_id, methods=[METHOD[dialect]], author="commissioning", now_us=clock.us)
    if dialect == "stripe":
        sim.world.stripe.listen(shop, f"{ORIGIN}/pay/callback/stripe/{token}")
    carrier = Carrier(limits=Limits(connect_s=1, total_s=2))
    yield Till(desk, sim, clock, dialect, shop, key.account_id, token, reading, acting, carrier)
    carrier.close()


def at(*dialects: str) -> Any:
    """Do this test at these platforms."""
    return pytest.mark.parametrize("till", dialects, indirect=True)


def token_of(report: Report) -> tuple[str, str]:
    """Whose account an address is, and the reference in it."""
    _, token, hint = (urlsplit(report.url).path.removeprefix(PREFIX) + "/").split("/")[:3]
    return token, hint


def suspense(till: Till) -> int:
    """What lies in suspense, in micro-units."""
    from fairwatt.store.models import Journal

    legs = Journal.objects.filter(book=till.desk.street.book, account="suspense")
    return sum(legs.values_list("amount_micro", flat=True))


class Dead(Exception):
    """The process died here."""


def dies(**_: Any) -> None:
    """What a step becomes that the process does not live to see."""
    raise Dead

"""The crowd of a payments drill: people begin payments at the product, find their order at the platform, and pay."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from django.db import InterfaceError, OperationalError, connection

from fairwatt.flows.merchants import Offer
from fairwatt.flows.start_top_up import Payer, start_top_up
from fairwatt.payments.contract import Method
from fairwatt.simulate.pay.books import Dialect, Order
from fairwatt.simulate.pay.world import Sending, World
from fairwatt.simulate.paydrill.journal import Journal
from fairwatt.simulate.paydrill.plan import METHODS, Payment
from fairwatt.simulate.paydrill.sending import deliver

STARTING_HANDS = 3
REPORTING_HANDS = 6
OPEN_MAX = 60
"""So many people stand before the till at once."""
UNDELIVERED_MAX = 400
REMEMBERED = 10_000
TIRED_S = 300.0
"""An order that has not come so long is given up: the payer goes home and has paid nothing."""


@dataclass
class Crowd:
    """Begins, pays and reports. All of the world's state is touched on the event loop's thread alone."""

    world: World
    wallets: Sequence[int]
    accounts: dict[Dialect, int]
    now_us: Callable[[], int]
    at_once: int = OPEN_MAX
    journal: Journal | None = None
    begun: int = 0
    paid: int = 0
    open: dict[str, float] = field(default_factory=dict)
    """our reference -> since when its order is waited for"""
    tired: int = 0
    hold: list[Order] | None = None
    """a list: nobody pays yet, the orders that come are kept in it"""
    sent: int = 0
    refused: int = 0
    unreachable: int = 0

    def __post_init__(self) -> None:
        self._starting = ThreadPoolExecutor(STARTING_HANDS, thread_name_prefix="starting")
        self._reporting = ThreadPoolExecutor(REPORTING_HANDS, thread_name_prefix="reporting")
        self._room = asyncio.Semaphore(self.at_once)
        self._made: dict[str, Order] = {}
        self._in_hand: set[asyncio.Future[None]] = set()
        self.world.books.made = self._order_made

    def close(self) -> None:
        """Send the crowd home."""
        self._starting.submit(lambda: connection.close()).result()
        self._starting.shutdown()
        self._reporting.shutdown()

    async def pay_all(self, payments: Iterable[Payment], *, begun: Callable[[int], None]) -> None:
        """Let everybody pay, as fast as the product takes them; `begun` is told after each beginning."""
        starting: set[asyncio.Task[None]] = set()
        for one in payments:
            while len(self.world.sendings) > UNDELIVERED_MAX:
                await asyncio.sleep(0.05)
            await self._room.acquire()
            task = asyncio.create_task(self._begin(one))
            starting.add(task)
            task.add_done_callback(starting.discard)
            self.begun += 1
            if self.begun % REMEMBERED == 0:
                gc.freeze()  # a million orders are kept to the end: nobody need look through them for garbage
            begun(self.begun)
        while starting or self.open:
            await asyncio.sleep(0.05)
            self._go_home()

    async def _begin(self, one: Payment) -> None:
        loop = asyncio.get_running_loop()
        ref = await loop.run_in_executor(self._starting, self._start, one)
        self.open[ref] = time.monotonic()
        order = self._made.pop(ref, None)
        if order is not None:
            self._pay(order)

    def _start(self, one: Payment) -> str:
        while True:
            try:
                return start_top_up(
                    wallet_id=self.wallets[one.home],
                    amount_minor=one.amount_minor,
                    provider="",
                    user_id=None,
                    now_us=self.now_us(),
                    offer=Offer(
                        account=self.accounts[one.dialect],
                        provider=one.dialect,
                        method=Method(METHODS[one.dialect]),
                        label="drill",
                    ),
                    payer=Payer(payer="254700000001"),
                ).our_ref
            except (OperationalError, InterfaceError):
                connection.close()
                time.sleep(0.2)

    def _order_made(self, order: Order) -> None:
        # The platform learns the reference of a push a moment after it has made the order.
        asyncio.get_running_loop().call_soon(self._see, order)

    def _see(self, order: Order) -> None:
        if self.journal is not None:
            self.journal.order(order)
        if order.our_ref in self.open:
            self._pay(order)
        else:
            self._made[order.our_ref] = order

    def _pay(self, order: Order) -> None:
        if self.open.pop(order.our_ref, None) is None:
            return
        self._room.release()
        if self.hold is not None:
            self.hold.append(order)
        elif not order.paid:
            self._give(order)

    def _give(self, order: Order) -> None:
        paid = self.world.pay(order)
        if self.journal is not None:
            self.journal.payment(paid)
        self.paid += 1

    def pay_held(self) -> list[Sending]:
        """Everybody who was held pays now; their reports, which nobody sends yet."""
        orders, self.hold = self.hold or [], None
        before = len(self.world.sendings)
        for order in orders:
            self._give(order)
        reports = self.world.sendings[before:]
        del self.world.sendings[before:]
        return reports

    def _go_home(self) -> None:
        now_s = time.monotonic()
        for ref in [ref for ref, since_s in self.open.items() if now_s - since_s > TIRED_S]:
            del self.open[ref]
            self._room.release()
            self.tired += 1

    async def report_for_ever(self) -> None:
        """Deliver what is due, several at a time, and again what nobody took."""
        loop = asyncio.get_running_loop()
        while True:
            free = 2 * REPORTING_HANDS - len(self._in_hand)
            due = [one for one in self.world.due() if one.status >= 0][: max(free, 0)]
            for one in due:
                one.status, one.tries = -1, one.tries + 1  # in hand
                sent = loop.run_in_executor(self._reporting, self._send, one)
                self._in_hand.add(sent)
                sent.add_done_callback(self._in_hand.discard)
            await asyncio.sleep(0.005 if due else 0.03)

    def _send(self, one: Sending) -> None:
        report = one.make()
        status = deliver(report)
        self.sent += 1
        if not 200 <= status < 300:
            self.refused += status > 0
            self.unreachable += not status
            one.not_before_us = self.world.books.now_us() + 5_000_000
        one.status = status

    @property
    def quiet(self) -> bool:
        """Whether nothing is left to be reported."""
        return not self._in_hand and all(one.done for one in self.world.sendings)

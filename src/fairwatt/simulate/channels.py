"""A top-up by each channel, watched arriving: paid, credited, sent to the meter, confirmed by the meter.

People start a payment as its page or window does, pay it at the simulated platform, and the product does the rest. In a
lock-step run the collector looks when it is told to, in this process; in the live demo it is the real process.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fairwatt.core.account_numbers import account_number
from fairwatt.server.keys import MERCHANT_ACTING, MERCHANT_READING, load_sealing_key
from fairwatt.server.wiring import database_role
from fairwatt.simulate.channel_desk import Desk, open_desk
from fairwatt.simulate.estate import ORGANISATION, Door
from fairwatt.simulate.pay.paybill import Typed
from fairwatt.simulate.shops import open_shops

if TYPE_CHECKING:
    from fairwatt.simulate.street import Street

WAIT_S: Final = 20.0
LOOK_S: Final = 0.01
AGAIN_S: Final = 0.5
SHOWN_MINOR: Final = 20_00


class Channel(NamedTuple):
    """A way to pay: its name, who takes it, how, and whom the provider is told to ask."""

    name: str
    provider: str
    method: str
    payer: str = ""


CHANNELS: Final = (
    Channel("WeChat JSAPI, official account", "wechat", "jsapi", "code:0a1b2c3d4e5f"),
    Channel("WeChat JSAPI, mini-program", "wechat", "jsapi", "oMiniProgramPayer0001"),
    Channel("WeChat Native QR", "wechat", "qr"),
    Channel("WeChat code at the window", "wechat", "scan"),
    Channel("Alipay", "alipay", "qr"),
    Channel("card", "stripe", "redirect"),
    Channel("M-PESA", "mpesa", "push", "254700000001"),
    Channel("M-PESA PayBill", "mpesa", "paybill"),
    Channel("cash", "cash", ""),
    Channel("bank transfer", "transfer", ""),
)


@dataclass(slots=True)
class Arrival:
    """One top-up on its way; wall seconds since it was paid, once each step was seen."""

    channel: str
    ref: str
    """ours; of what a payer began at the provider, the provider's"""
    paid_s: float = 0.0
    credited_s: float | None = None
    sent_s: float | None = None
    confirmed_s: float | None = None

    @property
    def done(self) -> bool:
        """Whether the meter has confirmed it."""
        return self.confirmed_s is not None


@dataclass
class Channels:
    """Everybody's ways to pay on one street. `in_process`: the collector looks here, when it is told to."""

    street: Street
    in_process: bool
    arrivals: list[Arrival] = field(default_factory=list)
    _desk: Desk | None = None
    _collector: Any = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _codes: int = 0
    _typed: dict[str, Typed] = field(default_factory=dict)
    """what payers typed into their telephones and have not sent yet"""

    async def open(self) -> None:
        """Shops at the platforms, a window with an open shift, and the collector's keys."""
        street = self.street
        if self.in_process:
            shops = partial(
                open_shops,
                world=street.pay.world,
                organisation=ORGANISATION,
                currency=street.scenario.terms.currency,
                config=street.stack.config,
                now_us=street.now_us(),
            )
            await street.as_web(shops)
            self._collector = await street.as_web(self._make_collector)
        self._desk = await street.as_web(partial(open_desk, book=street.book, now_us=street.now_us()))

    async def each_once(self, doors: Sequence[Door], *, amount_minor: int) -> list[str]:
        """One top-up by each channel, all at the same time; what did not arrive, in words."""
        dark_first = sorted(doors, key=lambda door: door.meter.relay_closed)
        chosen = [dark_first[n % len(dark_first)] for n in range(len(CHANNELS))]
        begun: list[Arrival] = []
        watching = asyncio.create_task(self._watch(begun, count=len(CHANNELS)))
        for channel, door in zip(CHANNELS, chosen, strict=True):
            begun.append(await self._start(channel, door, amount_minor))
        await self._ask([])
        for one, channel in zip(begun, CHANNELS, strict=True):
            await self._pay(one, channel)
        hinted = [one.ref for one, channel in zip(begun, CHANNELS, strict=True) if channel.method]
        self.street.pay.poke()
        await self._ask(hinted)
        while self.in_process and not watching.done():
            await self._ask([])
            await asyncio.sleep(AGAIN_S)
        await watching
        self.arrivals += begun
        return [f"{one.channel}: paid and not confirmed by the meter" for one in begun if not one.done]

    def begin(self, door: Door, amount_minor: int) -> None:
        """Somebody pays in the way that is theirs; it goes on beside everything else."""
        self._keep(self._one(door, amount_minor))

    def _keep(self, deed: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(deed)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def show(self, doors: Sequence[Door], *, tell: Callable[[str], None]) -> None:
        """A top-up by each channel beside everything else, and a line of each once it has arrived."""

        async def watched() -> None:
            missing = await self.each_once(doors, amount_minor=SHOWN_MINOR)
            for one in [*(f"{name[3:]}: {line}" for name, line in lines_of(self.arrivals).items()), *missing]:
                tell(one)

        self._keep(watched())

    async def close(self) -> None:
        """Leave what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _one(self, door: Door, amount_minor: int) -> None:
        channel = CHANNELS[door.home.index % len(CHANNELS)]
        one = await self._start(channel, door, max(100, amount_minor // 100 * 100))
        await self._pay(one, channel)
        self.street.pay.poke()
        await self._watch([one], count=1)
        self.arrivals.append(one)

    async def _start(self, channel: Channel, door: Door, amount_minor: int) -> Arrival:
        if channel.method == "paybill":
            return self._type(channel, door, amount_minor)
        assert self._desk is not None, "open the window first"
        self._codes += 1
        code = f"13{os.getpid() % 10**6:06d}{self._codes:09d}1"
        begin = partial(
            self._desk.begin,
            provider=channel.provider,
            method=channel.method,
            payer=channel.payer or code,
            wallet=door.wallet,
            amount_minor=amount_minor,
            now_us=self.street.now_us(),
        )
        our_ref = await self.street.as_web(begin)
        return Arrival(channel.name, our_ref, paid_s=time.monotonic())

    def _type(self, channel: Channel, door: Door, amount_minor: int) -> Arrival:
        """At the telephone: the supplier's number, the home's, an amount. Nothing stands at the product yet."""
        books = self.street.pay.world.books
        shop = next(one for one in books.shops if one.dialect == channel.provider)
        named = account_number(wallet=door.wallet)
        typed = self.street.pay.world.mpesa.paybills.typed(
            shop=shop.number, named=named, amount_minor=amount_minor
        )
        self._typed[typed.number] = typed
        return Arrival(channel.name, typed.number, paid_s=time.monotonic())

    async def _send(self, one: Arrival) -> None:
        """The PIN is typed: the platform asks the supplier, takes the money and tells of it."""
        world, typed = self.street.pay.world, self._typed.pop(one.ref)
        check = world.mpesa.paybills.check(typed)
        said = None if check is None else await asyncio.to_thread(world.asks, check)
        one.paid_s = time.monotonic()
        world.mpesa.paybills.take(typed, said)

    async def _pay(self, one: Arrival, channel: Channel) -> None:
        """The payer pays at the platform, once the order stands there. What is paid by hand is paid already."""
        if not channel.method:
            return
        if channel.method == "paybill":
            await self._send(one)
            return
        until_s, world = time.monotonic() + WAIT_S, self.street.pay.world
        while True:
            try:
                order = world.order(our_ref=one.ref)
                break
            except KeyError:
                if time.monotonic() > until_s:
                    raise TimeoutError(f"{one.channel}: no order came to the platform") from None
                await asyncio.sleep(LOOK_S)
        if not order.paid:
            one.paid_s = time.monotonic()
            world.pay(order)

    async def _ask(self, hinted: Sequence[str]) -> None:
        if self._collector is not None:
            await self.street.as_web(partial(self._look, hinted))

    def _look(self, hinted: Sequence[str]) -> None:
        from fairwatt.store.models import PaymentIntent

        with database_role("collector"):
            for number in PaymentIntent.objects.filter(our_ref__in=hinted).values_list("pk", flat=True):
                self._collector.hint(number)
            self._collector.look()

    def _make_collector(self) -> Any:
        from fairwatt.collector.carrier import Carrier
        from fairwatt.collector.main import Collector
        from fairwatt.flows.merchants import Merchants

        config = self.street.stack.config
        return Collector(
            merchants=Merchants(
                reading=load_sealing_key(config.keys, name=MERCHANT_READING),
                acting=load_sealing_key(config.keys, name=MERCHANT_ACTING),
            ),
            carrier=Carrier(),
            clock=self.street.stack.clock,
            origin=config.web_origin(),
            dsn="",
        )

    async def _watch(self, some: Sequence[Arrival], *, count: int) -> None:
        """Look until so many are confirmed, or for so long."""
        until_s = time.monotonic() + WAIT_S
        while sum(one.done for one in some) < count and time.monotonic() < until_s:
            found = await self.street.eyes.arrivals([one.ref for one in some])
            now_s = time.monotonic()
            for one in some:
                state = found.get(one.ref)
                if state is None:
                    continue
                passed = round(now_s - one.paid_s, 3)
                one.credited_s = one.credited_s if one.credited_s is not None else passed
                if state in ("accepted", "proven") and one.sent_s is None:
                    one.sent_s = passed
                if state == "proven":
                    one.confirmed_s = passed
            await asyncio.sleep(LOOK_S)


def lines_of(arrivals: Iterable[Arrival]) -> dict[str, str]:
    """One line a channel: top-ups, and the half and the slowest hundredth of paid -> credited -> sent -> confirmed."""
    by_name: dict[str, list[Arrival]] = {}
    for one in arrivals:
        by_name.setdefault(one.channel, []).append(one)
    return {f"by_{name}": _line(some) for name, some in by_name.items()}


def _line(some: Sequence[Arrival]) -> str:
    steps = {
        "credited": [one.credited_s for one in some],
        "sent": [one.sent_s for one in some],
        "confirmed": [one.confirmed_s for one in some],
    }
    told = []
    for name, all_of in steps.items():
        seen = sorted(value for value in all_of if value is not None)
        told.append(f"{name} {_quantile(seen, 50)}/{_quantile(seen, 99)} s" if seen else f"{name} never")
    return f"{len(some)} paid, {', '.join(told)} (p50/p99)"


def _quantile(values: Sequence[float], percent: int) -> float:
    return values[max(0, ceil(len(values) * percent / 100) - 1)]

"""Commands through hail: a real poster and a real agent, and between them a line that loses, doubles, delays,
overtakes and damages. Domain time is the only time there is, so ten minutes of delay cost nothing and a seed
says everything."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fairwatt.edge import agent as agent_module
from fairwatt.edge.agent import Agent
from fairwatt.edge.config import BrokerConfig, BusConfig, EdgeConfig, MeterConfig
from fairwatt.edge.link import Link
from fairwatt.simulate.meters import Dlt645Bus, SimMeter
from fairwatt.wire.frames import command_frames, encode_ack
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import FLAT, NOON_US, Street

SECOND_US: Final = 1_000_000
STEP_US: Final = 60 * SECOND_US
POLL_STEPS: Final = 15
PAY_STEPS: Final = 10
"""minutes between the times at which a sixth of the street pays"""
GRANT_STEPS: Final = 25
"""minutes within which every home is given a fresh grant, paid or not; a frame is under way for ten at most"""
RESEND_STEPS: Final = 3
PASSWORD: Final = "02123456"
USE_WH: Final = (0, 60)
"""least and most that a home uses in a minute"""
TARIFF: Final = FLAT


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Chances in a thousand for each frame; `delay_us` at most, drawn evenly, so that frames overtake each other."""

    lose: int = 300
    double: int = 200
    damage: int = 10
    delay_us: int = 600 * SECOND_US


CLEAR: Final = Weather(lose=0, double=0, damage=0, delay_us=0)


class Frame(NamedTuple):
    """A frame under way."""

    due_us: int
    number: int
    data: bytes


@dataclass
class Sky:
    """Both directions of the line."""

    draw: Random
    weather: Weather = field(default_factory=Weather)
    counts: Counter[str] = field(default_factory=Counter)
    _under_way: dict[str, list[Frame]] = field(default_factory=lambda: {"up": [], "down": []})

    def send(self, way: str, data: bytes, *, now_us: int) -> None:
        """Let a frame go; what comes of it is drawn."""
        self.counts["frames"] += 1
        copies = 1
        if self.draw.randrange(1000) < self.weather.lose:
            self.counts["lost"] += 1
            return
        if self.draw.randrange(1000) < self.weather.double:
            self.counts["doubled"] += 1
            copies = 2
        for _ in range(copies):
            some = data
            if self.draw.randrange(1000) < self.weather.damage:
                self.counts["damaged"] += 1
                bit = self.draw.randrange(8 * len(data))
                some = bytearray(data)
                some[bit // 8] ^= 1 << bit % 8
            due_us = now_us + self.draw.randint(0, self.weather.delay_us)
            self.counts["sent"] += 1
            heapq.heappush(self._under_way[way], Frame(due_us, self.counts["sent"], bytes(some)))

    def arrived(self, way: str, *, now_us: int) -> Iterator[bytes]:
        """What has come down by now, in the order of its arrival."""
        frames = self._under_way[way]
        newest = 0
        while frames and frames[0].due_us <= now_us:
            frame = heapq.heappop(frames)
            self.counts["overtaken"] += frame.number < newest
            newest = max(newest, frame.number)
            yield frame.data

    @property
    def under_way(self) -> int:
        """Frames that have not come down yet."""
        return sum(map(len, self._under_way.values()))


class DomainLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers run on domain time, moved by hand."""

    now_us = NOON_US

    def time(self) -> float:
        """Seconds of domain time."""
        return self.now_us / SECOND_US


class Behind(NamedTuple):
    """A gateway as it is known to the poster: its name, its key, and the numbers of its meters."""

    slug: str
    key: Ed25519PrivateKey
    meters: list[int]


class Gateway:
    """One agent with its meters, in a loop of its own; its line ends in the sky."""

    def __init__(
        self,
        *,
        desk: Desk,
        folder: Path,
        sky: Sky,
        behind: Behind | None = None,
        link_timeout_s: int = 86_400,
    ) -> None:
        street = desk.street
        self._sky = sky
        self._loop = DomainLoop()
        self._heard: asyncio.Queue[Any] = asyncio.Queue()
        self.behind = behind or Behind(street.gateway.slug, street.key, street.homes)
        self._link_timeout_s = link_timeout_s
        self.meters = [
            SimMeter(number=f"{n + 1:012d}", password=PASSWORD) for n in range(len(self.behind.meters))
        ]
        self._bus = Dlt645Bus(meters=self.meters, now=lambda: self._loop.now_us)
        self._loop.run_until_complete(self._bus.start())
        self.agent = Agent(config=self._config(desk, folder), now=lambda: self._loop.now_us)

    def _config(self, desk: Desk, folder: Path) -> EdgeConfig:
        street, mine = desk.street, self.behind
        meters = tuple(
            MeterConfig(number=number, address=meter.number, password=PASSWORD)
            for number, meter in zip(mine.meters, self.meters, strict=True)
        )
        line = BusConfig(name="line", host="127.0.0.1", port=self._bus.port, meters=meters)
        return EdgeConfig(
            book="b",
            site="s",
            gateway=mine.slug,
            zone="Asia/Shanghai",
            spool=folder / f"{mine.slug}.db",
            broker=BrokerConfig(host="127.0.0.1", port=1, password="-", resend_s=180.0),
            buses=(line,),
            key=mine.key,
            kid=mine.slug.encode(),
            issuers={b"issuer": street.issuer.public_key()},
            link_timeout_s=self._link_timeout_s,
        )

    def start(self) -> None:
        """Switch it on."""
        gateway = self

        class SkyLink(Link):
            def _client(self) -> Any:
                return _SkyClient(gateway)

        real, agent_module.Link = agent_module.Link, SkyLink  # type: ignore[misc]
        try:
            self._loop.run_until_complete(self.agent.start())
        finally:
            agent_module.Link = real  # type: ignore[misc]

    def publish(self, data: bytes) -> None:
        """A frame leaves."""
        self._sky.send("up", data, now_us=self._loop.now_us)

    def listen(self) -> AsyncIterator[Any]:
        """Frames that came down."""

        async def messages() -> AsyncIterator[Any]:
            while True:
                yield await self._heard.get()

        return messages()

    def step(self, *, now_us: int, poll: bool) -> None:
        """Be at this instant: hear what has come down, obey it, read the meters, speak."""
        self._loop.now_us = now_us
        for data in self._sky.arrived("down", now_us=now_us):
            self._heard.put_nowait(_Message(data))
        self._loop.run_until_complete(self._live(now_us, poll))

    async def _live(self, now_us: int, poll: bool) -> None:
        await self._calm()
        if poll:
            await self.agent.poll_once(now_us)
            await self._calm()

    async def _calm(self) -> None:
        """Turn the loop until nothing is heard, obeyed or said any more."""
        quiet = 0
        while quiet < 12:
            busy = not self._heard.empty() or self.agent._orders.under_way
            quiet = 0 if busy else quiet + 1
            await asyncio.sleep(0)

    def stop(self) -> None:
        """Switch it off."""
        self._loop.run_until_complete(self.agent.stop())
        self._loop.run_until_complete(self._bus.stop())
        self._loop.close()


class _Message(NamedTuple):
    payload: bytes


class _SkyClient:
    """What the link needs of an MQTT client."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.messages = gateway.listen()

    async def __aenter__(self) -> _SkyClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def subscribe(self, topic: str, *, qos: int) -> list[int]:
        return [qos]

    async def publish(self, topic: str, payload: bytes, *, qos: int) -> None:
        self._gateway.publish(payload)


@contextmanager
def a_gateway(*, desk: Desk, folder: Path, sky: Sky) -> Iterator[Gateway]:
    """A gateway that is on, and off afterwards."""
    gateway = Gateway(desk=desk, folder=folder, sky=sky)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


@dataclass
class Hail:
    """The whole: people pay and use, the poster orders, the agent obeys."""

    desk: Desk
    gateway: Gateway
    sky: Sky
    draw: Random
    paid: Counter[int] = field(default_factory=Counter)
    seen: set[tuple[int, int]] = field(default_factory=set)
    """(register, number) of every order that was ever open"""
    now_us: int = NOON_US
    steps: int = 0

    def run(self, *, commands: int, progress: Callable[[int], None]) -> None:
        """Go on until so many commands were given, then let the sky clear and everything come to rest."""
        while len(self.seen) < commands:
            self.step(paying=True)
            progress(len(self.seen))
        self.sky.weather = CLEAR
        for _ in range(40):
            self.step(paying=False)
            if not self.desk.state.orders and not self.sky.under_way and self.gateway.agent.drained():
                break

    def step(self, *, paying: bool) -> None:
        """One minute."""
        self.now_us += STEP_US
        self.steps += 1
        if self.steps == 1:
            # Not all at once go dark: beyond twenty cuts an hour the poster asks somebody, and nobody is here.
            self._pay(homes=self.desk.street.homes, minor=(20, 900))
        elif paying and self.steps % PAY_STEPS == 1:
            homes = self.desk.street.homes
            some = self.draw.sample(homes, max(1, len(homes) * PAY_STEPS // 60))
            self._pay(homes=some, minor=(10, 60))
        slug = self.desk.street.gateway.slug
        frames = [(slug, data) for data in self.sky.arrived("up", now_us=self.now_us)]
        # Most commands are grants, as in life; each costs the poster and the gateway what any other does.
        turn = self.desk.street.wallets[self.steps % GRANT_STEPS :: GRANT_STEPS] if paying else []
        self._post(frames, turn)
        for meter in self.gateway.meters if paying else ():
            meter.add_energy(self.draw.randint(*USE_WH))
        self.gateway.step(now_us=self.now_us, poll=self.steps % POLL_STEPS == 0)

    def _pay(self, *, homes: list[int], minor: tuple[int, int]) -> None:
        with as_role("web"):
            for home in homes:
                amount_minor = self.draw.randint(*minor)
                self.desk.street.pay(home=home, amount_minor=amount_minor, now_us=self.now_us)
                self.paid[home] += amount_minor * 10_000

    def _post(self, frames: list[tuple[str, bytes]], regrant: list[int]) -> None:
        result = self.desk.post(*frames, now_us=self.now_us, regrant=regrant)
        for messages in result.send.values():
            self._say(messages)
        for gateway, epoch, seq in result.acks:
            self.sky.send(
                "down",
                encode_ack(epoch=epoch, seq=seq, now_us=self.now_us, answers=result.answered.get(gateway)),
                now_us=self.now_us,
            )
        orders = self.desk.state.orders
        self.seen |= {(n, order.seq) for n, order in orders.items()}
        if self.steps % RESEND_STEPS == 0:
            self._say([order.payload for order in orders.values() if order.state != "accepted"])

    def _say(self, messages: list[bytes]) -> None:
        for frame in command_frames(messages):
            self.sky.send("down", frame, now_us=self.now_us)


def judge(hail: Hail) -> dict[str, int]:
    """Figures of a hail that is over; raises AssertionError where a command was lost, doubled or misheard."""
    desk, agent = hail.desk, hail.gateway.agent
    orders = desk.orders()
    states = Counter(order.state for order in orders)
    assert set(states) <= {"proven", "superseded"}, f"orders came to {dict(states)}"
    assert set(desk.quarantine()) <= {"damaged"}, set(desk.quarantine())
    # So many cuts an hour make the poster ask somebody; nobody answers here, and the homes keep their power.
    assert {event.kind for event in desk.events("alarm.")} <= {"alarm.mass_cut"}
    newest = {order.meter: order for order in orders}
    lines = desk.lines()
    balances = {line.wallet: line.balance_micro for line in lines}
    for home, meter in zip(desk.street.homes, hail.gateway.meters, strict=True):
        stored = agent.spool.command(meter=home)
        assert stored is not None, f"meter {home} never heard a command"
        assert (stored.seq, stored.message) == (newest[home].seq, bytes(newest[home].payload))
        wallet = agent.guard.wallet_of(meter=home)
        assert wallet is not None, f"meter {home} has no grant"
        counted = agent.guard.available_micro(wallet=wallet)
        assert counted == balances[wallet], f"meter {home}: edge {counted}, cloud {balances[wallet]}"
        mine = [order for order in orders if order.meter == home]
        # A relay moves for an order, and once for each: LEAVE (2) touches nothing.
        ordered = [bool(order.relay) for order in mine if order.relay != 2 and order.state != "superseded"]
        moves = [move.closed for move in meter.moves]
        assert len(moves) <= sum(order.relay != 2 for order in mine), "a relay moved twice for one order"
        assert all(a != b for a, b in pairwise(moves)), "a relay moved to where it was"
        assert not ordered or not moves or moves[-1] == ordered[-1]
    credited = sum(line.amount_micro for line in lines if line.kind == 2)
    assert credited == sum(hail.paid.values()), "money paid is not money credited"
    check_laws(desk.street.book, acked=desk.acked)
    return {
        "commands": len(orders),
        "proven": states["proven"],
        "superseded": states["superseded"],
        "lost": 0,
        "doubled": 0,
        "relay_moves": sum(len(meter.moves) for meter in hail.gateway.meters),
        "payments_micro": credited,
        "hours": hail.steps * STEP_US // 3_600_000_000,
        **{f"frames_{name}": count for name, count in sorted(hail.sky.counts.items())},
    }


def hailed(
    *,
    folder: Path,
    seed: int,
    homes: int,
    commands: int,
    progress: Callable[[int], None] = lambda given: None,
) -> dict[str, int]:
    """Make a street, let it hail, judge it."""
    with opened_desk(Street(tariff=TARIFF)) as desk:
        with as_role("web"):
            for _ in range(homes):
                desk.street.open_home()
        desk.open(now_us=desk.street.opened_us)
        sky = Sky(draw=Random(f"{seed}/sky"))
        with a_gateway(desk=desk, folder=folder, sky=sky) as gateway:
            hail = Hail(desk=desk, gateway=gateway, sky=sky, draw=Random(f"{seed}/people"))
            hail.run(commands=commands, progress=progress)
            return judge(hail)

"""A gateway on a bench: virtual meters on a real TCP line, a real broker, a head-end that stores and acks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.client import Client as NatsClient

from edge.broker import Broker
from fairwatt.core.credit.policy import CreditPolicy, policy_to_obj
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.rating.tariff_obj import schedule_to_obj
from fairwatt.edge.agent import Agent
from fairwatt.edge.config import BrokerConfig, BusConfig, EdgeConfig, ListenConfig, MeterConfig
from fairwatt.simulate.meters import Dlt645Bus, SimMeter
from fairwatt.wire import commands, frames, topics
from fairwatt.wire.commands import Command, Grant, GrantState, Receipt, SetSupply
from fairwatt.wire.frames import Event, Item, Kind, UpFrame
from fairwatt.wire.records import Reading, unpack_readings

MINUTE_US = 60_000_000
START_US = 1_370_056_800_000_000  # 2013-06-01 11:20 in Shanghai, a Saturday
ISSUER = Ed25519PrivateKey.from_private_bytes(b"i" * 32)
GATEWAY_KEY = Ed25519PrivateKey.from_private_bytes(b"g" * 32)
PASSWORD = "02123456"
FLAT = """
fairwatt_tariff: 1
name: flat
currency: CNY
zone: Asia/Shanghai
versions:
  - effective: 2012-07-01
    elements:
      - energy: {price: "0.500000"}
"""
SCHEDULE_OBJ = schedule_to_obj(parse_schedule(FLAT))


def policy_obj(**changes: Any) -> list[object]:
    """A policy without friendly hours: one minute between warning and cut."""
    settings: dict[str, Any] = {
        "zone": "Asia/Shanghai",
        "low_micro": 5_000_000,
        "low_wh": 0,
        "critical_micro": 1_000_000,
        "friendly": (),
        "friendly_weekends": False,
        "warn_lead_us": MINUTE_US,
        "stale_after_us": 24 * 60 * MINUTE_US,
    }
    return policy_to_obj(CreditPolicy(**(settings | changes)))


def a_grant(*, register_wh: int, available_micro: int, at_us: int = START_US, **changes: Any) -> Grant:
    """A grant on the flat tariff: 0.50 per kWh."""
    grant = Grant(
        wallet=1,
        as_of_us=at_us,
        available_micro=available_micro,
        state=GrantState(at_us, register_wh, 0, 0, 0, 0),
        schedule_obj=SCHEDULE_OBJ,
        policy_obj=policy_obj(),
        protected=False,
        feeds_gateway=False,
        warned_at_us=None,
    )
    return grant._replace(**changes)


def a_command(
    *,
    meter: int,
    seq: int,
    relay: int,
    grant: Grant | None = None,
    reason: str = "test",
    key: Ed25519PrivateKey = ISSUER,
    kid: bytes = b"\x01",
    **changes: Any,
) -> bytes:
    """A signed order for one meter."""
    command = Command(
        meter=meter,
        kind=commands.SET_SUPPLY,
        seq=seq,
        issued_us=START_US,
        expires_us=START_US + 24 * 60 * MINUTE_US,
        amount_micro=0,
        order=seq.to_bytes(8, "big"),
        body=SetSupply(relay, reason, grant),
    )
    return commands.sign_command(command=command._replace(**changes), key=key, kid=kid)


class Time:
    """Domain time, moved by hand."""

    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us

    def forward(self, minutes: int = 1) -> int:
        self.now_us += minutes * MINUTE_US
        return self.now_us


@dataclass
class Headend:
    """Stores every frame and acknowledges what is stored; can be told to stay silent."""

    link: NatsClient
    time: Time
    frames: list[UpFrame] = field(default_factory=list)
    stored: dict[tuple[int, int], Item] = field(default_factory=dict)
    upto: dict[int, int] = field(default_factory=dict)
    silent: bool = False
    swallow: Callable[[UpFrame], bool] = lambda frame: False

    async def listen(self) -> None:
        await self.link.subscribe("fw.v1.b1.s1.*.up", cb=self._take)
        await self.link.flush()

    async def _take(self, message: Any) -> None:
        frame = frames.decode_up(message.data)
        if self.swallow(frame):
            return
        self.frames.append(frame)
        for item in frame.items:
            self.stored.setdefault((frame.epoch, item.seq), item)
        if not self.silent:
            upto = frames.stored_up_to(stored_seq=self.upto.get(frame.epoch, 0), frame=frame)
            self.upto[frame.epoch] = upto
            answers = frames.Sent(frame.boot_id, frame.uptime_ms)
            ack = frames.encode_ack(epoch=frame.epoch, seq=upto, now_us=self.time(), answers=answers)
            await self.say(ack)

    async def say(self, data: bytes) -> None:
        await self.link.publish(topics.down_subject(book="b1", site="s1", gateway="gw1"), data)
        await self.link.flush()

    async def say_again(self, *, after_seq: int) -> None:
        await self.say(frames.encode_say_again(epoch=max(self.upto), after_seq=after_seq))

    async def order(self, *messages: bytes) -> None:
        await self.say(frames.encode_commands(messages))

    def bodies(self, kind: Kind) -> list[bytes]:
        return [item.body for _, item in sorted(self.stored.items()) if item.kind == kind]

    def readings(self) -> list[Reading]:
        return [reading for body in self.bodies(Kind.READINGS) for reading in unpack_readings(body)]

    def events(self) -> list[Event]:
        return [frames.decode_event(body) for body in self.bodies(Kind.EVENT)]

    def codes(self) -> list[str]:
        return [event.code for event in self.events()]

    def receipts(self) -> list[Receipt]:
        keys = {b"\x02": GATEWAY_KEY.public_key()}
        return [commands.verify_receipt(message=body, keys=keys) for body in self.bodies(Kind.RECEIPT)]


def a_config(*, folder: Path, mqtt_port: int, bus_port: int, meters: int, **changes: Any) -> EdgeConfig:
    settings: dict[str, Any] = {
        "book": "b1",
        "site": "s1",
        "gateway": "gw1",
        "zone": "Asia/Shanghai",
        "spool": folder / "spool.db",
        "broker": BrokerConfig(
            host="127.0.0.1",
            port=mqtt_port,
            password="one",
            resend_s=0.3,
            reconnect_min_s=0.05,
            reconnect_max_s=0.2,
            return_spread_s=0.0,
        ),
        "buses": (
            BusConfig(
                name="line",
                host="127.0.0.1",
                port=bus_port,
                reply_within_ms=50,
                attempts=4,
                meters=tuple(
                    MeterConfig(number=100 + n, address=address(n), password=PASSWORD) for n in range(meters)
                ),
            ),
        ),
        "key": GATEWAY_KEY,
        "kid": b"\x02",
        "issuers": {b"\x01": ISSUER.public_key()},
        "link_timeout_s": 120,
    }
    return EdgeConfig(**(settings | changes))


def address(n: int) -> str:
    return f"{n + 1:012d}"


@dataclass
class Bench:
    """Everything on the table."""

    time: Time
    bus: Dlt645Bus
    sims: list[SimMeter]
    agent: Agent
    headend: Headend
    broker: Broker

    async def tick(self, minutes: int = 1, *, drained: bool = True) -> int:
        at_us = self.time.forward(minutes)
        await self.agent.poll_once(at_us)
        if drained:
            assert await self.agent.wait_drained(5.0), "not drained within 5 s"
        return at_us

    async def obeyed(self, *messages: bytes) -> None:
        """Send commands and wait until their receipts are stored."""
        before = len(self.headend.bodies(Kind.RECEIPT))
        await self.headend.order(*messages)
        await eventually(lambda: len(self.headend.bodies(Kind.RECEIPT)) >= before + len(messages))
        assert await self.agent.wait_drained(5.0)

    async def restart(self, *, online: bool = True) -> None:
        """Stop the agent and start another one on the same memory."""
        await self.agent.stop()
        await self.restart_stopped(online=online)

    async def restart_stopped(self, *, online: bool = True) -> None:
        """Start another agent where one has been stopped."""
        self.agent = Agent(config=self.agent.config, now=self.time)
        await self.agent.start()
        assert not online or await self.agent.wait_connected(5.0)


@asynccontextmanager
async def a_bench(
    folder: Path,
    *,
    meters: int = 2,
    listens_at: Callable[[int], tuple[ListenConfig, ...]] = lambda port: (),
    **changes: Any,
) -> AsyncIterator[Bench]:
    time = Time()
    sims = [SimMeter(number=address(n), register_wh=10_000 * (n + 1)) for n in range(meters)]
    with Broker(folder) as broker:
        async with Dlt645Bus(meters=sims, now=time) as bus:
            link = await nats.connect(
                f"nats://127.0.0.1:{broker.nats_port}", user="backend", password="back", connect_timeout=5
            )
            headend = Headend(link, time)
            await headend.listen()
            config = a_config(
                folder=folder,
                mqtt_port=broker.mqtt_port,
                bus_port=bus.port,
                meters=meters,
                listens=listens_at(broker.mqtt_port),
                **changes,
            )
            bench = Bench(time, bus, sims, Agent(config=config, now=time), headend, broker)
            await bench.agent.start()
            try:
                assert await bench.agent.wait_connected(5.0), "not connected within 5 s"
                yield bench
            finally:
                await bench.agent.stop()
                await link.close()


async def eventually(true: Callable[[], bool], *, within_s: float = 5.0) -> None:
    """Wait until something is true; fail when it does not come true in time."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run one asynchronous test to its end."""
    asyncio.run(test)

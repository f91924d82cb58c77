"""A gateway that never had a line: a phone carries credit in and readings out, and the bill equals the registers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fairwatt.core.refusal import Refusal
from fairwatt.edge.agent import Agent
from fairwatt.edge.config import BrokerConfig, BusConfig, EdgeConfig, MeterConfig
from fairwatt.edge.local import bag as bags
from fairwatt.edge.local.settings import Door, LocalConfig
from fairwatt.edge.local.visitor import Loaded, Pass, Visitor
from fairwatt.server.launcher.services import Services
from fairwatt.simulate.meters import Dlt645Bus, SimMeter
from fairwatt.wire.courier import FromGateway, ToGateway
from fairwatt.wire.permits import ALL, Permit, sign_permit
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import FLAT, HOUR_US, NOON_US, Street

MINUTE_US = 60_000_000
HOLDER = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
START_US = NOON_US + MINUTE_US


class Clock:
    now_us = START_US

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    with opened_desk(Street(tariff=FLAT)) as opened:
        yield opened
        check_laws(opened.street.book, acked=opened.acked)


@asynccontextmanager
async def gateway(desk: Desk, sim: SimMeter, clock: Clock, folder: Path) -> AsyncIterator[Agent]:
    """The street's gateway with no broker to be found, one meter on its bus, and its local door open."""
    street, meter = desk.street, int(sim.number)
    async with Dlt645Bus(meters=[sim], now=clock) as bus:
        config = EdgeConfig(
            book=str(street.book),
            site=street.site.slug,
            gateway=street.gateway.slug,
            zone="Asia/Shanghai",  # as its virtual meters keep it
            spool=folder / "spool.db",
            broker=BrokerConfig(host="127.0.0.1", port=9, password="none"),
            buses=(
                BusConfig(
                    name="line",
                    host="127.0.0.1",
                    port=bus.port,
                    meters=(MeterConfig(number=meter, address=f"{meter:012d}", password="02123456"),),
                ),
            ),
            key=street.key,
            kid=street.gateway.slug.encode(),
            issuers={b"issuer": street.issuer.public_key()},
            local=LocalConfig(tcp=Door(host="127.0.0.1", port=0)),
        )
        agent = Agent(config=config, now=clock)
        await agent.start()
        try:
            yield agent
        finally:
            await agent.stop()


@asynccontextmanager
async def visit(desk: Desk, agent: Agent) -> AsyncIterator[Visitor]:
    street = desk.street
    permit = Permit(
        serial=b"s" * 16,
        holder="Lin",
        holder_key=HOLDER.public_key().public_bytes_raw(),
        book=str(street.book),
        site=street.site.slug,
        gateways=((street.gateway.slug, street.key.public_key().public_bytes_raw()),),
        meters=(),
        rights=ALL,
        hours_max=24,
        from_us=NOON_US,
        until_us=NOON_US + 100 * HOUR_US,
    )
    holds = Pass(sign_permit(permit=permit, key=street.issuer, kid=b"issuer"), HOLDER)
    assert agent.local is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", agent.local.doors["tcp"])
    try:
        yield await Visitor.enter(reader=reader, writer=writer, holds=holds)
    finally:
        writer.close()


def brought_home(desk: Desk, bag: FromGateway, *, now_us: int) -> Any:
    """What `fairwatt courier bring` does, with the poster at hand instead of a log between."""
    from fairwatt.flows.couriers import is_stored, look_through

    with as_role("poster"):
        brought = look_through(bag=bag)
    desk.post(*[(brought.gateway.slug, frame) for frame in brought.frames], now_us=now_us)
    with as_role("poster"):
        assert is_stored(brought=brought)
    return brought


def taken_along(desk: Desk, *, now_us: int) -> Any:
    from fairwatt.flows.couriers import pack_bag

    with as_role("poster"):
        return pack_bag(
            gateway=desk.street.gateway.slug, key=desk.street.issuer, kid=b"issuer", now_us=now_us
        )


def test_a_phone_carries_credit_in_and_readings_out(desk: Desk, tmp_path: Path) -> None:
    meter, clock = desk.home(), Clock()
    sim = SimMeter(number=f"{meter:012d}", register_wh=0)

    async def live(inward: ToGateway | None, minutes: list[int]) -> tuple[FromGateway, Loaded | None]:
        """One visit: carry in what there is, let time pass with use, carry out what waits."""
        async with gateway(desk, sim, clock, tmp_path) as agent, visit(desk, agent) as visitor:
            loaded = None if inward is None else await visitor.load(inward)
            for step in minutes:
                clock.now_us += step * MINUTE_US
                if sim.relay_closed:
                    sim.add_energy(100)
                await agent.poll_once(clock.now_us)
            first, again = await visitor.unload(), await visitor.unload()
            assert len(first.frames) == len(again.frames) > 0, (
                "the gateway keeps its copy, and gives it again"
            )
            return first, loaded

    def home_and_back(inward: ToGateway | None, minutes: list[int]) -> Loaded | None:
        bag, loaded = asyncio.run(live(inward, minutes))
        clock.now_us += MINUTE_US
        brought = brought_home(desk, bag, now_us=clock.now_us)
        assert brought.missing == ()
        lines = len(desk.lines())
        desk.post(*[(brought.gateway.slug, frame) for frame in brought.frames], now_us=clock.now_us)
        assert len(desk.lines()) == lines, "brought twice is brought once"
        return loaded

    home_and_back(None, [30, 30])
    assert desk.balance(meter) < 0
    grant = taken_along(desk, now_us=clock.now_us)
    loaded = home_and_back(grant, [10, 30, 40])
    assert loaded is not None
    assert loaded.forgotten > 0, "the acknowledgement carried in ends what was stored"
    assert not sim.relay_closed, "alone with an empty grant, the guard warned and cut"
    desk.pay(meter, 10_000, now_us=clock.now_us)
    desk.post(now_us=clock.now_us)
    credit = taken_along(desk, now_us=clock.now_us)
    loaded = home_and_back(credit, [10, 30])
    assert loaded is not None
    assert (loaded.refused, sim.relay_closed) == (0, True), "the top-up closed the relay"
    states = {(order.relay, order.state) for order in desk.orders()}
    assert (1, "proven") in states, "its receipt and its proof came home"
    newest = max(desk.lines(), key=lambda line: (line.register_wh, line.seq))
    assert newest.register_wh == sim.register_wh, "the bill reaches the register"


def test_wishes_are_carried_in_and_proven_by_what_is_brought_home(desk: Desk, tmp_path: Path) -> None:
    from flows.test_pushes import advance, start, states

    meter, clock = desk.home(), Clock()
    sim = SimMeter(number=f"{meter:012d}", register_wh=0)
    push = start(desk, "configure", {"interval_s": 30})
    advance(desk)
    bag = taken_along(desk, now_us=clock.now_us)

    async def carry() -> FromGateway:
        async with gateway(desk, sim, clock, tmp_path) as agent, visit(desk, agent) as visitor:
            await agent.poll_once(clock.now_us)
            loaded = await visitor.load(bag)
            assert (loaded.refused, agent.config.interval_s) == (0, 30)
            return await visitor.unload()

    brought_home(desk, asyncio.run(carry()), now_us=clock.now_us)
    advance(desk)
    assert states(desk, push)[1] == {"proven": 1}


def test_a_bent_bag_is_refused_and_a_short_one_says_what_it_lacks(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter, clock = desk.home(), Clock()
    sim = SimMeter(number=f"{meter:012d}", register_wh=0)
    monkeypatch.setattr(bags, "FRAME_BYTES", 100)

    async def day() -> FromGateway:
        async with gateway(desk, sim, clock, tmp_path) as agent:
            for _ in range(6):
                clock.now_us += HOUR_US
                await agent.poll_once(clock.now_us)
            async with visit(desk, agent) as visitor:
                return await visitor.unload()

    bag = asyncio.run(day())
    assert len(bag.frames) > 2
    bent = bytearray(bag.frames[1])
    bent[len(bent) // 2] ^= 1
    with pytest.raises(Refusal, match="not as it was signed"):
        brought_home(desk, bag._replace(frames=(bag.frames[0], bytes(bent))), now_us=clock.now_us)
    clock.now_us += HOUR_US
    short = brought_home(desk, bag._replace(frames=(bag.frames[0], *bag.frames[2:])), now_us=clock.now_us)
    assert short.missing
    before = len(desk.lines())
    assert brought_home(desk, bag, now_us=clock.now_us).missing == ()
    assert len(desk.lines()) > before, "what was missing came with the whole bag"

"""A real agent, a real broker and the real poster: what cloud and gateway come to, whatever befell the gateway."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats
import pytest

from edge.broker import Broker
from edge.rig import PASSWORD, Time, a_config, address, eventually
from fairwatt.core.commands.restore_code import gateway_key
from fairwatt.core.refusal import Refusal
from fairwatt.edge.agent import Agent
from fairwatt.edge.config import MeterConfig
from fairwatt.edge.local.settings import LocalConfig
from fairwatt.server.launcher.services import Services
from fairwatt.simulate.meters import Dlt645Bus, SimMeter
from fairwatt.wire import frames, topics
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import CODE_MASTER, FLAT, NOON_US, Street

OPENING_WH = 10_000
MINUTES = 10


class Plant:
    """One home, its gateway, and the poster behind a broker."""

    def __init__(self, desk: Desk, folder: Path, broker: Broker, link: Any) -> None:
        self.desk, self.folder, self.broker, self.link = desk, folder, broker, link
        self.meter = desk.home(opening_wh=OPENING_WH)
        self.sim = SimMeter(number=address(0), register_wh=OPENING_WH, zone="Europe/London")
        self.time = Time()
        self.time.now_us = NOON_US
        self.agent: Agent

    async def listen(self) -> None:
        await self.link.subscribe("fw.v1.b1.s1.gw1.up", cb=self._take)
        await self.link.flush()

    async def _take(self, message: Any) -> None:
        await self.carry((self.desk.street.gateway.slug, message.data))

    async def carry(self, *posted: tuple[str, bytes]) -> None:
        """Post, and send what came of it: orders first, then the acknowledgements."""
        result = self.desk.post(*posted, now_us=self.time())
        down = topics.down_subject(book="b1", site="s1", gateway="gw1")
        for messages in result.send.values():
            await self.link.publish(down, frames.encode_commands(messages))
        for gateway, epoch, seq in result.acks:
            sent = result.answered.get(gateway)
            ack = frames.encode_ack(epoch=epoch, seq=seq, now_us=self.time(), answers=sent)
            await self.link.publish(down, ack)
        await self.link.flush()

    async def start(self, *, bus_port: int, online: bool = True) -> None:
        street = self.desk.street
        meter = MeterConfig(number=self.meter, address=address(0), password=PASSWORD)
        config = a_config(
            folder=self.folder,
            mqtt_port=self.broker.mqtt_port,
            bus_port=bus_port,
            meters=1,
            zone="Europe/London",
            key=street.key,
            kid=street.gateway.slug.encode(),
            issuers={b"issuer": street.issuer.public_key()},
            local=LocalConfig(code_key=gateway_key(master=CODE_MASTER, gateway=street.gateway.slug)),
        )
        (bus,) = config.buses
        self.agent = Agent(config=replace(config, buses=(replace(bus, meters=(meter,)),)), now=self.time)
        await self.agent.start()
        assert not online or await self.agent.wait_connected(5.0)

    async def tick(self, *, wh: int = 100, online: bool = True) -> None:
        self.sim.add_energy(wh)
        self.time.forward(MINUTES)
        await self.agent.poll_once(self.time())
        if online:
            await self.settled()

    async def settled(self) -> None:
        assert await self.agent.wait_drained(10.0)
        await asyncio.sleep(0.05)
        assert await self.agent.wait_drained(10.0)

    async def online_again(self) -> None:
        self.broker.start()
        await eventually(lambda: self.link.is_connected, within_s=10)
        assert await self.agent.wait_connected(10.0)
        await self.settled()
        await self.tick()

    def owed_micro(self) -> int:
        """What the register says was used, at 0.20 a kWh."""
        return (self.sim.register_wh - OPENING_WH) * 200


@pytest.fixture
def desk(house: Services, monkeypatch: pytest.MonkeyPatch) -> Any:
    # The poster's flow is called from the loop's own thread, one batch after the other.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    street = Street(tariff=FLAT)
    with opened_desk(street) as opened:
        yield opened
        check_laws(street.book, acked=opened.acked)


def test_a_gateway_put_back_in_time_costs_nobody_a_watt_hour_and_cuts_nobody(
    desk: Desk, tmp_path: Path
) -> None:
    async def story(plant: Plant, bus: Dlt645Bus) -> None:
        await plant.start(bus_port=bus.port)
        desk.pay(plant.meter, 1_000, now_us=plant.time())
        await plant.carry()
        for _ in range(3):
            await plant.tick()
        assert plant.agent.guard.available_micro(wallet=desk.street.wallets[0]) == desk.balance(plant.meter)
        await plant.agent.stop()
        copy = tmp_path / "copy"
        copy.mkdir()
        for file in tmp_path.glob("spool.db*"):
            shutil.copy(file, copy)
        await plant.start(bus_port=bus.port)
        desk.pay(plant.meter, 5_000, now_us=plant.time())
        await plant.carry()
        for _ in range(3):
            await plant.tick(wh=2_000)
        await plant.agent.stop()
        plant.broker.stop()
        for file in tmp_path.glob("spool.db*"):
            file.unlink()
        for file in copy.iterdir():
            shutil.copy(file, tmp_path)
        await plant.start(bus_port=bus.port, online=False)
        for _ in range(12):
            await plant.tick(wh=2_500, online=False)
        await plant.online_again()
        wallet = desk.street.wallets[0]
        assert [event.kind for event in desk.events("alarm.gateway_rolled_back")] != []
        assert not plant.agent.guard.is_doubted(meter=plant.meter), "a fresh grant came"
        assert desk.balance(plant.meter) == 60_000_000 - plant.owed_micro(), (
            "every watt-hour once, every top-up once"
        )
        assert plant.agent.guard.available_micro(wallet=wallet) == desk.balance(plant.meter)

    played(story, desk, tmp_path)


def a_token(desk: Desk, meter: int, receipt: int, *, user: int, at_us: int) -> str:
    from fairwatt.flows.carry_payment import ask_token, show_token
    from fairwatt.store.models import Installation

    book = desk.street.book
    installation = Installation.objects.get(
        meter__gateway__site__book=book, meter__number=meter, closed_us=None
    )
    with as_role("web"):
        fact = ask_token(
            book_id=book,
            installation_id=installation.pk,
            receipt=receipt,
            user_id=user,
            now_us=at_us,
            entropy=os.urandom(10),
        )
    desk.post(now_us=at_us)
    found = desk.fact(fact)
    if found.state == "refused":
        return str(found.result["code"])
    with as_role("web"):
        digits = show_token(book_id=book, fact_id=fact, user_id=user, now_us=at_us)
        with pytest.raises(Refusal, match="shown already"):
            show_token(book_id=book, fact_id=fact, user_id=user, now_us=at_us)
    return digits


def an_operator(desk: Desk) -> int:
    from fairwatt.store.models import User

    with as_role("migrate"):
        organisation = desk.street.site.book.organisation
        name = f"operator-{desk.street.book}"
        return User.objects.create_user(
            name, None, "a long word", organisation=organisation, role="operator"
        ).pk


def test_a_payment_carried_by_hand_gives_light_without_a_line_and_counts_once(
    desk: Desk, tmp_path: Path
) -> None:
    async def story(plant: Plant, bus: Dlt645Bus) -> None:
        operator, neighbour, wallet = an_operator(desk), desk.home(), desk.street.wallets[0]

        def token(meter: int, receipt: int) -> str:
            return a_token(desk, meter, receipt, user=operator, at_us=plant.time())

        async def typed(digits: str) -> str:
            return str((await plant.agent.local.enter(meter=plant.meter, text=digits)).outcome)

        await plant.start(bus_port=bus.port)
        desk.pay(plant.meter, 200, now_us=plant.time())
        await plant.carry()
        await plant.tick()
        assert token(plant.meter, 1) == "known_there"
        plant.broker.stop()
        for _ in range(40):
            await plant.tick(wh=1_500, online=False)
            if not plant.sim.relay_closed:
                break
        assert not plant.sim.relay_closed, "the home is dark"
        for meter in (plant.meter, neighbour):
            desk.pay(meter, 5_000, now_us=plant.time())
        desk.post(now_us=plant.time())
        with pytest.raises(Refusal, match="no receipt 3"):
            token(plant.meter, 3)
        digits = token(plant.meter, 2)
        assert token(plant.meter, 2) == digits, "lost and asked for again, it is the same one"
        assert await typed(token(neighbour, 3)) == "token_wrong"
        assert await typed(digits) == "token_accepted"
        assert plant.sim.relay_closed, "light, with no line"
        await plant.tick(wh=1_500, online=False)
        assert await typed(digits) == "token_used"
        await plant.online_again()
        assert [event.wallet for event in desk.events("gateway.token_taken")] == [wallet]
        assert desk.balance(plant.meter) == 52_000_000 - plant.owed_micro(), "one payment, once"
        assert plant.agent.guard.available_micro(wallet=wallet) == desk.balance(plant.meter)
        assert await typed(digits) == "token_used"
        assert plant.agent.guard.available_micro(wallet=wallet) == desk.balance(plant.meter)

    played(story, desk, tmp_path)


def played(story: Callable[[Plant, Dlt645Bus], Awaitable[None]], desk: Desk, tmp_path: Path) -> None:
    async def test() -> None:
        with Broker(tmp_path) as broker:
            url = f"nats://127.0.0.1:{broker.nats_port}"
            link = await nats.connect(
                url, user="backend", password="back", max_reconnect_attempts=-1, reconnect_time_wait=0.1
            )
            plant = Plant(desk, tmp_path, broker, link)
            async with Dlt645Bus(meters=[plant.sim], now=plant.time) as bus:
                await plant.listen()
                try:
                    await story(plant, bus)
                finally:
                    await plant.agent.stop()
                    await link.close()

    asyncio.run(test())

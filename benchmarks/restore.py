"""From a confirmed payment to light: callback bytes, fact, poster, signed order, MQTT, edge, meter, read back."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.door import head_end
from benchmarks.town import HOUR_US, POLICY, Town
from fairwatt.edge.agent import Agent
from fairwatt.edge.config import BrokerConfig, BusConfig, EdgeConfig, MeterConfig
from fairwatt.flows.posting.loading import load_book
from fairwatt.flows.receive_payment import receive_callback
from fairwatt.flows.start_top_up import start_top_up
from fairwatt.server.keys import ISSUER, issuer_kid, load_public_key
from fairwatt.server.launcher.nats import door_password
from fairwatt.server.launcher.services import Services
from fairwatt.server.wiring import database_role, poster_for
from fairwatt.simulate.meters import Dlt645Bus, SimMeter

PASSWORD: Final = "02123456"
DARK_POLICY: Final = replace(POLICY, friendly=(), warn_lead_us=0, stale_after_us=24 * HOUR_US)
"""Nothing withholds a cut, so that every home can be made dark first."""


@dataclass
class RestoreRun:
    """Seconds of wall time for each payment, from handing over the callback's bytes."""

    closed_s: list[float] = field(default_factory=list)
    """until the contacts of the meter closed"""
    proven_s: list[float] = field(default_factory=list)
    """until the reading that shows them closed was stored and acknowledged"""


def run_restore(
    *, services: Services, payments: int, progress: Callable[[str], None] = lambda what: None
) -> RestoreRun:
    """Cut `payments` homes for credit, then pay for each in turn and watch its relay."""
    opened_us = _now_us() - HOUR_US
    gateways = max(1, payments // 25)
    town = Town(
        config=services.config,
        gateways=gateways,
        meters_each=-(-payments // gateways),
        opened_us=opened_us,
        policy=DARK_POLICY,
        paid_in_minor=0,
    )
    town.build()
    with database_role("poster"):
        epoch = load_book(book=town.book, now_us=opened_us).epoch
    with head_end(services, book=town.book, epoch=epoch), tempfile.TemporaryDirectory() as spools:
        return asyncio.run(_run(town, _administrator(town), Path(spools), progress))


def _administrator(town: Town) -> int:
    """Somebody who may say that so many cuts in an hour are meant."""
    from fairwatt.store.models import Book, Role, User

    with database_role("migrate"):
        company = Book.objects.get(pk=town.book).organisation
        name = f"restore-{town.book}"
        return User.objects.create_user(name, None, "x", role=Role.ADMIN, organisation=company).pk


async def _run(town: Town, administrator: int, spools: Path, progress: Callable[[str], None]) -> RestoreRun:
    run = RestoreRun()
    async with AsyncExitStack() as open_things:
        meters: list[SimMeter] = []
        agents: list[Agent] = []
        for n, slug in enumerate(town.slugs):
            mine = [
                SimMeter(number=str(town.number(home)), zone="Europe/London", password=PASSWORD)
                for home in range(n * town.meters_each, (n + 1) * town.meters_each)
            ]
            bus = await open_things.enter_async_context(Dlt645Bus(meters=mine, now=_now_us))
            agent = Agent(config=_edge(town, slug, bus.port, mine, spools), now=_now_us)
            await agent.start()
            open_things.push_async_callback(agent.stop)
            meters += mine
            agents += [agent] * len(mine)
        progress("cutting every home for credit")
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as web:
            await _darken(meters, list(dict.fromkeys(agents)), web, partial(_allow, town, administrator))
            for home, (meter, agent) in enumerate(zip(meters, agents, strict=True)):
                pay = await loop.run_in_executor(web, _payment, town, home)
                light = asyncio.Event()
                meter.on_move = lambda closed, light=light: light.set() if closed else None  # type: ignore[misc]
                started = time.perf_counter()
                await loop.run_in_executor(web, pay)
                async with asyncio.timeout(30):
                    await light.wait()
                    run.closed_s.append(time.perf_counter() - started)
                    while not (agent.drained() and await loop.run_in_executor(web, _proven, town, home)):
                        await asyncio.sleep(0.002)
                run.proven_s.append(time.perf_counter() - started)
                progress(f"{home + 1} of {len(meters)} homes have light")
            await loop.run_in_executor(web, _hang_up)
    return run


async def _darken(
    meters: list[SimMeter], agents: list[Agent], web: Executor, allow: Callable[[], None]
) -> None:
    for agent in agents:
        if not await agent.wait_connected(10):
            raise RuntimeError("a gateway found no door within 10 s")
    for meter in meters:
        meter.add_energy(1000)
    at_us = _now_us()
    for agent in agents:
        await agent.poll_once(at_us)
    async with asyncio.timeout(120):
        while any(meter.relay_closed for meter in meters) or not all(agent.drained() for agent in agents):
            await asyncio.get_running_loop().run_in_executor(web, allow)
            await asyncio.sleep(0.2)


def _allow(town: Town, administrator: int) -> None:
    """Answer the poster, which asks before it cuts so many homes in one hour."""
    from django.db import connection, transaction

    from fairwatt.flows.answer_mass_cut import NothingAsked, answer_mass_cut, held_cuts
    from fairwatt.store import facts

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=town.book)
        held = held_cuts(book=town.book)
    if held is None:
        return
    with suppress(NothingAsked):  # answered in the moment before
        answer_mass_cut(
            book_id=town.book,
            since_us=held.since_us,
            allow=True,
            words="benchmark",
            user_id=administrator,
            now_us=_now_us(),
        )


def _payment(town: Town, home: int) -> Callable[[], object]:
    """Start a top-up as a resident would; return the provider's call that confirms it."""
    now_us = _now_us()
    started = start_top_up(
        wallet_id=town.wallets[home], amount_minor=10_00, provider="sandbox", user_id=None, now_us=now_us
    )
    headers, body = town.callback(our_ref=started.our_ref, amount_minor=10_00, now_us=now_us)
    provider = poster_for(town.config).providers["sandbox"]
    return lambda: receive_callback(provider=provider, headers=headers, body=body, now_us=_now_us())


def _proven(town: Town, home: int) -> bool:
    from django.db import connection, transaction

    from fairwatt.store import facts

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=town.book)
        cursor.execute(
            "SELECT 1 FROM event WHERE wallet = %s AND kind = 'supply.proven' AND reason = 'closed'",
            [town.wallets[home]],
        )
        return cursor.fetchone() is not None


def _edge(town: Town, slug: str, port: int, meters: list[SimMeter], spools: Path) -> EdgeConfig:
    issuer = load_public_key(town.config.keys, name=ISSUER)
    host, mqtt_port = town.config.mqtt_address()
    return EdgeConfig(
        book=str(town.book),
        site=town.site,
        gateway=slug,
        zone="Europe/London",
        spool=spools / f"{slug}.sqlite",
        broker=BrokerConfig(host=host, port=mqtt_port, password=door_password(town.config, gateway=slug)),
        buses=(
            BusConfig(
                name="line",
                host="127.0.0.1",
                port=port,
                meters=tuple(
                    MeterConfig(number=int(meter.number), address=meter.number, password=PASSWORD)
                    for meter in meters
                ),
            ),
        ),
        key=town.key,
        kid=slug.encode(),
        issuers={issuer_kid(issuer): issuer},
    )


def _now_us() -> int:
    return time.time_ns() // 1000


def _hang_up() -> None:
    from django.db import connections

    connections.close_all()

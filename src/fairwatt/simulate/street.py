"""A street in lock-step: meters, gateways, people and a bad network around the running product.

Domain time moves only when nothing is under way: spools acknowledged, orders taken, payments answered. So
a month runs in a minute or two, and latencies are wall time with domain time standing still.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from fairwatt.edge.agent import Agent
from fairwatt.server.keys import SANDBOX_PROVIDER, load_private_key
from fairwatt.server.wiring import database_role
from fairwatt.simulate.channels import Channels
from fairwatt.simulate.codes import type_codes
from fairwatt.simulate.estate import Door, Gate, Paid, edge_config, make_door, make_gate, provision_street
from fairwatt.simulate.eyes import Eyes, Happened
from fairwatt.simulate.foresight import Foresight
from fairwatt.simulate.households import beyond_credit, credit, join
from fairwatt.simulate.memory import keep_copy, put_copy_back
from fairwatt.simulate.movers import Movers
from fairwatt.simulate.network import FaultyLink
from fairwatt.simulate.oracle import Account, Tariff
from fairwatt.simulate.patience import persistent
from fairwatt.simulate.paysim import PaySim
from fairwatt.simulate.residents import Seen, decide
from fairwatt.simulate.rollbacks import copied_us, forgets, unlearns
from fairwatt.simulate.scenario import TICK_US, Outage, Scenario
from fairwatt.simulate.stack import Stack

if TYPE_CHECKING:
    from fairwatt.store.models import User

SETTLE_S = 90.0


class StreetStuck(RuntimeError):
    """The product did not come to rest within a tick: something is lost or looping."""


class Street:
    """Provision, open, run tick by tick. Everything that happened stays here for the verdict."""

    def __init__(self, *, stack: Stack, scenario: Scenario, progress: Callable[[int], None]) -> None:
        self.stack = stack
        self.scenario = scenario
        self.progress = progress
        self.tick = 0
        self.counts: Counter[str] = Counter()
        self.restore_s: list[float] = []
        self.return_s: list[float] = []
        """wall seconds from a line's return until every order that had waited for it was carried out"""
        self.surging: dict[Outage, int] = {}
        self.book = 0
        self.site = 0
        self.tariff = Tariff(text=scenario.terms.tariff_text)
        self.doors = [make_door(scenario=scenario, home=home, tariff=self.tariff) for home in scenario.cast()]
        join(scenario=scenario, doors=self.doors)
        for door in self.doors:
            door.meter.on_move = partial(self._moved, door)
        self.gates = [make_gate(index=n, doors=self.doors, now=self.now_us) for n in range(scenario.gateways)]
        self.movers = Movers(street=self)
        self.foresight = Foresight(street=self)
        self._web = ThreadPoolExecutor(max_workers=1, thread_name_prefix="web-role")
        self._waiting_dark: dict[int, tuple[Door, str]] = {}
        self.eyes: Eyes
        self.pay: PaySim
        self.channels: Channels | None = None
        """everybody's own way to pay, where time runs freely; without them people pay at the practice platform"""

    def now_us(self) -> int:
        """Domain time."""
        return self.stack.clock.now_us()

    # --- before the first tick --------------------------------------------------------------------------

    def provision(self, *, tenant: Callable[[str], User] | None = None) -> None:
        """Write the street into the product; see estate.provision_street."""
        with database_role("migrate"):
            self.book, self.site = provision_street(
                scenario=self.scenario, doors=self.doors, gates=self.gates, tenant=tenant
            )

    async def open(self) -> None:
        """Bring meters, lines, agents and the payment platform to life, ready to step."""
        config = self.stack.config
        self.eyes = Eyes(dsn=config.dsn(role="auditor"), book=self.book)
        self.pay = PaySim(
            key=load_private_key(config.keys, name=SANDBOX_PROVIDER),
            callback_url=f"{config.web_origin()}/pay/callback/sandbox",
            now_us=self.now_us,
            seed=self.scenario.seed,
            faults=self.scenario.pay_faults,
        )
        await self.pay.start(port=config.ports()["paysim"])
        for gate in self.gates:
            await gate.bus.start()
            gate.link = FaultyLink(
                name=gate.slug,
                target_port=config.mqtt_address()[1],
                seed=self.scenario.seed,
                faults=self.scenario.link_faults,
            )
            await gate.link.start()
            gate.agent = Agent(
                config=edge_config(config=config, book=self.book, zone=self.scenario.terms.zone, gate=gate),
                now=self.now_us,
            )
            await gate.agent.start()

    async def pay_openings(self) -> None:
        """Everybody pays something before the first day."""
        for door in self.doors:
            await self.top_up(door, door.home.opening_micro // 10_000)
        await self.settle()

    async def close(self) -> None:
        """Stop everything this street started."""
        if self.channels is not None:
            await self.channels.close()
        for gate in self.gates:
            if gate.agent is not None:
                await gate.agent.stop()
            if gate.link is not None:
                await gate.link.stop()
            await gate.bus.stop()
        await self.pay.stop()
        await self.eyes.close()
        self._web.shutdown()

    # --- the run ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """All ticks, and at the end every line healed and every payment told."""
        for tick in range(1, self.scenario.ticks + 1):
            await self.step(tick)
            self.progress(tick)
        for gate in self.gates:
            await self._heal(gate)
        self.pay.hold_nothing_back()
        await self.settle()

    async def step(self, tick: int) -> None:
        """One half hour: use, network, polling, rest, people, rest."""
        self.tick = tick
        now_us = self.scenario.at_us(tick)
        self._use(tick)
        self.stack.clock.set(domain_us=now_us)
        await self.lines(tick)
        killer = asyncio.create_task(self._kill(tick))
        await asyncio.gather(*(gate.agent.poll_once(now_us) for gate in self.gates if gate.agent))
        self.pay.poke()
        await killer
        await self.settle()
        if await self.people(tick):
            await self.settle()
        await type_codes(self, tick)

    def _use(self, tick: int) -> None:
        for door in self.doors:
            wh = door.home.series.wh[tick - 1]
            outage = self.gates[door.home.gateway].outage
            if outage is not None and self.surging.get(outage) == door.home.index:
                wh += outage.surge_w * (TICK_US // 1_000_000) // 3600
            door.meter.add_energy(wh)
            door.meter.load_w = wh * 2 if door.meter.relay_closed else 0

    async def lines(self, tick: int) -> None:
        """Take lines away and bring them back, and memories too, as the scenario says."""
        for rollback in self.scenario.rollbacks:
            if rollback.kept_tick == tick:
                await keep_copy(self.gates[rollback.gateway], now=self.now_us)
            if rollback.back_tick == tick:
                await put_copy_back(self.gates[rollback.gateway], now=self.now_us)
                self.counts["rollbacks"] += 1
        for gate in self.gates:
            outage = self.scenario.outage_of(gateway=gate.index, tick=tick)
            if outage is not None and gate.outage is None and gate.link is not None:
                gate.outage = outage
                self.counts["outages"] += 1
                if outage.surge_w:
                    self.surging[outage] = self._poorest(gate).home.index
                await gate.link.partition(silent=outage.silent)
            elif outage is None and gate.outage is not None:
                await self._heal(gate)

    async def _heal(self, gate: Gate) -> None:
        gate.outage, gate.healed_s = None, time.monotonic()
        self.movers.back(gate)
        if gate.link is not None and gate.link.partitioned:
            await gate.link.heal()

    def _poorest(self, gate: Gate) -> Door:
        lit = [door for door in gate.doors if door.meter.relay_closed] or gate.doors
        return min(lit, key=lambda d: sum(p.amount_micro for p in d.paid) - d.account.total.amount_micro)

    async def _kill(self, tick: int) -> None:
        for kill in self.scenario.kills:
            if kill.tick == tick:
                await asyncio.sleep(kill.after_ms / 1000)
                await asyncio.to_thread(self.stack.kill, kill.target, book=self.book)
                self.counts[f"kills_{kill.target}"] += 1

    async def settle(self) -> None:
        """Wait until nothing is under way that could still move; raises StreetStuck."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            online = [gate for gate in self.gates if gate.outage is None]
            for gate in online:
                if gate.agent is not None:
                    await gate.agent.wait_drained(max(0.05, deadline - time.monotonic()))
            if await self._at_rest(online):
                break
            if time.monotonic() > deadline:
                raise StreetStuck(await self._complaint(online))
            await asyncio.sleep(0.002)
        self._listen_to_meters()
        self._note_restores()

    async def _at_rest(self, online: list[Gate]) -> bool:
        if not self.pay.idle() or any(gate.link and gate.link.in_transit for gate in online):
            return False
        waiting = await self.eyes.waiting()
        rows = {gate.row for gate in online}
        deaf = self._deaf()
        for gate in online:
            if gate.healed_s is not None and gate.row not in {gateway for gateway, _ in waiting.orders}:
                self.return_s.append(time.monotonic() - gate.healed_s)
                gate.healed_s = None
        orders = [meter for gateway, meter in waiting.orders if gateway in rows and meter not in deaf]
        drained = all(gate.agent.drained() for gate in online if gate.agent)
        return not waiting.facts and not orders and drained

    async def _complaint(self, online: list[Gate]) -> str:
        waiting = await self.eyes.waiting()
        spools = {gate.slug: gate.agent.spool.count for gate in online if gate.agent}
        return (
            f"tick {self.tick} of seed {self.scenario.seed} did not come to rest in {SETTLE_S:.0f} s: "
            f"{waiting.facts} facts wait, orders {waiting.orders}, spools {spools}, payments idle {self.pay.idle()}"
        )

    def _listen_to_meters(self) -> None:
        """Tell the oracle every register that left a meter."""
        for door in self.doors:
            for emitted in door.meter.emitted[door.heard :]:
                for account in self._told(door, emitted.at_us):
                    account.read(at_us=emitted.at_us, register_wh=emitted.register_wh)
            door.heard = len(door.meter.emitted)
            door.costs[self.now_us()] = self._deciding(door).total.amount_micro

    def _told(self, door: Door, at_us: int) -> list[Account]:
        """Who learns of a reading for good: the ledger, the gateway as it was, and as an old copy left it."""
        gateway = door.home.gateway
        told = [door.lived]
        if not forgets(scenario=self.scenario, gateway=gateway, at_us=at_us):
            told.append(door.account)
        if not unlearns(scenario=self.scenario, gateway=gateway, at_us=at_us):
            told.append(door.woken)
        return told

    def _deciding(self, door: Door) -> Account:
        """By whose count this home is cut at this instant: the ledger's, or in an outage its gateway's."""
        gate = self.gates[door.home.gateway]
        if gate.outage is None:
            return door.account
        copied = copied_us(scenario=self.scenario, gateway=gate.index, at_us=self.now_us())
        return door.lived if copied is None else door.woken

    # --- people -----------------------------------------------------------------------------------------

    async def people(self, tick: int) -> bool:
        """Who pays at this tick, by what they know; True when somebody did."""
        now_us = self.scenario.at_us(tick)
        self._read_messages(await self.eyes.news())
        paid = await self._mispay(tick) | await self.movers.act(tick) | await self.foresight.act(tick)
        for door in self.doors:
            amount_minor = self._wish(door, tick, now_us)
            if amount_minor:
                door.last_paid_us = now_us
                await self.top_up(door, amount_minor)
                paid = True
        return paid

    def _read_messages(self, news: Iterable[Happened]) -> None:
        warned = {event.wallet: event.at_us for event in news if event.kind.startswith("warning.")}
        for door in self.doors:
            door.warned_at_us = warned.get(door.wallet, door.warned_at_us)

    def _wish(self, door: Door, tick: int, now_us: int) -> int:
        seen = Seen(door.warned_at_us, door.dark_since_us, door.last_paid_us)
        payment = decide(resident=door.home.resident, seen=seen, now_us=now_us)
        amount_minor = payment.amount_minor if payment else 0
        for outage in self.scenario.outages:
            if (outage.topup.tick, outage.topup.home) == (tick, door.home.index):
                amount_minor += outage.topup.amount_minor
                self.counts["topups_in_outage"] += 1
        return amount_minor

    async def _mispay(self, tick: int) -> bool:
        """The order that the platform settles with another amount."""
        planned = self.scenario.mispaid
        if planned is None or planned.tick != tick:
            return False
        door = self.doors[planned.home]
        our_ref = await self.as_web(lambda: self._start_top_up(door, planned.amount_minor))
        self.pay.pay(
            our_ref=our_ref,
            amount_minor=planned.amount_minor,
            currency=self.scenario.terms.currency,
            settle_minor=planned.amount_minor - 1,
        )
        door.review_us, door.review_micro = self.now_us(), (planned.amount_minor - 1) * 10_000
        return True

    async def top_up(self, door: Door, amount_minor: int) -> None:
        """Somebody at home pays, through the payment platform."""
        if self.channels is not None:
            self.channels.begin(door, amount_minor)
            return
        our_ref = await self.as_web(lambda: self._start_top_up(door, amount_minor))
        online = self.gates[door.home.gateway].outage is None
        dark = not door.meter.relay_closed
        door.paid.append(Paid(self.now_us(), amount_minor * 10_000, our_ref, dark, online))
        if dark and online:
            self._waiting_dark[door.number] = (door, our_ref)
        self.pay.pay(our_ref=our_ref, amount_minor=amount_minor, currency=self.scenario.terms.currency)

    async def as_web[T](self, deed: Callable[[], T]) -> T:
        """Do what somebody does on a page, in the thread that holds the web's database role."""
        return await asyncio.get_running_loop().run_in_executor(self._web, deed)

    def _start_top_up(self, door: Door, amount_minor: int) -> str:
        """Ask as the web does."""
        from fairwatt.flows.start_top_up import start_top_up

        return persistent(
            lambda: (
                start_top_up(
                    wallet_id=door.wallet,
                    amount_minor=amount_minor,
                    provider="sandbox",
                    user_id=None,
                    now_us=self.now_us(),
                ).our_ref
            )
        )

    def _moved(self, door: Door, closed: bool) -> None:
        door.closed_at_s = time.monotonic() if closed else 0.0
        door.dark_since_us = None if closed else self.now_us()

    def _note_restores(self) -> None:
        """Wall seconds from the platform's first report to the relay, where domain time stood still between.

        At rest nobody online may be dark with confirmed credit; who is, is counted.
        """
        for number, (door, our_ref) in list(self._waiting_dark.items()):
            reported = self.pay.first_report_s.get(our_ref)
            if reported is not None and door.closed_at_s > reported:
                self.restore_s.append(door.closed_at_s - reported)
            if door.meter.relay_closed or reported is not None:
                del self._waiting_dark[number]
        for door in self.doors:
            self.counts["paid_but_dark"] += self._dark_with_credit(door)
            self.counts["leases_beyond_credit"] += beyond_credit(
                door, gates=self.gates, told=self.pay.first_report_s
            )

    def _dark_with_credit(self, door: Door) -> bool:
        return (
            not door.meter.relay_closed
            and all(self.gates[one.home.gateway].outage is None for one in door.household)
            and door.number not in self._deaf()
            and credit(door, self.pay.first_report_s) > 0
        )

    def _deaf(self) -> set[int]:
        """Meters whose line is bad at this instant."""
        now_us = self.now_us()
        return {
            door.number
            for door in self.doors
            if any(f.from_us <= now_us < f.until_us for f in self.scenario.faults_of(door.home.index))
        }

"""The product live: real homes, two weeks of history run through in lock-step, then time at sixty times its pace.

What a meter shows is written down before it is read, so that a street that was killed goes on where it
was: registers never run backward over a restart.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fairwatt.core.units import US_PER_HOUR
from fairwatt.edge.config import TelemetryConfig
from fairwatt.edge.telemetry import Telemetry
from fairwatt.server.wiring import database_role
from fairwatt.simulate.channels import Channels
from fairwatt.simulate.estate import ORGANISATION, Door
from fairwatt.simulate.foresight import Told, told_of
from fairwatt.simulate.line_news import LineNews
from fairwatt.simulate.meters import SimMeter
from fairwatt.simulate.movers import home_at
from fairwatt.simulate.network import LinkFaults
from fairwatt.simulate.office import Office
from fairwatt.simulate.office_books import SELLER
from fairwatt.simulate.paysim import PayFaults
from fairwatt.simulate.postbox.demo import DemoPost, mailbox_of
from fairwatt.simulate.scenario import TICK_US, Scenario
from fairwatt.simulate.shops import open_shops
from fairwatt.simulate.stack import Stack
from fairwatt.simulate.street import Street
from fairwatt.simulate.thrift import thriftier

PUSH_US = 2 * 3_600_000_000
SPEED: Final = 60
HISTORY_DAYS: Final = 14
HISTORY_TICKS: Final = HISTORY_DAYS * 48 + 26
"""to the early afternoon: homes may be cut then, and one is"""
SLICES: Final = 6
"""Live, meters are read six times a half hour: every five minutes, which is every five seconds of yours."""
SLICE_US: Final = TICK_US // SLICES
RESERVE_DAYS: Final = 2
"""Days of its own use that a home keeps before a fee takes anything."""
CASHIER: Final = "cashier"
CASH_DESK: Final = "Lobby"
FLOAT_MINOR: Final = 200_00
VACANT: Final = ((6, 1), (6, 2), (6, 3), (6, 4))


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """Where to look, and who to be."""

    url: str
    password: str
    rooms: tuple[str, ...]
    paysim: str
    postbox: str


class Demo:
    """One demo installation in one state folder."""

    def __init__(self, *, stack: Stack, folder: Path, progress: Callable[[int], None]) -> None:
        self.stack = stack
        self._file = folder / "demo.json"
        self._saved: dict[str, Any] = json.loads(self._file.read_text()) if self._file.exists() else {}
        self.street = Street(stack=stack, scenario=scenario(), progress=progress)
        for door in self.street.doors:
            door.home = thriftier(door.home, foreseen=self.street.scenario.foreseen == door.home.index)
        doors = self.street.doors
        self.street.foresight.everybody = True
        self.street.movers.newcomers = {
            plan.home: f"{doors[plan.home].label}b" for plan in self.street.scenario.moves
        }
        self._slice = 0
        self._told: list[Told] = []
        self.post = DemoPost(config=stack.config)

    def prepare(self) -> Welcome:
        """Provision at the first start, remember at later ones; open the doors."""
        if self._saved:
            self._remember()
        else:
            self._provision()
        self.stack.open_doors()
        return Welcome(
            url=self.stack.config.web_origin(),
            password=self._saved["password"],
            rooms=tuple(door.label for door in self.street.doors),
            paysim=self.stack.config.paysim_origin(),
            postbox=self.post.url,
        )

    def dark_rooms(self) -> list[str]:
        """Homes without supply at this moment."""
        return [door.label for door in self.street.doors if not door.meter.relay_closed]

    def moved_rooms(self) -> list[tuple[str, str]]:
        """Homes that changed hands while their gateway had no line, and the user name of who came."""
        newcomers = self.street.movers.newcomers
        return [(self.street.doors[home].label, newcomers[home]) for home in self._saved.get("moved", [])]

    def told_rooms(self) -> list[tuple[str, str, int | None]]:
        """Homes told days ahead: when, and how many hours before the power went off; None while it has not."""
        labels = {door.wallet: door.label for door in self.street.doors}
        newest = {
            one.wallet: one
            for one in self._told
            if one.wallet in labels and (one.open or one.cut_us is not None)
        }
        return [
            (
                labels[one.wallet],
                f"{self.street.tariff.local(one.warned_us):%a %-d %b, %H:%M}",
                None if one.cut_us is None else (one.cut_us - one.warned_us) // US_PER_HOUR,
            )
            for one in sorted(newest.values(), key=lambda one: labels[one.wallet])
        ]

    async def live(self, *, ready: Callable[[], None], tell: Callable[[str], None]) -> None:
        """Run the history if there is none, call `ready`, and live until cancelled; `tell` what is worth a line."""
        street = self.street
        seconds: list[asyncio.Task[None]] = []
        await street.open()
        try:
            office = await street.as_web(lambda: Office(book=street.book, opened_us=street.scenario.start_us))
            if not self._saved["at_us"]:
                await street.pay_openings()
                for tick in range(1, HISTORY_TICKS + 1):
                    await street.step(tick)
                    await self._at_the_desk(office)
                    street.progress(tick)
                self._slice = HISTORY_TICKS * SLICES
                self._save()
            self.stack.clock.set(domain_us=self._at_us(), speed=SPEED)
            self.stack.fleet.start_keeper()
            self.stack.fleet.start_telemetry()
            await street.as_web(self._open_shops)
            await street.as_web(self._open_window)
            self.stack.fleet.start_collector()
            await street.as_web(self.post.open)
            self.stack.fleet.start_notifier()
            street.channels = Channels(street=street, in_process=False)
            await street.channels.open()
            seconds = [asyncio.create_task(telemetry.run()) for telemetry in self._second_by_second()]
            self._told = told_of(await street.eyes.events())
            ready()
            lit = [door for door in street.doors if door.meter.relay_closed] or street.doors
            street.channels.show(lit, tell=lambda line: tell(f"top-up by {line}"))
            news = LineNews(
                scenario=street.scenario,
                labels=[one.label for one in street.doors],
                local=street.tariff.local,
            )
            news.opening(tick=self._slice // SLICES, tell=tell)
            while True:
                await self._at_the_desk(office)
                await self._next_slice()
                if self._slice % SLICES == 0:
                    news.at(tick=self._slice // SLICES, tell=tell)
        finally:
            for task in seconds:
                task.cancel()
            await asyncio.gather(*seconds, return_exceptions=True)
            self.post.close()
            self.stack.clock.set(domain_us=self.stack.clock.now_us(), speed=0)
            await street.close()

    def _open_shops(self) -> None:
        """So late, because the platforms are there only while the demo lives."""
        world = self.street.pay.world
        # Sixty times as fast as life, nobody types a PIN in a minute and a half.
        world.mpesa.push_us = PUSH_US
        open_shops(
            world=world,
            organisation=ORGANISATION,
            currency=self.street.scenario.terms.currency,
            config=self.stack.config,
            now_us=self.stack.clock.now_us(),
        )

    def _open_window(self) -> None:
        """The cashier has an open shift, so that money can be taken at once."""
        from django.db import connection

        from fairwatt.flows.cash_desk import open_shift
        from fairwatt.store import cash_desk
        from fairwatt.store.models import Book, User
        from fairwatt.web.access import scope_of_book, seeing

        book = Book.objects.get(pk=self.street.book)
        # A street that an earlier release made has no cashier.
        who = User.objects.filter(username=CASHIER, organisation=book.organisation_id).first()
        if who is None:
            return
        with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
            at = {one.name: one.desk for one in cash_desk.desks(cursor=cursor, book=book.pk)}
            is_open = cash_desk.open_shift_of(cursor=cursor, book=book.pk, cashier=who.pk)
        if is_open is None:
            open_shift(
                book_id=book.pk,
                desk_id=at[CASH_DESK],
                float_minor=FLOAT_MINOR,
                user_id=who.pk,
                ticket=secrets.token_hex(16),
                now_us=self.stack.clock.now_us(),
            )

    def _second_by_second(self) -> list[Telemetry]:
        """What each gateway sends beside its readings, from now on: history has only half hours."""
        agents = [gate.agent for gate in self.street.gates if gate.agent is not None]
        return [
            Telemetry(
                config=agent.config,
                settings=TelemetryConfig(),
                meters=agent.meters,
                spool=agent.spool,
                clock=agent.clock,
                boot_id=secrets.token_bytes(8),
            )
            for agent in agents
        ]

    async def _at_the_desk(self, office: Office) -> None:
        now_us = self.stack.clock.now_us()
        if office.waits(now_us=now_us):
            await self.street.as_web(lambda: office.catch_up(now_us=now_us))

    async def _next_slice(self) -> None:
        """Five minutes of everybody's life."""
        street = self.street
        self._slice += 1
        tick, part = divmod(self._slice, SLICES)
        while (left_us := self._at_us() - self.stack.clock.now_us()) > 0:
            await asyncio.sleep(max(0.01, left_us / (SPEED * 1_000_000)))
        for door in street.doors:
            self._use(door, tick, part)
        self._save()
        if part == 0:
            await street.lines(tick)
        await asyncio.gather(*(gate.agent.poll_once(self._at_us()) for gate in street.gates if gate.agent))
        street.pay.poke()
        if part == 0:
            await street.people(tick)

    def _use(self, door: Door, tick: int, part: int) -> None:
        wh = door.home.series.wh[tick % len(door.home.series.wh)]
        door.meter.add_energy(wh // SLICES + (part < wh % SLICES))
        door.meter.load_w = wh * 2 if door.meter.relay_closed else 0

    def _at_us(self) -> int:
        return self.street.scenario.start_us + self._slice * SLICE_US

    def _provision(self) -> None:
        from fairwatt.core.costs.taking import FeePolicy
        from fairwatt.flows import provision
        from fairwatt.flows.fees import set_fee_rule
        from fairwatt.flows.invoicing.setting_up import set_up_invoices
        from fairwatt.store.models import Role, User

        password = secrets.token_urlsafe(9)

        def tenant(label: str) -> User:
            return provision.add_person(
                organisation_slug=ORGANISATION,
                username=label,
                role=Role.TENANT,
                password=password,
                email=mailbox_of(label),
            )

        street = self.street
        street.provision(tenant=tenant)
        newcomers = street.movers.newcomers.values()
        staff = (
            ("desk", Role.OPERATOR),
            ("manager", Role.ADMIN),
            ("auditor", Role.AUDITOR),
            (CASHIER, Role.OPERATOR),
        )
        with database_role("migrate"):
            for name in newcomers:
                tenant(name)
            policy = FeePolicy(reserve_days=RESERVE_DAYS)
            set_fee_rule(book_id=street.book, policy=policy, by=None, now_us=street.scenario.start_us)
            set_up_invoices(
                book_id=street.book,
                moment="consumption",
                series="MAPLE",
                seller=SELLER,
                author=ORGANISATION,
                now_us=street.scenario.start_us,
            )
            for name, role in staff:
                provision.add_person(
                    organisation_slug=ORGANISATION, username=name, role=role, password=password
                )
            provision.set_cash_desk(
                book_id=street.book,
                name=CASH_DESK,
                taking_most_minor=500_00,
                day_most_minor=10_000_00,
                now_us=street.scenario.start_us,
            )
            for floor, position in VACANT:
                provision.add_vacant_unit(
                    site_id=street.site, label=f"{floor}{position:02d}", floor=floor, position=position
                )
        self._saved = {
            "password": password,
            "at_us": 0,
            "book": street.book,
            "site": street.site,
            "gates": [
                [gate.row, gate.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex()]
                for gate in street.gates
            ],
            "wallets": self._wallets(),
        }
        self._write()

    def _remember(self) -> None:
        street, saved = self.street, self._saved
        street.book, street.site = saved["book"], saved["site"]
        for gate, (row, key) in zip(street.gates, saved["gates"], strict=True):
            gate.row, gate.key = row, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key))
        for door, (wallet, installation) in zip(street.doors, saved["wallets"], strict=True):
            door.wallet, door.installation = wallet, installation
        if not saved["at_us"]:
            return
        self._slice = (saved["at_us"] - street.scenario.start_us) // SLICE_US
        for plan in street.scenario.moves:
            door = street.doors[plan.home]
            door.home = home_at(door.home, plan=plan, tick=self._slice // SLICES)
        for door, kept in zip(street.doors, saved["doors"], strict=True):
            _wake(door.meter, kept)
            door.warned_at_us, door.last_paid_us = kept["warned_at_us"], kept["last_paid_us"]
            door.dark_since_us = kept["dark_since_us"]

    def _save(self) -> None:
        self._saved["at_us"] = self._at_us()
        self._saved["wallets"] = self._wallets()
        back = [one.plan.home for one in self.street.movers.moved if one.back_us]
        self._saved["moved"] = sorted({*self._saved.get("moved", []), *back})
        self._saved["doors"] = [
            {
                "register_wh": door.meter.register_wh,
                "relay_closed": door.meter.relay_closed,
                "warned_at_us": door.warned_at_us,
                "last_paid_us": door.last_paid_us,
                "dark_since_us": door.dark_since_us,
            }
            for door in self.street.doors
        ]
        self._write()

    def _wallets(self) -> list[list[int]]:
        return [[door.wallet, door.installation] for door in self.street.doors]

    def _write(self) -> None:
        draft = self._file.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(self._saved))
        draft.replace(self._file)


def scenario() -> Scenario:
    """The demo street without crashes, on a line that is merely poor."""
    return replace(
        Scenario.demo(),
        kills=(),
        mispaid=None,
        household=None,
        pay_faults=PayFaults(duplicate=100),
        link_faults=LinkFaults(lose=5, double=10, delay=10, reorder=5, delay_ms=(2, 60)),
    )


def saved_us(folder: Path) -> int | None:
    """Domain time of the last save, None at the first start."""
    file = folder / "demo.json"
    at_us = int(json.loads(file.read_text())["at_us"]) if file.exists() else 0
    return at_us or None


def _wake(meter: SimMeter, kept: dict[str, Any]) -> None:
    meter.register_wh = kept["register_wh"]
    meter.relay_closed = meter.ordered_closed = kept["relay_closed"]

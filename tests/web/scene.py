"""A building that has lived for seventeen days, made by the real flows and the real poster.

Homes differ in how they pay: most have credit, some run low, one is cut, one is protected, some meters are silent,
two units are vacant. Time stands at Saturday 21 November 2026, 18:40 in Shanghai.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from typing import Any

from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.server.config import Config
from fairwatt.server.keys import SANDBOX_PROVIDER, load_private_key
from fairwatt.wire.commands import Receipt, hash8, verify_command
from fairwatt.wire.frames import Event, Kind
from fairwatt.wire.records import Reading, pack_readings
from support.house import as_role
from support.street import Street

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
NOW_US = 1_795_257_600_000_000
"""2026-11-21 18:40 in Shanghai, a Saturday."""
MIDNIGHT_US = NOW_US - (18 * 60 + 40) * MINUTE_US
DAYS = 16
FLOORS, COLUMNS = 6, 10
PASSWORD = "maple-court-42"

TARIFF = """
fairwatt_tariff: 1
name: Home, tiers and time of use
currency: CNY
zone: Asia/Shanghai
versions:
  - effective: 2026-01-01
    elements:
      - energy:
          counter: month
          blocks_kwh: [200, 400]
          periods:
            - {name: peak, hours: ["08:00-22:00"], prices: ["0.568", "0.618", "0.868"]}
            - {name: valley, hours: ["22:00-08:00"], prices: ["0.288", "0.338", "0.588"]}
      - standing: {per_day: "0.20"}
      - tax: {name: VAT, percent: "13", on: [energy]}
"""
POLICY = CreditPolicy(
    zone="Asia/Shanghai",
    low_micro=15_000_000,
    low_wh=0,
    critical_micro=5_000_000,
    friendly=((0, 480), (1200, 1440)),
    friendly_weekends=False,
    warn_lead_us=HOUR_US,
    stale_after_us=2 * HOUR_US,
)
# Tenths of the mean half hour, from midnight: asleep, breakfast, away, evening.
SHAPE = (
    (5,) * 13
    + (12, 20, 22, 16, 9)
    + (7,) * 12
    + (8, 9, 10, 11, 13, 17, 22, 26, 27, 24, 21, 18, 15, 12, 10, 8, 7, 6)
)
CUT, PROTECTED, SILENT, VACANT = 36, 24, (17, 45), (13, 52)
DRY = 2
"""The home of a small building that is cut; in the large one it has credit."""
_scenes = itertools.count(1)


@dataclass
class Scene(Street):
    """One organisation, its building, its people. `now_us` is where the poster has got to."""

    tariff: str = TARIFF
    opened_us: int = MIDNIGHT_US - DAYS * DAY_US
    floors: int = FLOORS
    columns: int = COLUMNS
    labels: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        with as_role("migrate"):
            self._build()

    def _build(self) -> None:
        from fairwatt.flows import provision

        config = Config.load()
        self.provider_key = load_private_key(config.keys, name=SANDBOX_PROVIDER)
        tag = f"{os.getpid()}-{next(_scenes)}"
        self.site = provision.create_book(
            organisation_slug=f"maple-{tag}",
            organisation_name="Maple Living",
            book_slug=f"maple-{tag}",
            currency="CNY",
            zone="Asia/Shanghai",
            site_slug="court",
            site_name="Maple Court",
            site_name_zh="枫林苑",
        )
        self.book = self.site.book_id
        self.slug = self.site.book.slug
        public = self.key.public_key().public_bytes_raw()
        self.gateway = provision.add_gateway(site_id=self.site.pk, slug=f"g1-{tag}", public_key=public)
        self.policy = provision.add_policy(book_id=self.book, slug="homes", policy=POLICY)
        self.plan = provision.publish_tariff(
            book_id=self.book, slug="home", name="Home", text=self.tariff, now_us=self.opened_us
        )
        self.seq, self.epoch = 0, 1
        self.homes, self.wallets, self.installations = [], [], []
        self._public_ids: dict[int, Any] = {}
        self._invite(tag)
        for n in range(self.floors * self.columns):
            self._move_in(n)
        self.registers = dict.fromkeys(self.homes, 1_000_000)
        self.exact = dict.fromkeys(self.homes, 0)
        self.open_relays: set[int] = set()
        self.flusher: Any = None

    def _invite(self, tag: str) -> None:
        """A resident, the one next door, and two people at the desk."""
        from fairwatt.store.models import User

        organisation = self.site.book.organisation
        self.owner = User.objects.create_user(
            f"owner-{tag}", f"owner-{tag}@example.org", PASSWORD, first_name="Lin", last_name="Mei"
        )
        self.neighbour = User.objects.create_user(f"neighbour-{tag}", None, PASSWORD)
        self.operator = User.objects.create_user(
            f"operator-{tag}", None, PASSWORD, organisation=organisation, role="operator"
        )
        self.auditor = User.objects.create_user(
            f"auditor-{tag}", None, PASSWORD, organisation=organisation, role="auditor"
        )

    def _move_in(self, n: int) -> None:
        """Open the n-th unit: a home with its meter and wallet, or a vacant one."""
        from fairwatt.flows import provision
        from fairwatt.store.models import Unit

        floor, position = 1 + n // self.columns, 1 + n % self.columns
        label = f"{floor:02d}{position:02d}"
        if n in VACANT:
            Unit.objects.create(site=self.site, label=label, floor=floor, position=position, vacant=True)
            return
        tenants = {0: (self.owner,), 1: (self.neighbour,)}.get(len(self.homes), ())
        account = provision.open_account(
            site_id=self.site.pk,
            label=label,
            floor=floor,
            position=position,
            gateway_id=self.gateway.pk,
            meter=provision.MeterSpec(
                number=210_000_000_000 + n,
                profile="test",
                modulus_wh=10**9,
                resolution_wh=10,
                max_power_w=20_000,
            ),
            plan_id=self.plan.pk,
            policy_id=self.policy.pk,
            opening_wh=1_000_000,
            now_us=self.opened_us,
            entropy=os.urandom(10),
            protected=n == PROTECTED,
            tenants=tenants,
        )
        self.homes.append(210_000_000_000 + n)
        self.wallets.append(account.wallet_id)
        self.installations.append(account.installation_id)
        self.labels.append(label)

    # --- life ---------------------------------------------------------------------------------------------------

    def live(self) -> None:
        """Seventeen days: readings each half hour, top-ups, warnings, a cut that the meter proves."""
        self._open_desk()
        for n, home in enumerate(self.homes):
            self.pay(
                home=home,
                amount_minor=self._first_top_up(n),
                now_us=self.opened_us + MINUTE_US,
                currency="CNY",
            )
        self.post(now_us=self.opened_us + 2 * MINUTE_US)
        for day in range(DAYS):
            start_us = self.opened_us + day * DAY_US
            if day == DAYS - 7:
                self.pay(
                    home=self.homes[0], amount_minor=3_000, now_us=start_us + 9 * HOUR_US, currency="CNY"
                )
            for quarter in range(4):
                self._half_hours(start_us, range(quarter * 12, quarter * 12 + 12))
        for slot in range(37):
            self._half_hours(MIDNIGHT_US, range(slot, slot + 1))
            if slot == 30:
                self.pay(
                    home=self.homes[1],
                    amount_minor=5_000,
                    now_us=MIDNIGHT_US + 15 * HOUR_US + 40 * MINUTE_US,
                    currency="CNY",
                )
        self._oddities()
        self.forecast()

    def _first_top_up(self, n: int) -> int:
        a_day = self._mean_day_wh(n) * 48 // 1000  # fen: about 0.48 a kWh, tax and standing charge included
        dry = (CUT, PROTECTED) if self.floors > 1 else (DRY,)
        if self.homes[n] - 210_000_000_000 in dry:
            return a_day * 163 // 10
        if n == 0:
            return a_day * (DAYS + 1)
        return a_day * (DAYS + 3) if n % 11 == 4 else a_day * (DAYS + 9 + n * 7 % 23)

    def _mean_day_wh(self, n: int) -> int:
        return 5_200 + n * 977 % 6_000

    def _half_hours(self, start_us: int, slots: range) -> None:
        """Readings at the end of each half hour, in one frame; then the gateway obeys what it was sent."""
        readings = []
        for slot in slots:
            at_us = start_us + (slot + 1) * 30 * MINUTE_US
            for n, home in enumerate(self.homes):
                if home - 210_000_000_000 in SILENT and at_us > NOW_US - 4 * HOUR_US:
                    continue
                readings.append(self._reading(n, home, at_us, slot))
        self.post(self.readings(*readings), now_us=start_us + (slots[-1] + 1) * 30 * MINUTE_US)

    def _reading(self, n: int, home: int, at_us: int, slot: int) -> Reading:
        day = at_us // DAY_US
        wobble = (75 + (n * 31 + slot * 7) % 51) * (70 + (day * 37 + n * 13) % 61) // 100
        watts = 0 if home in self.open_relays else self._mean_day_wh(n) * SHAPE[slot] * wobble // (24 * 1200)
        self.exact[home] += watts // 2
        self.registers[home] = 1_000_000 + self.exact[home] // 10 * 10
        return Reading(
            meter=home,
            at_us=at_us,
            total_wh=self.registers[home],
            power_w=watts,
            voltage_dv=2_290 + n % 30,
            relay=0 if home in self.open_relays else 1,
        )

    def _oddities(self) -> None:
        """A backward register, an unknown meter, and a meter that fell silent: all visible, none charged."""
        at_us = NOW_US - 5 * MINUTE_US
        bad = Reading(
            meter=self.homes[-1], at_us=at_us, total_wh=900_000, power_w=0, voltage_dv=2300, relay=1
        )
        stray = Reading(meter=999, at_us=at_us, total_wh=5_000, power_w=0, voltage_dv=2300, relay=1)
        silent = Event(
            "meter_silent", NOW_US - 3 * HOUR_US, 210_000_000_000 + SILENT[0], {"why": "no_answer"}
        )
        self.post(self.readings(bad, stray), self.event(silent, clock_us=at_us), now_us=at_us)

    def forecast(self) -> None:
        """What the keeper does on the morning of the day that is told."""
        from fairwatt.flows.forecasting import forecast_night

        with as_role("web"):
            forecast_night(book_id=self.book, now_us=self.now_us)

    # --- the poster ---------------------------------------------------------------------------------------------

    def _open_desk(self) -> None:
        with as_role("poster"):
            from fairwatt.flows.posting.flushing import CacheFlusher
            from fairwatt.flows.posting.loading import load_book

            self.state = load_book(book=self.book, now_us=self.opened_us)
            self.flusher = CacheFlusher(state=self.state)

    def post(self, *frames: tuple[str, bytes], now_us: int, obey: bool = True) -> None:
        """Post frames and waiting facts as the head-end does; with `obey` the gateway does what it is told."""
        with as_role("poster"):
            from fairwatt.flows.posting.loading import reload_book
            from fairwatt.flows.posting.post_batch import post_batch

            messages = list(frames)
            while True:
                result = post_batch(state=self.state, messages=messages, poster=self.poster(), now_us=now_us)
                self.flusher.note(touched=result.touched, lines=result.lines)
                if result.reload:
                    self.flusher.flush(state=self.state)
                    self.state = reload_book(state=self.state, now_us=NOW_US)
                    self.flusher.resize(state=self.state)
                orders = [order for sent in result.send.values() for order in sent]
                if not orders or not obey:
                    break
                messages = self._obeyed(orders, now_us)
            self.flusher.flush(state=self.state)
        self.now_us = now_us

    def _obeyed(self, orders: list[bytes], now_us: int) -> list[tuple[str, bytes]]:
        """Receipts for signed orders, then a reading that shows the relay there."""
        frames = []
        for message in orders:
            command = verify_command(message=message, keys={b"issuer": self.issuer.public_key()})
            if command.body.relay == 0:
                self.open_relays.add(command.meter)
            elif command.body.relay == 1:
                self.open_relays.discard(command.meter)
            relay = 0 if command.meter in self.open_relays else 1
            receipt = Receipt(command.meter, command.seq, 0, relay, None, now_us, hash8(message))
            # The proof follows a second later, as a gateway reads back what it switched.
            proof = Reading(
                meter=command.meter,
                at_us=now_us + 1_000_000,
                total_wh=self.registers[command.meter],
                power_w=0,
                voltage_dv=2300,
                relay=relay,
            )
            frames.append(
                self.frame(
                    (Kind.RECEIPT, self.signed(receipt)),
                    (Kind.READINGS, pack_readings([proof])),
                    clock_us=now_us,
                )
            )
        return frames

    def public_id(self, n: int) -> Any:
        """The address part of the n-th home."""
        from fairwatt.store.models import Wallet

        if n not in self._public_ids:
            self._public_ids[n] = Wallet.objects.get(pk=self.wallets[n]).public_id
        return self._public_ids[n]

"""Runs a payments drill against processes that are really there, and judges it by the platforms' own truth."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.server.clock import ClockFile
from fairwatt.server.keys import SANDBOX_PROVIDER, load_private_key
from fairwatt.server.launcher.fleet import PROGRAM, Fleet
from fairwatt.server.launcher.services import Services
from fairwatt.server.wiring import database_role
from fairwatt.simulate.pay.books import Dialect
from fairwatt.simulate.paydrill.journal import Journal
from fairwatt.simulate.paydrill.judging import Judged, judge
from fairwatt.simulate.paydrill.morning import Days, Morning
from fairwatt.simulate.paydrill.payers import Crowd
from fairwatt.simulate.paydrill.plan import CURRENCY, FAULTS, P99_MS, ZONE, Blow, Plan, Tell
from fairwatt.simulate.paydrill.sending import quantile, steadily
from fairwatt.simulate.paysim import PaySim
from fairwatt.simulate.shops import listen, open_shops
from fairwatt.simulate.verdict import Verdict

DRAIN_S: Final = 240.0
_TARIFF: Final = """
fairwatt_tariff: 1
name: Flat
currency: CNY
zone: Asia/Shanghai
versions:
  - effective: 2013-01-01
    elements:
      - energy: {price: "0.60"}
"""


@dataclass
class PaymentDrill:
    """One drill in a running installation. Django is set up as the web's role; `use` its book, then `run`."""

    plan: Plan
    services: Services
    fleet: Fleet
    now_us: Callable[[], int]
    name: str = "drill"
    """organisation, book, site and gateway are called by it"""
    clock: ClockFile | None = None
    """whose clock is moved to the next day, when the bills are there; None: the day is not reconciled"""
    tell: Tell = lambda *_: None
    journal: Journal | None = None
    """with it the drill goes on where it was when it was stopped or killed"""
    book: int = 0
    blows: list[str] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)

    def provision(self) -> None:
        """A book with homes that have no meters' line: money comes in, no energy goes out."""
        if self.journal is not None and self.journal.place:
            self.book, self._wallets = self.journal.place["book"], self.journal.place["wallets"]
            return
        self._provision()
        if self.journal is not None:
            port = self.services.config.ports()["paysim"]
            self.journal.settle(book=self.book, wallets=self._wallets, platforms_port=port)

    def _provision(self) -> None:
        from fairwatt.flows import provision

        key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        with database_role("migrate"):
            site = provision.create_book(
                organisation_slug=self.name,
                organisation_name="Payments drill",
                book_slug=self.name,
                currency=CURRENCY,
                zone=ZONE,
                site_slug=self.name,
                site_name="Drill Court",
            )
            self.book = site.book_id
            gateway = provision.add_gateway(site_id=site.pk, slug=f"{self.name}-gw", public_key=key)
            policy = provision.add_policy(
                book_id=self.book,
                slug="homes",
                policy=CreditPolicy(
                    zone=ZONE,
                    low_micro=2_000_000,
                    low_wh=0,
                    critical_micro=500_000,
                    friendly=(),
                    friendly_weekends=False,
                    warn_lead_us=3_600_000_000,
                    stale_after_us=7_200_000_000,
                ),
            )
            tariff = provision.publish_tariff(
                book_id=self.book, slug="flat", name="Flat", text=_TARIFF, now_us=self.now_us()
            )
            self._wallets = [
                provision.open_account(
                    site_id=site.pk,
                    label=f"{n + 1:04d}",
                    floor=1 + n // 10,
                    position=1 + n % 10,
                    gateway_id=gateway.pk,
                    meter=provision.MeterSpec(
                        number=900_000_000_000 + n,
                        profile="test",
                        modulus_wh=10**9,
                        resolution_wh=10,
                        max_power_w=20_000,
                    ),
                    plan_id=tariff.pk,
                    policy_id=policy.pk,
                    opening_wh=0,
                    now_us=self.now_us(),
                    entropy=os.urandom(10),
                ).wallet_id
                for n in range(self.plan.homes)
            ]

    async def run(self) -> Verdict:
        """The whole drill, once `provision` was called and the doors are open."""
        config = self.services.config
        sim = PaySim(
            key=load_private_key(config.keys, name=SANDBOX_PROVIDER),
            callback_url="http://127.0.0.1:9/",
            now_us=self.now_us,
            seed=self.plan.seed,
            reports=False,
        )
        # Where the shops were told the platforms are, they must be again.
        await sim.start(port=0 if self.journal is None else self.journal.place["platforms_port"])
        try:
            accounts = await asyncio.to_thread(self._open_shops, sim)
            self.fleet.start_collector()
            sim.world.mpesa.push_us = 2 * 3_600_000_000
            crowd = Crowd(
                world=sim.world,
                wallets=self._wallets,
                accounts=accounts,
                now_us=self.now_us,
                at_once=self.plan.at_once,
                journal=self.journal,
            )
            self._take_up(crowd)
            reporting = asyncio.create_task(crowd.report_for_ever())
            try:
                return await self._phases(sim, crowd)
            finally:
                reporting.cancel()
                crowd.close()
        finally:
            await sim.stop()

    def _open_shops(self, sim: PaySim) -> dict[Dialect, int]:
        from fairwatt.store.models import MerchantAccount

        config = self.services.config
        if self.journal is not None:
            self.journal.lay_out(sim.world.books)
        known = bool(sim.world.books.shops)
        if not known:
            now_us = self.now_us()
            open_shops(
                world=sim.world, organisation=self.name, currency=CURRENCY, config=config, now_us=now_us
            )
            self._keep_shops(sim)
        accounts = {one.provider: one for one in MerchantAccount.objects.filter(organisation__slug=self.name)}
        for shop in sim.world.books.shops if known else ():
            listen(world=sim.world, shop=shop, account=accounts[shop.dialect], config=config)
        return {shop.dialect: accounts[shop.dialect].pk for shop in sim.world.books.shops}

    def _keep_shops(self, sim: PaySim) -> None:
        if self.journal is not None:
            for shop in sim.world.books.shops:
                self.journal.shop(shop)

    def _take_up(self, crowd: Crowd) -> None:
        """What was done before counts."""
        self._began_us, self._paid_before, self._hurried_before_s = self.now_us(), 0, 0.0
        if self.journal is None or not self.journal.paid:
            self._mark(crowd)
            return
        was = self.journal.mark
        self._began_us, self._paid_before = self.journal.first_us, self.journal.paid
        self._hurried_before_s, self.blows = was.hurried_s, [*was.blows, f"all at {self.journal.paid}"]
        crowd.begun = self.journal.paid
        crowd.sent, crowd.refused, crowd.unreachable = was.sent, was.refused, was.unreachable
        crowd.tired = was.tired

    def _mark(self, crowd: Crowd) -> None:
        if self.journal is None:
            return
        self.journal.marked(
            now_us=self.now_us(),
            hurried_s=self.marks.get("hurried_s", 0.0),
            sent=crowd.sent,
            refused=crowd.refused,
            unreachable=crowd.unreachable,
            tired=crowd.tired,
            blows=self.blows,
        )

    async def _phases(self, sim: PaySim, crowd: Crowd) -> Verdict:
        left = itertools.islice(self.plan.payments(), self._paid_before, None)
        hurried = list(itertools.islice(left, max(0, self.plan.hurried - self._paid_before)))
        sim.world.faults.set(**FAULTS)
        blows, hurting = self.plan.blows(after=self._paid_before), set[asyncio.Task[None]]()
        began_s = time.monotonic() - self._hurried_before_s

        def begun(number: int) -> None:
            if number % 50 == 0 or number == self.plan.hurried:
                self.marks["hurried_s"] = time.monotonic() - began_s
                self._mark(crowd)
                self.tell("paying, while processes are killed", number, self.plan.hurried)
            while blows and blows[0][0] <= number:
                hurting.add(asyncio.create_task(self._blow(sim, crowd, blows.pop(0)[1])))

        await crowd.pay_all(hurried, begun=begun)
        await asyncio.gather(*hurting)
        self.marks["hurried_s"] = time.monotonic() - began_s
        sim.world.release()
        sim.world.faults.set(**dict.fromkeys(FAULTS, 0))
        first = await self._drained(sim, crowd)
        took = await self._timed(crowd, list(itertools.islice(left, self.plan.timed)))
        second = await self._drained(sim, crowd)
        self.marks["drain_s"] = first
        self.marks["drain_timed_s"] = second
        days = await self._morning(crowd)
        found = await self._judged(sim)
        return self._verdict(sim, crowd, took, found, days)

    async def _blow(self, sim: PaySim, crowd: Crowd, blow: Blow) -> None:
        self.blows.append(f"{blow} at {crowd.begun}")
        if blow == "rotate":
            await self._rotate(sim, crowd)
            return
        name = f"headend-{self.book}" if blow == "poster" else blow
        await asyncio.to_thread(self.services.kill, name)
        await asyncio.to_thread(self.services.wait_ready, name)

    async def _rotate(self, sim: PaySim, crowd: Crowd) -> None:
        """The platforms sign with new keys at once; the desk lays them beside the old ones only moments later."""
        for shop in sim.world.books.shops:
            if shop.dialect not in ("wechat", "alipay"):
                continue
            settings = sim.world.rotate_key(shop)
            self._keep_shops(sim)
            await asyncio.sleep(1)
            await asyncio.to_thread(self._lay_keys, crowd.accounts[shop.dialect], settings)

    def _lay_keys(self, account: int, settings: dict[str, Any]) -> None:
        """As a person does it, with the command and a file that nobody else may read."""
        config = self.services.config
        file = config.state / f"rotate-{account}.toml"
        file.touch(mode=0o600)
        keys = "\n".join(f"{_quoted(serial)} = {_quoted(pem)}" for serial, pem in settings["keys"].items())
        named = settings.get("public_key_id")
        head = f"public_key_id = {_quoted(named)}\n" if named else ""
        file.write_text(f"{head}[keys]\n{keys}\n")
        command = [*PROGRAM, "merchant", "rotate", str(account), "--file", str(file)]
        done = subprocess.run(
            command, env=config.child_env(role="migrate"), capture_output=True, text=True, check=False
        )
        file.unlink()
        if done.returncode:
            raise RuntimeError(f"the new keys were not taken: {done.stderr[-500:]}")

    async def _timed(self, crowd: Crowd, payments: list[Any]) -> list[float]:
        """Orders first, then everybody pays at once, and the reports go out at a steady rate: only these are timed."""
        before, total = crowd.begun, len(payments)
        crowd.hold = []
        await crowd.pay_all(
            payments, begun=lambda n: self.tell("orders for the timed part", n - before, total)
        )
        reports = [one.make() for one in crowd.pay_held()]
        began_s, spent_s = time.monotonic(), self._cpu_s("web")
        took, refused = await asyncio.to_thread(
            steadily,
            reports,
            rate=self.plan.rate,
            progress=lambda n: self.tell(f"reporting, {self.plan.rate} a second", n, len(reports)),
        )
        self.marks["timed_s"] = time.monotonic() - began_s
        self.marks["timed_refused"] = len(refused)
        self.marks["callback_cpu_ms"] = 1000 * (self._cpu_s("web") - spent_s) / max(1, len(reports))
        return took

    def _cpu_s(self, name: str) -> float:
        """Seconds of processor time a process has used; 0 where the kernel tells nothing."""
        pid = next((one.pid for one in self.services.supervisor.status() if one.name == name), None)
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def _drained(self, sim: PaySim, crowd: Crowd) -> float:
        """Wait until everything paid is in the ledger, as long as that is still moving; seconds it took."""
        began_s = moved_s = time.monotonic()
        before = -1
        while time.monotonic() - moved_s < DRAIN_S:
            looked_s = time.monotonic()
            found = await self._judged(sim)
            missing = found.lost + found.waiting
            self._mark(crowd)
            self.tell("waiting for the last ones", found.credited, found.paid)
            if crowd.quiet and not missing:
                break
            if missing != before:
                before, moved_s = missing, time.monotonic()
            if self.clock is not None and crowd.quiet and time.monotonic() - moved_s > 75:
                break  # what is missing now, the bill will tell
            # With a million payments a look takes seconds, in which nobody else of this process moves.
            looked_s = time.monotonic() - looked_s
            await asyncio.sleep(max(1 if missing > 50 else 0.25, 2 * looked_s))
        return time.monotonic() - began_s

    async def _judged(self, sim: PaySim) -> Judged:
        dsn = self.services.config.dsn(role="auditor")
        truth = sim.world.books.truth()
        return await asyncio.to_thread(judge, dsn=dsn, book=self.book, truth=truth)

    async def _morning(self, crowd: Crowd) -> Days:
        if self.clock is None:
            return {}
        began_s = time.monotonic()
        morning = Morning(
            services=self.services,
            clock=self.clock,
            book=self.book,
            accounts=crowd.accounts,
            tell=self.tell,
            mark=lambda: self._mark(crowd),
        )
        days = await morning.pass_by(began_us=self._began_us)
        self.marks["morning_s"] = time.monotonic() - began_s
        return days

    def _verdict(
        self,
        sim: PaySim,
        crowd: Crowd,
        took: list[float],
        found: Judged,
        days: Days,
    ) -> Verdict:
        p99_ms = round(1000 * quantile(took, 990), 1)
        hurried_s = self.marks["hurried_s"]
        figures: dict[str, int | float | str | None] = {
            "payments": crowd.begun,
            "seed": self.plan.seed,
            **{name: value for name, value in asdict(found).items() if name != "examples"},
            "reports_sent": crowd.sent + len(took),
            "reports_refused": crowd.refused,
            "reports_unanswered": crowd.unreachable,
            "payers_gone": crowd.tired,
            "broken_on_purpose": ", ".join(self.blows),
            "payments_per_s": round(self.plan.hurried / hurried_s, 1) if hurried_s else None,
            "timed_reports": len(took),
            "callback_p50_ms": round(1000 * quantile(took, 500), 1),
            "callback_p99_ms": p99_ms,
            **{name: round(value, 1) for name, value in self.marks.items()},
        }
        broken = [
            f"{name} is {figures[name]}: {', '.join(found.examples[:5])}"
            for name in ("lost", "doubled", "unpaid_credits", "difference_micro", "journal_micro", "waiting")
            if figures[name]
        ]
        if p99_ms > P99_MS:
            broken.append(f"callback_p99_ms is {p99_ms}, more than {P99_MS}")
        if self.clock is not None:
            figures["days_agreeing"] = sum(one.state == "agrees" for one in days.values())
            figures["found_by_bill"] = sum(one.found for one in days.values())
            broken += [
                f"account {account}, {day}: {one.state} {one.reason}: {', '.join(one.left[:5])}"
                for (account, day), one in days.items()
                if one.state != "agrees"
            ]
        return Verdict(figures=figures, broken=broken)


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

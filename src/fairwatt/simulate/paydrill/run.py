"""Runs a payments drill against processes that are really there, and judges it by the platforms' own truth."""

from __future__ import annotations

import asyncio
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
from fairwatt.simulate.paydrill.judging import Judged, judge
from fairwatt.simulate.paydrill.payers import Crowd
from fairwatt.simulate.paydrill.plan import CURRENCY, FAULTS, P99_MS, ZONE, Blow, Plan, Tell
from fairwatt.simulate.paydrill.sending import quantile, steadily
from fairwatt.simulate.paysim import PaySim
from fairwatt.simulate.shops import open_shops
from fairwatt.simulate.verdict import Verdict

DRAIN_S: Final = 240.0
MORNING_S: Final = 600.0
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


@dataclass(frozen=True, slots=True)
class Compared:
    """How a day of an account stands, as the product itself compared it."""

    state: str
    reason: str
    left: list[str]
    found: int


type Days = dict[tuple[int, str], Compared]


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
    book: int = 0
    blows: list[str] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)

    def provision(self) -> None:
        """A book with homes that have no meters' line: money comes in, no energy goes out."""
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
        await sim.start()
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
            )
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

        open_shops(
            world=sim.world,
            organisation=self.name,
            currency=CURRENCY,
            config=self.services.config,
            now_us=self.now_us(),
        )
        found = MerchantAccount.objects.filter(organisation__slug=self.name)
        return {account.provider: account.pk for account in found}  # type: ignore[misc]  # a dialect's name

    async def _phases(self, sim: PaySim, crowd: Crowd) -> Verdict:
        self._began_us = self.now_us()
        payments = self.plan.payments()
        hurried = [next(payments) for _ in range(self.plan.hurried)]
        sim.world.faults.set(**FAULTS)
        blows, hurting = self.plan.blows(), set[asyncio.Task[None]]()

        def begun(number: int) -> None:
            if number % 50 == 0 or number == self.plan.hurried:
                self.tell("paying, while processes are killed", number, self.plan.hurried)
            while blows and blows[0][0] <= number:
                hurting.add(asyncio.create_task(self._blow(sim, crowd, blows.pop(0)[1])))

        began_s = time.monotonic()
        await crowd.pay_all(hurried, begun=begun)
        await asyncio.gather(*hurting)
        self.marks["hurried_s"] = time.monotonic() - began_s
        sim.world.release()
        sim.world.faults.set(**dict.fromkeys(FAULTS, 0))
        first = await self._drained(sim, crowd)
        took = await self._timed(crowd, list(payments))
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
        total = len(payments)
        crowd.hold = []
        await crowd.pay_all(
            payments,
            begun=lambda n: self.tell("orders for the timed part", n, total) if n % 20 == 0 else None,
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
        """The next day: the collector fetches the bills, the keeper compares; how each account's day stands."""
        if self.clock is None:
            return {}
        from fairwatt.payments.billing import BILLING, days_between

        began_s = moved_s = time.monotonic()
        plans = {account: BILLING[dialect] for dialect, account in crowd.accounts.items()}
        last_us = self.now_us()
        days = [
            (account, day)
            for account, billing in plans.items()
            for day in days_between(billing.day_of(self._began_us), billing.day_of(last_us))
        ]
        ready_us = [one.span(one.day_of(last_us))[1] + one.ready_us for one in plans.values()]
        self.clock.set(domain_us=max(ready_us) + 60_000_000, speed=1)
        await asyncio.to_thread(self.services.kill, "collector")
        found: Days = {}
        while time.monotonic() - moved_s < MORNING_S:
            agreeing = [day for day in days if day in found and found[day].state == "agrees"]
            self.tell("holding the day's bills against the ledger", len(agreeing), len(days))
            if len(agreeing) == len(days):
                break
            left = [day for day in days if day not in agreeing]
            now = await asyncio.to_thread(self._compared, left)
            if any(found.get(day) != one for day, one in now.items()):
                found, moved_s = {**found, **now}, time.monotonic()
            else:
                await asyncio.sleep(2)
        self.marks["morning_s"] = time.monotonic() - began_s
        return found

    def _compared(self, days: list[tuple[int, str]]) -> Days:
        from fairwatt.flows.reconciling.reconcile_day import reconcile_day
        from fairwatt.payments.reconcile import Drift

        out: Days = {}
        for account, day in days:
            if not self._billed(account, day):
                out[account, day] = Compared("open", "no_bill", [], 0)
                continue
            done = reconcile_day(account_id=account, day=day, now_us=self.now_us())
            version = done.version
            # The drill's homes have no meters: what is not told to one says nothing here.
            left = [str(one.kind) for one in done.open if one.kind is not Drift.METER_NOT_TOLD]
            state = "agrees" if version.state == "differs" and not left else version.state
            out[account, day] = Compared(state, version.reason, left, version.totals["found_by_bill"])
        return out

    def _billed(self, account: int, day: str) -> bool:
        from django.db import connection, transaction

        from fairwatt.flows.reconciling import bills
        from fairwatt.store import facts

        with transaction.atomic(), connection.cursor() as cursor:
            facts.see_books(cursor=cursor, books=[self.book])
            return bills.in_force(bills.heard(cursor=cursor, account=account, day=day)) is not None

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
            "payments": self.plan.count,
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

"""The morning after a payments drill: the bills are there, and the product holds each day against them itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fairwatt.server.clock import ClockFile
from fairwatt.server.launcher.services import Services
from fairwatt.simulate.pay.books import Dialect
from fairwatt.simulate.paydrill.plan import Tell

MORNING_S: Final = 600.0
"""Nothing moves for so long: the morning is over."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How a day of an account stands, as the product itself compared it."""

    state: str
    reason: str
    left: list[str]
    found: int


type Days = dict[tuple[int, str], Compared]


@dataclass(frozen=True, kw_only=True)
class Morning:
    """The next day's beginning: `pass_by` moves the clock there, and waits until each day agrees."""

    services: Services
    clock: ClockFile
    book: int
    accounts: Mapping[Dialect, int]
    tell: Tell
    mark: Callable[[], None] = lambda: None
    """called again and again, while it waits"""

    async def pass_by(self, *, began_us: int) -> Days:
        """The collector fetches the bills, the keeper compares; how each account's day since `began_us` stands."""
        from fairwatt.payments.billing import BILLING, days_between

        plans = {account: BILLING[dialect] for dialect, account in self.accounts.items()}
        last_us = self.clock.now_us()
        days = [
            (account, day)
            for account, billing in plans.items()
            for day in days_between(billing.day_of(began_us), billing.day_of(last_us))
        ]
        ready_us = [one.span(one.day_of(last_us))[1] + one.ready_us for one in plans.values()]
        self.clock.set(domain_us=max(ready_us) + 60_000_000, speed=1)
        await asyncio.to_thread(self.services.kill, "collector")
        found: Days = {}
        moved_s = time.monotonic()
        while time.monotonic() - moved_s < MORNING_S:
            self.mark()
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
        return found

    def _compared(self, days: list[tuple[int, str]]) -> Days:
        from fairwatt.flows.reconciling.reconcile_day import reconcile_day
        from fairwatt.payments.reconcile import Drift

        out: Days = {}
        for account, day in days:
            if not self._billed(account, day):
                out[account, day] = Compared("open", "no_bill", [], 0)
                continue
            done = reconcile_day(account_id=account, day=day, now_us=self.clock.now_us())
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

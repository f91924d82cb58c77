"""Providers' bills of a day: fetched when they are due, kept, and what only they tell of is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog
from django.db import connection

from fairwatt.flows.reconciling import bill_desk
from fairwatt.payments.billing import BILLING
from fairwatt.payments.contract import Bill, BillCorrupt, BillKind, BillNotReady
from fairwatt.payments.exchange import Exchange, Moment, ProviderTrouble

if TYPE_CHECKING:
    from fairwatt.flows.merchants import Merchant

log = structlog.get_logger(__name__)

LOOK_S: Final = 15.0
"""How often the calendar is looked at."""


class Bills:
    """Fetches the bills of every account, one after another."""

    def __init__(
        self,
        *,
        now_us: Callable[[], int],
        merchant: Callable[[int], Merchant],
        carry: Callable[[Merchant, Callable[[Moment], Exchange[Bill]]], Bill],
        ask: Callable[[int], None],
        read_day: Callable[[int, tuple[int, int]], None],
    ) -> None:
        """`carry` asks a provider, `ask` asks about one intent, `read_day` takes in what payers began.

        All are the collector's.
        """
        self._now_us, self._merchant, self._carry, self._ask = now_us, merchant, carry, ask
        self._read_day = read_day

    def look(self) -> int:
        """Fetch what is due; how many bills came. An account that fails stops no other."""
        came = 0
        for due in bill_desk.due(now_us=self._now_us()):
            if not bill_desk.take(due=due, now_us=self._now_us()):
                continue
            try:
                came += self.fetch(due)
            except Exception:
                # It is taken up again when its time in hand is over.
                log.error("bills.failed", account=due.account, day=due.day, exc_info=True)
                connection.close()
        return came

    def fetch(self, due: bill_desk.BillDue) -> bool:
        """Fetch one bill and follow what it tells; False where it did not come."""
        try:
            merchant = self._merchant(due.account)
            bill = self._carry(
                merchant,
                lambda at: merchant.provider.fetch_bill(day=due.day, kind=BillKind.TRADE, at=at),
            )
        except (BillNotReady, BillCorrupt, ProviderTrouble) as trouble:
            state = (
                "late"
                if isinstance(trouble, BillNotReady)
                else "corrupt"
                if isinstance(trouble, BillCorrupt)
                else "refused"
            )
            log.warning("bills.trouble", account=due.account, day=due.day, state=state)
            bill_desk.note_no_bill(due=due, state=state, detail=str(trouble), now_us=self._now_us())
            return False
        number, new = bill_desk.note_bill(due=due, bill=bill, now_us=self._now_us())
        if new:
            log.info("bills.came", account=due.account, day=due.day, rows=len(bill.rows))
        # Also where it was had before: whoever kept it then may not have come to this.
        self._take_in(due)
        self._follow(due, number)
        return True

    def _take_in(self, due: bill_desk.BillDue) -> None:
        """Take in what payers began by themselves that day. Where that fails now, the list is read again soon."""
        try:
            self._read_day(due.account, BILLING[due.provider].span(due.day))
        except (BillCorrupt, ProviderTrouble):
            log.warning("bills.list_trouble", account=due.account, day=due.day)

    def _follow(self, due: bill_desk.BillDue, bill: int) -> None:
        """Ask about what nobody told us of; what asking does not tell is left to the poster on the bill's word."""
        found = bill_desk.unheard(due=due, bill=bill)
        for one in found:
            if one.open:
                self._ask(one.intent)
                bill_desk.note_asked(due=due, bill=bill, one=one, now_us=self._now_us())
        asked = {one.intent for one in found if one.open}
        for one in bill_desk.unheard(due=due, bill=bill) if found else ():
            if one.intent not in asked or not bill_desk.paid_by_now(one=one):
                bill_desk.leave_billed(due=due, bill=bill, one=one, now_us=self._now_us())

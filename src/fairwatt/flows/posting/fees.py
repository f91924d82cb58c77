"""A fee run, posted: one fee, one period, every stay in it.

What it charges is worked out here from what people wrote down, never taken from the fact.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from fairwatt.core.costs.calendar import Calendar, Every, Run, runs, split_by_days
from fairwatt.core.ledger.model import REVENUE_FEE
from fairwatt.core.spans import local_date
from fairwatt.core.units import BP
from fairwatt.flows.posting.taking import CostDesk, CostRefused, CostsPosted, Owed, charge_owed, take_back
from fairwatt.store import costs, stays
from fairwatt.store.costs import FeeTerms
from fairwatt.store.posting import EventRow
from fairwatt.store.stays import Stay

AREA_UNIT_DM2: Final = 100
"""Fees by area are per square metre; areas are kept in hundredths of one."""
_LISTED: Final = 20


def post_fee_run(desk: CostDesk, *, fee_id: int, due: str) -> CostsPosted:
    """Charge one fee for the period that fell due on a local date. Raises CostRefused."""
    found = costs.fee_terms(cursor=desk.cursor, book=desk.state.book, fee=fee_id)
    if not found:
        raise _refuse("unknown_fee", f"this book has no fee {fee_id}; nothing was charged")
    fee = found[0]
    today = local_date(zone=desk.state.zone, at_us=desk.now_us)
    run = next((run for run in fee_runs(fee=fee, through=today) if run.due.isoformat() == due), None)
    if run is None:
        raise _refuse(
            "fee_not_due", f"{fee.name} does not fall due on {due[:20]}, or not yet; nothing was charged"
        )
    owed, without_area = owed_for(
        cursor=desk.cursor, book=desk.state.book, zone=desk.state.zone, fee=fee, run=run
    )
    posted, rows = charge_owed(desk, owed)
    figures = {
        "fee": fee.fee,
        "first_day": run.first.isoformat(),
        "end_day": run.end.isoformat(),
        "charged": len(rows),
        "amount_micro": sum(row.due_micro + row.tax_micro for row in rows),
        "taken_micro": sum(row.taken_micro for row in rows),
        "arrears_micro": sum(row.arrears_micro for row in rows),
    }
    missing: dict[str, Any] = {"without_area": without_area[:_LISTED]} if without_area else {}
    posted.events.append(
        EventRow(kind="fee.run", at_us=desk.now_us, rule="fees.calendar", evidence={**figures, **missing})
    )
    posted.result = {"outcome": "charged", **figures, **missing}
    return posted


def fee_runs(*, fee: FeeTerms, through: date) -> list[Run]:
    """The runs of a fee that fell due up to a date."""
    return list(runs(calendar=calendar_of(fee), first=fee.first_day, end=fee.end_day, through=through))


def calendar_of(fee: FeeTerms) -> Calendar:
    """When a fee falls due."""
    return Calendar(every=Every(fee.every), day=fee.day, month=fee.month, advance=fee.advance)


def owed_for(*, cursor: Any, book: int, zone: str, fee: FeeTerms, run: Run) -> tuple[list[Owed], list[str]]:
    """What each stay owes for one run, and the labels of units whose area is not known."""
    first, end = run.first, run.end
    paid_ahead = fee.advance or fee.every == Every.ONCE
    if paid_ahead:
        # Who lives there when it falls due owes the whole period: nobody knows yet who will come.
        end = first + timedelta(days=1)
    lived = stays.stays_in(cursor=cursor, book=book, site=None, zone=zone, first=first, end=end)
    accounts = stays.landlords(cursor=cursor, book=book)
    units: dict[int, list[Stay]] = {}
    for stay in lived:
        if fee.unit in (None, stay.unit):
            units.setdefault(stay.unit, []).append(stay)
    owed: list[Owed] = []
    without_area = []
    for mine in units.values():
        area = mine[0].area_dm2
        if fee.by_area and not area:
            without_area.append(mine[0].label)
            continue
        amount = fee.amount_micro * area // AREA_UNIT_DM2 if fee.by_area else fee.amount_micro
        days = [run.days] if paid_ahead else [stay.days for stay in mine]
        parts = split_by_days(amount_micro=amount, days=days, whole_days=run.whole_days)
        for stay, stayed, part in zip(mine, days, parts, strict=True):
            if part:
                span = (run.first, run.end) if paid_ahead else (stay.first, stay.end)
                owed.append(_owed(fee, run, stay, span, stayed, amount, part, accounts))
    return owed, without_area


def _owed(
    fee: FeeTerms,
    run: Run,
    stay: Stay,
    span: tuple[date, date],
    days: int,
    whole_micro: int,
    net_micro: int,
    accounts: dict[int, int],
) -> Owed:
    return Owed(
        key=f"fee:{fee.fee}:{stay.unit}:{span[0].isoformat()}",
        kind="fee",
        account=REVENUE_FEE + fee.category,
        wallet=accounts.get(stay.site) if stay.resident is None else stay.resident,
        unit=stay.unit,
        fee=fee.fee,
        first_day=span[0],
        end_day=span[1],
        priority=fee.priority,
        net_micro=net_micro,
        tax_micro=net_micro * fee.tax_bp // BP,
        inputs={
            "whole_micro": whole_micro,
            "days": days,
            "whole_days": run.whole_days,
            "area_dm2": stay.area_dm2 if fee.by_area else 0,
            "vacant": stay.resident is None,
        },
    )


def post_entry_reversal(desk: CostDesk, *, entry: int) -> CostsPosted:
    """Take one fee back, as a person decided and recorded. Raises CostRefused."""
    found = costs.standing(cursor=desk.cursor, book=desk.state.book, entries=[entry])
    step = reversal_step(desk, entry=entry)
    if not found or step is None:
        raise _refuse(
            "unknown_reversal", f"nobody recorded the reversal of entry {entry} of this book; nothing moved"
        )
    posted = take_back(desk, found, reason=step)
    posted.events.append(
        EventRow(
            kind="cost.reversed",
            at_us=desk.now_us,
            wallet=found[0].wallet,
            evidence={"entry": entry, "amount_micro": found[0].taken_micro, "reason": step},
        )
    )
    posted.result = {"outcome": "reversed", "entries": len(posted.lines)}
    return posted


def reversal_step(desk: CostDesk, *, entry: int | None = None, allocation: int | None = None) -> str | None:
    """The reason a person gave for a reversal, or None when nobody recorded one."""
    desk.cursor.execute(
        "SELECT reason FROM store_coststep WHERE book = %s AND kind = 'reversed' AND share IS NULL "
        "AND (entry = %s OR allocation = %s)",
        [desk.state.book, entry, allocation],
    )
    row = desk.cursor.fetchone()
    return None if row is None else str(row[0])


def _refuse(code: str, detail: str) -> CostRefused:
    return CostRefused(code, detail)

"""Emergency credit or a debt explained: from the entry the poster made of it, worked out again by the same rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from fairwatt.core.credit.owing import Debt, DebtPlan, instalment, split_top_up
from fairwatt.core.rating.explain import Difference
from fairwatt.flows.explaining.account import LineAccount
from fairwatt.store.credit_entries import Entry, entry_of


def explain_credit(cursor: Any, account: LineAccount) -> LineAccount:
    """What was lent, repaid or recovered and why; the entry works out to the same amount as the line."""
    entry = entry_of(cursor=cursor, book=account.line.book, entry=account.line.ref)
    told: dict[str, str | int] = {"entry": account.line.ref}
    if entry is None:
        return replace(account, facts=told, recomputed=False)
    told |= {"what": entry.kind, "fact": entry.fact}
    told |= {name: value for name, value in entry.inputs.items() if isinstance(value, (str, int))}
    after = replace(account, facts=told, recomputed=True)
    amount = again(entry)
    if amount == account.line.amount_micro:
        return after
    return after.with_differences(Difference("amount_micro", account.line.amount_micro, amount))


def again(entry: Entry) -> int:
    """What an entry moves the wallet by, worked out from what was known then."""
    said = entry.inputs
    match entry.kind:
        case "repaid":
            split = split_top_up(
                paid_micro=said["paid_micro"], emergency_owed_micro=said["emergency_owed_micro"], debts=()
            )
            return -split.emergency_micro
        case "share":
            cap = said["week_cap_micro"]
            plan = DebtPlan(share_bp=said["share_bp"], week_cap_micro=None if cap < 0 else cap)
            debt = Debt(entry.rule or 0, said["owed_micro"], plan, said["taken_this_week_micro"])
            split = split_top_up(
                paid_micro=said["paid_micro"],
                emergency_owed_micro=said["emergency_owed_micro"],
                debts=(debt,),
            )
            # Where several debts ask for all of a top-up, the earlier one leaves less.
            return -min(split.debt_micro, int(said["left_micro"]))
        case "instalment":
            day = date.fromisoformat(said["day"])
            plan = DebtPlan(
                daily_micro=said["daily_micro"], weekly_micro=said["weekly_micro"], weekday=day.weekday()
            )
            return -instalment(
                debt=Debt(entry.rule or 0, said["owed_micro"], plan),
                day=day,
                available_micro=said["available_micro"],
                reserve_micro=said["reserve_micro"],
            )
        case _:
            return entry.line_micro

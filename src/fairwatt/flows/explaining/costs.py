"""A fee, a share or a reversal explained: from the entry the poster made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fairwatt.core.rating.explain import Difference
from fairwatt.flows.explaining.account import LineAccount
from fairwatt.store.models import Allocation, AllocationShare, CostEntry, Fee


def explain_cost(cursor: Any, account: LineAccount) -> LineAccount:
    """What was owed, what the wallet gave for it, what stays open; the entry says the same amount as the line."""
    entry = CostEntry.objects.filter(pk=account.line.ref, book=account.line.book).first()
    told: dict[str, str | int] = {"entry": account.line.ref}
    if entry is None:
        return replace(account, facts=told, recomputed=False)
    told |= {"fact": entry.fact, "name": _name(entry), "owed_micro": entry.due_micro + entry.tax_micro}
    told |= {"taken_micro": entry.taken_micro, "arrears_micro": entry.arrears_micro}
    if entry.of is not None:
        told["of_entry"] = entry.of
    told |= {
        name: value
        for name, value in entry.inputs.items()
        if isinstance(value, (str, int)) and not isinstance(value, bool)
    }
    after = replace(account, facts=told, recomputed=True)
    if -entry.taken_micro == account.line.amount_micro:
        return after
    return after.with_differences(Difference("amount_micro", account.line.amount_micro, -entry.taken_micro))


def _name(entry: CostEntry) -> str:
    if entry.fee is not None:
        return str(Fee.objects.filter(pk=entry.fee or 0).values_list("name", flat=True).first() or "")
    if "package" in entry.inputs:
        return str(entry.inputs["package"])
    allocation = AllocationShare.objects.filter(pk=entry.share or 0).values("allocation_id")
    return str(Allocation.objects.filter(pk__in=allocation).values_list("title", flat=True).first() or "")

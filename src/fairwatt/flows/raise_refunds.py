"""Refunds whose credit came back from every gateway become facts: asked by the clock of the poster's process."""

from __future__ import annotations

from typing import Any

from fairwatt.core.ids import recalled_key
from fairwatt.flows.posting.refunding import gave_back
from fairwatt.store import facts, refunds


def raise_refunds(*, cursor: Any, book: int, now_us: int) -> int:
    """Write a fact for each refund that may be recalled by now; the poster looks again. Return how many are new."""
    raised = 0
    for refund, wallet, since_batch in refunds.waiting_for_recall(cursor=cursor, book=book):
        found = refunds.recalls(cursor=cursor, book=book, wallet=wallet, since_batch=since_batch)
        if not all(gave_back(one, read_us=one.read_us) for one in found):
            continue
        # Behind several gateways it is leases that count, which the poster alone knows: each reading is worth a look.
        read_us = sum(one.read_us for one in found)
        _, fresh = facts.add(
            cursor=cursor,
            book=book,
            kind="refund_recalled",
            natural_key=recalled_key(refund=refund, read_us=read_us),
            wallet=wallet,
            payload={"refund": refund},
            raw=b"",
            now_us=now_us,
        )
        raised += fresh
    return raised

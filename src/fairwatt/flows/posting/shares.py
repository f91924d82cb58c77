"""The shares of a published allocation, posted when nobody objects any more; a held share waits alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from fairwatt.core.costs.proof import ProofError, verify
from fairwatt.core.ledger.model import RECOVERY_SHARED
from fairwatt.flows.posting.fees import reversal_step
from fairwatt.flows.posting.taking import CostDesk, CostRefused, CostsPosted, Owed, charge_owed, take_back
from fairwatt.store import costs, stays
from fairwatt.store.facts import written_by_web
from fairwatt.store.posting import EventRow

SHARE_PRIORITY: Final = 10
"""Shares of common costs come before fees of the usual priority (50)."""


@dataclass(frozen=True, kw_only=True)
class _Share:
    share: int
    wallet: int | None
    unit: int | None
    key: str
    first_day: date
    end_day: date
    amount_micro: int
    step: str | None
    decided_micro: int | None


def post_allocation(desk: CostDesk, *, allocation: int) -> CostsPosted:
    """Post every share that nobody holds. Raises CostRefused."""
    return _post(desk, allocation, None)


def post_share(desk: CostDesk, *, share: int) -> CostsPosted:
    """Post one share whose objection was decided. Raises CostRefused."""
    desk.cursor.execute(
        "SELECT allocation_id FROM store_allocationshare WHERE id = %s AND book = %s",
        [share, desk.state.book],
    )
    row = desk.cursor.fetchone()
    if row is None:
        raise _refuse("unknown_allocation", f"this book has no share {share}; nothing was charged")
    return _post(desk, int(row[0]), share)


def post_allocation_reversal(desk: CostDesk, *, allocation: int) -> CostsPosted:
    """Take back everything an allocation charged, as a person decided and recorded. Raises CostRefused."""
    step = reversal_step(desk, allocation=allocation)
    if step is None:
        raise _refuse(
            "unknown_reversal", f"nobody recorded the reversal of allocation {allocation}; nothing moved"
        )
    entries = costs.of_allocation(cursor=desk.cursor, book=desk.state.book, allocation=allocation)
    posted = take_back(desk, entries, reason=step)
    posted.events.append(
        EventRow(
            kind="cost.reversed",
            at_us=desk.now_us,
            evidence={
                "allocation": allocation,
                "shares": len(entries),
                "amount_micro": sum(one.taken_micro for one in entries if not one.reversed),
                "reason": step,
            },
        )
    )
    posted.result = {"outcome": "reversed", "entries": len(entries)}
    return posted


def _post(desk: CostDesk, allocation: int, only: int | None) -> CostsPosted:
    site, title, body = _published(desk, allocation)
    if reversal_step(desk, allocation=allocation) is not None:
        raise _refuse(
            "allocation_reversed", f"{title} was taken back before this share was posted; nothing was charged"
        )
    costs.lock_shares(cursor=desk.cursor, allocation=allocation)
    listed = _shares(desk, allocation)
    _prove(body, listed)
    accounts = stays.landlords(cursor=desk.cursor, book=desk.state.book)
    owed: list[Owed] = []
    held = 0
    for one in listed:
        if only is not None and one.share != only:
            continue
        if one.step == "objected":
            held += 1
            continue
        owed += _owed(one, accounts.get(site), allocation)
    posted, rows = charge_owed(desk, owed)
    figures = {
        "allocation": allocation,
        "shares": len(rows),
        "held": held,
        "amount_micro": sum(row.due_micro for row in rows),
        "taken_micro": sum(row.taken_micro for row in rows),
        "arrears_micro": sum(row.arrears_micro for row in rows),
    }
    posted.events.append(
        EventRow(kind="shared.posted", at_us=desk.now_us, rule="shared.window_over", evidence=dict(figures))
    )
    posted.result = {"outcome": "charged", **figures}
    return posted


def post_publication(desk: CostDesk, *, allocation: int) -> CostsPosted:
    """Say until when residents may object to a published cost; nothing is charged yet. Raises CostRefused."""
    if written_by_web(cursor=desk.cursor, fact=desk.fact):
        raise _refuse(
            "not_authorised", "a web process asked for it; the poster's own clock does, and nobody else"
        )
    ends_us = costs.window_ends_us(cursor=desk.cursor, allocation=allocation)
    if ends_us is None:
        raise _refuse("unknown_allocation", f"allocation {allocation} is not published; nothing moved")
    evidence = {"allocation": allocation, "until_us": ends_us}
    return CostsPosted(
        events=[
            EventRow(kind="shared.published", at_us=desk.now_us, rule="shared.window", evidence=evidence)
        ],
        result={"outcome": "seen", **evidence},
    )


def _published(desk: CostDesk, allocation: int) -> tuple[int, str, dict[str, Any]]:
    """(site, title, proof) of an allocation whose objection window is over."""
    desk.cursor.execute(
        f"SELECT a.site_id, a.title, {costs.WINDOW_ENDS}, p.body::text, a.total_micro FROM store_allocation a "
        "JOIN store_allocationproof p ON p.allocation_id = a.id WHERE a.id = %s AND a.book_id = %s",
        [allocation, desk.state.book],
    )
    row = desk.cursor.fetchone()
    if row is None:
        raise _refuse(
            "unknown_allocation",
            f"allocation {allocation} is not published in this book; nothing was charged",
        )
    site, title, ends_us, body, total = row
    if ends_us is None or int(ends_us) > desk.now_us:
        raise _refuse("objections_open", f"residents may still object to {title}; nothing was charged")
    content: dict[str, Any] = json.loads(body)
    if content.get("total_micro") != int(total):
        raise _refuse(
            "allocation_does_not_add_up", f"the proof of {title} is about another total; nothing was charged"
        )
    return int(site), title, content


def _shares(desk: CostDesk, allocation: int) -> list[_Share]:
    desk.cursor.execute(
        "SELECT s.id, s.wallet, s.unit, s.key, s.first_day, s.end_day, s.amount_micro, d.kind, d.amount_micro "
        "FROM store_allocationshare s LEFT JOIN LATERAL (SELECT kind, amount_micro FROM store_coststep c "
        "WHERE c.share = s.id AND c.book = s.book ORDER BY c.id DESC LIMIT 1) d ON true "
        "WHERE s.allocation_id = %s AND s.book = %s ORDER BY s.id",
        [allocation, desk.state.book],
    )
    names = _Share.__dataclass_fields__
    return [_Share(**dict(zip(names, row, strict=True))) for row in desk.cursor.fetchall()]


def _prove(body: dict[str, Any], listed: list[_Share]) -> None:
    """The rows are those of the proof, and the proof adds up: whoever wrote them is not trusted."""
    try:
        faults = verify(body).faults
    except ProofError as error:
        raise _refuse("allocation_does_not_add_up", str(error)) from error
    proved = {row["unit"]: row["amount_micro"] for row in body["shares"]}
    if faults or proved != {one.key: one.amount_micro for one in listed}:
        detail = "; ".join(faults[:3]) or "the shares are not those of the published proof"
        raise _refuse("allocation_does_not_add_up", f"{detail}; nothing was charged")


def _owed(one: _Share, landlord: int | None, allocation: int) -> list[Owed]:
    """What a share asks of its payer; after an objection was upheld, the landlord carries the difference."""
    amount = one.amount_micro
    if one.step == "upheld":
        if one.decided_micro is None or not 0 <= one.decided_micro <= amount:
            raise _refuse(
                "decision_out_of_range", f"share {one.share} was decided to another sum; nothing was charged"
            )
        amount = one.decided_micro
    rest = one.amount_micro - amount
    payer = landlord if one.wallet is None else one.wallet
    asked = [(f"share:{one.share}", payer, amount)]
    if rest:
        asked.append((f"share:{one.share}:landlord", landlord, rest))
    return [
        Owed(
            key=key,
            kind="share",
            account=RECOVERY_SHARED,
            wallet=wallet,
            unit=one.unit,
            share=one.share,
            first_day=one.first_day,
            end_day=one.end_day,
            priority=SHARE_PRIORITY,
            net_micro=micro,
            inputs={"allocation": allocation, "unit": one.key, "published_micro": one.amount_micro},
        )
        for key, wallet, micro in asked
        if micro
    ]


def _refuse(code: str, detail: str) -> CostRefused:
    return CostRefused(code, detail)

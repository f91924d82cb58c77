"""Fees and shares become lines: what each wallet pays now, what stays open, and who carries what is vacant.

Whatever is asked, energy comes first (core.costs.taking): `available` runs along with the facts of the batch, so two
fees of one batch cannot spend the same money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.costs.taking import Arrear, FeePolicy, energy_reserve, recovers, takes
from fairwatt.core.ledger.model import (
    RECEIVABLE_FEES,
    RECEIVABLE_LANDLORD,
    RECEIVABLE_SHARED,
    RECOVERY_SHARED,
    Kind,
    Leg,
    combine,
)
from fairwatt.core.ledger.recipes import owed_legs
from fairwatt.core.spans import local_day_start
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.posting.adjusting import given_for_costs
from fairwatt.flows.posting.book_state import BookState
from fairwatt.store import costs
from fairwatt.store.costs import EntryRow, OpenEntry
from fairwatt.store.posting import LINE, EventRow

PACE_DAYS: Final = 14
"""Whole days of use over which the pace of a home is taken."""
_LINE_KIND: Final = {"fee": Kind.FEE, "share": Kind.SHARED}


class CostRefused(ValueError):
    """A fact about fees or shares that cannot be posted as it is; nothing was charged."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class CostWaits(Exception):
    """A home opened after the poster last read the configuration: it reads again, and the next batch charges."""


@dataclass(frozen=True, kw_only=True)
class CostDesk:
    """Where one fact about costs is worked on. `available` is what each wallet has at this point of the batch."""

    cursor: Any
    state: BookState
    fact: int
    now_us: int
    available: npt.NDArray[np.int64]
    before: Sequence[Mapping[str, Any]] = ()
    """the answers given earlier in this batch"""

    @property
    def batch(self) -> int:
        """The batch this fact is posted in."""
        return self.state.last_batch + 1


@dataclass(frozen=True, kw_only=True)
class Owed:
    """One amount to charge: to a wallet, or to the landlord's account where `wallet` is None."""

    key: str
    kind: str
    account: str
    wallet: int | None
    unit: int | None
    fee: int | None = None
    share: int | None = None
    first_day: date | None = None
    end_day: date | None = None
    priority: int
    net_micro: int
    tax_micro: int = 0
    inputs: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class CostsPosted:
    """What a fact about costs came to."""

    lines: list[Any] = field(default_factory=list)
    wallet_ix: list[int] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)


def charge_owed(desk: CostDesk, owed: Iterable[Owed]) -> tuple[CostsPosted, list[EntryRow]]:
    """Charge what is not charged yet, by priority; return the lines and the entries that were added."""
    asked = sorted(owed, key=lambda one: (one.priority, one.key))
    known = costs.known_keys(cursor=desk.cursor, book=desk.state.book, keys=[one.key for one in asked])
    fresh = [one for one in asked if one.key not in known]
    rule_id, policy = costs.fee_rule(cursor=desk.cursor, book=desk.state.book)
    paces = _paces(desk, [one.wallet for one in fresh if one.wallet is not None])
    left: dict[int, int] = {}
    rows = [_row(desk, one, rule_id, policy, paces, left) for one in fresh]
    return _posted(desk, rows), rows


def recover_arrears(desk: CostDesk, *, wallet_ix: int, topped_up_micro: int) -> CostsPosted | None:
    """Take what a top-up may give to arrears, energy first; None when nothing is open or nothing may be taken.

    `available` must hold the top-up already.
    """
    wallet = int(desk.state.wallets["wallet"][wallet_ix])
    waiting = costs.open_of_wallet(cursor=desk.cursor, book=desk.state.book, wallet=wallet)
    if not waiting:
        return None
    _, policy = costs.fee_rule(cursor=desk.cursor, book=desk.state.book)
    paces = _paces(desk, [wallet])
    taken = recovers(
        policy=policy,
        arrears=[Arrear(one.entry, one.priority, one.open_micro) for one in waiting],
        topped_up_micro=topped_up_micro,
        available_micro=int(desk.available[wallet_ix]),
        reserve_micro=_reserve(desk, wallet_ix, policy, paces),
    )
    if not taken:
        return None
    by_id = {one.entry: one for one in waiting}
    rows = [
        _follow_up(by_id[entry], "recovery", f"recovery:{desk.fact}:{entry}", amount)
        for entry, amount in taken
    ]
    posted = _posted(desk, rows, kinds=[_LINE_KIND[by_id[entry].kind] for entry, _ in taken])
    total = sum(amount for _, amount in taken)
    posted.events.append(
        EventRow(
            kind="arrears.recovered",
            at_us=desk.now_us,
            wallet=wallet,
            rule="fees.recovery",
            evidence={
                "amount_micro": total,
                "topped_up_micro": topped_up_micro,
                "cap_bp": policy.recovery_bp,
            },
        )
    )
    return posted


def take_all_open(desk: CostDesk, *, wallet_ix: int) -> CostsPosted | None:
    """Take what a wallet owes for fees and shares, as far as it goes: no energy needs its money any more."""
    wallet = int(desk.state.wallets["wallet"][wallet_ix])
    left, taken = int(desk.available[wallet_ix]), []
    for one in costs.open_of_wallet(cursor=desk.cursor, book=desk.state.book, wallet=wallet):
        amount = min(left, one.open_micro)
        if amount > 0:
            taken.append((one, amount))
            left -= amount
    if not taken:
        return None
    rows = [_follow_up(one, "recovery", f"recovery:{desk.fact}:{one.entry}", amount) for one, amount in taken]
    return _posted(desk, rows, kinds=[_LINE_KIND[one.kind] for one, _ in taken])


def take_back(desk: CostDesk, entries: Sequence[OpenEntry], *, reason: str) -> CostsPosted:
    """Reverse entries: wallets get back what was taken, what was still open is owed no more.

    What a ruling on a dispute gave back of an entry is not given back again.
    """
    given = given_for_costs(
        cursor=desk.cursor,
        book=desk.state.book,
        entries=[one.entry for one in entries],
        before=desk.before,
    )
    rows = [
        EntryRow(
            key=f"reversal:{one.entry}",
            kind="reversal",
            account=one.account,
            wallet=one.wallet,
            unit=one.unit,
            fee=one.fee,
            share=one.share,
            of=one.entry,
            priority=one.priority,
            due_micro=back - tax - one.due_micro,
            tax_micro=tax - one.tax_micro,
            taken_micro=back - one.taken_micro,
            arrears_micro=-one.open_micro,
            inputs={"reason": reason, "reverses": one.entry, "given_back_micro": back},
        )
        for one in entries
        if not one.reversed
        for back, tax in (given.get(one.entry, (0, 0)),)
    ]
    return _posted(desk, rows, kinds=[Kind.REVERSAL] * len(rows))


def _row(
    desk: CostDesk,
    one: Owed,
    rule_id: int,
    policy: FeePolicy,
    paces: dict[int, int],
    left: dict[int, int],
) -> EntryRow:
    owed = one.net_micro + one.tax_micro
    taken, why = 0, {}
    if one.wallet is not None:
        ix = desk.state.wallet_index.get(one.wallet)
        if ix is None:
            _wait_if_new(desk, one.wallet)
            raise _refuse(
                "cost_unknown_wallet", f"wallet {one.wallet} is not one of this book; nothing was charged"
            )
        reserve = _reserve(desk, ix, policy, paces)
        available = left.get(ix, int(desk.available[ix]))
        taken = takes(policy=policy, owed_micro=owed, available_micro=available, reserve_micro=reserve)
        left[ix] = available - taken
        why = {"available_micro": available, "reserve_micro": reserve, "day_micro": paces.get(one.wallet)}
    return EntryRow(
        key=one.key,
        kind=one.kind,
        account=one.account,
        wallet=one.wallet,
        unit=one.unit,
        fee=one.fee,
        share=one.share,
        first_day=one.first_day,
        end_day=one.end_day,
        priority=one.priority,
        due_micro=one.net_micro,
        tax_micro=one.tax_micro,
        taken_micro=taken,
        arrears_micro=owed - taken,
        inputs={**one.inputs, **why, "rule": rule_id},
    )


def _wait_if_new(desk: CostDesk, wallet: int) -> None:
    desk.cursor.execute(
        "SELECT 1 FROM store_wallet WHERE id = %s AND book_id = %s", [wallet, desk.state.book]
    )
    if desk.cursor.fetchone():
        raise CostWaits


def _follow_up(one: OpenEntry, kind: str, key: str, amount: int) -> EntryRow:
    return EntryRow(
        key=key,
        kind=kind,
        account=one.account,
        wallet=one.wallet,
        unit=one.unit,
        fee=one.fee,
        share=one.share,
        of=one.entry,
        priority=one.priority,
        due_micro=0,
        tax_micro=0,
        taken_micro=amount,
        arrears_micro=-amount,
    )


def _posted(desk: CostDesk, rows: Sequence[EntryRow], kinds: Sequence[Kind] | None = None) -> CostsPosted:
    """Add the entries, and make one line for each that moves a wallet; the legs are joined by account."""
    ids = costs.add_entries(
        cursor=desk.cursor,
        book=desk.state.book,
        batch=desk.batch,
        fact=desk.fact,
        rows=rows,
        now_us=desk.now_us,
    )
    out = CostsPosted()
    for n, (entry, row) in enumerate(zip(ids, rows, strict=True)):
        kind = kinds[n] if kinds else _LINE_KIND[row.kind]
        out.legs += owed_legs(
            currency=desk.state.currency,
            kind=kind,
            earned=row.account,
            receivable=_receivable(row),
            net_micro=row.due_micro,
            tax_micro=row.tax_micro,
            taken_micro=row.taken_micro,
        )
        if row.wallet is None or not row.taken_micro:
            continue  # a wallet that gives nothing is not moved, so nothing is decided about it either
        line = np.zeros((), dtype=LINE)
        line["ts"], line["ref"], line["kind"] = desk.now_us, entry, kind
        line["amount_micro"], line["book"] = -row.taken_micro, desk.state.book
        out.lines.append(line)
        out.wallet_ix.append(desk.state.wallet_index[row.wallet])
    out.legs = list(combine(out.legs))
    return out


def _receivable(row: EntryRow) -> str:
    if row.wallet is None:
        return RECEIVABLE_LANDLORD
    return RECEIVABLE_SHARED if row.account == RECOVERY_SHARED else RECEIVABLE_FEES


def _paces(desk: CostDesk, wallets: Sequence[int]) -> dict[int, int]:
    today_us = local_day_start(zone=desk.state.zone, at_us=desk.now_us)
    return costs.mean_days(
        cursor=desk.cursor,
        book=desk.state.book,
        zone=desk.state.zone,
        wallets=wallets,
        before_us=today_us,
        days=PACE_DAYS,
    )


def _reserve(desk: CostDesk, ix: int, policy: FeePolicy, paces: dict[int, int]) -> int | None:
    """What energy needs; a wallet that feeds no meter needs nothing but its warning level."""
    wallet = desk.state.wallets[ix]
    metered = bool(desk.state.registers_of(ix))
    read_us = int(wallet["read_us"])
    return energy_reserve(
        policy=policy,
        low_micro=int(wallet["low_micro"]),
        mean_day_micro=paces.get(int(wallet["wallet"]), None if metered else 0),
        silent_days=max(0, desk.now_us - read_us) // US_PER_DAY if read_us else 0,
    )


def _refuse(code: str, detail: str) -> CostRefused:
    return CostRefused(code, detail)

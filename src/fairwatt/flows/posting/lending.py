"""Emergency credit is lent, debts begin, and both are repaid: out of top-ups and by time, never so that debt cuts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import numpy as np

from fairwatt.core.credit.owing import instalment, split_top_up
from fairwatt.core.ledger.model import RECEIVABLE_DEBT, RECEIVABLE_EMERGENCY, Kind
from fairwatt.core.ledger.recipes import brought_debt_legs, lent_legs
from fairwatt.core.spans import date_start, local_date
from fairwatt.core.units import BP
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.store import credit_entries, credit_rules
from fairwatt.store.credit_entries import NOTHING, EntryRow, Owing
from fairwatt.store.posting import LINE, EventRow, FactAnswer

_KIND: Final = {"lent": Kind.EMERGENCY, "repaid": Kind.EMERGENCY}
_RECEIVABLE: Final = {Kind.EMERGENCY: RECEIVABLE_EMERGENCY, Kind.DEBT: RECEIVABLE_DEBT}


def week_start(*, zone: str, at_us: int) -> int:
    """When the local week began, on its Monday."""
    today = local_date(zone=zone, at_us=at_us)
    return date_start(zone=zone, day=today - timedelta(days=today.weekday()))


def owing_of(bench: Bench, wallet: int) -> Owing:
    """What a wallet owes beside its energy, with what this batch did."""
    return owing_in_book(bench, [wallet]).get(wallet, NOTHING)


def owing_in_book(bench: Bench, wallets: Sequence[int] | None) -> dict[int, Owing]:
    """The same of several wallets, or of all."""
    return credit_entries.owing(
        cursor=bench.cursor,
        book=bench.state.book,
        week_us=week_start(zone=bench.state.zone, at_us=bench.now_us),
        now_us=bench.now_us,
        wallets=wallets,
    )


def post_emergency(bench: Bench, *, wallet: int, author: int | None) -> PostedFacts:
    """Lend emergency credit: what the home's terms say, when they offer it, and not before the last was repaid."""
    ix = bench.state.wallet_index.get(wallet)
    held = bench.state.held.get(wallet)
    lent = None if held is None else held.emergency_at(at_us=bench.now_us)
    if ix is None or ix in bench.state.left or held is None or lent is None:
        return refuse_fact(
            bench, "no_emergency", "no emergency credit is offered to this home; nothing was lent"
        )
    available = int(bench.available[ix])
    if available >= max(1, lent.offered_below_micro):
        return refuse_fact(bench, "emergency_not_needed", "this home has credit of its own; nothing was lent")
    before = owing_of(bench, wallet)
    if before.emergency_micro > 0:
        return refuse_fact(
            bench, "emergency_drawn", "the last emergency credit is not repaid; nothing was lent"
        )
    inputs = {
        "rule": held.said_by.get("emergency", 0),
        "offered_below_micro": lent.offered_below_micro,
        "available_micro": available,
        "author": author or 0,
    }
    row = EntryRow(
        wallet=wallet,
        kind="lent",
        key=f"lent:{wallet}:{before.newest}",
        owed_micro=lent.amount_micro,
        line_micro=lent.amount_micro,
        inputs=inputs,
    )
    out = posted_entries(bench, [row])
    out.lent = {ix: bench.fact}
    evidence = {"amount_micro": lent.amount_micro, "fact": bench.fact, **inputs}
    out.events.append(EventRow(kind="emergency.lent", at_us=bench.now_us, wallet=wallet, evidence=evidence))
    result = {"outcome": "lent", "amount_micro": lent.amount_micro}
    out.answers.append(FactAnswer(fact=bench.fact, state="posted", result=result))
    return out


def post_debt(bench: Bench, *, rule: int) -> PostedFacts:
    """Begin a debt that people agreed to: energy that was not paid for, or what an earlier system was owed."""
    found = credit_rules.rule_of_book(cursor=bench.cursor, book=bench.state.book, rule=rule)
    if found is None or found.kind != "debt" or not found.agreed or found.wallet is None:
        return refuse_fact(bench, "unknown_debt", "nobody wrote and agreed to such a debt; nothing was moved")
    ix = bench.state.wallet_index.get(found.wallet)
    amount = found.details.get("amount_micro")
    if ix is None or type(amount) is not int or amount <= 0:
        return refuse_fact(bench, "unknown_debt", "the debt names no home of this book or no amount")
    credit_entries.plan_of(found)
    key = f"debt:{rule}"
    if credit_entries.known_keys(cursor=bench.cursor, book=bench.state.book, keys=[key]):
        return PostedFacts(
            answers=[FactAnswer(fact=bench.fact, state="posted", result={"outcome": "duplicate"})]
        )
    brought = found.details.get("origin") == "brought"
    if brought and found.by_web:
        return refuse_fact(
            bench, "not_authorised", "a web process asked for it; commissioning may, nobody else"
        )
    if not brought and amount > -int(bench.available[ix]):
        return refuse_fact(
            bench, "debt_exceeds", "the home owes less energy than this by now; nothing was moved"
        )
    row = EntryRow(
        wallet=found.wallet,
        kind="brought" if brought else "debt",
        rule=rule,
        key=key,
        owed_micro=amount,
        line_micro=0 if brought else amount,
        inputs={"amount_micro": amount, "available_micro": int(bench.available[ix])},
    )
    out = posted_entries(bench, [row])
    evidence = {"amount_micro": amount, "rule": rule}
    out.events.append(EventRow(kind="debt.begun", at_us=bench.now_us, wallet=found.wallet, evidence=evidence))
    result = {"outcome": "begun", **evidence}
    out.answers.append(FactAnswer(fact=bench.fact, state="posted", result=result))
    return out


def repay(bench: Bench, *, wallet_ix: int, paid_micro: int) -> PostedFacts | None:
    """Take out of a top-up what it repays; None when the home owes nothing beside its energy."""
    wallet = int(bench.state.wallets["wallet"][wallet_ix])
    owed = owing_of(bench, wallet)
    split = split_top_up(paid_micro=paid_micro, emergency_owed_micro=owed.emergency_micro, debts=owed.debts)
    if not split.emergency_micro and not split.debts:
        return None
    inputs = {"paid_micro": paid_micro, "emergency_owed_micro": owed.emergency_micro}
    rows = []
    if split.emergency_micro:
        rows.append(
            _taken(wallet, "repaid", f"repaid:{bench.fact}:{wallet}", split.emergency_micro, None, inputs)
        )
    by_number = {one.debt: one for one in owed.debts}
    left = paid_micro - split.emergency_micro
    for number, amount in split.debts:
        one = by_number[number]
        why = {
            **inputs,
            "owed_micro": one.owed_micro,
            "share_bp": one.plan.share_bp,
            "week_cap_micro": -1 if one.plan.week_cap_micro is None else one.plan.week_cap_micro,
            "taken_this_week_micro": one.taken_this_week_micro,
            "left_micro": left,
        }
        left -= amount
        rows.append(_taken(wallet, "share", f"share:{bench.fact}:{number}", amount, number, why))
    out = posted_entries(bench, rows)
    if split.emergency_micro and split.emergency_micro == owed.emergency_micro:
        out.repaid = {wallet_ix}
    evidence = {
        "amount_micro": split.emergency_micro + split.debt_micro,
        "emergency_micro": split.emergency_micro,
        "debt_micro": split.debt_micro,
        "paid_micro": paid_micro,
        "fact": bench.fact,
    }
    out.events.append(EventRow(kind="credit.repaid", at_us=bench.now_us, wallet=wallet, evidence=evidence))
    return out


def repay_all(bench: Bench, *, wallet_ix: int) -> PostedFacts | None:
    """Take what a person who leaves owes beside energy out of the credit that is left, emergency credit first.

    What credit does not reach stays owed by the account. None when there is nothing to take.
    """
    wallet, left = int(bench.state.wallets["wallet"][wallet_ix]), int(bench.available[wallet_ix])
    owed = owing_of(bench, wallet)
    if left <= 0 or not (owed.emergency_micro or owed.debts):
        return None
    whole = {"paid_micro": left, "emergency_owed_micro": owed.emergency_micro}
    first = min(left, owed.emergency_micro)
    rows = [_taken(wallet, "repaid", f"repaid:{bench.fact}:{wallet}", first, None, whole)] if first else []
    left -= first
    for one in owed.debts:
        part = min(left, one.owed_micro)
        if part:
            why = {
                **whole,
                "owed_micro": one.owed_micro,
                "share_bp": BP,
                "week_cap_micro": -1,
                "taken_this_week_micro": 0,
                "left_micro": left,
            }
            rows.append(_taken(wallet, "share", f"share:{bench.fact}:{one.debt}", part, one.debt, why))
            left -= part
    return posted_entries(bench, rows)


def post_instalments(bench: Bench, *, at_us: int) -> PostedFacts:
    """Take what time takes of every debt on the local day of an instant; once a day, whoever asks again."""
    day = local_date(zone=bench.state.zone, at_us=at_us)
    rows = []
    available = bench.available.copy()
    for wallet, owed in owing_in_book(bench, None).items():
        ix = bench.state.wallet_index.get(wallet)
        if ix is None or not owed.debts:
            continue
        reserve = int(bench.state.wallets["low_micro"][ix])
        for one in owed.debts:
            if one.since_us > at_us:
                continue  # it began later than that morning
            amount = instalment(debt=one, day=day, available_micro=int(available[ix]), reserve_micro=reserve)
            if amount:
                why = {
                    "day": day.isoformat(),
                    "daily_micro": one.plan.daily_micro,
                    "weekly_micro": one.plan.weekly_micro if day.weekday() == one.plan.weekday else 0,
                    "owed_micro": one.owed_micro,
                    "available_micro": int(available[ix]),
                    "reserve_micro": reserve,
                }
                key = f"instalment:{one.debt}:{day.isoformat()}"
                rows.append(_taken(wallet, "instalment", key, amount, one.debt, why))
                available[ix] -= amount
    known = credit_entries.known_keys(
        cursor=bench.cursor, book=bench.state.book, keys=[row.key for row in rows]
    )
    return posted_entries(bench, [row for row in rows if row.key not in known])


def _taken(
    wallet: int, kind: str, key: str, amount: int, rule: int | None, inputs: dict[str, Any]
) -> EntryRow:
    return EntryRow(
        wallet=wallet, kind=kind, key=key, owed_micro=-amount, line_micro=-amount, rule=rule, inputs=inputs
    )


def posted_entries(bench: Bench, rows: Sequence[EntryRow]) -> PostedFacts:
    """Add the entries, and one line for each that moves a wallet."""
    state, out = bench.state, PostedFacts()
    numbers = credit_entries.add_entries(
        cursor=bench.cursor,
        book=state.book,
        batch=state.last_batch + 1,
        fact=bench.fact,
        rows=rows,
        now_us=bench.now_us,
    )
    for number, row in zip(numbers, rows, strict=True):
        kind = _KIND.get(row.kind, Kind.DEBT)
        if row.kind == "brought":
            out.legs += brought_debt_legs(currency=state.currency, amount_micro=row.owed_micro)
            continue
        out.legs += lent_legs(
            currency=state.currency, kind=kind, receivable=_RECEIVABLE[kind], amount_micro=row.line_micro
        )
        line = np.zeros((), dtype=LINE)
        line["ts"], line["ref"], line["kind"] = bench.now_us, number, kind
        line["amount_micro"], line["book"] = row.line_micro, state.book
        ix = state.wallet_index[row.wallet]
        out.lines.append(line)
        out.wallet_ix.append(ix)
        out.moved.add(ix)
    return out

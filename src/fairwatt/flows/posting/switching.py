"""A home that paid after use pays first from now on: what it owes becomes a debt with a plan, and nobody cuts it yet.

The fact only names a wave and a home. That the wave was agreed to by a second person, that its
date has come and that the
notice was given long enough before is looked up here; done once, it is never done again.
"""

from __future__ import annotations

from datetime import timedelta

from fairwatt.core.spans import date_start, local_date
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.posting.lending import posted_entries
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.store import postpaid
from fairwatt.store.credit_entries import EntryRow
from fairwatt.store.posting import EventRow, FactAnswer


def post_switch(bench: Bench, *, wave: int, wallet: int) -> PostedFacts:
    """Change one home; its gateway gets a fresh grant, and the warnings of a prepaid home begin."""
    state = bench.state
    its = postpaid.wave_of(cursor=bench.cursor, book=state.book, wave=wave)
    home = postpaid.home_of_wave(cursor=bench.cursor, book=state.book, wave=wave, wallet=wallet)
    known = postpaid.postpaid_of(cursor=bench.cursor, book=state.book, wallet=wallet)
    ix = state.wallet_index.get(wallet)
    if its is None or home is None or known is None or ix is None:
        return refuse_fact(bench, "unknown_switch", "no wave of this book changes such a home")
    if known.switched_us is not None:
        done = {"outcome": "duplicate", "wave": known.wave or 0}
        return PostedFacts(answers=[FactAnswer(fact=bench.fact, state="posted", result=done)])
    noticed = home.noticed_us is not None and home.noticed_us + its.notice_days * US_PER_DAY <= bench.now_us
    if its.agreed is None or its.off or home.due_us > bench.now_us or not noticed:
        return refuse_fact(
            bench,
            "switch_not_due",
            "the wave is not agreed to, or its date or the days of its notice are not over; the home pays after use",
        )
    if ix in state.left:
        return refuse_fact(
            bench, "switch_moved_out", "nobody lives on this account any more; nothing was changed"
        )
    owed = max(0, -int(bench.available[ix]))
    out = PostedFacts()
    if owed:
        row = EntryRow(
            wallet=wallet,
            kind="debt",
            rule=home.debt_rule,
            key=f"switch:{wallet}",
            owed_micro=owed,
            line_micro=owed,
            inputs={"amount_micro": owed, "available_micro": -owed, "wave": wave},
        )
        out = posted_entries(bench, [row])
    grace_us = _grace(bench, its.grace_days)
    postpaid.add_switched(
        cursor=bench.cursor,
        book=state.book,
        home=home,
        owed_micro=owed,
        grace_us=grace_us,
        fact=bench.fact,
        batch=state.last_batch + 1,
        now_us=bench.now_us,
    )
    out.reload = True
    out.regrant = {wallet}
    told = {"wave": wave, "owed_micro": owed, "amount_micro": owed, "grace_us": grace_us}
    out.events.append(EventRow(kind="postpaid.switched", at_us=bench.now_us, wallet=wallet, evidence=told))
    out.answers.append(FactAnswer(fact=bench.fact, state="posted", result={"outcome": "switched", **told}))
    return out


def _grace(bench: Bench, days: int) -> int:
    """The end of the last day of grace, by the local calendar."""
    today = local_date(zone=bench.state.zone, at_us=bench.now_us)
    return date_start(zone=bench.state.zone, day=today + timedelta(days=days + 1))

"""Cuts beyond the limit are held back: supply stays on, an alarm is raised, and a person is asked.

What is held is a withholding like any other, with its rule and evidence. Everything needed to go on after a
restart is in the events: the cuts of the last hour, the alarm, and the answer to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import connection

from fairwatt.core.credit.blast import WINDOW_US, MassCuts, credit_limit
from fairwatt.core.credit.decide import Action, Reason, SupplyDecision
from fairwatt.flows.posting.book_state import BookState, register_key
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.store.caches import WITHHELD
from fairwatt.store.posting import EventRow, FactAnswer

ALARM: Final = "alarm.mass_cut"
ALLOWED: Final = "supply.mass_cut_allowed"
REFUSED: Final = "supply.mass_cut_refused"

Decisions = list[tuple[int, SupplyDecision]]


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """Decisions with the cuts that are one too many held back, and what the poster remembers of it."""

    decisions: list[Decisions]
    after: MassCuts
    events: list[EventRow]


def weigh(*, state: BookState, decisions: Sequence[Decisions], now_us: int) -> Weighed:
    """Let cuts through up to the limit of an hour; one batch beyond it, and none of its cuts is done."""
    before = state.mass_cuts
    counted = before.counted(now_us=now_us)
    wanted = {
        int(state.registers["key"][n])
        for some in decisions
        for n, decision in some
        if decision.action is Action.CUT
    }
    fresh = frozenset(wanted - counted)
    limit = credit_limit(meters=len(state.registers))
    allowed = now_us < before.allowed_until_us
    held = not allowed and (before.held_since_us is not None or len(counted) + len(fresh) > limit)
    if not (held and fresh):
        return Weighed(
            decisions=list(decisions), after=before.noted(frozenset(wanted), now_us=now_us), events=[]
        )
    evidence = {"recent": len(counted), "wanted": len(fresh), "limit": limit, "meters": len(state.registers)}
    since_us = now_us if before.held_since_us is None else before.held_since_us
    events = []
    if before.held_since_us is None:
        events = [EventRow(kind="alarm.mass_cut", at_us=now_us, rule="withhold.mass_cut", evidence=evidence)]
    spared = [
        [(n, _spared(state, n, decision, fresh, evidence)) for n, decision in some] for some in decisions
    ]
    after = replace(before.noted(frozenset(wanted) - fresh, now_us=now_us), held_since_us=since_us)
    return Weighed(decisions=spared, after=after, events=events)


def _spared(
    state: BookState, n: int, decision: SupplyDecision, fresh: frozenset[int], evidence: dict[str, int]
) -> SupplyDecision:
    if decision.action is not Action.CUT or int(state.registers["key"][n]) not in fresh:
        return decision
    return SupplyDecision(
        action=Action.WITHHOLD,
        reason=Reason.MASS_CUT,
        rule=f"{Action.WITHHOLD}.{Reason.MASS_CUT}",
        evidence=(*decision.evidence, *evidence.items()),
    )


def post_answer(bench: Bench, *, allow: bool, since_us: int, author: int) -> PostedFacts:
    """Take an administrator's answer to the alarm of that instant; anybody else's is refused."""
    bench.cursor.execute(
        "SELECT u.username FROM store_user u JOIN store_book b ON b.organisation_id = u.organisation_id "
        "WHERE b.id = %s AND u.id = %s AND u.is_active AND u.role = 'admin'",
        [bench.state.book, author],
    )
    row = bench.cursor.fetchone()
    if row is None:
        return refuse_fact(
            bench, "not_the_desk", "only an administrator of this organisation answers for this"
        )
    if bench.state.mass_cuts.held_since_us != since_us:
        return refuse_fact(bench, "not_held", "no cuts are held back since that instant")
    evidence = {"fact": bench.fact, "author": str(row[0]), "since_us": since_us}
    if allow:
        event = EventRow(kind="supply.mass_cut_allowed", at_us=bench.now_us, evidence=evidence)
    else:
        event = EventRow(kind="supply.mass_cut_refused", at_us=bench.now_us, evidence=evidence)
    return PostedFacts(
        mass_cut_allowed=allow,
        answers=[FactAnswer(fact=bench.fact, state="posted", result={"allowed": allow})],
        events=[event],
    )


def answered(*, state: BookState, allow: bool | None, now_us: int) -> BookState:
    """The state once a person answered: an hour in which the limit does not hold, or counted anew.

    Refused, the next batch that wants as many cuts raises the alarm again, and a person is asked again.
    """
    if allow is None:
        return state
    until_us = now_us + WINDOW_US if allow else 0
    return state.moved(mass_cuts=MassCuts(state.mass_cuts.recent, None, until_us))


def held_wallets(state: BookState) -> Any:
    """Wallets whose cut is held back by the limit."""
    return (state.wallets["withheld_ix"] == WITHHELD.index(str(Reason.MASS_CUT))).nonzero()[0]


def remembered(*, book: int, now_us: int) -> MassCuts:
    """What the events of a book say: cuts of the last hour, and whether somebody is still asked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT at_us, gateway, meter FROM event WHERE book = %s AND at_us > %s AND gateway IS NOT NULL "
            "AND kind IN ('supply.cut', 'supply.cut_ordered', 'gateway.local_trip') ORDER BY id",
            [book, now_us - WINDOW_US],
        )
        recent = {
            register_key(gateway=int(gateway), meter=int(meter)): int(at_us)
            for at_us, gateway, meter in cursor.fetchall()
            if meter is not None
        }
        cursor.execute(
            "SELECT kind, at_us FROM event WHERE book = %s AND kind = ANY(%s) ORDER BY id DESC LIMIT 1",
            [book, [ALARM, ALLOWED, REFUSED]],
        )
        last = cursor.fetchone()
    held = int(last[1]) if last is not None and last[0] == ALARM else None
    until_us = int(last[1]) + WINDOW_US if last is not None and last[0] == ALLOWED else 0
    return MassCuts(tuple((at_us, key) for key, at_us in recent.items()), held, until_us)

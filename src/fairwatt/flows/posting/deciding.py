"""After the money is right: who is warned, who is cut, who gets power back, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.credit.decide import Action, SupplyDecision, SupplyFacts, decide_supply
from fairwatt.flows.posting.book_state import BookState
from fairwatt.store.caches import WITHHELD
from fairwatt.store.posting import EventRow

Int64s = npt.NDArray[np.int64]

LEVELS: Final = ("none", "low", "critical", "empty")
RELAY_OPEN, RELAY_CLOSED, RELAY_LEAVE = 0, 1, 2


@dataclass(kw_only=True)
class Decided:
    """Relay wishes by wallet index, wallets whose flags moved, and the rows that explain them."""

    relay: dict[int, tuple[int, str]] = field(default_factory=dict)
    """wallet index -> (relay order, reason)"""
    flagged: set[int] = field(default_factory=set)
    warned: set[int] = field(default_factory=set)
    events: list[EventRow] = field(default_factory=list)


def decide(
    *,
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    touched: Int64s,
    credited: set[int],
    doubtful: set[int],
    answered: set[int],
    now_us: int,
) -> Decided:
    """Warn and decide for every touched wallet; move the flags in `wallets`.

    `doubtful`: wallets with a quarantined reading in this batch. `answered`: facts of this batch.
    """
    out = Decided()
    available = wallets["balance_micro"][touched] - wallets["held_micro"][touched]
    level = _levels(wallets, touched, available)
    for ix in credited:
        # Credit starts a new story: somebody who is still low after paying is told so again.
        wallets["level"][ix] = 0
        wallets["warned_us"][ix] = 0
    worse = level > wallets["level"][touched]
    moved = level != wallets["level"][touched]
    for n in np.flatnonzero(worse):
        _warn(state, wallets, out, int(touched[n]), int(level[n]), int(available[n]), now_us)
    for n in np.flatnonzero(moved):
        ix = int(touched[n])
        wallets["level"][ix] = level[n]
        if level[n] == 0:
            wallets["warned_us"][ix] = 0
        out.flagged.add(ix)
    critical = (available <= 0) | wallets["cut_by_credit"][touched] | (wallets["withheld_ix"][touched] > 0)
    candidates = touched[critical]
    paying = _paying(cursor, state, wallets, candidates, answered)
    for ix in candidates.tolist():
        _decide_wallet(state, registers, wallets, out, ix, paying, doubtful, now_us)
    return out


def _levels(wallets: npt.NDArray[Any], touched: Int64s, available: Int64s) -> Int64s:
    low, critical = wallets["low_micro"][touched], wallets["critical_micro"][touched]
    level = (available < low).astype(np.int64)
    level[available < critical] = 2
    level[available <= 0] = 3
    return level


def _warn(
    state: BookState,
    wallets: npt.NDArray[Any],
    out: Decided,
    ix: int,
    level: int,
    available_micro: int,
    now_us: int,
) -> None:
    if wallets["warned_us"][ix] == 0:
        wallets["warned_us"][ix] = now_us
    out.warned.add(ix)
    out.events.append(
        EventRow(
            kind=f"warning.{LEVELS[level]}",
            at_us=now_us,
            wallet=int(wallets["wallet"][ix]),
            reason=LEVELS[level],
            rule="credit.threshold",
            evidence={"available_micro": available_micro, "low_micro": int(wallets["low_micro"][ix])},
        )
    )


def _paying(
    cursor: Any, state: BookState, wallets: npt.NDArray[Any], candidates: Int64s, answered: set[int]
) -> set[int]:
    """Wallets with a payment that is confirmed but not yet credited."""
    if not len(candidates):
        return set()
    cursor.execute(
        "SELECT id, wallet FROM fact WHERE book = %s AND state = 'waiting' AND kind = 'payment' AND wallet = ANY(%s)",
        [state.book, wallets["wallet"][candidates].tolist()],
    )
    waiting = {state.wallet_index[int(w)] for fact, w in cursor.fetchall() if int(fact) not in answered}
    return waiting | state.in_review


def _decide_wallet(
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    out: Decided,
    ix: int,
    paying: set[int],
    doubtful: set[int],
    now_us: int,
) -> None:
    wallet = wallets[ix]
    mine = state.registers_of(ix)
    facts = SupplyFacts(
        available_micro=int(wallet["balance_micro"] - wallet["held_micro"]),
        relay_closed=_relay_closed(registers, mine),
        warned_at_us=int(wallet["warned_us"]) or None,
        payment_in_flight=ix in paying,
        protected=bool(wallet["protected"]),
        feeds_gateway=any(bool(registers["feeds_gateway"][n]) for n in mine),
        quarantined=ix in doubtful,
        newest_reading_us=int(wallet["read_us"]) or None,
        cut_by_credit=bool(wallet["cut_by_credit"]),
        ordered_closed=_ordered_closed(state, mine),
    )
    decision = decide_supply(facts=facts, policy=state.policies[int(wallet["policy_ix"])], now_us=now_us)
    _apply(wallets, out, ix, facts, decision, now_us)


def _apply(
    wallets: npt.NDArray[Any],
    out: Decided,
    ix: int,
    facts: SupplyFacts,
    decision: SupplyDecision,
    now_us: int,
) -> None:
    reason = str(decision.reason)
    withheld = 0
    if decision.action is Action.CUT:
        wallets["cut_by_credit"][ix] = True
        out.relay[ix] = (RELAY_OPEN, reason)
    elif decision.action is Action.RESTORE:
        out.relay[ix] = (RELAY_CLOSED, reason)
    elif decision.action is Action.WITHHOLD:
        withheld = WITHHELD.index(reason)
        if facts.ordered_closed is False:
            out.relay[ix] = (RELAY_CLOSED, reason)
    changed = withheld != int(wallets["withheld_ix"][ix])
    if changed:
        wallets["withheld_ix"][ix] = withheld
        out.flagged.add(ix)
    if decision.action in (Action.CUT, Action.RESTORE) or (withheld and changed):
        out.flagged.add(ix)
        out.events.append(
            EventRow(
                kind=f"supply.{'withheld' if withheld else decision.action}",
                at_us=now_us,
                wallet=int(wallets["wallet"][ix]),
                reason=reason,
                rule=decision.rule,
                evidence=dict(decision.evidence),
            )
        )


def _relay_closed(registers: npt.NDArray[Any], mine: list[int]) -> bool | None:
    seen = {int(registers["relay"][n]) for n in mine}
    if RELAY_CLOSED in seen:
        return True
    return False if seen == {RELAY_OPEN} else None


def _ordered_closed(state: BookState, mine: list[int]) -> bool | None:
    orders = [
        state.orders[n].relay for n in mine if n in state.orders and state.orders[n].relay != RELAY_LEAVE
    ]
    return orders[-1] == RELAY_CLOSED if orders else None

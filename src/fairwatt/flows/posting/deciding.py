"""After the money is right: who is warned, who is cut, who gets power back, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from fairwatt.core.alarms.restoring import SPACING, Closing, stagger
from fairwatt.core.credit.blast import MassCuts
from fairwatt.core.credit.decide import Action, Reason, SupplyDecision, SupplyFacts, decide_supply
from fairwatt.core.credit.levels import LEVEL_NAMES, WarningLevel
from fairwatt.core.credit.policy import Why
from fairwatt.flows.posting.book_state import BookState, OpenOrder
from fairwatt.flows.posting.leasing import NOWHERE, Apart
from fairwatt.flows.posting.mass_cuts import weigh
from fairwatt.store.caches import WITHHELD
from fairwatt.store.posting import EventRow
from fairwatt.wire.commands import RelayOrder
from fairwatt.wire.records import Relay

Int64s = npt.NDArray[np.int64]


@dataclass(kw_only=True)
class Decided:
    """Relay wishes by register, wallets whose flags moved, and the rows that explain them."""

    relay: dict[int, tuple[RelayOrder, str]] = field(default_factory=dict)
    """register index -> (relay order, reason)"""
    flagged: set[int] = field(default_factory=set)
    warned: set[int] = field(default_factory=set)
    events: list[EventRow] = field(default_factory=list)
    queued: set[int] = field(default_factory=set)
    """wallet indices with a relay that waits for its turn on the feeder"""
    mass_cuts: MassCuts = field(default_factory=MassCuts)
    closed_us: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """by feeder: the closings ordered lately, with those of this batch"""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What the decisions of one batch share."""

    state: BookState
    registers: npt.NDArray[Any]
    wallets: npt.NDArray[Any]
    orders: Mapping[int, OpenOrder]
    renewed: set[int]
    paying: set[int]
    apart: Mapping[int, Apart]
    now_us: int
    out: Decided
    asked: set[int] = field(default_factory=set)
    """wallets that paid: their power does not wait for a turn"""


def decide(
    *,
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    orders: Mapping[int, OpenOrder],
    renewed: set[int],
    touched: Int64s,
    credited: set[int],
    in_review: set[int],
    answered: set[int],
    returned: set[int],
    now_us: int,
    corrected: Mapping[int, int] = MappingProxyType({}),
    apart: Mapping[int, Apart] = MappingProxyType({}),
) -> Decided:
    """Warn and decide for every touched wallet; move the flags in `wallets`.

    `orders`: open orders by register; `renewed`: registers about to get another. `in_review`: wallets with
    confirmed money that waits for a person.
    `answered`: facts of this batch. `returned`: wallets whose gateway tells only now what it cut alone: who paid
    meanwhile has waited long enough. `corrected`: what corrections of the past took from wallets. `apart`: what of
    a wallet's credit is held by leases at gateways that are away.
    """
    out = Decided()
    available = wallets["balance_micro"][touched]
    if apart:
        available = available - [apart.get(ix, NOWHERE).beside(0) for ix in touched.tolist()]
    level = _levels(state, wallets, touched, available, out, now_us)
    for ix in credited:
        # Credit starts a new story: somebody who is still low after paying is told so again. A coin into a
        # wallet that stays empty does not, or a coin before every due cut would keep it from ever coming.
        if wallets["balance_micro"][ix] > 0:
            wallets["level"][ix] = 0
            wallets["warned_us"][ix] = 0
    _warn_anew(wallets, out, corrected, now_us)
    worse = level > wallets["level"][touched]
    moved = level != wallets["level"][touched]
    for n in np.flatnonzero(worse):
        _warn(state, wallets, out, int(touched[n]), int(level[n]), int(available[n]), now_us)
    for n in np.flatnonzero(moved):
        ix = int(touched[n])
        wallets["level"][ix] = level[n]
        if level[n] == 0:
            wallets["warned_us"][ix] = 0
            out.events.append(
                _event("credit.recovered", wallets, ix, now_us, available_micro=int(available[n]))
            )
        out.flagged.add(ix)
    critical = (available <= 0) | wallets["cut_by_credit"][touched] | (wallets["withheld_ix"][touched] > 0)
    critical |= np.isin(touched, [ix for ix, one in state.contracts.items() if one.over_at(at_us=now_us)])
    candidates = touched[critical]
    case = _Case(
        state=state,
        registers=registers,
        wallets=wallets,
        orders=orders,
        renewed=renewed,
        paying=_paying(state, wallets, candidates, answered) | in_review,
        apart=apart,
        now_us=now_us,
        out=out,
        asked=credited | returned,
    )
    out.closed_us = {feeder: _lately(some, now_us) for feeder, some in state.closed_us.items()}
    turns = _weighed(case, [_decided(case, ix) for ix in candidates.tolist()])
    later = _not_yet(case, turns)
    for turn in turns:
        _follow(case, turn, later)
    return out


def _levels(
    state: BookState, wallets: npt.NDArray[Any], touched: Int64s, available: Int64s, out: Decided, now_us: int
) -> Int64s:
    """How near each is to being empty; who pays after use is at no level, and was never warned."""
    level = credit_levels(wallets=wallets[touched], available=available)
    after = [
        ix for ix, policy in enumerate(state.policies) if policy.sheltered_at(Why.POSTPAID, at_us=now_us)
    ]
    if after:
        calm = np.isin(wallets["policy_ix"][touched], after)
        level[calm] = 0
        for ix in touched[calm & (wallets["level"][touched] > 0)].tolist():
            wallets["level"][ix] = wallets["warned_us"][ix] = 0
            out.flagged.add(ix)
    return level


def _warn_anew(wallets: npt.NDArray[Any], out: Decided, corrected: Mapping[int, int], now_us: int) -> None:
    """Nobody is cut by a correction without a warning that came after it, however often warned before."""
    for ix, taken in corrected.items():
        available_micro = int(wallets["balance_micro"][ix])
        if not available_micro <= 0 < available_micro + taken or wallets["cut_by_credit"][ix]:
            continue
        wallets["level"][ix] = wallets["warned_us"][ix] = 0
        out.flagged.add(ix)
        evidence = {"available_micro": available_micro, "taken_micro": taken}
        out.events.append(_event("credit.corrected", wallets, ix, now_us, **evidence))


def credit_levels(*, wallets: npt.NDArray[Any], available: Int64s | None = None) -> Int64s:
    """How near each wallet is to being empty, as a core.credit.levels.WarningLevel; by its balance unless told."""
    available = wallets["balance_micro"] if available is None else available
    level: Int64s = (available < wallets["low_micro"]).astype(np.int64)
    level[available < wallets["critical_micro"]] = 2
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
    if level == WarningLevel.LOW and wallets["warned_us"][ix]:
        # The level moved away with a forecast and came back, and no credit between: who was told is not told again.
        return
    if wallets["warned_us"][ix] == 0:
        wallets["warned_us"][ix] = now_us
    out.warned.add(ix)
    evidence = {"available_micro": available_micro, "low_micro": int(wallets["low_micro"][ix])}
    rule = "credit.threshold"
    held = state.held.get(int(wallets["wallet"][ix]))
    if level == WarningLevel.LOW and held is not None and held.by_days is not None:
        by_days = held.by_days
        if by_days.level_micro == evidence["low_micro"]:
            rule = "credit.forecast"
            evidence |= {"days": held.low_days, "forecast": by_days.forecast}
    out.events.append(
        EventRow(
            kind=f"warning.{LEVEL_NAMES[level]}",
            at_us=now_us,
            wallet=int(wallets["wallet"][ix]),
            reason=LEVEL_NAMES[level],
            rule=rule,
            evidence=evidence,
        )
    )


def _paying(state: BookState, wallets: npt.NDArray[Any], candidates: Int64s, answered: set[int]) -> set[int]:
    """Wallets with a payment that is confirmed but not yet credited."""
    if not len(candidates):
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, wallet FROM fact "
            "WHERE book = %s AND state = 'waiting' AND kind = 'payment' AND wallet = ANY(%s)",
            [state.book, wallets["wallet"][candidates].tolist()],
        )
        return {state.wallet_index[int(w)] for fact, w in cursor.fetchall() if int(fact) not in answered}


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """One wallet and what is decided for each of its meters: one may have obeyed while another did not."""

    ix: int
    decisions: list[tuple[int, SupplyDecision]]


def _decided(case: _Case, ix: int) -> _Turn:
    return _Turn(ix=ix, decisions=[(n, _decide_meter(case, ix, n)) for n in case.state.registers_of(ix)])


def _weighed(case: _Case, turns: list[_Turn]) -> list[_Turn]:
    """The same without the cuts that would be too many in an hour."""
    weighed = weigh(state=case.state, decisions=[turn.decisions for turn in turns], now_us=case.now_us)
    case.out.mass_cuts = weighed.after
    case.out.events += weighed.events
    return [
        _Turn(ix=turn.ix, decisions=decisions)
        for turn, decisions in zip(turns, weighed.decisions, strict=True)
    ]


def _not_yet(case: _Case, turns: list[_Turn]) -> set[int]:
    """Registers whose power may return, but not in this batch: a feeder that comes back whole goes again.

    Who paid does not wait; the closings count for those who do.
    """
    crowd: list[Closing] = []
    for turn in turns:
        for n, decision in turn.decisions:
            if decision.action is not Action.RESTORE or case.registers["relay"][n] == Relay.CLOSED:
                continue
            feeder = int(case.registers["feeder_ix"][n])
            if turn.ix in case.asked:
                _note_closing(case, feeder)
            else:
                # How much a dark home will draw nobody knows; what it used in its counter's window comes near.
                load = int(case.registers["counter_wh"][n])
                crowd.append(Closing(key=n, feeder=str(feeder), load_w=load))
    closed_us = {str(feeder): some for feeder, some in case.out.closed_us.items()}
    due = stagger(closings=crowd, closed_us=closed_us, spacing=SPACING, now_us=case.now_us)
    for closing in crowd:
        if due[closing.key] <= case.now_us:
            _note_closing(case, int(closing.feeder))
    return {key for key, at_us in due.items() if at_us > case.now_us}


def _note_closing(case: _Case, feeder: int) -> None:
    case.out.closed_us[feeder] = (*case.out.closed_us.get(feeder, ()), case.now_us)


def _lately(closed_us: tuple[int, ...], now_us: int) -> tuple[int, ...]:
    return tuple(at_us for at_us in closed_us if at_us > now_us - SPACING.interval_us)


def _follow(case: _Case, turn: _Turn, later: set[int]) -> None:
    """Give the orders of one wallet's decisions, and say why; those that wait for their turn are decided again."""
    ix, decisions = turn.ix, turn.decisions
    withheld = 0
    for n, decision in decisions:
        reason = str(decision.reason)
        if n in later:
            case.out.queued.add(ix)
            continue
        if decision.action is Action.CUT:
            case.wallets["cut_by_credit"][ix] = True
            case.out.relay[n] = (RelayOrder.OPEN, reason)
        elif decision.action is Action.RESTORE:
            case.out.relay[n] = (RelayOrder.CLOSED, reason)
        elif decision.action is Action.WITHHOLD:
            withheld = max(withheld, WITHHELD.index(reason))
            if _ordered_closed(case, n) is False:
                held = bool(case.registers["safety_open"][n])
                case.out.relay[n] = (RelayOrder.LEAVE if held else RelayOrder.CLOSED, reason)
        if decision.action in (Action.CUT, Action.RESTORE):
            _explain(case, ix, n, str(decision.action), decision)
    if withheld != int(case.wallets["withheld_ix"][ix]):
        case.wallets["withheld_ix"][ix] = withheld
        case.out.flagged.add(ix)
        for n, decision in decisions:
            if decision.action is Action.WITHHOLD and WITHHELD.index(str(decision.reason)) == withheld:
                _explain(case, ix, n, "withheld", decision)
                break
    _forget_moot_cut(case, ix, [decision for _, decision in decisions])


def _decide_meter(case: _Case, ix: int, n: int) -> SupplyDecision:
    wallet, register = case.wallets[ix], case.registers[n]
    relay = int(register["relay"])
    held_micro = case.apart.get(ix, NOWHERE).beside(int(register["gateway"]))
    facts = SupplyFacts(
        available_micro=int(wallet["balance_micro"]) - held_micro,
        relay_closed=None if relay == Relay.UNKNOWN else relay == Relay.CLOSED,
        warned_at_us=int(wallet["warned_us"]) or None,
        payment_in_flight=ix in case.paying,
        protected=bool(wallet["protected"]),
        feeds_gateway=bool(register["feeds_gateway"]),
        quarantined=any(bool(case.registers["doubted"][k]) for k in case.state.registers_of(ix)),
        newest_reading_us=_freshness(case, ix, n),
        cut_by_credit=bool(wallet["cut_by_credit"]),
        ordered_closed=_ordered_closed(case, n),
        safety_open=bool(register["safety_open"]),
        restored_until_us=int(register["restored_until_us"]) or None,
        held_micro=held_micro,
        emergency_due=_emergency_due(case, ix),
        contract=case.state.contracts.get(ix),
        protected_circuit=bool(register["spared_circuit"]),
    )
    policy = case.state.policies[int(wallet["policy_ix"])]
    return decide_supply(facts=facts, policy=policy, now_us=case.now_us)


def _emergency_due(case: _Case, ix: int) -> bool:
    """Whether this home's emergency credit is taken by itself and is not taken: it comes before any cut."""
    held = case.state.held.get(int(case.wallets["wallet"][ix]))
    lent = None if held is None else held.emergency
    return lent is not None and lent.automatic and ix not in case.state.lent


def _freshness(case: _Case, ix: int, n: int) -> int | None:
    """When the quietest meter of the wallet was last read: one that is silent makes the whole count doubtful.

    Not one behind another gateway that is away: what it may use is its lease, and that is taken off already.
    """
    newest = int(case.wallets["read_us"][ix])
    if not newest:
        return None
    away, mine = case.apart.get(ix, NOWHERE).held_micro, int(case.registers["gateway"][n])
    counted = [
        k
        for k in case.state.registers_of(ix)
        if (gateway := int(case.registers["gateway"][k])) == mine or gateway not in away
    ]
    return min([newest, *(int(case.registers["at_us"][k]) for k in counted)])


def _ordered_closed(case: _Case, n: int) -> bool | None:
    order = case.orders.get(n)
    return None if order is None or order.relay == RelayOrder.LEAVE else order.relay == RelayOrder.CLOSED


def _explain(case: _Case, ix: int, n: int, what: str, decision: SupplyDecision) -> None:
    case.out.flagged.add(ix)
    case.out.events.append(
        EventRow(
            kind=f"supply.{what}",
            at_us=case.now_us,
            wallet=int(case.wallets["wallet"][ix]),
            gateway=int(case.registers["gateway"][n]),
            meter=int(case.registers["meter"][n]),
            reason=str(decision.reason),
            rule=decision.rule,
            evidence=dict(decision.evidence),
        )
    )


def _forget_moot_cut(case: _Case, ix: int, decisions: list[SupplyDecision]) -> None:
    """A cut that never took effect before credit came: nothing is left to restore.

    Kept in mind, it would close a relay that somebody opens by hand later.
    """
    mine = case.state.registers_of(ix)
    if not case.wallets["cut_by_credit"][ix] or not mine:
        return
    if any(n in case.orders or n in case.renewed for n in mine):
        return  # an order that lapsed here may still have been obeyed there; the next receipt settles that
    closed = all(int(case.registers["relay"][n]) == Relay.CLOSED for n in mine)
    if closed and all((d.action, d.reason) == (Action.KEEP, Reason.HAS_CREDIT) for d in decisions):
        case.wallets["cut_by_credit"][ix] = False
        case.out.flagged.add(ix)
        case.out.events.append(_event("supply.cut_void", case.wallets, ix, case.now_us))


def _event(kind: str, wallets: npt.NDArray[Any], ix: int, now_us: int, **evidence: int) -> EventRow:
    return EventRow(kind=kind, at_us=now_us, wallet=int(wallets["wallet"][ix]), evidence=dict(evidence))

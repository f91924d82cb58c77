"""Whether a home has power now, and why."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fairwatt.core.credit.contract import Contract
from fairwatt.core.credit.policy import CreditPolicy, CutRule, Why

Evidence = tuple[tuple[str, int | str], ...]


class Action(StrEnum):
    """What to do with the relay."""

    KEEP = "keep"
    CUT = "cut"
    RESTORE = "restore"
    WITHHOLD = "withhold"


class Reason(StrEnum):
    """Why; the same word is stored, shown to the resident and shown to staff."""

    HAS_CREDIT = "has_credit"
    CREDIT_RETURNED = "credit_returned"
    ALREADY_ORDERED = "already_ordered"
    ALREADY_OFF = "already_off"
    FEEDS_GATEWAY = "feeds_gateway"
    PROTECTED = "protected"
    EMERGENCY_RESTORE = "emergency_restore"
    PAYMENT_IN_FLIGHT = "payment_in_flight"
    STALE_DATA = "stale_data"
    QUARANTINED = "quarantined"
    FRIENDLY_HOURS = "friendly_hours"
    NOT_WARNED = "not_warned"
    BALANCE_EMPTY = "balance_empty"
    MASS_CUT = "mass_cut"
    """Too many at once: never decided for one home, only by who sees all of them (blast.py)."""
    SAFETY_OPEN = "safety_open"
    LAW_FORBIDS = "law_forbids"
    POWER_LIMITED = "power_limited"
    FORCED_ON = "forced_on"
    HOLIDAY = "holiday"
    WEATHER = "weather"
    EMERGENCY_DUE = "emergency_due"
    CONTRACT_ENDED = "contract_ended"
    PROTECTED_CIRCUIT = "protected_circuit"
    """A cold store or a fire system hangs on this meter: whatever is owed, it is not switched off."""
    POSTPAID = "postpaid"
    SWITCH_GRACE = "switch_grace"


_NEVER_CUT: Final = (
    Reason.FEEDS_GATEWAY,
    Reason.PROTECTED_CIRCUIT,
    Reason.LAW_FORBIDS,
    Reason.POSTPAID,
    Reason.SWITCH_GRACE,
    Reason.PROTECTED,
    Reason.FORCED_ON,
    Reason.POWER_LIMITED,
)
"""A home that was cut although one of these holds gets its power back: a wrong to undo, not a state to keep."""
_SHELTERS: Final = {
    Reason.POSTPAID: Why.POSTPAID,
    Reason.SWITCH_GRACE: Why.GRACE,
    Reason.PROTECTED: Why.PROTECTED,
    Reason.FORCED_ON: Why.FORCED_ON,
    Reason.WEATHER: Why.WEATHER,
}


@dataclass(frozen=True, slots=True)
class SupplyFacts:
    """All that the decider knows about one meter and its wallet.

    ``available_micro`` is balance minus holds, of which ``held_micro`` lies at gateways that cannot be asked for
    it. ``relay_closed`` is the last relay state read (``None``:
    never read). ``ordered_closed`` is the state of an order not yet proven (``None``: no order open).
    ``warned_at_us`` and ``newest_reading_us`` are ``None`` when there was none. A warning of money counts
    from when it was given out to be told: a cut that finds it reached nobody leaves an escalation. A contract's end
    counts from when who has it was told. ``safety_open``: the gateway keeps
    the relay open because power would be dangerous (core.alarms); only it or a person on site ends that. Before
    ``restored_until_us`` an emergency restore is in force at this meter: use is counted, and nothing is cut for credit.
    ``emergency_due``: emergency credit that is taken by itself was not taken yet, and is on its way.
    ``contract``: the home is let until an instant; from then on credit keeps nobody's power on. ``protected_circuit``:
    what hangs on this meter may never be switched off.
    """

    available_micro: int
    relay_closed: bool | None
    warned_at_us: int | None
    payment_in_flight: bool
    protected: bool
    feeds_gateway: bool
    quarantined: bool
    newest_reading_us: int | None
    cut_by_credit: bool
    ordered_closed: bool | None
    safety_open: bool = False
    restored_until_us: int | None = None
    held_micro: int = 0
    emergency_due: bool = False
    contract: Contract | None = None
    protected_circuit: bool = False


@dataclass(frozen=True, slots=True)
class SupplyDecision:
    """What to do, the reason, the rule that decided, and the facts it rested on."""

    action: Action
    reason: Reason
    rule: str
    evidence: Evidence


def decide_supply(*, facts: SupplyFacts, policy: CreditPolicy, now_us: int) -> SupplyDecision:
    """Say whether this home should have power now, and why.

    ``CUT`` and ``RESTORE`` ask for an order, ``KEEP`` for nothing. ``WITHHOLD`` means credit is used up but
    a rule forbids the cut: record it, and recall a cut order that is still on its way.
    """
    # Danger is not debt: no money closes this relay, and credit that is used up has nothing left to cut.
    if facts.safety_open and facts.relay_closed is not True:
        return _decision(Action.KEEP, Reason.SAFETY_OPEN, facts, now_us)
    ended = facts.contract is not None and facts.contract.over_at(at_us=now_us)
    if facts.available_micro > 0 and not ended:
        return _with_credit(facts=facts, now_us=now_us)
    withheld_by = _withheld_by(facts=facts, policy=policy, now_us=now_us)
    until_us = None if withheld_by is None else _sheltered_until(policy, withheld_by, now_us)
    cut_off = facts.cut_by_credit and not _closed_or_closing(facts)
    if cut_off and withheld_by in _NEVER_CUT:
        # Safety-held relays were answered above, unless they do not show open: then there is nothing to close.
        if facts.safety_open:
            return _decision(Action.KEEP, Reason.SAFETY_OPEN, facts, now_us)
        return _decision(Action.RESTORE, withheld_by, facts, now_us, until_us)
    # A relay that is open already leaves nothing to withhold: counting it would flatter the figures.
    if facts.relay_closed is False and facts.ordered_closed is not True:
        return _decision(Action.KEEP, Reason.ALREADY_OFF, facts, now_us)
    if withheld_by is not None:
        return _decision(Action.WITHHOLD, withheld_by, facts, now_us, until_us)
    if facts.ordered_closed is False:
        return _decision(Action.KEEP, Reason.ALREADY_ORDERED, facts, now_us)
    return _decision(Action.CUT, Reason.CONTRACT_ENDED if ended else Reason.BALANCE_EMPTY, facts, now_us)


def _with_credit(*, facts: SupplyFacts, now_us: int) -> SupplyDecision:
    cut_pending = facts.ordered_closed is False
    if not facts.cut_by_credit or (_closed_or_closing(facts) and not cut_pending):
        reason = Reason.ALREADY_ORDERED if facts.ordered_closed else Reason.HAS_CREDIT
        return _decision(Action.KEEP, reason, facts, now_us)
    if facts.safety_open:
        return _decision(Action.KEEP, Reason.SAFETY_OPEN, facts, now_us)
    return _decision(Action.RESTORE, Reason.CREDIT_RETURNED, facts, now_us)


def _closed_or_closing(facts: SupplyFacts) -> bool:
    if facts.ordered_closed is not None:
        return facts.ordered_closed
    return facts.relay_closed is True


def _withheld_by(*, facts: SupplyFacts, policy: CreditPolicy, now_us: int) -> Reason | None:
    # In the order one explains it: what is true of the home, then of the data, then of the hour.
    if facts.feeds_gateway:
        return Reason.FEEDS_GATEWAY
    if facts.protected_circuit:
        return Reason.PROTECTED_CIRCUIT
    if policy.cut is CutRule.NEVER:
        return Reason.LAW_FORBIDS
    if policy.sheltered_at(Why.POSTPAID, at_us=now_us):
        return Reason.POSTPAID
    if policy.sheltered_at(Why.GRACE, at_us=now_us):
        return Reason.SWITCH_GRACE
    if facts.protected or policy.sheltered_at(Why.PROTECTED, at_us=now_us):
        return Reason.PROTECTED
    if policy.sheltered_at(Why.FORCED_ON, at_us=now_us):
        return Reason.FORCED_ON
    if policy.cut is CutRule.LIMIT:
        return Reason.POWER_LIMITED
    if facts.restored_until_us is not None and now_us < facts.restored_until_us:
        return Reason.EMERGENCY_RESTORE
    if facts.payment_in_flight:
        return Reason.PAYMENT_IN_FLIGHT
    if facts.emergency_due and facts.available_micro <= 0:
        return Reason.EMERGENCY_DUE
    if facts.newest_reading_us is None or now_us - facts.newest_reading_us > policy.stale_after_us:
        return Reason.STALE_DATA
    if facts.quarantined:
        return Reason.QUARANTINED
    if policy.sheltered_at(Why.WEATHER, at_us=now_us):
        return Reason.WEATHER
    if policy.max_debt_micro is None or -facts.available_micro <= policy.max_debt_micro:
        if policy.holiday_at(at_us=now_us):
            return Reason.HOLIDAY
        if policy.friendly_at(at_us=now_us):
            return Reason.FRIENDLY_HOURS
    warned_us = _warned_us(facts, now_us)
    if warned_us is None or now_us < warned_us + policy.warn_lead_us:
        return Reason.NOT_WARNED
    return None


def _warned_us(facts: SupplyFacts, now_us: int) -> int | None:
    """Since when who lives there knows: of the credit that ran out, or of the contract that ended."""
    # A warning of the one says nothing of the other.
    told = [facts.warned_at_us] if facts.available_micro <= 0 else []
    contract = facts.contract
    told += [contract.warned_us] if contract is not None and contract.over_at(at_us=now_us) else []
    return min((at_us for at_us in told if at_us is not None), default=None)


def _sheltered_until(policy: CreditPolicy, reason: Reason, now_us: int) -> int | None:
    why = _SHELTERS.get(reason)
    span = None if why is None else policy.sheltered_at(why, at_us=now_us)
    return None if span is None else span.end_us


def _decision(
    action: Action, reason: Reason, facts: SupplyFacts, now_us: int, until_us: int | None = None
) -> SupplyDecision:
    evidence: list[tuple[str, int | str]] = [
        ("available_micro", facts.available_micro),
        ("now_us", now_us),
        ("relay", _state_word(facts.relay_closed)),
    ]
    if facts.held_micro:
        evidence.append(("held_micro", facts.held_micro))
    if facts.ordered_closed is not None:
        evidence.append(("ordered", _state_word(facts.ordered_closed)))
    if facts.safety_open:
        evidence.append(("safety", "open"))
    if facts.newest_reading_us is not None:
        evidence.append(("newest_reading_us", facts.newest_reading_us))
    if facts.warned_at_us is not None:
        evidence.append(("warned_at_us", facts.warned_at_us))
    if facts.restored_until_us is not None:
        evidence.append(("restored_until_us", facts.restored_until_us))
    if facts.contract is not None:
        evidence.append(("contract_end_us", facts.contract.end_us))
        if facts.contract.warned_us is not None:
            evidence.append(("contract_warned_us", facts.contract.warned_us))
    if until_us is not None:
        evidence.append(("sheltered_until_us", until_us))
    return SupplyDecision(action=action, reason=reason, rule=f"{action}.{reason}", evidence=tuple(evidence))


def _state_word(closed: bool | None) -> str:
    return "unknown" if closed is None else "closed" if closed else "open"

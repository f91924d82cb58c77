"""The offline rule: count on from the last grant, and decide as the server would.

Pure: no clock, no meter, no file. It is told readings and grants, and says what to do. While the link is up
the server decides and the guard only counts along; what it counts is provisional, and the server books the
difference.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from fairwatt.core.credit.decide import (
    Action,
    SupplyDecision,
    SupplyFacts,
    WarningLevel,
    decide_supply,
    warning_level,
)
from fairwatt.core.credit.policy import CreditPolicy, policy_from_obj
from fairwatt.core.metering.register import DuplicateReading, ReadingRejected, RegisterSpec, advance
from fairwatt.core.rating.model import NoTariff
from fairwatt.core.rating.scalar import EnergyOutOfRange, rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.tariff_obj import schedule_from_obj
from fairwatt.wire import cbor
from fairwatt.wire.commands import Grant
from fairwatt.wire.records import Reading, Relay

_LOG_LENGTH: Final = 2048


class GrantRefused(ValueError):
    """A grant names a tariff or policy that cannot be used: no offline rule until a good one comes."""


class Deed(StrEnum):
    """What the guard wants done, or noted."""

    TRIP = "local_trip"
    RESTORE = "local_restore"
    WARN = "local_warning"
    WITHHELD = "local_withheld"


class Act(NamedTuple):
    """One deed at one meter, with the decision that asks for it (a warning needs none)."""

    deed: Deed
    meter: int
    wallet: int
    available_micro: int
    decision: SupplyDecision | None


class Spent(NamedTuple):
    """A charge counted here, and the instant of the reading that brought it."""

    at_us: int
    amount_micro: int


@dataclass(slots=True)
class _Head:
    """One meter under a grant."""

    grant: Grant
    order: int
    policy: CreditPolicy
    table: SegmentTable
    spec: RegisterSpec
    state: RegisterState
    warned_at_us: int | None
    seen_at_us: int | None = None
    relay: int = Relay.UNKNOWN
    quarantined: bool = False
    tripped: bool = False
    withheld: str = ""
    spent: deque[Spent] = field(default_factory=deque)


class Guard:
    """Counts and decides for every meter that holds a grant."""

    def __init__(self, *, specs: Mapping[int, RegisterSpec]) -> None:
        self._specs = specs
        self._heads: dict[int, _Head] = {}
        self._last: dict[int, Reading] = {}
        self._tables: dict[bytes, SegmentTable] = {}
        self._orders = 0

    def take_grant(self, *, meter: int, grant: Grant | None) -> None:
        """Count on from a new grant; with None the meter has no offline rule any more. Raises GrantRefused.

        Readings already seen after the grant's state are rated again from it, as one step.
        """
        if grant is None:
            self._heads.pop(meter, None)
            return
        try:
            table = self._table(grant.schedule_obj)
            policy = policy_from_obj(grant.policy_obj)
            state = RegisterState(*grant.state)
            table.schedule.version_index_at(at_us=state.at_us)
        except (ValueError, LookupError) as error:
            self._heads.pop(meter, None)
            raise GrantRefused(f"the grant of meter {meter} cannot be used: {error}") from error
        old = self._heads.get(meter)
        self._orders += 1
        head = _Head(grant, self._orders, policy, table, self._specs[meter], state, grant.warned_at_us)
        if old is not None:
            head.tripped, head.relay = old.tripped, old.relay
        self._heads[meter] = head
        last = self._last.get(meter)
        if last is not None:
            self._count(head, last)

    def take_reading(self, reading: Reading, /) -> None:
        """Rate one reading. One that metering would refuse moves nothing and withholds every cut."""
        self._last[reading.meter] = reading
        head = self._heads.get(reading.meter)
        if head is not None:
            self._count(head, reading)

    def _count(self, head: _Head, reading: Reading) -> None:
        head.relay = reading.relay
        head.seen_at_us = reading.at_us
        if reading.at_us <= head.state.at_us:
            return
        before = head.state
        try:
            step = advance(
                spec=head.spec,
                prev_at_us=before.at_us,
                prev_wh=before.register_wh,
                at_us=reading.at_us,
                wh=reading.total_wh,
            )
            charge, head.state = rate(
                table=head.table,
                state=before,
                at_us=reading.at_us,
                register_wh=reading.total_wh,
                energy_wh=step.energy_wh,
            )
        except DuplicateReading:
            return
        except (ReadingRejected, EnergyOutOfRange, NoTariff):
            head.quarantined = True
            return
        head.quarantined = False
        _add(head.spent, Spent(reading.at_us, charge.amount_micro))

    def settle_relay(self, *, meter: int, relay: int, tripped: bool) -> None:
        """Note where the relay was put, and whether this guard put it there."""
        head = self._heads.get(meter)
        if head is not None:
            head.relay, head.tripped = relay, tripped

    def is_tripped(self, *, meter: int) -> bool:
        """Say whether the relay is open because this guard opened it."""
        head = self._heads.get(meter)
        return head is not None and head.tripped

    def wallet_of(self, *, meter: int) -> int | None:
        """The wallet that the meter's grant draws on."""
        head = self._heads.get(meter)
        return None if head is None else head.grant.wallet

    def wallets(self) -> tuple[int, ...]:
        """All wallets with a grant, in order."""
        return tuple(sorted({head.grant.wallet for head in self._heads.values()}))

    def available_micro(self, *, wallet: int) -> int | None:
        """What the wallet still has, as far as this gateway can know; None without a grant.

        The newest grant of the wallet is the anchor. It counts on from its own register state; of the
        wallet's other meters, what they used after the anchor's ``as_of_us`` is taken off.
        """
        heads = [head for head in self._heads.values() if head.grant.wallet == wallet]
        if not heads:
            return None
        anchor = max(heads, key=lambda head: (head.grant.as_of_us, head.order))
        available = anchor.grant.available_micro
        for head in heads:
            since = anchor.grant.state.at_us if head is anchor else anchor.grant.as_of_us
            available -= sum(spent.amount_micro for spent in head.spent if spent.at_us > since)
        return available

    def decide(self, *, now_us: int) -> list[Act]:
        """Say what to do at this instant with no server to ask. Call it only while the link is down."""
        acts: list[Act] = []
        for meter, head in sorted(self._heads.items()):
            available = self.available_micro(wallet=head.grant.wallet)
            assert available is not None
            if head.warned_at_us is None and self._level(head, available) is not WarningLevel.NONE:
                head.warned_at_us = now_us
                acts.append(Act(Deed.WARN, meter, head.grant.wallet, available, None))
            decision = decide_supply(facts=_facts(head, available), policy=head.policy, now_us=now_us)
            withheld, head.withheld = head.withheld, ""
            if decision.action is Action.CUT:
                acts.append(Act(Deed.TRIP, meter, head.grant.wallet, available, decision))
            elif decision.action is Action.RESTORE:
                acts.append(Act(Deed.RESTORE, meter, head.grant.wallet, available, decision))
            elif decision.action is Action.WITHHOLD:
                head.withheld = decision.rule
                if decision.rule != withheld:
                    acts.append(Act(Deed.WITHHELD, meter, head.grant.wallet, available, decision))
        return acts

    def _level(self, head: _Head, available: int) -> WarningLevel:
        # What the next kWh costs in this tier and at this hour.
        state = head.state
        next_kwh, _ = rate(
            table=head.table,
            state=state,
            at_us=state.at_us + 1,
            register_wh=state.register_wh,
            energy_wh=1000,
        )
        return warning_level(
            available_micro=available, price_hint_micro_per_kwh=next_kwh.energy_micro, policy=head.policy
        )

    def _table(self, schedule_obj: object) -> SegmentTable:
        # Homes of a street share a tariff: one table for all of them.
        key = cbor.encode(schedule_obj)
        if key not in self._tables:
            self._tables[key] = SegmentTable(schedule=schedule_from_obj(schedule_obj))
        return self._tables[key]

    def dump(self) -> bytes:
        """What must survive a restart, besides the grants."""
        rows: list[object] = []
        for meter, head in sorted(self._heads.items()):
            spent_micro = sum(spent.amount_micro for spent in head.spent)
            rows.append(
                [meter, astuple(head.state), head.warned_at_us, head.quarantined, head.tripped, spent_micro]
            )
        return cbor.encode(rows)

    def restore(self, data: bytes, /) -> None:
        """Take up what `dump` wrote, after the grants were given again."""
        rows = cbor.decode(data, max_bytes=1 << 24, what="the state of the guard")
        assert isinstance(rows, list)
        for meter, state, warned_at_us, quarantined, tripped, spent_micro in rows:
            head = self._heads.get(meter)
            if head is None:
                continue
            head.state = RegisterState(*state)
            head.warned_at_us, head.quarantined, head.tripped = warned_at_us, quarantined, tripped
            head.seen_at_us = head.state.at_us
            if spent_micro:
                head.spent = deque([Spent(head.state.at_us, spent_micro)])


def _facts(head: _Head, available: int) -> SupplyFacts:
    return SupplyFacts(
        available_micro=available,
        relay_closed=None if head.relay == Relay.UNKNOWN else head.relay == Relay.CLOSED,
        warned_at_us=head.warned_at_us,
        payment_in_flight=False,
        protected=head.grant.protected,
        feeds_gateway=head.grant.feeds_gateway,
        quarantined=head.quarantined,
        newest_reading_us=head.seen_at_us,
        cut_by_credit=head.tripped,
        ordered_closed=None,
    )


def _add(log: deque[Spent], spent: Spent) -> None:
    if spent.amount_micro:
        log.append(spent)
    if len(log) > _LOG_LENGTH:
        # Only a wallet with several meters looks into the log, and never that far back.
        first, second = log.popleft(), log.popleft()
        log.appendleft(Spent(second.at_us, first.amount_micro + second.amount_micro))

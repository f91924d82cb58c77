"""The offline rule: count on from the last grant, and decide as the server would.

Pure: no clock, no meter, no file. It is told readings and grants, and says what to do. While the link is up
the server decides and the guard only counts along; what it counts is provisional, and the server books the
difference.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from fairwatt.core.credit.decide import Action, SupplyDecision, SupplyFacts, decide_supply
from fairwatt.core.credit.levels import WarningLevel, low_threshold_micro, warning_level
from fairwatt.core.credit.policy import CreditPolicy, policy_from_obj
from fairwatt.core.metering.register import DuplicateReading, RegisterSpec, advance
from fairwatt.core.rating.scalar import rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.tariff_obj import schedule_from_obj
from fairwatt.edge.trail import Point, Trail
from fairwatt.wire import cbor
from fairwatt.wire.commands import Grant, grant_to_obj, hash8
from fairwatt.wire.records import Reading, Relay

_LOG_LENGTH: Final = 256
_STATE_FORMAT: Final = 3
_MAX_STATE_BYTES: Final = 1 << 26

# What odd numbers make rating and calendar raise: the classes that name a fault, and overflow.
_UNUSABLE: Final = (ValueError, LookupError, ArithmeticError, TypeError)


class GrantRefused(ValueError):
    """A grant names a tariff or policy that cannot be used: no offline rule until a good one comes."""


class StateUnusable(ValueError):
    """What was kept of the count cannot be read; every meter counts from its grant again."""


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
    """One meter under a grant. ``mark`` names the grant's bytes, ``order`` says which grant came later."""

    meter: int
    grant: Grant
    mark: bytes
    order: int
    policy: CreditPolicy
    low_micro: int
    table: SegmentTable
    spec: RegisterSpec
    state: RegisterState
    warned_at_us: int | None
    relay: int = Relay.UNKNOWN
    quarantined: bool = False
    withheld: str = ""
    spent: deque[Spent] = field(default_factory=deque)


class Guard:
    """Counts and decides for every meter that holds a grant."""

    def __init__(self, *, specs: Mapping[int, RegisterSpec]) -> None:
        self._specs = specs
        self._heads: dict[int, _Head] = {}
        self._wallets: dict[int, list[_Head]] = {}
        # Whose relay is open, or may be, because this guard opened it: true with any grant or none.
        self._tripped: set[int] = set()
        self._last: dict[int, Reading] = {}
        self._trails: dict[int, Trail] = {}
        self._tables: dict[bytes, SegmentTable] = {}
        self._orders = 0
        self.restored: dict[int, int] = {}
        """meter -> until when an emergency restore is in force there (kept by edge.local)"""

    def take_grant(self, *, meter: int, grant: Grant | None) -> None:
        """Count on from a new grant; with None the meter has no offline rule any more. Raises GrantRefused.

        Readings already seen after the grant's state are rated again from it, one by one.
        """
        old = self._drop(meter)
        if grant is None:
            return
        try:
            table = self._table(grant.schedule_obj)
            policy = policy_from_obj(grant.policy_obj)
            low_micro = low_threshold_micro(
                policy=policy, dearest_micro_per_kwh=table.schedule.dearest_micro_per_kwh
            )
            state = RegisterState(*grant.state)
            table.ensure(start_us=state.at_us, end_us=state.at_us)
            mark = hash8(cbor.encode(grant_to_obj(grant)))
        except _UNUSABLE as error:
            raise GrantRefused(f"the grant of meter {meter} cannot be used: {error}") from error
        self._orders += 1
        spec, warned_at_us = self._specs[meter], grant.warned_at_us
        head = _Head(meter, grant, mark, self._orders, policy, low_micro, table, spec, state, warned_at_us)
        if old is not None:
            head.relay = old.relay
        self._heads[meter] = head
        mine = self._wallets.setdefault(grant.wallet, [])
        mine.append(head)
        _forget_settled(mine)
        trail = self._trails.pop(meter, Trail())
        for point in trail.after(state.at_us):
            self._count(head, Reading(meter, point.at_us, point.total_wh, relay=head.relay))
        last = self._last.get(meter)
        if last is not None:
            self._count(head, last)

    def _drop(self, meter: int) -> _Head | None:
        head = self._heads.pop(meter, None)
        if head is not None:
            wallet = head.grant.wallet
            self._wallets[wallet] = [other for other in self._wallets[wallet] if other is not head]
            if not self._wallets[wallet]:
                del self._wallets[wallet]
        return head

    def take_reading(self, reading: Reading, /) -> None:
        """Rate one reading. One that metering would refuse moves nothing and withholds every cut."""
        self._last[reading.meter] = reading
        head = self._heads.get(reading.meter)
        if head is not None:
            self._count(head, reading)

    def _count(self, head: _Head, reading: Reading) -> None:
        head.relay = reading.relay
        if reading.at_us <= head.state.at_us:
            return
        before = head.state
        try:
            advance(
                spec=head.spec,
                prev_at_us=before.at_us,
                prev_wh=before.register_wh,
                at_us=reading.at_us,
                wh=reading.total_wh,
            )
            billed_wh = head.table.schedule.grown(
                before=before.register_wh, after=reading.total_wh, modulus=head.spec.modulus_wh
            )
            charge, head.state = rate(
                table=head.table,
                state=before,
                at_us=reading.at_us,
                register_wh=reading.total_wh,
                energy_wh=billed_wh,
            )
        except DuplicateReading:
            return
        except _UNUSABLE:
            # No reading may stop the others from being taken; what it is, the server says in its quarantine.
            head.quarantined = True
            return
        head.quarantined = False
        trail = self._trails.setdefault(head.meter, Trail())
        trail.add(point=Point(reading.at_us, reading.total_wh), table=head.table)
        mine = self._wallets[head.grant.wallet]
        _add(head.spent, Spent(reading.at_us, charge.amount_micro), limit=_LOG_LENGTH if len(mine) > 1 else 1)
        if head.meter in self._tripped and head.relay == Relay.CLOSED and _available(mine) > 0:
            self._tripped.discard(head.meter)  # the cut never took effect, or is undone: nothing to restore

    def settle_relay(self, *, meter: int, relay: int, tripped: bool) -> None:
        """Note where the relay was put, and whether this guard put it there."""
        (self._tripped.add if tripped else self._tripped.discard)(meter)
        head = self._heads.get(meter)
        if head is not None:
            head.relay = relay

    def expect_trip(self, *, meter: int) -> None:
        """Note, before the relay is ordered to open, that it may be open on this guard's account from now on.

        Power or answer may fail after the order was heard; a cut that nobody remembers is never undone.
        """
        self._tripped.add(meter)

    def is_tripped(self, *, meter: int) -> bool:
        """Say whether the relay, if open, is open because this guard opened it."""
        return meter in self._tripped

    def wallet_of(self, *, meter: int) -> int | None:
        """The wallet that the meter's grant draws on."""
        head = self._heads.get(meter)
        return None if head is None else head.grant.wallet

    def wallets(self) -> tuple[int, ...]:
        """All wallets with a grant, in order."""
        return tuple(sorted(self._wallets))

    def available_micro(self, *, wallet: int) -> int | None:
        """What the wallet still has, as far as this gateway can know; None without a grant.

        The newest grant of the wallet is the anchor. It counts on from its own register state; of the
        wallet's other meters, what they used after the anchor's ``as_of_us`` is taken off.
        """
        mine = self._wallets.get(wallet)
        return _available(mine) if mine else None

    def decide(self, *, now_us: int) -> list[Act]:
        """Say what to do at this instant with no server to ask. Call it only while the link is down.

        Credit, policy, protection, warning, freshness and doubt belong to the wallet, and its newest grant is
        the last word on them; the relay and whether it feeds this gateway belong to the meter.
        """
        acts: list[Act] = []
        for wallet in self.wallets():
            mine = sorted(self._wallets[wallet], key=lambda head: head.meter)
            anchor, available = _anchor(mine), _available(mine)
            if anchor.warned_at_us is None and _level(mine, available) is not WarningLevel.NONE:
                anchor.warned_at_us = now_us
                acts += [Act(Deed.WARN, head.meter, wallet, available, None) for head in mine]
            for head in mine:
                facts = self._facts(head, mine, available)
                decision = decide_supply(facts=facts, policy=anchor.policy, now_us=now_us)
                withheld, head.withheld = head.withheld, ""
                if decision.action is Action.CUT:
                    acts.append(Act(Deed.TRIP, head.meter, wallet, available, decision))
                elif decision.action is Action.RESTORE:
                    acts.append(Act(Deed.RESTORE, head.meter, wallet, available, decision))
                elif decision.action is Action.WITHHOLD:
                    head.withheld = decision.rule
                    if decision.rule != withheld:
                        acts.append(Act(Deed.WITHHELD, head.meter, wallet, available, decision))
        return acts

    def _facts(self, head: _Head, mine: list[_Head], available: int) -> SupplyFacts:
        anchor = _anchor(mine)
        return SupplyFacts(
            available_micro=available,
            relay_closed=None if head.relay == Relay.UNKNOWN else head.relay == Relay.CLOSED,
            warned_at_us=anchor.warned_at_us,
            payment_in_flight=False,
            protected=anchor.grant.protected,
            feeds_gateway=head.grant.feeds_gateway,
            # One meter that is silent or in doubt makes the wallet's whole count doubtful.
            quarantined=any(other.quarantined for other in mine),
            newest_reading_us=min(other.state.at_us for other in mine),
            cut_by_credit=head.meter in self._tripped,
            ordered_closed=None,
            restored_until_us=self.restored.get(head.meter),
        )

    def _table(self, schedule_obj: object) -> SegmentTable:
        # Homes of a street share a tariff: one table for all of them.
        key = cbor.encode(schedule_obj)
        if key not in self._tables:
            self._tables[key] = SegmentTable(schedule=schedule_from_obj(schedule_obj))
        return self._tables[key]

    def dump(self) -> bytes:
        """What must survive a restart, besides the grants."""
        rows = [
            [
                meter,
                head.mark,
                head.order,
                astuple(head.state),
                head.warned_at_us,
                head.quarantined,
                [list(spent) for spent in head.spent],
                [list(point) for point in self._trails.get(meter, Trail()).points],
            ]
            for meter, head in sorted(self._heads.items())
        ]
        return cbor.encode([_STATE_FORMAT, sorted(self._tripped), rows])

    def restore(self, data: bytes, /) -> None:
        """Take up what `dump` wrote, after the grants were given again. Raises StateUnusable, all or nothing.

        A meter whose grant is another one than when this was written counts from its grant instead.
        """
        try:
            value = cbor.decode(data, max_bytes=_MAX_STATE_BYTES, what="the state of the guard")
            version, tripped, rows = cbor.array(value, length=3, what="the state of the guard")
            if version != _STATE_FORMAT or type(tripped) is not list or type(rows) is not list:
                raise StateUnusable("the state of the guard is of another format")
            numbers = {cbor.integer(meter, what="meter", high=(1 << 64) - 1) for meter in tripped}
            kept = [_row(row) for row in rows]
        except _UNUSABLE as error:
            raise StateUnusable(f"the count kept from before cannot be used: {error}") from error
        self._tripped = numbers & self._specs.keys()
        for row in kept:
            head = self._heads.get(row.meter)
            if head is None or head.mark != row.mark:
                continue
            head.order, head.state, head.spent = row.order, row.state, deque(row.spent)
            head.warned_at_us, head.quarantined = row.warned_at_us, row.quarantined
            self._trails[row.meter] = Trail(row.trail)
            self._orders = max(self._orders, row.order)


class _Row(NamedTuple):
    """One meter in what `Guard.dump` wrote."""

    meter: int
    mark: bytes
    order: int
    state: RegisterState
    warned_at_us: int | None
    quarantined: bool
    spent: list[Spent]
    trail: list[Point]


def _row(value: object) -> _Row:
    meter, mark, order, state, warned, quarantined, spent, trail = cbor.array(
        value, length=8, what="a meter's count"
    )
    numbers = [
        cbor.signed(number, what="a number of the state")
        for number in cbor.array(state, length=6, what="the state")
    ]
    pairs, points = _pairs(spent, what="an amount spent"), _pairs(trail, what="a reading kept")
    return _Row(
        cbor.integer(meter, what="meter", high=(1 << 64) - 1),
        cbor.octets(mark, what="the mark of the grant", length=8),
        cbor.integer(order, what="the order of the grant"),
        RegisterState(*numbers),
        None if warned is None else cbor.signed(warned, what="warned_at_us"),
        cbor.boolean(quarantined, what="quarantined"),
        [Spent(at, amount) for at, amount in pairs],
        [Point(at, total) for at, total in points],
    )


def _pairs(value: object, *, what: str) -> list[tuple[int, int]]:
    if type(value) is not list:
        raise StateUnusable(f"{what} is not in a list")
    pairs = [cbor.array(pair, length=2, what=what) for pair in value]
    return [(cbor.signed(at, what="at_us"), cbor.signed(number, what=what)) for at, number in pairs]


def _anchor(mine: Iterable[_Head]) -> _Head:
    """The meter of a wallet with its newest grant."""
    return max(mine, key=lambda head: (head.grant.as_of_us, head.order))


def _available(mine: list[_Head]) -> int:
    anchor = _anchor(mine)
    available = anchor.grant.available_micro
    for head in mine:
        since = anchor.grant.state.at_us if head is anchor else anchor.grant.as_of_us
        available -= sum(spent.amount_micro for spent in head.spent if spent.at_us > since)
    return available


def _level(mine: list[_Head], available: int) -> WarningLevel:
    return warning_level(
        available_micro=available,
        low_micro=max(head.low_micro for head in mine),
        critical_micro=_anchor(mine).policy.critical_micro,
    )


def _forget_settled(mine: list[_Head]) -> None:
    """Drop what the wallet's newest grant has settled already."""
    anchor = _anchor(mine)
    for head in mine:
        if head is not anchor:
            while head.spent and head.spent[0].at_us <= anchor.grant.as_of_us:
                head.spent.popleft()


def _add(log: deque[Spent], spent: Spent, *, limit: int) -> None:
    if spent.amount_micro:
        log.append(spent)
    while len(log) > limit:
        # Only a wallet with several meters looks into the log, and never that far back. The sum bears the
        # earlier instant: should a grant ever fall between the two, that errs toward supply.
        first, second = log.popleft(), log.popleft()
        log.appendleft(Spent(first.at_us, first.amount_micro + second.amount_micro))

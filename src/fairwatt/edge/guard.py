"""The offline rule: count on from the last grant, and decide as the server would.

Pure: no clock, no meter, no file. It is told readings and grants, and says what to do. While the link is up
the server decides and the guard only counts along; what it counts is provisional, and the server books the
difference.
"""

from collections import deque
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from fairwatt.core.credit.decide import Action, SupplyDecision, SupplyFacts, decide_supply
from fairwatt.core.credit.levels import WarningLevel
from fairwatt.core.credit.policy import CreditPolicy, policy_from_obj
from fairwatt.core.metering.register import DuplicateReading, RegisterSpec, advance
from fairwatt.core.metering.transformer import DIRECT, Transformer
from fairwatt.core.rating.scalar import rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.tariff_obj import schedule_from_obj
from fairwatt.edge.guard_kept import Kept, Row, decode_kept
from fairwatt.edge.heads import (
    Carried,
    Head,
    Holding,
    Spent,
    add_spent,
    anchor_of,
    available_in,
    forget_settled,
    holdings_of,
    is_unsaid,
    level_of,
    policy_of,
)
from fairwatt.edge.trail import Point, Trail
from fairwatt.wire import cbor
from fairwatt.wire.commands import Grant, grant_to_obj, hash8
from fairwatt.wire.records import Reading, Relay

_LOG_LENGTH: Final = 256

# What odd numbers make rating and calendar raise: the classes that name a fault, and overflow.
_UNUSABLE: Final = (ValueError, LookupError, ArithmeticError, TypeError)


class GrantRefused(ValueError):
    """A grant names a tariff or policy that cannot be used: no offline rule until a good one comes."""


class Deed(StrEnum):
    """What the guard wants done, or noted."""

    TRIP = "local_trip"
    RESTORE = "local_restore"
    WARN = "local_warning"
    END_WARNING = "local_warning_ended"
    WITHHELD = "local_withheld"


class Act(NamedTuple):
    """One deed at one meter, with the decision that asks for it (a warning needs none)."""

    deed: Deed
    meter: int
    wallet: int
    available_micro: int
    decision: SupplyDecision | None


class Guard:
    """Counts and decides for every meter that holds a grant."""

    def __init__(self, *, specs: Mapping[int, RegisterSpec], held: Collection[int] = ()) -> None:
        """``held``: the meters whose relay safety keeps open, as they are at each decision."""
        self._specs, self._held = specs, held
        self._heads: dict[int, Head] = {}
        self._wallets: dict[int, list[Head]] = {}
        # Whose relay is open, or may be, because this guard opened it: true with any grant or none.
        self._tripped: set[int] = set()
        # Whose own alarm sounds because this guard wanted it.
        self._sounding: set[int] = set()
        # Whose grant was put back from an older copy of this memory: no cut until a fresh one comes.
        self._doubted: set[int] = set()
        self._last: dict[int, Reading] = {}
        self._trails: dict[int, Trail] = {}
        self._tables: dict[bytes, SegmentTable] = {}
        self._orders = 0
        self.restored: dict[int, int] = {}
        """meter -> until when an emergency restore is in force there (kept by edge.local)"""
        self.carried: dict[int, tuple[Carried, ...]] = {}
        """meter -> payments that tokens carried there (kept by edge.local); each counts until a grant knows it"""

    def take_grant(self, *, meter: int, grant: Grant | None) -> None:
        """Count on from a new grant; with None the meter has no offline rule any more. Raises GrantRefused.

        Readings already seen after the grant's state are rated again from it, one by one.
        """
        old = self._drop(meter)
        self._doubted.discard(meter)
        if grant is None:
            return
        try:
            table = self._table(grant.schedule_obj)
            Transformer(*table.schedule.transformer)
            policy = policy_from_obj(grant.policy_obj)
            dearest = table.schedule.dearest_micro_per_kwh
            state = RegisterState(*grant.state)
            table.ensure(start_us=state.at_us, end_us=state.at_us)
            mark = hash8(cbor.encode(grant_to_obj(grant)))
        except _UNUSABLE as error:
            raise GrantRefused(f"the grant of meter {meter} cannot be used: {error}") from error
        self._orders += 1
        spec, warned_at_us = self._specs[meter], grant.warned_at_us
        head = Head(meter, grant, mark, self._orders, policy, dearest, table, spec, state, warned_at_us)
        if old is not None:
            head.relay = old.relay
        self._heads[meter] = head
        mine = self._wallets.setdefault(grant.wallet, [])
        mine.append(head)
        forget_settled(mine)
        trail = self._trails.pop(meter, Trail())
        for point in trail.after(state.at_us):
            self._count(head, Reading(meter, point.at_us, point.total_wh, relay=head.relay))
        if (last := self._last.get(meter)) is not None:
            self._count(head, last)

    def set_back(self, *, now_us: int) -> None:
        """The clock was found ahead and set back: forget readings of later, and count on from what is left.

        A head that counted up to an instant to come would take no reading until then, and use would be free. It
        begins again from its grant and the readings that are believed; the next register value brings the rest.
        """
        self._last = {meter: last for meter, last in self._last.items() if last.at_us <= now_us}
        for trail in self._trails.values():
            trail.forget_after(now_us)
        for head in [head for head in self._heads.values() if head.state.at_us > now_us]:
            doubted, warned_here = head.meter in self._doubted, head.warned_here
            self.take_grant(meter=head.meter, grant=head.grant)
            self._heads[head.meter].warned_here = warned_here
            if doubted:
                self._doubted.add(head.meter)

    def _drop(self, meter: int) -> Head | None:
        head = self._heads.pop(meter, None)
        if head is not None:
            mine = self._wallets[head.grant.wallet]
            mine.remove(head)
            if not mine:
                del self._wallets[head.grant.wallet]
        return head

    def take_reading(self, reading: Reading, /) -> None:
        """Rate one reading. One that metering would refuse moves nothing and withholds every cut."""
        self._last[reading.meter] = reading
        head = self._heads.get(reading.meter)
        if head is not None:
            self._count(head, reading)

    def _count(self, head: Head, reading: Reading) -> None:
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
        add_spent(
            head.spent, Spent(reading.at_us, charge.amount_micro), limit=_LOG_LENGTH if len(mine) > 1 else 1
        )
        undone = head.meter in self._tripped and head.relay == Relay.CLOSED
        if undone and available_in(mine, self.carried) > 0:
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

    def settle_alarm(self, *, meter: int, sounds: bool) -> None:
        """Note that the meter took the order to sound its alarm, or to end it."""
        (self._sounding.add if sounds else self._sounding.discard)(meter)

    def doubt_grants(self) -> None:
        """Cut nobody on a grant held now: it is an older one than the server gave. A fresh one is believed."""
        self._doubted = set(self._heads)

    def is_doubted(self, *, meter: int) -> bool:
        """Say whether the meter still waits for a fresh grant."""
        return meter in self._doubted

    def is_tripped(self, *, meter: int) -> bool:
        """Say whether the relay, if open, is open because this guard opened it."""
        return meter in self._tripped

    def may_have_run_out(self, reading: Reading, /) -> bool:
        """Say whether the wallet can have been empty between the last reading counted and this one."""
        head = self._heads.get(reading.meter)
        if head is None:
            return False
        schedule, modulus = head.table.schedule, head.spec.modulus_wh
        used_wh = schedule.grown(before=head.state.register_wh, after=reading.total_wh, modulus=modulus)
        most_micro = max(0, used_wh) * head.dearest_micro_per_kwh // 1_000
        return available_in(self._wallets[head.grant.wallet], self.carried) <= most_micro

    def last_reading(self, *, meter: int) -> Reading | None:
        """What the meter said last, since this program began."""
        return self._last.get(meter)

    def transformer_of(self, *, meter: int) -> Transformer:
        """The current transformers in front of a meter, as its grant says; none without a grant."""
        head = self._heads.get(meter)
        return DIRECT if head is None else Transformer(*head.table.schedule.transformer)

    def wallet_of(self, *, meter: int) -> int | None:
        """The wallet that the meter's grant draws on."""
        head = self._heads.get(meter)
        return None if head is None else head.grant.wallet

    def wallets(self) -> tuple[int, ...]:
        """All wallets with a grant, in order."""
        return tuple(sorted(self._wallets))

    def holdings(self) -> list[Holding]:
        """What each wallet has here, in order."""
        some = sorted(self._wallets.items())
        return [held for _, mine in some for held in holdings_of(mine, self.carried)]

    def available_micro(self, *, wallet: int) -> int | None:
        """What the wallet still has, as far as this gateway can know; None without a grant.

        The newest grant of the wallet is the anchor. It counts on from its own register state; of the
        wallet's other meters, what they used after the anchor's ``as_of_us`` is taken off. Leases are each
        meter's own, and what those of this gateway still have is the wallet's here.
        """
        mine = self._wallets.get(wallet)
        return available_in(mine, self.carried) if mine else None

    def decide(self, *, now_us: int, meters: Collection[int] | None = None) -> list[Act]:
        """Say what to do at this instant with no server to ask. Call it only while the link is down.

        ``meters``: only what is to be done at these. Credit, policy, protection, warning, freshness and doubt
        belong to the wallet, and its newest grant is the last word on them; the relay and whether it feeds this
        gateway belong to the meter.
        """
        acts: list[Act] = []
        for wallet in self.wallets():
            mine = sorted(self._wallets[wallet], key=lambda head: head.meter)
            available = available_in(mine, self.carried)
            self._note_warning(mine, available, now_us)
            for head in mine:
                if meters is None or head.meter in meters:
                    acts += self._judge(head, mine, available, now_us)
        return acts

    def _note_warning(self, mine: list[Head], available: int, now_us: int) -> WarningLevel:
        anchor, level = anchor_of(mine), level_of(mine, available)
        if anchor.warned_at_us is None and level is not WarningLevel.NONE:
            anchor.warned_at_us, anchor.warned_here = now_us, True
        return level

    def _judge(self, head: Head, mine: list[Head], available: int, now_us: int) -> list[Act]:
        facts = self._facts(head, mine, available)
        decision = decide_supply(facts=facts, policy=policy_of(mine), now_us=now_us)
        withheld, head.withheld = head.withheld, ""
        wallet = head.grant.wallet
        if decision.action is Action.CUT:
            return [Act(Deed.TRIP, head.meter, wallet, available, decision)]
        if decision.action is Action.RESTORE:
            return [Act(Deed.RESTORE, head.meter, wallet, available, decision)]
        if decision.action is Action.WITHHOLD:
            head.withheld = decision.rule
            if decision.rule != withheld:
                return [Act(Deed.WITHHELD, head.meter, wallet, available, decision)]
        return []

    def alarms(self, *, now_us: int, alone: bool, meters: Collection[int]) -> list[Act]:
        """Which of these meters are to sound their own alarm, or to end it.

        Alone, a meter sounds when its wallet is critical, and already at the low level when nobody else has warned:
        then it is the warning. What this guard began it ends when the wallet is well again, alone or not.
        """
        acts: list[Act] = []
        for wallet in self.wallets():
            mine = sorted(self._wallets[wallet], key=lambda head: head.meter)
            available = available_in(mine, self.carried)
            level = self._note_warning(mine, available, now_us) if alone else level_of(mine, available)
            for meter in (head.meter for head in mine if head.meter in meters):
                sounds = meter in self._sounding
                if sounds and level is WarningLevel.NONE:
                    acts.append(Act(Deed.END_WARNING, meter, wallet, available, None))
                elif alone and not sounds and (level >= WarningLevel.CRITICAL or is_unsaid(mine, level)):
                    acts.append(Act(Deed.WARN, meter, wallet, available, None))
        return acts

    def _facts(self, head: Head, mine: list[Head], available: int) -> SupplyFacts:
        anchor = anchor_of(mine)
        return SupplyFacts(
            available_micro=available,
            relay_closed=None if head.relay == Relay.UNKNOWN else head.relay == Relay.CLOSED,
            warned_at_us=anchor.warned_at_us,
            payment_in_flight=False,
            protected=anchor.grant.protected,
            feeds_gateway=head.grant.feeds_gateway,
            # One meter that is silent or in doubt makes the wallet's whole count doubtful.
            quarantined=any(other.quarantined or other.meter in self._doubted for other in mine),
            newest_reading_us=min(other.state.at_us for other in mine),
            cut_by_credit=head.meter in self._tripped,
            ordered_closed=None,
            safety_open=head.meter in self._held,
            restored_until_us=self.restored.get(head.meter),
        )

    def facts(self, *, meter: int) -> tuple[SupplyFacts, CreditPolicy] | None:
        """What the offline rule goes by for one meter now, and its policy; None without a grant."""
        head = self._heads.get(meter)
        if head is None:
            return None
        mine = self._wallets[head.grant.wallet]
        return self._facts(head, mine, available_in(mine, self.carried)), policy_of(mine)

    def _table(self, schedule_obj: object) -> SegmentTable:
        # Homes of a street share a tariff: one table for all of them.
        key = cbor.encode(schedule_obj)
        if key not in self._tables:
            self._tables[key] = SegmentTable(schedule=schedule_from_obj(schedule_obj))
        return self._tables[key]

    def dump(self) -> bytes:
        """What must survive a restart, besides the grants."""
        rows = [
            Row(
                meter,
                head.mark,
                head.order,
                head.state,
                head.warned_at_us,
                head.warned_here,
                head.quarantined,
                [(spent.at_us, spent.amount_micro) for spent in head.spent],
                [(point.at_us, point.total_wh) for point in self._trails.get(meter, Trail()).points],
            )
            for meter, head in sorted(self._heads.items())
        ]
        return Kept(self._tripped, self._sounding, self._doubted, rows).encode()

    def restore(self, data: bytes, /) -> None:
        """Take up what `dump` wrote, after the grants were given again. Raises StateUnusable, all or nothing.

        A meter whose grant is another one than when this was written counts from its grant instead.
        """
        kept = decode_kept(data)
        here = self._specs.keys()
        self._tripped, self._sounding = kept.tripped & here, kept.sounding & here
        self._doubted = kept.doubted & here
        for row in kept.rows:
            head = self._heads.get(row.meter)
            if head is None or head.mark != row.mark:
                continue
            head.order, head.state = row.order, row.state
            head.spent = deque(Spent(at_us, amount) for at_us, amount in row.spent)
            head.warned_at_us, head.warned_here = row.warned_at_us, row.warned_here
            head.quarantined = row.quarantined
            self._trails[row.meter] = Trail(Point(at_us, wh) for at_us, wh in row.trail)
            self._orders = max(self._orders, row.order)

"""Orders to meters: made, answered, proven, replaced.

Each order carries the whole desired state of a meter, so a newer one replaces every older one. An
order is proven by a reading that the gateway spooled after its receipt and that shows the relay there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.commands.model import State, advance, proves
from fairwatt.core.credit.leases import Lease as GivenLease
from fairwatt.core.credit.leases import MeterLeases, Share
from fairwatt.flows.posting.book_state import BookState, OpenOrder
from fairwatt.flows.posting.intake import Intake
from fairwatt.flows.posting.leasing import lease_terms, leased_wallets
from fairwatt.flows.posting.sift import Sifted
from fairwatt.store.posting import EventRow, OrderMove, OrderRow, QuarantineRow
from fairwatt.wire.commands import (
    SET_SUPPLY,
    Command,
    Grant,
    GrantState,
    Lease,
    RelayOrder,
    SetSupply,
)
from fairwatt.wire.cose import MAX_MESSAGE_BYTES
from fairwatt.wire.errors import FrameError, TooLarge
from fairwatt.wire.records import Relay

_POWER_MAX_W: Final = 2**31 - 1

EXPIRES_US: Final = {
    RelayOrder.OPEN: 6 * 3_600_000_000,
    RelayOrder.CLOSED: 7 * 86_400_000_000,
    RelayOrder.LEAVE: 7 * 86_400_000_000,
}
"""A cut that could not be delivered for hours is decided anew; credit stays deliverable for a week."""
DISOBEDIENCE_MAX: Final = 2

Int64s = npt.NDArray[np.int64]
Signer = Callable[[Command], bytes]


@dataclass(kw_only=True)
class OrderBook:
    """How this batch changes the open orders: a copy of the state's, plus the rows to write."""

    open: dict[int, OpenOrder]
    moves: list[OrderMove] = field(default_factory=list)
    rows: list[OrderRow] = field(default_factory=list)
    new: list[OpenOrder] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    quarantine: list[QuarantineRow] = field(default_factory=list)
    spare: Mapping[int, int] = field(default_factory=dict)
    """money in review by wallet index: an edge that is alone may count on it"""
    renew: set[int] = field(default_factory=set)
    """register indices that need an order although no decision moved"""
    restored: set[int] = field(default_factory=set)
    """wallet indices whose power was proven to be back"""
    taken: dict[int, int] = field(default_factory=dict)
    """by register: the number of the order that its gateway took"""
    leases: dict[int, MeterLeases] = field(default_factory=dict)
    """by register, of wallets behind several gateways: the leases that may be in force"""

    def alarm_once(self, alarm: EventRow) -> None:
        """Note an alarm about a gateway, once in a batch."""
        if alarm not in self.events:
            self.events.append(alarm)

    def void(self, left: Iterable[int]) -> None:
        """Orders of registers whose home changes hands: who comes is not to be cut for who left."""
        for n in left:
            self.renew.discard(n)
            if n in self.open:
                self.move(n, State.SUPERSEDED)

    def move(self, n: int, to: State, **details: Any) -> OpenOrder:
        """Take the open order of a register one step on; an order that has ended is open no more."""
        order = replace(self.open[n], state=advance(self.open[n].state, to))
        self.moves.append(OrderMove(outbox=order.outbox, state=order.state, **details))
        if to is State.ACCEPTED:
            self.open[n] = order
        else:
            del self.open[n]
        return order


def observe(
    *,
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    intake: Intake,
    sifted: Sifted,
    book: OrderBook,
    now_us: int,
) -> None:
    """See what the meters showed: prove orders, notice disobedience; move relay, power, voltage, freshness."""
    rows = sifted.observed
    if not len(rows):
        return
    # In the order of the clock inside each register; what a meter showed last is what it is.
    rows = rows[np.lexsort((intake.readings["at_us"][rows], sifted.register[rows]))]
    _show(registers, wallets, intake, sifted.register[rows], rows)
    accepted = [n for n, order in book.open.items() if order.state is State.ACCEPTED]
    if not accepted:
        return
    reg = sifted.register[rows]
    for k in np.flatnonzero(np.isin(reg, accepted)).tolist():
        n, row = int(reg[k]), int(rows[k])
        order = book.open.get(n)
        if order is None or order.state is not State.ACCEPTED:
            continue
        proof = proves(
            ordered=order.relay,
            shown=int(intake.readings["relay"][row]),
            receipt_seq=order.accepted_seq,
            reading_seq=int(intake.spool_seq[row]),
        )
        if proof:
            _prove(registers, wallets, book, n, int(intake.readings["at_us"][row]), now_us)
        elif proof is False:
            _disobeyed(state, registers, book, n, order, now_us)


def _show(
    registers: npt.NDArray[Any], wallets: npt.NDArray[Any], intake: Intake, reg: Int64s, rows: Int64s
) -> None:
    """Relay, power, voltage and freshness as the readings show them; `rows` by register, newest last."""
    shown = intake.readings["relay"][rows]
    said = shown != Relay.UNKNOWN
    last = _last_of_each(reg[said])
    registers["relay"][reg[said][last]] = shown[said][last]
    last = _last_of_each(reg)
    reg, rows = reg[last], rows[last]
    registers["doubted"][reg] = False
    # The meter's own power is what it sees behind its transformers; a home is shown the power of its own wires.
    seen = np.maximum(intake.readings["power_w"][rows], 0).astype(np.int64)
    home = seen * registers["ct_primary"][reg] // registers["ct_secondary"][reg]
    registers["power_w"][reg] = np.minimum(home, _POWER_MAX_W)
    registers["voltage_dv"][reg] = np.maximum(intake.readings["voltage_dv"][rows], 0)
    np.maximum.at(wallets["read_us"], registers["wallet_ix"][reg], intake.readings["at_us"][rows])


def _last_of_each(sorted_values: Int64s) -> npt.NDArray[np.bool_]:
    last = np.ones(len(sorted_values), dtype=bool)
    last[:-1] = sorted_values[1:] != sorted_values[:-1]
    return last


def _prove(
    registers: npt.NDArray[Any], wallets: npt.NDArray[Any], book: OrderBook, n: int, read_us: int, now_us: int
) -> None:
    order = book.move(n, State.PROVEN, proven_us=now_us)
    ix = int(registers["wallet_ix"][n])
    if order.relay == RelayOrder.CLOSED and not _dark(registers, ix):
        wallets["cut_by_credit"][ix] = False
        book.restored.add(ix)
    book.events.append(
        EventRow(
            kind="supply.proven",
            at_us=now_us,
            wallet=int(wallets["wallet"][ix]),
            gateway=int(registers["gateway"][n]),
            meter=int(registers["meter"][n]),
            reason="closed" if order.relay == RelayOrder.CLOSED else "open",
            evidence={"seq": order.seq, "read_at_us": read_us},
        )
    )


def _dark(registers: npt.NDArray[Any], wallet_ix: int) -> bool:
    """True while some meter of the wallet still shows its relay open."""
    mine = registers["wallet_ix"] == wallet_ix
    return bool((registers["relay"][mine] == Relay.OPEN).any())


def _disobeyed(
    state: BookState, registers: npt.NDArray[Any], book: OrderBook, n: int, order: OpenOrder, now_us: int
) -> None:
    registers["disobeyed"][n] += 1
    if registers["disobeyed"][n] < DISOBEDIENCE_MAX:
        return
    book.move(n, State.FAILED)
    book.renew.add(n)
    book.events.append(
        EventRow(
            kind="alarm.relay_disobeys",
            at_us=now_us,
            wallet=int(state.wallets["wallet"][registers["wallet_ix"][n]]),
            gateway=int(registers["gateway"][n]),
            meter=int(registers["meter"][n]),
            reason="closed" if order.relay == RelayOrder.CLOSED else "open",
            evidence={"seq": order.seq},
        )
    )


def renew_expired(*, book: OrderBook, registers: npt.NDArray[Any], heard: Iterable[int], now_us: int) -> None:
    """Put orders that expired unanswered up for a fresh one, now that their gateway is heard again."""
    gateways = set(heard)
    for n, order in list(book.open.items()):
        if (
            order.state is not State.ACCEPTED
            and now_us >= order.expires_us
            and int(registers["gateway"][n]) in gateways
        ):
            book.move(n, State.EXPIRED)
            book.renew.add(n)


def give_orders(
    *,
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    book: OrderBook,
    relay: dict[int, tuple[RelayOrder, str]],
    refresh: Iterable[int],
    facts: dict[int, int],
    sign: Signer,
    now_us: int,
    leased: Collection[int] = (),
) -> None:
    """Sign one order for each meter that got a decision, lost its order, or whose wallet moved (`refresh`).

    `leased`: wallets whose leases may have to be renewed.
    """
    moved = (n for ix in refresh for n in state.registers_of(ix))
    ordered = {*moved, *relay, *book.renew}
    across = leased_wallets(state=state, some=(leased, registers["wallet_ix"][sorted(ordered)]))
    terms = lease_terms(
        state=state,
        leases=book.leases,
        available_micro={ix: _credit(wallets, ix, book.spare) for ix in across},
        ordered=ordered,
    )
    for n in sorted(ordered | terms.renew):
        older = book.open.get(n)
        if older is not None:
            book.move(n, State.SUPERSEDED)
        wish = relay.get(n) or _kept_wish(older)
        _give(state, registers, wallets, book, n, wish, older, facts, sign, now_us, terms.shares.get(n))


def _kept_wish(older: OpenOrder | None) -> tuple[int, str]:
    """A fresh grant must not swallow a relay order that is still on its way."""
    if older is not None and older.relay != RelayOrder.LEAVE:
        return older.relay, older.reason
    return RelayOrder.LEAVE, "grant"


def _give(
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    book: OrderBook,
    n: int,
    wish: tuple[int, str],
    older: OpenOrder | None,
    facts: dict[int, int],
    sign: Signer,
    now_us: int,
    share: Share | None,
) -> None:
    head = registers[n]
    ix = int(head["wallet_ix"])
    fact = facts.get(ix, older.fact if older else None)
    seq = int(head["order_seq"]) + 1
    registers["order_seq"][n] = seq
    registers["disobeyed"][n] = 0
    expires = now_us + EXPIRES_US[RelayOrder(wish[0])]
    grant = _grant(state, registers, wallets, n, book.spare, now_us, share)
    command = Command(
        meter=int(head["meter"]),
        kind=SET_SUPPLY,
        seq=seq,
        issued_us=now_us,
        expires_us=expires,
        amount_micro=int(wallets["balance_micro"][ix]),
        order=(fact or 0).to_bytes(8, "big"),
        body=SetSupply(relay=wish[0], reason=wish[1], grant=grant),
    )
    try:
        payload = sign(command)
        if len(payload) > MAX_MESSAGE_BYTES:
            raise TooLarge(f"the command has {len(payload)} bytes, the limit is {MAX_MESSAGE_BYTES}")
    except FrameError as error:
        # A grant that no message can carry: without one the meter is still switched, and never cut alone.
        command = command._replace(body=command.supply._replace(grant=None))
        payload = sign(command)
        book.events.append(_ungranted(head, wallets, str(error), now_us))
    order = OpenOrder(
        outbox=0,
        seq=seq,
        relay=wish[0],
        state=State.QUEUED,
        payload=payload,
        expires_us=expires,
        reason=wish[1],
        fact=fact,
    )
    book.open[n] = order
    book.new.append(order)
    _note_lease(book, n, command)
    book.rows.append(
        OrderRow(
            gateway=int(head["gateway"]),
            meter=int(head["meter"]),
            wallet=int(wallets["wallet"][ix]),
            seq=seq,
            relay=wish[0],
            reason=wish[1],
            payload=payload,
            expires_us=expires,
            fact=fact,
        )
    )


def _note_lease(book: OrderBook, n: int, command: Command) -> None:
    grant = command.supply.grant
    if grant is not None and grant.lease is not None:
        amount = grant.available_micro
        book.leases[n] = book.leases[n].gave(GivenLease(command.seq, grant.as_of_us, amount, amount))


def _ungranted(head: Any, wallets: npt.NDArray[Any], detail: str, now_us: int) -> EventRow:
    return EventRow(
        kind="alarm.grant_unsendable",
        at_us=now_us,
        wallet=int(wallets["wallet"][int(head["wallet_ix"])]),
        gateway=int(head["gateway"]),
        meter=int(head["meter"]),
        evidence={"detail": detail[:200]},
    )


def _grant(
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    n: int,
    spare: Mapping[int, int],
    now_us: int,
    share: Share | None,
) -> Grant | None:
    head = registers[n]
    ix = int(head["wallet_ix"])
    wallet = wallets[ix]
    if int(head["plan_ix"]) < 0:
        return None
    credit = _credit(wallets, ix, spare)
    return Grant(
        wallet=int(wallet["wallet"]),
        as_of_us=now_us,
        available_micro=credit if share is None else share.granted_micro,
        state=GrantState(
            at_us=int(head["at_us"]),
            register_wh=int(head["register_wh"]),
            counter_wh=int(head["counter_wh"]),
            window_us=int(head["window_us"]),
            carry_nano=int(head["carry_nano"]),
            carry_tax=int(head["carry_tax"]),
        ),
        schedule_obj=state.plans[int(head["plan_ix"])].schedule_obj(since_us=int(head["at_us"])),
        policy_obj=state.policy_objs[int(wallet["policy_ix"])],
        protected=bool(wallet["protected"]),
        # To a gateway both mean the same: this meter is never switched off for credit.
        feeds_gateway=bool(head["feeds_gateway"]) or bool(head["spared_circuit"]),
        warned_at_us=int(wallet["warned_us"]) or None,
        lease=None if share is None else Lease(share.part_ppm, credit),
    )


def _credit(wallets: npt.NDArray[Any], ix: int, spare: Mapping[int, int]) -> int:
    # Money in review spares a home here as it does at the edge.
    return int(wallets["balance_micro"][ix]) + spare.get(ix, 0)


def to_send(*, state: BookState, orders: OrderBook, intake: Intake) -> dict[int, list[bytes]]:
    """Signed commands by gateway: the new ones, and the open ones of a gateway that said hello."""
    send: dict[int, list[bytes]] = {}
    fresh = {id(order) for order in orders.new}
    for n, order in orders.open.items():
        gateway = int(state.registers["gateway"][n])
        if order.state is not State.ACCEPTED and (id(order) in fresh or gateway in intake.hellos):
            send.setdefault(gateway, []).append(order.payload)
    return send

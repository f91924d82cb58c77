"""One batch of a book, whole: frames and facts in; lines, decisions and orders out; one transaction.

Everything before COMMIT works on copies. Only when PostgreSQL has said yes does the poster's knowledge
move, and only then may anything be acknowledged or sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.commands.model import State
from fairwatt.core.ledger.model import Leg, combine
from fairwatt.core.ledger.recipes import charge_legs
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.charging import chain, charge_forward
from fairwatt.flows.posting.deciding import decide
from fairwatt.flows.posting.gateway_events import hear_events
from fairwatt.flows.posting.intake import Intake, take_in
from fairwatt.flows.posting.late import settle_late
from fairwatt.flows.posting.money import PostedFacts, post_facts
from fairwatt.flows.posting.orders import (
    OrderBook,
    Signer,
    give_orders,
    hear_receipts,
    observe,
    renew_expired,
)
from fairwatt.flows.posting.sift import Sifted, sift
from fairwatt.payments.contract import PaymentProvider
from fairwatt.store.caches import save_wallet_heads
from fairwatt.store.posting import LINE, BatchRows, QuarantineRow, batch_transaction, write_batch

Int64s = npt.NDArray[np.int64]


@dataclass(kw_only=True)
class BatchResult:
    """What a committed batch did: what to acknowledge, what to send, and the counts."""

    batch: int
    lines: npt.NDArray[Any]
    acks: list[tuple[int, int, int]]
    """(gateway, epoch, stored seq)"""
    send: dict[int, list[bytes]]
    """gateway -> signed commands: the new ones, and the open ones of a gateway that said hello"""
    readings: int = 0
    duplicates: int = 0
    late: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    """items in quarantine by code"""
    facts: int = 0
    reload: bool = False
    regrant: set[int] = field(default_factory=set)
    touched: Int64s = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """indices of the wallets whose caches must follow"""


@dataclass(kw_only=True)
class Poster:
    """What posting needs besides the state: the providers whose word counts, and the signer of orders."""

    providers: Mapping[str, PaymentProvider]
    sign: Signer


def post_batch(
    *,
    state: BookState,
    messages: Iterable[tuple[str, bytes]],
    poster: Poster,
    now_us: int,
    regrant: Iterable[int] = (),
) -> BatchResult:
    """Post frames (gateway slug, bytes) and all waiting facts of a book; move `state` after the commit.

    `regrant`: wallet ids whose meters need a fresh grant. Raises PosterFenced when another poster has the
    book; any database error leaves nothing half-applied and `state` as it was.
    """
    intake = take_in(messages=messages, gateways=state.gateways, gateway_ids=state.gateway_ids, now_us=now_us)
    sifted = sift(state=state, intake=intake, now_us=now_us)
    registers, wallets = state.registers.copy(), state.wallets.copy()
    batch = state.last_batch + 1
    with batch_transaction(book=state.book, epoch=state.epoch, batch=batch) as cursor:
        late = settle_late(
            cursor=cursor,
            state=state,
            registers=registers,
            intake=intake,
            sifted=sifted,
            batch=batch,
            now_us=now_us,
        )
        facts = post_facts(cursor=cursor, state=state, providers=poster.providers, batch=batch, now_us=now_us)
        forward, forward_ix = charge_forward(
            state=state, registers=registers, intake=intake, sifted=sifted, batch=batch
        )
        lines = np.concatenate((late.lines, forward, facts.line_array()))
        wallet_ix = np.concatenate(
            (late.wallet_ix, forward_ix, np.array(facts.wallet_ix, dtype=np.int64))
        ).astype(np.int64)
        touched = chain(lines=lines, wallet_ix=wallet_ix, wallets=wallets)
        orders = hear_receipts(state=state, registers=registers, intake=intake, now_us=now_us)
        observe(
            state=state,
            registers=registers,
            wallets=wallets,
            intake=intake,
            sifted=sifted,
            book=orders,
            now_us=now_us,
        )
        heard = hear_events(state=state, registers=registers, wallets=wallets, intake=intake)
        renew_expired(book=orders, registers=registers, heard=intake.heads, now_us=now_us)
        chaff = [*intake.quarantine, *sifted.quarantine, *late.quarantine, *orders.quarantine]
        _doubt(state, registers, chaff)
        decided = decide(
            cursor=cursor,
            state=state,
            registers=registers,
            wallets=wallets,
            orders=orders.open,
            renewed=orders.renew,
            touched=_marked(state, touched, heard.wallets, registers["wallet_ix"][sorted(orders.renew)]),
            credited=set(facts.credited),
            in_review=state.in_review | facts.in_review,
            answered={a.fact for a in facts.answers},
            now_us=now_us,
        )
        give_orders(
            state=state,
            registers=registers,
            wallets=wallets,
            book=orders,
            relay=decided.relay,
            refresh=_refresh(state, facts, late.corrected, decided.warned, regrant),
            facts=facts.credited,
            sign=poster.sign,
            now_us=now_us,
        )
        rows = BatchRows(
            lines=lines,
            legs=_legs(state, lines, facts),
            events=[
                *intake.notices,
                *heard.events,
                *facts.events,
                *late.events,
                *orders.events,
                *decided.events,
            ],
            quarantine=chaff,
            orders=orders.rows,
            moves=orders.moves,
            answers=facts.answers,
            gateways=[(g, epoch, seq) for g, (epoch, seq) in intake.heads.items()],
        )
        ids = write_batch(cursor=cursor, book=state.book, batch=batch, rows=rows, now_us=now_us)
        flagged = _marked(state, decided.flagged, heard.wallets, facts.credited, orders.restored)
        save_wallet_heads(cursor=cursor, book=state.book, batch=batch, wallets=wallets[flagged])
    _commit(state, registers, wallets, orders, ids, intake, facts, batch)
    return BatchResult(
        batch=batch,
        lines=lines,
        acks=[(g, epoch, seq) for g, (epoch, seq) in intake.heads.items()] + intake.stale_acks,
        send=_to_send(state, orders, intake),
        readings=len(forward),
        duplicates=sifted.duplicates + late.duplicates + intake.repeated_items,
        late=len(late.lines),
        quarantined=Counter(row.code for row in chaff),
        facts=len(facts.answers),
        reload=facts.reload,
        regrant=facts.regrant,
        touched=_shown(state, touched, flagged, sifted),
    )


def _commit(
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    orders: OrderBook,
    ids: list[int],
    intake: Intake,
    facts: PostedFacts,
    batch: int,
) -> None:
    for order, outbox in zip(orders.new, ids, strict=True):
        order.outbox = outbox
    state.registers, state.wallets, state.orders, state.last_batch = registers, wallets, orders.open, batch
    for gateway, (epoch, seq) in intake.heads.items():
        state.gateways[gateway].epoch, state.gateways[gateway].seq = epoch, seq
    state.in_review |= facts.in_review


def _refresh(
    state: BookState, facts: PostedFacts, corrected: list[int], warned: set[int], regrant: Iterable[int]
) -> set[int]:
    """Wallets that moved without a reading: the edge cannot follow, so it gets a fresh grant."""
    renewed = {state.wallet_index[w] for w in regrant if w in state.wallet_index}
    return set(facts.credited) | set(corrected) | warned | renewed


def _doubt(state: BookState, registers: npt.NDArray[Any], chaff: list[QuarantineRow]) -> None:
    """Mark meters that said something unbelievable: nobody is cut on their word until a reading is believed."""
    for row in chaff:
        if row.gateway is not None and row.meter is not None:
            n = state.find_register(gateway=row.gateway, meter=row.meter)
            if n >= 0:
                registers["doubted"][n] = True


def _marked(state: BookState, *wallets: Iterable[int]) -> Int64s:
    """The wallets of all these groups, each once, in order."""
    marked = np.zeros(len(state.wallets), dtype=bool)
    for some in wallets:
        marked[some if isinstance(some, np.ndarray) else list(some)] = True
    return np.flatnonzero(marked)


def _shown(state: BookState, touched: Int64s, flagged: Int64s, sifted: Sifted) -> Int64s:
    """Wallets whose cached rows have moved: by a line, by a flag, or by what a meter showed."""
    seen = state.registers["wallet_ix"][sifted.register[sifted.observed]]
    return _marked(state, touched, flagged, seen)


def _legs(state: BookState, lines: npt.NDArray[Any], facts: PostedFacts) -> tuple[Leg, ...]:
    """The batch in the journal: one leg an account, the control leg on `wallet`."""
    if lines.dtype != LINE:
        raise TypeError("lines have another layout than LINE")
    charges = charge_legs(
        currency=state.currency,
        energy_micro=int(lines["energy_micro"].sum()),
        standing_micro=int(lines["standing_micro"].sum()),
        tax_micro=int(lines["tax_micro"].sum()),
    )
    return combine([*charges, *facts.legs])


def _to_send(state: BookState, orders: OrderBook, intake: Intake) -> dict[int, list[bytes]]:
    send: dict[int, list[bytes]] = {}
    fresh = {id(order) for order in orders.new}
    for n, order in state.orders.items():
        gateway = int(state.registers["gateway"][n])
        if order.state is not State.ACCEPTED and (id(order) in fresh or gateway in intake.hellos):
            send.setdefault(gateway, []).append(order.payload)
    return send

"""A batch planned in memory, on copies: its lines, what meters showed, what is decided, what is to be sent.

Nothing here writes, and nothing that the poster knows moves; post_batch.py makes a plan durable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.commands.restore_code import KeepsCodeKeys
from fairwatt.core.ledger.model import Kind
from fairwatt.flows.merchants import Merchants
from fairwatt.flows.posting.book_state import BookState, OpenOrder
from fairwatt.flows.posting.charging import chain, legs_of
from fairwatt.flows.posting.clocks import clocks_moved, heard_clocks
from fairwatt.flows.posting.deciding import Decided, decide
from fairwatt.flows.posting.gateway_events import HeardEvents, hear_events
from fairwatt.flows.posting.intake import CHAFF_AGAIN_US, Intake
from fairwatt.flows.posting.late import LateReadings
from fairwatt.flows.posting.leasing import (
    apart_of,
    charge_leases,
    leased_wallets,
    listening_since,
    take_leases,
)
from fairwatt.flows.posting.marking import doubt, indices_of, marked, shown
from fairwatt.flows.posting.mass_cuts import answered, held_wallets
from fairwatt.flows.posting.money import (
    lately_in_review,
    note_available,
    still_withholding,
    waiting_in_review,
)
from fairwatt.flows.posting.orders import (
    OrderBook,
    Signer,
    give_orders,
    observe,
    renew_expired,
    to_send,
)
from fairwatt.flows.posting.posted import PostedFacts
from fairwatt.flows.posting.preparing import Prepared, charge
from fairwatt.flows.posting.receipts import hear_receipts
from fairwatt.flows.posting.releasing import let_go
from fairwatt.flows.posting.reworking import place_rows
from fairwatt.flows.posting.sift import Sifted
from fairwatt.payments.contract import PaymentProvider
from fairwatt.store.posting import BatchRows, QuarantineRow
from fairwatt.wire.frames import Sent

Int64s = npt.NDArray[np.int64]


@dataclass(kw_only=True)
class BatchResult:
    """What a committed batch did: what to acknowledge, what to send, and the counts."""

    batch: int
    lines: npt.NDArray[Any]
    acks: list[tuple[int, int, int]]
    """(gateway, epoch, stored seq)"""
    answered: dict[int, Sent]
    """gateway -> the newest of its frames, for the acknowledgement to name"""
    send: dict[int, list[bytes]]
    """gateway -> signed commands: the new ones, and the open ones of a gateway that said hello"""
    again: list[tuple[int, int, int]] = field(default_factory=list)  # behind (gateway, epoch, seq) some lack
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
    facts_wait: bool = False  # some were left to the next batch


@dataclass(kw_only=True)
class Poster:
    """What posting needs besides the state: the providers whose word counts, and the signer of orders and of codes."""

    providers: Mapping[str, PaymentProvider]
    sign: Signer
    codes: KeepsCodeKeys | None = None
    merchants: Merchants | None = None


@dataclass(kw_only=True)
class Planned:
    """A batch that is ready to be written, and what the poster will know once it is durable."""

    batch: int
    now_us: int
    rows: BatchRows
    orders: list[OpenOrder]
    """the new ones, in the order of `rows.orders`; they get their outbox ids when they are written"""
    heads: npt.NDArray[Any]
    """wallet heads whose flags moved, with dtype WALLET"""
    after: BookState
    result: BatchResult


@dataclass(kw_only=True)
class Desk:
    """One batch while it is being made: copies of what the poster knows, and what they came to."""

    state: BookState
    poster: Poster
    prepared: Prepared
    registers: npt.NDArray[Any]
    wallets: npt.NDArray[Any]

    @classmethod
    def set_up(cls, *, state: BookState, poster: Poster, prepared: Prepared) -> Desk:
        charged = prepared.charged
        registers = state.registers.copy() if charged is None else charged.registers
        return cls(
            state=state, poster=poster, prepared=prepared, registers=registers, wallets=state.wallets.copy()
        )

    @property
    def batch(self) -> int:
        return self.state.last_batch + 1

    @property
    def intake(self) -> Intake:
        return self.prepared.intake

    @property
    def sifted(self) -> Sifted:
        return self.prepared.sifted

    @property
    def now_us(self) -> int:
        return self.prepared.now_us


@dataclass(kw_only=True)
class _Money:
    """The money side of a batch: all its lines in posting order, and where they came from."""

    lines: npt.NDArray[Any]
    touched: Int64s
    late: LateReadings
    facts: PostedFacts
    readings: int


@dataclass(kw_only=True)
class _Seen:
    """What meters and gateways showed: receipts, proofs, freshness, doubts."""

    orders: OrderBook
    heard: HeardEvents
    chaff: list[QuarantineRow]


@dataclass(kw_only=True)
class _Supply(_Seen):
    """The supply side of a batch: what was seen, and the decisions and orders that follow."""

    decided: Decided


def lay_out(desk: Desk, late: LateReadings, facts: PostedFacts, regrant: Iterable[int]) -> Planned:
    money = _move_money(desk, late, facts)
    supply = _settle_supply(desk, money, _look(desk, money), regrant)
    rows = _rows(desk, money, supply)
    rows.reratings, rows.corrections = place_rows(
        lines=money.lines, reworked=late.reworked, wallets=desk.wallets
    )
    flagged = marked(
        desk.state, supply.decided.flagged, supply.heard.wallets, facts.credited, supply.orders.restored
    )
    after = _after(desk, supply, facts)
    rows.clocks = clocks_moved(heard=desk.intake.heads, before=desk.state.gateways, after=after.gateways)
    return Planned(
        batch=desk.batch,
        now_us=desk.now_us,
        rows=rows,
        orders=supply.orders.new,
        heads=desk.wallets[flagged],
        after=after,
        result=_result(desk, money, supply, flagged),
    )


def metered(desk: Desk, late: LateReadings) -> tuple[npt.NDArray[Any], Int64s]:
    """The lines of all readings: late ones first, because forward ones go on from their state."""
    charged = desk.prepared.charged
    if charged is None:
        charged = charge(state=desk.state, registers=desk.registers, intake=desk.intake, sifted=desk.sifted)
        desk.prepared = replace(desk.prepared, charged=charged)
    if not len(late.lines):
        return charged.lines, charged.wallet_ix
    lines = np.concatenate((late.lines, charged.lines))
    return lines, np.concatenate((late.wallet_ix, charged.wallet_ix)).astype(np.int64)


def _move_money(desk: Desk, late: LateReadings, facts: PostedFacts) -> _Money:
    """Readings first, payments and what is owed besides energy last."""
    lines, wallet_ix = metered(desk, late)
    readings = len(lines) - len(late.lines)
    if facts.lines:
        lines = np.concatenate((lines, facts.line_array()))
        wallet_ix = np.concatenate((wallet_ix, np.array(facts.wallet_ix, dtype=np.int64))).astype(np.int64)
    touched = chain(lines=lines, wallet_ix=wallet_ix, wallets=desk.wallets, batch=desk.batch)
    note_available(facts=facts, state=desk.state, wallets=desk.wallets)
    return _Money(lines=lines, touched=touched, late=late, facts=facts, readings=readings)


def _look(desk: Desk, money: _Money) -> _Seen:
    """What meters and gateways showed; nothing here asks the database."""
    state, registers, wallets = desk.state, desk.registers, desk.wallets
    intake, now_us = desk.intake, desk.now_us
    orders = hear_receipts(state=state, registers=registers, intake=intake, now_us=now_us)
    orders.leases = charge_leases(state=state, lines=money.lines)
    take_leases(orders.leases, taken=orders.taken)
    observe(
        state=state,
        registers=registers,
        wallets=wallets,
        intake=intake,
        sifted=desk.sifted,
        book=orders,
        now_us=now_us,
    )
    heard = hear_events(
        state=state,
        registers=registers,
        wallets=wallets,
        leases=orders.leases,
        intake=intake,
        now_us=now_us,
    )
    renew_expired(book=orders, registers=registers, heard=intake.heads, now_us=now_us)
    chaff = [*intake.quarantine, *desk.sifted.quarantine, *money.late.quarantine, *money.facts.quarantine]
    chaff += orders.quarantine
    doubt(state=state, registers=registers, chaff=chaff)
    return _Seen(orders=orders, heard=heard, chaff=chaff)


def _settle_supply(desk: Desk, money: _Money, seen: _Seen, regrant: Iterable[int]) -> _Supply:
    """What follows from what was seen and from the money."""
    state, registers, wallets, now_us = desk.state, desk.registers, desk.wallets, desk.now_us
    state = answered(state=state, allow=money.facts.mass_cut_allowed, now_us=now_us)
    orders, heard, facts = seen.orders, seen.heard, money.facts
    orders.spare = lately_in_review(
        in_review=waiting_in_review(in_review=state.in_review, facts=facts), now_us=now_us
    )
    orders.void(facts.left)
    leaving = {*state.left, *registers["wallet_ix"][sorted(facts.left)].tolist()}
    touched = marked(
        state,
        money.touched,
        heard.wallets,
        state.queued,
        registers["wallet_ix"][sorted(orders.renew)],
        () if facts.mass_cut_allowed is None else held_wallets(state),
        indices_of(state, regrant),
    )
    decided = decide(
        state=state,
        registers=registers,
        wallets=wallets,
        orders=orders.open,
        renewed=orders.renew,
        touched=touched[~np.isin(touched, sorted(leaving))],
        credited={*facts.credited, *facts.lent},
        in_review=still_withholding(lately=orders.spare, wallets=wallets),
        answered={a.fact for a in facts.answers},
        returned=heard.wallets,
        now_us=now_us,
        corrected={ix: taken for ix, taken in _taken(money).items() if ix not in leaving},
        apart=apart_of(state=state, leases=orders.leases, heard=desk.intake.heads, now_us=now_us),
    )
    let_go(state=state, registers=registers, wallets=wallets, facts=facts, decided=decided, now_us=now_us)
    give_orders(
        state=state,
        registers=registers,
        wallets=wallets,
        book=orders,
        relay=decided.relay,
        refresh=_refresh(desk, money, decided.warned, regrant) - leaving,
        facts=facts.credited
        | facts.lent
        | {int(registers["wallet_ix"][n]): fact for n, (_, fact) in facts.ordered.items()},
        sign=desk.poster.sign,
        now_us=now_us,
        leased=leased_wallets(
            state=state,
            some=(money.touched, heard.wallets, registers["wallet_ix"][list(orders.taken)]),
        ),
    )
    return _Supply(orders=orders, heard=heard, chaff=seen.chaff, decided=decided)


def _taken(money: _Money) -> dict[int, int]:
    """What was taken from wallets for something else than new use: they are warned anew before any cut."""
    taken = Counter(money.late.taken())
    for line, ix in zip(money.facts.lines, money.facts.wallet_ix, strict=True):
        # What is repaid of a top-up, or of a debt by time, leaves credit where there was credit; a deposit paid in too.
        paid_in = line["kind"] == Kind.DEPOSIT and ix in money.facts.credited
        if line["amount_micro"] < 0 and line["kind"] not in (Kind.EMERGENCY, Kind.DEBT) and not paid_in:
            taken[ix] -= int(line["amount_micro"])
    return dict(taken)


def _rows(desk: Desk, money: _Money, supply: _Supply) -> BatchRows:
    return BatchRows(
        lines=money.lines,
        legs=legs_of(currency=desk.state.currency, lines=money.lines, more=money.facts.legs),
        events=[
            *desk.state.alarms,
            *desk.intake.notices,
            *supply.heard.events,
            *money.facts.events,
            *money.late.events,
            *supply.orders.events,
            *supply.decided.events,
        ],
        quarantine=supply.chaff,
        orders=supply.orders.rows,
        moves=supply.orders.moves,
        answers=money.facts.answers,
        gateways=[(g, epoch, seq) for g, (epoch, seq) in desk.intake.heads.items()],
    )


def _result(desk: Desk, money: _Money, supply: _Supply, flagged: Int64s) -> BatchResult:
    intake, facts = desk.intake, money.facts
    return BatchResult(
        batch=desk.batch,
        lines=money.lines,
        acks=[(g, epoch, seq) for g, (epoch, seq) in intake.heads.items()] + intake.stale_acks,
        answered=intake.answered,
        send=to_send(state=desk.state, orders=supply.orders, intake=intake),
        again=[(g, *at) for g, at in intake.holes.items()],
        readings=money.readings,
        duplicates=desk.sifted.duplicates + money.late.duplicates + intake.repeated_items,
        late=len(money.late.lines),
        quarantined=Counter(row.code for row in supply.chaff),
        facts=len(facts.answers),
        reload=facts.reload,
        regrant=facts.regrant,
        facts_wait=facts.more,
        touched=shown(state=desk.state, touched=money.touched, flagged=flagged, sifted=desk.sifted),
    )


def _after(desk: Desk, supply: _Supply, facts: PostedFacts) -> BookState:
    """What the poster will know when PostgreSQL has said yes."""
    state = desk.state
    gateways, intake = dict(state.gateways), desk.intake
    clocks = heard_clocks(intake=intake, gateways=gateways, now_us=desk.now_us)
    for name, (epoch, seq) in intake.heads.items():
        known = replace(gateways[name], clock=clocks[name], heard_us=desk.now_us)
        gateways[name] = replace(known, epoch=epoch, seq=seq)
    chaff = {
        key: at_us
        for key, at_us in {**state.chaff, **intake.chaff}.items()
        if desk.now_us - at_us < CHAFF_AGAIN_US
    }
    return state.moved(
        registers=desk.registers,
        wallets=desk.wallets,
        orders=supply.orders.open,
        last_batch=desk.batch,
        closed_us=supply.decided.closed_us,
        queued=frozenset(supply.decided.queued),
        mass_cuts=supply.decided.mass_cuts,
        gateways=gateways,
        in_review=waiting_in_review(in_review=state.in_review, facts=facts),
        alarms=[],
        chaff=chaff,
        lent=facts.lent_after(state.lent),
        correcting=tuple(one for one in state.correcting if one.fact not in facts.finished),
        leases=supply.orders.leases,
        listening_us=listening_since(state=state, heard=intake.heads, now_us=desk.now_us),
    )


def _refresh(desk: Desk, money: _Money, warned: set[int], regrant: Iterable[int]) -> set[int]:
    """Wallets that moved without a reading, or whose gateway began anew: their edge gets a fresh grant."""
    registers = desk.registers
    anew = registers["wallet_ix"][np.isin(registers["gateway"], list(desk.intake.new_spools))]
    paid = {*money.facts.credited, *money.facts.in_review, *money.facts.moved, *money.late.corrected}
    return paid | warned | {*indices_of(desk.state, regrant)} | set(anew.tolist())

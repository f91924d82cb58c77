"""One batch of a book, whole: frames and facts in; lines, decisions and orders out; one transaction.

A batch is planned in memory (planning.py) and then written. Only when PostgreSQL has said yes does the
poster's knowledge move, and only then may anything be acknowledged or sent. A batch that needs nothing from
the database can be planned while the one before it is still being written (pipeline.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.correcting import settle_wanted
from fairwatt.flows.posting.counting import ask_to_count
from fairwatt.flows.posting.ending import settle_again
from fairwatt.flows.posting.estimates import Registers
from fairwatt.flows.posting.facts import post_facts
from fairwatt.flows.posting.late import LateReadings, settle_late
from fairwatt.flows.posting.links import Chains, chains_of
from fairwatt.flows.posting.planning import BatchResult, Desk, Planned, Poster, lay_out, metered
from fairwatt.flows.posting.posted import PostedFacts
from fairwatt.flows.posting.preparing import Prepared, prepare
from fairwatt.flows.posting.sift import sift
from fairwatt.flows.posting.truing import TruedUp, true_up_estimates
from fairwatt.flows.posting.wanted import Corrected, wanted_of
from fairwatt.store.caches import save_wallet_heads
from fairwatt.store.posting import (
    LINE,
    batch_transaction,
    copying_lines,
    write_batch,
)

Int64s = npt.NDArray[np.int64]


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
    prepared = prepare(state=state, messages=list(messages), now_us=now_us)
    desk = Desk.set_up(state=state, poster=poster, prepared=prepared)
    with batch_transaction(book=state.book, epoch=state.epoch, batch=desk.batch) as turn:
        late, facts = _ask(desk, turn.cursor)
        planned = lay_out(desk, late, facts, regrant)
        with copying_lines(cursor=turn.cursor, lines=planned.rows.lines):
            pass
        _write(turn.cursor, planned)
    state.become(planned.after)
    return planned.result


def plan_batch(*, state: BookState, prepared: Prepared, poster: Poster) -> Planned:
    """Plan a batch that needs no fact and no late reading on what `state` is, and leave `state` as it is."""
    if prepared.charged is None:
        raise ValueError("readings behind their heads can only be settled inside the transaction")
    desk = Desk.set_up(state=state, poster=poster, prepared=prepared)
    none = LateReadings(lines=np.empty(0, dtype=LINE), wallet_ix=np.empty(0, dtype=np.int64))
    return lay_out(desk, none, PostedFacts(), ())


def write_planned(
    *,
    state: BookState,
    planned: Planned,
    await_disk: bool,
    meanwhile: Callable[[], None],
    committing: Callable[[], None],
) -> BatchResult:
    """Write a planned batch and move `state`; otherwise as `post_batch`.

    Without `await_disk` the batch is committed, but on the disk only after `make_durable`. `meanwhile` is called
    while the server takes in the lines; it must leave the connection alone. `committing` when all is said but
    COMMIT. The result says whether facts waited: they are for a batch that asks.
    """
    if planned.batch != state.last_batch + 1:
        raise ValueError(
            f"batch {planned.batch} was planned, batch {state.last_batch} is the last one posted"
        )
    with batch_transaction(
        book=state.book, epoch=state.epoch, batch=planned.batch, await_disk=await_disk
    ) as turn:
        planned.result.facts_wait = turn.facts_wait
        with copying_lines(cursor=turn.cursor, lines=planned.rows.lines):
            _ = planned.rows.spans  # worked out here, where nobody waits for it
            meanwhile()
        _write(turn.cursor, planned)
        committing()
    state.become(planned.after)
    return planned.result


def _write(cursor: Any, planned: Planned) -> None:
    book, batch = planned.after.book, planned.batch
    ids = write_batch(cursor=cursor, book=book, batch=batch, rows=planned.rows, now_us=planned.now_us)
    save_wallet_heads(cursor=cursor, book=book, batch=batch, wallets=planned.heads)
    for order, outbox in zip(planned.orders, ids, strict=True):
        order.outbox = outbox


def _ask(desk: Desk, cursor: Any) -> tuple[LateReadings, PostedFacts]:
    """What only the database knows: readings behind their heads, and facts that wait."""
    chains = _chains(desk, cursor)
    trued = _true_up(desk, cursor, chains)
    late = settle_late(
        cursor=cursor,
        state=desk.state,
        registers=desk.registers,
        intake=desk.intake,
        trued=trued,
        sifted=desk.sifted,
        chains=chains,
        now_us=desk.now_us,
    )
    made = _set_right(desk, cursor, late)
    lines, wallet_ix = metered(desk, late)
    available = desk.wallets["balance_micro"].copy()
    np.add.at(available, wallet_ix, lines["amount_micro"])
    rows = np.concatenate((desk.sifted.forward, desk.sifted.behind))
    facts = post_facts(
        cursor=cursor,
        state=desk.state,
        providers=desk.poster.providers,
        registers=Registers(
            rows=desk.registers, moving=frozenset(np.unique(desk.sifted.register[rows]).tolist())
        ),
        available=available,
        now_us=desk.now_us,
        reworked=frozenset(one.wallet_ix for one in late.reworked),
        codes=desk.poster.codes,
        merchants=desk.poster.merchants,
    )
    facts.more |= ask_to_count(cursor=cursor, state=desk.state, reworked=late.reworked, now_us=desk.now_us)
    facts.more |= settle_again(
        cursor=cursor,
        state=desk.state,
        reworked=late.reworked,
        facts_moved=facts.moved_by_others(),
        now_us=desk.now_us,
    )
    facts.more |= trued.more
    facts.answers += [*late.answers, *made.answers]
    facts.events += made.events
    facts.reload |= made.reload
    facts.more |= made.more
    facts.finished = made.finished
    return late, facts


def _chains(desk: Desk, cursor: Any) -> Chains:
    """Who had the meters before, of which this batch tells something."""
    if desk.prepared.charged is not None:
        return Chains()
    return chains_of(
        cursor=cursor,
        state=desk.state,
        registers=desk.registers,
        intake=desk.intake,
        sifted=desk.sifted,
        now_us=desk.now_us,
    )


def _true_up(desk: Desk, cursor: Any, chains: Chains) -> TruedUp:
    """Let the real readings of this batch settle estimates, before anything is judged by these."""
    if desk.prepared.charged is not None:
        return TruedUp()
    trued = true_up_estimates(
        cursor=cursor,
        state=desk.state,
        registers=desk.registers,
        intake=desk.intake,
        sifted=desk.sifted,
        chains=chains,
        now_us=desk.now_us,
    )
    if trued.reworked:
        again = sift(state=desk.state, heads=desk.registers, intake=desk.intake, now_us=desk.now_us)
        desk.prepared = replace(desk.prepared, sifted=again)
    return trued


def _set_right(desk: Desk, cursor: Any, late: LateReadings) -> Corrected:
    """Post corrections before forward readings, which go on from them; behind late readings they wait a batch."""
    wanted = wanted_of(cursor=cursor, book=desk.state.book)
    if not (wanted or desk.state.correcting) or late.reworked:
        return Corrected(more=bool(wanted or desk.state.correcting))
    desk.registers = desk.state.registers.copy()
    made = settle_wanted(
        cursor=cursor, state=desk.state, registers=desk.registers, wanted=wanted, now_us=desk.now_us
    )
    # A register that was set right is another ground for the readings after it.
    again = sift(state=desk.state, heads=desk.registers, intake=desk.intake, now_us=desk.now_us)
    desk.prepared = replace(desk.prepared, sifted=again, charged=None)
    late.reworked = made.reworked
    late.corrected += [one.wallet_ix for one in made.reworked]
    late.gather()
    return made

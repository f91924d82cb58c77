"""A tariff corrected in the past, posted: the site is rated again ahead, then registers move some in each batch.

No payment waits long for it. What is done stands in `rerating`, so a poster that ends in the middle goes on with
the registers that are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.flows.posting.book_state import BookState, Correcting
from fairwatt.flows.posting.correction_moves import closed_registers
from fairwatt.flows.posting.reworking import Reworked, post_changes, state_after
from fairwatt.flows.posting.site_ahead import READINGS_A_BATCH, SiteAhead
from fairwatt.flows.posting.wanted import Corrected
from fairwatt.store.corrections import ReratingRow, already_rated
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.store.registers import free_correction_instants

Int64s = npt.NDArray[np.int64]

NOT_CORRECTED: Final = "alarm.register_not_corrected"
LINES_A_BATCH: Final = 30_000
"""Correction lines of one batch, and of one register more: written in less than half a second."""
PRICES_AT_ONCE: Final = 32
"""Pairs of tariffs rated ahead at once: each is priced for its whole way before its first reading is rated."""
CLOSED_AT_ONCE: Final = 64
"""Closed homes rated ahead at once: where they were left is looked up in all their lines."""


def go_on(
    *,
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    correcting: Correcting,
    out: Corrected,
    now_us: int,
) -> None:
    """Do the next piece of a tariff correction; answer its fact when no register is left: open ones, then closed."""
    # What this batch has rated again for another reason has lines that no query shows yet.
    busy = frozenset(one.row.installation for one in out.reworked)
    old = sorted({old_ix for old_ix, _ in correcting.moves.values()})
    waiting = np.flatnonzero(np.isin(registers["plan_ix"], old))
    if len(waiting):
        moved = _rate_on(cursor, state, registers, waiting, correcting, busy, out, now_us)
        done = moved == len(waiting) and not correcting.closed
    else:
        rest = _closed_left(cursor, state, correcting, out)
        heads = _closed_heads(state, correcting, rest)
        mine = np.flatnonzero(np.isin(heads["installation"], rest))
        done = _rate_on(cursor, state, heads, mine, correcting, busy, out, now_us) == len(rest)
    if done:
        _finish(cursor, state, correcting, out, now_us)
    else:
        out.more = True


def _rate_on(
    cursor: Any,
    state: BookState,
    heads: npt.NDArray[Any],
    waiting: Int64s,
    correcting: Correcting,
    busy: frozenset[int],
    out: Corrected,
    now_us: int,
) -> int:
    """Rate `waiting` rows of `heads` on, and move some of them when all is rated; return how many moved."""
    ready = waiting[~np.isin(heads["installation"][waiting], list(busy))]
    ready = ready[np.argsort(heads["installation"][ready], kind="stable")]
    if not len(ready):
        return 0
    # What fails on the way begins anew.
    ahead = state.ahead.pop(correcting.fact, None) or _begin(cursor, state, heads[ready], correcting)
    rated = ahead.go_on(readings=READINGS_A_BATCH)
    state.ahead[correcting.fact] = ahead
    return _move_some(cursor, state, heads, correcting, ahead, ready, out, now_us) if rated else 0


def _begin(cursor: Any, state: BookState, some: npt.NDArray[Any], correcting: Correcting) -> SiteAhead:
    """Rate the first of these ahead: as many as have so few prices among them."""
    pairs = [correcting.moves[n] for n in some["installation"].tolist()]
    first = frozenset(list(dict.fromkeys(pairs))[:PRICES_AT_ONCE])
    mine = [n for n, pair in enumerate(pairs) if pair in first]
    return SiteAhead(
        cursor=cursor,
        book=state.book,
        zone=state.zone,
        last_batch=state.last_batch,
        registers=some[mine],
        moves=[(state.plans[pairs[n][0]], state.plans[pairs[n][1]]) for n in mine],
    )


def _closed_left(cursor: Any, state: BookState, correcting: Correcting, out: Corrected) -> list[int]:
    """Closed installations that were not rated again yet, for the wallets they left."""
    if not correcting.closed:
        return []
    done = already_rated(cursor=cursor, book=state.book, publication=correcting.publication)
    done |= set(_left(cursor, state.book, correcting.fact, out.events))
    return [home for home in correcting.closed if home not in done]


def _closed_heads(state: BookState, correcting: Correcting, rest: Sequence[int]) -> npt.NDArray[Any]:
    """Where closed homes were left: those that are rated ahead, or the next."""
    ahead = state.ahead.get(correcting.fact)
    if ahead is not None:  # begun when no open register was left
        return ahead.registers.copy()
    return closed_registers(state=state, correcting=correcting, installations=rest[:CLOSED_AT_ONCE])


def _move_some(
    cursor: Any,
    state: BookState,
    heads: npt.NDArray[Any],
    correcting: Correcting,
    ahead: SiteAhead,
    ready: Int64s,
    out: Corrected,
    now_us: int,
) -> int:
    """Post what changes for the next registers; return how many moved to the corrected tariff."""
    installations = heads["installation"][ready].astype(np.int64)
    places = ahead.places(installations)
    current = (places >= 0) & ~np.isin(installations, ahead.overtaken(cursor=cursor))
    ready, places = ready[current], places[current]
    lines = np.cumsum(ahead.rating.days.counts(len(ahead.rating.installations))[places])
    some = max(1, int(np.searchsorted(lines, LINES_A_BATCH, side="right")))
    if some >= len(ready):
        state.ahead.pop(correcting.fact)  # who is left was overtaken, and is worked out anew
    ready, places = ready[:some], places[:some]
    ahead.catch_up(cursor=cursor, places=places, heads_us=heads["at_us"][ready].astype(np.int64))
    free = free_correction_instants(
        cursor=cursor,
        book=state.book,
        installations=heads["installation"][ready].tolist(),
        from_us=now_us,
    )
    for n, place in zip(ready.tolist(), places.tolist(), strict=True):
        head = heads[n]
        before, new_ix = head.copy(), correcting.moves[int(head["installation"])][1]
        head["plan_ix"] = new_ix
        error = ahead.rating.failed.get(place)
        if error is None:
            try:
                from_us = free[int(head["installation"])]
                out.reworked.append(_moved(state, head, correcting, ahead, place, from_us))
            except Exception as unfit:
                error = unfit
        if error is not None:
            heads[n] = before
            heads[n]["plan_ix"] = new_ix  # its past stays as it was charged
            out.events.append(_left_alone(state, heads[n], correcting, error, now_us))
    return len(ready)


def _moved(
    state: BookState, head: Any, correcting: Correcting, ahead: SiteAhead, place: int, from_us: int
) -> Reworked:
    """One register under the corrected tariff: its correction lines, and where it stands now."""
    change = ahead.rating.change(place)
    head["counter_wh"], head["window_us"] = change.counter_wh, change.window_us
    wallet = int(state.wallets["wallet"][head["wallet_ix"]])
    lines, notes = post_changes(
        book=state.book, head=head, wallet=wallet, fact=correcting.fact, change=change, from_us=from_us
    )
    row = ReratingRow(
        installation=int(head["installation"]),
        wallet=wallet,
        fact=correcting.fact,
        cause="tariff",
        author=correcting.author,
        reason=correcting.reason,
        from_us=change.from_us,
        until_us=change.until_us,
        counted_us=change.counted_us,
        after=state_after(head),
        publication=correcting.publication,
        readings=change.readings,
    )
    return Reworked(wallet_ix=int(head["wallet_ix"]), lines=lines, row=row, notes=notes)


def _left_alone(
    state: BookState, head: Any, correcting: Correcting, error: Exception, now_us: int
) -> EventRow:
    return EventRow(
        kind=NOT_CORRECTED,
        at_us=now_us,
        wallet=int(state.wallets["wallet"][head["wallet_ix"]]),
        gateway=int(head["gateway"]),
        meter=int(head["meter"]),
        reason="unpriceable",
        evidence={
            "fact": correcting.fact,
            "installation": int(head["installation"]),
            "detail": ascii(f"{type(error).__name__}: {error}"[:200]),
        },
    )


def _finish(cursor: Any, state: BookState, correcting: Correcting, out: Corrected, now_us: int) -> None:
    """Every register moved: answer the fact."""
    state.ahead.pop(correcting.fact, None)
    cursor.execute(
        "SELECT count(*), coalesce(sum(readings), 0) FROM rerating "
        "WHERE book = %s AND fact <> 0 AND publication = %s",
        [state.book, correcting.publication],
    )
    done, readings = cursor.fetchone()
    mine = [one for one in out.reworked if one.row.fact == correcting.fact]
    left = _left(cursor, state.book, correcting.fact, out.events)
    result = {
        "publication": correcting.publication,
        "registers": int(done) + len(mine),
        "readings": int(readings) + sum(one.row.readings for one in mine),
        "left": left,
        "closed": list(correcting.closed),
    }
    out.answers.append(FactAnswer(fact=correcting.fact, state="posted", result=result))
    out.events.append(
        EventRow(
            kind="tariff.corrected",
            at_us=now_us,
            reason="posted",
            evidence={"fact": correcting.fact, **result},
        )
    )
    out.reload = True
    out.finished.add(correcting.fact)


def _left(cursor: Any, book: int, fact: int, events: Sequence[EventRow]) -> list[int]:
    """Installations that a correction could not rate, in this batch and before it."""
    cursor.execute(
        "SELECT evidence->>'installation' FROM event WHERE book = %s AND kind = %s AND evidence->>'fact' = %s",
        [book, NOT_CORRECTED, str(fact)],
    )
    left = {int(row[0]) for row in cursor.fetchall()}
    mine = (event.evidence for event in events if event.kind == NOT_CORRECTED)
    return sorted(left | {int(said["installation"]) for said in mine if said["fact"] == fact})

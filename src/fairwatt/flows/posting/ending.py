"""A register at a change is known at last: then the account of who left can be settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairwatt.core.ids import settlement_key
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.links import Link
from fairwatt.flows.posting.reworking import Reworked
from fairwatt.store import facts, moves
from fairwatt.store.posting import EventRow


@dataclass(kw_only=True)
class Ends:
    """What became of provisional ends in a batch."""

    events: list[EventRow] = field(default_factory=list)
    more: bool = False


def note_ends(
    *,
    cursor: Any,
    state: BookState,
    links: Sequence[Link],
    real: Mapping[int, int],
    standing: Mapping[int, int],
    now_us: int,
) -> Ends:
    """Note every change whose register the meter has told by now: read at that instant, or before and after it."""
    out = Ends()
    newest_us = max(real)
    for link in links:
        at_us = link.closed_us
        if link.changeover is None or not link.guessed or at_us is None:
            continue
        if at_us not in standing or at_us > newest_us:
            continue
        basis, register_wh = "read" if at_us in real else "between", standing[at_us]
        fresh = moves.note_known(
            cursor=cursor,
            book=state.book,
            batch=state.last_batch + 1,
            changeover=link.changeover,
            basis=basis,
            register_wh=register_wh,
            now_us=now_us,
        )
        if not fresh:
            continue
        wallet = int(state.wallets["wallet"][link.head["wallet_ix"]])
        out.events.append(
            EventRow(
                kind="move.known",
                at_us=now_us,
                wallet=wallet,
                gateway=int(link.head["gateway"]),
                meter=int(link.head["meter"]),
                evidence={
                    "changeover": link.changeover,
                    "at_us": at_us,
                    "basis": basis,
                    "register_wh": register_wh,
                },
            )
        )
        out.more |= ask_to_settle(cursor=cursor, book=state.book, wallet=wallet, batch=None, now_us=now_us)
    return out


def settle_again(
    *, cursor: Any, state: BookState, reworked: Iterable[Reworked], facts_moved: Iterable[int], now_us: int
) -> bool:
    """Ask for the accounts of people who left that this batch moved, by charging anew or by a fact; True if there are
    any. `facts_moved`: indices of wallets with lines of facts that are no settling themselves."""
    asked = False
    moved = {one.wallet_ix for one in reworked if len(one.lines)} | set(facts_moved)
    for ix in sorted(moved & state.left):
        wallet = int(state.wallets["wallet"][ix])
        batch = state.last_batch + 1
        asked |= ask_to_settle(cursor=cursor, book=state.book, wallet=wallet, batch=batch, now_us=now_us)
    return asked


def ask_to_settle(*, cursor: Any, book: int, wallet: int, batch: int | None, now_us: int) -> bool:
    """Ask for the settling of an account whose person left; not while one of its registers is provisional."""
    if moves.end_of(cursor=cursor, book=book, wallet=wallet) is None:
        return False
    if moves.provisional_of(cursor=cursor, book=book, wallet=wallet):
        return False
    facts.add(
        cursor=cursor,
        book=book,
        kind="settlement",
        natural_key=settlement_key(wallet=wallet, batch=batch),
        wallet=wallet,
        payload={"wallet": wallet},
        raw=b"",
        now_us=now_us,
    )
    return True

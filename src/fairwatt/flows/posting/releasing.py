"""A person at the desk says that the cause of a protective cut is mended: the word goes to the gateway as an order."""

from __future__ import annotations

from typing import Any, Final

import numpy.typing as npt

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.deciding import Decided
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.wire.commands import RelayOrder

REASON: Final = "safety_reset"


def post_release(bench: Bench, *, gateway: int, meter: int, author: int) -> PostedFacts:
    """Take the word of an operator or administrator of the book's organisation; anybody else's is refused."""
    bench.cursor.execute(
        "SELECT u.username FROM store_user u JOIN store_book b ON b.organisation_id = u.organisation_id "
        "WHERE b.id = %s AND u.id = %s AND u.is_active AND u.role IN ('operator', 'admin')",
        [bench.state.book, author],
    )
    row = bench.cursor.fetchone()
    if row is None:
        return refuse_fact(bench, "not_the_desk", "only the desk of this organisation may let power return")
    n = bench.state.find_register(gateway=gateway, meter=meter)
    if n < 0:
        return refuse_fact(bench, "no_such_meter", "no open installation of this book has this meter")
    event = EventRow(
        kind="supply.safety_reset",
        at_us=bench.now_us,
        wallet=int(bench.state.wallets["wallet"][bench.state.registers["wallet_ix"][n]]),
        gateway=gateway,
        meter=meter,
        evidence={"fact": bench.fact, "author": str(row[0])},
    )
    return PostedFacts(
        released={n},
        answers=[FactAnswer(fact=bench.fact, state="posted", result={"ordered": True})],
        events=[event],
    )


def let_go(
    *,
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    facts: PostedFacts,
    decided: Decided,
    now_us: int,
) -> None:
    """Order the hold of each released meter ended, and its relay closed where credit does not keep it open.

    And what a person ordered: what credit decides in the same batch, or safety holds open, goes before it.
    """
    cut = {int(registers["key"][n]) for n, (relay, _) in facts.ordered.items() if relay == RelayOrder.OPEN}
    decided.mass_cuts = decided.mass_cuts.noted(frozenset(cut), now_us=now_us)
    for n, (relay, _) in facts.ordered.items():
        if n not in decided.relay and not bool(registers["safety_open"][n]):
            decided.relay[n] = (relay, "operator")
    for n in facts.released:
        if not bool(registers["safety_open"][n]):
            continue  # it has ended by itself meanwhile
        wallet = wallets[int(registers["wallet_ix"][n])]
        empty = int(wallet["balance_micro"]) <= 0 and bool(wallet["cut_by_credit"])
        decided.relay[n] = (RelayOrder.LEAVE if empty else RelayOrder.CLOSED, REASON)

"""The end of a window: what whole bands, minimum, demand and conditional rebates make of it is one visible line.

The fact names a register and a window. Nothing else in it is believed: the amount is worked out from the stored
readings, less what earlier closings of the same window have posted, so that asking again moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.closing import Settled, closing_of, settle_register
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.spans import Span
from fairwatt.flows.posting.correction_moves import closed_head, closed_prices
from fairwatt.flows.posting.counting import ask_to_count_window, given_now
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.rerating import start_window
from fairwatt.store import accounts
from fairwatt.store import registers as ledger
from fairwatt.store.posting import LINE, EventRow, FactAnswer
from fairwatt.store.registers import NOW

PARTS: Final = ("energy_micro", "standing_micro", "tax_micro")


def post_window(bench: Bench, before: PostedFacts, *, installation: int, window_us: int) -> PostedFacts:
    """Settle one window of a register, first or again; raises what rating raises."""
    state = bench.state
    n = state.installation_index.get(installation)
    head = closed_head(state=state, installation=installation) if n is None else bench.registers.rows[n]
    if head is None:
        return refuse_fact(
            bench, "window_unknown", f"no installation of this book is {installation}; nothing moved"
        )
    if n is None:
        table = closed_prices(installation)
    else:
        table = state.plans[int(head["plan_ix"])].table if head["plan_ix"] >= 0 else None
    if table is None:
        return refuse_fact(
            bench, "window_unknown", f"no tariff charges installation {installation}; nothing moved"
        )
    window = window_of(table, window_us)
    if window is None:
        return refuse_fact(
            bench, "window_unknown", f"no window of its tariff starts at {window_us}; nothing moved"
        )
    if int(head["at_us"]) < window.end_us:
        return refuse_fact(
            bench, "window_open", "no reading has come from its end on, so it is not settled; nothing moved"
        )
    settled = settled_window(
        cursor=bench.cursor,
        book=state.book,
        installation=installation,
        modulus_wh=int(head["modulus_wh"]),
        table=table,
        window=window,
    )
    stored = accounts.settled_before(
        cursor=bench.cursor, book=state.book, installation=installation, window_us=window.start_us
    )
    posted = posted_parts(
        [*stored, *(answer.result for answer in before.answers)], installation, window.start_us
    )
    wallet = int(state.wallets["wallet"][head["wallet_ix"]])
    if wallet in given_now(answer.result for answer in before.answers):
        return PostedFacts(more=True)  # what a ruling of this batch gave back counts from the next one on
    schedule = table.schedule
    version = schedule.versions[schedule.version_index_at(at_us=window.end_us - 1)].number
    return _posted(
        bench,
        int(head["wallet_ix"]),
        installation,
        window,
        settled,
        posted,
        version=version,
        again=bool(stored),
    )


def window_of(table: SegmentTable, window_us: int) -> Span | None:
    """The window of a tariff that starts at an instant."""
    closing = closing_of(table.schedule)
    if closing is None:
        return None
    window = closing.window_at(zone=table.schedule.zone, at_us=window_us)
    return window if window.start_us == window_us else None


def settled_window(
    *,
    cursor: Any,
    book: int,
    installation: int,
    modulus_wh: int,
    table: SegmentTable,
    window: Span,
    as_of_seq: int = NOW,
) -> Settled:
    """What a window comes to by the readings that stand in the ledger."""
    opening = ledger.opening_of(cursor=cursor, installation=installation)
    ground: dict[str, Any] = {
        "cursor": cursor,
        "book": book,
        "installation": installation,
        "as_of_seq": as_of_seq,
    }
    start = ledger.start_before(**ground, before_us=max(window.start_us, opening.at_us) + 1)
    assert start is not None, "asked for after the opening"
    known = ledger.standing_between(**ground, start=start, until_us=window.end_us)
    readings = [
        (
            later.at_us,
            table.schedule.grown(before=earlier.register_wh, after=later.register_wh, modulus=modulus_wh),
        )
        for earlier, later in pairwise(known)
    ]
    counting_us = start_window(table=table, at_us=start.at_us, opening=start.opening)
    return settle_register(
        table=table,
        window=window,
        opened_us=opening.at_us,
        state=RegisterState(start.at_us, start.register_wh, start.counter_wh, counting_us, 0, 0),
        readings=readings,
    )


def posted_parts(answers: Iterable[Mapping[str, Any]], installation: int, window_us: int) -> dict[str, int]:
    """What earlier closings of a window have posted, by component."""
    mine = [a for a in answers if (a.get("installation"), a.get("window_us")) == (installation, window_us)]
    return {part: sum(int(answer[part]) for answer in mine) for part in PARTS}


def _posted(
    bench: Bench,
    ix: int,
    installation: int,
    window: Span,
    settled: Settled,
    posted: Mapping[str, int],
    *,
    version: int,
    again: bool,
) -> PostedFacts:
    due = {part: getattr(settled, part) - posted[part] for part in PARTS}
    amount = -sum(due.values())
    result: dict[str, Any] = {
        "installation": installation,
        "window_us": window.start_us,
        "end_us": window.end_us,
        "amount_micro": amount,
        **due,
        "energy_wh": settled.bill.energy_wh,
        "again": int(again),
        "elements": _elements(settled),
    }
    out = PostedFacts(answers=[FactAnswer(fact=bench.fact, state="posted", result=result)])
    if not any(due.values()):
        return out
    line = np.zeros((), dtype=LINE)
    line["ts"], line["ref"], line["kind"], line["book"] = (
        bench.now_us,
        bench.fact,
        Kind.TRUE_UP,
        bench.state.book,
    )
    line["amount_micro"] = amount
    for part in PARTS:
        line[part] = due[part]
    line["tariff_version"] = version
    out.lines, out.wallet_ix, out.moved = [line], [ix], {ix}
    out.more = ask_to_count_window(
        cursor=bench.cursor,
        state=bench.state,
        wallet=int(bench.state.wallets["wallet"][ix]),
        installation=installation,
        window_us=window.start_us,
        now_us=bench.now_us,
    )
    out.events.append(
        EventRow(
            kind="window.settled",
            at_us=bench.now_us,
            wallet=int(bench.state.wallets["wallet"][ix]),
            reason="again" if again else "closed",
            evidence={
                "fact": bench.fact,
                "amount_micro": amount,
                "window_us": window.start_us,
                "end_us": window.end_us,
            },
        )
    )
    return out


def _elements(settled: Settled) -> dict[str, str]:
    """The whole window by element, exactly: a fraction of micro-units as text."""
    names = dict.fromkeys(element.name for element in settled.bill.elements if not element.included)
    return {name: str(settled.bill.element(name)) for name in names}

"""A register that a person read becomes a reading: rated like every other, and never older than what is charged.

The fact names the row; what was read, and that a far one was looked at twice, is looked up here.
"""

from __future__ import annotations

import numpy as np

from fairwatt.core.metering.register import ReadingRejected, RegisterSpec, advance
from fairwatt.flows.posting.estimates import charged_to
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.sift import AHEAD_US
from fairwatt.store import postpaid
from fairwatt.store.posting import EventRow, FactAnswer


def post_hand_reading(bench: Bench, *, reading: int) -> PostedFacts:
    """Charge what was used up to a reading by hand; readings of the meter itself in this batch come first."""
    state = bench.state
    row = postpaid.reading_of(cursor=bench.cursor, book=state.book, reading=reading)
    if row is None or (row.doubt and row.word != "confirmed") or row.word == "dropped":
        return refuse_fact(bench, "unknown_hand_reading", "nobody read this, or nobody looked at it again")
    found = np.flatnonzero(bench.registers.rows["installation"] == row.installation)
    if not len(found):
        return refuse_fact(
            bench, "hand_reading_closed", "the home has another meter by now; nothing was charged"
        )
    n = int(found[0])
    if n in bench.registers.moving:
        return PostedFacts(more=True)
    head = bench.registers.rows[n]
    if not int(head["at_us"]) < row.at_us <= bench.now_us + AHEAD_US:
        return refuse_fact(
            bench, "hand_reading_old", "a newer reading is charged already, or this one is of a time to come"
        )
    spec = RegisterSpec(int(head["modulus_wh"]), int(head["resolution_wh"]), int(head["max_power_w"]))
    try:
        advance(
            spec=spec,
            prev_at_us=int(head["at_us"]),
            prev_wh=int(head["register_wh"]),
            at_us=row.at_us,
            wh=row.register_wh,
        )
    except ReadingRejected as error:
        return refuse_fact(bench, "hand_reading_impossible", str(error))
    if int(head["plan_ix"]) < 0:
        return refuse_fact(bench, "hand_reading_unpriced", "no tariff is in force for this meter")
    line, after = charged_to(state=state, head=head, at_us=row.at_us, register_wh=row.register_wh)
    wallet_ix = int(head["wallet_ix"])
    told = {
        "reading": reading,
        "register_wh": row.register_wh,
        "read_us": row.at_us,
        "author": row.author,
        "photo": row.photo,
        "amount_micro": int(line["amount_micro"]),
    }
    return PostedFacts(
        lines=[line],
        wallet_ix=[wallet_ix],
        registers_read=[(n, after)],
        moved={wallet_ix},
        events=[
            EventRow(
                kind="reading.by_hand",
                at_us=bench.now_us,
                wallet=int(state.wallets["wallet"][wallet_ix]),
                gateway=int(head["gateway"]),
                meter=int(head["meter"]),
                evidence=told,
            )
        ],
        answers=[FactAnswer(fact=bench.fact, state="posted", result={"outcome": "charged", **told})],
    )

"""Around posted facts: what credits left behind, money that waits for a person, facts that wait for the next batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.flows.posting.book_state import BookState, Reviewed

if TYPE_CHECKING:
    from fairwatt.flows.posting.money import PostedFacts

REVIEW_US: Final = 72 * 3_600_000_000
"""How long a payment in review may withhold a cut."""


def note_available(*, facts: PostedFacts, state: BookState, wallets: npt.NDArray[Any]) -> None:
    """Write into the events of credits what each left in its wallet, now that the lines are chained."""
    for event in facts.events:
        if event.kind == "payment.credited" and event.wallet is not None:
            head = wallets[state.wallet_index[event.wallet]]
            event.evidence["available_micro"] = int(head["balance_micro"] - head["held_micro"])


def lately_in_review(*, in_review: Mapping[int, list[Reviewed]], now_us: int) -> dict[int, int]:
    """Money that lies in review and came lately, by wallet index, in micro-units at its nominal amount.

    A payment that nobody ever looks at keeps no power on for ever.
    """
    lately = {
        ix: sum(one.amount_micro for one in waiting if now_us - one.at_us <= REVIEW_US)
        for ix, waiting in in_review.items()
    }
    return {ix: amount for ix, amount in lately.items() if amount}


def still_withholding(*, lately: Mapping[int, int], wallets: npt.NDArray[Any]) -> set[int]:
    """Wallets that may not be cut for money in review: it would lift them above zero."""
    return {
        ix
        for ix, amount in lately.items()
        if wallets["balance_micro"][ix] - wallets["held_micro"][ix] + amount > 0
    }


def facts_wait(*, cursor: Any, book: int) -> bool:
    """True when the next batch that asks will find facts."""
    cursor.execute("SELECT EXISTS (SELECT 1 FROM fact WHERE book = %s AND state = 'waiting')", [book])
    return bool(cursor.fetchone()[0])


def prove_storable(cursor: Any, one: PostedFacts) -> None:
    """Let PostgreSQL say now, inside the savepoint, whether it can keep the answer: later it would stop the batch."""
    words = [[answer.result for answer in one.answers], [[e.reason, e.evidence] for e in one.events]]
    cursor.execute("SELECT %s::jsonb", [json.dumps(words)])


def move_along(available: npt.NDArray[np.int64], one: PostedFacts) -> npt.NDArray[np.int64]:
    """Move what each wallet has by the lines of one fact; return it."""
    for line, ix in zip(one.lines, one.wallet_ix, strict=True):
        available[ix] += line["amount_micro"]
    return available

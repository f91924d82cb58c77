"""Money given back by a ruling on a dispute, and balances brought over: what the poster posts, and on what grounds.

The fact only names a row. Whoever wrote it is not trusted: the poster looks up the case, the ruling and its approval
by another person, and the disputed line itself, and gives back no more than that line took, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from fairwatt.core.ledger.model import Kind, Leg
from fairwatt.core.ledger.recipes import adjustment_legs, opening_legs
from fairwatt.core.spans import to_datetime
from fairwatt.flows.posting.book_state import BookState
from fairwatt.store.posting import LINE, EventRow

_RULING: Final = """
SELECT r.refund_micro, d.id, d.wallet_id, d.line_seq, d.line_ts_us, d.line_ref, d.line_kind, r.author_id, a.author_id
  FROM store_disputeentry r
  JOIN store_dispute d ON d.id = r.dispute_id
  LEFT JOIN store_disputeentry a ON a.about_id = r.id AND a.kind = 'approval' AND a.dispute_id = d.id
 WHERE r.id = %s AND r.kind = 'ruling' AND d.book_id = %s
"""
_LINE: Final = """
SELECT amount_micro, tax_micro FROM line
 WHERE ts = %s AND ref = %s AND kind = %s AND book = %s AND wallet = %s AND seq = %s
"""
_GIVEN: Final = """
SELECT coalesce(sum((result->>'amount_micro')::bigint), 0) FROM fact
 WHERE book = %s AND kind = 'adjustment' AND state = 'posted' AND result->>'case' = %s
"""


class AdjustmentRefused(ValueError):
    """The fact does not rest on what it should rest on; nothing was posted."""

    code: ClassVar[str] = "ruling_unproven"


class AlreadyGiven(AdjustmentRefused):
    """The line was given back before."""

    code: ClassVar[str] = "already_given_back"


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """One entry that gives a wallet money, or brings its balance over, and what it rests on."""

    wallet: int
    wallet_ix: int
    amount_micro: int
    legs: tuple[Leg, ...]
    kind: str
    grounds: Mapping[str, int]

    @property
    def result(self) -> dict[str, Any]:
        """What the fact is answered with."""
        return {"amount_micro": self.amount_micro, **self.grounds}

    def line(self, *, fact: int, book: int, now_us: int) -> Any:
        """The line, without number and balance."""
        line = np.zeros((), dtype=LINE)
        line["ts"], line["ref"], line["kind"], line["book"] = now_us, fact, Kind.ADJUSTMENT, book
        line["amount_micro"] = self.amount_micro
        return line

    def event(self, *, fact: int, now_us: int) -> EventRow:
        """What everybody at the desk can see of it."""
        evidence = {"fact": fact, **self.result}
        if self.kind == "opening":
            return EventRow(kind="balance.brought_over", at_us=now_us, wallet=self.wallet, evidence=evidence)
        return EventRow(kind="dispute.given_back", at_us=now_us, wallet=self.wallet, evidence=evidence)


def adjustment_of(
    cursor: Any, state: BookState, kind: str, about: Mapping[str, Any], before: Iterable[Mapping[str, Any]]
) -> Adjustment:
    """What a fact of this kind and content comes to; `before`: the answers given earlier in the same batch.

    Raises AdjustmentRefused.
    """
    makers: Mapping[str, Callable[[Any, BookState, int], Adjustment]] = {
        "adjustment": _given_back,
        "opening": _brought_over,
    }
    match about:
        case {"row": int(row)}:
            made = makers[kind](cursor, state, row)
            ground = "ruling" if kind == "adjustment" else "entry"
            if any(answer.get(ground) == row for answer in before):
                raise AlreadyGiven(f"{ground} {row} was posted in this very batch")
            return made
        case _:
            raise AdjustmentRefused(f"an {kind} names the row it rests on")


def _given_back(cursor: Any, state: BookState, row: int) -> Adjustment:
    cursor.execute(_RULING, [row, state.book])
    ruling = cursor.fetchone()
    if ruling is None:
        raise AdjustmentRefused(f"this book has no ruling {row}")
    refund, case, wallet, seq, ts_us, ref, line_kind, ruled_by = map(int, ruling[:8])
    approved_by = ruling[8]
    if approved_by is None or int(approved_by) == ruled_by:
        raise AdjustmentRefused(f"ruling {row} was not approved by a second person")
    cursor.execute(_LINE, [to_datetime(ts_us), ref, line_kind, state.book, wallet, seq])
    line = cursor.fetchone()
    if line is None or wallet not in state.wallet_index:
        raise AdjustmentRefused(f"case {case} is about a line that this book does not have")
    took, tax = -int(line[0]), int(line[1])
    # One case is one line. The poster's own answers count: a fact's wallet is only its writer's word.
    cursor.execute(_GIVEN, [state.book, str(case)])
    given = int(cursor.fetchone()[0])
    if given:
        raise AlreadyGiven(f"line {seq} was given back before, {given} micro-units of it")
    if not 0 < refund <= took:
        raise AdjustmentRefused(f"ruling {row} gives back {refund} of a line that took {took} micro-units")
    if line_kind in (Kind.FEE, Kind.SHARED):
        tax = _tax_in(cursor, state.book, ref, took)
    tax_back = refund * tax // took if tax > 0 else 0
    return Adjustment(
        wallet=wallet,
        wallet_ix=state.wallet_index[wallet],
        amount_micro=refund,
        legs=adjustment_legs(currency=state.currency, amount_micro=refund, tax_micro=tax_back),
        kind="adjustment",
        grounds={
            "case": case,
            "ruling": row,
            "line_seq": seq,
            "about_us": ts_us,
            "tax_micro": tax_back,
        },
    )


def _tax_in(cursor: Any, book: int, entry: int, took: int) -> int:
    """The tax in what a line of fees or shares took: its entry knows, or the entry it recovers."""
    cursor.execute(
        "SELECT o.tax_micro, o.due_micro + o.tax_micro FROM cost_entry e "
        "JOIN cost_entry o ON o.id = coalesce(e.of, e.id) WHERE e.id = %s AND e.book = %s",
        [entry, book],
    )
    tax, owed = map(int, cursor.fetchone())
    return took * tax // owed if owed else 0


def _brought_over(cursor: Any, state: BookState, row: int) -> Adjustment:
    cursor.execute(
        "SELECT wallet_id, amount_micro FROM store_openingentry WHERE id = %s AND book_id = %s",
        [row, state.book],
    )
    entry = cursor.fetchone()
    if entry is None or int(entry[0]) not in state.wallet_index:
        raise AdjustmentRefused(f"this book has no opening entry {row}")
    wallet, amount = int(entry[0]), int(entry[1])
    cursor.execute(
        "SELECT 1 FROM fact WHERE book = %s AND kind = 'opening' AND state = 'posted' AND result->>'entry' = %s",
        [state.book, str(row)],
    )
    if cursor.fetchone():
        raise AlreadyGiven(f"the balance of wallet {wallet} was brought over before")
    return Adjustment(
        wallet=wallet,
        wallet_ix=state.wallet_index[wallet],
        amount_micro=amount,
        legs=opening_legs(currency=state.currency, amount_micro=amount),
        kind="opening",
        grounds={"entry": row},
    )

"""Money given back by a ruling on a dispute, and balances brought over: what the poster posts, and on what grounds.

The fact only names a row. Whoever wrote it is not trusted: the poster looks up the case, the ruling and its approval
by another person, and the disputed line itself, and gives back no more than that line took, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
SELECT coalesce(sum((f.result->>'amount_micro')::bigint), 0) FROM fact f
  JOIN store_dispute d ON d.id::text = f.result->>'case' AND d.book_id = f.book
 WHERE f.book = %s AND f.kind = 'adjustment' AND f.state = 'posted' AND d.wallet_id = %s AND d.line_seq = %s
"""
_REVERSED: Final = """
SELECT EXISTS (SELECT 1 FROM cost_entry e JOIN cost_entry r ON r.of = coalesce(e.of, e.id) AND r.kind = 'reversal'
                WHERE e.id = %s AND e.book = %s)
"""
_CORRECTED: Final = """
SELECT coalesce(sum(l.amount_micro), 0) FROM correction c
  JOIN line l ON l.ts = timestamptz 'epoch' + c.ts_us * interval '1 microsecond' AND l.ref = c.ref
             AND l.kind = %s AND l.book = c.book
 WHERE c.book = %s AND c.wallet = %s AND c.ref = %s AND c.first_seq <= %s AND c.last_seq >= %s
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
            about_what = ("wallet", "line_seq") if kind == "adjustment" else ("wallet", "entry")
            same = [made.grounds[name] for name in about_what]
            if any([answer.get(name) for name in about_what] == same for answer in before):
                raise AlreadyGiven(f"what {kind} {row} rests on was posted in this very batch")
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
    cursor.execute(_GIVEN, [state.book, wallet, seq])
    given = int(cursor.fetchone()[0])
    if given:
        raise AlreadyGiven(f"line {seq} was given back before, {given} micro-units of it")
    returned = _returned(cursor, state.book, wallet, seq, ref, line_kind)
    if returned is None:
        raise AlreadyGiven(f"the charge of line {seq} was taken back as a whole before")
    if not 0 < refund <= took - returned:
        raise AdjustmentRefused(
            f"ruling {row} gives back {refund} of a line that took {took} micro-units, of which corrections "
            f"returned {returned}"
        )
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
            "wallet": wallet,
            "line_seq": seq,
            "about_us": ts_us,
            "tax_micro": tax_back,
        },
    )


def _returned(cursor: Any, book: int, wallet: int, seq: int, ref: int, kind: int) -> int | None:
    """What corrections of the days around a line have given back already; None for a fee or share taken back whole.

    A correction speaks of a day, not of one line, so all it gave back is held against each line of that day.
    """
    if kind in (Kind.FEE, Kind.SHARED):
        cursor.execute(_REVERSED, [ref, book])
        return None if cursor.fetchone()[0] else 0
    if kind != Kind.READING:
        return 0
    cursor.execute(_CORRECTED, [Kind.CORRECTION, book, wallet, ref, seq, seq])
    return max(0, int(cursor.fetchone()[0]))


def given_for_costs(
    *, cursor: Any, book: int, entries: Sequence[int], before: Iterable[Mapping[str, Any]]
) -> dict[int, tuple[int, int]]:
    """{entry: (micro-units, of them tax)} that rulings gave back of entries and of what was recovered for them.

    `before`: the answers given earlier in the same batch.
    """
    now = [answer for answer in before if "ruling" in answer]
    cursor.execute(
        "SELECT coalesce(c.of, c.id), sum(g.amount)::bigint, sum(g.tax)::bigint FROM ("
        "SELECT result->>'case', (result->>'amount_micro')::bigint, (result->>'tax_micro')::bigint FROM fact "
        "WHERE book = %s AND kind = 'adjustment' AND state = 'posted' "
        "UNION ALL SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[])) AS g (dispute, amount, tax) "
        "JOIN store_dispute d ON d.id::text = g.dispute AND d.line_kind = ANY(%s) "
        "JOIN cost_entry c ON c.id = d.line_ref AND c.book = %s WHERE coalesce(c.of, c.id) = ANY(%s) GROUP BY 1",
        [
            book,
            [str(answer["case"]) for answer in now],
            [answer["amount_micro"] for answer in now],
            [answer["tax_micro"] for answer in now],
            [int(Kind.FEE), int(Kind.SHARED)],
            book,
            list(entries),
        ],
    )
    return {int(entry): (int(amount), int(tax)) for entry, amount, tax in cursor.fetchall()}


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
        grounds={"wallet": wallet, "entry": row},
    )

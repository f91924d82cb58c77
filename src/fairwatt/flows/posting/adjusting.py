"""Money given back by a ruling on a dispute, and balances brought over: what the poster posts, and on what grounds.

The fact only names a row. Whoever wrote it is not trusted: the poster looks up the case, the ruling and its approval
by another person, and the disputed line itself, and gives back no more than that line took, once: what corrections of
that charge give back counts towards it (counting.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

import numpy as np

from fairwatt.core.ledger.model import Kind, Leg
from fairwatt.core.ledger.recipes import adjustment_legs, opening_legs
from fairwatt.core.spans import to_datetime
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.counting import (
    Charge,
    Standing,
    charge_of,
    corrected,
    standing_of,
    still_due,
)
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
SELECT EXISTS (SELECT 1 FROM fact f JOIN store_dispute d ON d.id::text = f.result->>'case' AND d.book_id = f.book
 WHERE f.book = %s AND f.kind = 'adjustment' AND f.state = 'posted' AND d.wallet_id = %s AND d.line_seq = %s)
"""
_REVERSED: Final = """
SELECT EXISTS (SELECT 1 FROM cost_entry e JOIN cost_entry r ON r.of = coalesce(e.of, e.id) AND r.kind = 'reversal'
                WHERE e.id = %s AND e.book = %s)
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
        if self.kind == "counted":
            return EventRow(kind="dispute.counted", at_us=now_us, wallet=self.wallet, evidence=evidence)
        return EventRow(kind="dispute.given_back", at_us=now_us, wallet=self.wallet, evidence=evidence)


def adjustment_of(
    cursor: Any, state: BookState, kind: str, about: Mapping[str, Any], before: Iterable[Mapping[str, Any]]
) -> Adjustment:
    """What a fact of this kind and content comes to; `before`: the answers given earlier in the same batch.

    Raises AdjustmentRefused.
    """
    about_what: tuple[str, ...]
    match kind, about:
        case "adjustment", {"row": int(row)}:
            made, about_what = _given_back(cursor, state, row), ("wallet", "line_seq")
        case "opening", {"row": int(row)}:
            made, about_what = _brought_over(cursor, state, row), ("wallet", "entry")
        case (
            "adjustment",
            {"wallet": int(wallet), "ref": int(ref), "day_us": int(day_us), "after_seq": int(after_seq)},
        ):
            closing = about.get("closing", 0)
            if not isinstance(closing, int):
                raise AdjustmentRefused("the closing of a window is named by its fact")
            charge = Charge(wallet=wallet, ref=ref, day_us=day_us, after_seq=after_seq, closing=closing)
            made, about_what = _counted(cursor, state, charge), tuple(asdict(charge))
        case _:
            raise AdjustmentRefused(f"an {kind} names the row it rests on")
    same = [made.grounds[name] for name in about_what]
    if any([answer.get(name) for name in about_what] == same for answer in before):
        raise AlreadyGiven(f"what this {kind} rests on was posted in this very batch")
    return made


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
    if cursor.fetchone()[0]:
        raise AlreadyGiven(f"a ruling on line {seq} was posted before")
    if not 0 < refund <= took:
        raise AdjustmentRefused(f"ruling {row} gives back {refund} of a line that took {took} micro-units")
    if line_kind in (Kind.FEE, Kind.SHARED):
        _not_reversed(cursor, state.book, ref, seq)
        tax = _tax_in(cursor, state.book, ref, took)
    tax_back = refund * tax // took if tax > 0 else 0
    charge = charge_of(
        cursor=cursor, state=state, wallet=wallet, ref=ref, kind=line_kind, ts_us=ts_us, seq=seq
    )
    amount, tax_paid = refund, tax_back
    if charge is not None:
        standing = standing_of(cursor=cursor, state=state, wallet=wallet).get(charge, Standing())
        amount, tax_paid = still_due(
            standing=standing.ruling(refund, tax_back),
            corrected_micro=corrected(cursor=cursor, book=state.book, charge=charge),
        )
    return Adjustment(
        wallet=wallet,
        wallet_ix=state.wallet_index[wallet],
        amount_micro=amount,
        legs=_legs(state, amount, tax_paid),
        kind="adjustment",
        grounds={
            "case": case,
            "ruling": row,
            "wallet": wallet,
            "line_seq": seq,
            "about_us": ts_us,
            "tax_micro": tax_paid,
            "ruled_micro": refund,
            "ruled_tax_micro": tax_back,
        },
    )


def _counted(cursor: Any, state: BookState, charge: Charge) -> Adjustment:
    """What rulings gave back of a charge that was corrected since: as much of it as the correction gives back, too."""
    standing = standing_of(cursor=cursor, state=state, wallet=charge.wallet).get(charge)
    if standing is None or charge.wallet not in state.wallet_index:
        raise AdjustmentRefused("no ruling of this book gave back anything of that charge")
    amount, tax = still_due(
        standing=standing, corrected_micro=corrected(cursor=cursor, book=state.book, charge=charge)
    )
    return Adjustment(
        wallet=charge.wallet,
        wallet_ix=state.wallet_index[charge.wallet],
        amount_micro=amount,
        legs=_legs(state, amount, tax),
        kind="counted",
        grounds={**asdict(charge), "tax_micro": tax},
    )


def _legs(state: BookState, amount_micro: int, tax_micro: int) -> tuple[Leg, ...]:
    if not amount_micro:
        return ()
    return adjustment_legs(currency=state.currency, amount_micro=amount_micro, tax_micro=tax_micro)


def _not_reversed(cursor: Any, book: int, entry: int, seq: int) -> None:
    cursor.execute(_REVERSED, [entry, book])
    if cursor.fetchone()[0]:
        raise AlreadyGiven(f"the charge of line {seq} was taken back as a whole before")


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

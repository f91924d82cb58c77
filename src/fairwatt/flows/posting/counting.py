"""A charge comes back once: what rulings give back of it and what corrections give back of it count together.

A ruling says how much of a charge comes back in all. So the adjustments of a charge always add up to what its rulings
say less what its corrections have given back, never below zero: whichever comes first, and however often the charge is
corrected after that. A correction speaks of a register's local day and not of one line, so all that corrections of the
day gave back counts, and all rulings on lines of the day stand together. What the end of a window took is corrected by
settling the same window again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from fairwatt.core.ledger.model import Kind
from fairwatt.core.spans import local_day_start
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.reworking import Reworked
from fairwatt.store import facts

_ADJUSTED: Final = """
SELECT f.result, d.line_ref, d.line_kind, d.line_ts_us, d.line_seq FROM fact f
  LEFT JOIN store_dispute d ON d.id::text = f.result->>'case' AND d.book_id = f.book
 WHERE f.book = %s AND f.kind = 'adjustment' AND f.state = 'posted' AND f.result->>'wallet' = %s ORDER BY f.id
"""
_CORRECTED: Final = """
SELECT coalesce(sum(l.amount_micro), 0) FROM correction c
  JOIN line l ON l.ts = timestamptz 'epoch' + c.ts_us * interval '1 microsecond' AND l.ref = c.ref
             AND l.kind = %s AND l.book = c.book
 WHERE c.book = %s AND c.wallet = %s AND c.ref = %s AND c.day_us = %s AND c.seq > %s
"""


_SETTLED_AGAIN: Final = """
SELECT coalesce(sum((result->>'amount_micro')::bigint), 0) FROM fact
 WHERE book = %s AND kind = 'window_close' AND state = 'posted' AND result->>'installation' = %s
   AND result->>'window_us' = %s AND id > %s
"""


@dataclass(frozen=True, kw_only=True)
class Charge:
    """What a register charged in one local day; or, where `after_seq` is not 0, what that correction line charged.

    Where `closing` is not 0, what that settling (a fact) of the register's window from `day_us` on charged.
    """

    wallet: int
    ref: int
    day_us: int
    after_seq: int = 0
    closing: int = 0


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What rulings say of a charge, and what adjustments have paid for it; the tax is a part of each."""

    ruled_micro: int = 0
    ruled_tax_micro: int = 0
    paid_micro: int = 0
    paid_tax_micro: int = 0

    def ruling(self, micro: int, tax_micro: int) -> Standing:
        """The same with one more ruling, not paid yet."""
        return Standing(
            ruled_micro=self.ruled_micro + micro,
            ruled_tax_micro=self.ruled_tax_micro + tax_micro,
            paid_micro=self.paid_micro,
            paid_tax_micro=self.paid_tax_micro,
        )

    def paid(self, micro: int, tax_micro: int) -> Standing:
        """The same with one more adjustment."""
        return Standing(
            ruled_micro=self.ruled_micro,
            ruled_tax_micro=self.ruled_tax_micro,
            paid_micro=self.paid_micro + micro,
            paid_tax_micro=self.paid_tax_micro + tax_micro,
        )


def charge_of(
    *, cursor: Any, state: BookState, wallet: int, ref: int, kind: int, ts_us: int, seq: int
) -> Charge | None:
    """The charge that a disputed line belongs to; None for what corrections never touch."""
    if kind == Kind.READING:
        return Charge(wallet=wallet, ref=ref, day_us=local_day_start(zone=state.zone, at_us=ts_us - 1))
    if kind == Kind.CORRECTION:
        cursor.execute(
            "SELECT day_us FROM correction WHERE book = %s AND ref = %s AND ts_us = %s",
            [state.book, ref, ts_us],
        )
        row = cursor.fetchone()
        return row and Charge(wallet=wallet, ref=ref, day_us=int(row[0]), after_seq=seq)
    if kind == Kind.TRUE_UP:
        cursor.execute(
            "SELECT (result->>'installation')::bigint, (result->>'window_us')::bigint FROM fact "
            "WHERE id = %s AND book = %s AND kind = 'window_close' AND state = 'posted'",
            [ref, state.book],
        )
        row = cursor.fetchone()
        return row and Charge(wallet=wallet, ref=int(row[0]), day_us=int(row[1]), closing=ref)
    return None


def standing_of(*, cursor: Any, state: BookState, wallet: int) -> dict[Charge, Standing]:
    """How every charge of a wallet stands that a ruling gave back something of."""
    cursor.execute(_ADJUSTED, [state.book, str(wallet)])
    found: dict[Charge, Standing] = {}
    for payload, ref, kind, ts_us, seq in cursor.fetchall():
        result = json.loads(payload) if isinstance(payload, str) else payload
        micro, tax = int(result["amount_micro"]), int(result.get("tax_micro", 0))
        if ref is None:
            charge: Charge | None = Charge(
                wallet=wallet,
                **{name: int(result[name]) for name in ("ref", "day_us", "after_seq")},
                closing=int(result.get("closing", 0)),
            )
            ruled, ruled_tax = 0, 0
        else:
            charge = charge_of(
                cursor=cursor,
                state=state,
                wallet=wallet,
                ref=int(ref),
                kind=int(kind),
                ts_us=int(ts_us),
                seq=int(seq),
            )
            ruled = int(result.get("ruled_micro", micro))
            ruled_tax = int(result.get("ruled_tax_micro", tax))
        if charge is not None:
            standing = found.get(charge, Standing())
            found[charge] = standing.ruling(ruled, ruled_tax).paid(micro, tax)
    return found


def corrected(*, cursor: Any, book: int, charge: Charge) -> int:
    """What corrections gave back of a charge; below zero what they took in addition."""
    if charge.closing:
        cursor.execute(_SETTLED_AGAIN, [book, str(charge.ref), str(charge.day_us), charge.closing])
        return int(cursor.fetchone()[0])
    cursor.execute(
        _CORRECTED, [Kind.CORRECTION, book, charge.wallet, charge.ref, charge.day_us, charge.after_seq]
    )
    return int(cursor.fetchone()[0])


def still_due(*, standing: Standing, corrected_micro: int) -> tuple[int, int]:
    """(micro-units, of them tax) that adjustments have yet to pay for a charge; below zero to take back."""
    due = max(0, standing.ruled_micro - max(0, corrected_micro))
    tax = standing.ruled_tax_micro * due // standing.ruled_micro if standing.ruled_micro else 0
    amount, part = due - standing.paid_micro, tax - standing.paid_tax_micro
    # Cutting the tax to whole micro-units may leave it one off; it is never more than a part of the amount.
    return amount, max(min(amount, 0), min(max(amount, 0), part))


def given_now(answers: Iterable[Mapping[str, Any]]) -> list[int]:
    """Wallets that the answers of a batch gave something back, or counted it."""
    return [int(answer["wallet"]) for answer in answers if "ruling" in answer or "after_seq" in answer]


def ask_to_count(*, cursor: Any, state: BookState, reworked: Iterable[Reworked], now_us: int) -> bool:
    """Ask for every charge corrected in this batch that rulings gave back of; True when the next batch has to answer.

    Its lines stand only when this batch does: the next one looks at them.
    """
    days = {
        (one.row.wallet, one.row.installation, day_us)
        for one in reworked
        for day_us in np.unique(one.notes.rows["day_us"]).tolist()
    }
    if not days:
        return False
    cursor.execute(
        "SELECT DISTINCT result->>'wallet' FROM fact WHERE book = %s AND kind = 'adjustment' AND state = 'posted' "
        "AND result->>'wallet' = ANY(%s)",
        [state.book, sorted({str(wallet) for wallet, _, _ in days})],
    )
    asked = False
    for (wallet,) in cursor.fetchall():
        for charge in standing_of(cursor=cursor, state=state, wallet=int(wallet)):
            if not charge.closing and (charge.wallet, charge.ref, charge.day_us) in days:
                _ask(cursor, state, charge, now_us)
                asked = True
    return asked


def ask_to_count_window(
    *, cursor: Any, state: BookState, wallet: int, installation: int, window_us: int, now_us: int
) -> bool:
    """The same for a window that was settled again in this batch."""
    asked = False
    for charge in standing_of(cursor=cursor, state=state, wallet=wallet):
        if charge.closing and (charge.ref, charge.day_us) == (installation, window_us):
            _ask(cursor, state, charge, now_us)
            asked = True
    return asked


def _ask(cursor: Any, state: BookState, charge: Charge, now_us: int) -> None:
    key = ("counted", charge.wallet, charge.ref, charge.day_us, charge.closing or charge.after_seq)
    facts.add(
        cursor=cursor,
        book=state.book,
        kind="adjustment",
        natural_key=":".join(map(str, (*key, state.last_batch + 1))),
        wallet=charge.wallet,
        payload=asdict(charge),
        raw=b"",
        now_us=now_us,
    )

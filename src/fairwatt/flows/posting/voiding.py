"""A payment by hand is taken back: one person's wish, another's word, and never more than is left of it.

The line and its receipt stay; a line against it and a mark on the receipt are added.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fairwatt.core.ledger.model import CASH_OVER_SHORT, PAYABLE_VOIDS, SUSPENSE, Kind
from fairwatt.core.ledger.recipes import clearing_account, void_legs
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.refunding import unspent
from fairwatt.store import cash_desk, money_wishes, refunds
from fairwatt.store.cash_desk import Receipt
from fairwatt.store.money_wishes import Void, Wish
from fairwatt.store.posting import LINE, EventRow, FactAnswer

BY_HAND: Final = ("cash", "terminal", "transfer")
"""What was paid through a provider goes back by a refund of that provider, not so."""
STAFF: Final = ("operator", "admin")


def agreed_wish(bench: Bench, *, wish: int, kind: str) -> Wish | None:
    """A wish that another person agreed to, if both work here and the second one may."""
    found = money_wishes.wish_of(cursor=bench.cursor, book=bench.state.book, wish=wish)
    if found is None or found.kind != kind or not found.agreed:
        return None
    first, second = (
        cash_desk.staff_role(cursor=bench.cursor, book=bench.state.book, user=user)
        for user in (found.author, found.step_author)
    )
    return found if first in STAFF and second == "admin" else None


def post_void(bench: Bench, *, wish: int) -> PostedFacts:
    """Take a payment back, whole or in part."""
    cursor, state = bench.cursor, bench.state
    asked = agreed_wish(bench, wish=wish, kind="void")
    if asked is None:
        return refuse_fact(bench, "not_agreed", "no two people here want this; nothing was taken back")
    of, way = asked.details.get("of"), str(asked.details.get("way"))
    paid = cash_desk.receipt_of(cursor=cursor, book=state.book, fact=of) if isinstance(of, int) else None
    if paid is None or paid.provider not in BY_HAND:
        return refuse_fact(bench, "not_by_hand", "no such payment was taken by hand; nothing was taken back")
    ix = state.wallet_index.get(paid.wallet)
    against = _against(paid, way)
    if ix is None or against is None:
        return refuse_fact(bench, "no_such_way", "it cannot be taken back so; nothing was taken back")
    if ix in bench.reworked:
        return PostedFacts(more=True)
    amount = micro_from_minor(amount_minor=asked.amount_minor, minor_digits=state.minor_digits)
    payment = refunds.lock_paid(cursor=cursor, book=state.book, fact=paid.fact)
    left = asked.amount_minor if payment is None else payment.left_minor
    if amount > paid.amount_micro - paid.void_micro or asked.amount_minor > left:
        return refuse_fact(bench, "more_than_paid", "more than was paid; nothing was taken back")
    if amount > max(0, unspent(bench, ix)):
        return refuse_fact(bench, "spent", "the credit is spent by now; nothing was taken back")
    void = Void(bench.fact, paid.wallet, paid.fact, asked.wish, amount, way, bench.now_us)
    money_wishes.add_void(cursor=cursor, void=void, book=state.book, batch=state.last_batch + 1)
    if payment is not None:
        refunds.move_paid(cursor=cursor, fact=payment.fact, lost_minor=asked.amount_minor)
        refunds.fold_intent(cursor=cursor, intent=payment.intent)
    line = np.zeros((), dtype=LINE)
    line["ts"], line["ref"], line["kind"] = bench.now_us, bench.fact, Kind.VOID
    line["amount_micro"], line["book"] = -amount, state.book
    result = {
        "amount_micro": -amount,
        "receipt": paid.number,
        "way": way,
        "wish": asked.wish,
        "of": paid.fact,
    }
    evidence = {**result, "fact": bench.fact, "asked_by": asked.author, "agreed_by": asked.step_author}
    return PostedFacts(
        lines=[line],
        wallet_ix=[ix],
        legs=list(void_legs(currency=state.currency, amount_micro=amount, against=against)),
        moved={ix},
        answers=[FactAnswer(fact=bench.fact, state="posted", result=result)],
        events=[EventRow(kind="payment.voided", at_us=bench.now_us, wallet=paid.wallet, evidence=evidence)],
    )


def _against(paid: Receipt, way: str) -> str | None:
    """The account that stands for the money from now on; None for a way this payment cannot go."""
    match way, paid.provider:
        case "suspense", _:
            return SUSPENSE
        case "paid_back", "cash":
            return PAYABLE_VOIDS
        case "not_received", "cash":
            return CASH_OVER_SHORT
        # A terminal gives a card its money back by itself, and a bank its transfer.
        case (("paid_back" | "not_received"), _):
            return clearing_account(provider=paid.provider)
        case _:
            return None

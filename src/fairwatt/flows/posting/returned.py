"""A refund that its provider had paid comes back from the payer's bank."""

from __future__ import annotations

from typing import Any

from fairwatt.core.ledger.model import PAYABLE_REFUNDS, WALLET, Kind
from fairwatt.core.ledger.recipes import refund_returned_legs
from fairwatt.core.ledger.refunds import RefundState
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.refunding import fold_payment, wallet_line
from fairwatt.payments.contract import ProviderFact
from fairwatt.store import refunds
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.store.refunds import RefundRow


def come_back(bench: Bench, row: RefundRow, said: ProviderFact) -> PostedFacts:
    """What was paid came back from the payer's bank: it is owed again, and waits for the window.

    Only of the very refund that was paid: what a provider says of an attempt of its own has no number or another one.
    """
    same = bool(said.provider_ref) and said.provider_ref == row.provider_refund
    if row.state != RefundState.SUCCEEDED or row.paid_by != "source" or row.payment is None or not same:
        return _answered(bench, {"outcome": "duplicate"})
    if said.amount_minor != row.amount_minor:
        return refuse_fact(bench, "amount_differs", "another amount came back than went out; no money moved")
    cursor = bench.cursor
    minor_micro = micro_from_minor(amount_minor=1, minor_digits=bench.state.minor_digits)
    amount = row.amount_minor * minor_micro
    paid = refunds.lock_paid(cursor=cursor, book=bench.state.book, fact=row.payment)
    ix = bench.state.wallet_index.get(row.wallet)
    if paid is None or ix is None:
        return PostedFacts(reload=True, more=True)
    rest = (
        refunds.wish_rest(cursor=cursor, book=bench.state.book, wish=row.wish, minor_micro=minor_micro)
        if row.wish is not None
        else 0
    )
    # Who has had all of it back another way, by a dispute, is not owed it twice: then it is the wallet's.
    owed = paid.open_minor + paid.done_minor + paid.lost_minor <= paid.paid_minor
    back = row.amount_minor
    refunds.move_paid(cursor=cursor, fact=paid.fact, open_minor=back if owed else 0, done_minor=-back)
    fold_payment(bench, paid.fact)
    about: dict[str, Any] = {"refund": row.id, "now_us": bench.now_us, "cursor": cursor}
    code = said.detail[:60] or str(said.state)
    refunds.move_refund(state=RefundState.ABNORMAL, code=code, paid_by="", ask_us=None, **about)
    out = _answered(bench, {"outcome": "returned", "refund": row.id, "owed": owed})
    out.legs += refund_returned_legs(
        currency=bench.state.currency,
        provider=said.provider,
        amount_micro=amount,
        rest_micro=rest,
        account=PAYABLE_REFUNDS if owed else WALLET,
    )
    evidence = {"refund": row.id, "amount_micro": amount, "returned": True}
    if owed:
        out.events.append(
            EventRow(kind="refund.abnormal", at_us=bench.now_us, wallet=row.wallet, evidence=evidence)
        )
        return out
    refunds.move_refund(state=RefundState.FAILED, code=code, **about)
    out.lines.append(wallet_line(bench, kind=Kind.REFUND, amount_micro=amount))
    out.wallet_ix.append(ix)
    out.moved.add(ix)
    out.events.append(
        EventRow(kind="refund.failed", at_us=bench.now_us, wallet=row.wallet, reason=code, evidence=evidence)
    )
    return out


def _answered(bench: Bench, result: dict[str, Any]) -> PostedFacts:
    return PostedFacts(answers=[FactAnswer(fact=bench.fact, state="posted", result=result)])

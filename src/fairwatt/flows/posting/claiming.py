"""Money that two people place: a transfer from the bank, or what lay in suspense until somebody claimed it."""

from __future__ import annotations

import numpy as np

from fairwatt.core.ledger.model import Kind
from fairwatt.core.ledger.recipes import claimed_legs
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.money import post_proven
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.voiding import agreed_wish
from fairwatt.payments.contract import Assurance, ProviderFact
from fairwatt.store import cash_desk, money_wishes, refunds
from fairwatt.store.cash_desk import NewReceipt
from fairwatt.store.money_wishes import Waiting, Wish
from fairwatt.store.posting import LINE, EventRow, FactAnswer


def post_transfer(bench: Bench, before: PostedFacts, *, wish: int) -> PostedFacts:
    """Credit what the bank's statement shows, or keep it in suspense where its words name no home."""
    state = bench.state
    asked = agreed_wish(bench, wish=wish, kind="transfer")
    if asked is None:
        return refuse_fact(bench, "not_agreed", "no two people here saw this transfer; no money was moved")
    said = asked.details
    paid = ProviderFact(
        provider="transfer",
        our_ref=str(said["our_ref"]),
        provider_ref=asked.key.removeprefix("transfer:"),
        event_id=asked.key,
        amount_minor=asked.amount_minor,
        currency=state.currency,
        occurred_at_us=int(said["booked_us"]),
        assurance=Assurance.MANUAL,
    )
    return post_proven(bench, before, paid, account=None, cashier=None)


def post_claim(bench: Bench, *, wish: int) -> PostedFacts:
    """Let a home have money out of suspense, once."""
    cursor, state = bench.cursor, bench.state
    asked = agreed_wish(bench, wish=wish, kind="claim")
    if asked is None or asked.wallet is None:
        return refuse_fact(bench, "not_agreed", "no two people here want this; no money was moved")
    of = asked.details.get("of")
    waiting = (
        money_wishes.in_suspense(cursor=cursor, book=state.book, currency=state.currency, of=of)
        if isinstance(of, int)
        else []
    )
    ix = state.wallet_index.get(asked.wallet)
    if not waiting or waiting[0].amount_minor != asked.amount_minor:
        return refuse_fact(bench, "not_in_suspense", "this money does not wait any more; no money was moved")
    if ix is None:
        return refuse_fact(bench, "unknown_wallet", "this book has no such home; no money was moved")
    (found,) = waiting
    amount = micro_from_minor(amount_minor=found.amount_minor, minor_digits=state.minor_digits)
    number = _place(bench, asked, found, amount)
    line = np.zeros((), dtype=LINE)
    line["ts"], line["ref"], line["kind"] = bench.now_us, bench.fact, Kind.TOPUP
    line["amount_micro"], line["book"] = amount, state.book
    result = {
        "outcome": "credited",
        "provider": found.provider,
        "provider_ref": found.reference,
        "amount_minor": found.amount_minor,
        "currency": state.currency,
        "amount_micro": amount,
        "receipt": number,
        "of": found.of,
        "wish": asked.wish,
    }
    evidence = {
        "amount_micro": amount,
        "provider": found.provider,
        "fact": bench.fact,
        "asked_by": asked.author,
        "agreed_by": asked.step_author,
    }
    return PostedFacts(
        lines=[line],
        wallet_ix=[ix],
        legs=list(claimed_legs(currency=state.currency, amount_micro=amount)),
        credited={ix: bench.fact},
        answers=[FactAnswer(fact=bench.fact, state="posted", result=result)],
        events=[
            EventRow(
                kind="payment.credited",
                at_us=bench.now_us,
                wallet=asked.wallet,
                reason="claimed",
                evidence=evidence,
            )
        ],
    )


def _place(bench: Bench, asked: Wish, found: Waiting, amount_micro: int) -> int:
    """Take the money out of suspense, settle what was in review, and give the payment its receipt; its number."""
    cursor, state = bench.cursor, bench.state
    wallet = asked.wallet or 0
    money_wishes.end_suspense(
        cursor=cursor,
        of=found.of,
        book=state.book,
        wallet=wallet,
        wish=asked.wish,
        amount_micro=amount_micro,
        fact=bench.fact,
        now_us=bench.now_us,
        batch=state.last_batch + 1,
    )
    # An intent in review is settled: credited here, or over where the money was another home's.
    cursor.execute(
        "UPDATE store_paymentintent SET state = CASE WHEN wallet_id = %s THEN 'credited' ELSE 'closed' END, "
        "credited_us = CASE WHEN wallet_id = %s THEN %s::bigint ELSE credited_us END WHERE book_id = %s "
        "AND state = 'review' AND our_ref = (SELECT result->>'our_ref' FROM fact WHERE id = %s AND kind = 'payment')",
        [wallet, wallet, bench.now_us, state.book, found.of],
    )
    _note_paid(bench, found, wallet)
    new = NewReceipt(
        fact=bench.fact,
        wallet=wallet,
        amount_micro=amount_micro,
        provider=found.provider,
        reference=found.reference[:160],
        secret=asked.key,
    )
    return cash_desk.number_receipt(
        cursor=cursor, book=state.book, batch=state.last_batch + 1, new=new, now_us=bench.now_us
    )


def _note_paid(bench: Bench, found: Waiting, wallet: int) -> None:
    """Keep what a provider took where refunds and chargebacks of it are added up: as much as was paid there."""
    state = bench.state
    bench.cursor.execute(
        "SELECT i.id, i.our_ref, i.account_id FROM fact f JOIN store_paymentintent i "
        "ON i.our_ref = f.result->>'our_ref' AND i.book_id = f.book AND i.provider = f.result->>'provider' "
        "AND i.account_id = (f.payload->>'account')::bigint WHERE f.id = %s AND f.book = %s AND f.kind = 'payment'",
        [found.of, state.book],
    )
    order = bench.cursor.fetchone()
    if order is None:
        return  # taken by hand, or paid for no order of ours: no provider gives that back by an order's reference
    intent, our_ref, account = order
    refunds.add_paid(
        cursor=bench.cursor,
        book=state.book,
        fact=bench.fact,
        wallet=wallet,
        intent=int(intent),
        our_ref=our_ref,
        provider=found.provider,
        account=int(account),
        provider_ref=found.reference,
        currency=found.currency,
        paid_minor=found.amount_minor,
        now_us=bench.now_us,
    )
    # A dispute may name the payment by the provider's own number alone.
    bench.cursor.execute(
        "UPDATE store_paymentintent SET provider_ref = %s WHERE id = %s AND provider_ref = ''",
        [found.reference, intent],
    )

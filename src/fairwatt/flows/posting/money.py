"""Waiting facts become money, or a visible refusal: the fold of payments under the book's one writer.

Whoever wrote a fact is not trusted: no content of it may stop the book. Each is posted in a savepoint of its own,
and one that cannot be posted, for whatever reason, is refused where everybody sees it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import InterfaceError, OperationalError, transaction

from fairwatt.core.ledger.model import Kind, Leg
from fairwatt.core.ledger.recipes import topup_legs, unmatched_topup_legs
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.adjusting import AdjustmentRefused, adjustment_of
from fairwatt.flows.posting.book_state import BookState, Reviewed
from fairwatt.flows.posting.estimates import EstimateRefused, Registers, charge_estimate, move_register
from fairwatt.flows.posting.fees import post_entry_reversal, post_fee_run
from fairwatt.flows.posting.shares import post_allocation, post_allocation_reversal, post_share
from fairwatt.flows.posting.taking import CostDesk, CostRefused, CostsPosted, recover_arrears
from fairwatt.flows.posting.waiting import move_along, prove_storable
from fairwatt.payments.contract import CallbackRejected, PaymentFact, PaymentProvider
from fairwatt.store.posting import LINE, EventRow, FactAnswer, QuarantineRow

FACTS_MAX = 500


@dataclass(kw_only=True)
class PostedFacts:
    """What the waiting facts of a batch came to."""

    lines: list[Any] = field(default_factory=list)
    wallet_ix: list[int] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    answers: list[FactAnswer] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    credited: dict[int, int] = field(default_factory=dict)
    """wallet index -> fact id that put credit there"""
    in_review: dict[int, list[Reviewed]] = field(default_factory=dict)
    moved: set[int] = field(default_factory=set)
    """wallet indices that a fee, a share or a reversal moved"""
    reload: bool = False
    regrant: set[int] = field(default_factory=set)
    """wallet ids whose edge needs a fresh grant after the reload"""
    more: bool = False
    """some facts wait for the next batch"""
    finished: set[int] = field(default_factory=set)
    """facts of tariff corrections that reached every register"""
    quarantine: list[QuarantineRow] = field(default_factory=list)
    registers_moved: list[tuple[int, RegisterState]] = field(default_factory=list)
    """registers that an approved estimate moved, and where they stand now"""

    def add(self, one: PostedFacts) -> None:
        """Take over what one more fact came to."""
        self.lines += one.lines
        self.wallet_ix += one.wallet_ix
        self.legs += one.legs
        self.answers += one.answers
        self.events += one.events
        self.credited |= one.credited
        for ix, waiting in one.in_review.items():
            self.in_review.setdefault(ix, []).extend(waiting)
        for ix in one.credited:
            self.in_review.pop(ix, None)
        self.moved |= one.moved
        self.reload |= one.reload
        self.regrant |= one.regrant
        self.quarantine += one.quarantine
        self.registers_moved += one.registers_moved

    def line_array(self) -> npt.NDArray[Any]:
        """The lines with dtype LINE."""
        return np.array(self.lines, dtype=LINE) if self.lines else np.empty(0, dtype=LINE)


def post_facts(
    *,
    cursor: Any,
    state: BookState,
    providers: Mapping[str, PaymentProvider],
    registers: Registers,
    available: npt.NDArray[np.int64],
    now_us: int,
) -> PostedFacts:
    """Answer the facts that wait for this book, oldest first; move `registers` where an estimate is charged.

    `available`: what each wallet has after the readings of this batch; it is moved along with the facts.
    """
    out = PostedFacts()
    cursor.execute(
        "SELECT id, kind, payload, raw FROM fact WHERE book = %s AND state = 'waiting' ORDER BY id LIMIT %s",
        [state.book, FACTS_MAX],
    )
    for fact, kind, payload, raw in cursor.fetchall():
        bench = _Bench(cursor, state, providers, registers, int(fact), now_us, available)
        try:
            with transaction.atomic():
                one = _post_fact(bench, out, kind, payload, bytes(raw))
                _recover(bench, one)
                prove_storable(cursor, one)
        except (OperationalError, InterfaceError):
            raise  # the database is away: that says nothing about the fact
        except Exception as error:
            one = _refuse(bench, "unpostable", f"posting it failed with {type(error).__name__}")
        for register, after in one.registers_moved:
            move_register(rows=registers.rows, register=register, after=after)
        out.add(one)
        move_along(available, one)
    return out


@dataclass(frozen=True)
class _Bench:
    """Where one fact is worked on."""

    cursor: Any
    state: BookState
    providers: Mapping[str, PaymentProvider]
    registers: Registers
    fact: int
    now_us: int
    available: npt.NDArray[np.int64]


def _post_fact(bench: _Bench, before: PostedFacts, kind: str, payload: Any, raw: bytes) -> PostedFacts:
    """What one fact comes to; `before` is what the facts of this batch before it came to."""
    content = json.loads(payload) if isinstance(payload, str) else payload
    match kind, content:
        case "payment", {"provider": str(name), "headers": dict(headers)} if name in bench.providers:
            signed = {str(key): str(value) for key, value in headers.items()}
            return _payment(bench, before, bench.providers[name], signed, raw)
        case "payment", _:
            return _refuse(bench, "unknown_provider", "no provider here made this callback")
        case "config", {"wallets": list(wallets)}:
            return PostedFacts(
                reload=True,
                regrant={wallet for wallet in wallets if type(wallet) is int},
                answers=[FactAnswer(fact=bench.fact, state="posted", result={"reloaded": True})],
            )
        case (("reading_edit" | "tariff_correction"), _):
            return PostedFacts()  # answered before the readings (correcting.py), or left to the next batch
        case "estimate", {"approval": int(approval)}:
            return _estimate(bench, approval)
        case (("fee_run" | "allocation" | "share" | "reversal"), dict(about)):
            return _cost(bench, kind, about)
        case (("adjustment" | "opening"), dict(about)):
            return _adjustment(bench, before, kind, about)
        case _:
            return _refuse(bench, "unknown_kind", f"nobody here posts such a fact of kind {kind[:60]}")


def _estimate(bench: _Bench, approval: int) -> PostedFacts:
    try:
        made = charge_estimate(
            cursor=bench.cursor,
            state=bench.state,
            registers=bench.registers,
            approval=approval,
            fact=bench.fact,
            now_us=bench.now_us,
        )
    except EstimateRefused as error:
        return _refuse(bench, "estimate_refused", str(error))
    return PostedFacts(
        lines=[made.line],
        wallet_ix=[made.wallet_ix],
        answers=[FactAnswer(fact=bench.fact, state="posted", result=made.result)],
        events=[made.event],
        quarantine=[made.doubt],
        registers_moved=[(made.register, made.after)],
    )


def _cost(bench: _Bench, kind: str, about: dict[str, Any]) -> PostedFacts:
    """A fee run, the shares of an allocation, or a reversal."""
    desk = _cost_desk(bench)
    try:
        match kind, about:
            case "fee_run", {"fee": int(fee), "due": str(due)}:
                posted = post_fee_run(desk, fee_id=fee, due=due)
            case "allocation", {"allocation": int(allocation)}:
                posted = post_allocation(desk, allocation=allocation)
            case "share", {"share": int(share)}:
                posted = post_share(desk, share=share)
            case "reversal", {"allocation": int(allocation)}:
                posted = post_allocation_reversal(desk, allocation=allocation)
            case "reversal", {"entry": int(entry)}:
                posted = post_entry_reversal(desk, entry=entry)
            case _:
                return _refuse(
                    bench, "unknown_kind", f"the content of this {kind} is not what such a fact says"
                )
    except CostRefused as error:
        return _refuse(bench, error.code, str(error))
    answer = FactAnswer(fact=bench.fact, state="posted", result=posted.result)
    return _costs_as_facts(posted, [answer])


def _cost_desk(bench: _Bench) -> CostDesk:
    return CostDesk(
        cursor=bench.cursor,
        state=bench.state,
        fact=bench.fact,
        now_us=bench.now_us,
        available=bench.available,
    )


def _costs_as_facts(posted: CostsPosted, answers: list[FactAnswer]) -> PostedFacts:
    return PostedFacts(
        lines=posted.lines,
        wallet_ix=posted.wallet_ix,
        legs=posted.legs,
        events=posted.events,
        answers=answers,
        moved=set(posted.wallet_ix),
    )


def _recover(bench: _Bench, one: PostedFacts) -> None:
    """Let a top-up pay what its home owes besides energy, as far as the rule for fees allows."""
    for ix in list(one.credited):
        paid = sum(int(line["amount_micro"]) for line in one.lines)
        desk = _cost_desk(replace(bench, available=move_along(bench.available.copy(), one)))
        posted = recover_arrears(desk, wallet_ix=ix, topped_up_micro=paid)
        if posted is not None:
            one.add(_costs_as_facts(posted, []))


def _adjustment(bench: _Bench, before: PostedFacts, kind: str, about: dict[str, Any]) -> PostedFacts:
    """Money given back by a ruling, or a balance brought over: what is posted rests on rows looked up here."""
    try:
        answers = [answer.result for answer in before.answers]
        given = adjustment_of(bench.cursor, bench.state, kind, about, answers)
    except AdjustmentRefused as error:
        return _refuse(bench, error.code, str(error))
    return PostedFacts(
        lines=[given.line(fact=bench.fact, book=bench.state.book, now_us=bench.now_us)],
        wallet_ix=[given.wallet_ix],
        legs=list(given.legs),
        moved={given.wallet_ix},
        answers=[FactAnswer(fact=bench.fact, state="posted", result=given.result)],
        events=[given.event(fact=bench.fact, now_us=bench.now_us)],
    )


def _payment(
    bench: _Bench, before: PostedFacts, provider: PaymentProvider, headers: dict[str, str], raw: bytes
) -> PostedFacts:
    cursor, state = bench.cursor, bench.state
    try:
        # The web process that stored these bytes is not trusted: the signature is checked again here.
        paid = provider.parse_callback(headers=headers, body=raw, now_us=None)
    except CallbackRejected as error:
        return _refuse(bench, error.code, str(error))
    cursor.execute(
        "SELECT id, wallet_id, amount_minor, currency, state FROM store_paymentintent "
        "WHERE our_ref = %s AND provider = %s AND book_id = %s FOR UPDATE",
        [paid.our_ref, paid.provider, state.book],
    )
    intent = cursor.fetchone()
    earlier = _earlier(bench, before, paid)
    if earlier is not None:
        return _known_reference(bench, paid, earlier)
    if intent is None:
        cursor.execute(
            "SELECT 1 FROM store_paymentintent WHERE our_ref = %s AND provider = %s",
            [paid.our_ref, paid.provider],
        )
        if cursor.fetchone():
            # The same bytes are money in the book they belong to; here they are somebody's trick or slip.
            return _refuse(bench, "other_book", f"payment {paid.our_ref} belongs to another book")
        return _suspense(bench, paid, "unknown_reference", None)
    intent_id, wallet, amount_minor, currency, intent_state = intent
    wallet_ix = state.wallet_index.get(int(wallet))
    asked = (int(amount_minor), currency)
    if intent_state == "credited":
        # Another payment for what was paid already: the payer's money, and a person gives it back or credits it.
        return _suspense(bench, paid, "paid_twice", None)
    if (paid.amount_minor, paid.currency) != asked or paid.currency != state.currency:
        cursor.execute("UPDATE store_paymentintent SET state = 'review' WHERE id = %s", [intent_id])
        return _suspense(bench, paid, "amount_differs", wallet_ix)
    if wallet_ix is None:
        return _suspense(bench, paid, "unknown_wallet", None)
    cursor.execute(
        "UPDATE store_paymentintent SET state = 'credited', provider_ref = %s, credited_us = %s WHERE id = %s",
        [paid.provider_ref, bench.now_us, intent_id],
    )
    return _credit(bench, paid, wallet_ix)


def _earlier(bench: _Bench, before: PostedFacts, paid: PaymentFact) -> dict[str, Any] | None:
    """The answer to an earlier fact with the same provider reference, in the ledger or in this batch."""
    for answer in before.answers:
        if (answer.result.get("provider"), answer.result.get("provider_ref")) == (
            paid.provider,
            paid.provider_ref,
        ):
            return answer.result
    bench.cursor.execute(
        "SELECT result FROM fact WHERE book = %s AND kind = 'payment' AND state = 'posted' "
        "AND result->>'provider_ref' = %s AND payload->>'provider' = %s ORDER BY id LIMIT 1",
        [bench.state.book, paid.provider_ref, paid.provider],
    )
    row = bench.cursor.fetchone()
    if row is None:
        return None
    result: dict[str, Any] = json.loads(row[0]) if isinstance(row[0], str) else row[0]
    return result


def _known_reference(bench: _Bench, paid: PaymentFact, earlier: dict[str, Any]) -> PostedFacts:
    """One payment of a provider moves money once; the same reference for something else is for a person."""
    said = _paid(paid)
    if any(earlier.get(name, value) != value for name, value in said.items()):
        return _refuse(
            bench,
            "reference_reused",
            f"{paid.provider} told of payment {paid.provider_ref} before, with another content; "
            f"now it names top-up {paid.our_ref} and {paid.amount_minor} {paid.currency} in minor units",
        )
    answer = FactAnswer(fact=bench.fact, state="posted", result={"outcome": "duplicate"})
    return PostedFacts(answers=[answer])


def _paid(paid: PaymentFact) -> dict[str, Any]:
    return {"our_ref": paid.our_ref, "amount_minor": paid.amount_minor, "currency": paid.currency}


def _answer(bench: _Bench, paid: PaymentFact, **result: Any) -> FactAnswer:
    who = {"provider": paid.provider, "provider_ref": paid.provider_ref, **_paid(paid)}
    return FactAnswer(fact=bench.fact, state="posted", result={**result, **who})


def _credit(bench: _Bench, paid: PaymentFact, wallet_ix: int) -> PostedFacts:
    state, now_us = bench.state, bench.now_us
    amount = micro_from_minor(amount_minor=paid.amount_minor, minor_digits=state.minor_digits)
    line = np.zeros((), dtype=LINE)
    line["ts"] = now_us
    line["ref"] = bench.fact
    line["kind"] = Kind.TOPUP
    line["amount_micro"] = amount
    line["book"] = state.book
    return PostedFacts(
        lines=[line],
        wallet_ix=[wallet_ix],
        legs=list(topup_legs(currency=state.currency, provider=paid.provider, amount_micro=amount)),
        credited={wallet_ix: bench.fact},
        answers=[_answer(bench, paid, outcome="credited", amount_micro=amount)],
        events=[
            EventRow(
                kind="payment.credited",
                at_us=now_us,
                wallet=int(state.wallets["wallet"][wallet_ix]),
                evidence={"amount_micro": amount, "provider": paid.provider, "fact": bench.fact},
            )
        ],
    )


def _suspense(bench: _Bench, paid: PaymentFact, reason: str, wallet_ix: int | None) -> PostedFacts:
    """Money arrived that cannot be credited: it is kept in suspense, and a person is told."""
    state = bench.state
    amount = micro_from_minor(amount_minor=paid.amount_minor, minor_digits=state.minor_digits)
    out = PostedFacts(answers=[_answer(bench, paid, outcome="review", reason=reason)])
    if paid.currency == state.currency:
        out.legs += unmatched_topup_legs(currency=state.currency, provider=paid.provider, amount_micro=amount)
    if wallet_ix is not None:
        out.in_review[wallet_ix] = [Reviewed(amount, bench.now_us)]
    out.events.append(
        EventRow(
            kind="payment.review",
            at_us=bench.now_us,
            wallet=None if wallet_ix is None else int(state.wallets["wallet"][wallet_ix]),
            reason=reason,
            evidence=_paid(paid),
        )
    )
    return out


def _refuse(bench: _Bench, code: str, detail: str) -> PostedFacts:
    return PostedFacts(
        answers=[FactAnswer(fact=bench.fact, state="refused", result={"code": code, "detail": detail})],
        events=[
            EventRow(
                kind="fact.refused",
                at_us=bench.now_us,
                reason=code,
                evidence={"fact": bench.fact, "detail": detail},
            )
        ],
    )

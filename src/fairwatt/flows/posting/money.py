"""Waiting facts become money, or a visible refusal: the fold of payments under the book's one writer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind, Leg
from fairwatt.core.ledger.recipes import topup_legs, unmatched_topup_legs
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.book_state import BookState
from fairwatt.payments.contract import CallbackRejected, PaymentFact, PaymentProvider
from fairwatt.store.posting import LINE, EventRow, FactAnswer

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
    in_review: set[int] = field(default_factory=set)
    reload: bool = False
    regrant: set[int] = field(default_factory=set)
    """wallet ids whose edge needs a fresh grant after the reload"""

    def line_array(self) -> npt.NDArray[Any]:
        """The lines with dtype LINE."""
        return np.array(self.lines, dtype=LINE) if self.lines else np.empty(0, dtype=LINE)


def post_facts(
    *,
    cursor: Any,
    state: BookState,
    providers: Mapping[str, PaymentProvider],
    now_us: int,
) -> PostedFacts:
    """Answer the facts that wait for this book, oldest first."""
    out = PostedFacts()
    cursor.execute(
        "SELECT id, kind, payload, raw FROM fact WHERE book = %s AND state = 'waiting' ORDER BY id LIMIT %s",
        [state.book, FACTS_MAX],
    )
    for fact, kind, payload, raw in cursor.fetchall():
        content = json.loads(payload) if isinstance(payload, str) else payload
        # Whoever wrote the row is not trusted: no content of it may stop the book.
        match kind, content:
            case "payment", {"provider": str(name), "headers": dict(headers)} if name in providers:
                signed = {str(key): str(value) for key, value in headers.items()}
                _payment(cursor, state, providers[name], out, int(fact), signed, bytes(raw), now_us)
            case "payment", _:
                _refuse(out, int(fact), "unknown_provider", "no provider here made this callback", now_us)
            case "config", {"wallets": list(wallets)}:
                out.reload = True
                out.regrant.update(wallet for wallet in wallets if type(wallet) is int)
                out.answers.append(FactAnswer(fact=int(fact), state="posted", result={"reloaded": True}))
            case _:
                _refuse(
                    out, int(fact), "unknown_kind", f"nobody here posts such a fact of kind {kind}", now_us
                )
    return out


def _payment(
    cursor: Any,
    state: BookState,
    provider: PaymentProvider,
    out: PostedFacts,
    fact: int,
    headers: dict[str, str],
    raw: bytes,
    now_us: int,
) -> None:
    try:
        # The web process that stored these bytes is not trusted: the signature is checked again here.
        paid = provider.parse_callback(headers=headers, body=raw, now_us=None)
    except CallbackRejected as error:
        _refuse(out, fact, error.code, str(error), now_us)
        return
    cursor.execute(
        "SELECT id, wallet_id, amount_minor, currency, state FROM store_paymentintent "
        "WHERE our_ref = %s AND provider = %s AND book_id = %s FOR UPDATE",
        [paid.our_ref, paid.provider, state.book],
    )
    intent = cursor.fetchone()
    if _already_posted(cursor, state, out, paid):
        out.answers.append(FactAnswer(fact=fact, state="posted", result={"outcome": "duplicate"}))
        return
    if intent is None:
        _suspense(state, out, fact, paid, "unknown_reference", None, now_us)
        return
    intent_id, wallet, amount_minor, currency, intent_state = intent
    wallet_ix = state.wallet_index.get(int(wallet))
    if intent_state == "credited":
        # Another payment for what was paid already: the payer's money, and a person gives it back or credits it.
        _suspense(state, out, fact, paid, "paid_twice", None, now_us)
    elif (paid.amount_minor, paid.currency) != (
        int(amount_minor),
        currency,
    ) or paid.currency != state.currency:
        cursor.execute("UPDATE store_paymentintent SET state = 'review' WHERE id = %s", [intent_id])
        _suspense(state, out, fact, paid, "amount_differs", wallet_ix, now_us)
    elif wallet_ix is None:
        _suspense(state, out, fact, paid, "unknown_wallet", None, now_us)
    else:
        cursor.execute(
            "UPDATE store_paymentintent SET state = 'credited', provider_ref = %s, credited_us = %s WHERE id = %s",
            [paid.provider_ref, now_us, intent_id],
        )
        _credit(state, out, fact, paid, wallet_ix, now_us)


def _already_posted(cursor: Any, state: BookState, out: PostedFacts, paid: PaymentFact) -> bool:
    """True when this provider reference has moved money before, in the ledger or in this batch."""
    if any(a.result.get("provider_ref") == paid.provider_ref for a in out.answers):
        return True
    cursor.execute(
        "SELECT 1 FROM fact WHERE book = %s AND kind = 'payment' AND state = 'posted' "
        "AND result->>'provider_ref' = %s AND payload->>'provider' = %s LIMIT 1",
        [state.book, paid.provider_ref, paid.provider],
    )
    return cursor.fetchone() is not None


def _credit(
    state: BookState, out: PostedFacts, fact: int, paid: PaymentFact, wallet_ix: int, now_us: int
) -> None:
    amount = micro_from_minor(amount_minor=paid.amount_minor, minor_digits=state.minor_digits)
    line = np.zeros((), dtype=LINE)
    line["ts"] = now_us
    line["ref"] = fact
    line["kind"] = Kind.TOPUP
    line["amount_micro"] = amount
    line["book"] = state.book
    out.lines.append(line)
    out.wallet_ix.append(wallet_ix)
    out.legs += topup_legs(currency=state.currency, provider=paid.provider, amount_micro=amount)
    out.credited[wallet_ix] = fact
    out.answers.append(
        FactAnswer(
            fact=fact,
            state="posted",
            result={"outcome": "credited", "provider_ref": paid.provider_ref, "amount_micro": amount},
        )
    )
    out.events.append(
        EventRow(
            kind="payment.credited",
            at_us=now_us,
            wallet=int(state.wallets["wallet"][wallet_ix]),
            evidence={"amount_micro": amount, "provider": paid.provider, "fact": fact},
        )
    )


def _suspense(
    state: BookState,
    out: PostedFacts,
    fact: int,
    paid: PaymentFact,
    reason: str,
    wallet_ix: int | None,
    now_us: int,
) -> None:
    """Money arrived that cannot be credited: it is kept in suspense, and a person is told."""
    if paid.currency == state.currency:
        amount = micro_from_minor(amount_minor=paid.amount_minor, minor_digits=state.minor_digits)
        out.legs += unmatched_topup_legs(currency=state.currency, provider=paid.provider, amount_micro=amount)
    if wallet_ix is not None:
        out.in_review.add(wallet_ix)
    out.answers.append(
        FactAnswer(
            fact=fact,
            state="posted",
            result={"outcome": "review", "reason": reason, "provider_ref": paid.provider_ref},
        )
    )
    out.events.append(
        EventRow(
            kind="payment.review",
            at_us=now_us,
            wallet=None if wallet_ix is None else int(state.wallets["wallet"][wallet_ix]),
            reason=reason,
            evidence={"amount_minor": paid.amount_minor, "currency": paid.currency, "our_ref": paid.our_ref},
        )
    )


def _refuse(out: PostedFacts, fact: int, code: str, detail: str, now_us: int) -> None:
    out.answers.append(FactAnswer(fact=fact, state="refused", result={"code": code, "detail": detail}))
    out.events.append(
        EventRow(kind="fact.refused", at_us=now_us, reason=code, evidence={"fact": fact, "detail": detail})
    )

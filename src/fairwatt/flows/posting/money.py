"""Payments: a provider's signed word becomes credit, or money in suspense that a person looks at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.account_numbers import wallets_in
from fairwatt.core.ledger.model import Kind
from fairwatt.core.ledger.recipes import topup_legs, unmatched_topup_legs
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.book_state import BookState, Reviewed
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.provider_bills import billed_payment
from fairwatt.payments.accounts import BadSettings
from fairwatt.payments.billing import BILLING
from fairwatt.payments.contract import (
    Assurance,
    CallbackRejected,
    MalformedCallback,
    MerchantUnusable,
    NotAsked,
    PaymentProvider,
    ProviderFact,
    UnknownProvider,
)
from fairwatt.payments.contract import Kind as Kinds
from fairwatt.payments.sealing import SealBroken
from fairwatt.store import refunds
from fairwatt.store.cash_desk import NewReceipt, number_receipt
from fairwatt.store.facts import written_by_collector
from fairwatt.store.posting import LINE, EventRow, FactAnswer

_CREDITED: Final = frozenset({"credited", "part_refunded", "refunded", "chargeback"})
REVIEW_US: Final = 72 * 3_600_000_000
"""How long a payment in review may withhold a cut."""


def post_payment(bench: Bench, before: PostedFacts, about: dict[str, Any], raw: bytes) -> PostedFacts:
    """What a provider's word comes to: credit, suspense, or a refusal."""
    try:
        paid = _proven(bench, about, raw)
    except CallbackRejected as error:
        return refuse_fact(bench, error.code, str(error))
    return post_proven(bench, before, paid, account=about.get("account"), cashier=None)


def post_proven(
    bench: Bench, before: PostedFacts, paid: ProviderFact, *, account: Any, cashier: int | None
) -> PostedFacts:
    """The same for a word that was proven already; `cashier` took the money by hand."""
    cursor, state = bench.cursor, bench.state
    if not (paid.moves_money and paid.kind is Kinds.PAYMENT):
        return refuse_fact(bench, "no_payment", "it proves no payment that succeeded; no money was moved")
    cursor.execute(
        "SELECT id, wallet_id, amount_minor, currency, state FROM store_paymentintent "
        "WHERE our_ref = %s AND provider = %s AND book_id = %s AND account_id IS NOT DISTINCT FROM %s "
        "FOR NO KEY UPDATE",
        [paid.our_ref, paid.provider, state.book, account],
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
            return refuse_fact(bench, "other_book", f"payment {paid.our_ref} belongs to another book")
        return _suspense(bench, paid, "unknown_reference", None)
    intent_id, wallet, amount_minor, currency, intent_state = intent
    wallet_ix = state.wallet_index.get(int(wallet))
    asked = (int(amount_minor), currency)
    if (paid.amount_minor, paid.currency) != asked or paid.currency != state.currency:
        if intent_state not in _CREDITED:
            cursor.execute(
                "UPDATE store_paymentintent SET state = 'review', provider_ref = %s WHERE id = %s",
                [paid.provider_ref, intent_id],
            )
        return _suspense(bench, paid, "amount_differs", wallet_ix)
    if wallet_ix is None:
        return _suspense(bench, paid, "unknown_wallet", None)
    if paid.named and int(wallet) not in wallets_in(text=paid.named):
        # Who wrote the intent down is not believed: the payer's own words name the home.
        return _suspense(bench, paid, "another_home", None)
    if intent_state in _CREDITED and not _numbers_agree(paid.provider):
        # An order there takes one payment, which the bill calls by another number than the answer to a question.
        return PostedFacts(
            answers=[FactAnswer(fact=bench.fact, state="posted", result={"outcome": "duplicate"})]
        )
    if intent_state in _CREDITED:
        # Another payment for what was paid already is the payer's credit too, who may have it back.
        _note_paid(bench, paid, intent_id, int(wallet), account)
        return _credit(bench, paid, wallet_ix, again=True, cashier=cashier)
    cursor.execute(
        "UPDATE store_paymentintent SET state = 'credited', provider_ref = %s, credited_us = %s WHERE id = %s",
        [paid.provider_ref, bench.now_us, intent_id],
    )
    _note_paid(bench, paid, intent_id, int(wallet), account)
    return _credit(bench, paid, wallet_ix, cashier=cashier)


def _note_paid(bench: Bench, paid: ProviderFact, intent: int, wallet: int, account: int | None) -> None:
    """Keep the payment where refunds and chargebacks of it are added up."""
    refunds.add_paid(
        cursor=bench.cursor,
        book=bench.state.book,
        fact=bench.fact,
        wallet=wallet,
        intent=intent,
        our_ref=paid.our_ref,
        provider=paid.provider,
        account=account,
        provider_ref=paid.provider_ref,
        currency=paid.currency,
        paid_minor=paid.amount_minor,
        now_us=bench.now_us,
    )


def _earlier(bench: Bench, before: PostedFacts, paid: ProviderFact) -> dict[str, Any] | None:
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


def _known_reference(bench: Bench, paid: ProviderFact, earlier: dict[str, Any]) -> PostedFacts:
    """One payment of a provider moves money once; the same reference for something else is for a person."""
    said = _paid(paid)
    if any(earlier.get(name, value) != value for name, value in said.items()):
        return refuse_fact(
            bench,
            "reference_reused",
            f"{paid.provider} told of payment {paid.provider_ref} before, with another content; "
            f"now it names top-up {paid.our_ref} and {paid.amount_minor} {paid.currency} in minor units",
        )
    answer = FactAnswer(fact=bench.fact, state="posted", result={"outcome": "duplicate"})
    return PostedFacts(answers=[answer])


def _paid(paid: ProviderFact) -> dict[str, Any]:
    return {"our_ref": paid.our_ref, "amount_minor": paid.amount_minor, "currency": paid.currency}


def _named(paid: ProviderFact) -> dict[str, Any]:
    return {"named": paid.named} if paid.named else {}


def _answer(bench: Bench, paid: ProviderFact, **result: Any) -> FactAnswer:
    who = {"provider": paid.provider, "provider_ref": paid.provider_ref, **_paid(paid), **_named(paid)}
    return FactAnswer(fact=bench.fact, state="posted", result={**result, **who})


def _proven(bench: Bench, about: dict[str, Any], raw: bytes) -> ProviderFact:
    """What a waiting fact proves. Raises CallbackRejected.

    The web process that stored a callback is not trusted: its signature is checked again here. What the collector was
    told is believed where the database noted that the collector wrote it down: nobody else speaks with providers.
    """
    match about:
        case {"provider": str(name), "account": int(account)}:
            provider = merchant_of(bench, account)
        case {"provider": str(name)} if name in bench.providers and "account" not in about:
            provider = bench.providers[name]
        case _:
            raise UnknownProvider("no provider here made this callback")
    if provider.name != name:
        raise UnknownProvider("the account is one at another provider")
    match about:
        case {"queried": dict(said)}:
            if not written_by_collector(cursor=bench.cursor, fact=bench.fact):
                raise NotAsked(
                    "somebody says that a provider was asked who cannot have asked; no money was moved"
                )
            return _queried(name, said)
        case {
            "billed": {"bill": int(bill), "row": int(row), "our_ref": str(our_ref)},
            "account": int(account),
        }:
            return billed_payment(
                bench.cursor, provider=name, account=account, bill=bill, row=row, our_ref=our_ref
            )
        case {"headers": dict(headers)}:
            signed = {str(key): str(value) for key, value in headers.items()}
            return provider.parse_callback(headers=signed, body=raw, now_us=None)
        case _:
            raise UnknownProvider("no provider here made this callback")


def _numbers_agree(provider: str) -> bool:
    return provider not in BILLING or BILLING[provider].numbers_agree


def merchant_of(bench: Bench, account: int) -> PaymentProvider:
    """The provider of an account of this book's organisation. Raises CallbackRejected."""
    if account in bench.opened:
        return bench.opened[account]
    if bench.merchants is None:
        raise UnknownProvider("this poster holds no merchant's keys; no money was moved")
    try:
        merchant = bench.merchants.of(account=account, book=bench.state.book)
    except (BadSettings, SealBroken) as error:
        raise MerchantUnusable(f"the keys of account {account} cannot be used: {error}") from None
    if merchant is None:
        raise UnknownProvider(
            f"account {account} is none of this book's organisation, or has no keys in force"
        )
    bench.opened[account] = merchant.provider
    return merchant.provider


def _queried(provider: str, said: dict[str, Any]) -> ProviderFact:
    match said:
        case {
            "our_ref": str(our_ref),
            "provider_ref": str(provider_ref),
            "event_id": str(event_id),
            "amount_minor": int(amount_minor),
            "currency": str(currency),
            "occurred_at_us": int(occurred_at_us),
            **more,
        } if our_ref and provider_ref and amount_minor > 0:
            return ProviderFact(
                provider=provider,
                our_ref=our_ref,
                provider_ref=provider_ref,
                event_id=event_id,
                amount_minor=amount_minor,
                currency=currency,
                occurred_at_us=occurred_at_us,
                assurance=Assurance.QUERIED,
                named=str(more.get("named", "")),
            )
    raise MalformedCallback("what the collector left is no payment; no money was moved")


def _credit(
    bench: Bench, paid: ProviderFact, wallet_ix: int, *, cashier: int | None, again: bool = False
) -> PostedFacts:
    state, now_us = bench.state, bench.now_us
    amount = micro_from_minor(amount_minor=paid.amount_minor, minor_digits=state.minor_digits)
    wallet = int(state.wallets["wallet"][wallet_ix])
    receipt = number_receipt(
        cursor=bench.cursor,
        book=state.book,
        batch=state.last_batch + 1,
        new=NewReceipt(
            fact=bench.fact,
            wallet=wallet,
            amount_micro=amount,
            provider=paid.provider,
            reference=paid.provider_ref,
            secret=paid.our_ref,
            cashier=cashier,
        ),
        now_us=now_us,
    )
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
        answers=[_answer(bench, paid, outcome="credited", amount_micro=amount, receipt=receipt)],
        events=[
            EventRow(
                kind="payment.credited",
                at_us=now_us,
                wallet=wallet,
                reason="paid_twice" if again else "",
                evidence={
                    "amount_micro": amount,
                    "provider": paid.provider,
                    "fact": bench.fact,
                    **({} if cashier is None else {"cashier": cashier}),
                },
            )
        ],
    )


def _suspense(bench: Bench, paid: ProviderFact, reason: str, wallet_ix: int | None) -> PostedFacts:
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
            evidence={**_paid(paid), **_named(paid)},
        )
    )
    return out


def note_available(*, facts: PostedFacts, state: BookState, wallets: npt.NDArray[Any]) -> None:
    """Write into the events of credits what each left in its wallet, now that the lines are chained."""
    for event in facts.events:
        if event.kind in ("payment.credited", "emergency.lent") and event.wallet is not None:
            head = wallets[state.wallet_index[event.wallet]]
            event.evidence["available_micro"] = int(head["balance_micro"])


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
    return {ix for ix, amount in lately.items() if wallets["balance_micro"][ix] + amount > 0}


def waiting_in_review(
    *, in_review: Mapping[int, list[Reviewed]], facts: PostedFacts
) -> dict[int, list[Reviewed]]:
    """Money that waits for a person after this batch; a credit ends what the wallet waited for before it."""
    waiting = {ix: list(some) for ix, some in in_review.items() if ix not in facts.credited}
    for ix, some in facts.in_review.items():
        waiting.setdefault(ix, []).extend(some)
    return waiting

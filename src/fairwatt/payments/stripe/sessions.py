"""Stripe's checkout sessions, refunds and webhooks, as facts."""

from __future__ import annotations

from hashlib import sha256
from typing import Final
from urllib.parse import quote

from fairwatt.payments.contract import (
    Action,
    Assurance,
    DisputeAsk,
    Kind,
    Method,
    NothingOfMoney,
    OrderAsk,
    ProviderFact,
    RefundAsk,
    State,
)
from fairwatt.payments.exchange import Exchange, Moment, NotFound, ProviderRefused
from fairwatt.payments.fields import Fields
from fairwatt.payments.standing import stands
from fairwatt.payments.stripe import agreements
from fairwatt.payments.stripe.signing import StripeAccount, answer, ask

NAME: Final = "stripe"
_SESSIONS: Final = "/v1/checkout/sessions"
_REFUNDS: Final = {
    "succeeded": State.SUCCEEDED,
    "pending": State.PENDING,
    "requires_action": State.PENDING,
    "failed": State.ABNORMAL,
    "canceled": State.CLOSED,
}


def create(account: StripeAccount, order: OrderAsk, at: Moment) -> Exchange[Action]:
    """Open a checkout session, or take what was agreed."""
    if order.method is Method.AUTO:
        return (yield from agreements.take(account, order, at))
    said = yield from _session(account, order)
    return Action(method=Method.REDIRECT, url=said.text("url"), provider_order=said.word("id"))


def _session(account: StripeAccount, order: OrderAsk) -> Exchange[Fields]:
    # Every figure here comes from the order, so that asking again is word for word the same, as the key demands.
    expires_s = order.expires_us // 1_000_000
    form: dict[str, str | int] = {
        "mode": "payment",
        "client_reference_id": order.our_ref,
        "success_url": order.return_url,
        "cancel_url": order.return_url,
        "expires_at": expires_s,
        "locale": "zh" if order.language.startswith("zh") else "en",
        "line_items[0][quantity]": 1,
        "line_items[0][price_data][currency]": order.currency.lower(),
        "line_items[0][price_data][unit_amount]": order.amount_minor,
        "line_items[0][price_data][product_data][name]": order.subject[:120],
        "metadata[our_ref]": order.our_ref,
        "payment_intent_data[metadata][our_ref]": order.our_ref,
    }
    reply = yield ask(account, "POST", _SESSIONS, form, key=f"order-{order.our_ref}")
    return answer(reply)


def query(account: StripeAccount, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
    """How the session stands. Where `create` told no number, the same key tells it now."""
    if order.method is Method.AUTO:
        return (yield from agreements.taken(account, order, at))
    number = order.provider_order
    if not number:
        number = (yield from _session(account, order)).word("id")
    reply = yield ask(account, "GET", f"{_SESSIONS}/{quote(number)}")
    try:
        said = answer(reply)
    except NotFound:
        return stands(NAME, order, State.UNKNOWN, "not_found", at)
    return session_fact(account, said, reply.body, Assurance.QUERIED, at_us=at.now_us)


def close(account: StripeAccount, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
    """Let the session be payable no more."""
    if order.method is Method.AUTO:
        return (yield from agreements.cancel(account, order, at))
    if not order.provider_order:
        return (yield from query(account, order, at))
    reply = yield ask(account, "POST", f"{_SESSIONS}/{quote(order.provider_order)}/expire", {})
    try:
        said = answer(reply)
    except NotFound:
        return stands(NAME, order, State.UNKNOWN, "not_found", at)
    except ProviderRefused:
        return (yield from query(account, order, at))  # it is complete, or expired already
    return session_fact(account, said, reply.body, Assurance.QUERIED, at_us=at.now_us)


def session_fact(
    account: StripeAccount, said: Fields, raw: bytes, assurance: Assurance, *, at_us: int, event_id: str = ""
) -> ProviderFact:
    """A checkout session as Stripe writes it: paid only where `payment_status` says so."""
    status, paid = said.word("status"), said.maybe("payment_status") == "paid"
    state = State.SUCCEEDED if paid else State.CLOSED if status == "expired" else State.PENDING
    number = said.word("payment_intent") if paid else said.maybe("payment_intent")
    return ProviderFact(
        provider=NAME,
        state=state,
        our_ref=said.word("client_reference_id"),
        provider_ref=number,
        event_id=event_id or f"{said.word('id')}:{status}:{said.maybe('payment_status')}",
        amount_minor=said.whole("amount_total"),
        currency=said.word("currency").upper(),
        occurred_at_us=at_us,
        assurance=assurance,
        raw_sha256=sha256(raw).hexdigest(),
        detail=status,
    )


def refund(account: StripeAccount, wanted: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
    """Ask for money back."""
    form: dict[str, str | int] = {
        "payment_intent": wanted.provider_ref,
        "amount": wanted.amount_minor,
        "metadata[our_ref]": wanted.our_ref,
        "metadata[refund_ref]": wanted.refund_ref,
    }
    reply = yield ask(account, "POST", "/v1/refunds", form, key=f"refund-{wanted.refund_ref}")
    return refund_fact(answer(reply), reply.body, Assurance.QUERIED, at_us=at.now_us)


def query_refund(account: StripeAccount, wanted: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
    """How a refund stands: by its number, or found among those of its payment."""
    if wanted.provider_refund:
        reply = yield ask(account, "GET", f"/v1/refunds/{quote(wanted.provider_refund)}")
        return refund_fact(answer(reply), reply.body, Assurance.QUERIED, at_us=at.now_us)
    form: dict[str, str | int] = {"payment_intent": wanted.provider_ref, "limit": 100}
    reply = yield ask(account, "GET", "/v1/refunds", form)
    for one in answer(reply).rows("data"):
        if "metadata" in one and one.inner("metadata").maybe("refund_ref") == wanted.refund_ref:
            return refund_fact(one, reply.body, Assurance.QUERIED, at_us=at.now_us)
    return ProviderFact(
        provider=NAME,
        kind=Kind.REFUND,
        state=State.UNKNOWN,
        our_ref=wanted.our_ref,
        provider_ref="",
        refund_ref=wanted.refund_ref,
        event_id=f"{wanted.refund_ref}:not_found",
        amount_minor=wanted.amount_minor,
        currency=wanted.currency,
        occurred_at_us=at.now_us,
        assurance=Assurance.QUERIED,
        detail="not_found",
    )


def refund_fact(
    said: Fields, raw: bytes, assurance: Assurance, *, at_us: int, event_id: str = ""
) -> ProviderFact:
    """A refund as Stripe writes it. One made in Stripe's own back office names none of ours."""
    word = said.word("status")
    ours = said.inner("metadata") if "metadata" in said else None
    return ProviderFact(
        provider=NAME,
        kind=Kind.REFUND,
        state=_REFUNDS.get(word, State.PENDING),
        our_ref=(ours.maybe("our_ref") if ours else "") or said.maybe("payment_intent"),
        provider_ref=said.word("id"),
        refund_ref=ours.maybe("refund_ref") if ours else "",
        event_id=event_id or f"{said.word('id')}:{word}",
        amount_minor=said.whole("amount"),
        currency=said.word("currency").upper(),
        occurred_at_us=at_us,
        assurance=assurance,
        raw_sha256=sha256(raw).hexdigest(),
        detail=word,
    )


def event_fact(account: StripeAccount, event: Fields, raw: bytes) -> ProviderFact:
    """What a webhook tells of. Raises NothingOfMoney for what is none of ours."""
    word, event_id = event.word("type"), event.word("id")
    at_us = event.whole("created") * 1_000_000
    said = event.inner("data").inner("object")
    if word.startswith("checkout.session.") and said.maybe("mode") == "setup":
        raise NothingOfMoney("Stripe tells of a card that was saved; nothing was paid with it")
    if word.startswith("checkout.session."):
        return session_fact(account, said, raw, Assurance.HINT, at_us=at_us, event_id=event_id)
    if word in ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"):
        return refund_fact(said, raw, Assurance.HINT, at_us=at_us, event_id=event_id)
    if word.startswith("charge.dispute."):
        return _dispute(said, raw, Assurance.HINT, at_us=at_us, event_id=event_id)
    if word.startswith("payment_intent.") and agreements.is_ours(said):
        return agreements.fact(said, raw, Assurance.HINT, at_us=at_us, event_id=event_id)
    raise NothingOfMoney(f"Stripe tells of {word}; that moves no money here")


def query_dispute(account: StripeAccount, wanted: DisputeAsk, at: Moment) -> Exchange[ProviderFact]:
    """How a dispute stands."""
    reply = yield ask(account, "GET", f"/v1/disputes/{quote(wanted.provider_dispute)}")
    said = answer(reply)
    return _dispute(
        said,
        reply.body,
        Assurance.QUERIED,
        at_us=at.now_us,
        event_id=f"{said.word('id')}:{said.word('status')}",
    )


def _dispute(said: Fields, raw: bytes, assurance: Assurance, *, at_us: int, event_id: str) -> ProviderFact:
    word = said.word("status")
    state = {"lost": State.SUCCEEDED, "won": State.FAILED, "warning_closed": State.FAILED}.get(word)
    return ProviderFact(
        provider=NAME,
        kind=Kind.CHARGEBACK,
        state=state or State.PENDING,
        our_ref=(said.inner("metadata").maybe("our_ref") if "metadata" in said else "")
        or said.word("payment_intent"),
        provider_ref=said.word("id"),
        event_id=event_id,
        amount_minor=said.whole("amount"),
        currency=said.word("currency").upper(),
        occurred_at_us=at_us,
        assurance=assurance,
        raw_sha256=sha256(raw).hexdigest(),
        detail=word,
    )

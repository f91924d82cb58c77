"""What a payer saves at Stripe, and payments taken from it later without him (merchant-initiated, off session).

The page is a checkout session that only saves a card; the card is kept at Stripe, here its number and its customer's.
A payment is a PaymentIntent, made and confirmed in one. One that the bank declines could still be paid by somebody who
has its secret: it is cancelled in the same breath, so that a no is a no for good.
Source: docs.stripe.com, "Save and reuse", "Charge a saved payment method off-session", "Declines".
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final
from urllib.parse import quote

from fairwatt.payments.agreements import Agreement, AgreementAsk
from fairwatt.payments.contract import (
    Action,
    Assurance,
    Method,
    OrderAsk,
    ProviderFact,
    State,
)
from fairwatt.payments.exchange import Exchange, Moment, NotFound, ProviderBusy, ProviderRefused
from fairwatt.payments.fields import Fields
from fairwatt.payments.standing import stands
from fairwatt.payments.stripe.signing import CardDeclined, StripeAccount, answer, ask

NAME: Final = "stripe"
TAG: Final = "agreed"
"""Which of the account's PaymentIntents are of an agreement: those of a checkout session speak through that."""
_SESSIONS: Final = "/v1/checkout/sessions"
_INTENTS: Final = "/v1/payment_intents"
_CARDS: Final = "/v1/payment_methods"
_STATES: Final = {
    "succeeded": State.SUCCEEDED,
    "processing": State.PENDING,
    "requires_capture": State.PENDING,
    "requires_confirmation": State.PENDING,
    "canceled": State.CLOSED,
}


def sign(account: StripeAccount, wanted: AgreementAsk) -> Exchange[Action]:
    """Open the page on which a card is saved."""
    form: dict[str, str | int] = {
        "mode": "setup",
        "currency": wanted.currency.lower(),
        "customer_creation": "always",
        "client_reference_id": wanted.our_ref,
        "success_url": wanted.return_url,
        "cancel_url": wanted.return_url,
        "expires_at": wanted.expires_us // 1_000_000,
        "locale": "zh" if wanted.language.startswith("zh") else "en",
        "metadata[our_ref]": wanted.our_ref,
        "setup_intent_data[metadata][our_ref]": wanted.our_ref,
    }
    said = answer((yield ask(account, "POST", _SESSIONS, form, key=f"agree-{wanted.our_ref}")))
    return Action(method=Method.REDIRECT, url=said.text("url"), provider_order=said.word("id"))


def signed(account: StripeAccount, wanted: AgreementAsk) -> Exchange[Agreement]:
    """Whether a card was saved on that page."""
    path = f"{_SESSIONS}/{quote(wanted.provider_order)}"
    reply = yield ask(account, "GET", path, {"expand[]": "setup_intent.payment_method"})
    try:
        said = answer(reply)
    except NotFound:
        return Agreement(state=State.CLOSED)
    if said.word("status") == "expired":
        return Agreement(state=State.CLOSED)
    setup = said.inner("setup_intent") if "setup_intent" in said else None
    if setup is None or setup.word("status") != "succeeded":
        return Agreement(state=State.PENDING)
    saved = setup.inner("payment_method")
    card = saved.inner("card") if "card" in saved else None
    shown = (
        f"{card.maybe('brand')} {card.maybe('last4')}".strip() if card is not None else saved.maybe("type")
    )
    payer = f"{said.word('customer')}/{saved.word('id')}"
    return Agreement(state=State.SUCCEEDED, payer=payer, shown=shown)


def forget(account: StripeAccount, wanted: AgreementAsk) -> Exchange[None]:
    """Detach the card from its customer: nothing can be taken from it by anybody."""
    card = wanted.payer.partition("/")[2]
    reply = yield ask(account, "POST", f"{_CARDS}/{quote(card)}/detach", {})
    try:
        answer(reply)
    except ProviderBusy:
        raise
    except ProviderRefused:
        # Stripe says so of a card that is detached already; what is not attached cannot be taken from.
        still = answer((yield ask(account, "GET", f"{_CARDS}/{quote(card)}")))
        if still.maybe("customer"):
            raise


def take(account: StripeAccount, order: OrderAsk, at: Moment) -> Exchange[Action]:
    """Take a payment from what was saved. A card that says no is FAILED, for good."""
    customer, _, card = order.payer.partition("/")
    form: dict[str, str | int] = {
        "amount": order.amount_minor,
        "currency": order.currency.lower(),
        "customer": customer,
        "payment_method": card,
        "off_session": "true",
        "confirm": "true",
        "description": order.subject[:120],
        "metadata[our_ref]": order.our_ref,
        f"metadata[{TAG}]": "1",
    }
    reply = yield ask(account, "POST", _INTENTS, form, key=f"order-{order.our_ref}")
    try:
        said = answer(reply)
    except CardDeclined as no:
        settled = yield from _declined(account, order, no, at)
        return Action(method=Method.AUTO, provider_order=no.intent, settled=settled)
    return Action(
        method=Method.AUTO,
        provider_order=said.word("id"),
        settled=fact(said, reply.body, Assurance.QUERIED, at_us=at.now_us),
    )


def _declined(
    account: StripeAccount, order: OrderAsk, no: CardDeclined, at: Moment
) -> Exchange[ProviderFact]:
    if no.intent:
        left = yield from _cancelled(account, no.intent, at)
        if left.state is not State.CLOSED:
            return left
    return stands(NAME, order, State.FAILED, no.reason, at)


def taken(account: StripeAccount, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
    """How it stands: by its number, or found among those of its customer where `take` told none."""
    if order.provider_order:
        reply = yield ask(account, "GET", f"{_INTENTS}/{quote(order.provider_order)}")
        try:
            return fact(answer(reply), reply.body, Assurance.QUERIED, at_us=at.now_us)
        except NotFound:
            return stands(NAME, order, State.UNKNOWN, "not_found", at)
    if not order.payer:
        return stands(NAME, order, State.UNKNOWN, "not_found", at)  # declined before a payment came of it
    form: dict[str, str | int] = {"customer": order.payer.partition("/")[0], "limit": 100}
    reply = yield ask(account, "GET", _INTENTS, form)
    for one in answer(reply).rows("data"):
        if is_ours(one) and one.inner("metadata").maybe("our_ref") == order.our_ref:
            return fact(one, reply.body, Assurance.QUERIED, at_us=at.now_us)
    return stands(NAME, order, State.UNKNOWN, "not_found", at)


def cancel(account: StripeAccount, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
    """Let it be payable no more."""
    number = order.provider_order
    if not number:
        found = yield from taken(account, order, at)
        if found.state is not State.PENDING:
            return found
        number = found.provider_ref
    return (yield from _cancelled(account, number, at))


def _cancelled(account: StripeAccount, number: str, at: Moment) -> Exchange[ProviderFact]:
    reply = yield ask(account, "POST", f"{_INTENTS}/{quote(number)}/cancel", {})
    try:
        said = answer(reply)
    except ProviderRefused:
        # It succeeded, is on its way, or was cancelled before.
        reply = yield ask(account, "GET", f"{_INTENTS}/{quote(number)}")
        said = answer(reply)
    return fact(said, reply.body, Assurance.QUERIED, at_us=at.now_us)


def is_ours(said: Fields) -> bool:
    """Whether a PaymentIntent is one of an agreement."""
    return "metadata" in said and bool(said.inner("metadata").maybe(TAG))


def fact(said: Fields, raw: bytes, assurance: Assurance, *, at_us: int, event_id: str = "") -> ProviderFact:
    """A PaymentIntent as Stripe writes it. One that waits for its payer will wait for ever: he is not asked."""
    word = said.word("status")
    state = _STATES.get(word, State.PENDING)
    paid = state is State.SUCCEEDED
    return ProviderFact(
        provider=NAME,
        state=state,
        our_ref=said.inner("metadata").word("our_ref"),
        provider_ref=said.word("id"),
        event_id=event_id or f"{said.word('id')}:{word}",
        amount_minor=said.whole("amount_received" if paid else "amount"),
        currency=said.word("currency").upper(),
        occurred_at_us=at_us,
        assurance=assurance,
        raw_sha256=sha256(raw).hexdigest(),
        detail=word,
    )

"""What the collector asks of refunds and chargebacks, and what it writes down of the answers. It posts nothing.

The refund is committed before its provider is asked, and every attempt carries the same reference: asked ten times, it
is one refund. What is heard of money on its way back, a callback or a hint, only makes us ask.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.ids import refund_word_key
from fairwatt.core.ledger.refunds import RefundState
from fairwatt.flows.payment_events import note_event
from fairwatt.payments.callbacks import address
from fairwatt.payments.contract import (
    MOVES_MONEY,
    Assurance,
    DisputeAsk,
    Kind,
    MerchantUnusable,
    ProviderFact,
    RefundAsk,
    State,
    UnknownProvider,
)
from fairwatt.payments.exchange import ProviderTrouble
from fairwatt.store import facts
from fairwatt.store.models import Book, MerchantAccount, Paid, PaymentEvent, PaymentIntent, Refund

ASKED_AFTER_S: Final = (2, 5, 15, 30, 60, 300, 900, 3_600)
"""Waits between questions about a refund; the last one goes on until its provider says how it ended."""
HELD_US: Final = 30_000_000
TROUBLE_S_MAX: Final = 300
HEARD_US: Final = 40 * 86_400_000_000
"""So long something that was heard is asked about; after that the provider's bill says it."""
_ASKED: Final = frozenset({RefundState.SUBMITTED, RefundState.ABNORMAL})
_KEYLESS: Final = frozenset({UnknownProvider.code, MerchantUnusable.code})
"""A word that the poster could not believe for want of keys is left to it again when it is heard again."""
_TOLD: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CLOSED, State.ABNORMAL})


@dataclass(frozen=True, kw_only=True)
class TakenRefund:
    """A refund in hand. `tried`: it was asked for before, and how that ended is not known."""

    refund: int
    account: int
    ask: RefundAsk
    tried: bool


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Something that was said of money on its way back, and nobody has asked about yet."""

    event: int
    account: int
    refund: int | None
    """the refund of ours that it is about"""
    ask: RefundAsk
    dispute: DisputeAsk | None


def due_refunds(*, now_us: int, limit: int) -> list[int]:
    """Refunds to be asked about now, the oldest first."""
    with transaction.atomic():
        _see_all()
        waiting = Refund.objects.filter(ask_us__lte=now_us, state__in=_ASKED).order_by("ask_us")
        waiting = waiting.exclude(asks=0, account__in=_frozen())
        return list(waiting.values_list("pk", flat=True)[:limit])


def _frozen() -> list[int]:
    """Accounts whose bill has not what we credited: nothing new is sent back there until somebody knows why."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT account FROM refunds_frozen")
        return [int(account) for (account,) in cursor.fetchall()]


@transaction.atomic(durable=True)
def take_refund(*, refund_id: int, now_us: int, origin: str, hinted: bool = False) -> TakenRefund | None:
    """Take a refund in hand, unless somebody else has it or nothing is to be asked."""
    _see_all()
    row = Refund.objects.select_for_update(skip_locked=True).filter(pk=refund_id, state__in=_ASKED).first()
    if row is None or row.account is None or row.payment is None or row.way != "source":
        return None
    if not hinted and (row.ask_us is None or row.ask_us > now_us):
        return None
    tried = row.asks > 0
    if not tried and row.account in _frozen():
        return None
    row.ask_us, row.asks = now_us + HELD_US, row.asks + 1
    row.save(update_fields=["ask_us", "asks"])
    paid = Paid.objects.get(pk=row.payment)
    account = MerchantAccount.objects.get(pk=row.account)
    ask = _ask_of(paid, account, origin, refund_ref=row.refund_ref, provider_refund=row.provider_refund)
    ask = replace(ask, amount_minor=row.amount_minor, reason="Fairwatt")
    return TakenRefund(refund=row.pk, account=account.pk, ask=ask, tried=tried)


def _ask_of(
    paid: Paid, account: MerchantAccount, origin: str, *, refund_ref: str, provider_refund: str
) -> RefundAsk:
    return RefundAsk(
        our_ref=paid.our_ref,
        refund_ref=refund_ref,
        provider_ref=paid.provider_ref,
        amount_minor=0,
        paid_minor=paid.paid_minor,
        currency=paid.currency,
        reason="",
        notify_url=address(origin=origin, provider=account.provider, token=account.token, ref=paid.our_ref),
        provider_refund=provider_refund,
    )


@transaction.atomic(durable=True)
def note_refund(*, refund_id: int, said: ProviderFact, now_us: int, heard: int | None = None) -> None:
    """A provider said how a refund of ours stands; what ends it goes to the poster. `heard`: why it was asked."""
    _see_all()
    row = Refund.objects.select_for_update().get(pk=refund_id)
    row.trouble, row.troubles = "", 0
    told = said.state in _TOLD
    if told:
        said = _answering(replace(said, refund_ref=row.refund_ref), heard)
        _note(_intent_of(row.payment), said, now_us)
    # What ends it is asked about seldom until it is posted: the poster may have refused it.
    waits = row.state == RefundState.SUBMITTED or (told and said.state is not State.ABNORMAL)
    asks = len(ASKED_AFTER_S) if told else max(1, row.asks)
    wait_s = ASKED_AFTER_S[min(asks, len(ASKED_AFTER_S)) - 1]
    row.ask_us = now_us + wait_s * 1_000_000 if waits else None
    row.save(update_fields=["trouble", "troubles", "ask_us"])


@transaction.atomic(durable=True)
def note_refund_trouble(*, refund_id: int, trouble: ProviderTrouble, now_us: int) -> None:
    """Asking failed: ask again later, under the same reference."""
    _see_all()
    row = Refund.objects.select_for_update().get(pk=refund_id)
    row.troubles += 1
    row.trouble = trouble.code
    row.ask_us = now_us + min(2 ** min(row.troubles, 20), TROUBLE_S_MAX) * 1_000_000
    row.save(update_fields=["trouble", "troubles", "ask_us"])


def refused_word(*, ask: RefundAsk, provider: str, reason: str, now_us: int) -> ProviderFact:
    """What a provider's certain no comes to, once it was asked and knows of no such refund."""
    return ProviderFact(
        provider=provider,
        kind=Kind.REFUND,
        state=State.FAILED,
        our_ref=ask.our_ref,
        provider_ref="",
        refund_ref=ask.refund_ref,
        event_id=f"{ask.refund_ref}:refused",
        amount_minor=ask.amount_minor,
        currency=ask.currency,
        occurred_at_us=now_us,
        assurance=Assurance.QUERIED,
        detail=reason[:60],
    )


# --- what was heard -----------------------------------------------------------------------------------------

_HEARD: Final = """
SELECT e.id FROM store_paymentevent e
 WHERE e.kind <> 'payment' AND e.assurance IN ('hint', 'signed') AND e.heard_us > %s AND e.id <> ALL (%s)
   AND NOT EXISTS (SELECT 1 FROM store_paymentevent q WHERE q.kind = e.kind AND q.account_id = e.account_id
        AND q.id > e.id AND q.assurance = 'queried' AND ((q.provider_ref <> '' AND q.provider_ref = e.provider_ref)
             OR (q.refund_ref <> '' AND q.refund_ref = e.refund_ref)))
   -- Of what is over, only a word that says otherwise is asked about: closed and paid in the end, paid and bounced.
   AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.account = e.account_id AND r.refund_ref = e.refund_ref
        AND r.origin <> 'provider' AND r.state NOT IN ('submitted', 'abnormal') AND r.paid_by <> 'window'
        AND NOT (r.state = 'failed' AND e.state = 'succeeded')
        AND NOT (r.state = 'succeeded' AND e.state IN ('failed', 'closed', 'abnormal')))
 ORDER BY e.id LIMIT %s
"""


def heard_of(*, now_us: int, limit: int, later: Collection[int] = ()) -> list[int]:
    """Events of money on its way back that nobody has asked about, but for those to be asked about `later`: what nobody
    can answer for keeps nobody else waiting."""
    with transaction.atomic(), connection.cursor() as cursor:
        _see_all()
        cursor.execute(_HEARD, [now_us - HEARD_US, list(later), limit])
        return [int(event) for (event,) in cursor.fetchall()]


@transaction.atomic(durable=True)
def take_heard(*, event_id: int, origin: str) -> Heard | None:
    """What to ask about something that was heard; None where it is of no payment that was credited here."""
    _see_all()
    event = PaymentEvent.objects.select_related("account", "intent").get(pk=event_id)
    mine = Paid.objects.filter(intent=event.intent_id, account=event.account_id)
    paid = (
        mine.filter(provider_ref=event.provider_ref.partition(":")[0]).first()
        or mine.order_by("fact").first()
    )
    if paid is None:
        return None
    ours = Refund.objects.filter(account=event.account_id, refund_ref=event.refund_ref).first()
    # What is over is asked about, and never asked for again.
    under_way = ours is not None and event.refund_ref and ours.state in _ASKED
    ask = _ask_of(
        paid, event.account, origin, refund_ref=event.refund_ref, provider_refund=event.provider_ref
    )
    dispute = None
    if event.kind == Kind.CHARGEBACK:
        dispute = DisputeAsk(
            our_ref=paid.our_ref, provider_dispute=event.provider_ref, currency=paid.currency
        )
    return Heard(
        event=event.pk,
        account=event.account_id,
        refund=ours.pk if ours is not None and under_way else None,
        ask=replace(ask, amount_minor=event.amount_minor),
        dispute=dispute,
    )


@transaction.atomic(durable=True)
def note_heard(*, event_id: int, said: ProviderFact, now_us: int) -> None:
    """A provider said what is true of something that was heard."""
    _see_all()
    event = PaymentEvent.objects.select_related("intent").get(pk=event_id)
    said = replace(
        said,
        refund_ref=said.refund_ref or event.refund_ref,
        provider_ref=said.provider_ref or event.provider_ref,
    )
    _note(event.intent, _answering(said, event.pk), now_us)


def _answering(said: ProviderFact, heard: int | None) -> ProviderFact:
    """The answer names what it answers, so that the same answer twice settles two hints."""
    return said if heard is None else replace(said, event_id=f"{said.event_id[:130]}@{heard}")


def add_word(*, intent: PaymentIntent, said: ProviderFact, now_us: int) -> tuple[int, bool]:
    """Leave a provider's word about money on its way back to the poster: asked, or out of its bill. (fact, is it new)

    Inside the caller's transaction, and by the collector only, as the database notes.
    """
    if said.kind is Kind.PAYMENT or said.assurance not in MOVES_MONEY:
        raise ValueError("only what a provider says for certain of a refund or a chargeback is left so")
    content = {
        "kind": said.kind,
        "state": said.state,
        "our_ref": said.our_ref,
        "provider_ref": said.provider_ref,
        "refund_ref": said.refund_ref,
        "amount_minor": said.amount_minor,
        "currency": said.currency,
        "assurance": said.assurance,
        "detail": said.detail,
    }
    keys = {
        state: refund_word_key(
            account=intent.account_id or 0,
            kind=said.kind,
            reference=said.provider_ref or said.refund_ref,
            state=state,
        )
        for state in {*_TOLD, said.state}
    }
    key = keys[said.state]
    with connection.cursor() as cursor:
        word: dict[str, Any] = {"cursor": cursor, "book": intent.book_id, "kind": "refund_word"}
        about = {**word, "key": key}
        newest = {state: facts.newest_of(**word, key=one) for state, one in keys.items()}
        # Paid, sent back and paid again: what was said before and is said anew is another word. A bill's is an old one.
        again = said.assurance is Assurance.QUERIED and 0 < newest[said.state] < max(newest.values())
        if again or facts.refused_for(**about) in _KEYLESS:
            key = facts.fresh_key(**about)
        return facts.add(
            cursor=cursor,
            book=intent.book_id,
            kind="refund_word",
            natural_key=key,
            wallet=intent.wallet_id,
            payload={"provider": said.provider, "account": intent.account_id, "said": content},
            raw=b"",
            now_us=now_us,
        )


def _note(intent: PaymentIntent, said: ProviderFact, now_us: int) -> None:
    note_event(intent=intent, said=said, now_us=now_us)
    if said.state in _TOLD or said.kind is Kind.CHARGEBACK:
        add_word(intent=intent, said=said, now_us=now_us)
    _see_all()


def _intent_of(payment: int | None) -> PaymentIntent:
    assert payment is not None, "what goes back to its source names a payment"
    return PaymentIntent.objects.get(pk=Paid.objects.get(pk=payment).intent)


def _see_all() -> None:
    """Let this transaction see every book: the collector asks for all of them."""
    books = ",".join(str(pk) for pk in Book.objects.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
            [books],
        )

"""Where a payment stands, step by step, each with the instant it was proved."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from fairwatt.store import cash_desk
from fairwatt.store.models import Fact, Outbox, PaymentEvent, PaymentIntent, RegisterHead
from fairwatt.web.access import scope_of_wallet, seeing
from fairwatt.web.reviews import Review, reviews_of

PAYMENT_FACT = "payment"


def _is_about(fact: Fact, our_ref: str) -> bool:
    said = (fact.result or {}).get("our_ref") or fact.payload.get("queried", {}).get("our_ref")
    return said == our_ref or our_ref.encode() in bytes(fact.raw)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The four steps of a payment: an instant once the step is proved, `None` while it waits.

    `no_order` says that the meter needed nothing: the power was on and stays on.
    """

    intent: PaymentIntent
    paid_us: int | None
    credited_us: int | None
    sent_us: int | None
    confirmed_us: int | None
    no_order: bool
    review: Review | None
    receipt: str = ""
    """where its receipt is, once it is credited"""

    @property
    def in_review(self) -> bool:
        """Whether what was paid does not match what was asked for."""
        return self.review is not None

    @property
    def settled(self) -> bool:
        """Whether nothing more will change."""
        return (
            self.in_review
            or self.confirmed_us is not None
            or (self.credited_us is not None and self.no_order)
        )


def progress(*, intent: PaymentIntent) -> Progress:
    """Read a payment's steps."""
    fresh = PaymentIntent.objects.select_related("wallet__book", "wallet__unit__site").get(pk=intent.pk)
    with seeing(scope=scope_of_wallet(wallet=fresh.wallet)), connection.cursor() as cursor:
        facts = Fact.objects.filter(
            wallet=fresh.wallet_id, kind=PAYMENT_FACT, created_us__gte=fresh.created_us
        ).order_by("id")
        # Our reference is a random number, so bytes that hold it are about this payment; a merchant's may be sealed.
        fact = next((fact for fact in facts if _is_about(fact, fresh.our_ref)), None)
        heard = PaymentEvent.objects.filter(intent=fresh, kind="payment", state="succeeded").exclude(
            assurance="hint"
        )
        paid_us = heard.order_by("id").values_list("heard_us", flat=True).first()
        order = (
            Outbox.objects.filter(wallet=fresh.wallet_id, fact=fact.id).order_by("-id").first()
            if fact
            else None
        )
        review = next(iter(reviews_of(intents=PaymentIntent.objects.filter(pk=fresh.pk))), None)
        paper = cash_desk.receipt_of(cursor=cursor, book=fresh.book_id, fact=fact.id) if fact else None
        powered = RegisterHead.objects.filter(wallet=fresh.wallet_id).exclude(relay=0).exists()
    sent = order is not None and order.state in ("accepted", "proven")
    return Progress(
        intent=fresh,
        paid_us=fact.created_us if fact else paid_us,
        credited_us=fresh.credited_us,
        sent_us=(order.accepted_us or order.created_us) if order is not None and sent else None,
        confirmed_us=order.proven_us if order is not None else None,
        no_order=order is None and fresh.credited_us is not None and powered,
        review=review,
        receipt=paper.code if paper else "",
    )

"""Payments that do not match what was asked for: both amounts, for the payer and for the desk alike."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from fairwatt.core.units import micro_from_minor
from fairwatt.store.models import Event, PaymentIntent

REVIEW_EVENT = "payment.review"


@dataclass(frozen=True, kw_only=True)
class Review:
    """A payment that waits for a person. `received_micro` is `None` when its event is not in sight."""

    our_ref: str
    home: str
    asked_micro: int
    asked_currency: str
    received_micro: int | None
    received_currency: str


def reviews_of(*, intents: QuerySet[PaymentIntent]) -> tuple[Review, ...]:
    """Those of `intents` that are in review, oldest first. Call it inside `seeing` with their wallets in scope."""
    waiting = list(
        intents.filter(state=PaymentIntent.State.REVIEW)
        .select_related("book", "wallet__unit")
        .order_by("created_us", "id")
    )
    if not waiting:
        return ()
    refs = {intent.our_ref for intent in waiting}
    told = Event.objects.filter(
        kind=REVIEW_EVENT, wallet__in={intent.wallet_id for intent in waiting}, evidence__our_ref__in=refs
    )
    # A payment may be reported more than once; the first amount is the one that was refused credit.
    received = {event.evidence["our_ref"]: event.evidence for event in told.order_by("-id")}
    return tuple(_review(intent, received.get(intent.our_ref, {})) for intent in waiting)


def _review(intent: PaymentIntent, evidence: dict[str, object]) -> Review:
    digits, minor = intent.book.minor_digits, evidence.get("amount_minor")
    return Review(
        our_ref=intent.our_ref,
        home=intent.wallet.unit.label,
        asked_micro=micro_from_minor(amount_minor=intent.amount_minor, minor_digits=digits),
        asked_currency=intent.currency,
        received_micro=micro_from_minor(amount_minor=minor, minor_digits=digits)
        if isinstance(minor, int)
        else None,
        received_currency=str(evidence.get("currency", intent.currency)),
    )

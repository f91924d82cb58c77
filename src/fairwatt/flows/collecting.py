"""What the collector takes on, one intent at a time, and what it writes down of the answers. It posts nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.flows.payment_events import hear_queried, note_event
from fairwatt.payments.callbacks import address
from fairwatt.payments.contract import Action, Assurance, Kind, Method, OrderAsk, ProviderFact, State
from fairwatt.payments.exchange import ProviderRefused, ProviderTrouble
from fairwatt.store import auto_top_up
from fairwatt.store.models import MerchantHealth, PaymentIntent
from fairwatt.store.unflushed import UNFLUSHED

ASKED_AT_S: Final = (5, 15, 30, 60, 120, 300, 900, 3_600)
"""Ages at which a payment nobody called about is asked for; after the last the provider's bill decides."""
SCANNED_AT_S: Final = (3, 6, 10, 15, 20, 25, 30, 40, 50, 120, 300, 900)
"""The same for a code at the window: somebody stands there and waits, for a minute at most."""
HELD_US: Final = 30_000_000
"""So long an intent is another process's; who dies with one in hand holds it up no longer."""
TROUBLE_S_MAX: Final = 300
# At a month's end hundreds are asked about in a second: these are written by hand. What is locked may still be referred
# to, so that a callback of the same payment does not wait for the question.
_HOLD: Final = "SELECT * FROM store_paymentintent WHERE id = %s FOR NO KEY UPDATE"
_HOLD_LIGHTLY: Final = f"SELECT *, {UNFLUSHED} FROM store_paymentintent WHERE id = %s FOR NO KEY UPDATE"
"""For an answer that moves nothing: forgotten in a crash, it is asked for again."""
# Only before an order is made must it be known, whatever happens, that it was tried.
_TAKE: Final = f"""
SELECT i.*, a.token, CASE WHEN i.action IS NOT NULL THEN {UNFLUSHED} END
  FROM store_paymentintent i JOIN store_merchantaccount a ON a.id = i.account_id
 WHERE i.id = %s FOR NO KEY UPDATE OF i SKIP LOCKED
"""
_OPEN: Final = frozenset({"created", "pending"})
_DONE: Final = frozenset({"credited", "part_refunded", "refunded", "chargeback", "review"})
_MOVING: Final = frozenset({"created", "pending", "expired", "closed", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An intent in hand: what to ask about it."""

    intent: int
    account: int
    token: str
    order: OrderAsk
    made: bool
    """the provider has told what the payer sees next"""
    tried: bool
    """making it was tried before, and how that ended is not known"""
    expired: bool


@transaction.atomic(durable=True)
def let_go(*, now_us: int) -> int:
    """Ask no more about what was credited since: its callback came, so nothing is to be asked. Return how many."""
    done = PaymentIntent.objects.filter(ask_us__lte=now_us, account__isnull=False, state__in=_DONE)
    free = done.select_for_update(skip_locked=True, of=("self",), no_key=True).values("pk")
    return PaymentIntent.objects.filter(pk__in=free).update(ask_us=None)


def due(*, now_us: int, limit: int) -> list[int]:
    """Intents to be asked about now, the oldest first."""
    return list(
        PaymentIntent.objects.filter(ask_us__lte=now_us, account__isnull=False)
        .order_by("ask_us")
        .values_list("pk", flat=True)[:limit]
    )


@transaction.atomic(durable=True)
def take(*, intent_id: int, now_us: int, origin: str, hinted: bool = False) -> Taken | None:
    """Take an intent in hand, unless somebody else has it or nothing is to be asked. A hint asks before its time."""
    intent = next(iter(PaymentIntent.objects.raw(_TAKE, [intent_id])), None)
    if intent is None or intent.account_id is None:
        return None
    if intent.state in _DONE and not hinted:
        # Its callback came: what is known needs no question. A hint may tell of a second payment all the same.
        _write("ask_us = NULL", intent)
        return None
    asked_for = intent.ask_us is not None and intent.ask_us <= now_us
    if not (asked_for or (hinted and intent.action is not None)):
        return None
    intent.ask_us, tried = now_us + HELD_US, intent.troubles > 0
    payer, agreed = _payer(intent)
    if not agreed and intent.action is None and not tried:
        # It was switched off before anybody was asked: nothing is taken.
        intent.state, intent.ask_us = PaymentIntent.State.CLOSED, None
        intent.save(update_fields=["state", "ask_us"])
        return None
    if intent.action is None:
        # Who dies between here and the provider's answer has tried: a push may ring a telephone already.
        intent.troubles += 1
    _write("ask_us = %s, troubles = %s", intent, intent.ask_us, intent.troubles)
    token: str = intent.token  # type: ignore[attr-defined]  # joined to it by _TAKE
    expires_us = intent.expires_us or now_us
    order = OrderAsk(
        our_ref=intent.our_ref,
        amount_minor=intent.amount_minor,
        currency=intent.currency,
        method=Method(intent.method),
        subject=f"Fairwatt {intent.our_ref[:8]}",
        notify_url=address(origin=origin, provider=intent.provider, token=token, ref=intent.our_ref),
        return_url=intent.return_url or f"{origin}/pay/{intent.our_ref}/",
        expires_us=expires_us,
        payer=payer,
        provider_order=intent.provider_order,
        language=intent.language,
        on_phone=intent.on_phone,
    )
    return Taken(
        intent=intent.pk,
        account=intent.account_id,
        token=token,
        order=order,
        made=intent.action is not None,
        tried=tried,
        expired=(expires_us <= now_us or not agreed) and intent.state in _OPEN,
    )


def _write(columns: str, intent: PaymentIntent, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE store_paymentintent SET {columns} WHERE id = %s", [*values, intent.pk])


def _payer(intent: PaymentIntent) -> tuple[str, bool]:
    """Who is asked; what was agreed to be taken from, and whether that still stands."""
    if intent.method != Method.AUTO:
        return intent.payer, True
    with connection.cursor() as cursor:
        return auto_top_up.payer_of(cursor=cursor, intent=intent.pk)


@transaction.atomic(durable=True)
def note_action(*, intent_id: int, action: Action, now_us: int) -> None:
    """The provider made the order: the payer's page shows what comes next."""
    (intent,) = PaymentIntent.objects.raw(_HOLD, [intent_id])
    if intent.state == PaymentIntent.State.CREATED:
        intent.state = PaymentIntent.State.PENDING
    intent.ask_us = next_ask_us(intent=intent, now_us=now_us)
    # A telephone, a login code: asked once, kept no longer.
    _write(
        "action = %s, provider_order = %s, payer = '', state = %s, trouble = '', troubles = 0, ask_us = %s",
        intent,
        json.dumps({"method": action.method, "url": action.url, "sheet": dict(action.sheet)}),
        action.provider_order,
        str(intent.state),
        intent.ask_us,
    )
    if action.settled is not None:
        _fold(intent, action.settled, now_us, expired=False)


@transaction.atomic(durable=True)
def note_answer(*, intent_id: int, said: ProviderFact, now_us: int, expired: bool) -> None:
    """The provider said how it stands. Money it names goes to the poster, whatever the intent was before."""
    hold = _HOLD if said.moves_money else _HOLD_LIGHTLY
    (intent,) = PaymentIntent.objects.raw(hold, [intent_id])
    _fold(intent, said, now_us, expired=expired)


def _fold(intent: PaymentIntent, said: ProviderFact, now_us: int, *, expired: bool) -> None:
    hear_queried(intent=intent, said=said, now_us=now_us)
    states = PaymentIntent.State
    intent.ask_us = next_ask_us(intent=intent, now_us=now_us)
    if said.kind is Kind.PAYMENT and said.moves_money:
        intent.ask_us = None
        if intent.state in _MOVING:
            intent.state = states.PAID
    elif intent.state in _OPEN:
        if said.state is State.FAILED:
            intent.state = states.FAILED
        elif said.state is State.CLOSED or expired:
            intent.state = states.EXPIRED if expired else states.CLOSED
    _write(
        "state = %s, trouble = '', troubles = 0, asks = asks + 1, ask_us = %s",
        intent,
        str(intent.state),
        intent.ask_us,
    )


@transaction.atomic(durable=True)
def note_trouble(*, intent_id: int, trouble: ProviderTrouble, refused: bool, now_us: int) -> None:
    """Asking failed: ask again later, sooner at first. A making that was refused for certain ends the intent."""
    intent = PaymentIntent.objects.select_for_update(no_key=True).get(pk=intent_id)
    intent.troubles += 1
    intent.trouble = trouble.code
    wait_s = min(2 ** min(intent.troubles, 20), TROUBLE_S_MAX)
    intent.ask_us = now_us + wait_s * 1_000_000
    if refused and intent.state == PaymentIntent.State.CREATED:
        note_event(intent=intent, said=_refusal(intent, trouble, now_us), now_us=now_us)
        intent.state, intent.ask_us, intent.payer = PaymentIntent.State.FAILED, None, ""
    intent.save(update_fields=["troubles", "trouble", "ask_us", "state", "payer"])


def _refusal(intent: PaymentIntent, trouble: ProviderTrouble, now_us: int) -> ProviderFact:
    """A no to making an order, in the provider's own word, so that it can be said to people."""
    reason = trouble.reason if isinstance(trouble, ProviderRefused) else trouble.code
    return ProviderFact(
        provider=intent.provider,
        state=State.FAILED,
        our_ref=intent.our_ref,
        provider_ref="",
        event_id=f"{intent.our_ref}:refused:{reason}"[:160],
        amount_minor=intent.amount_minor,
        currency=intent.currency,
        occurred_at_us=now_us,
        assurance=Assurance.QUERIED,
        detail=reason[:80],
    )


def next_ask_us(*, intent: PaymentIntent, now_us: int) -> int | None:
    """When to ask next: the next age of the plan, and when the order may be paid no more."""
    plan = SCANNED_AT_S if intent.method == Method.SCAN else ASKED_AT_S
    ages = [intent.created_us + age_s * 1_000_000 for age_s in plan]
    if intent.expires_us is not None and intent.state in _OPEN:
        ages.append(intent.expires_us)
    return min((at_us for at_us in ages if at_us > now_us), default=None)


@transaction.atomic(durable=True)
def note_health(*, account: int, available: bool, code: str, skew_s: int | None, now_us: int) -> None:
    """How the line to a provider stands: a method whose line is down is not offered."""
    MerchantHealth.objects.update_or_create(
        account_id=account,
        defaults={"available": available, "code": code, "skew_s": skew_s, "said_us": now_us},
    )

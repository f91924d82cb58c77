"""At the window a payer shows the code on his telephone: it is scanned, and the provider says what becomes of it.

Nothing is credited here: the collector asks, and the poster posts the provider's own word. A code pays once, and the
order is taken back when the payer has not confirmed within a minute.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.flows.cash_desk import CannotTake
from fairwatt.flows.desk import NotAllowed, acting
from fairwatt.flows.merchants import Offer, Place, offers
from fairwatt.flows.start_top_up import Payer, write_intent
from fairwatt.payments.codes import read_code
from fairwatt.store import cash_desk, facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Installation, PaymentEvent, PaymentIntent, Role, User, Wallet

_TICKET: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What the window sends. `ticket` names the form, so that the same form twice is one payment."""

    wallet_id: int
    amount_minor: int
    code: str
    ticket: str


@dataclass(frozen=True, kw_only=True)
class ScanStands:
    """How a scanned payment stands: `asking`, `confirming`, `paid`, `credited`, `refused`, `taken_back` or `review`."""

    intent: PaymentIntent
    state: str
    reason: str
    """the provider's own word, where it refused"""
    left_s: int
    """so long the payer may still take to confirm"""


def scan_offers(*, book: Book) -> list[Offer]:
    """Whose codes the window takes now."""
    return offers(book=book, place=Place.WINDOW)


@transaction.atomic(durable=True)
def scan_code(*, book_id: int, scanned: Scanned, user_id: int, now_us: int) -> str:
    """Ask for a payment by a scanned code; return its reference. Raises DeskRefused or TopUpRefused.

    The same form again is the same payment; the same code again is refused, whoever it was for.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if person.role != Role.OPERATOR:
        raise NotAllowed(
            "Operators take money; administrators agree to what they ask. Nothing was taken; ask an operator."
        )
    if not _TICKET.fullmatch(scanned.ticket):
        raise CannotTake("This is no way to pay at the desk. Nothing was taken; open the page again.")
    offer, digits = _whose(book, scanned.code)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        known = _known(cursor, book, scanned.ticket)
        if known:
            return known
        shift = cash_desk.open_shift_of(cursor=cursor, book=book.pk, cashier=person.pk)
        if shift is None:
            raise CannotTake("You have no open shift. Nothing was taken; open one first.")
        wallet = _home(book, scanned.wallet_id)
        intent = write_intent(
            wallet=wallet,
            amount_minor=scanned.amount_minor,
            provider=offer.provider,
            user_id=person.pk,
            now_us=now_us,
            offer=offer,
            payer=Payer(payer=digits),
        )
        facts.see_book(cursor=cursor, book=book.pk)
        _note(cursor, book, intent, digits, person, shift.shift, now_us, ticket=scanned.ticket)
    return intent.our_ref


@transaction.atomic
def scan_stands(*, book: Book, our_ref: str, now_us: int) -> ScanStands | None:
    """How a payment that was scanned at this book's window stands; None for any other."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        intent = PaymentIntent.objects.filter(book=book, our_ref=our_ref, method="scan").first()
        if intent is None:
            return None
        heard = PaymentEvent.objects.filter(intent=intent, kind="payment").order_by("-pk").first()
    left_us = max(0, (intent.expires_us or now_us) - now_us)
    return ScanStands(
        intent=intent,
        state=_state(intent),
        reason=heard.detail if heard is not None and intent.state == "failed" else "",
        left_s=-(-left_us // 1_000_000),
    )


def _state(intent: PaymentIntent) -> str:
    match intent.state:
        case "created":
            return "asking"
        case "pending":
            return "confirming"
        case "paid":
            return "paid"
        case "failed":
            return "refused"
        case "expired" | "closed":
            return "taken_back"
        case "review":
            return "review"
        case _:
            return "credited"


def _whose(book: Book, typed: str) -> tuple[Offer, str]:
    provider, digits = read_code(typed=typed)
    if not provider:
        raise CannotTake(
            "This is no payer's code: WeChat Pay shows 18 digits, Alipay 16 to 24. Nothing was taken; scan it "
            "again."
        )
    for one in scan_offers(book=book):
        if one.provider == provider:
            return one, digits
    raise CannotTake(
        "The window takes no codes of this provider now. Nothing was taken; offer another way to pay."
    )


def _known(cursor: Any, book: Book, ticket: str) -> str:
    cursor.execute(
        "SELECT i.our_ref FROM code_scan s JOIN store_paymentintent i ON i.id = s.intent "
        "WHERE s.book = %s AND s.ticket = %s",
        [book.pk, ticket],
    )
    row = cursor.fetchone()
    return str(row[0]) if row else ""


def _home(book: Book, wallet_id: int) -> Wallet:
    at_work = Installation.objects.filter(closed_us__isnull=True, wallet=wallet_id)
    wallet = Wallet.objects.select_related("book").filter(pk=wallet_id, book=book).first()
    if wallet is None or not at_work.exists():
        raise CannotTake("There is no such home here. Nothing was taken; find it again.")
    return wallet


def _note(
    cursor: Any,
    book: Book,
    intent: PaymentIntent,
    digits: str,
    person: User,
    shift: int,
    now_us: int,
    *,
    ticket: str,
) -> None:
    digest = sha256(b"code:" + digits.encode()).digest()
    cursor.execute(
        "INSERT INTO code_scan (intent, book, wallet, digest, cashier, shift, ticket, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING intent",
        [intent.pk, book.pk, intent.wallet_id, digest, person.pk, shift, ticket, now_us],
    )
    if cursor.fetchone() is None:
        raise CannotTake(
            "This code was scanned before, and a code pays once. Nothing more was taken; look at that payment, or "
            "ask the payer for a fresh code."
        )
    note_deed(
        cursor=cursor,
        book=book.pk,
        kind="desk.code_scanned",
        author=person.pk,
        now_us=now_us,
        wallet=intent.wallet_id,
        evidence={"our_ref": intent.our_ref, "shift": shift, "provider": intent.provider},
    )

"""Payments that payers begin at the provider, naming a home by its account number: asked about, announced, taken in.

What the provider calls about is unsigned: a check is answered by reading, an announcement makes the collector ask.
Money is taken in from the provider's own list, each payment of it once; what names nobody who lives here lies in
suspense.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.account_numbers import wallets_in
from fairwatt.core.units import US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND
from fairwatt.flows.collecting import ASKED_AT_S
from fairwatt.flows.merchants import Merchant, takes_currency
from fairwatt.flows.payment_events import leave_queried, note_event
from fairwatt.flows.receive_payment import BODY_MAX, count_refused
from fairwatt.flows.start_top_up import TopUpRefused, check_amount
from fairwatt.payments.billing import BILLING
from fairwatt.payments.contract import (
    Ack,
    CallbackRejected,
    MalformedCallback,
    Method,
    OtherMerchant,
    ProviderFact,
)
from fairwatt.payments.unasked import (
    CHECK,
    TELL,
    Announced,
    Listed,
    TakesUnasked,
    Verdict,
    addresses,
    unasked,
)
from fairwatt.store import facts
from fairwatt.store import unasked as rows
from fairwatt.store.models import Book, MerchantAccount, PaymentIntent, Wallet

READ_EVERY_US: Final = 2 * US_PER_MINUTE
"""So often the list is read where nothing was announced: a lost announcement costs a payer no more than this."""
AGAIN_US: Final = US_PER_HOUR
"""So far back it is read again each time: a row may come late into a list."""
KEPT_US: Final = 47 * US_PER_HOUR
"""Lists go back 48 hours."""
HELD_US: Final = 30 * US_PER_SECOND
HOPED_US: Final = US_PER_HOUR
"""So long a payment that was announced is looked for out of turn."""
ANNOUNCED_MAX: Final = 2_000
"""More in an hour are not noted: the list is read every two minutes in any case."""
TROUBLE_US_MAX: Final = 5 * US_PER_MINUTE


class TooManyAnnounced(CallbackRejected):
    """More was announced lately than anybody pays; the list tells what is true of it."""

    code = "too_many"


@dataclass(frozen=True, kw_only=True)
class InHand:
    """An account whose provider is asked now, and the span of its list to read."""

    account: int
    since_us: int
    until_us: int
    tell: tuple[str, str] | None
    """the addresses to tell the provider first; None where it was told these"""


# --- the web: what the provider calls about ---------------------------------------------------------------------


def hear(*, merchant: Merchant, what: str, body: bytes, now_us: int) -> Ack | None:
    """Answer what a provider asks before a payment, or tells of one; None where this account has no such address."""
    provider = unasked(provider=merchant.provider)
    if provider is None or what not in (CHECK, TELL):
        return None
    verdict, refused = Verdict.UNREADABLE, None
    try:
        if what == CHECK:
            verdict = judge(merchant=merchant, body=body, now_us=now_us)
        else:
            announce(merchant=merchant, body=body, now_us=now_us)
    except CallbackRejected as wrong:
        refused = wrong
        count_refused(account=merchant.account, code=wrong.code, now_us=now_us)
        verdict = Verdict.OTHER_SHOP if isinstance(wrong, OtherMerchant) else Verdict.UNREADABLE
    return provider.answer_check(verdict=verdict) if what == CHECK else merchant.provider.ack(refused=refused)


def _heard(merchant: Merchant, body: bytes) -> tuple[TakesUnasked, Announced]:
    provider = unasked(provider=merchant.provider)
    if provider is None:
        raise OtherMerchant("nobody pays this account so; no money was moved")
    if len(body) > BODY_MAX:
        raise MalformedCallback(f"the callback has more than {BODY_MAX} bytes; no money was moved")
    said = provider.parse_announced(body=body)
    if said.shop != provider.shop:
        raise OtherMerchant("it is about another merchant's number; no money was moved")
    return provider, said


@transaction.atomic
def judge(*, merchant: Merchant, body: bytes, now_us: int) -> Verdict:
    """Whether the provider may take a payment: somebody lives under the number, and may be paid so much. Only reads.

    Raises CallbackRejected for what is not to be understood, or another merchant's.
    """
    _, said = _heard(merchant, body)
    with connection.cursor() as cursor:
        home = _home(cursor, merchant.organisation, said.named)
    if home is None or not home.at_work:
        return Verdict.NO_ACCOUNT
    wallet = Wallet.objects.select_related("book").get(pk=home.wallet)
    account = MerchantAccount.objects.get(pk=merchant.account)
    if said.currency != wallet.book.currency or not takes_currency(account=account, book=wallet.book):
        return Verdict.NO_ACCOUNT
    try:
        check_amount(wallet=wallet, amount_minor=said.amount_minor, now_us=now_us)
    except TopUpRefused:
        return Verdict.NO_AMOUNT
    return Verdict.TAKE


@transaction.atomic(durable=True)
def announce(*, merchant: Merchant, body: bytes, now_us: int) -> None:
    """Note that a payment was announced; the collector looks for that twice a second. Raises CallbackRejected."""
    _, said = _heard(merchant, body)
    with connection.cursor() as cursor:
        _see_desk(cursor, merchant.organisation)
        if not rows.announce(
            cursor=cursor,
            account=merchant.account,
            provider_ref=said.provider_ref,
            now_us=now_us,
            since_us=now_us - HOPED_US,
            most=ANNOUNCED_MAX,
        ):
            raise TooManyAnnounced(
                "too many payments were announced; the provider's list tells which are true"
            )


def _home(cursor: Any, organisation: int, named: str) -> rows.Named | None:
    """The one home of the organisation that the words name; None for nobody's number, or several."""
    found = rows.homes(cursor=cursor, wallets=wallets_in(text=named), organisation=organisation)
    return found[0] if len(found) == 1 else None


# --- the collector: the provider's own list ---------------------------------------------------------------------


def due(*, now_us: int) -> list[int]:
    """Accounts whose provider is to be told our addresses or asked for its list."""
    with connection.cursor() as cursor:
        return rows.due(cursor=cursor, now_us=now_us)


@transaction.atomic(durable=True)
def take(*, merchant: Merchant, now_us: int, origin: str) -> InHand | None:
    """Take an account in hand, unless another process has it. Only what came in since we listen is read."""
    provider = unasked(provider=merchant.provider)
    with connection.cursor() as cursor:
        stands = rows.take(cursor=cursor, account=merchant.account, now_us=now_us, until_us=now_us + HELD_US)
        if stands is None:
            return None
        if provider is None:
            about = {"trouble": "till", "ask_us": now_us + US_PER_HOUR}
            rows.note(cursor=cursor, account=merchant.account, **about)
            return None
    tell = addresses(origin=origin, token=merchant.token)
    return InHand(
        account=merchant.account,
        since_us=max(stands.begun_us, stands.read_us - AGAIN_US, now_us - KEPT_US),
        until_us=now_us + US_PER_MINUTE,
        tell=None if stands.told == told_digest(provider, tell) else tell,
    )


def told_digest(provider: TakesUnasked, tell: tuple[str, str]) -> str:
    """What a provider was told, so that something else is told again."""
    return sha256("|".join((provider.shop, *tell)).encode()).hexdigest()[:32]


@transaction.atomic(durable=True)
def note_told(*, merchant: Merchant, tell: tuple[str, str], kept: bool, now_us: int) -> None:
    """The provider knows our addresses, or keeps those it was told before (`kept`)."""
    provider = unasked(provider=merchant.provider)
    assert provider is not None
    with connection.cursor() as cursor:
        about = {"told": told_digest(provider, tell), "told_us": now_us, "kept": kept}
        rows.note(cursor=cursor, account=merchant.account, **about)


@transaction.atomic(durable=True)
def note_trouble(*, account: int, code: str, now_us: int) -> None:
    """Asking failed: again later, sooner at first."""
    with connection.cursor() as cursor:
        stands = rows.of(cursor=cursor, account=account)
        troubles = 1 if stands is None else stands.troubles + 1
        wait_us = min(US_PER_SECOND << min(troubles, 20), TROUBLE_US_MAX)
        rows.note(
            cursor=cursor, account=account, trouble=code[:40], troubles=troubles, ask_us=now_us + wait_us
        )


def take_in(*, merchant: Merchant, listed: Listed, now_us: int) -> int:
    """Take in what a list has and was not taken in before; how many payments these were."""
    provider = unasked(provider=merchant.provider)
    assert provider is not None
    numbers = [one.provider_ref for one in listed.payments]
    with connection.cursor() as cursor:
        known = rows.known(
            cursor=cursor, provider=merchant.provider.name, shop=provider.shop, numbers=numbers
        )
    unknown = [one for one in listed.payments if one.provider_ref not in known]
    new = _without_orders(merchant=merchant, some=unknown)
    return sum(_take_one(merchant=merchant, shop=provider.shop, said=one, now_us=now_us) for one in new)


@transaction.atomic(durable=True)
def _take_one(*, merchant: Merchant, shop: str, said: ProviderFact, now_us: int) -> bool:
    """Write a payment down once: an intent of the home that was named and a fact for its book's poster."""
    account = MerchantAccount.objects.get(pk=merchant.account)
    with connection.cursor() as cursor:
        home = _home(cursor, account.organisation_id, said.named)
        book = _book(account, home, said)
        lives = home is not None and home.at_work
        said = replace(said, our_ref=_reference(account, said))
        entry = rows.Entry(
            provider=said.provider,
            shop=shop,
            provider_ref=said.provider_ref,
            account=account.pk,
            book=book.pk,
            wallet=home.wallet if home is not None and lives else None,
            our_ref=said.our_ref,
            named=said.named,
        )
        if not rows.take_in(cursor=cursor, entry=entry, now_us=now_us):
            return False
    if entry.wallet is not None:
        intent = PaymentIntent.objects.create(
            book=book,
            wallet_id=entry.wallet,
            our_ref=said.our_ref,
            provider=said.provider,
            amount_minor=said.amount_minor,
            currency=said.currency,
            created_us=now_us,
            account=account,
            method=Method.PAYBILL,
        )
        note_event(intent=intent, said=said, now_us=now_us)
        intent.state = PaymentIntent.State.PAID
        intent.save(update_fields=["state"])
    leave_queried(book=book.pk, wallet=entry.wallet, account=account.pk, said=said, now_us=now_us)
    return True


@transaction.atomic
def _without_orders(*, merchant: Merchant, some: Sequence[ProviderFact]) -> list[ProviderFact]:
    """Rows of a list but those of orders of ours being paid, which other words tell of.

    Payers read the reference of what they paid in their provider's message, and type it for the next time. What came
    in after the provider had said that the order was paid, or is another amount, is that: money without a home.
    """
    account = MerchantAccount.objects.get(pk=merchant.account)
    billing = BILLING[account.provider]
    books = Book.objects.filter(organisation=account.organisation_id).values_list("pk", flat=True)
    with connection.cursor() as cursor:
        facts.see_books(cursor=cursor, books=list(books))
        orders = rows.orders_named(
            cursor=cursor,
            account=account.pk,
            named=[one.named for one in some],
            ref_chars=billing.ref_chars,
        )

    def ordered(said: ProviderFact) -> bool:
        order = orders.get(said.named)
        if order is None:
            return said.our_ref == said.named
        later = order.paid_us is not None and billing.is_another(
            at_us=said.occurred_at_us, paid_us=order.paid_us
        )
        return not later and said.amount_minor == order.amount_minor

    return [one for one in some if not ordered(one)]


def _book(account: MerchantAccount, home: rows.Named | None, said: ProviderFact) -> Book:
    """The book of the home that was named, whoever lives there; else the organisation's first one of that currency."""
    books = list(Book.objects.filter(organisation=account.organisation_id).order_by("pk"))
    if home is not None:
        return next(one for one in books if one.pk == home.book)
    return next((one for one in books if one.currency == said.currency), books[0])


def _reference(account: MerchantAccount, said: ProviderFact) -> str:
    """Ours of a payment that is the provider's: it begins as the bill names it, and nobody can guess the rest."""
    rest = hmac.new(account.token.encode(), said.provider_ref.encode(), sha256).hexdigest()
    return said.our_ref + rest[: 32 - len(said.our_ref)]


@transaction.atomic(durable=True)
def note_read(*, account: int, listed: Listed, until_us: int, now_us: int) -> None:
    """A span of the list was read: when to read on. What was announced and is not there yet is looked for sooner."""
    with connection.cursor() as cursor:
        heard = rows.unfound(cursor=cursor, account=account, since_us=now_us - HOPED_US)
        ages = (heard_us + age_s * US_PER_SECOND for heard_us in heard for age_s in ASKED_AT_S)
        ask_us = min((at_us for at_us in ages if at_us > now_us), default=now_us + READ_EVERY_US)
        about: dict[str, Any] = {"trouble": "", "troubles": 0, "ask_us": min(ask_us, now_us + READ_EVERY_US)}
        if listed.answered:
            about["read_us"] = min(until_us, now_us)
        rows.note(cursor=cursor, account=account, **about)


def since(*, account: int, from_us: int, now_us: int) -> int | None:
    """From when on a span of the list may be read: since we listen, as far back as it goes. None where nobody does."""
    with connection.cursor() as cursor:
        stands = rows.of(cursor=cursor, account=account)
    return None if stands is None else max(from_us, stands.begun_us, now_us - KEPT_US)


@transaction.atomic
def stands(*, account: MerchantAccount) -> rows.Listening | None:
    """How it stands with an account's addresses and list, for its organisation's desk; None where nobody listens."""
    with connection.cursor() as cursor:
        _see_desk(cursor, account.organisation_id)
        return rows.of(cursor=cursor, account=account.pk)


@transaction.atomic(durable=True)
def tell_again(*, account_id: int, now_us: int) -> None:
    """Let the provider be told our addresses anew: they changed there, or were deleted."""
    account = MerchantAccount.objects.get(pk=account_id)
    with connection.cursor() as cursor:
        _see_desk(cursor, account.organisation_id)
        rows.note(cursor=cursor, account=account.pk, told="", kept=False, ask_us=now_us)


def _see_desk(cursor: Any, organisation: int) -> None:
    """Let the transaction see what is an organisation's: one book of it says whose desk it is."""
    book = Book.objects.filter(organisation=organisation).order_by("pk").first()
    if book is not None:
        facts.see_book(cursor=cursor, book=book.pk)

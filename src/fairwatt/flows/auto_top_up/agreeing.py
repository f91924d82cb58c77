"""A resident agrees that top-ups are taken, changes what was agreed, or ends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.credit.auto_top_up import AutoTerms
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import date_start, local_date
from fairwatt.core.units import US_PER_HOUR, format_money, micro_from_minor
from fairwatt.flows.household import part_in
from fairwatt.flows.merchants import Offer, Place, offers
from fairwatt.flows.start_top_up import AMOUNT_MINOR_MAX
from fairwatt.store import auto_top_up as rows
from fairwatt.store.models import Book, Wallet

SIGN_US: Final = 2 * US_PER_HOUR
"""How long the provider's page may be signed."""
BELOW_MICRO_MAX: Final = 10**12
PAID: Final = frozenset({"credited", "part_refunded", "refunded", "chargeback"})
WAITING: Final = frozenset({"created", "pending", "paid"})
_SURELY_NOT: Final = frozenset({"failed", "closed", "unknown"})


class AutoRefused(Refusal):
    """It cannot be agreed so; nothing was changed and nothing is taken."""

    code = "auto_top_up_refused"


@dataclass(frozen=True, kw_only=True)
class Consent:
    """The words agreed to as they stood on the page, its language, and the way back to it."""

    words: str
    language: str
    return_url: str


@dataclass(frozen=True, kw_only=True)
class AutoDesk:
    """What a home's page of automatic top-ups shows."""

    plan: rows.Plan | None
    terms: AutoTerms | None
    steps: tuple[rows.Step, ...]
    offers: tuple[Offer, ...]
    part: str
    """owner, member, or '' for who moved out"""
    mine: bool
    """whether it was this person who agreed"""
    taken_times: int = 0
    taken_minor: int = 0
    """of this local month, without what was refused"""

    @property
    def running(self) -> bool:
        """Whether something may be taken."""
        return self.plan is not None and self.plan.state == "active"

    @property
    def signing(self) -> bool:
        """Whether the provider's page is still to be signed."""
        return self.plan is not None and self.plan.state == "signing"


def auto_desk(*, wallet: Wallet, user_id: int, now_us: int) -> AutoDesk:
    """What is agreed for a home, and how that went. Reads."""
    with transaction.atomic(), connection.cursor() as cursor:
        _see(cursor, wallet)
        plan = rows.newest(cursor=cursor, wallet=wallet.pk)
        terms = None if plan is None else rows.terms_of(cursor=cursor, plan=plan.plan)
        steps = tuple(rows.steps_of(cursor=cursor, wallet=wallet.pk))
        since_us = month_start(book=wallet.book, now_us=now_us)
        tries = [] if plan is None else rows.tries_of(cursor=cursor, plan=plan.plan, since_us=since_us)
        taken = [one.amount_minor for one in tries if one.at_us >= since_us and not surely_failed(one)]
    return AutoDesk(
        plan=plan,
        terms=terms,
        steps=steps,
        offers=tuple(offers(book=wallet.book, place=Place.AGREEMENT)),
        part=part_in(wallet=wallet, user_id=user_id, now_us=now_us),
        mine=plan is not None and plan.author == user_id,
        taken_times=len(taken),
        taken_minor=sum(taken),
    )


def month_start(*, book: Book, now_us: int) -> int:
    """When the local month began."""
    return date_start(zone=book.zone, day=local_date(zone=book.zone, at_us=now_us).replace(day=1))


def surely_failed(one: rows.Try) -> bool:
    """Whether nothing was taken and nothing will be, by the provider's own word."""
    return one.state not in WAITING | PAID and one.heard in _SURELY_NOT


@transaction.atomic(durable=True)
def agree(
    *,
    wallet_id: int,
    account_id: int,
    terms: AutoTerms,
    consent: Consent,
    user_id: int,
    now_us: int,
    entropy: bytes,
) -> str:
    """Agree to it; the provider's page is signed next. Return the reference of the agreement. Raises AutoRefused.

    A home has one agreement: who agrees again while one is being signed, takes the first back.
    """
    wallet = Wallet.objects.select_related("book").get(pk=wallet_id)
    _owner(wallet, user_id, now_us)
    _check(wallet, terms)
    if account_id not in {one.account for one in offers(book=wallet.book, place=Place.AGREEMENT)}:
        raise AutoRefused(
            "Automatic top-ups are not open here now. Nothing was agreed; top up by hand or try again later."
        )
    new = rows.NewPlan(
        book=wallet.book_id,
        wallet=wallet.pk,
        account=account_id,
        author=user_id,
        our_ref=entropy.hex()[:32],
        consent=consent.words,
        language=consent.language[:10],
        return_url=consent.return_url,
        expires_us=now_us + SIGN_US,
    )
    with connection.cursor() as cursor:
        _see(cursor, wallet)
        before = rows.open_plan(cursor=cursor, wallet=wallet.pk)
        if before is not None and before.state == "signing":
            _end(cursor, before, "agreed_again", user_id, now_us)
        made = rows.add_plan(cursor=cursor, new=new, now_us=now_us)
        if made is None:
            raise AutoRefused(
                "Automatic top-up is on already. Nothing was changed; switch it off first to use another card."
            )
        plan = rows.lock_plan(cursor=cursor, plan=made)
        assert plan is not None
        rows.add_terms(cursor=cursor, plan=plan, terms=terms, author=user_id, now_us=now_us)
        rows.add_step(
            cursor=cursor,
            plan=plan,
            step="agreed",
            evidence=evidence_of(terms),
            person=user_id,
            now_us=now_us,
        )
    return new.our_ref


@transaction.atomic(durable=True)
def change(*, wallet_id: int, terms: AutoTerms, user_id: int, now_us: int) -> None:
    """Other figures from now on; who agreed with the own card changes them. Raises AutoRefused."""
    wallet = Wallet.objects.select_related("book").get(pk=wallet_id)
    _check(wallet, terms)
    with connection.cursor() as cursor:
        _see(cursor, wallet)
        plan = rows.open_plan(cursor=cursor, wallet=wallet.pk)
        if plan is None or plan.author != user_id:
            raise AutoRefused("Only who agreed with an own card changes this. Nothing was changed.")
        rows.add_terms(cursor=cursor, plan=plan, terms=terms, author=user_id, now_us=now_us)
        rows.add_step(
            cursor=cursor,
            plan=plan,
            step="changed",
            evidence=evidence_of(terms),
            person=user_id,
            now_us=now_us,
        )


@transaction.atomic(durable=True)
def switch_off(*, wallet_id: int, user_id: int, now_us: int) -> None:
    """End it, at once: by who agreed, or by an owner of the home. Off already is no error. Raises AutoRefused."""
    wallet = Wallet.objects.select_related("book").get(pk=wallet_id)
    with connection.cursor() as cursor:
        _see(cursor, wallet)
        plan = rows.open_plan(cursor=cursor, wallet=wallet.pk)
        if plan is None:
            return
        if plan.author != user_id:
            _owner(wallet, user_id, now_us)
        _end(cursor, plan, "by_resident", user_id, now_us)


def evidence_of(terms: AutoTerms) -> dict[str, int]:
    """Terms as the history keeps them."""
    told = {
        "below_micro": terms.below_micro,
        "below_days": terms.below_days,
        "amount_minor": terms.amount_minor,
        "times_most": terms.times_most,
        "month_most_minor": terms.month_most_minor,
    }
    return {name: value for name, value in told.items() if value is not None}


def _end(cursor: Any, plan: rows.Plan, reason: str, person: int | None, now_us: int) -> None:
    rows.end_plan(cursor=cursor, plan=plan.plan, now_us=now_us)
    rows.add_step(cursor=cursor, plan=plan, step="ended", reason=reason, person=person, now_us=now_us)


def _owner(wallet: Wallet, user_id: int, now_us: int) -> None:
    if part_in(wallet=wallet, user_id=user_id, now_us=now_us) != "owner":
        raise AutoRefused("Only an owner of the home decides this. Nothing was changed; ask one of them.")


def _check(wallet: Wallet, terms: AutoTerms) -> None:
    book = wallet.book
    micro = micro_from_minor(amount_minor=1, minor_digits=book.minor_digits)

    def shown(minor: int) -> str:
        return format_money(micro=minor * micro, currency=book.currency)

    if not 0 < terms.amount_minor <= AMOUNT_MINOR_MAX:
        raise AutoRefused(
            "An amount between %(least)s and %(most)s is wanted. Nothing was agreed; choose another one.",
            least=shown(1),
            most=shown(AMOUNT_MINOR_MAX),
        )
    if terms.below_micro is not None and not 0 <= terms.below_micro <= BELOW_MICRO_MAX:
        raise AutoRefused("The level cannot be below nothing. Nothing was agreed; choose another one.")
    if terms.below_days is not None and not 1 <= terms.below_days <= 30:
        raise AutoRefused("A level of 1 to 30 days is wanted. Nothing was agreed; choose another one.")
    if not 1 <= terms.times_most <= 31:
        raise AutoRefused("Once to 31 times a month is wanted. Nothing was agreed; choose another number.")
    if not terms.amount_minor <= terms.month_most_minor <= AMOUNT_MINOR_MAX * 31:
        raise AutoRefused(
            "The most in a month, %(most)s, is less than one top-up of %(one)s. Nothing was agreed; raise it.",
            most=shown(terms.month_most_minor),
            one=shown(terms.amount_minor),
        )


def _see(cursor: Any, wallet: Wallet) -> None:
    cursor.execute(
        "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', %s, true)",
        [str(wallet.book_id), str(wallet.pk)],
    )

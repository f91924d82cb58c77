"""An administrator at the desk: proposes a merchant's keys, and chooses what residents are offered."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import connection, transaction

from fairwatt.flows import merchants
from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound
from fairwatt.payments.accounts import BadSettings
from fairwatt.store.facts import see_book
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, MerchantAccount, MerchantKey, Role, User


def propose(
    *,
    book: Book,
    user_id: int,
    account_id: int | None,
    provider: str,
    label: str,
    settings: Mapping[str, Any],
    seals: merchants.Seals,
    token: str,
    now_us: int,
) -> MerchantKey:
    """Write keys down, sealed; they take effect once confirmed at the command line. Raises DeskRefused."""
    user = _administrator(book, user_id)
    with transaction.atomic(durable=True):
        try:
            if account_id is None:
                key = merchants.make_account(
                    organisation_id=book.organisation_id,
                    provider=provider,
                    label=label,
                    settings=settings,
                    seals=seals,
                    token=token,
                    author=user.username,
                    now_us=now_us,
                )
            else:
                account = _account(book, account_id)
                key = merchants.lay_keys(
                    account=account, settings=settings, seals=seals, author=user.username, now_us=now_us
                )
        except (BadSettings, merchants.MerchantRefused) as wrong:
            raise DeskRefused("%(why)s Nothing was written.", why=str(wrong)) from None
        _note(
            book,
            "desk.merchant_keys",
            user,
            now_us,
            {"account": key.account_id, "fingerprint": key.fingerprint},
        )
    return key


def choose(*, book: Book, user_id: int, account_id: int, methods: Collection[str], now_us: int) -> None:
    """Offer these ways to pay from now on. Raises DeskRefused."""
    user = _administrator(book, user_id)
    with transaction.atomic(durable=True):
        account = _account(book, account_id)
        try:
            merchants.make_offer(account=account, methods=methods, author=user.username, now_us=now_us)
        except merchants.MerchantRefused as wrong:
            raise DeskRefused("%(why)s Nothing was changed.", why=str(wrong)) from None
        evidence = {"account": account.pk, "methods": sorted(methods)}
        _note(book, "desk.merchant_offer", user, now_us, evidence)


def _administrator(book: Book, user_id: int) -> User:
    user = User.objects.filter(pk=user_id, is_active=True, organisation_id=book.organisation_id).first()
    if user is None or user.role != Role.ADMIN:
        raise NotAllowed(
            "Only administrators of this organisation may change where its money goes. Nothing was changed; ask one."
        )
    return user


def _account(book: Book, account_id: int) -> MerchantAccount:
    account = MerchantAccount.objects.filter(pk=account_id, organisation=book.organisation_id).first()
    if account is None:
        raise NotFound("There is no such account. Nothing was changed; look at the list.")
    return account


def _note(book: Book, kind: str, user: User, now_us: int, evidence: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        see_book(cursor=cursor, book=book.pk)
        note_deed(cursor=cursor, book=book.pk, kind=kind, author=user.pk, now_us=now_us, evidence=evidence)

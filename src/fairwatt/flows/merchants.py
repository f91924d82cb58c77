"""Merchant accounts: given by commissioning or proposed on a page, confirmed, offered; and their adapters, as a process
may have them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from django.db import connection, transaction

from fairwatt.payments.accounts import ABILITIES, Secrecy, check, laid_over, open_account, parted
from fairwatt.payments.contract import Method, PaymentProvider
from fairwatt.payments.sealing import seal, unseal
from fairwatt.store.models import (
    Book,
    MerchantAccount,
    MerchantConfirmation,
    MerchantHealth,
    MerchantKey,
    MerchantOffer,
)

TOKEN_BYTES: Final = 16


class Place(StrEnum):
    """Where somebody chooses a way to pay."""

    PAGE = "page"
    WINDOW = "window"
    AGREEMENT = "agreement"
    """once, for what is taken later"""
    PROVIDER = "provider"
    """nowhere here: the payer begins at the provider"""


_PLACES: Final = {
    Method.SCAN: Place.WINDOW,
    Method.AUTO: Place.AGREEMENT,
    Method.PAYBILL: Place.PROVIDER,
}


class MerchantRefused(ValueError):
    """The account cannot be had so; nothing was written."""


@dataclass(frozen=True, slots=True)
class Seals:
    """What secrets are sealed to: a process that writes them down needs no more."""

    reading: X25519PublicKey
    acting: X25519PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """An account whose keys are in force, and its adapter."""

    account: int
    organisation: int
    token: str
    provider: PaymentProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A way to pay that a payer may choose now."""

    account: int
    provider: str
    method: Method
    label: str


class Merchants:
    """Adapters of accounts; keys are looked up each time and opened once."""

    def __init__(self, *, reading: X25519PrivateKey, acting: X25519PrivateKey | None = None) -> None:
        """`acting` is the collector's alone: without it an adapter reads callbacks and asks nothing."""
        self._reading, self._acting = reading, acting
        self._opened: dict[int, tuple[tuple[int, ...], Merchant]] = {}

    def by_token(self, *, token: str, provider: str | None = None) -> Merchant | None:
        """The account whose callbacks end in this token; with `provider` only if it is one there."""
        if provider is None:
            return self._open("token = %s", [token])
        return self._open("token = %s AND provider = %s", [token, provider])

    def of(self, *, account: int, book: int | None = None) -> Merchant | None:
        """The account of that number; with `book` only if it is of the book's organisation."""
        if book is None:
            return self._open("id = %s", [account])
        own = "organisation_id = (SELECT organisation_id FROM store_book WHERE id = %s)"
        return self._open(f"id = %s AND {own}", [account, book])

    def _open(self, where: str, values: list[Any]) -> Merchant | None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, organisation_id, provider, token, ARRAY(SELECT k.id FROM merchant_key_in_force k "
                f"WHERE k.account_id = a.id ORDER BY k.id) FROM store_merchantaccount a WHERE {where}",
                values,
            )
            row = cursor.fetchone()
            if row is None:
                return None
            account, organisation, provider, token, found = row
            keys = tuple(int(key) for key in found)
            kept = self._opened.get(account)
            if kept is None or kept[0] != keys:
                if not keys:
                    return None
                opened = open_account(provider, self._settings(cursor, keys, token))
                made = Merchant(account=account, organisation=organisation, token=token, provider=opened)
                kept = self._opened[account] = (keys, made)
        return kept[1]

    def _settings(self, cursor: Any, keys: tuple[int, ...], token: str) -> dict[str, Any]:
        cursor.execute(
            "SELECT id, settings, reading FROM store_merchantkey WHERE id = ANY(%s) ORDER BY id", [list(keys)]
        )
        sets: list[Mapping[str, Any]] = []
        for _, settings, reading in cursor.fetchall():
            sets.append(json.loads(settings) if isinstance(settings, str) else settings)
            sets.append(unseal(sealed=bytes(reading), key=self._reading, token=token))
        if self._acting is not None:
            cursor.execute(
                "SELECT sealed FROM merchant_acting WHERE key = ANY(%s) ORDER BY key", [list(keys)]
            )
            sets += [unseal(sealed=bytes(one), key=self._acting, token=token) for (one,) in cursor.fetchall()]
        return laid_over(sets)


def make_account(
    *,
    organisation_id: int,
    provider: str,
    label: str,
    settings: Mapping[str, Any],
    seals: Seals,
    token: str,
    author: str,
    now_us: int,
) -> MerchantKey:
    """Write an account down with its first keys, sealed. Raises MerchantRefused or BadSettings.

    Written by a page, it takes effect once `confirm_keys` was called from the command line.
    """
    if len(bytes.fromhex(token)) < TOKEN_BYTES:
        raise MerchantRefused("the account's address could be guessed; nothing was written")
    if not label.strip():
        raise MerchantRefused("The account needs a name. Nothing was written; give it one.")
    check(provider, settings)
    account = MerchantAccount.objects.create(
        organisation_id=organisation_id,
        provider=provider,
        label=label.strip()[:60],
        token=token,
        created_us=now_us,
        author=author,
    )
    return _add_keys(account, settings, seals, author, now_us)


@transaction.atomic(durable=True)
def add_account(**about: Any) -> MerchantKey:
    """`make_account` in a transaction of its own."""
    return make_account(**about)


@transaction.atomic(durable=True)
def add_keys(
    *, account_id: int, settings: Mapping[str, Any], seals: Seals, author: str, now_us: int
) -> MerchantKey:
    """`lay_keys` in a transaction of its own."""
    account = MerchantAccount.objects.get(pk=account_id)
    return lay_keys(account=account, settings=settings, seals=seals, author=author, now_us=now_us)


def lay_keys(
    *, account: MerchantAccount, settings: Mapping[str, Any], seals: Seals, author: str, now_us: int
) -> MerchantKey:
    """Lay further keys or settings over those an account has: a rotation. Raises BadSettings."""
    if not settings:
        raise MerchantRefused("There is nothing to change. Nothing was written.")
    return _add_keys(account, settings, seals, author, now_us)


def _add_keys(
    account: MerchantAccount, settings: Mapping[str, Any], seals: Seals, author: str, now_us: int
) -> MerchantKey:
    parts = parted(account.provider, settings)
    reading = seal(secrets=parts[Secrecy.READING], to=seals.reading, token=account.token)
    acting = seal(secrets=parts[Secrecy.ACTING], to=seals.acting, token=account.token)
    public = json.dumps(parts[Secrecy.PUBLIC], sort_keys=True).encode()
    key = MerchantKey.objects.create(
        account=account,
        settings=parts[Secrecy.PUBLIC],
        reading=reading,
        fingerprint=sha256(public + b"\0" + reading + b"\0" + acting).hexdigest(),
        created_us=now_us,
        author=author,
    )
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO merchant_acting (key, sealed) VALUES (%s, %s)", [key.pk, acting])
    return key


@transaction.atomic(durable=True)
def confirm_keys(*, key_id: int, fingerprint: str, author: str, now_us: int) -> MerchantKey:
    """Let keys that came in over a page take effect; the fingerprint says that it is they. Raises MerchantRefused."""
    key = MerchantKey.objects.select_related("account").filter(pk=key_id).first()
    if key is None:
        raise MerchantRefused(
            f"There are no keys {key_id}. Nothing was changed; look at `fairwatt merchant list`."
        )
    if len(fingerprint) < 8 or not key.fingerprint.startswith(fingerprint.lower()):
        raise MerchantRefused(
            "The fingerprint is another one: these are not the keys you mean. Nothing was changed; "
            "compare with the page."
        )
    if author == key.author:
        raise MerchantRefused(
            "Who proposed keys does not confirm them. Nothing was changed; ask somebody else."
        )
    MerchantConfirmation.objects.get_or_create(key=key, defaults={"created_us": now_us, "author": author})
    return key


@transaction.atomic(durable=True)
def offer(*, account_id: int, methods: Collection[str], author: str, now_us: int) -> MerchantOffer:
    """`make_offer` in a transaction of its own."""
    account = MerchantAccount.objects.get(pk=account_id)
    return make_offer(account=account, methods=methods, author=author, now_us=now_us)


def make_offer(
    *, account: MerchantAccount, methods: Collection[str], author: str, now_us: int
) -> MerchantOffer:
    """Choose which ways to pay an account offers from now on; none hides it. Raises MerchantRefused."""
    able = ABILITIES[account.provider].methods
    strange = [one for one in methods if one not in {method.value for method in able}]
    if strange:
        raise MerchantRefused(f"This provider has no way to pay called {strange[0]!r}. Nothing was changed.")
    return MerchantOffer.objects.create(
        account=account, methods=sorted(set(methods)), created_us=now_us, author=author
    )


def offers(*, book: Book, place: Place = Place.PAGE) -> list[Offer]:
    """The ways to pay into a book now: chosen, in its currency, with keys in force, and with a line that stands."""
    out: list[Offer] = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT account_id FROM merchant_key_in_force")
        ready = {int(account) for (account,) in cursor.fetchall()}
    down = set(MerchantHealth.objects.filter(available=False).values_list("account_id", flat=True))
    for account in MerchantAccount.objects.filter(organisation=book.organisation_id).order_by("pk"):
        chosen = MerchantOffer.objects.filter(account=account).order_by("-pk").first()
        if chosen is None or account.pk not in ready or account.pk in down:
            continue
        if not takes_currency(account=account, book=book):
            continue
        out += [
            Offer(account=account.pk, provider=account.provider, method=Method(one), label=account.label)
            for one in chosen.methods
            if _PLACES.get(Method(one), Place.PAGE) is place
        ]
    return out


def takes_currency(*, account: MerchantAccount, book: Book) -> bool:
    """Whether an account takes a book's currency in the book's smallest unit; a simulator's takes what it was told."""
    able = ABILITIES[account.provider].minor_digits
    if able.get(book.currency) == book.minor_digits:
        return True
    keys = MerchantKey.objects.filter(account=account)
    return book.currency in {one.settings.get("currency") for one in keys}

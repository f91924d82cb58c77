"""Who may see what: a request names its rows once, and PostgreSQL holds it to them.

Residents see the wallets of their open tenancies, staff the books of their organisation. Anything else is
"not found", so that an address tells nobody what exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest

from fairwatt.core.units import US_PER_DAY
from fairwatt.store.models import Book, Installation, Role, Tenancy, User, Wallet

ALL_WALLETS = "*"
LAST_BILL_US = 400 * US_PER_DAY
"""So long after moving out a person reads the account that ended with it."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The books and wallets a request may read; no wallets named means every wallet of the books."""

    books: tuple[int, ...]
    wallets: tuple[int, ...] | None = None


def now_us() -> int:
    """The instant the installation lives in: the clock handed down at start-up."""
    return int(settings.FAIRWATT_CLOCK.now_us())


@contextmanager
def seeing(*, scope: Scope) -> Iterator[None]:
    """Read the ledger as `scope` allows: one snapshot, read only, and PostgreSQL hides every other row."""
    wallets = ALL_WALLETS if scope.wallets is None else ",".join(map(str, scope.wallets))
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(
            "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', %s, true)",
            [",".join(map(str, scope.books)), wallets],
        )
        yield


def person(request: HttpRequest) -> User:
    """The signed-in person. Call it behind `login_required` only."""
    if isinstance(request.user, AnonymousUser):
        raise Http404
    return request.user


def wallets_of(*, user: User, at_us: int) -> QuerySet[Wallet]:
    """The wallets this person has an open tenancy for, or had to the end, in the order of their homes."""
    is_open = Q(start_us__lte=at_us) & (Q(end_us__isnull=True) | Q(end_us__gt=at_us))
    at_work = Installation.objects.filter(wallet=OuterRef("wallet"))
    # Who moved out with the account still reads its last bill: it is nobody else's, and nothing is added to it.
    left = (
        Q(end_us__gt=at_us - LAST_BILL_US)
        & Q(Exists(at_work.filter(closed_us=OuterRef("end_us"))))
        & ~Q(Exists(at_work.filter(closed_us__isnull=True)))
    )
    mine = Tenancy.objects.filter(is_open | left, user=user).values("wallet")
    return (
        Wallet.objects.filter(id__in=mine)
        .select_related("book", "unit__site", "policy")
        .order_by("unit__label")
    )


def resident_wallet(*, user: User, public_id: UUID, at_us: int) -> Wallet:
    """This person's wallet with that public id; Http404 when it is not theirs now."""
    found = wallets_of(user=user, at_us=at_us).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def desk_books(*, user: User) -> QuerySet[Book]:
    """The books whose console this person may open; none for residents."""
    if user.organisation_id is None or not user.is_desk:
        return Book.objects.none()
    return (
        Book.objects.filter(organisation_id=user.organisation_id)
        .select_related("organisation")
        .order_by("slug")
    )


def desk_book(*, user: User, slug: str) -> Book:
    """The book of that name; Http404 when this person is not staff of its organisation."""
    found = desk_books(user=user).filter(slug=slug).first()
    if found is None:
        raise Http404
    return found


def clerk_book(*, user: User, slug: str) -> Book:
    """The book of that name for somebody who may act at its desk; Http404 for everybody else, auditors too."""
    if not may_act(user=user):
        raise Http404
    return desk_book(user=user, slug=slug)


def may_act(*, user: User) -> bool:
    """Whether this person writes at the desk, not only looks."""
    return user.role in (Role.OPERATOR, Role.ADMIN)


def scope_of_wallet(*, wallet: Wallet) -> Scope:
    """One wallet and nothing beside it."""
    return Scope(books=(wallet.book_id,), wallets=(wallet.id,))


def scope_of_book(*, book: Book) -> Scope:
    """Every wallet of one book."""
    return Scope(books=(book.id,))

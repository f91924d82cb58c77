"""Which homes pay after use, and what one of them owes by when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection, transaction

from fairwatt.core.ids import credit_rule_key
from fairwatt.core.spans import date_start, local_date
from fairwatt.flows.desk import DeskRefused, NotAllowed, acting
from fairwatt.store import facts, postpaid
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Role, Wallet


class PostpaidRefused(DeskRefused):
    """It cannot be as asked; every home pays as it did before."""

    code = "postpaid_refused"


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a home that pays after use owes. Amounts in micro-units; ``due_us``: when it is to be paid."""

    owed_micro: int
    due_us: int
    since_us: int


@transaction.atomic(durable=True)
def set_postpaid(
    *, book_id: int, homes: Sequence[str], due_day: int, words: str, user_id: int, now_us: int
) -> list[str]:
    """Let homes pay after use: they are measured and charged as all are, and not cut for credit. Return those that are
    new. A home that changed to paying first stays so. For administrators. Raises DeskRefused.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if person.role != Role.ADMIN:
        raise NotAllowed(
            "Only an administrator says which homes pay after use. Nothing was changed; ask one of them."
        )
    if not 1 <= due_day <= 28 or not 1 <= len(words.strip()) <= 300:
        raise PostpaidRefused(
            "Give a day of the month from 1 to 28 by which they pay, and why, in at most 300 letters. "
            "Nothing was changed."
        )
    known = open_wallets(book)
    missing = sorted({label for label in homes if label not in known})
    if missing or not homes:
        raise PostpaidRefused(
            "These are no homes of this book with an account: %(homes)s. Nothing was changed; correct the list.",
            homes=", ".join(missing[:8]) or "-",
        )
    fresh, wallets = [], []
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        for label in dict.fromkeys(homes):
            if postpaid.add_postpaid(
                cursor=cursor,
                book=book.pk,
                wallet=known[label],
                due_day=due_day,
                words=words.strip(),
                author=person.pk,
                now_us=now_us,
            ):
                fresh.append(label)
                wallets.append(known[label])
        if fresh:
            note_deed(
                cursor=cursor,
                book=book.pk,
                kind="desk.postpaid_set",
                author=person.pk,
                now_us=now_us,
                evidence={"homes": len(fresh), "words": words.strip()},
            )
            _tell(cursor, book, wallets, now_us)
    return fresh


def account_of(*, one: postpaid.Postpaid, balance_micro: int, zone: str, now_us: int) -> Account | None:
    """What a home that pays after use owes, and by when; None for one that pays first."""
    if one.switched_us is not None:
        return None
    return Account(
        owed_micro=max(0, -balance_micro),
        due_us=due_after(zone=zone, due_day=one.due_day, now_us=now_us),
        since_us=one.from_us,
    )


def due_after(*, zone: str, due_day: int, now_us: int) -> int:
    """The end of the next day of the month on which what was used before is to be paid."""
    today = local_date(zone=zone, at_us=now_us)
    due = today.replace(day=due_day)
    if due < today:
        due = (today.replace(day=1) + timedelta(days=32)).replace(day=due_day)
    return date_start(zone=zone, day=due + timedelta(days=1)) - 1


def open_wallets(book: Book) -> dict[str, int]:
    """{label: wallet} of the homes of a book whose account is open."""
    found = Wallet.objects.filter(book=book, installation__closed_us__isnull=True, installation__isnull=False)
    return {label: int(pk) for pk, label in found.order_by("pk").values_list("pk", "unit__label")}


def local_midnight(*, zone: str, day: date) -> int:
    """When a local date begins."""
    return date_start(zone=zone, day=day)


def _tell(cursor: object, book: Book, wallets: Sequence[int], now_us: int) -> None:
    """The poster reads again what homes are held to, and their gateways learn it."""
    facts.add(
        cursor=cursor,
        book=book.pk,
        kind="credit_rule",
        natural_key=credit_rule_key(rule=0, step=now_us),
        wallet=None,
        payload={"rule": 0, "wallets": list(wallets)},
        raw=b"",
        now_us=now_us,
    )

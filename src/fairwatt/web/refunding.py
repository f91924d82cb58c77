"""Refunds as pages show them, to residents and at the desk: where each is, in words and whole amounts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import Q, QuerySet

from fairwatt.core.units import micro_from_minor
from fairwatt.store import refunds
from fairwatt.store.models import Book, Paid, Refund, RefundAnswer, Wallet
from fairwatt.web.design import refund_words


@dataclass(frozen=True, kw_only=True)
class RefundShown:
    """One refund as a row: amounts in micro-units."""

    row: Refund
    home: str
    unit: int
    provider: str
    our_ref: str
    state: str
    amount_micro: int
    asked_micro: int
    code: str

    @property
    def state_words(self) -> str:
        """Where it stands."""
        return str(refund_words.STATES[self.state])

    @property
    def next_words(self) -> str:
        """What comes next, for who waits for the money."""
        return str(refund_words.NEXT.get(self.state, ""))

    @property
    def way_words(self) -> str:
        """How it goes back."""
        paid_by = self.row.paid_by if self.row.paid_by in refund_words.WAYS else self.row.way
        return str(refund_words.WAYS[paid_by])

    @property
    def origin_words(self) -> str:
        """Who wanted it."""
        return str(refund_words.ORIGINS[self.row.origin])

    @property
    def less(self) -> bool:
        """Whether less goes back than was asked for."""
        return self.row.state in ("approved", "submitted", "abnormal", "succeeded") and (
            self.amount_micro < self.asked_micro
        )


def shown(*, book: Book, rows: Iterable[Refund]) -> list[RefundShown]:
    """Rows of a book, inside a scope that sees them."""
    some = list(rows)
    homes = homes_of(wallets=[row.wallet for row in some])
    paid = {one.fact: one for one in Paid.objects.filter(fact__in=[row.payment or 0 for row in some])}
    found = []
    for row in some:
        one = paid.get(row.payment or 0)
        home, unit = homes.get(row.wallet, ("", 0))
        state = refund_words.state(state=row.state, way=row.way)
        counted = row.asked_minor if row.state in ("requested", "refused", "withdrawn") else row.amount_minor
        found.append(
            RefundShown(
                row=row,
                home=home,
                unit=unit,
                provider=one.provider if one else "",
                our_ref=one.our_ref if one else "",
                state=state,
                amount_micro=micro_of(book=book, minor=counted),
                asked_micro=micro_of(book=book, minor=row.asked_minor),
                code=str(refund_words.CODES.get(row.code, row.code)) if row.code else "",
            )
        )
    return found


AT_WINDOW: Final = Q(state="abnormal") | Q(state="submitted", way="window")


def stuck(*, book: Book) -> dict[int, str]:
    """{refund whose provider's last word was refused here: why, and what to do next}."""
    with connection.cursor() as cursor:
        found = refunds.refused_words(cursor=cursor, book=book.pk)
    return {refund: refund_words.refused(code=code) for refund, code in found.items()}


def unconfirmed(*, book: Book) -> QuerySet[Refund]:
    """Refunds of a book that one person paid out and nobody confirmed, also where the provider paid meanwhile."""
    answers = RefundAnswer.objects.filter(book=book.pk)
    seen = answers.filter(answer="confirm").values("refund")
    paid = answers.filter(answer="paid_out").exclude(refund__in=seen).values("refund")
    return Refund.objects.filter(
        AT_WINDOW | Q(state="succeeded", paid_by="source"), book=book.pk, pk__in=paid
    )


def homes_of(*, wallets: Iterable[int]) -> dict[int, tuple[str, int]]:
    """{wallet: (label of its home, unit)}."""
    rows = Wallet.objects.filter(pk__in=list(wallets)).values_list("pk", "unit__label", "unit_id")
    return {pk: (label, unit) for pk, label, unit in rows}


def micro_of(*, book: Book, minor: int) -> int:
    """Minor units of a book's currency in micro-units."""
    return micro_from_minor(amount_minor=minor, minor_digits=book.minor_digits)

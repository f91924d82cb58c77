"""What the pages of the cash desk show, read as one snapshot of the book."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from fairwatt.core.units import micro_from_minor
from fairwatt.store import cash_desk, money_wishes
from fairwatt.store.cash_desk import CashDesk, Receipt, Shift, Taking
from fairwatt.store.models import Book, User, Wallet
from fairwatt.store.money_wishes import Void, Wish
from fairwatt.web.access import scope_of_book, seeing

TAKINGS_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class Drawer:
    """A cashier's own desk now."""

    book: Book
    shift: Shift | None
    newest: list[Taking]
    desks: list[CashDesk]
    busy: frozenset[int]
    """desks with an open shift of somebody"""

    def receipt(self, *, number: int) -> Receipt | None:
        """The receipt of that number."""
        with seeing(scope=scope_of_book(book=self.book)), connection.cursor() as cursor:
            return cash_desk.receipt_of(cursor=cursor, book=self.book.pk, number=number)


@dataclass(frozen=True, kw_only=True)
class ShownShift:
    """A shift with its takings; amounts in micro-units."""

    shift: Shift
    takings: list[tuple[Taking, int]]
    float_micro: int
    cash_micro: int
    card_micro: int
    out_micro: int
    expected_micro: int
    counted_micro: int
    over_micro: int
    slips_micro: int
    slips_off_micro: int


@dataclass(frozen=True, kw_only=True)
class ShownWish:
    """A wish with the words it needs: whose home, who asked, who answered."""

    wish: Wish
    home: str
    asked_by: str
    answered_by: str
    amount_micro: int


def drawer_of(*, book: Book, cashier: int) -> Drawer:
    """The desk as its cashier sees it: without a total, which the count must not know."""
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        shift = cash_desk.open_shift_of(cursor=cursor, book=book.pk, cashier=cashier)
        newest = (
            cash_desk.takings_of(cursor=cursor, book=book.pk, shift=shift.shift, limit=TAKINGS_SHOWN)
            if shift
            else []
        )
        return Drawer(
            book=book,
            shift=shift,
            newest=newest,
            desks=cash_desk.desks(cursor=cursor, book=book.pk),
            busy=frozenset(one.desk for one in cash_desk.open_shifts(cursor=cursor, book=book.pk)),
        )


def shifts_shown(*, book: Book) -> list[ShownShift]:
    """The newest shifts, without their takings."""
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        return [_shown(book, one, []) for one in cash_desk.shifts(cursor=cursor, book=book.pk)]


def shift_shown(*, book: Book, shift_id: int) -> ShownShift | None:
    """One shift with its takings."""
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        shift = cash_desk.shift_of(cursor=cursor, book=book.pk, shift=shift_id)
        if shift is None:
            return None
        return _shown(book, shift, cash_desk.takings_of(cursor=cursor, book=book.pk, shift=shift_id))


def hand_outs(*, book: Book) -> list[tuple[Void, str]]:
    """Cash that is owed since a payment was taken back, with its home."""
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        found = money_wishes.to_hand_out(cursor=cursor, book=book.pk)
        labels = _labels({one.wallet for one in found})
    return [(one, labels.get(one.wallet, "")) for one in found]


def receipts_shown(*, book: Book, below: int | None, limit: int) -> list[tuple[Receipt, str]]:
    """Receipts of the book with their homes, newest first."""
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        found = cash_desk.receipts(cursor=cursor, book=book.pk, below=below, limit=limit)
        labels = _labels({one.wallet for one in found})
    return [(one, labels.get(one.wallet, "")) for one in found]


def wishes_shown(*, book: Book, waiting: bool) -> list[ShownWish]:
    """Wishes that wait for a second person, or the newest that had one."""
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        found = money_wishes.wishes(cursor=cursor, book=book.pk, waiting=waiting)
    labels = _labels({one.wallet for one in found if one.wallet})
    people = {one.author for one in found} | {one.step_author for one in found}
    names = dict(User.objects.filter(pk__in=people).values_list("pk", "username"))
    return [
        ShownWish(
            wish=one,
            home=labels.get(one.wallet or 0, ""),
            asked_by=names.get(one.author, ""),
            answered_by=names.get(one.step_author, ""),
            amount_micro=micro_from_minor(amount_minor=one.amount_minor, minor_digits=book.minor_digits),
        )
        for one in found
    ]


def suspense_shown(*, book: Book) -> list[tuple[money_wishes.Waiting, int]]:
    """Money that nobody claimed, with its amount in micro-units."""
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        found = money_wishes.in_suspense(cursor=cursor, book=book.pk, currency=book.currency)
    return [
        (one, micro_from_minor(amount_minor=one.amount_minor, minor_digits=book.minor_digits))
        for one in found
    ]


def _shown(book: Book, shift: Shift, takings: list[Taking]) -> ShownShift:
    def micro(minor: int) -> int:
        return micro_from_minor(amount_minor=minor, minor_digits=book.minor_digits)

    slips = shift.slips_minor or 0
    return ShownShift(
        shift=shift,
        takings=[(one, micro(one.amount_minor)) for one in takings],
        float_micro=micro(shift.float_minor),
        cash_micro=micro(shift.cash_minor),
        card_micro=micro(shift.card_minor),
        out_micro=micro(shift.out_minor),
        expected_micro=micro(shift.expected_minor),
        counted_micro=micro(shift.counted_minor or 0),
        over_micro=micro(shift.over_minor or 0),
        slips_micro=micro(slips),
        slips_off_micro=micro(slips - shift.card_minor),
    )


def _labels(wallets: set[int]) -> dict[int, str]:
    return dict(Wallet.objects.filter(pk__in=wallets).values_list("pk", "unit__label"))

"""Who sits at the window of a simulated street, and how each kind of payment begins: through the flow of its page."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fairwatt.core.account_numbers import account_number
from fairwatt.core.spans import local_date
from fairwatt.server.wiring import database_role

if TYPE_CHECKING:
    from fairwatt.store.models import Book, User

WINDOW: Final = "Window"
_OPENS_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Desk:
    """A window with an open shift, and the two people whose word a transfer takes."""

    book: Book
    cashier: User
    clerk: User
    manager: User

    def begin(
        self, *, provider: str, method: str, payer: str, wallet: int, amount_minor: int, now_us: int
    ) -> str:
        """Begin a payment in one way; return our reference of it. Cash and transfers are paid with it."""
        match provider, method:
            case "cash", _:
                return self._cash(wallet, amount_minor, now_us)
            case "transfer", _:
                return self._transfer(wallet, amount_minor, now_us)
            case _, "scan":
                return self._scan(payer, wallet, amount_minor, now_us)
        from fairwatt.flows.start_top_up import Payer, start_top_up

        return start_top_up(
            wallet_id=wallet,
            amount_minor=amount_minor,
            provider="",
            user_id=None,
            now_us=now_us,
            offer=self._offer(provider, method),
            payer=Payer(payer=payer if method in ("jsapi", "push") else ""),
        ).our_ref

    def _offer(self, provider: str, method: str) -> Any:
        from fairwatt.flows.merchants import offers

        return next(one for one in offers(book=self.book) if (one.provider, one.method) == (provider, method))

    def _scan(self, code: str, wallet: int, amount_minor: int, now_us: int) -> str:
        from fairwatt.flows.scan_desk import Scanned, scan_code

        scanned = Scanned(
            wallet_id=wallet, amount_minor=amount_minor, code=code, ticket=secrets.token_hex(16)
        )
        return scan_code(book_id=self.book.pk, scanned=scanned, user_id=self.cashier.pk, now_us=now_us)

    def _cash(self, wallet: int, amount_minor: int, now_us: int) -> str:
        from fairwatt.flows.cash_desk import Taken, take_money

        form = secrets.token_hex(16)
        taken = Taken(wallet_id=wallet, tender="cash", amount_minor=amount_minor, ticket=form)
        take_money(book_id=self.book.pk, taken=taken, user_id=self.cashier.pk, now_us=now_us)
        return form

    def _transfer(self, wallet: int, amount_minor: int, now_us: int) -> str:
        from django.db import connection

        from fairwatt.flows.bank_statement import enter_all
        from fairwatt.flows.two_people import answer_wish
        from fairwatt.store import money_wishes
        from fairwatt.web.access import scope_of_book, seeing

        day = local_date(zone=self.book.zone, at_us=now_us)
        row = {
            "date": day.isoformat(),
            "amount": f"{amount_minor // 100}.{amount_minor % 100:02d}",
            "bank_ref": secrets.token_hex(8),
            "text": f"Electricity {account_number(wallet=wallet)}",
            "payer": "A resident",
        }
        about = {"book_id": self.book.pk, "now_us": now_us}
        (wish,) = enter_all(rows=[row], user_id=self.clerk.pk, entropy=os.urandom(16), **about)
        answer_wish(wish_id=wish, step="approve", words="", user_id=self.manager.pk, **about)
        with seeing(scope=scope_of_book(book=self.book)), connection.cursor() as cursor:
            known = money_wishes.wish_of(cursor=cursor, book=self.book.pk, wish=wish)
        assert known is not None
        return str(known.details["our_ref"])


def open_desk(*, book: int, now_us: int) -> Desk:
    """People of the desk, made where there are none, and an open shift of one of them."""
    from fairwatt.store.models import Book, Role

    owner = Book.objects.select_related("organisation").get(pk=book)
    with database_role("migrate"):
        cashier, clerk = _person(owner, Role.OPERATOR, "cashier"), _person(owner, Role.OPERATOR, "desk")
        manager = _person(owner, Role.ADMIN, "manager")
        if not _open_shift(owner, cashier):
            _set_up(owner, now_us)
    if not _open_shift(owner, cashier):
        _begin_shift(owner, cashier, now_us)
    return Desk(owner, cashier, clerk, manager)


def _person(book: Book, role: str, name: str) -> User:
    from fairwatt.store.models import User

    known = User.objects.filter(organisation=book.organisation, username=name).first()
    return known or User.objects.create_user(name, None, None, organisation=book.organisation, role=role)


def _set_up(book: Book, now_us: int) -> None:
    from fairwatt.flows.provision import set_cash_desk

    set_cash_desk(
        book_id=book.pk, name=WINDOW, taking_most_minor=500_00, day_most_minor=10_000_00, now_us=now_us
    )


def _open_shift(book: Book, cashier: User) -> bool:
    from django.db import connection

    from fairwatt.store import cash_desk
    from fairwatt.web.access import scope_of_book, seeing

    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        return cash_desk.open_shift_of(cursor=cursor, book=book.pk, cashier=cashier.pk) is not None


def _begin_shift(book: Book, cashier: User, now_us: int) -> None:
    from django.db import connection

    from fairwatt.flows.cash_desk import open_shift
    from fairwatt.store import cash_desk
    from fairwatt.web.access import scope_of_book, seeing

    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        at = {one.name: one.desk for one in cash_desk.desks(cursor=cursor, book=book.pk)}
    open_shift(
        book_id=book.pk,
        desk_id=at[WINDOW],
        float_minor=100_00,
        user_id=cashier.pk,
        ticket=secrets.token_hex(16),
        now_us=now_us,
    )
    until_s = time.monotonic() + _OPENS_S
    while not _open_shift(book, cashier):
        if time.monotonic() > until_s:
            raise TimeoutError("the poster opened no shift at the window")
        time.sleep(0.01)

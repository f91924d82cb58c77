"""A cash desk of a street: its people, its drawer, and what they do there as the web writes it down."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from support.desk import Desk
from support.house import as_role
from support.moves import clerk_of
from support.street import HOUR_US, NOON_US

_tickets = itertools.count(1)


def ticket() -> str:
    """The secret of one form."""
    return f"{next(_tickets):032x}"


def person_of(desk: Desk, name: str, role: str) -> Any:
    """Somebody more at the desk of the street's organisation."""
    from fairwatt.store.models import User

    with as_role("migrate"):
        name = f"{name}-{desk.street.site.book.slug}"
        found = User.objects.filter(username=name).first()
        return found or User.objects.create_user(
            name, None, "x", organisation=desk.street.site.book.organisation, role=role
        )


@dataclass
class Drawer:
    """One cash desk and who works there. Time goes on with every deed."""

    desk: Desk
    now_us: int = NOON_US + HOUR_US
    name: str = "Lobby"
    most_minor: int = 500_00
    day_minor: int = 2_000_00
    cashier: Any = None
    manager: Any = None
    at: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        from fairwatt.flows import provision

        self.cashier = self.cashier or clerk_of(self.desk)
        self.manager = self.manager or clerk_of(self.desk, "admin")
        with as_role("migrate"):
            provision.set_cash_desk(
                book_id=self.book,
                name=self.name,
                taking_most_minor=self.most_minor,
                day_most_minor=self.day_minor,
                now_us=self.now_us,
            )
        self.at = next(one.desk for one in self.read("desks") if one.name == self.name)

    @property
    def book(self) -> int:
        return int(self.desk.street.book)

    def read(self, what: str, **about: Any) -> Any:
        """A question of store.cash_desk or store.money_wishes, as the poster sees the book."""
        from django.db import connection

        from fairwatt.store import cash_desk, money_wishes

        with connection.cursor() as cursor:
            asked = getattr(cash_desk, what, None) or getattr(money_wishes, what)
            return asked(cursor=cursor, book=self.book, **about)

    def post(self) -> None:
        """The poster's turn, a second later."""
        self.now_us += 1_000_000
        self.desk.post(now_us=self.now_us)

    def answer(self, fact: int) -> Any:
        """Let the poster answer and say what it said."""
        self.post()
        return self.desk.fact(fact)

    def open(self, float_minor: int = 100_00, *, who: Any = None) -> int:
        """A shift; it is open when this returns."""
        from fairwatt.flows.cash_desk import open_shift

        with as_role("web"):
            fact = open_shift(
                book_id=self.book,
                desk_id=self.at,
                float_minor=float_minor,
                user_id=(who or self.cashier).pk,
                ticket=ticket(),
                now_us=self.now_us,
            )
        assert self.answer(fact).state == "posted", self.desk.fact(fact).result
        return fact

    def take(self, amount_minor: int, *, home: int = 0, who: Any = None, **more: Any) -> int:
        """Take money for the n-th home; the poster has not seen it yet. Return the fact."""
        with as_role("web"):
            return self.take_here(amount_minor, home=home, who=who, **more)

    def take_here(self, amount_minor: int, *, home: int = 0, who: Any = None, **more: Any) -> int:
        """The same under the role this thread has."""
        from fairwatt.flows.cash_desk import Taken, take_money

        about = {"tender": "cash", "ticket": ticket(), "wallet_id": self.desk.street.wallets[home], **more}
        return take_money(
            book_id=self.book,
            taken=Taken(amount_minor=amount_minor, **about),
            user_id=(who or self.cashier).pk,
            now_us=self.now_us,
        )

    def count(self, shift: int, counted_minor: int, *, slips_minor: int = 0, who: Any = None) -> Any:
        """Close a shift by its count; the poster's answer."""
        from fairwatt.flows.cash_desk import end_shift

        with as_role("web"):
            fact = end_shift(
                book_id=self.book,
                shift_id=shift,
                counted_minor=counted_minor,
                slips_minor=slips_minor,
                user_id=(who or self.cashier).pk,
                now_us=self.now_us,
            )
        return self.answer(fact)

    def void(self, number: int, amount_minor: int, way: str = "paid_back") -> int:
        """The cashier asks to take a payment back; return the wish."""
        from fairwatt.flows.two_people import VoidAsked, ask_void

        with as_role("web"):
            return ask_void(
                book_id=self.book,
                asked=VoidAsked(
                    number=number, amount_minor=amount_minor, way=way, words="the wrong home", ticket=ticket()
                ),
                user_id=self.cashier.pk,
                now_us=self.now_us,
            )

    def agree(self, wish: int, *, who: Any = None, step: str = "approve") -> int | None:
        """Another person answers a wish; the poster has not seen it yet."""
        from fairwatt.flows.two_people import answer_wish

        with as_role("web"):
            return answer_wish(
                book_id=self.book,
                wish_id=wish,
                step=step,
                words="",
                user_id=(who or self.manager).pk,
                now_us=self.now_us,
            )

    def journal(self, account: str) -> int:
        """What stands on an account, in micro-units."""
        from fairwatt.store.models import Journal

        legs = Journal.objects.filter(book=self.book, account=account)
        return sum(legs.values_list("amount_micro", flat=True))

"""Money on its way back, by hand: what the desk asks and answers, what gateways give back, what providers say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from fairwatt.wire.commands import Receipt, Result, hash8
from fairwatt.wire.frames import Kind
from fairwatt.wire.records import pack_readings
from support.house import as_role
from support.moves import clerk_of
from support.street import reading
from support.till import Till

SECOND_US = 1_000_000
WH_US = 360_000
"""A watt-hour at ten kilowatts."""


def person(desk: Any, role: str, name: str) -> Any:
    """One more person at the desk of the street's organisation."""
    from fairwatt.store.models import User

    organisation = desk.street.site.book.organisation
    with as_role("migrate"):
        return User.objects.create_user(
            f"{name}-{desk.street.site.book.slug}", None, "x", organisation=organisation, role=role
        )


@dataclass
class Office:
    """Two people of the desk, the gateway of a home, and the clock of the poster's process."""

    till: Till
    asker: Any = None
    approver: Any = None
    used_wh: int = 0
    taken: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.asker = clerk_of(self.till.desk)
        self.approver = clerk_of(self.till.desk, "admin")

    @property
    def desk(self) -> Any:
        return self.till.desk

    @property
    def book(self) -> Any:
        from fairwatt.store.models import Book

        return Book.objects.get(pk=self.desk.street.book)

    def paid(self, amount_minor: int = 1000) -> str:
        """A payment that was credited."""
        ref, order = self.till.made(amount_minor)
        self.till.world.pay(order)
        self.till.settle(ref)
        assert self.till.intent(ref).state == "credited"
        return ref

    def flush(self) -> None:
        """The caches follow, which pages and the calendar read."""
        from fairwatt.flows.posting.flushing import CacheFlusher

        flusher = CacheFlusher(state=self.desk.state)
        flusher.catch_up()
        flusher.flush(state=self.desk.state)

    def look(self, **asked: Any) -> Any:
        """What the page shows before anything is asked."""
        from fairwatt.flows.ask_refund import look_at_refund
        from fairwatt.store.models import Wallet

        self.flush()
        with as_role("web"):
            wallet = Wallet.objects.select_related("book").get(pk=self.desk.street.wallets[0])
            return look_at_refund(wallet=wallet, now_us=self.till.clock.us, **asked)

    def ask(self, amount_minor: int, *, way: str = "source", payment: int | None = None) -> list[int]:
        """The desk asks."""
        from fairwatt.flows.ask_refund import ask_refund

        self.flush()
        with as_role("web"):
            return ask_refund(
                book=self.book,
                wallet_id=self.desk.street.wallets[0],
                user_id=self.asker.pk,
                amount_minor=amount_minor,
                way=way,
                reason="asked for at the desk",
                now_us=self.till.clock.us,
                payment=payment,
            )

    def answer(self, refund: int, answer: str, who: Any = None) -> None:
        """Somebody answers."""
        from fairwatt.flows.ask_refund import answer_refund

        with as_role("web"):
            answer_refund(
                book=self.book,
                refund_id=refund,
                user_id=(who or self.approver).pk,
                answer=answer,
                now_us=self.till.clock.us,
            )

    def agreed(self, amount_minor: int, **asked: Any) -> int:
        """A refund that was asked for and agreed to: the money has left the wallet."""
        (refund,) = self.ask(amount_minor, **asked)
        self.answer(refund, "approve")
        self.till.post()
        return refund

    def bounced(self) -> int:
        """A refund of 4.00 that the provider could not pay."""
        self.paid()
        self.till.world.faults.set(refund_abnormal=True)
        try:
            refund = self.agreed(400)
            self.recall()
            for _ in range(3):
                self.go(after_s=3)
        finally:
            self.till.world.faults.set(refund_abnormal=False)
        assert self.row(refund).state == "abnormal"
        return refund

    def becomes(self, state: Literal["done", "closed", "abnormal"]) -> None:
        """The provider says how it ended there, when it is asked; nothing is posted yet."""
        (payment,) = self.till.world.books.payments(self.till.shop)
        (refund,) = payment.refunds
        refund.state = state
        self.till.world.books.heard(refund)
        self.till.deliver_due()
        self.till.ask(after_s=3)

    def use(self, wh: int) -> None:
        """The home uses so much, and its meter says so."""
        self.used_wh += wh
        self.till.clock.us += SECOND_US + wh * WH_US
        meter, at_us = self.desk.street.homes[0], self.till.clock.us
        self.desk.post(self.desk.street.readings(reading(meter, at_us, self.used_wh)), now_us=at_us)

    def recall(self, *, wh: int = 0, read: bool = True) -> None:
        """The gateway takes what it was sent, and its meter is read after that; then the calendar is looked at."""
        self.till.clock.us += SECOND_US + wh * WH_US
        at_us, street = self.till.clock.us, self.desk.street
        orders = [one for one in self.desk.orders() if one.state == "queued" and one.id not in self.taken]
        items = []
        for order in orders:
            self.taken.add(order.id)
            receipt = Receipt(
                order.meter, order.seq, Result.APPLIED, 1, None, at_us, hash8(bytes(order.payload))
            )
            items.append((int(Kind.RECEIPT), street.signed(receipt)))
        if read:
            self.used_wh += wh
            items.append((int(Kind.READINGS), pack_readings([reading(street.homes[0], at_us, self.used_wh)])))
        if items:
            self.desk.post(street.frame(*items, clock_us=at_us), now_us=at_us)
        self.calendar()

    def calendar(self) -> int:
        """What the poster's process raises by itself."""
        from fairwatt.flows.raise_due import raise_due

        self.flush()
        raised = raise_due(book_id=self.desk.street.book, now_us=self.till.clock.us)
        self.till.post()
        return raised

    def go(self, *, after_s: int = 0) -> None:
        """The collector asks, and the poster hears of it."""
        self.till.ask(after_s=after_s)
        self.till.post()

    def row(self, refund: int) -> Any:
        """A refund as it stands."""
        from fairwatt.store.models import Refund

        return Refund.objects.get(pk=refund)

    def states(self) -> list[str]:
        """States of all refunds, oldest first."""
        from fairwatt.store.models import Refund

        rows = Refund.objects.filter(book=self.desk.street.book).order_by("pk")
        return list(rows.values_list("state", flat=True))

    def account(self, name: str) -> int:
        """What an account of the journal holds, in micro-units."""
        from fairwatt.store.models import Journal

        legs = Journal.objects.filter(book=self.desk.street.book, account=name)
        return sum(legs.values_list("amount_micro", flat=True))

    def agree(self) -> None:
        """Wallet, liability, debts to providers and the providers' own truth agree, to the micro-unit."""
        truth = self.till.world.books.truth()
        mine = [one for one in truth if one["shop"] == self.till.shop.number]
        paid = sum(one["paid_minor"] for one in mine) * 10_000
        gone = sum(one["refunded_minor"] for one in mine) * 10_000
        lost = sum(one["paid_minor"] for one in mine if one["charged_back"]) * 10_000
        assert self.account(f"clearing:{self.till.dialect}") == -(paid - gone - lost)
        assert self.account("wallet") == self.till.balance()

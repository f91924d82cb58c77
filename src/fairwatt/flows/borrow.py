"""A resident takes emergency credit, or it is taken for him; the poster lends it, and judges every condition anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.credit.owing import Split, least_to_restore, split_top_up
from fairwatt.core.credit.terms import Merged
from fairwatt.core.ids import emergency_key
from fairwatt.core.refusal import Refusal
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.lending import week_start
from fairwatt.flows.tonight import held_now
from fairwatt.store import credit_entries, facts
from fairwatt.store.credit_entries import NOTHING, Owing
from fairwatt.store.models import Book, Tenancy, Wallet

KIND: Final = "emergency"
_STANDS: Final = """
SELECT coalesce((SELECT balance_micro FROM wallet_head WHERE wallet = %s), 0),
       EXISTS (SELECT 1 FROM fact WHERE book = %s AND wallet = %s AND kind = %s AND state = 'waiting')
"""


class BorrowRefused(Refusal):
    """No emergency credit can be taken now; nothing was lent."""


@dataclass(frozen=True, kw_only=True)
class CreditDesk:
    """What a home is offered and owes: for its page, before anything is paid or taken."""

    wallet: Wallet
    available_micro: int
    held: Merged | None
    owing: Owing
    now_us: int
    asked: bool
    """emergency credit is asked for, and not answered yet"""

    @property
    def minor_micro(self) -> int:
        """The smallest unit of the currency."""
        return micro_from_minor(amount_minor=1, minor_digits=self.wallet.book.minor_digits)

    @property
    def offered_micro(self) -> int:
        """The emergency credit that may be taken now; 0 for none."""
        lent = None if self.held is None else self.held.emergency_at(at_us=self.now_us)
        if lent is None or self.owing.emergency_micro > 0:
            return 0
        return lent.amount_micro if self.available_micro < max(1, lent.offered_below_micro) else 0

    @property
    def owes(self) -> bool:
        """Whether a top-up is split before it is credit."""
        return bool(self.owing.emergency_micro or self.owing.debts)

    @property
    def debt_micro(self) -> int:
        """What all debts come to."""
        return sum(one.owed_micro for one in self.owing.debts)

    @property
    def least_minor(self) -> int:
        """The least payment that brings power back: repaid, recovered, and above zero; 0 where there is credit."""
        least = least_to_restore(
            available_micro=self.available_micro,
            emergency_owed_micro=self.owing.emergency_micro,
            debts=self.owing.debts,
            minor_micro=self.minor_micro,
        )
        floor = 0 if self.held is None else -(-self.held.least_micro // self.minor_micro)
        return 0 if not least else max(least, floor)

    def split(self, *, minor: int) -> Split:
        """Where a payment would go."""
        return split_top_up(
            paid_micro=minor * self.minor_micro,
            emergency_owed_micro=self.owing.emergency_micro,
            debts=self.owing.debts,
        )


def credit_desk(*, wallet: Wallet, now_us: int) -> CreditDesk:
    """What a home is offered and owes now. Reads; the transaction names the home alone."""
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        _see(cursor, wallet)
        return _desk(cursor, wallet, now_us)


@transaction.atomic(durable=True)
def take_emergency(*, wallet_id: int, user_id: int, now_us: int) -> int:
    """Ask for emergency credit, as somebody who lives there; return the fact that asks. Raises BorrowRefused."""
    wallet = Wallet.objects.select_related("book").get(pk=wallet_id)
    mine = Tenancy.objects.filter(wallet=wallet, user_id=user_id, start_us__lte=now_us)
    if not mine.exclude(end_us__lte=now_us).exists():
        raise BorrowRefused("Only who lives here takes emergency credit for this home. Nothing was lent.")
    if not mine.exclude(end_us__lte=now_us).filter(role=Tenancy.Part.OWNER).exists():
        raise BorrowRefused("Only an owner of the home borrows for it. Nothing was lent; ask one of them.")
    with connection.cursor() as cursor:
        _see(cursor, wallet)
        desk = _desk(cursor, wallet, now_us)
        if not desk.offered_micro:
            raise BorrowRefused(
                "No emergency credit is offered to this home now: it is for when credit is nearly gone, and once "
                "until it is repaid. Nothing was lent."
            )
        fact, _ = ask_for(
            cursor=cursor,
            book=wallet.book_id,
            wallet=wallet.pk,
            after=desk.owing.newest,
            author=user_id,
            now_us=now_us,
        )
    return fact


def ask_for(
    *, cursor: Any, book: int, wallet: int, after: int, author: int | None, now_us: int
) -> tuple[int, bool]:
    """Write the fact that asks for emergency credit; asked twice it is the same fact. Return it, and if it is new."""
    key = emergency_key(wallet=wallet, after=after)
    if _refused(cursor, book, key):
        key = facts.fresh_key(cursor=cursor, book=book, kind=KIND, key=key)
    return facts.add(
        cursor=cursor,
        book=book,
        kind=KIND,
        natural_key=key,
        wallet=wallet,
        payload={"wallet": wallet, "author": author},
        raw=b"",
        now_us=now_us,
    )


def _refused(cursor: Any, book: int, key: str) -> bool:
    cursor.execute(
        "SELECT bool_and(state = 'refused') FROM fact WHERE book = %s AND kind = %s AND "
        "(natural_key = %s OR starts_with(natural_key, %s) OR starts_with(natural_key, %s))",
        [book, KIND, key, f"{key}:after:", f"{key}#"],
    )
    return bool(cursor.fetchone()[0])


def _desk(cursor: Any, wallet: Wallet, now_us: int) -> CreditDesk:
    book: Book = wallet.book
    held = held_now(cursor=cursor, book=book, now_us=now_us, wallet=wallet.pk).homes.get(wallet.pk)
    owing = credit_entries.owing(
        cursor=cursor,
        book=book.pk,
        week_us=week_start(zone=book.zone, at_us=now_us),
        now_us=now_us,
        wallets=[wallet.pk],
    ).get(wallet.pk, NOTHING)
    cursor.execute(_STANDS, [wallet.pk, book.pk, wallet.pk, KIND])
    available_micro, asked = cursor.fetchone()
    return CreditDesk(
        wallet=wallet,
        available_micro=int(available_micro),
        held=held,
        owing=owing,
        now_us=now_us,
        asked=bool(asked),
    )


def _see(cursor: Any, wallet: Wallet) -> None:
    cursor.execute(
        "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', %s, true)",
        [str(wallet.book_id), str(wallet.pk)],
    )

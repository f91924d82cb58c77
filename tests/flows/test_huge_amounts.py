"""No amount that is typed at the desk stops the book, however many nines it has."""

from __future__ import annotations

from typing import Any

import pytest

from support.cash import Drawer, ticket
from support.desk import Desk
from support.house import as_role

HUGE = 999_999_999_999_999
"""As many digits as a field takes; in micro-units it is past 64 bits."""


@pytest.fixture
def drawer(desk: Desk) -> Drawer:
    desk.home()
    return Drawer(desk)


def goes_on(drawer: Drawer) -> None:
    """The poster takes the next payment as ever."""
    assert drawer.answer(drawer.take(5_00)).state == "posted"


def test_a_count_past_all_sums_is_refused(drawer: Drawer) -> None:
    from fairwatt.flows.cash_desk import CannotTake

    shift = drawer.open(100_00)
    for about in ({"counted_minor": HUGE}, {"counted_minor": 0, "slips_minor": HUGE}):
        with pytest.raises(CannotTake):
            drawer.count(shift, **about)
    goes_on(drawer)
    assert drawer.count(shift, 105_00).result["over_minor"] == 0


def test_a_float_past_all_sums_is_refused(drawer: Drawer) -> None:
    from fairwatt.flows.cash_desk import CannotTake

    with pytest.raises(CannotTake):
        drawer.open(HUGE)
    drawer.open(0)
    goes_on(drawer)


def test_a_deposit_past_all_sums_is_refused(drawer: Drawer) -> None:
    from fairwatt.flows.keep_deposit import DepositAsked, DepositImpossible, declare_deposit

    def declared(amount_minor: int) -> int:
        asked = DepositAsked(
            wallet_id=drawer.desk.street.wallets[0],
            amount_minor=amount_minor,
            words="from the earlier system",
            ticket=ticket(),
        )
        with as_role("web"):
            return declare_deposit(
                book_id=drawer.book, asked=asked, user_id=drawer.cashier.pk, now_us=drawer.now_us
            )

    with pytest.raises(DepositImpossible):
        drawer.agree(declared(HUGE))
        drawer.post()
    fact = drawer.agree(declared(50_00))
    assert fact is not None and drawer.answer(fact).state == "posted"
    drawer.open(0)
    goes_on(drawer)


def test_a_broken_into_page_that_writes_such_facts_stops_nothing(drawer: Drawer) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts

    shift = drawer.open(0)

    def forged(kind: str, payload: dict[str, Any]) -> int:
        with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
            fact, _ = facts.add(
                cursor=cursor,
                book=drawer.book,
                kind=kind,
                natural_key=f"forged:{ticket()}",
                wallet=None,
                payload=payload,
                raw=b"",
                now_us=drawer.now_us,
            )
        return fact

    who = drawer.cashier.pk
    for counted in (HUGE, 10**18, 10**30):
        about = {"shift": shift, "author": who, "counted_minor": counted, "slips_minor": 0}
        assert drawer.answer(forged("shift_end", about)).state == "refused"
        about = {"desk": drawer.at, "cashier": who, "float_minor": counted}
        assert drawer.answer(forged("shift", about)).state == "refused"
    goes_on(drawer)

"""A closed month is what it was, whatever comes later; what is entered wrongly is entered again."""

from __future__ import annotations

import io
from typing import Any

import pytest

from reports.conftest import at, live
from support.desk import opened_desk
from support.house import as_role
from support.street import Street, reading


@pytest.fixture
def kept(house: Any) -> Any:
    """A street of two months, an administrator, a clerk, and the poster at its desk."""
    from fairwatt.store.models import Book, User

    street = Street(opened_us=at(7, 1, 22))
    homes = [street.open_home() for _ in range(3)]
    with as_role("migrate"):
        organisation = Book.objects.get(pk=street.book).organisation
        street.admin, street.clerk = (  # type: ignore[attr-defined]
            User.objects.create_user(f"{role}-{street.book}", None, "x", organisation=organisation, role=role)
            for role in ("admin", "operator")
        )
    with opened_desk(street) as desk:
        live(desk, homes)
        yield desk


def close(desk: Any, month: str, *, now_us: int = at(9, 3), user: Any = None) -> Any:
    from fairwatt.flows.keep_books import close_month
    from fairwatt.reports.making import pack_of_month
    from fairwatt.store.models import Book

    with as_role("web"):
        book = Book.objects.get(pk=desk.street.book)
        pack = pack_of_month(book=book, month=month, now_us=now_us)
        return close_month(
            book_id=book.pk,
            month=month,
            first_batch=pack.first_batch,
            last_batch=pack.last_batch,
            as_of_batch=pack.as_of_batch,
            digest=pack.digest,
            user_id=(user or desk.street.admin).pk,
            now_us=now_us,
        )


def pack(closed: Any) -> bytes:
    from fairwatt.reports.document import opened
    from fairwatt.reports.forms import FORMS
    from fairwatt.reports.making import ask_as_closed
    from fairwatt.reports.registry import REPORTS

    out = io.BytesIO()
    with (
        as_role("web"),
        opened(report=REPORTS["month-end"], ask=ask_as_closed(close=closed, now_us=at(9, 20))) as document,
    ):
        FORMS["json"].write(document, out)
        assert document.digest() == closed.digest
    return out.getvalue()


def trust(desk: Any, **changes: Any) -> Any:
    from fairwatt.flows.keep_books import enter_trust_statement

    entered = {
        "book_id": desk.street.book,
        "account": "Client money 12",
        "at_us": at(8, 31),
        "balance_micro": 90_000_000,
        "reference": "8/2013",
        "user_id": desk.street.clerk.pk,
        "now_us": at(9, 3),
    }
    with as_role("web"):
        return enter_trust_statement(**{**entered, **changes})


def test_a_closed_month_stays_byte_for_byte_whatever_comes_later(kept: Any) -> None:
    close(kept, "2013-07")
    closed = close(kept, "2013-08")
    before = pack(closed)
    late = at(7, 1, 22) + 40 * 86_400_000_000 + 5_000_000
    kept.post(kept.street.readings(reading(kept.street.homes[1], late, 0)), now_us=at(9, 4))
    kept.pay(kept.street.homes[0], 7_00, now_us=at(9, 5))
    kept.post(now_us=at(9, 5))
    trust(kept, now_us=at(9, 6))
    assert pack(closed) == before


def test_what_a_slow_clock_posts_into_a_closed_month_counts_in_the_open_one(kept: Any) -> None:
    from fairwatt.reports.asking import Ask
    from fairwatt.reports.document import digest_of
    from fairwatt.reports.registry import REPORTS

    close(kept, "2013-07")
    closed = close(kept, "2013-08")
    kept.pay(kept.street.homes[0], 7_00, now_us=at(9, 5))
    kept.post(now_us=at(8, 20))
    ask = Ask(
        book=kept.street.book,
        wallet=kept.street.wallets[0],
        start_us=closed.end_us,
        end_us=at(10, 1),
        now_us=at(9, 20),
    )
    with as_role("web"):
        _, asked = digest_of(report=REPORTS["statement"], ask=ask)
    assert asked.opening == closed.last_batch and asked.closing == kept.state.last_batch


def test_months_close_in_order_once_over_and_by_an_administrator(kept: Any) -> None:
    from fairwatt.flows.keep_books import CannotClose, EntryRefused

    july = close(kept, "2013-07")
    assert close(kept, "2013-07").pk == july.pk, "twice is once"
    with pytest.raises(EntryRefused, match="may not"):
        close(kept, "2013-08", user=kept.street.clerk)
    with pytest.raises(CannotClose, match="not over"):
        close(kept, "2013-09")
    with pytest.raises(EntryRefused, match="does not follow"):
        close(kept, "2013-06")


def test_the_first_month_that_closes_has_entries(kept: Any) -> None:
    from fairwatt.flows.keep_books import CannotClose
    from fairwatt.reports.model import CannotAsk

    with pytest.raises(CannotClose, match="begin with 2013-07"):
        close(kept, "2012-07")
    for month in ("0001-01", "9999-12"):
        with pytest.raises(CannotAsk, match="No ledger reaches"):
            close(kept, month)
    close(kept, "2013-07")


def test_a_month_is_never_opened_again(kept: Any) -> None:
    from django.db import ProgrammingError, connection

    close(kept, "2013-07")
    for role in ("web", "migrate"):
        with as_role(role), pytest.raises(ProgrammingError), connection.cursor() as cursor:  # type: ignore[arg-type]
            cursor.execute("SELECT set_config('fairwatt.books', %s, false)", [str(kept.street.book)])
            cursor.execute("SELECT set_config('fairwatt.wallets', '*', false)")
            cursor.execute("DELETE FROM store_periodclose")


def test_a_bill_is_held_against_what_was_sold_and_the_legal_cap(kept: Any) -> None:
    from fairwatt.flows.keep_books import Bill, EntryRefused, enter_bill
    from fairwatt.store.models import Line
    from reports.conftest import Lived

    street = kept.street
    bill = Bill(
        supplier="Grid",
        number="8/13",
        start_us=at(8, 1),
        end_us=at(9, 1),
        energy_wh=400_000,
        net_micro=40_000_000,
        tax_micro=2_000_000,
        cap_micro_per_kwh=170_000,
    )
    asked = {"book_id": street.book, "user_id": street.clerk.pk, "now_us": at(9, 2)}
    with as_role("web"):
        first = enter_bill(bill=bill, **asked)
        with pytest.raises(EntryRefused, match="entered before"):
            enter_bill(bill=bill, **asked)
        from dataclasses import replace

        enter_bill(bill=replace(bill, energy_wh=420_000, replaces_id=first.pk), **asked)
        made = Lived(street=street, homes=street.homes).make("supplier", home=None, month=8)
    table = made["tables"][0]
    (row,) = [dict(zip([c["key"] for c in table["columns"]], cells, strict=True)) for cells in table["rows"]]
    inside = [
        line
        for line in Line.objects.filter(book=street.book, kind__in=(1, 3, 7))
        if at(8, 1) < int(line.ts.timestamp()) * 1_000_000 <= at(9, 1)
    ]
    sold = sum(line.energy_wh for line in inside)
    assert (row["bought_wh"], row["sold_wh"], row["lost_wh"]) == (420_000, sold, 420_000 - sold)
    assert row["margin"] == sum(line.energy_micro for line in inside) - 40_000_000
    over = 0
    for wallet in street.wallets:
        mine = [line for line in inside if line.wallet == wallet]
        net, standing, tax = (
            sum(getattr(line, f"{part}_micro") for line in mine) for part in ("energy", "standing", "tax")
        )
        charged = net + tax * net // (net + standing)  # the cap is on energy: its part of the tax, no more
        over += max(0, (charged * 1000 - 170_000 * sum(line.energy_wh for line in mine)) // 1000)
    assert row["over"] == made["figures"]["over"] == over > 0
    assert made["figures"]["over_homes"] == len(made["tables"][1]["rows"]) > 0


def test_the_trust_account_is_held_against_unspent_money(kept: Any) -> None:
    from fairwatt.flows.keep_books import EntryRefused
    from reports.conftest import Lived

    entered = trust(kept)
    with pytest.raises(EntryRefused, match="entered before"):
        trust(kept)
    trust(kept, balance_micro=20_000_000, replaces_id=entered.pk)
    lived = Lived(street=kept.street, homes=kept.street.homes)
    with as_role("web"):
        figures = lived.make("liability", home=None, month=8)["figures"]
        earlier = lived.make("liability", home=None, month=8, as_of_us=at(9, 2))["figures"]
    assert figures["trust"] == 20_000_000
    assert figures["cover"] == 20_000_000 - figures["unspent"]
    assert earlier["trust"] == "", "nobody had entered it then"
    with pytest.raises(EntryRefused, match="day to come"):
        trust(kept, at_us=at(12, 1))
